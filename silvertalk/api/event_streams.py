"""An answer that is told as it comes: Server-Sent Events over a connection that is kept from falling silent.

Whatever is told this way is a `Source`. The answer is open until its source has no more, the client leaves, or takes
nothing any more; in between, silence is broken by comments.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from silvertalk.api.until_gone import until_gone
from silvertalk.errors import ClientTooSlow

HEARTBEAT_SECONDS = 15.0
"""Silence after which a comment is sent: proxies and carriers cut what says nothing for half a minute or a whole."""
_HEARTBEAT = ": still here\n\n"


class Source(Protocol):
    """What is told. Everything it gives is text in blocks, each ended by an empty line."""

    def opening(self) -> str:
        """What is told at once; may be empty."""

    async def next(self) -> str | None:
        """The next to tell; None when there will be no more. To cancel it loses nothing."""

    def closing(self) -> str:
        """What is told last; may be empty."""

    def leave(self) -> None:
        """Nobody asks for more."""


class EventStream(Response):
    """A source as Server-Sent Events, for as long as it lasts.

    The class names no media type: FastAPI would document the whole stream as one text.
    """

    def __init__(self, source: Source, *, send_seconds: float) -> None:
        """A client that takes nothing for `send_seconds` is cut off."""
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store, no-transform"
        self.headers["x-accel-buffering"] = "no"
        self._source = source
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await until_gone(self._tell(send), receive, name="events")
        finally:
            self._source.leave()

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._write(send, self._source.opening())
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    block = await self._source.next()
            except TimeoutError:
                await self._write(send, _HEARTBEAT)
                continue
            if block is None:
                break
            await self._write(send, block)
        await self._write(send, self._source.closing(), last=True)

    async def _write(self, send: Send, text: str, *, last: bool = False) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})
        except TimeoutError:
            raise ClientTooSlow(f"nothing taken in {self._send_seconds} s") from None
