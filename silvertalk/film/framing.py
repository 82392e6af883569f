"""How a picture lies in the frame, and how the frame travels over it: pure geometry, in pixels.

What is filmed is a canvas somewhat larger than the frame, on which the picture lies; a window of the frame's shape
moves over it. The window's edges are real numbers, so that nothing ever jumps from one pixel to the next.

    whole    a picture nearly in the frame's shape fills the canvas
    print    any other lies on it like a photo print on a blurred enlargement of itself, and never loses an edge
    strip    a panorama is as long as time allows, and the window travels along it from its one end to the other
"""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, HEIGHT = 1080, 1920
ZOOM = 1.1
"""How much larger the picture is when it goes than when it came."""
CANVAS_WIDTH, CANVAS_HEIGHT = 1188, 2112
"""The frame times ZOOM: at the end the window is as large as the frame, and shows the canvas pixel by pixel."""
MOST_CUT = 0.08
"""A picture fills the frame where no more than this of it is lost by that."""
BORDER = 14
"""Of a print, white, on each side."""
PRINT_WIDTH, PRINT_HEIGHT = WIDTH, 1720
"""The largest print with its border: at the end its sides touch the frame's."""
PRINT_CENTRE = 0.46
"""Of the canvas's height: a little above the middle, since the words stand below."""
MOST_ENLARGED = 4.0
"""A tiny picture stays a small print: enlarged without limit it would be a blur."""
STRIP_RATIO = 2.1
"""From here on a picture is a panorama: as a print it would be a mere stripe."""
STRIP_PIXELS_A_SECOND = 100.0
"""How fast the window may travel."""
STRIP_LONGEST = 2 * CANVAS_WIDTH
"""A panorama's, however long it is seen; it bounds the memory."""
STRIP_HIGHEST = 1500

Box = tuple[float, float, float, float]
"""left, upper, right, lower"""


@dataclass(frozen=True)
class Layout:
    """`canvas`: its size. `picture`: where the picture lies on it (left, top, width, height), all of them even, as half
    of each is the place of its colours."""

    canvas: tuple[int, int]
    picture: tuple[int, int, int, int]
    border: int
    across: tuple[float, float] = (0.5, 0.5)
    """Where the window is when it comes and goes: 0 at the left of the room it has, 1 at its right."""
    down: tuple[float, float] = (0.5, 0.5)

    def window(self, progress: float) -> Box:
        """At `progress` from 0 to 1, on the canvas. Growing is even to the eye: by the same factor each second."""
        larger = ZOOM**progress
        width, height = CANVAS_WIDTH / larger, CANVAS_HEIGHT / larger
        left = _between(self.across, progress) * (self.canvas[0] - width)
        top = _between(self.down, progress) * (self.canvas[1] - height)
        return left, top, left + width, top + height


def lay(width: int, height: int, seconds: float, turn: int = 0) -> Layout:
    """A picture of this size that is seen so long; `turn` counts the slides, so that they do not all move alike."""
    shape = width * HEIGHT / (height * WIDTH)
    if 1 - MOST_CUT <= min(shape, 1 / shape):
        drift = (0.35, 0.65) if turn % 2 else (0.65, 0.35)
        return Layout((CANVAS_WIDTH, CANVAS_HEIGHT), (0, 0, CANVAS_WIDTH, CANVAS_HEIGHT), 0, down=drift)
    if width / height >= STRIP_RATIO:
        return _strip(width, height, seconds, turn)
    room_width, room_height = PRINT_WIDTH - 2 * BORDER, PRINT_HEIGHT - 2 * BORDER
    scale = min(room_width / width, room_height / height, MOST_ENLARGED)
    across, down = _even(width * scale), _even(height * scale)
    top = _even((CANVAS_HEIGHT - down) * PRINT_CENTRE)
    place = (_even((CANVAS_WIDTH - across) / 2), top, across, down)
    middle = (top + down / 2) / CANVAS_HEIGHT
    return Layout((CANVAS_WIDTH, CANVAS_HEIGHT), place, BORDER, down=(middle, middle))


def _strip(width: int, height: int, seconds: float, turn: int) -> Layout:
    longest = min(CANVAS_WIDTH + STRIP_PIXELS_A_SECOND * seconds, STRIP_LONGEST, STRIP_HIGHEST * width / height)
    across = _even(max(CANVAS_WIDTH, min(longest, MOST_ENLARGED * width)))
    down = max(2, _even(across * height / width))
    top = _even((CANVAS_HEIGHT - down) * PRINT_CENTRE)
    travel = (0.0, 1.0) if turn % 2 == 0 else (1.0, 0.0)
    return Layout((across, CANVAS_HEIGHT), (0, top, across, down), 0, across=travel)


def _between(ends: tuple[float, float], progress: float) -> float:
    """Setting off and arriving softly."""
    eased = progress * progress * (3 - 2 * progress)
    return ends[0] + (ends[1] - ends[0]) * eased


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
