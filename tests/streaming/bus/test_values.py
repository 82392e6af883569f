"""Values that several processes change: one change at a time, and counters that forget by Redis's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streaming.bus import Bus
from streaming.bus.forgetting import value_keys
from streaming.errors import BusUnavailable
from tests.valkey import Valkey

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""Any 32 bytes."""


@pytest.fixture(params=["", KEY], ids=["plain", "sealed"])
async def bus(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([valkey.url], name="test", key=request.param or None) as opened:
        yield opened


def one_more(value: bytes) -> bytes:
    return str(int(value) + 1).encode()


async def test_no_change_is_lost(bus: Bus, valkey: Valkey) -> None:
    await bus.values.put("a", b"0", 60)
    await asyncio.gather(*(bus.values.change("a", one_more, 90) for _ in range(50)))
    assert await bus.values.get("a") == b"50"
    assert 60 < valkey.client.ttl("silvertalk:value:a") <= 90


async def test_what_is_not_there_and_what_shall_stay(bus: Bus) -> None:
    assert await bus.values.change("a", one_more, 60) is None
    assert await bus.values.get("a") is None
    await bus.values.put("a", b"7", 60)
    assert await bus.values.change("a", lambda value: None, 60) is None
    assert await bus.values.get("a") == b"7"
    assert await bus.values.change("a", lambda value: value + b"0", 60) == b"70"


async def test_what_is_deleted_meanwhile_does_not_come_back(bus: Bus, valkey: Valkey) -> None:
    await bus.values.put("a", b"7", 60)

    def deleted(value: bytes) -> bytes:
        valkey.client.delete("silvertalk:value:a")
        return value

    assert await bus.values.change("a", deleted, 60) is None
    assert await bus.values.get("a") is None


async def test_a_counter_has_a_limit_and_a_day(bus: Bus, valkey: Valkey) -> None:
    async def count(many: int) -> int:
        return await bus.values.count("a", many, limit=5, ttl_seconds=60)

    assert await count(6) == 60_000, "more than there ever can be"
    assert await asyncio.gather(*(count(1) for _ in range(5))) == [0] * 5
    assert 0 < await count(1) <= 60_000
    await bus.values.uncount("a", 2)
    assert await count(3) > 0
    assert await count(2) == 0
    await bus.values.uncount("a", 9)
    assert valkey.client.exists("silvertalk:value:a") == 0
    assert await count(5) == 0
    valkey.client.pexpire("silvertalk:value:a", 500)
    assert 0 < await count(1) <= 500


async def test_keys_that_begin_alike(bus: Bus) -> None:
    for key in ("a:1", "a:2", "b:1"):
        await bus.values.put(key, b"", 60)
    assert sorted([key async for key in value_keys(bus, "a:")]) == ["a:1", "a:2"]


async def test_while_redis_is_away(own_valkey: Valkey) -> None:
    async with Bus.open([own_valkey.url], name="test") as bus:
        own_valkey.kill()
        with pytest.raises(BusUnavailable):
            await bus.values.change("a", one_more, 60)
        with pytest.raises(BusUnavailable):
            await bus.values.count("a", 1, limit=1, ttl_seconds=60)
