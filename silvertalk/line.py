"""One open connection to a gateway, and whether it lives."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import cast

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from silvertalk.login import Disconnected
from streaming.protocol import ClientMessage, Ready, Resync, encode_client

PING_SECONDS = 2.0
DEAD_SECONDS = 8.0
"""A connection on which nothing came for so long, pongs included, is given up: while the microphone that could not be
sent still fits into the ten seconds kept. websockets' own keepalive waits without a limit for room in the write buffer,
which is just what a dead connection does not give."""


class Line:
    """A socket on which `ready` has come; `resync` where the session to be resumed was not known."""

    def __init__(self, socket: ClientConnection, ready: Ready, resync: Resync | None = None) -> None:
        self.ready = ready
        self.resync = resync
        self._socket = socket
        self._clock = asyncio.get_running_loop().time
        self._heard_at = self._clock()

    async def receive(self) -> str | bytes:
        """The next message; raises Disconnected."""
        try:
            message = await self._socket.recv()
        except ConnectionClosed as closed:
            raise disconnected(closed) from closed
        self._hear()
        return message

    async def send(self, message: bytes | ClientMessage) -> None:
        """Audio or a control message; waits while the network takes nothing. Raises Disconnected."""
        try:
            await self._socket.send(message if isinstance(message, bytes) else encode_client(message))
        except ConnectionClosed as closed:
            raise disconnected(closed) from closed

    async def watch(self) -> None:
        """Ping until the other side is dead, then end the connection, which whoever receives is told."""
        while (now := self._clock()) - self._heard_at < DEAD_SECONDS:
            with suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout_at(now + PING_SECONDS):
                    # websockets makes a future of it, and says only that it can be awaited.
                    pong = cast("asyncio.Future[float]", await self._socket.ping())
                    pong.add_done_callback(self._take_pong)
            await asyncio.sleep(now + PING_SECONDS - self._clock())
        self._socket.transport.abort()

    async def close(self) -> None:
        """A closing handshake, as far as the other side takes part in it; nothing is left of the connection then."""
        try:
            await self._socket.close()
        finally:
            await hang_up(self._socket)

    def _hear(self) -> None:
        self._heard_at = self._clock()

    def _take_pong(self, pong: asyncio.Future[float]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self._hear()


async def hang_up(socket: ClientConnection) -> None:
    """End a connection without a closing handshake; when this returns nothing of it is left."""
    socket.transport.abort()
    await socket.wait_closed()


def disconnected(closed: ConnectionClosed) -> Disconnected:
    """Our error for websockets'."""
    return Disconnected(closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else Disconnected(1006, "")
