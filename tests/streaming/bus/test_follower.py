"""One blocking read over many streams."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streaming.bus import Bus
from streaming.bus.entries import Entry
from streaming.errors import BusError, MessageError, StreamGone
from streaming.messages import encode
from tests.redis_proxy import RedisProxy
from tests.streaming.bus.parts import QUICK, Receiver, batch, until
from tests.valkey import Valkey


def add(valkey: Valkey, key: str, *numbers: int, term: int = 1) -> None:
    for number in numbers:
        valkey.client.xadd(key, {"mark": encode(batch(number))}, id=f"{term}-{number}")
    valkey.client.pexpire(key, 60_000)


async def test_streams_come_and_go_while_the_read_is_blocked(valkey: Valkey, gateway: Bus) -> None:
    follower = gateway.server_for("any").follower
    receivers = {f"silvertalk:test:{number}": Receiver() for number in range(10)}
    for key, receiver in receivers.items():
        add(valkey, key, 1)
        follower.follow(key, receiver.deliver)
        await until(lambda receiver=receiver: receiver.ids == ["1-1"])  # type: ignore[misc]
    gone = "silvertalk:test:3"
    follower.unfollow(gone)
    for key in receivers:
        add(valkey, key, 2, 3)
    await until(lambda: all(each.ids[-1] == "1-3" for key, each in receivers.items() if key != gone))
    assert receivers.pop(gone).ids == ["1-1"]
    assert all(each.ids == ["1-1", "1-2", "1-3"] for each in receivers.values())


async def test_following_starts_where_it_is_told(valkey: Valkey, gateway: Bus) -> None:
    key, receiver = "silvertalk:test", Receiver()
    add(valkey, key, *range(1, 8))
    gateway.server_for("any").follower.follow(key, receiver.deliver, after="1-5")
    await until(lambda: receiver.ids == ["1-6", "1-7"])


async def test_a_backlog_is_drained_in_batches_without_a_gap(valkey: Valkey) -> None:
    key, receiver = "silvertalk:test", Receiver()
    add(valkey, key, *range(1, 101))
    async with Bus.open([valkey.url], name="g", limits=replace(QUICK, read_count=7)) as bus:
        bus.server_for("any").follower.follow(key, receiver.deliver)
        await until(lambda: len(receiver.entries) == 100)
    assert receiver.ids == [f"1-{number}" for number in range(1, 101)]


async def test_following_anew_starts_anew(valkey: Valkey, gateway: Bus) -> None:
    """What the read under way brings for the first following is not taken for the second's."""
    key, first, second = "silvertalk:test", Receiver(), Receiver()
    follower = gateway.server_for("any").follower
    add(valkey, key, 1, 2)
    follower.follow(key, first.deliver)
    await until(lambda: first.ids == ["1-1", "1-2"])
    await until(lambda: valkey.blocked_reads() == 1)
    add(valkey, key, 3)  # Already on its way to the first.
    follower.follow(key, second.deliver)
    await until(lambda: second.ids == ["1-1", "1-2", "1-3"])
    assert first.ids == ["1-1", "1-2"]


async def test_nothing_comes_after_unfollowing(valkey: Valkey, gateway: Bus) -> None:
    receiver, other = Receiver(), Receiver()
    follower = gateway.server_for("any").follower
    add(valkey, "silvertalk:test", 1)
    follower.follow("silvertalk:test", receiver.deliver)
    await until(lambda: receiver.entries and valkey.blocked_reads() == 1)
    add(valkey, "silvertalk:test", 2)  # Already on its way.
    follower.unfollow("silvertalk:test")
    add(valkey, "silvertalk:other", 1)
    follower.follow("silvertalk:other", other.deliver)
    await until(lambda: other.entries)
    assert receiver.ids == ["1-1"]


async def test_a_deliverer_may_unfollow_itself(valkey: Valkey, gateway: Bus) -> None:
    key, follower = "silvertalk:test", gateway.server_for("any").follower
    seen: list[str] = []

    def once(found: Sequence[Entry]) -> None:
        seen.extend(entry_id for entry_id, _ in found)
        follower.unfollow(key)

    add(valkey, key, 1)
    follower.follow(key, once)
    await until(lambda: seen == ["1-1"])
    add(valkey, key, 2)
    other = Receiver()
    add(valkey, "silvertalk:other", 1)
    follower.follow("silvertalk:other", other.deliver)
    await until(lambda: other.entries)
    assert seen == ["1-1"]


