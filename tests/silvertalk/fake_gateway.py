"""A gateway without the system behind it: real HTTP, a real WebSocket, the real protocol, and scripted turns.

What it hears it judges by loudness, what it answers stands in its scripts, one a turn (the last one stays). A
client that lost its connection finds its session again. For tests of what talks to a gateway, which has its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from silvertalk.page import Page
from streaming import protocol
from tests.silvertalk.fake_session import OUTPUT_RATE, RATE, FakeSession, Script

__all__ = ["OUTPUT_RATE", "RATE", "FakeGateway", "FakeSession", "Script"]


@dataclass
class FakeGateway:
    """Start it with `serve`; it remembers what it was told."""

    scripts: Sequence[Script] = (Script(),)
    wait_ms: int = 200
    url: str = ""
    heard: list[protocol.ClientMessage] = field(default_factory=list)
    guests: list[str] = field(default_factory=list)
    sockets: int = 0
    nodes: int = 1
    resume_seconds: int = 120
    patience: float = 1.0
    takes_over: bool = False
    """Whoever comes back finds another gateway, of the next epoch."""
    refusals: list[int] = field(default_factory=list)
    """Close codes with which the next ones are refused."""
    sessions: dict[str, FakeSession] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    """Access tokens that are worth nothing any more."""
    _tickets: set[str] = field(default_factory=set)
    _tickets_given: int = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeGateway]:
        """Listen on a free port of this machine until left."""
        routes = [
            Route("/auth/guest", self._guest, methods=["POST"]),
            Route("/v1/talk/ticket", self._ticket, methods=["POST"]),
            Route("/auth/kakao", lambda request: JSONResponse({"available": False})),
            Route("/readyz", self._readyz),
            Route("/demo{name:path}", Page()),
            WebSocketRoute("/v1/talk", self._talk),
        ]
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off", ws="websockets-sansio")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="fake gateway")
        try:
            yield self
        finally:
            server.should_exit = True
            await asyncio.wait([serving])
            listening.close()
            for session in self.sessions.values():
                await session.end()

    @property
    def session(self) -> FakeSession:
        """The newest."""
        return list(self.sessions.values())[-1]

    @property
    def microphone(self) -> bytearray:
        """All the newest session has received."""
        return self.session.microphone

    async def drain(self) -> None:
        """As a gateway that is shut down: say so, and let everybody go."""
        for session in self.sessions.values():
            await session.tell(protocol.Reconnect(after_turn=0))
            if session.websocket is not None:
                await session.websocket.close(1012, "draining")

    async def _guest(self, request: Request) -> JSONResponse:
        body = await request.json()
        guest = body.get("guest_id") or f"guest-{len(self.guests)}"
        self.guests.append(guest)
        return JSONResponse(
            {"guest_id": guest, "access_token": f"token-of-{guest}-{len(self.guests)}", "expires_in": 1800}
        )

    async def _readyz(self, request: Request) -> JSONResponse:
        parts = {"bus": "up", "database": "up", "nodes": str(self.nodes)}
        return JSONResponse({"ready": bool(self.nodes), "parts": parts}, status_code=200 if self.nodes else 503)

    async def _ticket(self, request: Request) -> JSONResponse:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token.startswith("token-of-") or token in self.expired:
            return JSONResponse({"code": "token_missing", "detail": "no token"}, status_code=401)
        self._tickets_given += 1
        ticket = f"ticket-{self._tickets_given}"
        self._tickets.add(ticket)
        return JSONResponse({"ticket": ticket, "expires_in": 30, "path": "/v1/talk"})

    async def _talk(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.sockets += 1
        with contextlib.suppress(WebSocketDisconnect, KeyError):  # KeyError: it left before it said a word.
            hello = protocol.decode_client(await websocket.receive_text())
            if not isinstance(hello, protocol.Hello) or hello.ticket not in self._tickets:
                await websocket.close(4401, "ticket_refused")
                return
            self._tickets.discard(hello.ticket)
            if self.refusals:
                await websocket.close(self.refusals.pop(0), "scripted")
                return
            self.heard.append(hello)
            await self._converse(websocket, hello)

    async def _converse(self, websocket: WebSocket, hello: protocol.Hello) -> None:
        session = self.sessions.get(hello.resume.session) if hello.resume is not None else None
        if session is not None and hello.resume is not None and session.knows(hello.resume):
            await session.reopen(websocket, hello.resume, take_over=self.takes_over)
        else:
            resync = "" if hello.resume is None else "unknown_epoch" if session is not None else "unknown_session"
            session = FakeSession(
                id=f"s{self.sockets}",
                hello=hello,
                scripts=list(self.scripts),
                wait_ms=self.wait_ms,
                resume_seconds=self.resume_seconds,
                patience=self.patience,
                heard=self.heard,
            )
            self.sessions[session.id] = session
            await session.open(websocket, resync=resync)
        if await session.listen(websocket):
            await session.end()
            await websocket.close(1000)
