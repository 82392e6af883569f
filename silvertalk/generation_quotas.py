"""How much may be made: for each person by kind, and for all together, since every generation costs money.

Counted in Redis, for all gateways and workers. A day begins with the first that is made in it, by Redis's own clock.
What came to nothing before anything was begun is given back.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from silvertalk.errors import QuotaReached
from silvertalk.generation_records import DAY_SECONDS, ROOT, GenerationRecords, Kind
from silvertalk.settings import Settings
from streaming.bus import Bus
from streaming.errors import BusError

EVERYBODY = f"{ROOT}all"


class GenerationQuotas:
    def __init__(self, bus: Bus, records: GenerationRecords, settings: Settings) -> None:
        self._values = bus.values
        self._records = records
        self._all = settings.generations_per_day
        self._each = {"image": settings.images_per_day, "film": settings.films_per_day, "clip": settings.clips_per_day}

    @asynccontextmanager
    async def counted(self, user: str, kind: Kind, pictures: int) -> AsyncIterator[None]:
        """Count one generation, of so many `pictures`, and take it back where beginning it fails. Raises QuotaReached,
        BusUnavailable."""
        async with self._taken(EVERYBODY, pictures + (kind in ("video", "full", "clip")), self._all):
            if kind == "clip":
                async with self._taken(f"{self._records.prefix(user)}clip", 1, self._each["clip"]):
                    yield
                return
            films = int(kind in ("video", "full"))
            async with (
                self._taken(f"{self._records.prefix(user)}image", pictures, self._each["image"]),
                self._taken(f"{self._records.prefix(user)}film", films, self._each["film"]),
            ):
                yield

    @asynccontextmanager
    async def _taken(self, name: str, many: int, limit: int) -> AsyncIterator[None]:
        if many and (wait_ms := await self._values.count(name, many, limit=limit, ttl_seconds=DAY_SECONDS)):
            raise QuotaReached(retry_after_seconds=math.ceil(wait_ms / 1000))
        try:
            yield
        except BaseException:
            with suppress(BusError):  # one less to be made today
                await self._values.uncount(name, many)
            raise
