"""The single writer of a fenced stream, on a real Valkey, near and far, alive and killed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming.bus import Bus, StreamWriter
from streaming.bus.entries import read
from streaming.bus.seal import Sealer
from streaming.bus.writer import OnLost
from streaming.errors import BusError, BusFull, BusUnavailable, Fenced, StreamGone
from streaming.messages import AudioBatch, CloseTurn
from tests.redis_proxy import RedisProxy, redis_proxy
from tests.streaming.bus.parts import QUICK, batch, until
from tests.valkey import Valkey

KEY = "silvertalk:test"


def make_stream(valkey: Valkey, first: str = "0-1") -> None:
    """A stream as a gateway makes it: nothing else may."""
    valkey.client.xadd(KEY, {"gateway": b""}, id=first)
    valkey.client.pexpire(KEY, 60_000)


def a_writer(bus: Bus, term: int = 1, *, on_lost: OnLost | None = None) -> StreamWriter:
    server = bus.server_for("any")
    return StreamWriter(
        server.main, KEY, term, sealer=server.sealer, limits=server.limits, ttl_ms=60_000, on_lost=on_lost
    )


def stored(valkey: Valkey) -> list[tuple[str, int]]:
    """(id, number of the batch) of everything in the stream."""
    found = read(KEY, valkey.entries(KEY), Sealer(None))
    return [(entry_id, message.first_sample // 320) for entry_id, message in found if isinstance(message, AudioBatch)]


# --- ids and order ---------------------------------------------------------------------------------------------------


async def test_ids_are_term_and_sequence(valkey: Valkey, gateway: Bus) -> None:
    make_stream(valkey)
    writer = a_writer(gateway, 7)
    assert await writer.append(batch(1)) == "7-1"
    assert await writer.append(batch(2)) == "7-2"
    assert await writer.append(batch(9), sequence=9) == "7-9"
    assert writer.last_sequence == 9
    assert stored(valkey) == [("7-1", 1), ("7-2", 2), ("7-9", 9)]


async def test_a_sequence_must_grow(valkey: Valkey, gateway: Bus) -> None:
    make_stream(valkey)
    writer = a_writer(gateway)
    await writer.append(batch(5), sequence=5)
    with pytest.raises(ValueError, match="sequence 5 after 5"):
        await writer.append(batch(5), sequence=5)
    assert stored(valkey) == [("1-5", 5)]


async def test_what_is_queued_keeps_its_order_with_what_is_awaited(valkey: Valkey, gateway: Bus) -> None:
    make_stream(valkey)
    writer = a_writer(gateway)
    for number in range(1, 50):
        writer.append_soon(batch(number))
    assert await writer.append(batch(50)) == "1-50"
    assert [number for _, number in stored(valkey)] == list(range(1, 51))


async def test_writers_of_a_process_share_their_round_trips(valkey: Valkey, gateway: Bus) -> None:
    keys = [f"silvertalk:test:{number}" for number in range(20)]
    for key in keys:
        valkey.client.xadd(key, {"gateway": b""}, id="0-1")
        valkey.client.pexpire(key, 60_000)
    server = gateway.server_for("any")
    writers = [
        StreamWriter(server.main, key, 1, sealer=server.sealer, limits=server.limits, ttl_ms=60_000) for key in keys
    ]
    before = valkey.client.info("stats")["total_reads_processed"]
    await asyncio.gather(*(writer.append(batch(1)) for writer in writers))
    after = valkey.client.info("stats")["total_reads_processed"]
    assert after - before <= 3  # Twenty appends in one read of the socket; the two INFO read it as well.


# --- fences ----------------------------------------------------------------------------------------------------------


async def test_a_higher_term_fences_the_lower(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    make_stream(valkey)
    older, newer = a_writer(gateway, 1), a_writer(node, 2)
    await older.append(batch(1))
    await newer.append(batch(2))
    with pytest.raises(Fenced):
        await older.append(batch(3))
    with pytest.raises(Fenced):
        older.append_soon(batch(4))
    await newer.append(batch(5))
    assert stored(valkey) == [("1-1", 1), ("2-1", 2), ("2-2", 5)]


async def test_the_same_term_with_another_mark_is_fenced(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """Two holders of one number cannot happen while the counter lives; if it was lost, the mark still tells them
    apart."""
    make_stream(valkey)
    first, second = a_writer(gateway, 3), a_writer(node, 3)
    await first.append(batch(1))
    with pytest.raises(Fenced):
        await second.append(batch(2))
    assert stored(valkey) == [("3-1", 1)]


async def test_a_queued_message_that_is_fenced_is_told(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    make_stream(valkey)
    losses: list[BusError] = []
    older, newer = a_writer(gateway, 1, on_lost=losses.append), a_writer(node, 2)
    await newer.append(batch(1))
    older.append_soon(batch(2))
    with pytest.raises(Fenced):
        await older.flush()
    await until(lambda: losses)
    assert [type(loss) for loss in losses] == [Fenced]


async def test_a_stream_is_never_created_by_writing(valkey: Valkey, gateway: Bus) -> None:
    writer = a_writer(gateway)
    with pytest.raises(StreamGone):
        await writer.append(batch(1))
    assert not valkey.client.exists(KEY)
    writer = a_writer(gateway)
    for number in range(1, 4):
        writer.append_soon(batch(number))
    with pytest.raises(StreamGone):
        await writer.flush()
    assert not valkey.client.exists(KEY)


# --- connections that go ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
async def test_a_lost_reply_makes_no_second_entry(valkey: Valkey, proxy: RedisProxy, count: int) -> None:
    make_stream(valkey)
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        writer = a_writer(bus)
        await writer.append(batch(1))
        proxy.lose_replies_after(b"XADD")
        for number in range(2, 2 + count):
            writer.append_soon(batch(number))
        await until(lambda: proxy.losing)
        await until(lambda: len(stored(valkey)) == 1 + count)  # Redis has it, the writer does not know.
        proxy.cut()
        await writer.flush()
        assert await writer.append(batch(2 + count)) == f"1-{2 + count}"
    assert [number for _, number in stored(valkey)] == list(range(1, 3 + count))


async def test_a_reply_that_comes_too_late_makes_no_second_entry(valkey: Valkey, proxy: RedisProxy) -> None:
    make_stream(valkey)
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        writer = a_writer(bus)
        await writer.append(batch(1))
        connections = proxy.connections
        proxy.set_replies("hold")
        writer.append_soon(batch(2))
        await until(lambda: proxy.connections > connections)  # The writer's patience with its reply has ended.
        proxy.set_replies("pass")
        await writer.flush()
        await writer.append(batch(3))
    assert [number for _, number in stored(valkey)] == [1, 2, 3]


async def test_a_request_that_comes_after_its_repetition_is_refused(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """The bytes of a connection given up may still reach Redis, after the same message went through another."""
    make_stream(valkey)
    writer = a_writer(gateway)
    await writer.append(batch(1))
    late = gateway.server_for("any").main.call(("XADD", KEY, "NOMKSTREAM", "1-1", writer.mark, "late"))
    assert "equal or smaller" in str((await late)[0])
    assert stored(valkey) == [("1-1", 1)]


async def test_a_request_that_never_arrived_is_sent_again(valkey: Valkey, proxy: RedisProxy) -> None:
    make_stream(valkey)
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        writer = a_writer(bus)
        await writer.append(batch(1))
        proxy.set_requests("drop")
        writer.append_soon(batch(2))
        await asyncio.sleep(0.05)
        proxy.cut()
        await writer.flush()
    assert [number for _, number in stored(valkey)] == [1, 2]


async def test_a_reply_lost_to_a_fence_is_a_fence(valkey: Valkey, proxy: RedisProxy, gateway: Bus) -> None:
    make_stream(valkey)
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        older, newer = a_writer(bus, 1), a_writer(gateway, 2)
        await older.append(batch(1))
        proxy.set_requests("drop")
        older.append_soon(batch(2))
        await newer.append(batch(3))
        await asyncio.sleep(0.05)
        proxy.cut()
        with pytest.raises(Fenced):
            await older.flush()
    assert [number for _, number in stored(valkey)] == [1, 3]


async def test_writing_goes_on_after_many_cuts(valkey: Valkey, proxy: RedisProxy) -> None:
    make_stream(valkey)
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        writer = a_writer(bus)
        for number in range(1, 301):
            writer.append_soon(batch(number))
            if number % 20 == 0:
                await asyncio.sleep(0.01)
                proxy.cut()
        await writer.flush()
        assert proxy.connections >= 5
    assert [number for _, number in stored(valkey)] == list(range(1, 301))


async def test_a_server_that_kept_its_data_is_gone_on_with(durable_valkey: Valkey) -> None:
    make_stream(durable_valkey)
    async with Bus.open([durable_valkey.url], name="near", limits=QUICK) as bus:
        writer = a_writer(bus)
        await writer.append(batch(1))
        durable_valkey.kill()
        waiting = asyncio.create_task(writer.append(batch(2)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        durable_valkey.start()
        assert await waiting == "1-2"
    assert [number for _, number in stored(durable_valkey)] == [1, 2]


async def test_a_server_that_came_back_empty_is_noticed(own_valkey: Valkey) -> None:
    make_stream(own_valkey)
    async with Bus.open([own_valkey.url], name="near", limits=QUICK) as bus:
        writer = a_writer(bus)
        await writer.append(batch(1))
        own_valkey.kill()
        own_valkey.start()
        with pytest.raises(StreamGone):
            await writer.append(batch(2))


async def test_a_server_that_came_back_without_its_last_second_is_noticed(own_valkey: Valkey) -> None:
    """Otherwise the writer would go on behind a gap that nobody ever hears of."""
    make_stream(own_valkey)
    async with Bus.open([own_valkey.url], name="near", limits=QUICK) as bus:
        writer = a_writer(bus)
        for number in range(1, 5):
            await writer.append(batch(number))
        dump: Any = own_valkey.client.dump(KEY)
        await writer.append(batch(5))
        own_valkey.kill()
        own_valkey.start()
        own_valkey.client.restore(KEY, 60_000, dump)
        link = bus.server_for("any").main
        await until(lambda: link.connections == 2 and link.up.is_set())
        with pytest.raises(StreamGone, match="ends at 1-4"):
            await writer.append(batch(6))


async def test_a_server_away_too_long_ends_the_writer(own_valkey: Valkey) -> None:
    make_stream(own_valkey)
    limits = replace(QUICK, writer_patience_seconds=0.2)
    async with Bus.open([own_valkey.url], name="near", limits=limits) as bus:
        losses: list[BusError] = []
        writer = a_writer(bus, on_lost=losses.append)
        own_valkey.kill()
        with pytest.raises(BusUnavailable):
            await writer.append(batch(1))
        with pytest.raises(BusUnavailable):
            writer.append_soon(batch(2))
        await until(lambda: losses)
        assert [type(loss) for loss in losses] == [BusUnavailable]


async def test_closing_the_bus_ends_its_writers(valkey: Valkey) -> None:
    make_stream(valkey)
    async with Bus.open([valkey.url], name="near", limits=QUICK) as bus:
        writer = a_writer(bus)
        await writer.append(batch(1))
    with pytest.raises(BusUnavailable):
        await writer.append(batch(2))


# --- bounds ----------------------------------------------------------------------------------------------------------


async def test_what_waits_is_bounded(valkey: Valkey, proxy: RedisProxy) -> None:
    make_stream(valkey)
    limits = replace(QUICK, max_pending_entries=10, reply_seconds=5)
    async with Bus.open([proxy.url], name="far", limits=limits) as bus:
        writer = a_writer(bus)
        proxy.set_requests("hold")
        for number in range(1, 11):
            writer.append_soon(batch(number))
        with pytest.raises(BusFull):
            writer.append_soon(batch(11))
        proxy.set_requests("pass")
        await writer.flush()
        assert writer.pending_bytes == 0
        assert await writer.append(batch(11)) == "1-11"
    assert [number for _, number in stored(valkey)] == list(range(1, 12))


async def test_what_waits_is_bounded_in_bytes(valkey: Valkey, proxy: RedisProxy) -> None:
    make_stream(valkey)
    limits = replace(QUICK, max_pending_bytes=2_000, reply_seconds=5)
    async with Bus.open([proxy.url], name="far", limits=limits) as bus:
        writer = a_writer(bus)
        proxy.set_requests("hold")
        writer.append_soon(batch(1, 1_500))
        with pytest.raises(BusFull):
            writer.append_soon(batch(2, 1_500))
        proxy.set_requests("pass")
        await writer.flush()


async def test_a_stream_is_bounded_but_can_be_ended(valkey: Valkey) -> None:
    make_stream(valkey)
    async with Bus.open([valkey.url], name="near", limits=replace(QUICK, max_stream_entries=3)) as bus:
        writer = a_writer(bus)
        for number in range(1, 4):
            await writer.append(batch(number))
        with pytest.raises(BusFull):
            await writer.append(batch(4))
        assert await writer.finish(CloseTurn(reason="done")) == "1-4"


async def test_redis_out_of_memory_is_full_and_passes(own_valkey: Valkey) -> None:
    make_stream(own_valkey)
    async with Bus.open([own_valkey.url], name="near", limits=QUICK) as bus:
        writer = a_writer(bus)
        assert await writer.append(batch(1)) == "1-1"
        own_valkey.client.config_set("maxmemory", 1)
        with pytest.raises(BusFull):
            await writer.append(batch(2))
        for number in (3, 4, 5):
            writer.append_soon(batch(number))
        with pytest.raises(BusFull):
            await writer.flush()
        own_valkey.client.config_set("maxmemory", 0)
        assert await writer.append(batch(6)) == "1-2"
    assert stored(own_valkey) == [("1-1", 1), ("1-2", 6)]


async def test_a_shortage_of_memory_that_passes_in_time_loses_nothing(own_valkey: Valkey) -> None:
    make_stream(own_valkey)
    async with Bus.open([own_valkey.url], name="near", limits=replace(QUICK, full_seconds=30)) as bus:
        writer = a_writer(bus)
        own_valkey.client.config_set("maxmemory", 1)
        for number in range(1, 6):
            writer.append_soon(batch(number))
        await until(lambda: own_valkey.calls().get("multi", 0) + own_valkey.calls().get("xadd", 0) > 3)
        own_valkey.client.config_set("maxmemory", 0)
        await writer.flush()
    assert [number for _, number in stored(own_valkey)] == [1, 2, 3, 4, 5]


# --- time to live ----------------------------------------------------------------------------------------------------


async def test_writing_prolongs_the_streams_life(valkey: Valkey, gateway: Bus) -> None:
    make_stream(valkey)
    server = gateway.server_for("any")
    writer = StreamWriter(server.main, KEY, 1, sealer=server.sealer, limits=server.limits, ttl_ms=800)
    valkey.client.pexpire(KEY, 800)
    for number in range(1, 13):
        await writer.append(batch(number))
        await asyncio.sleep(0.1)
    assert len(stored(valkey)) == 12
    assert valkey.ttl_ms(KEY) > 0
    assert valkey.calls()["pexpire"] < 10  # Not with every message.


# --- cancellation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticks", range(12))
async def test_a_cancelled_append_loses_nothing(valkey: Valkey, gateway: Bus, ticks: int) -> None:
    """Cancelling stops the waiting, at whichever step it comes; what was taken is written, once and in its place."""
    make_stream(valkey)
    writer = a_writer(gateway)
    writer.append_soon(batch(1))
    waiting = asyncio.create_task(writer.append(batch(2)))
    await asyncio.sleep(0)
    for _ in range(ticks):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    writer.append_soon(batch(3))
    await writer.flush()
    assert [number for _, number in stored(valkey)] == [1, 2, 3]


async def test_a_proxy_path_is_short_enough(valkey: Valkey, short_path: Path) -> None:
    """The fixtures themselves: two proxies in one folder serve two buses."""
    async with redis_proxy(valkey.socket, short_path / "a") as one, redis_proxy(valkey.socket, short_path / "b") as two:
        async with Bus.open([one.url, two.url], name="both", limits=QUICK) as bus:
            assert set((await bus.ping()).values()) == {True}
        await until(lambda: one.open == two.open == 0)
