"""The bus as a whole: what it accepts, where sessions live, values taken once, and that nothing polls."""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from streaming.bus import Bus, ClaimedTurn, Journal, OpenTurn
from streaming.bus.server import Address
from streaming.errors import BusError, BusUnavailable
from streaming.messages import AudioBatch
from tests.redis_proxy import RedisProxy, redis_proxy
from tests.streaming.bus.parts import QUICK, Receiver, a_session, batch, claim, open_turn, until
from tests.valkey import Valkey

KEY = base64.b64encode(secrets.token_bytes(32)).decode()


# --- what is accepted ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "example.org:6379",
        "rediss://example.org?ssl_cert_reqs=none",
        "rediss://example.org?ssl_cert_reqs=CERT_NONE",
        "rediss://example.org?ssl_cert_reqs=optional",
        "rediss://example.org?ssl_check_hostname=false",
        "redis://127.0.0.1?socket_timeout=1",
        "redis://127.0.0.1?retry_on_timeout=true",
        "redis://127.0.0.1:port",
    ],
)
async def test_a_url_that_must_not_be_used_is_refused(url: str) -> None:
    with pytest.raises(BusError):
        async with Bus.open([url], name="g", key=KEY):
            pass


@pytest.mark.parametrize("url", ["redis://10.0.0.1", "rediss://u:p@example.org:6380", "redis://localhost.example.org"])
async def test_a_server_outside_the_machine_wants_a_key(url: str) -> None:
    with pytest.raises(BusError, match="BUS_KEY") as caught:
        async with Bus.open([url], name="g"):
            pass
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:7000", "redis://[::1]", "redis://localhost", "unix:///tmp/s"])
def test_this_machine_needs_no_key(url: str) -> None:
    assert Address(url).local


def test_names_carry_no_credentials() -> None:
    assert Address("rediss://user:secret@example.org/0").name == "rediss://example.org:6379/0"
    assert Address("redis://:secret@127.0.0.1:7000").name == "redis://127.0.0.1:7000"
    assert Address("rediss://example.org?ssl_cert_reqs=required").name == "rediss://example.org:6379"


async def test_at_least_one_server_and_each_once(valkey: Valkey) -> None:
    for urls in ([], [valkey.url, valkey.url]):
        with pytest.raises(BusError):
            async with Bus.open(urls, name="g"):
                pass


async def test_a_server_that_evicts_is_refused(own_valkey: Valkey) -> None:
    own_valkey.client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(BusError, match="allkeys-lru"):
        async with Bus.open([own_valkey.url], name="g", limits=QUICK):
            pass


async def test_a_server_that_evicts_is_refused_when_it_comes_later(own_valkey: Valkey) -> None:
    own_valkey.kill()
    async with Bus.open([own_valkey.url], name="g", limits=QUICK) as bus:
        with pytest.raises(BusUnavailable):
            await bus.put_once("k", b"v", 10)
        own_valkey.start()
        await until(lambda: bus.server_for("any").main.up.is_set())
        own_valkey.client.config_set("maxmemory-policy", "volatile-lru")
        own_valkey.client.client_kill_filter(_type="normal")
        await until(lambda: bus.server_for("any").main.refusal)
        with pytest.raises(BusError, match="volatile-lru"):
            await bus.put_once("k", b"v", 10)
        assert await bus.ping() == {own_valkey.url: False}
        own_valkey.client.config_set("maxmemory-policy", "noeviction")
        await until(lambda: bus.server_for("any").main.up.is_set())
        await bus.put_once("k", b"v", 10)


