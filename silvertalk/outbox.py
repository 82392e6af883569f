"""Everything a client is told, in one order: numbered, written to the journal, then sent.

One task per session empties it, and sockets come and go meanwhile. What the journal must know is written before it is
acted on, in one round trip for all that is waiting. In the tick of a barge-in everything of the interrupted reply that
has not been sent is dropped, also what is being written to the journal just then. While there is no socket the journal
is written all the same; a client that comes back is told from the journal what it missed, and whatever was waiting for
a reply to be sent happens then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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


@dataclass(frozen=True, slots=True)
class Arrival:
    """A client that is at the door: its socket, and what it is told before anything else, in order.

    `first` gives it when its turn has come: encoded events, with `reply.audio` the binary message that follows.
    """

    socket: Socket
    first: Callable[[], AsyncIterator[tuple[str, bytes]]]
    welcomed: Callable[[], None]
    """Called once all of it was sent."""


Listener = Callable[[Event, str], None]
"""Is told an event, and its JSON as it goes out."""


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
        *,
        send_seconds: float,
        limit_bytes: int,
        on_socket_lost: Callable[[Socket, Exception], None],
        own_again: Callable[[], Awaitable[tuple[JournalWriter, Message]]],
        last_event: int = 0,
    ) -> None:
        """`send_seconds`: a client that takes nothing for so long is cut off, as is one `limit_bytes` behind.

        A lost socket ends nothing here: what the journal must know is still written. `own_again` gives a new journal,
        of a later epoch, and its first record, where Redis has lost the present one. Numbers go on after `last_event`.
        """
        self._journal = journal
        self._socket: Socket | None = None
        self._arrival: Arrival | None = None
        # What waits for a piece of a reply to be sent, with its turn, while there is no socket: one turn's worth.
        self._unsent: list[tuple[int, Callable[[], None]]] = []
        self._on_socket_lost = on_socket_lost
        self._own_again = own_again
        self._send_seconds = send_seconds
        self._limit_bytes = limit_bytes
        self._waiting: deque[Item] = deque()
        self._in_hand: list[Item] = []
        self._bytes = 0
        self._wake = asyncio.Event()
        # Who reads along: as many as texts of one person that are being answered.
        self._listeners: list[Listener] = []
        self._number = last_event
        self._ending = False

    @property
    def epoch(self) -> int:
        """Of the journal that is written now."""
        return self._journal.epoch

    @property
    def last_event(self) -> int:
        """Number of the last event that was told."""
        return self._number

    # --- sockets come and go -----------------------------------------------------------------------------------------

    def attach(self, arrival: Arrival) -> None:
        """From the end of the batch under way on, everything goes to this socket."""
        self._arrival = arrival
        self._socket = None
        self._drop_unrecorded()
        self._wake.set()

    def detach(self, socket: Socket) -> None:
        """This socket is gone; nothing happens where another has taken its place."""
        if self._arrival is not None and self._arrival.socket is socket:
            self._arrival = None
        if self._socket is socket:
            self._socket = None
            self._drop_unrecorded()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` told everything that a client is told, or would be; it must not wait. Returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

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
        self._unsent = [(of, after) for of, after in self._unsent if of != turn]

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
        """From now on only the journal is written."""
        socket = self._arrival.socket if self._arrival is not None else self._socket
        if socket is not None:
            self.detach(socket)
            self._on_socket_lost(socket, error)

    def _drop_unrecorded(self) -> None:
        """What waits for the client alone is of no use to the next."""
        for item in self._waiting:
            if item.record is None:
                item.dropped = True

    # --- emptying it -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Journal and send until `end`. Raises Fenced when another gateway owns the session, or another BusError."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or self._arrival is not None:
                if self._arrival is not None:
                    await self._welcome(self._arrival)
                if self._waiting:
                    await self._send_batch()
            if self._ending:
                return

    async def _welcome(self, arrival: Arrival) -> None:
        """Tell a client that has come what it must know first; whatever waited for a client happens then."""
        try:
            async for text, audio in arrival.first():
                if self._arrival is not arrival:
                    return  # gone already, or there is a newer one
                await self._within(arrival.socket, text, audio)
        # The bus is away, or the socket is gone, which says so in exceptions of its server's.
        except Exception as error:
            if self._arrival is arrival:
                self._arrival = None
                self._on_socket_lost(arrival.socket, error)
            return
        if self._arrival is not arrival:
            return  # gone already, or there is a newer one
        self._arrival, self._socket = None, arrival.socket
        unsent, self._unsent = self._unsent, []
        arrival.welcomed()
        for _, after in unsent:
            after()

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
                self._follow_up(item)
                if item.event is not None:
                    for listener in tuple(self._listeners):
                        listener(item.event, text)
        finally:
            self._in_hand.clear()

    def _follow_up(self, item: Item) -> None:
        if item.after is None:
            return
        if item.reply_of is None or self._socket is not None:
            item.after()
        else:  # what was not sent of a reply was not heard either
            self._unsent.append((item.reply_of, item.after))

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
        audio = b""
        if isinstance(item.event, SpokenAudio):
            audio = AudioHeader(item.event.turn, item.event.sequence, item.event.first_sample).pack() + item.audio
        try:
            await self._within(socket, text, audio)
        except Exception as error:  # a socket that is gone says so in its server's own exceptions
            if self._socket is socket:
                self._lose_socket(error)

    async def _within(self, socket: Socket, text: str, audio: bytes) -> None:
        """Send an event and the binary message that belongs to it; raises ClientTooSlow, or the socket's exceptions."""
        try:
            async with asyncio.timeout(self._send_seconds):
                if text:
                    await socket.send_text(text)
                if audio:
                    await socket.send_bytes(audio)
        except TimeoutError:
            raise ClientTooSlow(f"nothing taken in {self._send_seconds} s") from None
