"""Typing in place of speaking, without a socket: the same turn, read along as a stream of events.

Who has a conversation on this gateway types into that one, and their voice client sees the same turn; otherwise a
conversation is opened for it. Where no client is attached the readers stand in for one (`silvertalk.reading_along`).
The turn belongs to the conversation: a reader who leaves loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from silvertalk.conversations import taken_up
from silvertalk.database import Database
from silvertalk.errors import BusAway, TokenRefused
from silvertalk.gateway import Gateway
from silvertalk.owned_session import OwnedSession
from silvertalk.reading_along import READING_SECONDS, Reader, StandIn
from silvertalk.recollection import Recollection
from silvertalk.tokens import Identity
from streaming.bus import Bus, Journal
from streaming.errors import BusError
from streaming.logs import logger
from streaming.messages import Language, SessionEnded

log = logger("text_talk")

OPEN_SECONDS = 10.0
END_SECONDS = 15.0


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
        # Both of those texts, too.
        self._readers: set[Reader] = set()
        self._stand_ins: dict[OwnedSession, StandIn] = {}

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
    ) -> Reader:
        """Say `text`; returns who reads its turn along, up to the commit, as soon as the turn has begun.

        `session`: a conversation of theirs that goes on here, or was reserved. Raises NotFound, ConversationTaken,
        FloorTaken, BusAway, and what a full or leaving gateway says.
        """
        self._gateway.check_door()
        lock = self._opening.setdefault(identity.user, asyncio.Lock())
        with ExitStack() as stack:
            stack.enter_context(self._gateway.place(address))
            async with lock:
                owned = await self._conversation(identity, session, language)
                reader = Reader(owned, identity.login)
                self._readers.add(reader)
                stack.callback(self._readers.discard, reader)
                stack.callback(reader.leave)
                reader.read(text)
                stack.enter_context(self._standing_in(owned))
            kept = stack.pop_all()  # from here on they are the task's to close
        task = asyncio.create_task(self._see_through(reader, kept), name=f"text:{owned.id[:8]}")
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
        return reader

    def on_revoked(self, user: str, login: str) -> None:
        """This person's tokens are worth nothing any more; of one `login` alone, where it is named."""
        for reader in self._readers:
            if reader.user == user and login in ("", reader.login):
                reader.refuse(TokenRefused())

    @contextmanager
    def _standing_in(self, owned: OwnedSession) -> Iterator[None]:
        """One more reads along, and stands in for a client with the others who do."""
        stand_in = self._stand_ins.get(owned)
        if stand_in is None:
            stand_in = self._stand_ins[owned] = StandIn(owned)
        stand_in.join()
        try:
            yield
        finally:
            stand_in.leave()
            if not stand_in.readers:
                del self._stand_ins[owned]

    async def _conversation(self, identity: Identity, session: str | None, language: Language) -> OwnedSession:
        living = self._gateway.living(identity.user)
        if living is not None and session in (None, living.id):
            await living.acquaintance.refresh()  # they may have written it just after changing something
            return living
        if session is None:
            return await self._opened(identity, "", language)
        async with taken_up(self._database, identity.user, session) as reserved:
            return await self._opened(identity, session, "en" if reserved.language == "en" else "ko")

    async def _opened(self, identity: Identity, reserved: str, language: Language) -> OwnedSession:
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                return await self._gateway.open_in_writing(identity, reserved, language)
        except (BusError, TimeoutError) as error:
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
