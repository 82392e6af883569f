"""Everything a client is told, in one order: numbered, written to the journal, then sent.

One task per session empties it. What the journal must know is written before it is acted on, in one round trip for all
that is waiting. In the tick of a barge-in everything of the interrupted reply that has not been sent is dropped, also
what is being written to the journal just then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from silvertalk.errors import ClientTooSlow
from streaming.errors import StreamGone
from streaming.messages import Message, Told
from streaming.protocol import AudioHeader, Event, PartialTranscript, SpokenAudio, encode_event

MAX_WAITING_ITEMS = 2048
"""Beyond any turn's worth of events. At the bound the socket is given up: a client that takes nothing costs only
itself."""
MAX_BATCH = 64
"""Items journaled in one round trip; more would make the first of them wait for the last."""


class Socket(Protocol):
    """The part of a WebSocket that is written to."""

    async def send_text(self, data: str) -> None: ...

    async def send_bytes(self, data: bytes) -> None: ...


class JournalWriter(Protocol):
    """The part of `streaming.bus.Journal` that is written to."""

    @property
    def epoch(self) -> int: ...

    async def append(self, record: Message, *, number: int) -> str: ...


@dataclass(slots=True, eq=False)
class Item:
    """One thing to tell. `turn` is set for what a barge-in takes back: the reply's text and audio."""

    event: Event | None
    record: Message | None
    audio: bytes = b""
    reply_of: int | None = None
    after: Callable[[], None] | None = None
    dropped: bool = False

    @property
    def size(self) -> int:
        return 256 + len(self.audio)


class Outbox:
    """The queue between a session and its client."""

    def __init__(
        self,
        journal: JournalWriter,
        socket: Socket,
        *,
        send_seconds: float,
        limit_bytes: int,
        on_socket_lost: Callable[[Exception], None],
        own_again: Callable[[], Awaitable[tuple[JournalWriter, Message]]],
    ) -> None:
        """`send_seconds`: a client that takes nothing for so long is cut off, as is one `limit_bytes` behind.

        A lost socket ends nothing here: what the journal must know is still written. `own_again` gives a new journal,
        of a later epoch, and its first record, where Redis has lost the present one.
        """
        self._journal = journal
        self._socket: Socket | None = socket
        self._on_socket_lost = on_socket_lost
        self._own_again = own_again
        self._send_seconds = send_seconds
        self._limit_bytes = limit_bytes
        self._waiting: deque[Item] = deque()
        self._in_hand: list[Item] = []
        self._bytes = 0
        self._wake = asyncio.Event()
        self._number = 0
        self._ending = False

    @property
    def epoch(self) -> int:
        """Of the journal that is written now."""
        return self._journal.epoch

    # --- filling it --------------------------------------------------------------------------------------------------

    def tell(self, event: Event, *, journaled: bool = True) -> None:
        """An event for the client; journaled ones are told again to a client that comes back."""
        if isinstance(event, PartialTranscript):
            self._drop_partials()
        self._put(Item(event, Told(event=b"") if journaled else None))

    def release(
        self, event: Event, record: Message, *, turn: int, audio: bytes = b"", after: Callable[[], None]
    ) -> None:
        """A piece of a reply: `record` refers to it in the journal, `after` is called once it was sent."""
        self._put(Item(event, record, audio=audio, reply_of=turn, after=after))

    def record(self, record: Message, event: Event | None = None, *, after: Callable[[], None] | None = None) -> None:
        """Something the journal must know, with the event that tells it, if any."""
        self._put(Item(event, record, after=after))

    def drop_reply(self, turn: int) -> None:
        """Take back everything of this turn's reply that was not sent yet."""
        for item in self._everything():
            if item.reply_of == turn:
                item.dropped = True

    def end(self) -> None:
        """Send what is waiting, then let `run` return."""
        self._ending = True
        self._wake.set()

    def _drop_partials(self) -> None:
        for item in self._waiting:
            if isinstance(item.event, PartialTranscript):
                item.dropped = True

    def _everything(self) -> Iterator[Item]:
        yield from self._in_hand
        yield from self._waiting

    def _put(self, item: Item) -> None:
        if len(self._waiting) >= MAX_WAITING_ITEMS or self._bytes + item.size > self._limit_bytes:
            self._lose_socket(ClientTooSlow(f"{self._bytes} bytes waiting"))
        if self._socket is None and item.record is None:
            return
        self._waiting.append(item)
        self._bytes += item.size
        self._wake.set()

    def _lose_socket(self, error: Exception) -> None:
        """From now on only the journal is written; what waits for the client alone is dropped."""
        if self._socket is None:
            return
        self._socket = None
        for item in self._waiting:
            if item.record is None:
                item.dropped = True
        self._on_socket_lost(error)

    # --- emptying it -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Journal and send until `end`. Raises Fenced when another gateway owns the session, or another BusError."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._send_batch()
            if self._ending:
                return

    async def _send_batch(self) -> None:
        while self._waiting and len(self._in_hand) < MAX_BATCH:
            item = self._waiting.popleft()
            self._bytes -= item.size
            if not item.dropped:
                self._in_hand.append(item)
        try:
            try:
                prepared = await self._write()
            except StreamGone:
                self._journal, first = await self._own_again()
                self._in_hand.insert(0, Item(None, first))
                prepared = await self._write()
            for item, _, _, text in prepared:
                if item.dropped:
                    continue
                if self._socket is not None:
                    await self._send(self._socket, item, text)
                if item.after is not None and (self._socket is not None or item.reply_of is None):
                    item.after()  # what was not sent of a reply was not heard either
        finally:
            self._in_hand.clear()

    async def _write(self) -> list[tuple[Item, Message | None, int, str]]:
        """Number what is in hand and have the journal know it."""
        prepared = [self._prepare(item) for item in self._in_hand]
        records = [(record, number) for _, record, number, _ in prepared if record is not None]
        await asyncio.gather(*(self._journal.append(record, number=number) for record, number in records))
        return prepared

    def _prepare(self, item: Item) -> tuple[Item, Message | None, int, str]:
        self._number += 1
        record, text = item.record, ""
        if item.event is not None:
            event = msgspec.structs.replace(item.event, epoch=self._journal.epoch, event=self._number)
            payload = encode_event(event)
            text = payload.decode()
            if isinstance(record, Told):
                record = Told(event=payload)
        return item, record, self._number, text

    async def _send(self, socket: Socket, item: Item, text: str) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                if text:
                    await socket.send_text(text)
                if isinstance(item.event, SpokenAudio):
                    header = AudioHeader(item.event.turn, item.event.sequence, item.event.first_sample)
                    await socket.send_bytes(header.pack() + item.audio)
        except TimeoutError:
            self._lose_socket(ClientTooSlow(f"nothing taken in {self._send_seconds} s"))
        except Exception as error:  # a socket that is gone says so in its server's own exceptions
            self._lose_socket(error)