async def test_credentials_that_may_do_little_suffice(own_valkey: Valkey) -> None:
    """Streams, strings, scripts and expiry on our own keys: no KEYS, CONFIG, FLUSHALL, CLIENT KILL."""
    own_valkey.execute(
        "ACL", "SETUSER", "silver", "on", ">pw", "resetchannels", "~silvertalk:*",
        "+@stream", "+@string", "+@connection", "-client|kill", "+eval", "+multi", "+exec", "+exists", "+del",
        "+pexpire", "+time",
    )  # fmt: skip
    url = f"unix://silver:pw@{own_valkey.socket}"
    async with (
        Bus.open([url], name="gateway", limits=QUICK) as gateway,
        Bus.open([url], name="node", limits=QUICK) as node,
    ):
        session = a_session()
        journal = await Journal.own(gateway, session, gateway="g")
        receiver = Receiver()
        turn = await open_turn(gateway, receiver, session, epoch=journal.epoch)
        claimed = await claim(node)
        claimed.follow(receiver.deliver)
        await claimed.renew()
        await claimed.hand_back()
        again = await claim(node)
        assert not await turn.hint_reclaim()
        await again.release()
        await turn.close("done")
        await journal.trim(1)
        await gateway.announce_session("u", session, "g")
        await gateway.put_once("k", b"v", 10)
        assert await gateway.take_once("k") == b"v"
        assert await gateway.renew_sessions() == []
        assert await gateway.orphans(60_000) == []
        await journal.close()
        with pytest.raises(BusError, match="NOPERM|permission"):
            await gateway.server_for("any").main.ask("FLUSHALL")


# --- where sessions live ---------------------------------------------------------------------------------------------


async def test_adding_a_server_moves_only_its_share(short_path: Path, valkey: Valkey) -> None:
    async with (
        redis_proxy(valkey.socket, short_path / "a") as a,
        redis_proxy(valkey.socket, short_path / "b") as b,
        redis_proxy(valkey.socket, short_path / "c") as c,
        Bus.open([a.url, b.url], name="two", limits=QUICK) as two,
        Bus.open([b.url, c.url, a.url], name="three", limits=QUICK) as three,
    ):
        sessions = [a_session() for _ in range(600)]
        before = [two.server_for(session).name for session in sessions]
        after = [three.server_for(session).name for session in sessions]
        moved = [new for old, new in zip(before, after, strict=True) if old != new]
        assert set(moved) == {c.url}
        assert 100 < len(moved) < 300
        assert 200 < before.count(a.url) < 400


# --- health ----------------------------------------------------------------------------------------------------------


