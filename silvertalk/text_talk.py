"""Typing in place of speaking, without a socket: the same turn, read along as a stream of events.

Who has a conversation on this gateway types into that one, and their voice client sees the same turn; otherwise a
conversation is opened for it. Where no client is attached a reader stands in for one: it shows what is told, and has
read each sentence as it is sent, so that what counts as heard is what was shown. The turn belongs to the conversation:
a reader who leaves loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import NamedTuple, Self
from weakref import WeakValueDictionary

import msgspec

from silvertalk.connection import problem_told
from silvertalk.conversations import put_back, take_up
from silvertalk.database import Database
from silvertalk.errors import BusAway, FloorTaken
from silvertalk.gateway import Gateway
from silvertalk.outbox import Socket
from silvertalk.owned_session import OwnedSession
from silvertalk.recollection import Recollection
from silvertalk.tokens import Identity
from streaming.bus import Bus, Journal
from streaming.errors import BusError, ProtocolError
from streaming.logs import logger
from streaming.messages import Language, SessionEnded
from streaming.protocol import (
    Distress,
    Event,
    FinalTranscript,
    Flush,
    Problem,
    Reconnect,
    ReplyEnded,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
    encode_event,
)

log = logger("text_talk")

MAX_WAITING_EVENTS = 256
"""Several turns' worth. A reader who is so far behind has left, and is waited for no more; the turn goes on."""
OPEN_SECONDS = 10.0
READING_SECONDS = 120.0
"""Longer than a turn without audio takes from its text to its commit, a change of nodes included."""
COMMIT_SECONDS = 30.0
"""How long a reader waits for the database once the reply is complete."""
END_SECONDS = 15.0

SHOWN = (TurnEnded, FinalTranscript, Distress, SpokenText, ReplyEnded, Flush, TurnCommitted)


class Shown(NamedTuple):
    """One event as the wire protocol has it: its `type`, and its JSON."""

    type: str
    data: str


