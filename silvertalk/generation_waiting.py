"""Waiting for a generation, for a client that asks once and holds the line: until a notice says that it is finished, or
the client's time is over. It follows the person's own notices; nothing is asked again and again."""

from __future__ import annotations

import asyncio

from silvertalk.generation_records import FINISHED, Generation
from silvertalk.generations import Generations
from silvertalk.notice_feeds import Feeds

MAX_WAITING = 200
"""In one process, each a connection held open. Whoever comes then is answered at once."""
MAX_WAIT_SECONDS = 60


class GenerationWaits:
    """Who waits in this process."""

    def __init__(self, generations: Generations, feeds: Feeds) -> None:
        self._generations = generations
        self._feeds = feeds
        self._waiting = 0

    async def until_finished(self, generation: Generation, seconds: int) -> Generation:
        """The generation once it is finished, or as it is after so long. Raises NotFound where it is deleted meanwhile,
        BusError."""
        if generation.finished or not seconds or self._waiting >= MAX_WAITING:
            return generation
        self._waiting += 1
        try:
            async with await self._feeds.open(generation.user, counted=False) as feed, asyncio.timeout(seconds):
                # Looked at after the feed stands: whatever comes later is told.
                now = await self._generations.of(generation.user, generation.id)
                while not now.finished:
                    item = await feed.next()
                    if item is None:
                        return now
                    mine = item.data.get("generation_id") == generation.id and item.data.get("status") in FINISHED
                    if item.kind == "resync" or (item.kind == "generation" and mine):
                        now = await self._generations.of(generation.user, generation.id)
                return now
        except TimeoutError:
            return await self._generations.of(generation.user, generation.id)
        finally:
            self._waiting -= 1
