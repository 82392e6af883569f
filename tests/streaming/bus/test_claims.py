"""The node's side of turns: claims, leases, zombies, and servers that come and go."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming.bus import Bus, ClaimedTurn, OpenTurn, names
from streaming.errors import BusError, Fenced
from tests.redis_proxy import RedisProxy, redis_proxy
from tests.streaming.bus.parts import QUICK, Receiver, a_session, batch, claim, claimed_by, open_turn, until
from tests.valkey import Valkey, running_valkey

LEASE = QUICK.lease_ms / 1000


def pending(valkey: Valkey) -> list[tuple[str, int]]:
    """(consumer, deliveries) of every offer under way."""
    return valkey.pending(names.OFFERS, names.NODES)


# --- claiming --------------------------------------------------------------------------------------------------------


async def test_a_claim_brings_the_turn_from_its_first_entry(gateway: Bus, node: Bus) -> None:
    session, receiver, up = a_session(), Receiver(), Receiver()
    turn = await open_turn(gateway, receiver, session, 3)
    turn.up.append_soon(batch(1))
    claimed = await claim(node)
    assert (claimed.session, claimed.turn, claimed.lease, claimed.delivery) == (session, 3, 1, 1)
    assert claimed.offer_id == turn.offer_id
    claimed.follow(up.deliver)
    await until(lambda: up.ids == ["1-1", "1-2"])
    await until(lambda: receiver.messages == [claimed_by("node")])
    assert receiver.ids == ["1-1"]


async def test_no_more_offers_are_read_than_there_are_slots(
    valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus
) -> None:
    for _ in range(5):
        await open_turn(gateway, Receiver(), a_session())
    first: list[ClaimedTurn] = []
    while len(first) < 2:
        first += await node.claims.next(2 - len(first))
    assert pending(valkey) == [("node", 1)] * 2
    second: list[ClaimedTurn] = []
    while len(second) < 3:
        second += await other_node.claims.next(3 - len(second))
    assert sorted(pending(valkey)) == [("node", 1)] * 2 + [("other-node", 1)] * 3


async def test_without_a_slot_only_waking_ends_the_wait(gateway: Bus, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    waiting = asyncio.create_task(node.claims.next(0))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    node.claims.wake()
    assert await waiting == []
    assert await turn.unclaimed()


async def test_waking_ends_the_wait_and_the_reading(valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus) -> None:
    waiting = asyncio.create_task(node.claims.next(1))
    await until(lambda: valkey.blocked_reads() == 1)
    node.claims.wake()
    assert await waiting == []
    await until(lambda: valkey.blocked_reads() == 0)
    await open_turn(gateway, Receiver(), a_session())
    assert (await claim(other_node)).delivery == 1
    assert pending(valkey) == [("other-node", 1)]


async def test_a_cancelled_next_ends_the_reading(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    waiting = asyncio.create_task(node.claims.next(1))
    await until(lambda: valkey.blocked_reads() == 1)
    waiting.cancel()
    await until(lambda: valkey.blocked_reads() == 0)
    turn = await open_turn(gateway, Receiver(), a_session())
    assert await turn.unclaimed()


@pytest.mark.parametrize("ticks", range(0, 40, 3))
async def test_a_cancelled_next_loses_no_offer(valkey: Valkey, gateway: Bus, node: Bus, ticks: int) -> None:
    await gateway.ping()
    waiting = asyncio.create_task(node.claims.next(1))
    await asyncio.sleep(0.02)
    turn = await open_turn(gateway, Receiver(), a_session())
    for _ in range(ticks):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    claimed = waiting.result()[0] if not waiting.cancelled() else await claim(node)
    assert claimed.offer_id == turn.offer_id
    await claimed.renew()
    await claimed.release()
    assert pending(valkey) == []


async def test_a_claim_nobody_fetched_goes_to_another(valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus) -> None:
    turns = [await open_turn(gateway, Receiver(), a_session()) for _ in range(2)]
    fetched = (await node.claims.next(2))[0]
    await until(lambda: pending(valkey) == [("node", 1)] * 2)
    other = await claim(other_node)  # No lease had to run out, and it does not count as delivered twice.
    assert {fetched.offer_id, other.offer_id} == {turn.offer_id for turn in turns}
    assert sorted(pending(valkey)) == [("node", 1), ("other-node", 1)]


async def test_the_offer_of_a_turn_that_is_gone_is_dropped(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    gone = await open_turn(gateway, Receiver(), a_session())
    valkey.client.delete(gone.up_key)
    half = await open_turn(gateway, Receiver(), a_session())
    valkey.client.delete(half.down_key)
    living = await open_turn(gateway, Receiver(), a_session())
    assert (await claim(node)).offer_id == living.offer_id
    assert valkey.length(names.OFFERS) == 1


async def test_the_offer_of_a_turn_that_is_closed_is_dropped(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """A gateway that died between its last entry and the deletion of the offer leaves such a one behind."""
    closed = await open_turn(gateway, Receiver(), a_session())
    _, (field, value) = valkey.entries(names.OFFERS)[0]
    await closed.close("answered")
    valkey.client.xadd(names.OFFERS, {field: value})
    living = await open_turn(gateway, Receiver(), a_session())
    assert (await claim(node)).offer_id == living.offer_id
    assert valkey.length(names.OFFERS) == 1


async def test_an_offer_that_cannot_be_read_is_deleted(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    valkey.client.xadd(names.OFFERS, {"stranger": b"\x01not a message"})
    living = await open_turn(gateway, Receiver(), a_session())
    assert (await claim(node)).offer_id == living.offer_id
    assert valkey.length(names.OFFERS) == 1


async def test_a_lost_lease_counter_goes_on_above_what_was_written(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    session = a_session()
    await open_turn(gateway, Receiver(), session)
    first = await claim(node)
    valkey.client.delete(names.lease(session, 1))
    await first.hand_back()
    again = await claim(node)
    assert again.lease == 2


# --- leases ----------------------------------------------------------------------------------------------------------


async def test_a_renewed_lease_is_not_taken(valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    claimed = await claim(node)
    waiting = asyncio.create_task(other_node.claims.next(1))
    for _ in range(10):
        await asyncio.sleep(LEASE / 5)
        await claimed.renew()
        assert not await turn.hint_reclaim()
    assert pending(valkey) == [("node", 1)]
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_a_dead_nodes_turn_is_claimed_by_another(valkey: Valkey, gateway: Bus, other_node: Bus) -> None:
    session, receiver, up = a_session(), Receiver(), Receiver()
    dead = Bus.open([valkey.url], name="dead", limits=QUICK)
    dying = await dead.__aenter__()
    turn = await open_turn(gateway, receiver, session)
    turn.up.append_soon(batch(1))
    zombie = await claim(dying)
    waiting = asyncio.create_task(other_node.claims.next(1))
    await asyncio.sleep(LEASE + 0.05)
    assert await turn.hint_reclaim()
    taken = (await waiting)[0]
    assert (taken.session, taken.lease, taken.delivery) == (session, 2, 2)
    await taken.down.append(claimed_by("other-node", 2))
    taken.follow(up.deliver)
    await until(lambda: up.ids == ["1-1", "1-2"])  # Its audio is heard again from the start.

    # The dead one was merely asleep.
    with pytest.raises(Fenced):
        await zombie.down.append(batch(9))
    with pytest.raises(Fenced):
        await zombie.renew()
    await zombie.release()
    await taken.renew()
    assert pending(valkey) == [("other-node", 2)]
    assert receiver.ids == ["1-1", "2-1"]
    await dead.__aexit__(None, None, None)
    await taken.renew()


_NODE = """
import asyncio, sys
from streaming.bus import Bus
async def main():
    async with Bus.open([sys.argv[1]], name="killed", lease_ms=500) as bus:
        claimed = (await bus.claims.next(1))[0]
        print(claimed.delivery, claimed.lease, flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


async def killed_node(valkey: Valkey) -> tuple[int, int]:
    """A process that claims a turn and is killed by SIGKILL; returns its delivery and lease."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _NODE, valkey.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    delivery, lease = (await process.stdout.readline()).split()
    process.kill()
    await process.wait()
    return int(delivery), int(lease)


async def test_deliveries_to_nodes_that_died_are_counted(gateway: Bus, valkey: Valkey, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    lives = []
    for _ in range(2):
        lives.append(await killed_node(valkey))
        await asyncio.sleep(LEASE + 0.05)
        await turn.hint_reclaim()
    last = await claim(node)
    assert [*lives, (last.delivery, last.lease)] == [(1, 1), (2, 2), (3, 3)]


async def test_an_abandoned_turn_is_anothers_at_once(valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus) -> None:
    await open_turn(gateway, Receiver(), a_session())
    claimed = await claim(node)
    claimed.down.append_soon(batch(1))
    await claimed.abandon()
    with pytest.raises(BusError):
        await claimed.down.append(batch(2))
    assert (await claim(other_node)).delivery == 1
    assert pending(valkey) == [("other-node", 1)]


async def test_a_turn_abandoned_while_redis_is_away_is_handed_back_later(durable_valkey: Valkey) -> None:
    async with (
        Bus.open([durable_valkey.url], name="gateway", limits=QUICK) as gateway,
        Bus.open([durable_valkey.url], name="node", limits=QUICK) as node,
    ):
        await open_turn(gateway, Receiver(), a_session())
        claimed = await claim(node)
        durable_valkey.kill()
        await claimed.abandon()
        durable_valkey.start()
        again = await claim(node)  # It is the only node, and the turn is nobody's.
        assert (again.delivery, again.lease) == (1, 2)


async def test_a_node_that_starts_looks_for_leases_that_ran_out(gateway: Bus, valkey: Valkey, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    await killed_node(valkey)
    await asyncio.sleep(LEASE + 0.05)
    assert (await claim(node)).offer_id == turn.offer_id


async def test_a_node_never_claims_from_itself(valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    await claim(node)
    # It listens, and first of all, but its engine is stuck: nothing is renewed.
    listening = asyncio.create_task(node.claims.next(1))
    await until(lambda: valkey.blocked_reads() == 2)
    waiting = asyncio.create_task(claim(other_node))
    await until(lambda: valkey.blocked_reads() == 3)
    await asyncio.sleep(LEASE + 0.05)
    assert await turn.hint_reclaim()
    assert (await waiting).delivery == 2  # The stuck node heard the hint, and passed it on.
    assert not listening.done()
    listening.cancel()
    await asyncio.wait({listening})


async def test_a_stuck_node_reads_no_offers_until_it_moves(gateway: Bus, node: Bus) -> None:
    await open_turn(gateway, Receiver(), a_session())
    stuck = await claim(node)
    await asyncio.sleep(LEASE + 0.05)
    waiting = asyncio.create_task(node.claims.next(1))
    another = await open_turn(gateway, Receiver(), a_session())
    await asyncio.sleep(0.1)
    assert await another.unclaimed()
    await stuck.renew()
    assert (await waiting)[0].offer_id == another.offer_id


async def test_a_node_whose_turn_was_taken_is_not_stuck(gateway: Bus, node: Bus, other_node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    slow = await claim(node)
    await asyncio.sleep(LEASE + 0.05)
    assert await turn.hint_reclaim()
    await claim(other_node)
    with pytest.raises(Fenced):
        await slow.renew()
    another = await open_turn(gateway, Receiver(), a_session())
    assert (await claim(node)).offer_id == another.offer_id


async def test_what_is_ours_unknown_to_us_is_given_away(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    valkey.client.xgroup_create(names.OFFERS, names.NODES, 0)
    consumer = node.server_for("any").process
    offer_ids: list[Any] = [turn.offer_id]
    valkey.client.xreadgroup(names.NODES, "reader", {names.OFFERS: ">"})
    claiming = asyncio.create_task(claim(node))
    await until(lambda: valkey.blocked_reads() == 2)
    valkey.client.xclaim(names.OFFERS, names.NODES, consumer, 0, offer_ids, idle=100_000, justid=True)
    assert await turn.hint_reclaim()
    assert (await claiming).offer_id == turn.offer_id
    assert pending(valkey) == [("node", 1)]


async def test_what_is_handed_back_is_claimed_at_once(valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus) -> None:
    await open_turn(gateway, Receiver(), a_session())
    claimed = await claim(node)
    waiting = asyncio.create_task(claim(other_node))
    await asyncio.sleep(0.05)
    valkey.client.config_resetstat()
    await claimed.hand_back()
    taken = await waiting
    assert (taken.delivery, taken.lease) == (1, 2)
    assert pending(valkey) == [("other-node", 1)]
    with pytest.raises(Fenced):
        await claimed.renew()


async def test_what_another_holds_cannot_be_handed_back(
    valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus
) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    claimed = await claim(node)
    await asyncio.sleep(LEASE + 0.05)
    assert await turn.hint_reclaim()
    await claim(other_node)
    await claimed.hand_back()
    assert pending(valkey) == [("other-node", 2)]


async def test_an_older_claim_of_ones_own_leaves_the_newer_alone(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """The turn was taken from this process, and given to it again before it noticed."""
    for let_go in ("hand_back", "release", "abandon"):
        turn = await open_turn(gateway, Receiver(), a_session())
        older = await claim(node)
        deaths(valkey, turn, 1)
        assert await turn.hint_reclaim()
        newer = await claim(node)
        with pytest.raises(Fenced):
            await older.renew()
        await getattr(older, let_go)()
        await newer.renew()
        assert pending(valkey) == [("node", 2)]
        await newer.release()


async def test_release_deletes_the_offer(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    await open_turn(gateway, Receiver(), a_session())
    claimed = await claim(node)
    claimed.down.append_soon(batch(1))
    await claimed.release()
    await claimed.release()
    assert pending(valkey) == [] and valkey.length(names.OFFERS) == 0
    assert valkey.length(names.down(claimed.session, 1)) == 3


@pytest.mark.parametrize("ticks", range(12))
@pytest.mark.parametrize("deed", ["renew", "release", "hand_back"])
async def test_cancelled_deeds_are_done_or_not_begun(
    valkey: Valkey, gateway: Bus, node: Bus, deed: str, ticks: int
) -> None:
    await open_turn(gateway, Receiver(), a_session())
    claimed = await claim(node)
    clients = len(valkey.client.client_list())
    doing = asyncio.create_task(getattr(claimed, deed)())
    for _ in range(ticks):
        await asyncio.sleep(0)
    doing.cancel()
    await asyncio.wait({doing})
    begun = ticks > 0
    if deed == "release" and begun:
        await until(lambda: pending(valkey) == [])
    elif deed == "hand_back" and begun:
        await until(lambda: pending(valkey) == [("nobody", 0)])
    else:
        await claimed.renew()
        assert pending(valkey) == [("node", 1)]
    assert len(valkey.client.client_list()) == clients


# --- a turn with which nodes have died ------------------------------------------------------------------------------


def deaths(valkey: Valkey, turn: OpenTurn, count: int, *, idle_ms: int = QUICK.lease_ms + 100) -> None:
    """So many nodes have died with the turn, the last of them so long ago."""
    offer_ids: list[Any] = [turn.offer_id]
    valkey.client.xreadgroup(names.NODES, "dead.0", {names.OFFERS: ">"})
    valkey.client.xclaim(names.OFFERS, names.NODES, "dead.0", 0, offer_ids, idle=idle_ms, retrycount=count, justid=True)


async def founded(node: Bus, valkey: Valkey) -> None:
    """The node's group is there."""
    waiting = asyncio.create_task(node.claims.next(1))
    await until(lambda: valkey.blocked_reads() == 1)
    node.claims.wake()
    await waiting


async def test_the_last_delivery_is_left_to_a_node_that_is_alone(
    valkey: Valkey, gateway: Bus, node: Bus, other_node: Bus
) -> None:
    await founded(node, valkey)
    turn = await open_turn(gateway, Receiver(), a_session())
    deaths(valkey, turn, 2)
    busy = asyncio.create_task(node.claims.next(2, alone=False))
    await until(lambda: valkey.blocked_reads() == 2)
    assert await turn.hint_reclaim()
    await until(lambda: valkey.length(names.OFFERS) == 1)  # The busy one has heard the hint, and lets it be.
    assert pending(valkey) == [("dead", 2)]
    alone = asyncio.create_task(other_node.claims.next(2))
    [claimed] = await alone
    assert (claimed.delivery, claimed.is_suspect, claimed.is_hopeless) == (3, True, False)
    assert not busy.done()
    busy.cancel()
    await asyncio.wait({busy})


async def test_a_busy_node_takes_the_last_delivery_that_nobody_else_takes(valkey: Valkey, gateway: Bus) -> None:
    async with Bus.open([valkey.url], name="node", limits=replace(QUICK, suspect_wait_ms=200)) as node:
        await founded(node, valkey)
        turn = await open_turn(gateway, Receiver(), a_session())
        deaths(valkey, turn, 2)
        busy = asyncio.create_task(node.claims.next(2, alone=False))
        await until(lambda: valkey.blocked_reads() == 2)
        assert await turn.hint_reclaim()
        await until(lambda: valkey.length(names.OFFERS) == 1)
        assert pending(valkey) == [("dead", 2)]
        await asyncio.sleep(0.2)
        assert await turn.hint_reclaim()
        [claimed] = await busy
        assert claimed.is_suspect


async def test_the_last_delivery_comes_by_itself(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    await founded(node, valkey)
    turns = [await open_turn(gateway, Receiver(), a_session()) for _ in range(3)]
    for turn in turns:
        deaths(valkey, turn, 2)
    assert await turns[0].hint_reclaim()
    [claimed] = await node.claims.next(3)
    assert claimed.is_suspect
    assert sorted(pending(valkey)) == [("dead", 2)] * 2 + [("node", 3)]


async def test_handing_back_the_last_delivery_does_not_use_it_up(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    await founded(node, valkey)
    turn = await open_turn(gateway, Receiver(), a_session())
    deaths(valkey, turn, 2)
    assert await turn.hint_reclaim()
    await (await claim(node)).hand_back()
    assert (await claim(node)).delivery == 3


async def test_what_killed_every_node_it_may_have_is_hopeless(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    await founded(node, valkey)
    turn = await open_turn(gateway, Receiver(), a_session())
    deaths(valkey, turn, 3)
    assert await turn.hint_reclaim()
    [claimed] = await node.claims.next(2, alone=False)
    assert (claimed.delivery, claimed.is_suspect, claimed.is_hopeless) == (4, False, True)


# --- servers that come and go ----------------------------------------------------------------------------------------


async def test_an_offer_whose_delivery_was_lost_is_found(valkey: Valkey, gateway: Bus, proxy: RedisProxy) -> None:
    """Redis gave it to us, and the reply went with the connection: it lies pending with us, who never saw it."""
    async with Bus.open([proxy.url], name="far", limits=QUICK) as far:
        waiting = asyncio.create_task(far.claims.next(1))
        await until(lambda: valkey.blocked_reads() == 1)
        proxy.set_replies("drop")
        turn = await open_turn(gateway, Receiver(), a_session())
        await until(lambda: pending(valkey) == [("far", 1)])
        assert not waiting.done()
        proxy.cut()
        claimed = (await waiting)[0]
        assert (claimed.offer_id, claimed.delivery, claimed.lease) == (turn.offer_id, 1, 1)
        await claimed.release()


async def test_reconnecting_counts_no_delivery(valkey: Valkey, gateway: Bus, proxy: RedisProxy) -> None:
    async with Bus.open([proxy.url], name="far", limits=replace(QUICK, lease_ms=60_000)) as far:
        await open_turn(gateway, Receiver(), a_session())
        claimed = await claim(far)
        for _ in range(5):
            waiting = asyncio.create_task(far.claims.next(1))
            await until(lambda: valkey.blocked_reads() == 2)
            proxy.cut()
            await until(lambda: valkey.blocked_reads() == 1)
            await until(lambda: valkey.blocked_reads() == 2)
            await claimed.renew()
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait({waiting})
        assert pending(valkey) == [("far", 1)]


async def test_a_server_that_came_back_empty_is_claimed_from_again(own_valkey: Valkey) -> None:
    async with (
        Bus.open([own_valkey.url], name="gateway", limits=QUICK) as gateway,
        Bus.open([own_valkey.url], name="node", limits=QUICK) as node,
    ):
        await open_turn(gateway, Receiver(), a_session())
        await (await claim(node)).release()
        waiting = asyncio.create_task(claim(node))
        await until(lambda: own_valkey.blocked_reads() == 2)
        own_valkey.kill()
        own_valkey.start()
        turn = await open_turn(gateway, Receiver(), a_session())
        assert (await waiting).offer_id == turn.offer_id


async def test_a_lost_group_is_founded_again(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    waiting = asyncio.create_task(claim(node))
    await until(lambda: valkey.blocked_reads() == 1)
    valkey.client.xgroup_destroy(names.OFFERS, names.NODES)
    turn = await open_turn(gateway, Receiver(), a_session())
    assert (await waiting).offer_id == turn.offer_id


async def test_what_was_offered_before_there_was_a_group_is_claimed(gateway: Bus, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    assert (await claim(node)).offer_id == turn.offer_id


async def test_claims_wait_for_a_server_that_is_away(short_path: Path) -> None:
    with running_valkey() as server:
        url = server.url
        server.kill()
        async with Bus.open([url], name="node", limits=QUICK) as node:
            waiting = asyncio.create_task(claim(node))
            await asyncio.sleep(0.1)
            server.start()
            async with Bus.open([url], name="gateway", limits=QUICK) as gateway:
                turn = await open_turn(gateway, Receiver(), a_session())
                assert (await waiting).offer_id == turn.offer_id


async def test_memory_that_is_short_delays_a_claim(own_valkey: Valkey) -> None:
    async with (
        Bus.open([own_valkey.url], name="gateway", limits=QUICK) as gateway,
        Bus.open([own_valkey.url], name="node", limits=QUICK) as node,
    ):
        waiting = asyncio.create_task(node.claims.next(1))
        await until(lambda: own_valkey.blocked_reads() == 1)
        turn = await open_turn(gateway, Receiver(), a_session())
        own_valkey.client.config_set("maxmemory", 1)
        await asyncio.sleep(0.1)
        own_valkey.client.config_set("maxmemory", 0)
        assert (await waiting)[0].offer_id == turn.offer_id


# --- several servers -------------------------------------------------------------------------------------------------


async def test_turns_of_two_servers_are_claimed_by_one_node(valkey: Valkey, own_valkey: Valkey) -> None:
    urls = [valkey.url, own_valkey.url]
    async with (
        Bus.open(urls, name="gateway", limits=QUICK) as gateway,
        Bus.open(list(reversed(urls)), name="node", limits=QUICK) as node,
    ):
        sessions = [a_session() for _ in range(16)]
        assert {gateway.server_for(session).name for session in sessions} == set(urls)
        assert [gateway.server_for(each).name for each in sessions] == [node.server_for(each).name for each in sessions]
        receivers = {session: Receiver() for session in sessions}
        for session, receiver in receivers.items():
            await open_turn(gateway, receiver, session)
        for _ in sessions:
            claimed = await claim(node)
            await claimed.release()
        await until(lambda: all(receiver.entries for receiver in receivers.values()))


async def test_one_dead_server_does_not_stop_the_other(valkey: Valkey, own_valkey: Valkey) -> None:
    urls = [valkey.url, own_valkey.url]
    async with (
        Bus.open(urls, name="gateway", limits=QUICK) as gateway,
        Bus.open(urls, name="node", limits=QUICK) as node,
    ):
        waiting = asyncio.create_task(claim(node))
        await until(lambda: own_valkey.blocked_reads() == 1)
        own_valkey.kill()
        session = next(each for each in iter(a_session, "") if gateway.server_for(each).name == valkey.url)
        turn = await open_turn(gateway, Receiver(), session)
        assert (await waiting).offer_id == turn.offer_id
        assert await gateway.ping() == {valkey.url: True, own_valkey.url: False}


# --- ending ----------------------------------------------------------------------------------------------------------


async def test_closing_leaves_nothing_pending_and_no_consumer(
    valkey: Valkey, gateway: Bus, other_node: Bus, short_path: Path
) -> None:
    """The blocked read is woken, not cancelled: an offer that comes at that moment is another node's, not lost."""
    for _ in range(20):
        async with redis_proxy(valkey.socket, short_path / "q") as between:
            async with Bus.open([between.url], name="node", limits=QUICK) as node:
                waiting = asyncio.create_task(node.claims.next(1))
                await until(lambda: valkey.blocked_reads() == 1)
                opening = asyncio.create_task(open_turn(gateway, Receiver(), a_session()))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait({waiting})
            turn = await opening
        claimed = await claim(other_node)
        assert claimed.offer_id == turn.offer_id
        await claimed.release()
        await turn.close("done")
    assert set(valkey.consumers(names.OFFERS, names.NODES)) <= {"other-node", "nobody"}


async def test_closing_hands_back_what_is_held(valkey: Valkey, gateway: Bus, other_node: Bus) -> None:
    async with Bus.open([valkey.url], name="node", limits=replace(QUICK, lease_ms=60_000)) as node:
        turn = await open_turn(gateway, Receiver(), a_session())
        await claim(node)
    assert (await claim(other_node)).offer_id == turn.offer_id
