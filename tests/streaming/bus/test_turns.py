"""The gateway's side of a turn."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from streaming.bus import Bus, ClaimedTurn, names
from streaming.errors import BusFull, BusUnavailable, Fenced, StreamGone
from streaming.messages import AudioBatch, CloseTurn, TurnOpened
from tests.redis_proxy import RedisProxy
from tests.streaming.bus.parts import QUICK, Receiver, a_session, batch, claim, claimed_by, open_turn, opened, until
from tests.valkey import Valkey


def offers(valkey: Valkey) -> int:
    return valkey.length(names.OFFERS)


# --- opening ---------------------------------------------------------------------------------------------------------


async def test_opening_makes_both_streams_and_an_offer(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    turn = await open_turn(gateway, Receiver(), session, epoch=5)
    assert valkey.ids(turn.up_key) == ["5-1"]
    assert valkey.ids(turn.down_key) == ["0-1"]
    assert offers(valkey) == 1
    for key in (turn.up_key, turn.down_key):
        assert 0 < valkey.ttl_ms(key) <= QUICK.turn_ttl_ms
    assert await turn.up.append(batch(1)) == "5-2"


async def test_opening_is_one_round_trip(valkey: Valkey, gateway: Bus) -> None:
    await gateway.ping()
    valkey.client.config_resetstat()
    await open_turn(gateway, Receiver(), a_session())
    assert valkey.calls()["eval"] == 1


async def test_a_turn_is_opened_once(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    await open_turn(gateway, Receiver(), session, epoch=5)
    for epoch in (4, 5, 6):
        with pytest.raises(Fenced):
            await open_turn(gateway, Receiver(), session, epoch=epoch)
    assert offers(valkey) == 1
    assert valkey.length(names.up(session, 1)) == 1


async def test_a_turn_of_another_session_is_refused(gateway: Bus) -> None:
    turns = gateway.turns(a_session())
    other = TurnOpened(session=a_session(), turn=1, language="ko", reply_rate=24_000)
    with pytest.raises(ValueError, match="another session"):
        await turns.open(other, epoch=1, deliver=Receiver().deliver)


async def test_a_lost_reply_opens_no_second_turn(valkey: Valkey, proxy: RedisProxy, node: Bus) -> None:
    async with Bus.open([proxy.url], name="far", limits=QUICK) as bus:
        await bus.ping()
        proxy.lose_replies_after(b"EVAL")
        session, receiver = a_session(), Receiver()
        opening = asyncio.create_task(open_turn(bus, receiver, session))
        await until(lambda: offers(valkey) == 1)
        proxy.cut()
        turn = await opening
        assert offers(valkey) == 1
        assert valkey.ids(names.OFFERS) == [turn.offer_id]
        claimed = await claim(node)
        assert (claimed.session, claimed.lease) == (session, 1)
        await turn.up.append(batch(1))
        await until(lambda: receiver.entries)


async def test_opening_while_redis_is_away_is_unavailable(own_valkey: Valkey) -> None:
    async with Bus.open([own_valkey.url], name="gateway", limits=QUICK) as bus:
        own_valkey.kill()
        with pytest.raises(BusUnavailable):
            await open_turn(bus, Receiver(), a_session())
        own_valkey.start()
        await open_turn(bus, Receiver(), a_session())


async def test_an_opening_that_was_done_unheard_is_taken_back(valkey: Valkey, proxy: RedisProxy) -> None:
    async with Bus.open([proxy.url], name="far", limits=replace(QUICK, patience_seconds=0.1)) as bus:
        await bus.ping()
        session = a_session()
        proxy.lose_replies_after(b"EVAL")
        opening = asyncio.create_task(open_turn(bus, Receiver(), session))
        await until(lambda: offers(valkey) == 1)
        proxy.accepting = False
        proxy.cut()
        with pytest.raises(BusUnavailable):
            await opening
        proxy.accepting = True
        await until(lambda: offers(valkey) == 0)
        await open_turn(bus, Receiver(), session)


async def test_taking_back_leaves_anothers_turn_alone(valkey: Valkey, gateway: Bus, proxy: RedisProxy) -> None:
    async with Bus.open([proxy.url], name="far", limits=replace(QUICK, patience_seconds=0.1)) as bus:
        await bus.ping()
        session = a_session()
        proxy.set_requests("drop")
        opening = asyncio.create_task(open_turn(bus, Receiver(), session))
        await asyncio.sleep(0)
        turn = await open_turn(gateway, Receiver(), session)
        proxy.accepting = False
        proxy.cut()
        with pytest.raises(BusUnavailable):
            await opening
        proxy.accepting = True
        await until(lambda: not bus.server_for("any")._promised)
        assert offers(valkey) == 1
        await turn.up.append(batch(1))


async def test_opening_without_memory_is_full_and_leaves_nothing(own_valkey: Valkey) -> None:
    async with Bus.open([own_valkey.url], name="gateway", limits=QUICK) as bus:
        await bus.ping()
        own_valkey.client.config_set("maxmemory", 1)
        with pytest.raises(BusFull):
            await open_turn(bus, Receiver(), a_session())
        assert own_valkey.client.dbsize() == 0
        own_valkey.client.config_set("maxmemory", 0)
        await open_turn(bus, Receiver(), a_session())


@pytest.mark.parametrize("ticks", range(14))
async def test_a_cancelled_opening_leaves_no_offer(valkey: Valkey, ticks: int) -> None:
    async with Bus.open([valkey.url], name="gateway", limits=QUICK) as bus:
        await bus.ping()
        clients = len(valkey.client.client_list())
        opening = asyncio.create_task(open_turn(bus, Receiver(), a_session()))
        for _ in range(ticks):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait({opening})
        if not opening.cancelled():
            await opening.result().close("it was done already")
        else:
            # Once the bus has answered, whatever was promised before has been done.
            await until(lambda: offers(valkey) == 0 and not bus.server_for("any")._promised)
        assert offers(valkey) == 0
        assert len(valkey.client.client_list()) <= clients + 1  # The follower's connection may have been dialled.


# --- hearing ---------------------------------------------------------------------------------------------------------


async def test_what_the_node_writes_is_delivered_in_order(gateway: Bus, node: Bus) -> None:
    receiver = Receiver()
    await open_turn(gateway, receiver, a_session())
    claimed = await claim(node)
    for number in range(200):
        claimed.down.append_soon(batch(number))
    await until(lambda: len(receiver.entries) == 201)
    assert receiver.ids == [f"1-{number}" for number in range(1, 202)]
    audio = [message.first_sample // 320 for message in receiver.messages if isinstance(message, AudioBatch)]
    assert audio == list(range(200))


async def test_many_turns_at_once(gateway: Bus, node: Bus) -> None:
    count = 60
    receivers = {a_session(): Receiver() for _ in range(count)}
    turns = await asyncio.gather(*(open_turn(gateway, receiver, session) for session, receiver in receivers.items()))
    ups = {session: Receiver() for session in receivers}
    claimed: list[ClaimedTurn] = []
    while len(claimed) < count:
        for each in await node.claims.next(count - len(claimed)):
            each.follow(ups[each.session].deliver)
            claimed.append(each)
    for number in range(20):
        for turn in turns:
            turn.up.append_soon(batch(number))
        for each in claimed:
            each.down.append_soon(batch(number))
        await asyncio.sleep(0)
    await until(lambda: all(len(up.entries) == 21 for up in ups.values()))
    await until(lambda: all(len(receiver.entries) == 20 for receiver in receivers.values()))
    for receiver in (*ups.values(), *receivers.values()):
        audio = [message.first_sample // 320 for message in receiver.messages if isinstance(message, AudioBatch)]
        assert audio == list(range(20))
    await asyncio.gather(*(turn.close("done") for turn in turns))
    await asyncio.gather(*(each.release() for each in claimed))


async def test_a_range_of_the_down_stream_is_read_back(gateway: Bus, node: Bus) -> None:
    session = a_session()
    await open_turn(gateway, Receiver(), session)
    claimed = await claim(node)
    for number in range(600):
        claimed.down.append_soon(batch(number))
    await claimed.down.flush()
    found = await gateway.turns(session).read_down(session, 1, "1-11", "1-590")
    assert [entry_id for entry_id, _ in found] == [f"1-{number}" for number in range(11, 591)]
    assert await gateway.turns(session).read_down(session, 1, "9-1", "9-9") == []
    with pytest.raises(StreamGone):
        await gateway.turns(session).read_down(session, 2, "-", "+")


# --- watching the claim ----------------------------------------------------------------------------------------------


async def test_an_offer_nobody_took_is_unclaimed(gateway: Bus, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    assert await turn.unclaimed()  # There is not even a group.
    assert not await turn.hint_reclaim()
    claimed = await claim(node)
    assert not await turn.unclaimed()
    await claimed.renew()
    assert not await turn.hint_reclaim()


async def test_a_lease_that_ran_out_is_hinted_once(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    await claim(node)
    await asyncio.sleep(QUICK.lease_ms / 1000 + 0.05)
    assert await turn.hint_reclaim()
    assert await turn.hint_reclaim()
    # Nobody reads them (the only node is stuck with the turn), and they do not pile up.
    assert offers(valkey) == 2
    await turn.close("done")
    assert offers(valkey) == 0


# --- closing ---------------------------------------------------------------------------------------------------------


async def test_closing_ends_the_stream_and_shortens_its_life(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    up = Receiver()
    claimed = await claim(node)
    claimed.follow(up.deliver)
    turn.up.append_soon(batch(1))
    await turn.close("answered")
    await until(lambda: len(up.entries) == 3)
    assert up.messages[-1] == CloseTurn(reason="answered")
    for key in (turn.up_key, turn.down_key):
        assert 120_000 < valkey.ttl_ms(key) <= QUICK.closed_ttl_ms
    assert offers(valkey) == 0
    assert valkey.pending(names.OFFERS, names.NODES) == []
    await turn.close("again")
    assert valkey.length(turn.up_key) == 3


@pytest.mark.parametrize("ticks", range(12))
async def test_a_cancelled_close_is_done_all_the_same(valkey: Valkey, gateway: Bus, ticks: int) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    closing = asyncio.create_task(turn.close("cancelled"))
    await asyncio.sleep(0)
    for _ in range(ticks):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    await until(lambda: offers(valkey) == 0 and valkey.length(turn.up_key) == 2)


async def test_a_turn_closed_while_redis_is_away_is_taken_back_later(durable_valkey: Valkey) -> None:
    async with Bus.open([durable_valkey.url], name="gateway", limits=QUICK) as bus:
        turn = await open_turn(bus, Receiver(), a_session())
        durable_valkey.kill()
        closing = asyncio.create_task(turn.close("answered"))
        await asyncio.sleep(0.1)
        assert not closing.done()
        durable_valkey.start()
        await closing
    assert offers(durable_valkey) == 0
    assert durable_valkey.length(turn.up_key) == 2


async def test_a_turn_whose_streams_are_gone_can_be_closed(valkey: Valkey, gateway: Bus) -> None:
    turn = await open_turn(gateway, Receiver(), a_session())
    valkey.client.delete(turn.up_key, turn.down_key)
    await turn.close("answered")
    assert offers(valkey) == 0


# --- losing it -------------------------------------------------------------------------------------------------------


async def test_what_redis_lost_is_offered_again(own_valkey: Valkey) -> None:
    async with (
        Bus.open([own_valkey.url], name="gateway", limits=QUICK) as gateway,
        Bus.open([own_valkey.url], name="node", limits=QUICK) as node,
    ):
        receiver = Receiver()
        turn = await open_turn(gateway, receiver, a_session())
        held = await claim(node)
        held_up = Receiver()
        held.follow(held_up.deliver, held_up.lose)
        turn.up.append_soon(batch(1))
        await until(lambda: len(held_up.entries) == 2)

        own_valkey.kill()
        own_valkey.start()
        await until(lambda: receiver.losses and held_up.losses)
        assert [type(loss) for loss in receiver.losses] == [StreamGone]
        assert {type(loss) for loss in held_up.losses} == {StreamGone}
        with pytest.raises(Fenced):
            await held.renew()

        await turn.reoffer()
        assert await turn.up.append(batch(1)) == "1-4"
        again = await claim(node)
        assert again.lease > held.lease and again.delivery == 1
        again_up = Receiver()
        again.follow(again_up.deliver)
        await until(lambda: len(again_up.entries) == 2)
        await held.release()
        await again.renew()  # The release of the lost claim did not touch the new one, nor its following.
        turn.up.append_soon(batch(2))
        await until(lambda: len(again_up.entries) == 3)
        await again.down.append(batch(3))
        await until(lambda: receiver.ids[-1:] == [f"{again.lease}-2"])
        assert [type(loss) for loss in receiver.losses] == [StreamGone]


async def test_a_holder_from_before_the_loss_is_fenced(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """Its lease number was lost with the counter; that the new stream begins above it keeps it out."""
    turn = await open_turn(gateway, Receiver(), a_session())
    held = await claim(node)
    for number in range(10):
        await held.down.append(batch(number))
    valkey.client.flushall()
    await turn.reoffer()
    with pytest.raises(Fenced):
        await held.down.append(batch(10))


async def test_only_the_latest_owner_offers_again(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    turn = await open_turn(gateway, Receiver(), session, epoch=1)
    valkey.client.flushall()
    later = await open_turn(gateway, Receiver(), session, epoch=2)
    with pytest.raises(Fenced):
        await turn.reoffer()
    assert await later.up.append(batch(1)) == "2-2"
    assert offers(valkey) == 1


async def test_offering_again_takes_the_earlier_offer_away(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """Not everything has to be lost at once, and a node must not be given the same turn by two offers."""
    turn = await open_turn(gateway, Receiver(), a_session())
    held = await claim(node)
    await turn.reoffer()
    assert valkey.ids(names.OFFERS) == [turn.offer_id]
    assert turn.offer_id != held.offer_id
    with pytest.raises(Fenced):
        await held.renew()
    again = await claim(node)
    assert again.offer_id == turn.offer_id


async def test_a_flush_is_noticed_by_writing(valkey: Valkey, gateway: Bus) -> None:
    receiver = Receiver()
    turn = await open_turn(gateway, receiver, a_session())
    valkey.client.flushall()
    turn.up.append_soon(batch(1))
    await until(lambda: receiver.losses)
    assert [type(loss) for loss in receiver.losses] == [StreamGone]
    assert valkey.client.dbsize() == 0


# --- adopting --------------------------------------------------------------------------------------------------------


async def test_a_later_owner_goes_on_with_the_turn(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    session = a_session()
    first = await open_turn(gateway, Receiver(), session, epoch=5)
    for number in range(3):
        await first.up.append(batch(number))
    claimed = await claim(node)
    heard = Receiver()
    claimed.follow(heard.deliver, heard.lose)
    adopted, sent_up = await node.turns(session).adopt(1, epoch=6)
    assert adopted.opened == opened(session) and sent_up == [batch(number) for number in range(3)]
    with pytest.raises(Fenced):
        await first.up.append(batch(3))

    receiver = Receiver()
    adopted.hear(receiver.deliver, receiver.lose)
    await claimed.down.append(claimed_by("again"))
    await until(lambda: len(receiver.entries) == 2)
    assert receiver.messages == [claimed_by("node"), claimed_by("again")], "from the beginning"
    await adopted.up.append(batch(3))
    await until(lambda: len(heard.entries) == 5)
    assert heard.messages[-1] == batch(3), "its node notices nothing"
    assert not await adopted.unclaimed()
    await adopted.close("answered")
    assert offers(valkey) == 0


async def test_a_later_owner_lets_no_earlier_one_in(gateway: Bus) -> None:
    session = a_session()
    turns = gateway.turns(session)
    await open_turn(gateway, Receiver(), session, epoch=5)
    await turns.adopt(1, epoch=7)
    with pytest.raises(Fenced):
        await turns.adopt(1, epoch=6)
    await turns.adopt(1, epoch=8)


async def test_what_is_not_there_cannot_be_adopted(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    with pytest.raises(StreamGone):
        await gateway.turns(session).adopt(1, epoch=2)
    assert not valkey.client.exists(names.up(session, 1)), "and is not made by trying"


async def test_a_lost_reply_to_adopting_is_found_out(proxy: RedisProxy, gateway: Bus) -> None:
    session = a_session()
    await open_turn(gateway, Receiver(), session, epoch=5)
    async with Bus.open([proxy.url], name="later", limits=QUICK) as later:
        await later.ping()
        proxy.lose_replies_after(b"NOMKSTREAM")
        adopting = asyncio.create_task(later.turns(session).adopt(1, epoch=6))
        await until(lambda: proxy.losing)
        proxy.cut()
        adopted, sent_up = await adopting
        assert sent_up == []
        assert await adopted.up.append(batch(1)) == "6-2"


async def test_who_lets_go_writes_nothing_and_hears_nothing(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    receiver = Receiver()
    turn = await open_turn(gateway, receiver, a_session())
    claimed = await claim(node)
    await until(lambda: receiver.entries)
    turn.let_go()
    await claimed.down.append(claimed_by("again"))
    await turn.close("ended")
    assert offers(valkey) == 1, "the turn is left as it is"
    assert len(receiver.entries) == 1 and not receiver.losses