async def test_cuts_lose_and_repeat_nothing(valkey: Valkey, proxy: RedisProxy) -> None:
    key, receiver = "silvertalk:test", Receiver()
    add(valkey, key, 1)
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        bus.server_for("any").follower.follow(key, receiver.deliver, on_lost=receiver.lose)
        for number in range(2, 200):
            add(valkey, key, number)
            if number % 20 == 0:
                proxy.set_replies("drop" if number % 40 else "pass")
                await asyncio.sleep(0.01)
                proxy.cut()
            await asyncio.sleep(0)
        await until(lambda: receiver.ids and receiver.ids[-1] == "1-199")
    assert receiver.ids == [f"1-{number}" for number in range(1, 200)]
    assert receiver.losses == []


async def test_a_stream_lost_with_the_server_is_told(own_valkey: Valkey) -> None:
    key, lost, patient = "silvertalk:test", Receiver(), Receiver()
    add(own_valkey, key, 1)
    async with Bus.open([own_valkey.url], name="g", limits=QUICK) as bus:
        follower = bus.server_for("any").follower
        follower.follow(key, lost.deliver, on_lost=lost.lose)
        follower.follow("silvertalk:later", patient.deliver, on_lost=patient.lose, must_exist=False)
        await until(lambda: lost.entries)
        own_valkey.kill()
        own_valkey.start()
        await until(lambda: lost.losses)
        assert [type(loss) for loss in lost.losses] == [StreamGone]
        add(own_valkey, "silvertalk:later", 1)
        await until(lambda: patient.ids == ["1-1"])
        assert patient.losses == []


async def test_a_stream_kept_by_the_server_is_followed_on(durable_valkey: Valkey) -> None:
    key, receiver = "silvertalk:test", Receiver()
    add(durable_valkey, key, 1)
    async with Bus.open([durable_valkey.url], name="g", limits=QUICK) as bus:
        bus.server_for("any").follower.follow(key, receiver.deliver, on_lost=receiver.lose)
        await until(lambda: receiver.entries)
        durable_valkey.kill()
        durable_valkey.start()
        add(durable_valkey, key, 2)
        await until(lambda: receiver.ids == ["1-1", "1-2"])
        assert receiver.losses == []


async def test_a_stream_that_expired_is_noticed_after_a_silent_block(valkey: Valkey) -> None:
    key, receiver = "silvertalk:test", Receiver()
    add(valkey, key, 1)
    async with Bus.open([valkey.url], name="g", limits=replace(QUICK, block_ms=100)) as bus:
        bus.server_for("any").follower.follow(key, receiver.deliver, on_lost=receiver.lose)
        await until(lambda: receiver.entries)
        valkey.client.delete(key)
        await until(lambda: receiver.losses)
        assert isinstance(receiver.losses[0], StreamGone)


async def test_one_receivers_mistake_is_its_own(valkey: Valkey, gateway: Bus, caplog: pytest.LogCaptureFixture) -> None:
    follower = gateway.server_for("any").follower
    broken, sound = Receiver(), Receiver()

    def raise_one(found: Sequence[Entry]) -> None:
        raise ZeroDivisionError

    add(valkey, "silvertalk:broken", 1)
    add(valkey, "silvertalk:sound", 1)
    follower.follow("silvertalk:broken", raise_one, on_lost=broken.lose)
    follower.follow("silvertalk:sound", sound.deliver, on_lost=sound.lose)
    await until(lambda: broken.losses and sound.entries)
    assert isinstance(broken.losses[0], BusError)
    assert "ZeroDivisionError" in caplog.text
    add(valkey, "silvertalk:sound", 2)
    await until(lambda: sound.ids == ["1-1", "1-2"])


async def test_what_is_no_message_ends_its_stream(valkey: Valkey, gateway: Bus) -> None:
    follower = gateway.server_for("any").follower
    receiver = Receiver()
    valkey.client.xadd("silvertalk:test", {"mark": b"\x63nonsense"}, id="1-1")
    valkey.client.pexpire("silvertalk:test", 60_000)
    follower.follow("silvertalk:test", receiver.deliver, on_lost=receiver.lose)
    await until(lambda: receiver.losses)
    assert isinstance(receiver.losses[0], MessageError)


async def test_a_bell_that_memory_refused_rings_later(own_valkey: Valkey) -> None:
    """Otherwise a stream followed while memory is short would be heard only after the whole block."""
    async with Bus.open([own_valkey.url], name="g", limits=QUICK) as bus:
        follower = bus.server_for("any").follower
        first, second = Receiver(), Receiver()
        for number in (1, 2):
            add(own_valkey, f"silvertalk:{number}", 1)
        follower.follow("silvertalk:1", first.deliver)
        await until(lambda: first.entries)
        own_valkey.client.config_set("maxmemory", 1)
        follower.follow("silvertalk:2", second.deliver)
        await asyncio.sleep(0.1)
        own_valkey.client.config_set("maxmemory", 0)
        await until(lambda: second.entries)
