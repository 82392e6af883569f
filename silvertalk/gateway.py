"""The door of `/v1/talk`: who may come in, how many at once, and how everybody is let go.

A connection is: origin, place, `hello` with its ticket, ownership of the session (its next epoch), then two things at
once, reading the socket and emptying the outbox, until either ends. What is refused is refused before anything is
allocated.

A ticket is good for the whole conversation: access tokens live half an hour, and nobody is cut off in the middle of a
story because of that. What ends a conversation early is a revocation, and, after so many hours that it is hardly one
person's talk any more, the need to show a token again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from silvertalk import metrics
from silvertalk.auth import check_origin
from silvertalk.committer import Committer, SessionEnd
from silvertalk.errors import (
    AddressFull,
    Draining,
    OriginRefused,
    ServerFull,
    SessionReplaced,
    SilverTalkError,
    TokenExpired,
    TokenRefused,
    protocol_message_ko,
    translated,
)
from silvertalk.listening import VadService
from silvertalk.microphone import Microphone
from silvertalk.outbox import Outbox
from silvertalk.reader import Reader, receive
from silvertalk.session import Session
from silvertalk.settings import Settings
from silvertalk.tickets import redeem_ticket
from silvertalk.turn_life import TurnLife
from streaming.bus import Bus, Journal
from streaming.errors import ProtocolError
from streaming.logs import logger
from streaming.messages import SessionEnded, SessionOpened, TurnRecord
from streaming.protocol import (
    MICROPHONE_RATE,
    Hello,
    Problem,
    Ready,
    Reconnect,
    Resync,
    decode_client,
    encode_event,
    fault,
)

log = logger("gateway")

SERVICE_RESTART = 1012
MAX_SESSION_SECONDS = 6 * 3600.0
"""After this a conversation ends at its next quiet moment, and the client comes back with a new ticket."""
AHEAD_SECONDS = 4
"""Reply audio that may come at once: nodes speak 3 s ahead of the player. A client that is well never has more
waiting."""
LAST_EVENTS_SECONDS = 5.0
"""How long the end of a conversation waits for the journal, which may be out of reach."""
GOODBYE_SECONDS = 12.0
"""How long a drain waits for a conversation that was told to end: its last turn is still closed and recorded."""


@dataclass(eq=False)
class Connection:
    """One socket and the session on it. `leave` ends it with an error that the client is told."""

    user: str
    address: str
    session: Session | None = None
    outbox: Outbox | None = None
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    reason: SilverTalkError | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Everything of it has been seen to."""

    def leave(self, reason: SilverTalkError | None) -> None:
        if not self.leaving.is_set():
            self.reason = reason
            self.leaving.set()


@dataclass(eq=False)
class Owned:
    """A session of this gateway's, and its journal: another one where Redis has lost the first."""

    session: str
    journal: Journal


