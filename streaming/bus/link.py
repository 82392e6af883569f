"""One connection to Redis, shared by everything in the process that writes or asks.

Commands of all callers go out together, in the order in which they were marked, and replies come back in that order:
one round trip carries whatever was wanted in the meantime. Nobody holds the connection, so cancelling a caller never
touches it; the reply comes back all the same and is handed to its source. Nothing is ever sent twice from here: when
the connection goes, every source whose replies are outstanding is told so, and knows best what to do.

redis-py gives the connection, its TLS and its login, without its retries (a retried XADD writes twice) and without its
socket timeout (it would cut a blocking read); the overdue reply is watched for here instead.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from streaming.bus.faults import checked
from streaming.bus.limits import Limits
from streaming.errors import BusError, BusUnavailable
from streaming.logs import logger

log = logger("bus.link")

Command = tuple[str | bytes | int, ...]
Reply = Any
"""bytes, int, None, a list of these, or a RedisError."""


class Source(Protocol):
    """Something with commands to send."""

    def pull(self) -> Sequence[Command]:
        """What should go out now; called at the moment of sending. Empty for nothing."""

    def replied(self, replies: Sequence[Reply]) -> None:
        """One reply for each command pulled."""

    def broke(self) -> None:
        """The connection went before all replies came: Redis may have done any number of the commands."""

    def closed(self, reason: BusError) -> None:
        """There will be no connection any more."""


class Call:
    """A source that asks once. Cancelled before it is sent, it is never sent."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self._commands = commands
        self._pulled = False
        self.replies: asyncio.Future[Sequence[Reply]] = asyncio.get_running_loop().create_future()

    def pull(self) -> Sequence[Command]:
        if self.replies.done():
            return ()
        self._pulled = True
        return self._commands

    def replied(self, replies: Sequence[Reply]) -> None:
        if not self.replies.done():
            self.replies.set_result(replies)

    def broke(self) -> None:
        if not self.replies.done():
            self.replies.set_exception(BusUnavailable("the connection to Redis was lost before the reply"))

    def closed(self, reason: BusError) -> None:
        if not self.replies.done():
            self.replies.set_exception(reason)

    def expire(self, trouble: str) -> None:
        """Stop waiting for a connection; what was sent is waited for."""
        if not self._pulled and not self.replies.done():
            self.replies.set_exception(BusUnavailable(f"Redis cannot be reached: {trouble}"))


class _Sent:
    __slots__ = ("deadline", "expected", "replies", "source")

    def __init__(self, source: Source, expected: int, deadline: float) -> None:
        self.source = source
        self.expected = expected
        self.deadline = deadline
        self.replies: list[Reply] = []


