"""One connection for everybody: replies find whoever asked, whatever becomes of callers and connections."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streaming.bus import Bus
from streaming.bus.link import Command, Link, Reply
from streaming.errors import BusError, BusUnavailable
from tests.redis_proxy import RedisProxy
from tests.streaming.bus.parts import QUICK, until
from tests.valkey import Valkey


def main_link(bus: Bus) -> Link:
    return bus.server_for("any").main


async def test_replies_come_to_whoever_asked(valkey: Valkey, gateway: Bus) -> None:
    link = main_link(gateway)
    numbers = range(500)
    replies = await asyncio.gather(*(link.ask("ECHO", str(number)) for number in numbers))
    assert [int(reply) for reply in replies] == list(numbers)


async def test_an_error_is_one_callers_own(gateway: Bus) -> None:
    link = main_link(gateway)
    good, bad, other = await asyncio.gather(
        link.ask("ECHO", "a"), link.ask("XADD", "nonsense"), link.ask("ECHO", "b"), return_exceptions=True
    )
    assert (good, other) == (b"a", b"b")
    assert isinstance(bad, BusError)


async def test_cancelled_callers_do_not_mix_up_replies(proxy: RedisProxy) -> None:
    """The reply to a cancelled question comes late, and goes to nobody."""
    async with Bus.open([proxy.url], name="far", limits=replace(QUICK, reply_seconds=5)) as bus:
        link = main_link(bus)
        await link.ask("PING")
        for number in range(50):
            proxy.set_replies("hold")
            cancelled = asyncio.create_task(link.ask("ECHO", f"cancelled {number}"))
            await asyncio.sleep(0.001 * (number % 3))
            cancelled.cancel()
            asked = asyncio.create_task(link.ask("ECHO", f"asked {number}"))
            await asyncio.sleep(0)
            proxy.set_replies("pass")
            assert await asked == f"asked {number}".encode()
        assert proxy.connections == 1


async def test_what_was_cancelled_before_it_was_sent_is_never_sent(valkey: Valkey, proxy: RedisProxy) -> None:
    proxy.accepting = False
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        link = main_link(bus)
        asking = asyncio.create_task(link.ask("SET", "silvertalk:x", 1, "PX", 1_000, patience=30))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.wait({asking})
        proxy.accepting = True
        assert await link.ask("EXISTS", "silvertalk:x", patience=30) == 0


async def test_no_connection_is_unavailable(proxy: RedisProxy) -> None:
    proxy.accepting = False
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        with pytest.raises(BusUnavailable):
            await main_link(bus).ask("PING", patience=0.05)
        assert await bus.ping() == {proxy.url: False}
        proxy.accepting = True
        assert await main_link(bus).ask("PING", patience=30) == b"PONG"


async def test_a_loss_and_its_end_are_logged_with_their_fields(
    proxy: RedisProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.accepting = False
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        link = main_link(bus)
        await link.tried.wait()
        proxy.accepting = True
        await link.ask("PING", patience=30)
    told = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    lost, back = (next(one for one in told if one["event"] == event) for event in ("redis_lost", "redis_back"))
    assert lost["name"] == back["name"] == f"bus {proxy.url} main"
    assert lost["reason"] and "dropped" not in lost | back


async def test_an_overdue_reply_gives_up_the_connection(proxy: RedisProxy) -> None:
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        link = main_link(bus)
        await link.ask("PING")
        proxy.set_replies("drop")
        with pytest.raises(BusUnavailable):
            await link.ask("PING")
        proxy.set_replies("pass")
        assert await link.ask("PING", patience=30) == b"PONG"
        assert proxy.connections == 2
        await until(lambda: proxy.open == 1)


async def test_a_lost_question_is_not_repeated(valkey: Valkey, proxy: RedisProxy) -> None:
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        link = main_link(bus)
        await link.ask("SET", "silvertalk:count", 0, "PX", 60_000)
        for _ in range(5):
            proxy.lose_replies_after(b"INCR")
            asking = asyncio.create_task(link.ask("INCR", "silvertalk:count", patience=30))
            await until(lambda: proxy.losing)
            proxy.cut()
            with pytest.raises(BusUnavailable):
                await asking
        assert valkey.client.get("silvertalk:count") == b"5"


async def test_closing_leaves_no_task_and_no_connection(valkey: Valkey, proxy: RedisProxy) -> None:
    before = asyncio.all_tasks()
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        await main_link(bus).ask("PING")
        waiting = asyncio.create_task(bus.claims.next(1))
        await until(lambda: proxy.connections == 2)
        await until(lambda: valkey.blocked_reads() == 1)
        waiting.cancel()
        await asyncio.wait({waiting})
    await until(lambda: proxy.open == 0)
    assert {task.get_name() for task in asyncio.all_tasks() - before if "bus" in task.get_name()} == set()


async def test_a_mistake_of_ours_is_loud(valkey: Valkey) -> None:
    class Broken:
        def pull(self) -> Sequence[Command]:
            raise ZeroDivisionError

        def replied(self, replies: Sequence[Reply]) -> None: ...

        def broke(self) -> None: ...

        def closed(self, reason: BusError) -> None: ...

    with pytest.raises(ZeroDivisionError):
        async with Bus.open([valkey.url], name="g", limits=QUICK) as bus:
            main_link(bus).mark(Broken())
            await until(lambda: bus.server_for("any").crash)


async def test_a_crowd_comes_back_spread_out(own_valkey: Valkey) -> None:
    """Connections are dialled again for as long as it takes, and work when the server is there."""
    async with Bus.open([own_valkey.url], name="g", limits=QUICK) as bus:
        for _ in range(3):
            own_valkey.kill()
            with pytest.raises(BusUnavailable):
                await main_link(bus).ask("PING", patience=0.1)
            own_valkey.start()
            assert await main_link(bus).ask("PING", patience=30) == b"PONG"
