"""Reading a stream of text from somebody else's server: deadlines, retries before the first piece, and letting go.

The one who reads a reply may stop at any moment, because the person spoke again; the server must then stop too, or it
goes on working (and charging) for nobody. Leaving an `async for` over an SDK's stream does not close its connection;
cancelling the task that waits for its next chunk does. So a task of its own always stands at the socket, hands over
what comes, and is cancelled when the reader leaves, for whatever reason.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from gpu_node.errors import LlmError, LlmInterrupted, LlmMisconfigured, LlmRateLimited, LlmUnavailable

BACKLOG = 2048
"""Pieces read but not yet taken. A reply has a few hundred at most, so its reader may pause as long as it likes; a
server that sends more is broken, and its stream is broken off."""

RETRY_SECONDS = 1.5
"""No new attempt is begun later than this after the first: about as long as a listener takes silence for thought. After
that the next engine of the chain is the better answer."""
FIRST_RETRY_SECONDS = 0.1
LETTING_GO_SECONDS = 1.0
"""Closing a connection takes a loop tick or two; a transport that takes longer is left to finish on its own."""

Source = Callable[[], AsyncIterator[str]]
"""Opens the stream anew and yields its text; raises LlmError subclasses, `before_first_token` as it pleases."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a server may think. `first_seconds` covers all attempts together, up to the first piece of text."""

    first_seconds: float = 3.0
    next_seconds: float = 5.0


async def read(source: Source, deadlines: Deadlines, *, name: str) -> AsyncGenerator[str, None]:
    """The stream's text, tried again only before its first piece.

    Raises LlmError subclasses. After the first piece all of them say `before_first_token=False`, and those that speak
    of the server's state have become LlmInterrupted.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    pause = FIRST_RETRY_SECONDS
    while True:
        started = False
        try:
            remaining = began + deadlines.first_seconds - loop.time()
            async with aclosing(_attempt(source, remaining, deadlines.next_seconds, name)) as pieces:
                async for piece in pieces:
                    started = True
                    yield piece
            return
        except LlmError as error:
            if started:
                error.before_first_token = False
                if isinstance(error, LlmRateLimited | LlmUnavailable | LlmMisconfigured):
                    raise LlmInterrupted(str(error)) from error
                raise
            wait = _pause_before_retry(error, pause)
            if wait is None or loop.time() + wait > began + min(RETRY_SECONDS, deadlines.first_seconds):
                raise
        await asyncio.sleep(wait)
        pause *= 2


def _pause_before_retry(error: LlmError, pause: float) -> float | None:
    """Seconds to wait before the same server is asked again; None where asking again is pointless.

    Of a quota that is used up, only the server knows when it is not; without its word another request only adds to it.
    """
    if isinstance(error, LlmRateLimited) and error.retry_after_seconds is not None:
        return max(error.retry_after_seconds, FIRST_RETRY_SECONDS)
    return pause if isinstance(error, LlmUnavailable) else None


async def _attempt(source: Source, first_seconds: float, next_seconds: float, name: str) -> AsyncGenerator[str, None]:
    """One connection. Its reading task is cancelled, which closes the connection, however this generator is left."""
    pieces: deque[str] = deque()
    arrived = asyncio.Event()

    async def stand_at_the_socket() -> None:
        # Nothing may leave this loop but the end of the stream and an exception out of it: a `break` would leave the
        # SDK's generator, and with it the connection, to the garbage collector.
        async for piece in source():
            if len(pieces) >= BACKLOG:
                reader.cancel()
            elif piece:
                pieces.append(piece)
                arrived.set()

    reader = asyncio.create_task(stand_at_the_socket(), name=f"{name} stream")
    reader.add_done_callback(lambda _: arrived.set())
    allowed, waited_for = first_seconds, "first"
    try:
        while True:
            while pieces:
                yield pieces.popleft()
                allowed, waited_for = next_seconds, "next"
            if reader.done():
                break
            arrived.clear()
            try:
                async with asyncio.timeout(allowed):
                    await arrived.wait()
            except TimeoutError:
                raise LlmUnavailable(f"{name} sent no {waited_for} token for {allowed:.1f} s") from None
        if reader.cancelled():
            raise LlmUnavailable(f"{name} sent more than {BACKLOG} pieces unread")
        reader.result()
    finally:
        reader.cancel()
        await asyncio.wait({reader}, timeout=LETTING_GO_SECONDS)
        if reader.done() and not reader.cancelled():
            reader.exception()  # seen: what it raised after nobody listened any more is nobody's concern
