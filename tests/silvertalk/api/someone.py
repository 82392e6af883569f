"""People who ask, each with a client of their own, over both databases."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from silvertalk.database import Database
from silvertalk.setting_values import database_url
from tests.postgres import Postgres
from tests.silvertalk.api.conftest import Serve


@dataclass(frozen=True)
class Someone:
    """A guest. `client` carries their token."""

    user: str
    client: httpx.AsyncClient
    database: Database

    async def ask(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """The JSON of the answer, which has this status."""
        answer = await self.client.request(method, path, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


Arrive = Callable[[], Awaitable[Someone]]


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as opened:
        await opened.wait_ready()
        yield opened


@asynccontextmanager
async def guest_of(served: httpx.AsyncClient, database: Database) -> AsyncIterator[Someone]:
    """Somebody new at this server."""
    token = (await served.post("/auth/guest")).json()["access_token"]
    payload = token.split(".")[1]
    user = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    proof = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=served.base_url, headers=proof, trust_env=False, timeout=30) as client:
        yield Someone(user, client, database)


@pytest.fixture
async def arrive(database: Database, serve: Serve) -> AsyncIterator[Arrive]:
    """Somebody new each time, at one and the same server, which ends before its database does."""
    served = await serve({"allow_guests": True, "guests_per_minute": 100}, database=database)
    async with AsyncExitStack() as stack:

        async def somebody() -> Someone:
            return await stack.enter_async_context(guest_of(served, database))

        yield somebody


@pytest.fixture
async def me(arrive: Arrive) -> Someone:
    return await arrive()


@pytest.fixture
async def other(arrive: Arrive) -> Someone:
    return await arrive()
