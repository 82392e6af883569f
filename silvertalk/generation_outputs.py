"""What Replicate has made, brought into our own store before it vanishes there: after an hour it is gone.

It is fetched from the hosts that the settings name and from nowhere else, up to a size, into a scratch folder. What it
is, its own bytes say. A picture is drawn anew by a process that has nothing to lose, as strangers' pictures are; a film
is walked through, box by box, and not decoded.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from pathlib import Path

from silvertalk.errors import MediaTooLarge, PictureRefused
from silvertalk.generation_records import Generation, output_prefix
from silvertalk.media.images import SHARED_TYPE, ImageRefused, render, square
from silvertalk.media.mp4 import MP4_TYPE, is_mp4
from silvertalk.media.store import MediaStore
from silvertalk.scratch import scratch_folder
from silvertalk.services.replicate import OutputRefused, Replicate
from streaming.logs import logger

log = logger("generations")

MAX_PICTURE_BYTES = 24 * 1024 * 1024
MAX_FILM_BYTES = 128 * 1024 * 1024
MAX_SENT_BYTES = 20 * 1024 * 1024
"""Of a picture that somebody sends to have a film made of it."""
_DATA_URL = re.compile(r"data:image/(jpeg|png|webp|gif|bmp);base64,", re.ASCII)


class GenerationOutputs:
    """Brings in what was made, and prepares what it is made of."""

    def __init__(self, media: MediaStore, replicate: Replicate, scratch: Path) -> None:
        self._media = media
        self._replicate = replicate
        self._scratch = scratch

    async def bring_in(self, generation: Generation, urls: tuple[str, ...]) -> tuple[str, ...]:
        """The keys under which all of it now lies in our store. Raises OutputRefused, ReplicateAway, MediaAway."""
        if generation.making == "video":
            return (await self._film(generation, urls[0]),)
        return tuple([await self._picture(generation, url, number) for number, url in enumerate(urls)])

    async def _picture(self, generation: Generation, url: str, number: int) -> str:
        async with scratch_folder(self._scratch, "generated") as folder:
            fetched, shared = folder / "fetched", folder / "shared"
            await self._replicate.fetch(url, fetched, MAX_PICTURE_BYTES)
            try:
                await render(fetched, shared, folder / "thumbnail")
            except ImageRefused as error:
                log.warning("output_refused", code=error.code)
                raise OutputRefused("output_broken") from None
            key = f"{output_prefix(generation.user, generation.id)}{number}.jpg"
            await self._media.put(key, shared, SHARED_TYPE)
        return key

    async def _film(self, generation: Generation, url: str) -> str:
        async with scratch_folder(self._scratch, "generated") as folder:
            fetched = folder / "fetched"
            await self._replicate.fetch(url, fetched, MAX_FILM_BYTES)
            if not await asyncio.to_thread(is_mp4, fetched):
                raise OutputRefused("output_broken")
            key = f"{output_prefix(generation.user, generation.id)}film.mp4"
            await self._media.put(key, fetched, MP4_TYPE)
        return key

    async def squared(self, data: bytes) -> bytes:
        """A picture that somebody sent, as models take it: its middle, 1024 by 1024, a JPEG. Raises PictureRefused,
        MediaTooLarge."""
        if len(data) > MAX_SENT_BYTES:
            raise MediaTooLarge
        async with scratch_folder(self._scratch, "generate") as folder:
            source, target = folder / "source", folder / "target"
            await asyncio.to_thread(source.write_bytes, data)
            try:
                await square(source, target)
            except ImageRefused as error:
                raise PictureRefused(error.code) from None
            return await asyncio.to_thread(target.read_bytes)

    async def keep_source(self, generation: Generation, jpeg: bytes) -> str:
        """Store what a film is to be made of; its key. Raises MediaAway."""
        key = f"{output_prefix(generation.user, generation.id)}source.jpg"
        await self._media.put(key, jpeg, SHARED_TYPE)
        return key

    async def drop(self, generation: Generation) -> None:
        """Everything that lies there for it. Raises MediaAway."""
        await self._media.delete_below(output_prefix(generation.user, generation.id))


def picture_in(url: str) -> bytes | None:
    """The bytes of a `data:` address of a picture; None for any other. Raises PictureRefused where it is broken."""
    begun = _DATA_URL.match(url)
    if begun is None:
        return None
    try:
        return base64.b64decode(url[begun.end() :], validate=True)
    except binascii.Error:
        raise PictureRefused from None
