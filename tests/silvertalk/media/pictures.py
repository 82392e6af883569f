"""Pictures as phones make them, and as nobody's phone makes them."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

from PIL import Image, PngImagePlugin

CANARY = b"silvertalk-canary-7f3a"
SEOUL = (37.566389, 126.977778)
TAKEN = "1987:05:10 14:30:00"

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAZdtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9j"
    "AAAAAERAAAIAAQAAAAABuwABAAAAAAAAAD8AAgAAAAAB+gABAAAAAAAAANwAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "ABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNg"
    "AAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAH"
    "RAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEE"
    "gQIDBAAAABppcmVmAAAAAAAAAA5jZHNjAAIAAQABAAABI21kYXQAAAA7KAGvWIp+DpJf//dpXI/NN7/50MOjcW85Sn/fyev0tZQGTajyasPU"
    "PLgELNg//DuKf7ElR/L8N53vu4AAAAAGRXhpZgAATU0AKgAAAAgAAwESAAMAAAABAAEAAIdpAAQAAAABAAAAMoglAAQAAAABAAAAbAAAAAAA"
    "ApADAAIAAAAUAAAAUJARAAIAAAAHAAAAZAAAAAAxOTg3OjA1OjEwIDE0OjMwOjAwACswOTowMAAAAAQAAQACAAAAAk4AAAAAAgAFAAAAAwAA"
    "AKIAAwACAAAAAkUAAAAABAAFAAAAAwAAALoAAAAAAAAAJQAAAAEAAAAhAAAAAQAAADsAAAABAAAAfgAAAAEAAAA6AAAAAQAAACgAAAAB"
)
"""96 x 64, red with a blue corner, taken on 1987-05-10 at 14:30 +09:00 at 37.566389, 126.977778 (libheif, x265)."""


def picture(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red, its upper left quarter blue."""
    image = Image.new("RGB", size, (200, 60, 40))
    image.paste((20, 40, 220), (0, 0, size[0] // 2, size[1] // 2))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def exif(orientation: int = 1, *, place: bool = True, taken: str = TAKEN, offset: str = "+09:00") -> Image.Exif:
    """As a phone writes it, with a canary where a phone writes its maker's notes."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = CANARY.decode()
    details = tags.get_ifd(0x8769)
    details[0x9003] = taken
    if offset:
        details[0x9011] = offset
    details[0x927C] = CANARY * 3
    if place:
        gps = tags.get_ifd(0x8825)
        gps[1], gps[2], gps[3], gps[4] = "N", (37.0, 33.0, 59.0), "E", (126.0, 58.0, 40.0)
    return tags


def phone_jpeg(orientation: int = 1, **tags: Any) -> bytes:
    return saved(picture(), "JPEG", exif=exif(orientation, **tags), comment=CANARY, quality=90)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, bits: int = 8, colour: int = 2, rows: bytes = b"", before: bytes = b"") -> bytes:
    """A PNG by hand: its head may say what its `rows` (compressed here) do not hold."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + before + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b"")


def with_text(image: Image.Image) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", CANARY.decode())
    text.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{CANARY.decode()}</x:xmpmeta>")
    return saved(image, "PNG", pnginfo=text, exif=exif())


def animated(kind: str) -> bytes:
    frames = [picture(size=(64, 64)).rotate(90 * turn) for turn in range(4)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def hostile_exif(body: bytes) -> bytes:
    """A JPEG whose EXIF is this."""
    plain = saved(picture(), "JPEG")
    segment = b"Exif\x00\x00" + body
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


LOOPED_EXIF = b"II*\x00\x08\x00\x00\x00" + b"\x01\x00" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
"""Its details are itself, and so is what follows."""
HUGE_EXIF = b"II*\x00\x08\x00\x00\x00" + b"\x01\x00" + struct.pack("<HHII", 0x9286, 7, 2**31 - 1, 8) + b"\x00" * 4
"""A comment of two gigabytes."""
NOT_A_PLACE = struct.pack("<HHII", 0x8825, 4, 1, 26) + struct.pack("<I", 0)


def wrong_places() -> bytes:
    tags = exif(place=False)
    gps = tags.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (91.0, 0.0, 0.0), "Q", (1.0, 0.0)
    return saved(picture(), "JPEG", exif=tags)


TAKEN_AS_THEY_ARE: dict[str, Callable[[], bytes]] = {
    "a phone's JPEG with a place": phone_jpeg,
    **{f"lying on side {side}": (lambda side=side: phone_jpeg(side)) for side in range(2, 9)},  # type: ignore[misc]
    "an orientation that is none": lambda: phone_jpeg(77),
    "HEIC with a place": lambda: HEIC,
    "PNG with text and a place": lambda: with_text(picture()),
    "WEBP with a place": lambda: saved(picture(), "WEBP", exif=exif(), xmp=CANARY),
    "JPEG that is a page too": lambda: phone_jpeg() + b"<html><script>" + CANARY + b"</script></html>",
    "JPEG with a page in its comment": lambda: saved(picture(), "JPEG", comment=b"<script>" + CANARY + b"</script>"),
    "JPEG with an archive behind it": lambda: phone_jpeg() + b"PK\x03\x04" + CANARY * 1000,
    "PNG with something behind it": lambda: saved(picture(), "PNG") + CANARY,
    "CMYK": lambda: saved(picture("CMYK"), "JPEG"),
    "grey": lambda: saved(picture("L"), "JPEG"),
    "16 bits of grey": lambda: saved(picture("L").convert("I").point(lambda v: v * 257).convert("I;16"), "PNG"),
    "16 bits of colour": lambda: png(8, 8, bits=16, rows=(b"\x00" + b"\xc8\x00\x3c\x00\x28\x00" * 8) * 8),
    "transparency": lambda: saved(Image.new("RGBA", (80, 60), (255, 0, 0, 0)), "PNG"),
    "a palette with transparency": lambda: saved(picture("P"), "PNG", transparency=0),
    "grey with transparency": lambda: saved(picture("LA"), "PNG"),
    "one bit": lambda: saved(picture("1"), "PNG"),
    "moving PNG": lambda: animated("PNG"),
    "moving WEBP": lambda: animated("WEBP"),
    "a single pixel": lambda: saved(picture(size=(1, 1)), "PNG"),
    "a thread": lambda: saved(picture(size=(20_000, 1)), "PNG"),
    "a tower": lambda: saved(picture(size=(8, 9_000)), "PNG"),
    "EXIF that bites its tail": lambda: hostile_exif(LOOPED_EXIF),
    "EXIF of two gigabytes": lambda: hostile_exif(HUGE_EXIF),
    "EXIF that is noise": lambda: hostile_exif(bytes(range(256)) * 8),
    "EXIF that ends at once": lambda: hostile_exif(b"II"),
    "a place that is none": wrong_places,
    "a moment that is none": lambda: phone_jpeg(taken="0000:00:00 99:99:99", offset="later"),
    "a colour profile that is none": lambda: saved(picture(), "JPEG", icc_profile=CANARY * 20),
}
"""All of them can be shared, as something else than they were."""

REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("not_a_picture", lambda: b""),
    "text": ("not_a_picture", lambda: b"not a picture at all"),
    "a page": ("not_a_picture", lambda: b"<!doctype html><script>alert(1)</script>"),
    "SVG": ("not_a_picture", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'),
    "GIF, which is not taken": ("not_a_picture", lambda: saved(picture("P"), "GIF")),
    "TIFF, which is not taken": ("not_a_picture", lambda: saved(picture(), "TIFF")),
    "BMP, which is not taken": ("not_a_picture", lambda: saved(picture(), "BMP")),
    "PDF": ("not_a_picture", lambda: saved(picture(), "PDF")),
    "the first bytes of a JPEG": ("not_a_picture", lambda: b"\xff\xd8\xff\xe0"),
    "half a JPEG": ("broken", lambda: saved(picture(size=(640, 480)), "JPEG")[:1500]),
    "half a PNG": ("broken", lambda: saved(picture(size=(640, 480)), "PNG")[:300]),
    "half a HEIC": ("not_a_picture", lambda: HEIC[:500]),
    "PNG that says 12000 x 12000 and has 17 KiB": (
        "too_many_pixels",
        lambda: png(12_000, 12_000, rows=bytes(17_000_000)),
    ),
    "PNG that says 65535 x 65535": ("too_many_pixels", lambda: png(65_535, 65_535)),
    "PNG that says 2^31 - 1 wide": ("too_many_pixels", lambda: png(2**31 - 1, 1)),
    "one pixel row too many": ("too_many_pixels", lambda: png(5_000, 5_001)),
    "PNG that says 0 x 0": ("not_a_picture", lambda: png(0, 0)),
    "PNG with a text of 200 MB": (
        "broken",
        lambda: png(8, 8, before=png_chunk(b"zTXt", b"c\x00\x00" + zlib.compress(bytes(200_000_000), 9))),
    ),
}
"""With the word that tells why."""
