"""The door of `/v1/talk`: who may come in, how many at once, and how everybody is let go.

A connection is: origin, place, `hello` with its ticket, then the conversation (`silvertalk.connection`) until it ends.
What is refused is refused before anything is allocated.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from silvertalk import metrics
from silvertalk.auth import check_origin
from silvertalk.committer import Committer
from silvertalk.connection import Connection, Parts, problem_of
from silvertalk.errors import (
    AddressFull,
    Draining,
    OriginRefused,
    ServerFull,
    SessionReplaced,
    SilverTalkError,
    TokenRefused,
    translated,
)
from silvertalk.listening import VadService
from silvertalk.reader import receive
from silvertalk.settings import Settings
from silvertalk.tickets import redeem_ticket
from streaming.bus import Bus
from streaming.errors import ProtocolError
from streaming.logs import logger
from streaming.messages import TurnRecord
from streaming.protocol import (
    Hello,
    Problem,
    Reconnect,
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

    def __init__(self, settings: Settings, bus: Bus, vad: VadService, committer: Committer) -> None:
        self._settings = settings
        self._bus = bus
        self._committer = committer
        self._origins = settings.origins()
        self._parts = Parts(settings, bus, vad, committer, name=f"gateway-{secrets.token_hex(6)}")
        self._connections: set[Connection] = set()
        self._places = 0
        self._per_address: Counter[str] = Counter()
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
        connection = Connection(identity.user, self._parts)
        for other in [known for known in self._connections if known.user == identity.user]:
            other.leave(SessionReplaced())
        self._connections.add(connection)
        try:
            await connection.converse(socket, hello)
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

    # --- from elsewhere ----------------------------------------------------------------------------------------------

    async def on_committed(self, record: TurnRecord) -> None:
        """The committer has written a turn."""
        for connection in self._connections:
            if connection.session is not None and connection.session.id == record.session:
                connection.session.committed(record)

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


async def _refuse(socket: WebSocket, error: SilverTalkError) -> None:
    """Say why in words, then close with the error's code."""
    problem = Problem(
        code=error.code, retryable=error.retryable, message_ko=error.message_ko, message_en=error.message_en
    )
    await _last_words(socket, problem)
    await _close(socket, error.close_code, error.code)


async def _close_for(socket: WebSocket, error: ProtocolError) -> None:
    await _last_words(socket, problem_of(error))
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