class Link:
    """A connection that is kept up for ever by `run`, with jittered back-off between attempts.

    `dial` makes an unconnected connection; `greet` may examine the server before work begins and raises BusError to
    refuse it. `reply_seconds` bounds every reply: a link for blocking reads is given more than they block.
    """

    def __init__(
        self,
        dial: Callable[[], AbstractConnection],
        *,
        name: str,
        limits: Limits,
        reply_seconds: float,
        greet: Callable[[AbstractConnection], Awaitable[None]] | None = None,
    ) -> None:
        self._dial = dial
        self._name = name
        self._limits = limits
        self._reply_seconds = reply_seconds
        self._greet = greet
        self._waiting: dict[Source, None] = {}
        # Bounded by the sources: each has at most one batch outstanding.
        self._in_flight: deque[_Sent] = deque()
        self._work = asyncio.Event()
        self._watch: asyncio.TimerHandle | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._closed: BusUnavailable | None = None
        self.up = asyncio.Event()
        self.tried = asyncio.Event()
        self.trouble = "not connected yet"
        self.refusal: BusError | None = None
        self.connections = 0
        """How often it was connected: a reader that sees the number change has missed a connection's end."""

    # --- for callers -------------------------------------------------------------------------------------------------

    def mark(self, source: Source) -> None:
        """`source` has something to send: it is pulled with the next batch, once there is a connection."""
        if self._closed is not None:
            source.closed(self._closed)
            return
        self._waiting[source] = None
        self._work.set()

    def unmark(self, source: Source) -> None:
        self._waiting.pop(source, None)

    async def call(self, *commands: Command, patience: float | None = None) -> Sequence[Reply]:
        """The replies to `commands`, errors among them as values.

        Raises BusUnavailable where there is no connection for `patience` seconds or it is lost before the reply (then
        it is unknown whether Redis did the work), and the refusal where the server was found unfit.
        """
        if self.refusal is not None:
            raise self.refusal
        call = Call(commands)
        self.mark(call)
        seconds = self._limits.patience_seconds if patience is None else patience
        timer = asyncio.get_running_loop().call_later(seconds, lambda: call.expire(self.trouble))
        try:
            return await call.replies
        finally:
            timer.cancel()
            self.unmark(call)

    async def ask(self, *command: str | bytes | int, patience: float | None = None) -> Reply:
        """The reply to one command; an error reply is raised as ours."""
        return checked((await self.call(command, patience=patience))[0])

    # --- the connection ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        delay = self._limits.backoff_min_seconds
        quiet = False
        while True:
            connection = self._dial()
            try:
                async with asyncio.timeout(self._limits.connect_seconds):
                    await connection.connect()  # type: ignore[no-untyped-call]
                    if self._greet is not None:
                        await self._greet(connection)
                if quiet:
                    log.warning("redis_back", name=self._name)
                quiet = False
                delay = self._limits.backoff_min_seconds
                self.refusal = None
                await self._serve(connection)
            except BusError as error:
                self.refusal = None if isinstance(error, BusUnavailable) else error
                self.trouble = str(error)
            except (RedisError, OSError, TimeoutError) as error:
                self.trouble = str(error) or type(error).__name__
            finally:
                self.up.clear()
                self.tried.set()
                await connection.disconnect(nowait=True)
                self._break()
            if not quiet:
                log.warning("redis_lost", name=self._name, reason=self.trouble)
            quiet = True
            await asyncio.sleep(random.uniform(delay / 2, delay))
            delay = min(delay * 2, self._limits.backoff_max_seconds)

    def close(self) -> None:
        """Nothing is sent any more; whoever waits is told. `run` is cancelled by its owner."""
        self._closed = BusUnavailable("the bus is closed")
        waiting, self._waiting = self._waiting, {}
        for source in waiting:
            source.closed(self._closed)

    async def _serve(self, connection: AbstractConnection) -> None:
        self.connections += 1
        self.trouble = ""
        self.up.set()
        self.tried.set()
        if self._waiting:
            self._work.set()
        sending = asyncio.create_task(self._send(connection), name=f"{self._name} sending")
        receiving = self._receiving = asyncio.create_task(self._receive(connection), name=f"{self._name} receiving")
        both = {sending, receiving}
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None
        if receiving.cancelled() and not (sending.done() and not sending.cancelled()):
            raise BusUnavailable(f"no reply within {self._reply_seconds:g} s")
        for task in ended:
            if not task.cancelled():
                await task

    async def _send(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            self._work.clear()
            marked, self._waiting = self._waiting, {}
            deadline = loop.time() + self._reply_seconds
            packed: list[bytes] = []
            for source in marked:
                commands = source.pull()
                if commands:
                    self._in_flight.append(_Sent(source, len(commands), deadline))
                    packed.extend(pack_command(command) for command in commands)  # type: ignore[arg-type]
            if packed:
                if self._watch is None:
                    self._watch = loop.call_at(deadline, self._look_for_overdue)
                await connection.send_packed_command(b"".join(packed), check_health=False)

    async def _receive(self, connection: AbstractConnection) -> None:
        while True:
            try:
                reply = await connection.read_response(disconnect_on_error=False)
            except ResponseError as error:
                reply = error
            if not self._in_flight:
                raise OSError("Redis sent a reply that nobody had asked for")
            sent = self._in_flight[0]
            sent.replies.append(reply)
            if len(sent.replies) == sent.expected:
                self._in_flight.popleft()
                sent.source.replied(sent.replies)

    def _look_for_overdue(self) -> None:
        """Timer: armed for the oldest outstanding reply, so a busy link pays for it once every few seconds."""
        self._watch = None
        if not self._in_flight or self._receiving is None:
            return
        loop = asyncio.get_running_loop()
        deadline = self._in_flight[0].deadline
        if deadline <= loop.time():
            self._receiving.cancel()
        else:
            self._watch = loop.call_at(deadline, self._look_for_overdue)

    def _break(self) -> None:
        lost, self._in_flight = self._in_flight, deque()
        for sent in lost:
            sent.source.broke()
