"""A proxy between a client and Redis that loses replies, delays them, cuts connections and refuses new ones.

It sits on a unix socket before the real server's, and moves real bytes between real sockets; only its timing is unkind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Literal

_CHUNK = 64 * 1024

Fate = Literal["pass", "hold", "drop"]
"""What happens to bytes: they pass, they wait until they may pass, or they vanish."""


class RedisProxy:
    """Says of either direction what happens to its bytes from now on; `accepting` is whether new connections come
    through. `connections` counts those that did, `open` those that live."""

    def __init__(self, path: Path, target: str) -> None:
        self.url = f"unix://{path}"
        self.connections = 0
        self.accepting = True
        self._path = path
        self._target = target
        self._fates: dict[str, Fate] = {"requests": "pass", "replies": "pass"}
        self._passing = {"requests": asyncio.Event(), "replies": asyncio.Event()}
        self._drop_after: dict[str, bytes] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        for event in self._passing.values():
            event.set()

    # --- what a test may do ------------------------------------------------------------------------------------------

    def set_replies(self, fate: Fate) -> None:
        self._set("replies", fate)

    def set_requests(self, fate: Fate) -> None:
        self._set("requests", fate)

    def lose_replies_after(self, marker: bytes) -> None:
        """As soon as a request that contains `marker` has gone to Redis, no reply comes back any more."""
        self._drop_after["requests"] = marker

    def cut(self) -> None:
        """Reset every connection at once, and let new ones be as good as new."""
        self._drop_after.clear()
        self.set_replies("pass")
        self.set_requests("pass")
        for writer in list(self._writers):
            writer.transport.abort()

    @property
    def open(self) -> int:
        return len(self._writers) // 2

    @property
    def losing(self) -> bool:
        """A marked request has gone through, and replies are being lost."""
        return self._fates["replies"] == "drop"

    # --- moving bytes ------------------------------------------------------------------------------------------------

    def _set(self, direction: str, fate: Fate) -> None:
        self._fates[direction] = fate
        if fate == "hold":
            self._passing[direction].clear()
        else:
            self._passing[direction].set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="proxy connection")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        self.cut()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.accepting:
            writer.transport.abort()
            return
        try:
            to_redis = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        self._writers |= {writer, to_redis[1]}
        pumps = {
            asyncio.create_task(self._pump(reader, to_redis[1], "requests"), name="proxy requests"),
            asyncio.create_task(self._pump(to_redis[0], writer, "replies"), name="proxy replies"),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            self._writers -= {writer, to_redis[1]}
            for each in (writer, to_redis[1]):
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._passing[direction].wait()
                if self._fates[direction] == "drop":
                    continue
                writer.write(data)
                await writer.drain()
                marker = self._drop_after.get(direction)
                if marker is not None and marker in data:
                    self._set("replies", "drop")


@asynccontextmanager
async def redis_proxy(target: str, path: Path) -> AsyncIterator[RedisProxy]:
    """A proxy on the unix socket `path` before the one at `target`, for as long as the block runs."""
    proxy = RedisProxy(path, target)
    server = await asyncio.start_unix_server(proxy.accept, path)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
