"""The API on a real server and a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from silvertalk.api.rest import rest
from silvertalk.api.services import Services
from silvertalk.database import Database
from silvertalk.jobs import Jobs
from silvertalk.media.door import media_routes
from silvertalk.media.store import open_media
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.services.kakao import Kakao
from silvertalk.settings import Settings
from streaming.bus import Bus
from tests.valkey import Valkey

Serve = Callable[..., Awaitable[httpx.AsyncClient]]


@asynccontextmanager
async def serving(app_on: Callable[[int], ASGIApp]) -> AsyncIterator[str]:
    """A server for what `app_on(port)` makes; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app_on(port), log_config=None, lifespan="off", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listener]), name="server")
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            await task


@pytest.fixture
async def serve(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts an API with the settings and services a test wants; gives a client for it."""
    async with AsyncExitStack() as stack:

        async def start(settings: dict[str, Any] | None = None, **services: Any) -> httpx.AsyncClient:
            chosen = Settings(data_dir=tmp_path / "var", **(settings or {}))
            bus = services.pop("bus", None) or await stack.enter_async_context(Bus.open([valkey.url], name="api"))
            database = services.pop("database", None) or Database(chosen.database)
            parts: dict[str, Any] = {
                "bus": bus,
                "database": database,
                "media": await stack.enter_async_context(open_media(chosen)),
                "jobs": Jobs(database),
                "notices": Notices(bus, database),
                "kakao": await stack.enter_async_context(Kakao(chosen)),
                "revocations": await stack.enter_async_context(Revocations(bus, database)),
            } | services

            def app_on(port: int) -> ASGIApp:
                """As the gateway mounts it."""
                api = rest(Services.of(chosen, **parts, origins=chosen.origins(port)))
                return Starlette(routes=[*media_routes(parts["media"], chosen.origins(port)), Mount("/", app=api)])

            url = await stack.enter_async_context(serving(app_on))
            return await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False, timeout=30))

        yield start


@pytest.fixture
async def client(serve: Serve) -> httpx.AsyncClient:
    return await serve()


@pytest.fixture
async def bus(valkey: Valkey) -> AsyncIterator[Bus]:
    """The bus of the API's clients, to look behind it."""
    async with Bus.open([valkey.url], name="test") as opened:
        yield opened
