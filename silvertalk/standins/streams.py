"""What the stand-ins of streaming services share: a body sent at a stated pace, and a record of who hung up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import Receive, Scope, Send

Outcome = Literal["running", "finished", "cut", "disconnected"]


@dataclass
class Exchange:
    """One request and what became of its answer; the times are `time.monotonic()`."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    outcome: Outcome = "running"
    began_at: float = field(default_factory=time.monotonic)
    ended_at: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.ended_at = time.monotonic()
        self.ended.set()


class PacedBody:
    """An ASGI response whose body comes from an async iterator, each item written to the socket on its own.

    `cut`: the connection is dropped where the iterator ends, without the end of the body.
    """

    def __init__(self, body: AsyncIterator[bytes], exchange: Exchange, *, cut: bool, content_type: bytes) -> None:
        self._body = body
        self._exchange = exchange
        self._cut = cut
        self._content_type = content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(send), name="stand-in answer")
        leaving = asyncio.create_task(_disconnected(receive), name="stand-in hang-up")
        await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not writing.done():
            self._exchange.end("disconnected")
        for task in (writing, leaving):
            task.cancel()
        await asyncio.wait({writing, leaving})
        if not writing.cancelled():
            writing.result()

    async def _write(self, send: Send) -> None:
        headers = [(b"content-type", self._content_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in self._body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        if self._cut:
            # The application returns here without an end of the body: uvicorn closes the socket under the client.
            self._exchange.end("cut")
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        self._exchange.end("finished")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def split(frame: bytes, size: int) -> AsyncIterator[bytes]:
    """The frame in writes of `size` bytes, each in a TCP segment of its own; whole where `size` is 0."""
    if not size:
        yield frame
        return
    for start in range(0, len(frame), size):
        yield frame[start : start + size]
        await asyncio.sleep(0.001)  # long enough for the segment to leave: localhost delivers at once
