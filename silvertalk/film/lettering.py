"""Words on the picture: subtitles that an older person reads on a phone at arm's length, and the title.

72 pixels of 1080 are four millimetres on a phone, twice what the text of a message has. White with a dark outline over
a soft shadow stands on any picture.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from silvertalk.film.framing import HEIGHT, WIDTH
from silvertalk.film.planes import Stamp, stamp_of
from silvertalk.film.wrapping import balanced, pages, plain

SUBTITLE_SIZE = 72
SUBTITLE_WIDTH = 936
SUBTITLE_LOWER = 1690
"""Where the last line ends: a player's own buttons are below."""
LINE_HEIGHT = 1.36
OUTLINE = 6
WHITE = (255, 255, 255)
OWN_WHITE = (255, 236, 190)
"""Of the person's own words."""
INK = (24, 18, 14)
TITLE_SIZES = (104, 92, 80, 68)
TITLE_WIDTH = 900
SUBTITLE_OF_TITLE_SIZE = 52
_SHADOW = 36
"""How far the shadow reaches, pixels."""


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


class Letters:
    """One font in one size."""

    def __init__(self, path: Path, size: int) -> None:
        self.size = size
        self._font = _font(path, size)
        self._missing = _shape(self._font, "\uffff")

    def width(self, text: str) -> float:
        return self._font.getlength(text)

    def known(self, text: str) -> str:
        """Without what the font cannot draw, such as faces and hearts: an empty box says less than nothing."""
        return plain("".join(mark for mark in text if mark.isspace() or _shape(self._font, mark) != self._missing))

    def draw(self, onto: Image.Image, lines: list[str], top: float, colour: tuple[int, int, int], outline: int) -> None:
        """Centred lines, the first one's upper edge at `top`."""
        pen = ImageDraw.Draw(onto)
        for number, line in enumerate(lines):
            at = (onto.width / 2, top + self.size * LINE_HEIGHT * number)
            pen.text(at, line, colour, self._font, anchor="ma", stroke_width=outline, stroke_fill=INK)

    def height(self, lines: int) -> int:
        return round(self.size * LINE_HEIGHT * lines)


def subtitle_pages(text: str, letters: Letters, *, own_voice: bool) -> list[str]:
    """What is shown of a sentence, page after page."""
    known = letters.known(text)
    return pages(f"“{known}”" if own_voice and known else known, SUBTITLE_WIDTH, letters.width)


def subtitle(page: str, letters: Letters, *, own_voice: bool) -> Stamp:
    """A page of a subtitle, where it stands in the frame."""
    lines = page.split("\n")
    tall = letters.height(len(lines)) + 2 * _SHADOW
    image = Image.new("RGBA", (WIDTH, tall + tall % 2), (*INK, 0))
    shadow = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(shadow)
    widest = max(letters.width(line) for line in lines)
    pen.rounded_rectangle(
        ((WIDTH - widest) / 2 - 8, _SHADOW, (WIDTH + widest) / 2 + 8, tall - _SHADOW), radius=_SHADOW, fill=96
    )
    image.putalpha(shadow.filter(ImageFilter.GaussianBlur(_SHADOW / 2)))
    letters.draw(image, lines, _SHADOW, OWN_WHITE if own_voice else WHITE, OUTLINE)
    return stamp_of(image, (0, (SUBTITLE_LOWER - tall + _SHADOW) // 2 * 2))


def write_title(onto: Image.Image, title: str, under: str, fonts: tuple[Path, Path], top: int) -> None:
    """The title (three lines at most, smaller where it is long) and what stands under it, from `top` down."""
    extra_bold, bold = fonts
    for size in TITLE_SIZES:
        letters = Letters(extra_bold, size)
        lines = balanced(letters.known(title), TITLE_WIDTH, letters.width)
        if len(lines) <= (2 if size > TITLE_SIZES[-1] else 3):
            break
    lines = _shortened(lines, 3)
    letters.draw(onto, lines, top, WHITE, 0)
    small = Letters(bold, SUBTITLE_OF_TITLE_SIZE)
    below = _shortened(balanced(small.known(under), TITLE_WIDTH, small.width), 2)
    small.draw(onto, below, min(top + letters.height(len(lines)) + 28, HEIGHT - 240), OWN_WHITE, 0)


def _shortened(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1].rstrip(".,") + "…"]


def _shape(font: ImageFont.FreeTypeFont, mark: str) -> bytes:
    return bytes(font.getmask(mark))
