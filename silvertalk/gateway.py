"""The door of `/v1/talk`: who may come in, how many at once, and how everybody is let go.

A connection is: origin, place, `hello` with its ticket, then a session, new, kept here or taken over from another
gateway, until the socket ends or the session does. What is refused is refused before anything is allocated.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from weakref import WeakValueDictionary

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from silvertalk import metrics
from silvertalk.about_person import Acquaintances
from silvertalk.album import Album
from silvertalk.auth import check_origin
from silvertalk.committer import Committer
from silvertalk.connection import Connection
from silvertalk.conversations import taken_up
from silvertalk.database import Database
from silvertalk.errors import (
    AddressFull,
    AuthError,
    ConversationTaken,
    Draining,
    NotFound,
    OriginRefused,
    ServerFull,
    SessionReplaced,
    SilverTalkError,
    TokenRefused,
    translated,
)
from silvertalk.habits import HabitKeeper
from silvertalk.listening import VadService
from silvertalk.notice_feeds import Feeds
from silvertalk.owned_session import Beginning, OwnedSession, Parts, known_of
from silvertalk.reader import receive
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from silvertalk.socket_problems import fault_told, problem_told
from silvertalk.taking_over import Unknown, take_over
from silvertalk.tickets import Ticket, redeem_ticket
from silvertalk.tokens import Identity
from silvertalk.voice_keeping import VoiceKeeper
from silvertalk.voice_tools import Means
from streaming.bus import Bus, Journal
from streaming.errors import ProtocolError
from streaming.logs import logger
from streaming.messages import Language, TurnRecord
from streaming.protocol import (
    Hello,
    Problem,
    Reconnect,
    Resume,
    decode_client,
    encode_event,
    fault,
)

log = logger("gateway")

SERVICE_RESTART = 1012
GOODBYE_SECONDS = 12.0
"""How long a drain waits for a conversation that was told to end: its last turn is still closed and recorded."""


class Gateway:
    """All voice connections of this process."""

    def __init__(
        self,
        settings: Settings,
        bus: Bus,
        database: Database,
        vad: VadService,
        committer: Committer,
        habits: HabitKeeper,
        acquaintances: Acquaintances,
        revocations: Revocations,
        feeds: Feeds | None = None,
        voices: VoiceKeeper | None = None,
        album: Album | None = None,
        means: Means | None = None,
    ) -> None:
        """`feeds`: where given, a person's notices are told on their voice socket too. `voices`: where given, it keeps
        the recordings of those who agreed. `album`: where given, conversations show photos from it. `means`:
        where given, what is asked for is done."""
        self._settings = settings
        self._bus = bus
        self._database = database
        self._committer = committer
        self._revocations = revocations
        self._origins = settings.origins()
        name = f"gateway-{secrets.token_hex(6)}"
        self._parts = Parts(
            settings,
            bus,
            vad,
            committer,
            habits,
            acquaintances,
            name=name,
            feeds=feeds,
            voices=voices,
            album=album,
            means=means,
        )
        self._sessions: dict[str, OwnedSession] = {}
        """Those with a client, and those whose client may come back: at most as many again (`_make_room`)."""
        self._arriving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One client at a time goes on with a session."""
        self._places = 0
        self._per_address: Counter[str] = Counter()
        self._forgetting: set[asyncio.Task[None]] = set()
        self._draining = False

    @property
    def name(self) -> str:
        """Among the owners of sessions."""
        return self._parts.name

    @property
    def sessions(self) -> list[OwnedSession]:
        """Those that this gateway owns now."""
        return list(self._sessions.values())

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
            self._leave(address)

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """A place for somebody without a socket. Raises why there is none."""
        self._admit(address)
        try:
            yield
        finally:
            self._leave(address)

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

    def _leave(self, address: str) -> None:
        self._places -= 1
        self._per_address -= Counter({address: 1})

    async def _welcome(self, socket: WebSocket, address: str) -> None:
        hello = await self._hello(socket)
        ticket = await redeem_ticket(self._bus, hello.ticket)
        identity = ticket.identity
        await self._revocations.check(identity)
        if self._draining:
            raise Draining
        owned, resume, resync = await self._session_for(ticket, hello)
        owned.login = identity.login
        await self._check_again(identity, owned)
        reason = await Connection(socket, owned).serve(resume, resync)
        if reason is not None:
            await _refuse(socket, reason)
        elif owned.ending.is_set() and not owned.is_over_for_good:
            await _close(socket, SERVICE_RESTART, "come back")
        else:
            await _close(socket, 1000, "bye")

    async def _check_again(self, identity: Identity, owned: OwnedSession) -> None:
        """What was revoked since the first look was announced before this session could hear of it."""
        try:
            await self._revocations.check(identity)
        except AuthError as refusal:
            owned.end(refusal)
        except SilverTalkError:
            pass  # nobody can be asked now: the first look was a moment ago

    # --- which session -----------------------------------------------------------------------------------------------

    async def _session_for(self, ticket: Ticket, hello: Hello) -> tuple[OwnedSession, Resume | None, str]:
        """The session, from where it is gone on with, and otherwise why not. Raises BusError."""
        user, resync = ticket.identity.user, ""
        if hello.resume is not None:
            lock = self._arriving.setdefault(hello.resume.session, asyncio.Lock())
            async with lock:
                try:
                    return await self._resumed(user, hello, hello.resume), hello.resume, ""
                except Unknown as unknown:
                    resync = unknown.reason
        metrics.OPENED.labels(resync or "new").inc()
        async with self._reserved(ticket):
            owned = await self.open(user, ticket.session, language=hello.language, push_to_talk=hello.push_to_talk)
        return owned, None, resync

    @asynccontextmanager
    async def _reserved(self, ticket: Ticket) -> AsyncIterator[None]:
        """Take up the conversation that the ticket opens, if it names one. Raises ConversationTaken, DatabaseAway."""
        if not ticket.session:
            yield
            return
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(taken_up(self._database, ticket.identity.user, ticket.session))
            except NotFound:  # deleted since the ticket was given
                raise ConversationTaken from None
            yield

    async def _resumed(self, user: str, hello: Hello, resume: Resume) -> OwnedSession:
        """A session of this gateway's, or another's taken over. Raises Unknown, BusError."""
        kept = self._sessions.get(resume.session)
        if kept is not None and kept.ending.is_set():
            await kept.over.wait()  # what it still writes is neither ours to fence nor to read half of
            kept = None
        if kept is None:
            owned = await take_over(self._parts, user, resume, push_to_talk=hello.push_to_talk)
            await self._welcome_session(owned)
            metrics.OPENED.labels("taken_over").inc()
            return owned
        if kept.user != user:
            raise Unknown("unknown_session")
        if not kept.knows((resume.epoch, resume.last_event)):
            raise Unknown("unknown_epoch")
        self._end_others(kept)
        await self._bus.announce_session(user, kept.id, self._parts.name)  # it may have gone unheard the first time
        metrics.OPENED.labels("resumed").inc()
        return kept

    async def open_in_writing(self, identity: Identity, reserved: str, language: Language) -> OwnedSession:
        """A new session of somebody who types, without a socket. Raises BusError."""
        owned = await self.open(identity.user, reserved, language=language, push_to_talk=True)
        owned.login = identity.login
        await self._check_again(identity, owned)
        return owned

    async def open(self, user: str, reserved: str, *, language: Language, push_to_talk: bool) -> OwnedSession:
        """A new session: the one that was `reserved`, if one was. Raises BusError."""
        session = reserved or secrets.token_hex(16)
        if (failed := self._sessions.get(session)) is not None:
            await failed.over.wait()  # an opening of it that nobody was told of
        habits, acquaintance = await known_of(self._parts, user, session)
        journal = await Journal.own(self._bus, session, gateway=self._parts.name)
        try:
            owned = OwnedSession(
                self._parts,
                journal,
                Beginning(
                    session=session,
                    user=user,
                    language=language,
                    push_to_talk=push_to_talk,
                    habits=habits,
                    acquaintance=acquaintance,
                    last_event=1,
                ),
            )
            await journal.append(owned.opened(), number=1)
        except BaseException:
            journal.let_go()
            raise
        owned.start()
        try:
            await self._welcome_session(owned)
        except BaseException:
            owned.end(None)  # nobody will hear of it, so nobody comes back to it
            raise
        log.info("session_opened", session=session, language=language)
        return owned

    async def _welcome_session(self, owned: OwnedSession) -> None:
        """The session is this gateway's from now on, and everybody's who has an older one of this person hears it."""
        self._make_room()
        self._sessions[owned.id] = owned
        self._end_others(owned)  # in the same tick: of two that come at once the later stays, not neither
        forgetting = asyncio.create_task(self._forget(owned), name=f"forget:{owned.id[:8]}")
        self._forgetting.add(forgetting)
        forgetting.add_done_callback(self._forgetting.discard)
        await self._bus.announce_session(owned.user, owned.id, self._parts.name)
        if self._draining:  # it arrived while everybody was being told to leave
            owned.hand_over()

    async def _forget(self, owned: OwnedSession) -> None:
        await owned.over.wait()
        if self._sessions.get(owned.id) is owned:
            del self._sessions[owned.id]

    def _make_room(self) -> None:
        """Who left longest ago is waited for no more, where too many are away."""
        away = [
            owned for owned in self._sessions.values() if not (owned.attendance.has_client or owned.ending.is_set())
        ]
        if len(away) >= self._settings.max_sessions:
            min(away, key=lambda owned: owned.attendance.away_since).end(None)

    def _end_others(self, owned: OwnedSession) -> None:
        """One person has one live session, the newest."""
        for other in self._of(owned.user):
            if other is not owned:
                other.end(SessionReplaced())

    def living(self, user: str) -> OwnedSession | None:
        """The person's conversation, where it goes on here."""
        return next((owned for owned in self._of(user) if not owned.ending.is_set()), None)

    def _of(self, user: str) -> list[OwnedSession]:
        return [owned for owned in self._sessions.values() if owned.user == user]

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

    # --- from elsewhere ----------------------------------------------------------------------------------------------

    async def on_committed(self, record: TurnRecord) -> None:
        """The committer has written a turn."""
        if (owned := self._sessions.get(record.session)) is not None:
            owned.unwritten.committed(record)

    def on_refused(self, record: TurnRecord) -> None:
        """The committer will never write a turn: its person is deleted, or it is no turn."""
        if (owned := self._sessions.get(record.session)) is not None:
            owned.unwritten.refused(record)

    def on_replaced(self, session: str) -> None:
        """Another gateway says that this session's person has a newer one."""
        if (owned := self._sessions.get(session)) is not None:
            owned.end(SessionReplaced())

    def on_moved(self, session: str) -> None:
        """Another gateway has taken this session over."""
        if (owned := self._sessions.get(session)) is not None:
            owned.fenced()

    def on_revoked(self, user: str, login: str) -> None:
        """This person's tokens are worth nothing any more; of one `login` alone, where it is named."""
        for owned in self._of(user):
            if login in ("", owned.login):
                owned.end(TokenRefused())

    async def drain(self) -> None:
        """No new sessions; tell everybody to come back elsewhere, and let each go once its turn in hand is over.

        Returns when all are gone and their turns with the committer.
        """
        self._draining = True
        leaving = [asyncio.create_task(self._let_go(each), name="drain") for each in self.sessions]
        if leaving:
            await asyncio.wait(leaving)

    async def close(self) -> None:
        """Let go of every session as it is: whoever has had enough of draining."""
        for owned in self.sessions:
            owned.hand_over()
        if self._forgetting:
            await asyncio.wait(self._forgetting, timeout=GOODBYE_SECONDS)

    async def _let_go(self, owned: OwnedSession) -> None:
        if owned.attendance.has_client:
            owned.outbox.tell(Reconnect(after_turn=owned.session.turns.number_in_hand), journaled=False)
            ends = [asyncio.create_task(event.wait()) for event in (owned.session.turns.settled, owned.over)]
            await asyncio.wait(ends, timeout=self._settings.drain_seconds, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        owned.hand_over()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await owned.over.wait()


async def _refuse(socket: WebSocket, error: SilverTalkError) -> None:
    """Say why in words, then close with the error's code."""
    problem = problem_told(error)
    await _last_words(socket, problem)
    await _close(socket, error.close_code, error.code)


async def _close_for(socket: WebSocket, error: ProtocolError) -> None:
    await _last_words(socket, fault_told(error))
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
