"""The server's own part of a connection: it does not outlive its end."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from silvertalk import serving
from silvertalk.serving import Server, VoiceSocket


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """Says more than any buffer holds, gives up after a moment, and closes."""
    await receive()
    await send({"type": "websocket.accept"})
    try:
        async with asyncio.timeout(0.5):
            while True:
                await send({"type": "websocket.send", "bytes": bytes(1 << 20)})
    except TimeoutError:
        pass
    try:
        async with asyncio.timeout(0.2):
            await send({"type": "websocket.close", "code": 4408})
    except TimeoutError:
        pass


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LINGER_SECONDS", 0.2)
    server = Server(uvicorn.Config(flood, port=0, ws=VoiceSocket, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(0.01)
    address = server.servers[0].sockets[0].getsockname()
    with socket.create_connection(address) as client:
        client.sendall(HANDSHAKE)
        async with asyncio.timeout(20):
            while not server.server_state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while server.server_state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    server.should_exit = True
    await running
