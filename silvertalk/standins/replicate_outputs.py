"""What the practice Replicate makes: pictures drawn by Pillow, films encoded by FFmpeg where it is installed.

They show nothing but colours, so that nobody takes them for what a model made.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import io
import struct
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

FILM_SECONDS = 2
FILM_RATE = 24
LONG_SIDE = 640


def size_of(aspect_ratio: str, long_side: int = LONG_SIDE) -> tuple[int, int]:
    wide, high = (int(part) for part in aspect_ratio.split(":"))
    scale = long_side / max(wide, high)
    return max(2, round(wide * scale / 2) * 2), max(2, round(high * scale / 2) * 2)


def picture(prompt: str, number: int, aspect_ratio: str, kind: str) -> bytes:
    """Two colours that follow from the prompt, and a frame."""
    colours = sha256(f"{number}{prompt}".encode()).digest()
    image = Image.new("RGB", size_of(aspect_ratio), tuple(colours[:3]))
    draw = ImageDraw.Draw(image)
    draw.ellipse(
        (image.width // 4, image.height // 4, image.width * 3 // 4, image.height * 3 // 4), tuple(colours[3:6])
    )
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline="white", width=8)
    file = io.BytesIO()
    image.save(file, format={"png": "PNG", "webp": "WEBP", "jpg": "JPEG"}[kind])
    return file.getvalue()


async def film(start: bytes, aspect_ratio: str) -> bytes:
    """The picture, held still; without FFmpeg the bare boxes of a film."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return bare_film()
    with TemporaryDirectory() as folder:
        await asyncio.to_thread(_still, start, Path(folder) / "start.png", size_of(aspect_ratio))
        return await _encoded(Path(folder))


def _still(start: bytes, path: Path, size: tuple[int, int]) -> None:
    with Image.open(io.BytesIO(start)) as image:
        image.convert("RGB").resize(size).save(path)


async def _encoded(folder: Path) -> bytes:
    program = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    process = await asyncio.create_subprocess_exec(
        *(program, "-nostdin", "-loglevel", "error", "-threads", "1"),
        *("-loop", "1", "-framerate", str(FILM_RATE), "-t", str(FILM_SECONDS), "-i", "start.png"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "out.mp4"),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await asyncio.to_thread((folder / "out.mp4").read_bytes)


def bare_film() -> bytes:
    """A film's boxes with nothing to see in them."""
    boxes = ((b"ftyp", b"isom\0\0\2\0isomiso2mp41"), (b"moov", bytes(100)), (b"mdat", bytes(1000)))
    return b"".join(struct.pack(">I4s", len(content) + 8, kind) + content for kind, content in boxes)
