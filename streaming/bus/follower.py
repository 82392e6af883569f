"""One blocking read per process and server over all the streams it follows.

The set of streams changes all the time, and a blocked read must not be cancelled for it, so every read also listens
to a wake stream of the process's own: an entry there ends it, and the next read has the new set. With nothing to
follow nothing is read. What a read brings is handed out in order, stream by stream, on the event loop, before the
next is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from streaming.bus import entries
from streaming.bus.entries import Entry, RawEntry
from streaming.bus.faults import checked
from streaming.bus.limits import Limits
from streaming.bus.link import Call, Command, Link, Reply
from streaming.bus.seal import Sealer
from streaming.bus.waking import Bell
from streaming.errors import BusError, BusUnavailable, MessageError, StreamGone, StreamingError
from streaming.logs import logger

log = logger("bus.follower")

Deliver = Callable[[Sequence[Entry]], None]
OnLost = Callable[[StreamingError], None]
DeliverRaw = Callable[[Sequence[RawEntry]], None]


class _Followed:
    __slots__ = ("after", "deliver", "must_exist", "on_lost")

    def __init__(self, deliver: DeliverRaw, on_lost: OnLost | None, after: str, must_exist: bool) -> None:
        self.deliver = deliver
        self.on_lost = on_lost
        self.after = after
        self.must_exist = must_exist


class _Read(Call):
    """An XREAD over whatever is followed at the moment it is sent."""

    def __init__(self, follower: Follower) -> None:
        super().__init__(())
        self._follower = follower
        self.streams: dict[str, _Followed] = {}

    def pull(self) -> Sequence[Command]:
        self.streams, self._commands = self._follower.next_read()
        return super().pull()


class Follower:
    """Reads followed streams until `run` is cancelled.

    `reading` is a link of its own, blocked nearly all the time; `asking` is the process's ordinary one.
    """

    def __init__(self, reading: Link, asking: Link, *, bell: Bell, sealer: Sealer, limits: Limits) -> None:
        self._reading = reading
        self._asking = asking
        self._bell = bell
        self._sealer = sealer
        self._limits = limits
        # Bounded by the turns and sessions the process admits.
        self._followed: dict[str, _Followed] = {}
        self._some = asyncio.Event()

    # --- for owners of streams ---------------------------------------------------------------------------------------

    def follow(
        self,
        key: str,
        deliver: Deliver,
        *,
        after: str = "0-0",
        on_lost: OnLost | None = None,
        must_exist: bool = True,
    ) -> None:
        """Give every entry of `key` above `after` to `deliver`, in order, on the loop.

        `on_lost` is called, and the stream followed no more, when it vanished (StreamGone; only noticed of streams that
        `must_exist`), holds what is not a message (MessageError), or `deliver` raised (BusError).
        """

        def read_and_deliver(raws: Sequence[RawEntry]) -> None:
            found = entries.read(key, raws, self._sealer)
            if found:
                deliver(found)

        self.follow_raw(key, read_and_deliver, after=after, on_lost=on_lost, must_exist=must_exist)

    def follow_raw(
        self,
        key: str,
        deliver: DeliverRaw,
        *,
        after: str = "0-0",
        on_lost: OnLost | None = None,
        must_exist: bool = True,
    ) -> None:
        """As `follow`, for streams whose entries are not messages of a turn."""
        self._followed[key] = _Followed(deliver, on_lost, after, must_exist)
        self._some.set()
        self._bell.ring()

    def unfollow(self, key: str) -> None:
        """Nothing more of `key` is delivered, not even what the read under way brings."""
        self._followed.pop(key, None)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        connections = self._reading.connections
        while True:
            if not self._followed:
                self._some.clear()
                await self._some.wait()
            read = _Read(self)
            self._reading.mark(read)
            try:
                try:
                    reply = checked((await read.replies)[0])
                finally:
                    self._bell.returned()
            except BusUnavailable:
                await self._reading.up.wait()
                await asyncio.sleep(self._limits.retry_seconds if self._reading.connections == connections else 0)
            except BusError as error:
                log.error("read_failed", count=len(read.streams), exc_info=error)
                await asyncio.sleep(self._limits.retry_seconds)
            else:
                self._hand_out(read.streams, reply)
                if reply and self._reading.connections == connections:
                    continue
            # Either a whole block passed in silence or the connection was lost meanwhile. XREAD says nothing of a
            # stream
            # that does not exist, so a server that came back empty is noticed by asking.
            connections = self._reading.connections
            await self._look_for_lost()

    def next_read(self) -> tuple[dict[str, _Followed], list[Command]]:
        streams = dict(self._followed)
        keys = [*streams, self._bell.key]
        after = [followed.after for followed in streams.values()]
        command: Command = (
            "XREAD", "COUNT", self._limits.read_count, "BLOCK", self._limits.block_ms,
            "STREAMS", *keys, *after, self._bell.heard,
        )  # fmt: skip
        self._bell.listening()
        return streams, [command]

    def _hand_out(self, streams: dict[str, _Followed], reply: Reply) -> None:
        for name, raws in reply or ():
            key = bytes(name).decode()
            if key == self._bell.key:
                self._bell.rang(entries.entry_id(raws[-1]))
                continue
            followed = streams[key]
            if self._followed.get(key) is not followed:
                continue
            followed.after = entries.entry_id(raws[-1])
            try:
                followed.deliver(raws)
            except MessageError as error:
                self._lose(key, followed, error)
            except Exception as error:
                # One owner's mistake must not silence the others; it is told, and so is the log.
                log.error("receiver_raised", name=key, exc_info=error)
                self._lose(key, followed, BusError(f"the receiver of {key} raised {error!r}"))

    async def _look_for_lost(self) -> None:
        wanted = {key: followed for key, followed in self._followed.items() if followed.must_exist}
        if not wanted:
            return
        while True:
            try:
                replies = await self._asking.call(*(("EXISTS", key) for key in wanted))
                break
            except BusError:
                await asyncio.sleep(self._limits.retry_seconds)
                await self._asking.up.wait()
        for (key, followed), reply in zip(wanted.items(), replies, strict=True):
            if reply == 0 and self._followed.get(key) is followed:
                self._lose(key, followed, StreamGone(f"{key} does not exist any more"))

    def _lose(self, key: str, followed: _Followed, reason: StreamingError) -> None:
        if self._followed.get(key) is followed:
            del self._followed[key]
        if followed.on_lost is not None:
            followed.on_lost(reason)
