"""A proxy between a client and a gateway that cuts connections at a byte, stalls them and refuses new ones.

It moves real bytes between real sockets; only their fate is unkind. A cut is a reset, as a phone that changes networks
leaves it: neither side gets a good-bye, and what was on its way is lost.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
_NEVER = 2**62

Direction = Literal["up", "down"]
"""From the client to the gateway, or from the gateway to the client."""


class _Connection:
    """Two sockets and what has gone through in either direction."""

    def __init__(self, client: asyncio.StreamWriter, gateway: asyncio.StreamWriter) -> None:
        self.ends = (client, gateway)
        self.passed: dict[Direction, int] = {"up": 0, "down": 0}
        self.cut_at: dict[Direction, int] = {}

    def cut(self) -> None:
        for end in self.ends:
            with suppress(OSError):
                raw = end.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class TcpProxy:
    """`url` stands for the gateway's. `connections` counts those that came through, HTTP's among them, `cuts` those
    that were cut, and `open` those that live."""

    def __init__(self, target_url: str) -> None:
        self.url = ""
        self.connections = 0
        self.cuts = 0
        self._accepting = True
        self._living: set[_Connection] = set()
        self._armed: dict[Direction, int] = {}
        self._passing: dict[Direction, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._news = asyncio.Condition()
        self._serving: set[asyncio.Task[None]] = set()
        self.lead_to(target_url)
        self.release()

    # --- what a test may do ------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection now; new ones come through."""
        for connection in list(self._living):
            self._cut(connection)

    def cut_after(self, count: int, direction: Direction) -> None:
        """Reset the first connection over which `count` more bytes have gone in this direction, after exactly those.

        It holds for those that live, counted from now, and for new ones, counted from their beginning; once.
        """
        self._armed[direction] = count
        for connection in self._living:
            connection.cut_at[direction] = connection.passed[direction] + count

    def disarm(self) -> None:
        """Take back every `cut_after`."""
        self._armed.clear()
        for connection in self._living:
            connection.cut_at.clear()

    def refuse(self) -> None:
        """Reset every connection, and every new one at once, until `accept`."""
        self._accepting = False
        self.cut()

    def accept(self) -> None:
        self._accepting = True

    def lead_to(self, target_url: str) -> None:
        """New connections go to this server: what a load balancer does when another is gone."""
        address = urlsplit(target_url)
        assert address.hostname is not None and address.port is not None, target_url
        self._target = (address.hostname, address.port)

    def stall(self, *directions: Direction) -> None:
        """Nothing passes (in these directions; in none where none is named) until `release`; nobody is told."""
        for direction in directions or ("up", "down"):
            self._passing[direction].clear()

    def release(self) -> None:
        for event in self._passing.values():
            event.set()

    async def cut_happened(self, cuts: int) -> None:
        """Wait until as many connections were cut."""
        async with self._news:
            await self._news.wait_for(lambda: self.cuts >= cuts)

    @property
    def open(self) -> int:
        return len(self._living)

    # --- moving bytes ------------------------------------------------------------------------------------------------

    def _cut(self, connection: _Connection) -> None:
        self._living.discard(connection)
        self.cuts += 1
        connection.cut()

    def welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="proxy connection")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        self.release()
        self.refuse()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepting:
            writer.transport.abort()
            return
        try:
            gateway_reader, gateway_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, gateway_writer)
        connection.cut_at |= self._armed
        self.connections += 1
        self._living.add(connection)
        pumps = {
            asyncio.create_task(self._pump(connection, reader, gateway_writer, "up"), name="proxy up"),
            asyncio.create_task(self._pump(connection, gateway_reader, writer, "down"), name="proxy down"),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            self._living.discard(connection)
            for end in connection.ends:
                end.close()  # What was written is still delivered, where nobody has cut the connection.
            async with self._news:
                self._news.notify_all()

    async def _pump(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._passing[direction].wait()
                left = connection.cut_at.get(direction, _NEVER) - connection.passed[direction]
                writer.write(data[:left])
                connection.passed[direction] += len(data[:left])
                if left <= len(data):
                    self._armed.pop(direction, None)
                    for other in self._living:
                        other.cut_at.pop(direction, None)
                    self._cut(connection)
                    return
                await writer.drain()


@asynccontextmanager
async def tcp_proxy(target_url: str) -> AsyncIterator[TcpProxy]:
    """A proxy before the server at `target_url` (http), for as long as the block runs."""
    proxy = TcpProxy(target_url)
    server = await asyncio.start_server(proxy.welcome, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
