"""Frames as the encoder takes them."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from silvertalk.film.framing import HEIGHT, WIDTH, lay
from silvertalk.film.planes import Planes, dark, melted, planes_from, planes_of, put, seen_through, stamp_of


def test_colours_are_bt709_of_limited_range() -> None:
    for rgb, expected in (
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((255, 0, 0), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((0, 0, 255), (32, 240, 118)),
    ):
        planes = planes_of(Image.new("RGB", (4, 4), rgb))
        found = tuple(plane.getpixel((0, 0)) for plane in planes)
        assert all(abs(int(a) - b) <= 1 for a, b in zip(found, expected, strict=True)), (rgb, found)  # type: ignore[arg-type]


def test_bytes_are_yuv420p_and_come_back() -> None:
    planes = planes_of(Image.effect_noise((64, 32), 80).convert("RGB"))
    data = planes.tobytes()
    assert len(data) == 64 * 32 * 3 // 2
    assert planes_from(data, (64, 32)).tobytes() == data


def test_nothing_trembles_while_the_window_moves() -> None:
    """A spot's place, to some hundredths of a pixel: it goes on by nearly the same way from each frame to the next. In
    whole pixels it would stand, and jump by one."""
    image = Image.new("RGB", (1188, 2112), (40, 40, 40))
    ImageDraw.Draw(image).ellipse((200, 300, 240, 340), fill=(250, 250, 250))
    canvas = planes_of(image.filter(ImageFilter.GaussianBlur(6)))
    layout = lay(1188, 2112, 4.0)
    places = np.array([_spot(seen_through(canvas, layout.window(number / 119))) for number in range(0, 119)])
    steps = np.diff(places, axis=0)
    assert np.abs(places[-1] - places[0]).max() > 20, "it does move"
    assert np.abs(np.diff(steps, axis=0)).max() < 0.1


def _spot(frame: Planes) -> tuple[float, float]:
    part = np.asarray(frame.y.crop((0, 0, 540, 540)), np.float64) - 50
    part[part < 4] = 0
    across, down = part.sum(axis=0), part.sum(axis=1)
    at = np.arange(540)
    return float(across @ at / across.sum()), float(down @ at / down.sum())


def test_melting_is_a_share_of_each() -> None:
    white = planes_of(Image.new("RGB", (WIDTH, HEIGHT), "white"))
    assert [melted(dark(), white, share).y.getpixel((9, 9)) for share in (0.0, 0.5, 1.0)] == [16, 125, 235]


def test_a_stamp_changes_its_place_only_and_as_much_as_it_is_there() -> None:
    frame, untouched = dark(), dark()
    stamp = stamp_of(Image.new("RGBA", (20, 10), (255, 255, 255, 255)), (100, 200))
    put(stamp, frame, 0.5)
    assert frame.y.getpixel((105, 205)) in (125, 126) and frame.y.getpixel((99, 205)) == 16
    put(stamp, frame)
    assert frame.y.getpixel((119, 209)) == 235 and frame.y.getpixel((120, 209)) == 16
    assert frame.cb.tobytes() == untouched.cb.tobytes()