class Gateway:
    """All voice connections of this process."""

    def __init__(self, settings: Settings, bus: Bus, vad: VadService, committer: Committer) -> None:
        self._settings = settings
        self._bus = bus
        self._vad = vad
        self._committer = committer
        self._origins = settings.origins()
        self._name = f"gateway-{secrets.token_hex(6)}"
        self._connections: set[Connection] = set()
        self._places = 0
        self._per_address: Counter[str] = Counter()
        self._sessions: dict[str, Session] = {}
        self._draining = False

    # --- the socket's whole life -------------------------------------------------------------------------------------

    async def talk(self, socket: WebSocket) -> None:
        """The ASGI endpoint."""
        try:
            check_origin(socket.headers.getlist("origin"), self._origins)
        except OriginRefused:
            metrics.REFUSED.labels("origin").inc()
            await socket.close()  # before it was accepted: HTTP 403
            return
        await socket.accept()
        address = socket.client.host if socket.client else "unix"
        try:
            self._admit(address)
        except SilverTalkError as error:
            metrics.REFUSED.labels(error.code).inc()
            await _refuse(socket, error)
            return
        try:
            await self._welcome(socket, address)
        except WebSocketDisconnect:
            pass
        except ProtocolError as error:
            await _close_for(socket, error)
        except SilverTalkError as error:
            metrics.REFUSED.labels(error.code).inc()
            await _refuse(socket, error)
        except Exception as error:
            known = translated(error)
            log.error("connection_failed", code=known.code, exc_info=error)
            await _refuse(socket, known)
        finally:
            self._places -= 1
            self._per_address -= Counter({address: 1})

    def check_door(self) -> None:
        """Raise Draining or ServerFull while no new session may begin."""
        if self._draining:
            raise Draining
        if self._places >= self._settings.max_sessions or self._committer.full:
            raise ServerFull

    def _admit(self, address: str) -> None:
        """Take a place, or raise why there is none."""
        self.check_door()
        if self._per_address[address] >= self._settings.max_sessions_per_address:
            raise AddressFull
        self._places += 1
        self._per_address[address] += 1

    async def _welcome(self, socket: WebSocket, address: str) -> None:
        hello = await self._hello(socket)
        identity = await redeem_ticket(self._bus, hello.ticket)
        if self._draining:
            raise Draining
        connection = Connection(identity.user, address)
        for other in [known for known in self._connections if known.user == identity.user]:
            other.leave(SessionReplaced())
        self._connections.add(connection)
        try:
            await self._converse(socket, hello, connection)
        finally:
            self._connections.discard(connection)
            connection.over.set()
        if connection.reason is not None:
            await _refuse(socket, connection.reason)
        elif self._draining:
            await _close(socket, SERVICE_RESTART, "draining")
        else:
            await _close(socket, 1000, "bye")

    async def _hello(self, socket: WebSocket) -> Hello:
        try:
            async with asyncio.timeout(self._settings.hello_seconds):
                message = await receive(socket)
        except TimeoutError:
            raise fault("hello_timeout", f"no hello within {self._settings.hello_seconds} s") from None
        if isinstance(message, bytes):
            raise fault("not_hello", "audio before hello")
        try:
            hello = decode_client(message)
        except ProtocolError as error:
            raise fault("not_hello", error.detail) from None
        if not isinstance(hello, Hello):
            raise fault("not_hello", f"{type(hello).__name__.lower()} before hello")
        return hello

    async def _converse(self, socket: WebSocket, hello: Hello, connection: Connection) -> None:
        session_id = secrets.token_hex(16)
        opened = SessionOpened(user=connection.user, language=hello.language, reply_rate=self._settings.reply_rate)
        async with self._owned(session_id) as owned:
            await self._bus.announce_session(connection.user, session_id, self._name)
            async with self._outbox(socket, connection, owned, opened) as outbox:
                outbox.record(opened)
                if hello.resume is not None:
                    outbox.tell(Resync(reason="unknown_session"), journaled=False)
                outbox.tell(self._ready(session_id, hello))
                log.info("session_opened", session=session_id, language=hello.language, client=hello.client[:80])
                await self._talk(socket, hello, connection, outbox, session_id)
        log.info("session_closed", session=session_id)

    @asynccontextmanager
    async def _owned(self, session: str) -> AsyncIterator[Owned]:
        """The session as this gateway's, until its end."""
        owned = Owned(session, await Journal.own(self._bus, session, gateway=self._name))
        try:
            yield owned
        finally:
            self._bus.forget_session(session)
            with suppress(TimeoutError):  # the bus sees to it once Redis is back
                async with asyncio.timeout(LAST_EVENTS_SECONDS):
                    await owned.journal.close()

    @asynccontextmanager
    async def _outbox(
        self, socket: WebSocket, connection: Connection, owned: Owned, opened: SessionOpened
    ) -> AsyncIterator[Outbox]:
        """The way to the client, and the task that empties it."""
        settings = self._settings

        async def own_again() -> tuple[Journal, SessionOpened]:
            log.warning("journal_lost", session=owned.session, epoch=owned.journal.epoch)
            lost = owned.journal
            lost.let_go()
            owned.journal = await Journal.own(self._bus, owned.session, gateway=self._name, above=lost.epoch)
            return owned.journal, opened

        outbox = connection.outbox = Outbox(
            owned.journal,
            socket,
            send_seconds=settings.send_timeout_seconds,
            limit_bytes=max(settings.send_backlog_kib * 1024, AHEAD_SECONDS * settings.reply_rate * 2),
            on_socket_lost=lambda error: connection.leave(error if isinstance(error, SilverTalkError) else None),
            own_again=own_again,
        )
        sending = asyncio.create_task(outbox.run(), name=f"outbox:{owned.session[:8]}")
        sending.add_done_callback(lambda task: _note_failure(task, connection))
        metrics.SESSIONS.inc()
        try:
            yield outbox
        finally:
            metrics.SESSIONS.dec()
            outbox.record(SessionEnded(reason=connection.reason.code if connection.reason else "bye"))
            outbox.end()
            await asyncio.wait([sending], timeout=LAST_EVENTS_SECONDS)
            sending.cancel()
            await asyncio.wait([sending])

    async def _talk(
        self, socket: WebSocket, hello: Hello, connection: Connection, outbox: Outbox, session_id: str
    ) -> None:
        """The conversation itself; returns when the last of its turns is closed."""
        settings = self._settings
        life = TurnLife(self._bus.turns(session_id), outbox, settings, commit=self._committer.submit)
        session = connection.session = Session(
            session=session_id,
            user=connection.user,
            language=hello.language,
            outbox=outbox,
            life=life,
            reply_rate=settings.reply_rate,
            history_turns=settings.history_turns,
            max_speech_samples=settings.max_utterance_seconds * MICROPHONE_RATE,
            local_time=self._local_time,
        )
        self._sessions[session_id] = session
        try:
            async with life:
                await self._listen(socket, hello, connection, session)
        finally:
            # Commits that come after this find nobody to tell; the rows are written all the same.
            del self._sessions[session_id]
        if session.turns_begun:
            await self._committer.submit(SessionEnd(session_id, datetime.now(UTC)))

    async def _listen(self, socket: WebSocket, hello: Hello, connection: Connection, session: Session) -> None:
        """Read the socket until it ends, or until the connection is told to leave."""
        microphone = Microphone(self._vad, self._settings, session, push_to_talk=hello.push_to_talk)
        outbox = connection.outbox
        assert outbox is not None, "a connection listens once it has an outbox"
        reader = Reader(
            socket,
            session,
            microphone,
            tell=lambda event: outbox.tell(event, journaled=False),
            tell_fault=lambda error: outbox.tell(_problem(error), journaled=False),
        )
        tasks = [
            asyncio.create_task(reader.run(), name=f"read:{session.id[:8]}"),
            asyncio.create_task(connection.leaving.wait(), name=f"leave:{session.id[:8]}"),
            asyncio.create_task(_outstay(connection, session), name=f"outstay:{session.id[:8]}"),
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
            output_rate=self._settings.reply_rate,
            microphone_sample=0,
            resumed=False,
            resume_seconds=self._settings.resume_seconds,
        )

    def _local_time(self) -> str:
        return datetime.now(ZoneInfo(self._settings.time_zone)).isoformat(timespec="minutes")

    # --- from elsewhere ----------------------------------------------------------------------------------------------

    async def on_committed(self, record: TurnRecord) -> None:
        """The committer has written a turn."""
        session = self._sessions.get(record.session)
        if session is not None:
            session.committed(record)

    def on_replaced(self, session: str) -> None:
        """Another gateway says that this session's person has a newer one."""
        for connection in self._connections:
            if connection.session is not None and connection.session.id == session:
                connection.leave(SessionReplaced())

    def on_revoked(self, user: str) -> None:
        """This person's tokens are worth nothing any more."""
        for connection in self._connections:
            if connection.user == user:
                connection.leave(TokenRefused())

    async def drain(self) -> None:
        """No new sessions; tell everybody to come back elsewhere, and let each go once its turn in hand is over.

        Returns when all are gone and their turns with the committer.
        """
        self._draining = True
        leaving = [asyncio.create_task(self._let_go(each), name="drain") for each in list(self._connections)]
        if leaving:
            await asyncio.wait(leaving)

    async def _let_go(self, connection: Connection) -> None:
        if connection.session is not None and connection.outbox is not None:
            connection.outbox.tell(Reconnect(after_turn=connection.session.turn_in_hand), journaled=False)
            ends = [asyncio.create_task(event.wait()) for event in (connection.session.settled, connection.over)]
            await asyncio.wait(ends, timeout=self._settings.drain_seconds, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        connection.leave(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await connection.over.wait()


def _problem(error: ProtocolError) -> Problem:
    return Problem(
        code=error.code, retryable=False, message_ko=protocol_message_ko(error), message_en=error.detail[:200]
    )


async def _outstay(connection: Connection, session: Session) -> None:
    await asyncio.sleep(MAX_SESSION_SECONDS)
    await session.settled.wait()
    connection.leave(TokenExpired())


def _note_failure(task: asyncio.Task[None], connection: Connection) -> None:
    """The outbox ended by itself: the session cannot go on without its journal."""
    if not task.cancelled() and (error := task.exception()) is not None:
        connection.leave(translated(error) if isinstance(error, Exception) else None)


async def _refuse(socket: WebSocket, error: SilverTalkError) -> None:
    """Say why in words, then close with the error's code."""
    problem = Problem(
        code=error.code, retryable=error.retryable, message_ko=error.message_ko, message_en=error.message_en
    )
    await _last_words(socket, problem)
    await _close(socket, error.close_code, error.code)


async def _close_for(socket: WebSocket, error: ProtocolError) -> None:
    await _last_words(socket, _problem(error))
    await _close(socket, error.close_code or 4400, error.code)


async def _last_words(socket: WebSocket, problem: Problem) -> None:
    try:
        async with asyncio.timeout(1.0):
            await socket.send_text(encode_event(problem).decode())
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        pass  # the client is gone, and will see it by itself


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    if socket.application_state is WebSocketState.DISCONNECTED:
        return
    try:
        async with asyncio.timeout(1.0):
            await socket.close(code, reason)
    except (TimeoutError, RuntimeError, WebSocketDisconnect):
        pass  # gone already
