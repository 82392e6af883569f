"""Buses on the test's own Valkey."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from streaming.bus import Bus
from tests.redis_proxy import RedisProxy, redis_proxy
from tests.streaming.bus.parts import QUICK
from tests.valkey import Valkey


@pytest.fixture
async def gateway(valkey: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([valkey.url], name="gateway", limits=QUICK) as bus:
        yield bus


@pytest.fixture
async def node(valkey: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([valkey.url], name="node", limits=QUICK) as bus:
        yield bus


@pytest.fixture
async def other_node(valkey: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([valkey.url], name="other-node", limits=QUICK) as bus:
        yield bus


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="bus") as folder:
        yield Path(folder)


@pytest.fixture
async def proxy(valkey: Valkey, short_path: Path) -> AsyncIterator[RedisProxy]:
    """An unkind way to the test's Valkey."""
    async with redis_proxy(valkey.socket, short_path / "p") as between:
        yield between
