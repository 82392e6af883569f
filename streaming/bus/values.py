"""Small values that several processes share for a while: what was revoked, what was answered, how often somebody asked.

A value lives on the server that its key hashes to, sealed like everything else, and always expires. All methods raise
BusUnavailable while that server is away: what to do without is for the caller to decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from streaming.bus import names, scripts
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server


class Values:
    """Keys are 1 to 128 letters, digits and `_ . @ : -` (ValueError otherwise)."""

    def __init__(self, server_for: Callable[[str], Server]) -> None:
        self._server_for = server_for

    async def put(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep `value` for so long, in place of what was there."""
        server, name = self._server_for(key), names.value(key)
        await server.main.ask("SET", name, server.sealer.seal(name, ANY_ID, value), "EX", ttl_seconds)

    async def put_new(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keep `value` for so long if nothing is there; whether it was kept. A lost reply may have kept it."""
        server, name = self._server_for(key), names.value(key)
        sealed = server.sealer.seal(name, ANY_ID, value)
        return await server.main.ask("SET", name, sealed, "EX", ttl_seconds, "NX") is not None

    async def get(self, key: str) -> bytes | None:
        server, name = self._server_for(key), names.value(key)
        sealed = await server.main.ask("GET", name)
        return None if sealed is None else server.sealer.unseal(name, ANY_ID, bytes(sealed))

    async def remove(self, key: str) -> None:
        await self._server_for(key).main.ask("DEL", names.value(key))

    async def take_token(self, key: str, *, size: int, per_second: float) -> int:
        """Take one token out of a bucket of `size` that fills at `per_second`: 0, or the milliseconds until there is
        one. It is measured on Redis's clock, and the bucket is forgotten once it is full."""
        interval_ms = max(1, math.ceil(1000 / per_second))
        name = names.value(key)
        return int(await self._server_for(key).main.ask("EVAL", scripts.TAKE_TOKEN, 1, name, interval_ms, size))
