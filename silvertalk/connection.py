"""One socket and the session on it, from its ticket to its last record.

Two things happen at once, reading the socket and emptying the outbox, until either ends or the connection is told to
leave. What was begun is then brought to its end: the turns are closed and recorded, the journal says that the session
is over.

A ticket is good for the whole conversation: access tokens live half an hour, and nobody is cut off in the middle of a
story because of that. What ends a conversation early is a revocation, and, after so many hours that it is hardly one
person's talk any more, the need to show a token again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.websockets import WebSocket

from silvertalk import metrics
from silvertalk.committer import Committer, SessionEnd
from silvertalk.errors import SilverTalkError, TokenExpired, protocol_message_ko, translated
from silvertalk.listening import VadService
from silvertalk.microphone import Microphone
from silvertalk.outbox import Outbox
from silvertalk.reader import Reader
from silvertalk.session import Session
from silvertalk.settings import Settings
from silvertalk.turn_life import TurnLife
from streaming.bus import Bus, Journal
from streaming.errors import ProtocolError
from streaming.logs import logger
from streaming.messages import SessionEnded, SessionOpened
from streaming.protocol import MICROPHONE_RATE, Hello, Problem, Ready, Resync

log = logger("connection")

MAX_SESSION_SECONDS = 6 * 3600.0
"""After this a conversation ends at its next quiet moment, and the client comes back with a new ticket."""
AHEAD_SECONDS = 4
"""Reply audio that may come at once: nodes speak 3 s ahead of the player. A client that is well never has more
waiting."""
LAST_EVENTS_SECONDS = 5.0
"""How long the end of a conversation waits for the journal, which may be out of reach."""


@dataclass(frozen=True)
class Parts:
    """What every connection of a gateway works with; `name` is the gateway's among the owners of sessions."""

    settings: Settings
    bus: Bus
    vad: VadService
    committer: Committer
    name: str


@dataclass(eq=False)
class Owned:
    """A session of this gateway's, and its journal: another one where Redis has lost the first."""

    session: str
    journal: Journal