class TextTalk:
    """The typed conversations of one gateway. `async with`: leaving lets go of every reader."""

    def __init__(self, gateway: Gateway, bus: Bus, database: Database) -> None:
        self._gateway = gateway
        self._bus = bus
        self._database = database
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Of two texts that one person sends at once, the second finds the conversation of the first."""
        # One for each text that is being answered; each ends within READING_SECONDS.
        self._reading: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._reading:
            task.cancel("text talk closed")
        if self._reading:
            await asyncio.wait(self._reading)

    async def say(
        self, identity: Identity, text: str, *, session: str | None, language: Language, address: str
    ) -> AsyncIterator[Shown]:
        """Say `text`; returns what is told of its turn, up to the commit, as soon as the turn has begun.

        `session`: a conversation of theirs that goes on here, or was reserved. Raises NotFound, ConversationTaken,
        FloorTaken, BusAway, and what a full or leaving gateway says.
        """
        self._gateway.check_door()
        lock = self._opening.setdefault(identity.user, asyncio.Lock())
        with ExitStack() as stack:
            stack.enter_context(self._gateway.place(address))
            async with lock:
                owned = await self._conversation(identity, session, language)
                reader = Reader(owned)
                stack.callback(reader.leave)
                reader.read(text)
            kept = stack.pop_all()  # from here on they are the task's to close
        task = asyncio.create_task(self._see_through(reader, kept), name=f"text:{owned.id[:8]}")
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        return reader.shown()

    async def _conversation(self, identity: Identity, session: str | None, language: Language) -> OwnedSession:
        living = self._gateway.living(identity.user)
        if living is not None and session in (None, living.id):
            await living.acquaintance.refresh()  # they may have written it just after changing something
            return living
        if session is not None:
            reserved = await take_up(self._database, identity.user, session)
            language = "en" if reserved.language == "en" else "ko"
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return await self._gateway.open_in_writing(identity, session or "", language)
        except (BusError, TimeoutError) as error:
            if session is not None:
                await put_back(self._database, identity.user, session)
            raise BusAway(str(error)) from None

    async def _see_through(self, reader: Reader, kept: ExitStack) -> None:
        """Stay until the turn is committed or the conversation over, whether anybody reads or not."""
        with kept, suppress(TimeoutError):
            async with asyncio.timeout(READING_SECONDS):
                await reader.over()

    async def end(self, user: str, session: str) -> None:
        """See to it that this conversation goes on nowhere, before it is deleted. Never fails: a turn that is still
        written finds it deleted."""
        living = self._gateway.living(user)
        if living is not None and living.id == session:
            living.end(None)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await living.over.wait()
            return
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._end_elsewhere(user, session)
        except (BusError, TimeoutError) as error:
            log.warning("conversation_not_ended", session=session, error=type(error).__name__)

    async def _end_elsewhere(self, user: str, session: str) -> None:
        """Its journal is owned and ended here: whichever gateway has it finds itself fenced, and nobody resumes it."""
        recalled = Recollection.of(await Journal.peek(self._bus, session))
        if recalled.user != user or recalled.ended:
            return
        journal = await Journal.own(self._bus, session, gateway=self._gateway.name, above=max(recalled.epochs))
        try:
            number = max(recalled.last_position[1], Recollection.of(journal.entries).last_position[1]) + 1
            await journal.append(SessionEnded(reason="deleted"), number=number)
        finally:
            await journal.close(ended=True)


class Reader:
    """Reads one turn along; stands in for a client where there is none."""

    def __init__(self, owned: OwnedSession) -> None:
        self._owned = owned
        self._turn = 0
        self._early: list[tuple[Event, str]] = []
        self._waiting: asyncio.Queue[Shown | None] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._ended = asyncio.Event()
        self._silent: _Silent | None = None
        self._stop_listening = owned.outbox.listen(self._hear)

    def read(self, text: str) -> None:
        """Say the text. Raises FloorTaken."""
        owned = self._owned
        try:
            owned.session.typed(text, owned.microphone.received_samples)
        except ProtocolError as error:
            raise FloorTaken(error.detail) from None
        self._turn = owned.session.turn_in_hand
        if not owned.is_attended:
            self._silent = _Silent()
            owned.attach(self._silent, self._lost, None)

    async def over(self) -> None:
        """Until the turn is committed, or nothing more will come."""
        waiting = [
            asyncio.create_task(event.wait(), name=f"reader:{self._owned.id[:8]}")
            for event in (self._ended, self._owned.over)
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        reason = self._owned.reason
        if not self._ended.is_set() and reason is not None:
            problem = problem_told(reason)
            self._show(problem, encode_event(problem).decode())

    def leave(self) -> None:
        """Let go of the conversation, and of whoever reads."""
        self._stop_listening()
        if self._silent is not None:
            self._owned.detach(self._silent)
        self._ended.set()
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def shown(self) -> AsyncIterator[Shown]:
        """Which turn it is, then what is told of it, in order, until its commit."""
        opening = {"session_id": self._owned.id, "turn": self._turn}
        yield Shown("session", msgspec.json.encode(opening).decode())
        loop = asyncio.get_running_loop()
        ends = loop.time() + READING_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(ends):
                    item = await self._waiting.get()
            except TimeoutError:
                return
            if item is None:
                return
            yield item
            if item.type == "turn.committed":
                return
            if item.type == "reply.done":
                ends = min(ends, loop.time() + COMMIT_SECONDS)

    def _lost(self, socket: Socket, error: Exception) -> None:
        """A client has come, and is the one that plays and is waited for."""
        self._silent = None

    def _hear(self, event: Event, data: str) -> None:
        turn = getattr(event, "turn", None)
        if isinstance(event, SpokenAudio) and self._silent is not None:
            self._owned.session.played(event.turn, event.first_sample + event.samples, flushed=False)
        elif isinstance(event, Flush) and self._silent is not None:
            self._owned.session.played(event.turn, event.upto_sample, flushed=True)
        if isinstance(event, SHOWN) and turn == self._turn:
            self._show(event, data)
            if isinstance(event, TurnCommitted):
                self._ended.set()
        elif isinstance(event, Reconnect) or (isinstance(event, Problem) and turn in (None, self._turn)):
            self._show(event, data)

    def _show(self, event: Event, data: str) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(Shown(str(event.__struct_config__.tag), data))


class _Silent:
    """A client's socket with nobody behind it: what is told is read by listening."""

    async def send_text(self, data: str) -> None:
        return

    async def send_bytes(self, data: bytes) -> None:
        return
