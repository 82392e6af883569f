"""Strangers' pictures: what may be shared of them, and when and where they were taken.

A picture is decoded by another process (`rendering`) that has limits on memory, processor time and time at all: one
made to explode takes only that process along. What is shared is drawn anew from the pixels, so neither the place it was
taken at nor anything hidden in the file goes with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from silvertalk.media import rendering
from streaming.logs import logger

log = logger("images")

CONTENT_TYPES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/heic": "heic"}
"""What is taken, and the end of its key. What a picture really is, its own bytes say."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
SHARED_TYPE = "image/jpeg"
RENDER_SECONDS = 30.0
"""On a busy machine; the processor time is limited to less."""
AT_ONCE = 2
"""Pictures decoded at the same time in one process of ours: each may take half a gigabyte."""
MAX_ANSWER_BYTES = 4096

_rooms: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def picture_type(head: bytes) -> str | None:
    """The content type of a picture by its first 16 bytes; None where they begin none that is taken."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return "image/heic" if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS else None


class ImageRefused(Exception):
    """`code`: "not_a_picture", "too_many_pixels", "too_small", "broken", "too_much_work" (memory or time)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Rendered(NamedTuple):
    """What is known of a picture once its copies are written; `width` and `height` are the upright original's."""

    width: int
    height: int
    taken_at: datetime | None
    """By the camera's clock: aware where the camera knew its zone, else naive."""
    latitude: float | None
    longitude: float | None

    def taken_in(self, zone: tzinfo) -> datetime | None:
        """When it was taken, in UTC, a clock without a zone being one of `zone`."""
        if self.taken_at is None:
            return None
        aware = self.taken_at if self.taken_at.tzinfo else self.taken_at.replace(tzinfo=zone)
        return aware.astimezone(UTC)


async def render(source: Path, shared: Path, thumbnail: Path) -> Rendered:
    """Write the two JPEGs that may be shared of the picture at `source`. Raises ImageRefused."""
    async with _rooms.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        return _rendered(await _drawn(source, str(source), str(shared), str(thumbnail)))


async def square(source: Path, target: Path) -> None:
    """Write the middle of a JPEG, PNG, WEBP, GIF or BMP as a JPEG of 1024 by 1024 pixels. Raises ImageRefused."""
    async with _rooms.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
        _facts(await _drawn(source, "--square", str(source), str(target)))


async def _drawn(source: Path, *arguments: str) -> bytes:
    """What the process that decodes has to say; empty where one of its limits ended it."""
    command = [sys.executable, "-I", rendering.__file__, *arguments]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
        cwd=source.parent,
    )
    assert process.stdout is not None, "a pipe"
    try:
        async with asyncio.timeout(RENDER_SECONDS):
            answer = await process.stdout.read(MAX_ANSWER_BYTES)
            await process.wait()
    except TimeoutError:
        raise ImageRefused("too_much_work") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer


def _facts(answer: bytes) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(answer)
    except ValueError:  # killed by one of its limits before it could say anything
        raise ImageRefused("too_much_work") from None
    if "refused" in facts:
        log.info("image_refused", code=facts["refused"], why=facts.get("why", ""))
        raise ImageRefused(facts["refused"])
    return facts


def _rendered(answer: bytes) -> Rendered:
    facts = _facts(answer)
    taken = datetime.fromisoformat(facts["taken"]) if facts["taken"] else None
    if taken is not None and facts["offset"]:
        taken = taken.replace(tzinfo=_zone(facts["offset"]))
    return Rendered(facts["width"], facts["height"], taken, facts["latitude"], facts["longitude"])


def _zone(offset: str) -> timezone:
    """ "+09:00" as a zone."""
    distance = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    return timezone(-distance if offset[0] == "-" else distance)
