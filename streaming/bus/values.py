"""Small values that several processes share for a while: what was revoked, what was answered, how often somebody asked.

A value lives on the server that its key hashes to, sealed like everything else, and always expires. All methods raise
BusUnavailable while that server is away: what to do without is for the caller to decide.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

from streaming.bus import names, scripts
from streaming.bus.faults import checked
from streaming.bus.link import Command
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server
from streaming.errors import BusError, BusUnavailable


class Values:
    """Keys are 1 to 128 letters, digits and `_ . @ : -` (ValueError otherwise).

    A mark stands on each server by itself and says of what lies there: this server was told everything. One that lost
    its memory has lost its mark, too, whatever the others have. Its name holds the list of servers: where that changes,
    the keys have moved, and the mark says nothing any more.
    """

    def __init__(self, server_for: Callable[[str], Server], servers: Sequence[Server]) -> None:
        self._server_for = server_for
        self._servers = servers
        listed = "\n".join(sorted(server.name for server in servers))
        self._spread = blake2b(listed.encode(), digest_size=8).hexdigest()

    async def put(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep `value` for so long, in place of what was there."""
        server, name = self._server_for(key), names.value(key)
        await server.main.ask("SET", name, server.sealer.seal(name, ANY_ID, value), "EX", ttl_seconds)

    async def put_new(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keep `value` for so long if nothing is there; whether it was kept. A lost reply may have kept it."""
        server, name = self._server_for(key), names.value(key)
        sealed = server.sealer.seal(name, ANY_ID, value)
        return await server.main.ask("SET", name, sealed, "EX", ttl_seconds, "NX") is not None

    async def put_known(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """Keep `value` for so long in place of what is there, if anything is; whether it was kept."""
        server, name = self._server_for(key), names.value(key)
        sealed = server.sealer.seal(name, ANY_ID, value)
        return await server.main.ask("SET", name, sealed, "EX", ttl_seconds, "XX") is not None

    async def get(self, key: str) -> bytes | None:
        server, name = self._server_for(key), names.value(key)
        sealed = await server.main.ask("GET", name)
        return None if sealed is None else server.sealer.unseal(name, ANY_ID, bytes(sealed))

    async def get_marked(self, key: str, mark: str) -> tuple[bytes | None, bool]:
        """The value, and whether `mark` stands on its server; one round trip."""
        server, name, mark_name = self._server_for(key), names.value(key), self._mark_name(mark)
        sealed, marked = map(checked, await server.main.call(("GET", name), ("GET", mark_name)))
        if marked is not None:
            server.sealer.unseal(mark_name, ANY_ID, bytes(marked))  # nobody else can say so
        return None if sealed is None else server.sealer.unseal(name, ANY_ID, bytes(sealed)), marked is not None

    async def refill(self, kept: Mapping[str, bytes], ttl_seconds: int, mark: str, mark_seconds: int) -> None:
        """Tell all of `kept` to the servers on which `mark` does not stand, each its share, and leave the mark there.

        What is there already stays as it is. A server is told `limits.refill_batch` values in a round trip, with
        `limits.refill_pause_seconds` in between, so that whoever talks meanwhile does not notice. One that is away does
        not keep the others waiting; its BusError is raised at the end.
        """
        shares: dict[str, list[str]] = {server.name: [] for server in self._servers}
        for key in kept:
            shares[self._server_for(key).name].append(key)
        away: BusError | None = None
        for server in self._servers:
            share = {key: kept[key] for key in shares[server.name]}
            try:
                await self._refill_one(server, share, ttl_seconds, self._mark_name(mark), mark_seconds)
            except BusError as error:
                away = error
        if away is not None:
            raise away

    async def _refill_one(
        self, server: Server, share: Mapping[str, bytes], ttl_seconds: int, mark_name: str, mark_seconds: int
    ) -> None:
        if await server.main.ask("GET", mark_name) is not None:
            return
        connections = server.main.connections
        keys = list(share)
        for first in range(0, len(keys), server.limits.refill_batch):
            commands: list[Command] = []
            for key in keys[first : first + server.limits.refill_batch]:
                name = names.value(key)
                sealed = server.sealer.seal(name, ANY_ID, share[key])
                commands.append(("SET", name, sealed, "EX", ttl_seconds, "NX"))
            for reply in await server.main.call(*commands):
                checked(reply)
            await asyncio.sleep(server.limits.refill_pause_seconds)
        if server.main.connections != connections:
            raise BusUnavailable("the server was lost meanwhile, and perhaps its memory")
        await server.main.ask("SET", mark_name, server.sealer.seal(mark_name, ANY_ID, b"1"), "EX", mark_seconds)

    def _mark_name(self, mark: str) -> str:
        return names.value(f"{mark}:{self._spread}")

    async def change(self, key: str, change: Callable[[bytes], bytes | None], ttl_seconds: int) -> bytes | None:
        """Put what `change` makes of the value in its place, with nothing written in between. None, and nothing is
        changed, where nothing is there or `change` says None. `change` may be asked again of what others have written.
        """
        server, name = self._server_for(key), names.value(key)
        while True:
            sealed = await server.main.ask("GET", name)
            changed = None if sealed is None else change(server.sealer.unseal(name, ANY_ID, bytes(sealed)))
            if sealed is None or changed is None:
                return None
            new = server.sealer.seal(name, ANY_ID, changed)
            if await server.main.ask("EVAL", scripts.REPLACE, 1, name, bytes(sealed), new, ttl_seconds):
                return changed

    async def count(self, key: str, many: int, *, limit: int, ttl_seconds: int) -> int:
        """Count so many more, if they stay within `limit`: 0, or the milliseconds until there is room. All are
        forgotten `ttl_seconds` after the first, by Redis's clock."""
        name = names.value(key)
        return int(
            await self._server_for(key).main.ask("EVAL", scripts.COUNT, 1, name, many, limit, ttl_seconds * 1000)
        )

    async def uncount(self, key: str, many: int) -> None:
        """So many of what was counted did not happen."""
        await self._server_for(key).main.ask("EVAL", scripts.UNCOUNT, 1, names.value(key), many)

    async def remove(self, key: str) -> None:
        await self._server_for(key).main.ask("DEL", names.value(key))

    async def take_token(self, key: str, *, size: int, per_second: float) -> int:
        """Take one token out of a bucket of `size` that fills at `per_second`: 0, or the milliseconds until there is
        one. It is measured on Redis's clock, and the bucket is forgotten once it is full."""
        interval_ms = max(1, math.ceil(1000 / per_second))
        name = names.value(key)
        return int(await self._server_for(key).main.ask("EVAL", scripts.TAKE_TOKEN, 1, name, interval_ms, size))
