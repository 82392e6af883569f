"""The single writer of one fenced stream.

Ids are `term-sequence`, both chosen here: the term is the owner's epoch (up, journal) or the lease's number (down), the
sequence counts. Redis refuses an id that is not above the stream's last, which makes Redis itself the fence: once a
holder with a higher term has written, nothing of an older one gets in. A refusal, or a reply that was lost with its
connection, leads to one question: what stands at the top of the stream? Our own mark at our own term says that the
write had arrived and up to where; anything else at or above it says that another holds the stream. What had not
arrived is sent again under the same ids, so a message is never in the stream twice.

A writer has at most one batch under way. A batch of several entries is one MULTI: it enters whole or, when memory is
short, not at all, because an entry that was refused while the next got in could never be written any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError, ResponseError

from streaming.bus import entries
from streaming.bus.faults import fault, is_too_low
from streaming.bus.limits import Limits
from streaming.bus.link import Command, Link, Reply
from streaming.bus.seal import Sealer
from streaming.errors import BusError, BusFull, BusUnavailable, Fenced, StreamGone
from streaming.messages import Message, encode

MAX_SEQUENCE = 2**63 - 1

OnLost = Callable[[BusError], None]


class _Entry:
    __slots__ = ("data", "sequence", "written")

    def __init__(self, sequence: int, data: bytes, written: asyncio.Future[None] | None) -> None:
        self.sequence = sequence
        self.data = data
        self.written = written


class StreamWriter:
    """Writes `key` in order, as the holder of `term`, and never creates it.

    `mark` tells this writer's entries from everybody else's. `last_sequence` is the sequence of the last message taken
    (written or not); `on_lost` hears, once, why the writer can write no more, and each time messages given to
    `append_soon` had to be dropped because Redis was full.
    """

    def __init__(
        self,
        link: Link,
        key: str,
        term: int,
        *,
        sealer: Sealer,
        limits: Limits,
        ttl_ms: int,
        mark: str | None = None,
        last_sequence: int = 0,
        on_lost: OnLost | None = None,
    ) -> None:
        self.key = key
        self.term = term
        self.mark = mark or entries.new_mark()
        self.last_sequence = last_sequence
        self.on_lost = on_lost
        self._link = link
        self._sealer = sealer
        self._limits = limits
        self._ttl_ms = ttl_ms
        self._loop = asyncio.get_running_loop()
        self._renew_at = self._loop.time() + ttl_ms / 4000
        # Bounded by limits.max_pending_*; at the bound an append raises BusFull.
        self._pending: deque[_Entry] = deque()
        self._pending_bytes = 0
        self._taken_entries = 0
        self._taken_bytes = 0
        self._batch = 0
        """How many of `_pending` are under way; 0 when none are."""
        self._asking = False
        """The question for the top of the stream is under way."""
        self._doubtful = False
        """Redis refused an id: what stands at the top of the stream must be asked before anything is sent."""
        self._confirmed = last_sequence
        """Redis has had everything up to here; 0 as long as nothing of ours is there."""
        self._connections = link.connections
        self._refusals = 0
        self._drained: list[asyncio.Future[None]] = []
        self._failure: BusError | None = None
        self._dead: BusError | None = None
        self._resting = False
        """Redis refused for now; a timer tries again."""
        self._give_up: asyncio.TimerHandle | None = None
        self._progress_at = self._loop.time()

    # --- for the holder ----------------------------------------------------------------------------------------------

    async def append(self, message: Message, *, sequence: int | None = None) -> str:
        """Write `message` after everything taken so far; returns its entry id once Redis has it.

        `sequence` may be given where the caller numbers its messages; it must be above `last_sequence`. Cancelling
        stops the waiting, not the writing. Raises Fenced, StreamGone, BusFull (it was not written), BusUnavailable
        (Redis was away too long; whether it was written is unknown), MessageError for a message that is too large.
        """
        self._raise_failure()
        written = self._loop.create_future()
        entry = self._take(message, sequence, written)
        await written
        return f"{self.term}-{entry.sequence}"

    def append_soon(self, message: Message) -> None:
        """Write `message` after everything taken so far, without waiting.

        Raises what an earlier one failed with, and BusFull at the bound. Its own failure is given to `on_lost` and
        raised by the next append or flush.
        """
        self._raise_failure()
        self._take(message, None, None)

    async def flush(self) -> None:
        """Return once Redis has everything taken so far; raises as `append` does."""
        if self._pending:
            drained = self._loop.create_future()
            self._drained.append(drained)
            await drained
        self._raise_failure()

    async def finish(self, message: Message) -> str:
        """As `append`, for the stream's last message: it is taken even where the stream is at its bound."""
        self._raise_failure()
        written = self._loop.create_future()
        entry = self._take(message, None, written, last=True)
        await written
        return f"{self.term}-{entry.sequence}"

    def close(self) -> None:
        """Drop what is unsent and write no more."""
        self._die(BusError(f"the writer of {self.key} is closed"), tell=False)

    @property
    def pending_bytes(self) -> int:
        """What Redis does not have yet, in bytes: for a caller that drops partials rather than wait."""
        return self._pending_bytes

    # --- taking ------------------------------------------------------------------------------------------------------

    def _raise_failure(self) -> None:
        if self._dead is not None:
            raise self._dead
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _take(
        self, message: Message, sequence: int | None, written: asyncio.Future[None] | None, *, last: bool = False
    ) -> _Entry:
        number = self.last_sequence + 1 if sequence is None else sequence
        if not self.last_sequence < number <= MAX_SEQUENCE:
            raise ValueError(f"sequence {number} after {self.last_sequence} in {self.key}")
        data = encode(message)
        if not last:
            self._check_bounds(len(data))
        sealed = self._sealer.seal(self.key, f"{self.term}-{number}", data)
        entry = _Entry(number, sealed, written)
        if not self._pending:
            self._progress_at = self._loop.time()
        self._pending.append(entry)
        self._pending_bytes += len(sealed)
        self._taken_entries += 1
        self._taken_bytes += len(sealed)
        self.last_sequence = number
        self._mark()
        return entry

    def trimmed(self, count: int) -> None:
        """So many of the oldest entries are gone from the stream: there is room for as many new ones."""
        count = min(count, self._taken_entries)
        if count:
            self._taken_bytes -= self._taken_bytes * count // self._taken_entries
            self._taken_entries -= count

    def _check_bounds(self, size: int) -> None:
        limits = self._limits
        if len(self._pending) >= limits.max_pending_entries or self._pending_bytes + size > limits.max_pending_bytes:
            raise BusFull(f"{self.key}: {len(self._pending)} messages, {self._pending_bytes} bytes wait for Redis")
        if self._taken_entries >= limits.max_stream_entries or self._taken_bytes + size > limits.max_stream_bytes:
            raise BusFull(f"{self.key} has its {self._taken_entries} messages, {self._taken_bytes} bytes")

    def _mark(self) -> None:
        """Have the link pull, unless something is under way: then what comes back does it."""
        if not self._batch and not self._asking and not self._resting:
            self._link.mark(self)
        if self._give_up is None:
            self._give_up = self._loop.call_later(self._limits.writer_patience_seconds, self._look_at_the_clock)

    # --- the link's side ---------------------------------------------------------------------------------------------

    def pull(self) -> Sequence[Command]:
        if self._dead is not None or self._batch or self._asking:
            return ()
        if not self._pending:
            return ()
        if self._doubtful or self._connections != self._link.connections:
            # On a new connection because a reply may have been lost with the old one, and even if none was: the
            # server may
            # have come back without its last second.
            self._connections = self._link.connections
            self._asking = True
            return (("XREVRANGE", self.key, "+", "-", "COUNT", 1),)
        return self._next_batch()

    def _next_batch(self) -> list[Command]:
        size = 0
        commands: list[Command] = []
        for entry in self._pending:
            size += len(entry.data)
            if commands and (size > self._limits.batch_bytes or len(commands) == self._limits.batch_entries):
                break
            at = f"{self.term}-{entry.sequence}"
            commands.append(("XADD", self.key, "NOMKSTREAM", at, self.mark, entry.data))
        self._batch = len(commands)
        if self._loop.time() >= self._renew_at:
            self._renew_at = self._loop.time() + self._ttl_ms / 4000
            commands.append(("PEXPIRE", self.key, self._ttl_ms))
        if len(commands) > 1:
            return [("MULTI",), *commands, ("EXEC",)]
        return commands

    def replied(self, replies: Sequence[Reply]) -> None:
        if self._dead is not None:
            return
        if self._asking:
            self._asking = False
            self._learn(replies[0])
        else:
            self._settle(replies[-1], replies)
        self._go_on()

    def broke(self) -> None:
        self._batch = 0
        self._asking = False
        self._go_on()

    def closed(self, reason: BusError) -> None:
        self._die(reason)

    def _go_on(self) -> None:
        if self._dead is not None:
            return
        if self._pending:
            self._mark()
            return
        for drained in self._drained:
            if not drained.done():
                drained.set_result(None)
        self._drained.clear()

    # --- what a reply means ------------------------------------------------------------------------------------------

    def _settle(self, outcome: Reply, replies: Sequence[Reply]) -> None:
        """The batch under way came back: `outcome` is XADD's own reply, or EXEC's."""
        count, self._batch = self._batch, 0
        results: Sequence[Any] = outcome[:count] if isinstance(outcome, list) else [outcome] * count
        error = next((reply for reply in (*replies, *results) if isinstance(reply, RedisError)), None)
        if error is not None:
            self._refused(error)
        elif any(result is None for result in results):
            self._die(StreamGone(f"{self.key} does not exist any more"))
        else:
            self._refusals = 0
            self._confirm(count)

    def _refused(self, error: RedisError) -> None:
        if is_too_low(error):
            self._refusals += 1
            self._doubtful = True
            if self._refusals > 2:
                self._die(BusError(f"{self.key} refuses {self.term}-{self._pending[0].sequence} for no visible reason"))
            return
        reason = fault(error)
        if isinstance(reason, BusFull | BusUnavailable):
            self._wait_for_room(reason)
        else:
            self._die(reason)

    def _learn(self, reply: Reply) -> None:
        """The top entry of the stream is known."""
        if isinstance(reply, RedisError):
            self._refused(reply if isinstance(reply, ResponseError) else ResponseError(str(reply)))
            return
        self._doubtful = False
        if not reply:
            self._die(StreamGone(f"{self.key} does not exist any more"))
            return
        top = reply[0]
        term, sequence = entries.parse_id(entries.entry_id(top))
        if self._confirmed and (term, sequence) < (self.term, self._confirmed):
            self._die(
                StreamGone(f"{self.key} ends at {term}-{sequence}, though Redis had {self.term}-{self._confirmed}")
            )
            return
        if not self._pending or (term, sequence) < (self.term, self._pending[0].sequence):
            return
        if term == self.term and entries.mark_of(top) == self.mark:
            self._refusals = 0
            self._confirm(sum(entry.sequence <= sequence for entry in self._pending))
        else:
            self._die(Fenced(f"{self.key}: another holder wrote {term}-{sequence}, above our term {self.term}"))

    def _confirm(self, count: int) -> None:
        self._progress_at = self._loop.time()
        for _ in range(count):
            entry = self._pending.popleft()
            self._confirmed = entry.sequence
            self._pending_bytes -= len(entry.data)
            if entry.written is not None and not entry.written.done():
                entry.written.set_result(None)

    # --- when it does not go on --------------------------------------------------------------------------------------

    def _wait_for_room(self, reason: BusError) -> None:
        now = self._loop.time()
        if isinstance(reason, BusFull) and now - self._progress_at >= self._limits.full_seconds:
            self._withdraw(reason)
            return
        self._resting = True
        self._loop.call_later(self._limits.retry_seconds, self._try_again)

    def _try_again(self) -> None:
        self._resting = False
        self._go_on()

    def _withdraw(self, reason: BusError) -> None:
        """Nothing pending is in the stream, nor will be: tell everybody, and be ready for the next message."""
        withdrawn, self._pending = self._pending, deque()
        self._pending_bytes = 0
        self._taken_entries -= len(withdrawn)
        self._taken_bytes -= sum(len(entry.data) for entry in withdrawn)
        self.last_sequence = withdrawn[0].sequence - 1
        self._tell(withdrawn, reason)

    def _look_at_the_clock(self) -> None:
        """Timer, armed while anything waits: Redis was away for too long."""
        self._give_up = None
        if self._dead is not None or not self._pending:
            return
        if self._loop.time() - self._progress_at >= self._limits.writer_patience_seconds:
            self._die(BusUnavailable(f"{self.key}: Redis was away too long: {self._link.trouble}"))
        else:
            due = self._progress_at + self._limits.writer_patience_seconds
            self._give_up = self._loop.call_at(due, self._look_at_the_clock)

    def _die(self, reason: BusError, *, tell: bool = True) -> None:
        if self._dead is not None:
            return
        self._dead = reason
        self._link.unmark(self)
        if self._give_up is not None:
            self._give_up.cancel()
            self._give_up = None
        lost, self._pending = self._pending, deque()
        self._pending_bytes = 0
        self._tell(lost, reason, tell=tell, always=True)

    def _tell(self, lost: deque[_Entry], reason: BusError, *, tell: bool = True, always: bool = False) -> None:
        unwaited = False
        for entry in lost:
            if entry.written is None or entry.written.cancelled():
                unwaited = True
            elif not entry.written.done():
                entry.written.set_exception(reason)
        waiting = [drained for drained in self._drained if not drained.done()]
        for drained in waiting:
            drained.set_exception(reason)
        self._drained.clear()
        if unwaited and not waiting:
            self._failure = reason
        if tell and (unwaited or always) and self.on_lost is not None:
            self._loop.call_soon(self.on_lost, reason)