class Connection:
    """One socket and its session. `leave` ends it with an error that the client is told."""

    def __init__(self, user: str, parts: Parts) -> None:
        self.user = user
        self._parts = parts
        self.session: Session | None = None
        self.outbox: Outbox | None = None
        self.leaving = asyncio.Event()
        self.reason: SilverTalkError | None = None
        self.over = asyncio.Event()
        """Everything of it has been seen to."""

    def leave(self, reason: SilverTalkError | None) -> None:
        if not self.leaving.is_set():
            self.reason = reason
            self.leaving.set()

    async def converse(self, socket: WebSocket, hello: Hello) -> None:
        """The whole conversation. Raises ProtocolError for a client's grave fault, BusError where Redis is away."""
        session_id = secrets.token_hex(16)
        opened = SessionOpened(user=self.user, language=hello.language, reply_rate=self._parts.settings.reply_rate)
        async with self._owned(session_id) as owned:
            await self._parts.bus.announce_session(self.user, session_id, self._parts.name)
            async with self._outbox(socket, owned, opened) as outbox:
                outbox.record(opened)
                if hello.resume is not None:
                    outbox.tell(Resync(reason="unknown_session"), journaled=False)
                outbox.tell(self._ready(session_id, hello))
                log.info("session_opened", session=session_id, language=hello.language)
                await self._talk(socket, hello, outbox, session_id)
        log.info("session_closed", session=session_id)

    @asynccontextmanager
    async def _owned(self, session: str) -> AsyncIterator[Owned]:
        """The session as this gateway's, until its end."""
        owned = Owned(session, await self._own(session))
        try:
            yield owned
        finally:
            self._parts.bus.forget_session(session)
            with suppress(TimeoutError):  # the bus sees to it once Redis is back
                async with asyncio.timeout(LAST_EVENTS_SECONDS):
                    await owned.journal.close()

    async def _own(self, session: str, *, above: int = 0) -> Journal:
        return await Journal.own(self._parts.bus, session, gateway=self._parts.name, above=above)

    @asynccontextmanager
    async def _outbox(self, socket: WebSocket, owned: Owned, opened: SessionOpened) -> AsyncIterator[Outbox]:
        """The way to the client, and the task that empties it."""
        settings = self._parts.settings

        async def own_again() -> tuple[Journal, SessionOpened]:
            log.warning("journal_lost", session=owned.session, epoch=owned.journal.epoch)
            lost = owned.journal
            lost.let_go()
            owned.journal = await self._own(owned.session, above=lost.epoch)
            return owned.journal, opened

        outbox = self.outbox = Outbox(
            owned.journal,
            socket,
            send_seconds=settings.send_timeout_seconds,
            limit_bytes=max(settings.send_backlog_kib * 1024, AHEAD_SECONDS * settings.reply_rate * 2),
            on_socket_lost=lambda error: self.leave(error if isinstance(error, SilverTalkError) else None),
            own_again=own_again,
        )
        sending = asyncio.create_task(outbox.run(), name=f"outbox:{owned.session[:8]}")
        sending.add_done_callback(self._note_failure)
        metrics.SESSIONS.inc()
        try:
            yield outbox
        finally:
            metrics.SESSIONS.dec()
            outbox.record(SessionEnded(reason=self.reason.code if self.reason else "bye"))
            outbox.end()
            await asyncio.wait([sending], timeout=LAST_EVENTS_SECONDS)
            sending.cancel()
            await asyncio.wait([sending])

    async def _talk(self, socket: WebSocket, hello: Hello, outbox: Outbox, session_id: str) -> None:
        """The conversation itself; returns when the last of its turns is closed."""
        settings = self._parts.settings
        life = TurnLife(self._parts.bus.turns(session_id), outbox, settings, commit=self._parts.committer.submit)
        session = self.session = Session(
            session=session_id,
            user=self.user,
            language=hello.language,
            outbox=outbox,
            life=life,
            reply_rate=settings.reply_rate,
            history_turns=settings.history_turns,
            max_speech_samples=settings.max_utterance_seconds * MICROPHONE_RATE,
            local_time=self._local_time,
        )
        async with life:
            await self._listen(socket, hello, session)
        if session.turns_begun:
            await self._parts.committer.submit(SessionEnd(session_id, datetime.now(UTC)))

    async def _listen(self, socket: WebSocket, hello: Hello, session: Session) -> None:
        """Read the socket until it ends, or until the connection is told to leave."""
        microphone = Microphone(self._parts.vad, self._parts.settings, session, push_to_talk=hello.push_to_talk)
        outbox = self.outbox
        assert outbox is not None, "a connection listens once it has an outbox"
        reader = Reader(
            socket,
            session,
            microphone,
            tell=lambda event: outbox.tell(event, journaled=False),
            tell_fault=lambda error: outbox.tell(problem_of(error), journaled=False),
        )
        tasks = [
            asyncio.create_task(reader.run(), name=f"read:{session.id[:8]}"),
            asyncio.create_task(self.leaving.wait(), name=f"leave:{session.id[:8]}"),
            asyncio.create_task(self._outstay(session), name=f"outstay:{session.id[:8]}"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            microphone.close()
            session.end()
        reading = tasks[0]
        if not reading.cancelled() and (error := reading.exception()) is not None:
            raise error

    def _ready(self, session: str, hello: Hello) -> Ready:
        return Ready(
            session=session,
            language=hello.language,
            input_rate=MICROPHONE_RATE,
            output_rate=self._parts.settings.reply_rate,
            microphone_sample=0,
            resumed=False,
            resume_seconds=self._parts.settings.resume_seconds,
        )

    def _local_time(self) -> str:
        return datetime.now(ZoneInfo(self._parts.settings.time_zone)).isoformat(timespec="minutes")

    async def _outstay(self, session: Session) -> None:
        await asyncio.sleep(MAX_SESSION_SECONDS)
        await session.settled.wait()
        self.leave(TokenExpired())

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        """The outbox ended by itself: the session cannot go on without its journal."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.leave(translated(error) if isinstance(error, Exception) else None)


def problem_of(error: ProtocolError) -> Problem:
    return Problem(
        code=error.code, retryable=False, message_ko=protocol_message_ko(error), message_en=error.detail[:200]
    )
