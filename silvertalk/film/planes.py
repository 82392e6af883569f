"""Pictures as the encoder takes them: brightness in full, two colours at half the size (4:2:0), BT.709, limited range.

Converted once when a slide is laid out and never again: to move over a canvas, to melt two frames and to put words on
one costs half of what it would cost in RGB, and so does the way to the encoder.
"""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image

from silvertalk.film.framing import HEIGHT, WIDTH, Box

_Y = (0.2126 * 219 / 255, 0.7152 * 219 / 255, 0.0722 * 219 / 255, 16)
_CB = (-0.114572 * 224 / 255, -0.385428 * 224 / 255, 0.5 * 224 / 255, 128)
_CR = (0.5 * 224 / 255, -0.454153 * 224 / 255, -0.045847 * 224 / 255, 128)

Plane = Image.Image


class Planes(NamedTuple):
    """Three images of one channel; those of the colours are half as wide and half as high."""

    y: Plane
    cb: Plane
    cr: Plane

    def tobytes(self) -> bytes:
        return self.y.tobytes() + self.cb.tobytes() + self.cr.tobytes()

    def copy(self) -> Planes:
        return Planes(self.y.copy(), self.cb.copy(), self.cr.copy())


class Stamp(NamedTuple):
    """Something to be put on frames: `masks` for brightness and colours, `at`: its left and top, even."""

    planes: Planes
    masks: tuple[Plane, Plane]
    at: tuple[int, int]


def planes_of(image: Image.Image) -> Planes:
    """Of an RGB image whose sides are even."""
    halved = image.reduce(2)
    return Planes(image.convert("L", matrix=_Y), halved.convert("L", matrix=_CB), halved.convert("L", matrix=_CR))


def planes_from(data: bytes, size: tuple[int, int]) -> Planes:
    """Of raw yuv420p; `size` even."""
    width, height = size
    half, luma, chroma = (width // 2, height // 2), width * height, width * height // 4
    return Planes(
        Image.frombytes("L", size, data[:luma]),
        Image.frombytes("L", half, data[luma : luma + chroma]),
        Image.frombytes("L", half, data[luma + chroma :]),
    )


def stamp_of(image: Image.Image, at: tuple[int, int]) -> Stamp:
    """Of an RGBA image whose sides are even."""
    opacity = image.getchannel("A")
    return Stamp(planes_of(image.convert("RGB")), (opacity, opacity.reduce(2)), at)


def seen_through(canvas: Planes, window: Box) -> Planes:
    """The frame that a window on the canvas shows. Pillow filters from the window's real-numbered edges, which is what
    makes the movement even: whole pixels, as FFmpeg's `zoompan` has them, tremble."""
    left, top, right, lower = window
    halves = (left / 2, top / 2, right / 2, lower / 2)
    half = (WIDTH // 2, HEIGHT // 2)
    return Planes(
        canvas.y.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=window),
        canvas.cb.resize(half, Image.Resampling.BILINEAR, box=halves),
        canvas.cr.resize(half, Image.Resampling.BILINEAR, box=halves),
    )


def melted(one: Planes, other: Planes, share: float) -> Planes:
    """`share` of the other, from 0 to 1."""
    return Planes(*(Image.blend(a, b, share) for a, b in zip(one, other, strict=True)))


def put(stamp: Stamp, frame: Planes, opacity: float = 1.0) -> None:
    """Onto the frame, in place."""
    full, half = stamp.masks
    if opacity < 1:
        full, half = (mask.point([round(value * opacity) for value in range(256)]) for mask in (full, half))
    left, top = stamp.at
    frame.y.paste(stamp.planes.y, (left, top), full)
    frame.cb.paste(stamp.planes.cb, (left // 2, top // 2), half)
    frame.cr.paste(stamp.planes.cr, (left // 2, top // 2), half)


def dark() -> Planes:
    half = (WIDTH // 2, HEIGHT // 2)
    return Planes(Image.new("L", (WIDTH, HEIGHT), 16), Image.new("L", half, 128), Image.new("L", half, 128))
