"""What is filmed: a photo, a clip's first picture or the title, laid out on a canvas."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from silvertalk.film.framing import BORDER, CANVAS_HEIGHT, CANVAS_WIDTH, Layout
from silvertalk.film.lettering import write_title

PAPER = (250, 247, 240)
BACKDROP_BRIGHTNESS = 0.5
TITLE_BRIGHTNESS = 0.34
_BLUR = 12
"""The backdrop is blurred at a twelfth of its size, where it costs nothing."""
TITLE_PRINT = (880, 900)
"""The largest print on the title, with its border."""
TITLE_PRINT_CENTRE = 760
TITLE_TOP = 1330
TITLE_TURN = -2.2
"""Degrees: as a print lies on a table."""


def canvas_of(picture: Image.Image, layout: Layout) -> Image.Image:
    """The RGB picture on its canvas."""
    left, top, width, height = layout.picture
    if (width, height) == layout.canvas:
        return ImageOps.fit(picture, layout.canvas, Image.Resampling.LANCZOS)
    canvas = backdrop(picture, layout.canvas, BACKDROP_BRIGHTNESS)
    border = layout.border
    _shade(canvas, (left - border, top - border, left + width + border, top + height + border))
    if border:
        canvas.paste(PAPER, (left - border, top - border, left + width + border, top + height + border))
    canvas.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (left, top))
    return canvas


def title_canvas(picture: Image.Image, title: str, under: str, fonts: tuple[Path, Path]) -> Image.Image:
    """The first photo as a print on a table, the title under it."""
    canvas = backdrop(picture, (CANVAS_WIDTH, CANVAS_HEIGHT), TITLE_BRIGHTNESS)
    small = ImageOps.contain(
        picture, (TITLE_PRINT[0] - 2 * BORDER, TITLE_PRINT[1] - 2 * BORDER), Image.Resampling.LANCZOS
    )
    sheet = Image.new("RGBA", (small.width + 2 * BORDER, small.height + 2 * BORDER), (*PAPER, 255))
    sheet.paste(small, (BORDER, BORDER))
    # A transparent edge, so that the turned sheet's own edges are smooth.
    sheet = ImageOps.expand(sheet, 4, (*PAPER, 0)).rotate(TITLE_TURN, Image.Resampling.BICUBIC, expand=True)
    at = ((CANVAS_WIDTH - sheet.width) // 2, TITLE_PRINT_CENTRE - sheet.height // 2)
    _shade(canvas, (at[0] + 24, at[1] + 24, at[0] + sheet.width - 24, at[1] + sheet.height - 24))
    canvas.paste(sheet, at, sheet)
    write_title(canvas, title, under, fonts, TITLE_TOP)
    return canvas


def backdrop(picture: Image.Image, size: tuple[int, int], brightness: float) -> Image.Image:
    """The picture over the whole of `size`, out of focus and dim."""
    tiny = ImageOps.fit(picture, (size[0] // _BLUR, size[1] // _BLUR), Image.Resampling.BOX)
    tiny = ImageEnhance.Color(tiny.filter(ImageFilter.GaussianBlur(5))).enhance(0.8)
    return ImageEnhance.Brightness(tiny).enhance(brightness).resize(size, Image.Resampling.BICUBIC)


def _shade(canvas: Image.Image, box: tuple[int, int, int, int]) -> None:
    """A soft shadow of what will lie in `box`."""
    eighth = Image.new("L", (canvas.width // 8, canvas.height // 8), 0)
    ImageDraw.Draw(eighth).rectangle([edge / 8 for edge in (box[0], box[1] + 16, box[2], box[3] + 24)], fill=150)
    mask = eighth.filter(ImageFilter.GaussianBlur(4)).resize(canvas.size, Image.Resampling.BICUBIC)
    canvas.paste((0, 0, 0), (0, 0), mask)
