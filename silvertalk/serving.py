"""The gateway as a process: uvicorn under our own signals, since its own would close every conversation at once.

SIGTERM or SIGINT: no new sessions, clients are told to come back elsewhere, turns in hand finish and are committed,
then the server stops. A second signal stops it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from silvertalk.app import Parts, running
from silvertalk.port import bound, refusal
from silvertalk.settings import Settings
from streaming import notify
from streaming.logs import logger

log = logger("serving")

MAX_CONTROL_FRAME_BYTES = 64 * 1024
"""The largest WebSocket message taken off the wire; the protocol's own limits are far below."""
COMMIT_SECONDS = 5.0
"""After the last conversation: how long the database may still take."""


LINGER_SECONDS = 5.0
"""How long a connection that has been closed may take for its last bytes: a client that reads nothing takes none."""


class VoiceSocket(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, which is torn down where a closed connection does not empty itself."""

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


class Server(uvicorn.Server):
    """uvicorn, with its signal handlers left out."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except OSError as error:  # another was bound to the port too, and was the first to listen
            raise refusal(error, self.config.host, self.config.port) from None
        if self.started:
            notify.ready()


def server_of(parts: Parts) -> Server:
    """A server for these parts, not started."""
    settings = parts.settings
    config = uvicorn.Config(
        parts.app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        ws=VoiceSocket,
        ws_max_size=MAX_CONTROL_FRAME_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,  # it would write query strings
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=5,
    )
    return Server(config)


async def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises ConfigurationError where the port cannot be had."""
    async with contextlib.AsyncExitStack() as stack:
        sockets = [stack.enter_context(one) for one in bound(settings.host, settings.port)]
        parts = await stack.enter_async_context(running(settings))
        server = server_of(parts)
        told = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if told.is_set():
                server.force_exit = True
                server.should_exit = True
            told.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(_stop_when(told, server, parts), name="stop")
            await server.serve(sockets)
            stopping.cancel()


async def _stop_when(told: asyncio.Event, server: Server, parts: Parts) -> None:
    await told.wait()
    notify.stopping()
    log.info("draining")
    parts.notices.feeds.close()
    await parts.gateway.drain()
    left = await parts.committer.drain(COMMIT_SECONDS)
    log.info("drained", backlog=left)
    server.should_exit = True
