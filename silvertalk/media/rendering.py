"""The program that decodes a stranger's picture, in a process of its own with nothing to lose: see `images`.

    python -I rendering.py SOURCE SHARED THUMBNAIL      one line of JSON on stdout
    python -I rendering.py --square SOURCE TARGET       the same

It imports nothing of ours, so that it starts quickly and knows nothing. Its limits are set before it looks at anything:
memory, processor time, open files, size of what it writes. Whatever goes wrong is one word: `refused`.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import resource
import sys
import warnings
from datetime import datetime
from math import isfinite
from typing import Any

MAX_PIXELS = 25_000_000
SHARED_SIDE = 2048
SHARED_QUALITY = 85
THUMBNAIL_SIDE = 640
"""Its width: a picture upright is higher than that, a panorama lower."""
THUMBNAIL_QUALITY = 80
MAX_SIDE_RATIO = 3
"""A thumbnail is at most so many times as high as wide, cut to its middle otherwise."""
MEMORY_BYTES = 768 * 1024 * 1024
"""Of addresses. 25 megapixels as a JPEG take 97 MiB (it is decoded smaller), as a PNG with transparency 290, with grey
and transparency 385, as a WEBP 425."""
CPU_SECONDS = 20
WRITTEN_BYTES = 16 * 1024 * 1024
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
SQUARE_SIDE = 1024
SQUARE_QUALITY = 85
SQUARE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
LEAST_SIDE = 64
MAX_EXIF_BYTES = 256 * 1024
"""Phones write a few KiB, with a small picture within up to 64; a JPEG segment ends there anyway."""
EARLIEST_YEAR = 1826
"""The oldest photograph there is."""

_MOMENT = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d", re.ASCII)


class Refused(Exception):
    """Its text is the word that is told."""


def confine() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def render(source: str, shared: str, thumbnail: str) -> dict[str, Any]:
    """Both copies written; what is known of the picture. Raises Refused."""
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    pi_heif.register_heif_opener()
    with _opened(source, FORMATS) as image:
        width, height = image.size
        facts = _facts(image)
        upright = _plain(_upright(_smaller(image, (SHARED_SIDE, SHARED_SIDE))))
    turned = (upright.width > upright.height) is not (width > height) and upright.width != upright.height
    facts["width"], facts["height"] = (height, width) if turned else (width, height)
    upright.save(shared, format="JPEG", quality=SHARED_QUALITY)
    _thumbnail(upright).save(thumbnail, format="JPEG", quality=THUMBNAIL_QUALITY)
    return facts


def square(source: str, target: str) -> dict[str, Any]:
    """The middle of the picture on white, as a model that makes films takes it. Raises Refused."""
    from PIL import Image

    with _opened(source, SQUARE_FORMATS) as image:
        width, height = image.size
        short = min(width, height)
        if short < LEAST_SIDE:
            raise Refused("too_small")
        ratio = min(1.0, SQUARE_SIDE / short)
        plain = _plain(_upright(_smaller(image, (math.ceil(width * ratio), math.ceil(height * ratio)))))
    short = min(plain.size)
    left, top = (plain.width - short) // 2, (plain.height - short) // 2
    middle = plain.crop((left, top, left + short, top + short))
    middle.resize((SQUARE_SIDE, SQUARE_SIDE), Image.Resampling.LANCZOS).save(
        target, format="JPEG", quality=SQUARE_QUALITY
    )
    return {"width": width, "height": height}


def _opened(source: str, formats: tuple[str, ...]) -> Any:
    """The picture, not decoded yet. Raises Refused."""
    from PIL import Image, UnidentifiedImageError

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        image = Image.open(source, formats=formats)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refused("too_many_pixels") from None
    except UnidentifiedImageError:
        raise Refused("not_a_picture") from None
    width, height = image.size
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise Refused("too_many_pixels")
    return image


def _smaller(image: Any, size: tuple[int, int]) -> Any:
    """Decoded, and no larger than `size`; a JPEG is not even decoded to its full size."""
    image.draft(None, size)
    image.load()
    if image.mode in ("I;16", "I"):  # 16 bits of grey: the upper eight
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    elif image.mode in ("P", "1", "LA", "PA", "La"):
        image = image.convert("RGBA")
    if image.width > size[0] or image.height > size[1]:
        image.thumbnail(size, reducing_gap=2.0)
    return image


def _upright(image: Any) -> Any:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # an orientation that cannot be read leaves the picture as it lies
        return image


def _plain(image: Any) -> Any:
    """Three colours in sRGB on white, and nothing beside them: a new picture, which has no tags, comments or profiles
    to take along."""
    from PIL import Image

    profile = image.info.get("icc_profile")
    if image.mode in ("RGBA", "RGBa"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white.convert("RGB")
        plain = _in_srgb(image, profile)
    elif image.mode in ("RGB", "CMYK"):
        plain = _in_srgb(image, profile)
    else:
        plain = image.convert("RGB")
    clean = Image.new("RGB", plain.size)
    clean.paste(plain)
    return clean


def _in_srgb(image: Any, profile: bytes | None) -> Any:
    """Phones take pictures in wider colours than a picture without a profile is shown in."""
    if profile:
        from PIL import ImageCms

        with contextlib.suppress(Exception):  # a broken profile: the colours are a little dull
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def _thumbnail(image: Any) -> Any:
    width, height = image.size
    if height > width * MAX_SIDE_RATIO:
        top = (height - width * MAX_SIDE_RATIO) // 2
        image = image.crop((0, top, width, top + width * MAX_SIDE_RATIO))
    elif width > height * MAX_SIDE_RATIO:
        left = (width - height * MAX_SIDE_RATIO) // 2
        image = image.crop((left, 0, left + height * MAX_SIDE_RATIO, height))
    else:
        image = image.copy()
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE * MAX_SIDE_RATIO))
    return image


# --- when and where --------------------------------------------------------------------------------------------------


def _facts(image: Any) -> dict[str, Any]:
    """`taken` (as the camera's clock said), `offset` (its zone, such as "+09:00"), `latitude`, `longitude`; None for
    what is not there or cannot be meant."""
    facts: dict[str, Any] = {"taken": None, "offset": None, "latitude": None, "longitude": None}
    try:
        if len(image.info.get("exif") or b"") > MAX_EXIF_BYTES:
            return facts
        exif = image.getexif()
        details = exif.get_ifd(0x8769)
        facts["taken"] = _moment(details.get(0x9003)) or _moment(details.get(0x9004)) or _moment(exif.get(0x0132))
        offset = details.get(0x9011) or details.get(0x9010)
        facts["offset"] = offset if isinstance(offset, str) and _OFFSET.fullmatch(offset) else None
        gps = exif.get_ifd(0x8825)
        latitude = _degrees(gps.get(2), gps.get(1), "N", "S", 90)
        longitude = _degrees(gps.get(4), gps.get(3), "E", "W", 180)
        if latitude is not None and longitude is not None and (latitude, longitude) != (0, 0):
            facts["latitude"], facts["longitude"] = latitude, longitude
    except Exception:  # tags that lead nowhere cost the picture only its tags
        return facts
    return facts


def _moment(value: Any) -> str | None:
    found = _MOMENT.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        moment = datetime(*map(int, found.groups()))  # type: ignore[arg-type]
    except ValueError:
        return None
    return moment.isoformat() if EARLIEST_YEAR <= moment.year <= datetime.now().year + 1 else None


def _degrees(value: Any, side: Any, positive: str, negative: str, most: int) -> float | None:
    if not isinstance(value, tuple) or len(value) != 3 or side not in (positive, negative):
        return None
    parts = [float(part) for part in value]
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    if not isfinite(degrees) or min(parts) < 0 or degrees > most:
        return None
    return round(degrees if side == positive else -degrees, 6)


def main() -> int:
    confine()
    try:
        asked = sys.argv[1:]
        print(json.dumps(square(*asked[1:3]) if asked[0] == "--square" else render(*asked[:3])))
    except Refused as error:
        print(json.dumps({"refused": str(error)}))
    except MemoryError:
        print(json.dumps({"refused": "too_much_work"}))
    except Exception as error:  # whatever a decoder says of a broken picture
        print(json.dumps({"refused": "broken", "why": type(error).__name__}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