async def test_warm_nodes_are_those_that_claim(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    assert await gateway.warm_nodes() == 0
    waiting = asyncio.create_task(node.claims.next(1))
    await until(lambda: valkey.blocked_reads() == 1)
    assert await gateway.warm_nodes() == 1
    async with Bus.open([valkey.url], name="leaving", limits=QUICK) as leaving:
        await open_turn(gateway, Receiver(), a_session())
        await open_turn(gateway, Receiver(), a_session())
        await claim(leaving)
        assert await gateway.warm_nodes() == 2
    # What it handed back is held by a consumer that stands for nobody.
    assert await gateway.warm_nodes() == 1
    await waiting


# --- values taken once -----------------------------------------------------------------------------------------------


async def test_a_value_is_taken_once(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    await gateway.put_once("ticket:abc", b"identity", 30)
    assert 0 < valkey.ttl_ms("silvertalk:once:ticket:abc") <= 30_000
    takers = [gateway.take_once("ticket:abc") for _ in range(20)] + [node.take_once("ticket:abc") for _ in range(20)]
    taken = await asyncio.gather(*takers)
    assert sorted(taken, key=bool) == [None] * 39 + [b"identity"]


async def test_a_value_that_expired_is_nobodys(valkey: Valkey, gateway: Bus) -> None:
    await gateway.put_once("k", b"v", 1)
    await until(lambda: not valkey.client.exists("silvertalk:once:k"))
    assert await gateway.take_once("k") is None


# --- nothing polls ---------------------------------------------------------------------------------------------------


async def test_an_idle_bus_asks_nothing(valkey: Valkey) -> None:
    """A gateway with a session and a silent turn, a node that holds it, another that waits: not one command in
    seconds."""
    async with (
        Bus.open([valkey.url], name="gateway") as gateway,
        Bus.open([valkey.url], name="node") as node,
        Bus.open([valkey.url], name="idle") as idle,
    ):
        session = a_session()
        journal = await Journal.own(gateway, session, gateway="g")
        await gateway.listen()
        turn = await open_turn(gateway, Receiver(), session, epoch=journal.epoch)
        claimed = await claim(node)
        claimed.follow(Receiver().deliver)
        waiting = asyncio.create_task(idle.claims.next(1))
        await until(lambda: valkey.blocked_reads() == 3)
        await asyncio.sleep(0.2)
        valkey.client.config_resetstat()
        await asyncio.sleep(3)
        assert {name: calls for name, calls in valkey.calls().items() if not name.startswith("config")} == {}
        waiting.cancel()
        await asyncio.wait({waiting})
        await turn.close("done")
        await journal.close()


async def test_an_idle_bus_reads_once_a_block(valkey: Valkey) -> None:
    blocks, block_ms = 5, 200
    limits = replace(QUICK, block_ms=block_ms)
    async with (
        Bus.open([valkey.url], name="gateway", limits=limits) as gateway,
        Bus.open([valkey.url], name="node", limits=limits) as node,
    ):
        await gateway.listen()
        waiting = asyncio.create_task(node.claims.next(1))
        await until(lambda: valkey.blocked_reads() == 2)
        valkey.client.config_resetstat()
        await asyncio.sleep(blocks * block_ms / 1000)
        calls = {name: calls for name, calls in valkey.calls().items() if not name.startswith("config")}
        assert set(calls) <= {"xread", "xreadgroup", "pexpire"}
        assert all(count <= blocks + 1 for count in calls.values())
        waiting.cancel()
        await asyncio.wait({waiting})


# --- everything at once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_loses_and_repeats_nothing(valkey: Valkey, short_path: Path, seed: int) -> None:
    """Turns spoken both ways while connections are cut, replies dropped and requests lost, at random."""
    chance = random.Random(seed)
    limits = replace(QUICK, lease_ms=60_000)
    async with (
        redis_proxy(valkey.socket, short_path / "g") as to_gateway,
        redis_proxy(valkey.socket, short_path / "n") as to_node,
        Bus.open([to_gateway.url], name="gateway", limits=limits) as gateway,
        Bus.open([to_node.url], name="node", limits=limits) as node,
    ):
        raining = asyncio.create_task(_rain(chance, [to_gateway, to_node], seconds=2))
        conversations = [asyncio.create_task(_converse(gateway, a_session())) for _ in range(8)]
        answering = asyncio.create_task(_answer(node, 8))
        for conversation in conversations:
            await conversation
        await answering
        await raining
        assert to_gateway.connections > 2 and to_node.connections > 2


_SAID = 120


async def _rain(chance: random.Random, proxies: list[RedisProxy], *, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while loop.time() < ends:
        await asyncio.sleep(chance.uniform(0.005, 0.05))
        proxy = chance.choice(proxies)
        chance.choice([proxy.set_replies, proxy.set_requests])(chance.choice(["drop", "hold", "pass"]))
        await asyncio.sleep(chance.uniform(0, 0.01))
        proxy.cut()


async def _converse(gateway: Bus, session: str) -> None:
    """Say a hundred things and hear each of them back, in order."""
    receiver = Receiver()
    while True:
        try:
            turn: OpenTurn = await open_turn(gateway, receiver, session)
            break
        except BusUnavailable:
            continue
    for number in range(_SAID):
        turn.up.append_soon(batch(number))
        await asyncio.sleep(0.002)
    await until(lambda: _numbers(receiver) == list(range(_SAID)))
    assert receiver.losses == []
    await turn.close("done")


async def _answer(node: Bus, count: int) -> None:
    """Say back whatever is heard."""
    claimed: list[ClaimedTurn] = []
    while len(claimed) < count:
        for turn in await node.claims.next(count - len(claimed)):
            turn.follow(lambda found, turn=turn: _echo(turn, [each for _, each in found]))  # type: ignore[misc]
            claimed.append(turn)


def _echo(turn: ClaimedTurn, heard: list[object]) -> None:
    for message in heard:
        if isinstance(message, AudioBatch):
            turn.down.append_soon(message)


def _numbers(receiver: Receiver) -> list[int]:
    return [message.first_sample // 320 for message in receiver.messages if isinstance(message, AudioBatch)]
