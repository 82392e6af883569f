"""A session's journal: one owner at a time, and nothing lost between two."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from streaming.bus import Bus, Journal, names
from streaming.errors import BusFull, BusUnavailable, Fenced, StreamGone
from streaming.messages import Committed, SessionOpened
from tests.redis_proxy import RedisProxy
from tests.streaming.bus.parts import QUICK, a_session, until
from tests.valkey import Valkey

OPENED = SessionOpened(user="u", language="ko", reply_rate=24_000)


def owned_entries(valkey: Valkey) -> list[str]:
    """Who has which entry of the sessions stream pending, by name."""
    return [name for name, _ in valkey.pending(names.SESSIONS, names.GATEWAYS)]


# --- writing ---------------------------------------------------------------------------------------------------------


async def test_ids_are_epoch_and_event_number(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    journal = await Journal.own(gateway, session, gateway="g")
    assert journal.entries == []
    assert await journal.append(OPENED, number=1) == f"{journal.epoch}-1"
    assert await journal.append(Committed(turn=1), number=7) == f"{journal.epoch}-7"
    with pytest.raises(ValueError, match="sequence 7 after 7"):
        await journal.append(Committed(turn=2), number=7)
    assert 0 < valkey.ttl_ms(names.journal(session)) <= QUICK.journal_ttl_ms


async def test_a_new_owner_finds_what_is_there_and_fences_the_old(gateway: Bus, node: Bus) -> None:
    session = a_session()
    older = await Journal.own(gateway, session, gateway="a")
    await older.append(OPENED, number=1)
    await older.append(Committed(turn=1), number=5)
    newer = await Journal.own(node, session, gateway="b")
    assert newer.epoch == older.epoch + 1
    assert newer.entries == [(f"{older.epoch}-1", OPENED), (f"{older.epoch}-5", Committed(turn=1))]
    with pytest.raises(Fenced):
        await older.append(Committed(turn=2), number=6)
    assert await newer.append(Committed(turn=2), number=6) == f"{newer.epoch}-6"


async def test_nothing_gets_in_behind_a_new_owners_back(gateway: Bus, node: Bus) -> None:
    """What the older owner was told is written, the newer one has read."""
    session = a_session()
    older = await Journal.own(gateway, session, gateway="a")
    acknowledged: list[int] = []

    async def write() -> None:
        number = 0
        while True:
            number += 1
            await older.append(Committed(turn=number), number=number)
            acknowledged.append(number)

    writing = asyncio.create_task(write())
    await until(lambda: len(acknowledged) > 50)
    newer = await Journal.own(node, session, gateway="b")
    with pytest.raises(Fenced):
        await writing
    found = [record.turn for _, record in newer.entries if isinstance(record, Committed)]
    assert found[: len(acknowledged)] == acknowledged


async def test_of_many_that_want_it_one_owns_it(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    session = a_session()
    journals = await asyncio.gather(
        *(Journal.own(bus, session, gateway="g") for bus in (gateway, node) for _ in range(4))
    )
    epochs = [journal.epoch for journal in journals]
    assert len(set(epochs)) == len(epochs)
    outcomes = []
    for journal in sorted(journals, key=lambda each: each.epoch):
        try:
            await journal.append(OPENED, number=1)
            outcomes.append("owns")
        except Fenced:
            outcomes.append("fenced")
    assert outcomes == ["fenced"] * 7 + ["owns"]


async def test_an_epoch_is_above_what_the_client_knows(gateway: Bus) -> None:
    known = 2**40
    journal = await Journal.own(gateway, a_session(), gateway="g", above=known)
    assert journal.epoch == known + 1


async def test_a_lost_journal_repeats_no_epoch(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    first = await Journal.own(gateway, session, gateway="g")
    await first.append(OPENED, number=1)
    valkey.client.flushall()
    valkey.client.set("silvertalk:second", 1, px=1_100)
    with pytest.raises(StreamGone):
        await first.append(Committed(turn=1), number=2)
    await until(lambda: not valkey.client.exists("silvertalk:second"))
    again = await Journal.own(gateway, session, gateway="g")
    assert again.epoch > first.epoch
    assert again.entries == []


async def test_a_lost_reply_to_owning_is_found_out(valkey: Valkey, proxy: RedisProxy) -> None:
    async with Bus.open([proxy.url], name="far", limits=QUICK) as far:
        session = a_session()
        await far.ping()
        proxy.lose_replies_after(b"XADD\r\n$51")  # The fence itself: an XADD to a key as long as a journal's.
        owning = asyncio.create_task(Journal.own(far, session, gateway="g"))
        await until(lambda: proxy.losing or owning.done())
        await until(lambda: valkey.client.exists(names.journal(session)))
        proxy.cut()
        journal = await owning
        assert await journal.append(OPENED, number=1) == f"{journal.epoch}-1"
        assert valkey.length(names.journal(session)) == 2


async def test_trimming_keeps_what_is_not_closed(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    session = a_session()
    first = await Journal.own(gateway, session, gateway="a")
    await first.append(OPENED, number=1)
    journal = await Journal.own(node, session, gateway="b")
    for number in range(2, 12):
        await journal.append(Committed(turn=number), number=number)
    await journal.trim(8)
    key = names.journal(session)
    assert valkey.ids(key) == [f"{journal.epoch}-{number}" for number in range(8, 12)]
    await journal.trim(1_000)
    assert valkey.length(key) == 1
    # The fence and the session's entry outlive the trimming.
    again = await Journal.own(gateway, session, gateway="a")
    assert again.epoch == journal.epoch + 1
    assert owned_entries(valkey) == ["gateway"]


async def test_owning_while_redis_is_away_is_unavailable(own_valkey: Valkey) -> None:
    async with Bus.open([own_valkey.url], name="gateway", limits=QUICK) as bus:
        own_valkey.kill()
        with pytest.raises(BusUnavailable):
            await Journal.own(bus, a_session(), gateway="g")


@pytest.mark.parametrize("ticks", range(0, 60, 4))
async def test_a_cancelled_owning_is_no_ones_session(valkey: Valkey, ticks: int) -> None:
    """It becomes an orphan at worst: nobody renews it."""
    async with Bus.open([valkey.url], name="gateway", limits=QUICK) as bus:
        await bus.ping()
        owning = asyncio.create_task(Journal.own(bus, a_session(), gateway="g"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        owning.cancel()
        await asyncio.wait({owning})
        if owning.cancelled():
            await until(lambda: not bus.server_for("any")._promised)
            assert await bus.renew_sessions() == []
            sessions = bus.sessions_on(bus.server_for("any"))
            assert not sessions._held


# --- sessions --------------------------------------------------------------------------------------------------------


async def test_an_owned_session_is_pending_with_its_gateway(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    session = a_session()
    journal = await Journal.own(gateway, session, gateway="g")
    assert owned_entries(valkey) == ["gateway"]
    taken = await Journal.own(node, session, gateway="n")
    assert owned_entries(valkey) == ["node"]
    # The older owner neither takes it back by renewing nor deletes it by closing.
    assert await gateway.renew_sessions() == [session]
    await journal.close()
    assert await node.renew_sessions() == []
    assert owned_entries(valkey) == ["node"]
    await taken.close()
    assert owned_entries(valkey) == []
    assert valkey.length(names.SESSIONS) == 0


async def test_sessions_are_renewed_in_one_call(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    journals = [await Journal.own(gateway, a_session(), gateway="g") for _ in range(30)]
    valkey.client.config_resetstat()
    assert await gateway.renew_sessions() == []
    assert valkey.calls()["eval"] == 1
    await asyncio.gather(*(journal.close() for journal in journals))


async def test_orphans_are_those_nobody_renews(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    living = await Journal.own(gateway, a_session(), gateway="g")
    dead_session = a_session()
    async with Bus.open([valkey.url], name="dead", limits=QUICK) as dead:
        dying = await Journal.own(dead, dead_session, gateway="d")
        await dying.append(OPENED, number=1)
    for _ in range(6):
        await asyncio.sleep(0.05)
        assert await gateway.renew_sessions() == []
    found = await asyncio.gather(node.orphans(250), gateway.orphans(250))
    assert sorted(found) == [[], [dead_session]]
    journal = await Journal.own(node, dead_session, gateway="n")
    assert [record for _, record in journal.entries] == [OPENED]
    await journal.close()
    assert await node.orphans(0) == [living._session]  # Nothing is left of the dead one's.


async def test_a_fenced_owner_leaves_the_session_to_whoever_fenced_it(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """A new owner may die right after its fence, before the session's entry is its own: it must not be lost with it."""
    session = a_session()
    journal = await Journal.own(gateway, session, gateway="g")
    valkey.client.xadd(names.journal(session), {"new-owner": b""}, id=f"{journal.epoch + 1}-0")
    with pytest.raises(Fenced):
        await journal.append(OPENED, number=1)
    await journal.close()
    await asyncio.sleep(0.05)
    assert await node.orphans(20) == [session]


async def test_a_session_left_for_another_gateway_becomes_an_orphan(gateway: Bus, node: Bus) -> None:
    session = a_session()
    journal = await Journal.own(gateway, session, gateway="g")
    await journal.close(ended=False)
    assert await gateway.renew_sessions() == []
    await asyncio.sleep(0.05)
    assert await node.orphans(20) == [session]


async def test_a_second_entry_of_a_session_is_no_orphan(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    """Left behind by two gateways that adopted the session at once: finalising it would fence the one that lives."""
    session = a_session()
    await Journal.own(gateway, session, gateway="g")
    await node.sessions_on(node.server_for(session)).adopt(session)
    await asyncio.sleep(0.05)
    await gateway.renew_sessions()
    assert await node.orphans(40) == []
    assert valkey.length(names.SESSIONS) == 1


async def test_an_owner_replaced_within_its_process_takes_nothing_along(gateway: Bus, node: Bus) -> None:
    """Its session came back, or was being finalised, here: what it lets go of late is another's already."""
    session = a_session()
    for ended in (False, True):
        older = await Journal.own(gateway, session, gateway="g")
        await Journal.own(gateway, session, gateway="g")
        await older.close(ended=ended)
        await Journal.own(node, session, gateway="n")
        assert await gateway.renew_sessions() == [session], "it was renewed until another process took it"


async def test_an_entry_that_was_deleted_is_made_again(valkey: Valkey, gateway: Bus, node: Bus) -> None:
    session = a_session()
    await Journal.own(gateway, session, gateway="g")
    deleted = valkey.ids(names.SESSIONS)
    valkey.client.xack(names.SESSIONS, names.GATEWAYS, *deleted)
    valkey.client.xdel(names.SESSIONS, *deleted)
    await Journal.own(node, session, gateway="n")
    assert owned_entries(valkey) == ["node"]
    assert await node.renew_sessions() == []
    assert valkey.ids(names.SESSIONS) != deleted


async def test_sessions_lost_with_redis_are_reported(valkey: Valkey, gateway: Bus) -> None:
    session = a_session()
    await Journal.own(gateway, session, gateway="g")
    valkey.client.flushall()
    assert await gateway.renew_sessions() == [session]
    assert await gateway.orphans(0) == []
    again = await Journal.own(gateway, session, gateway="g")
    assert await gateway.renew_sessions() == []
    await again.close()


async def test_renewing_prolongs_a_silent_journals_life(valkey: Valkey) -> None:
    from dataclasses import replace

    async with Bus.open([valkey.url], name="g", limits=replace(QUICK, journal_ttl_ms=600)) as bus:
        session = a_session()
        journal = await Journal.own(bus, session, gateway="g")
        for _ in range(20):
            await asyncio.sleep(0.05)
            assert await bus.renew_sessions() == []
        assert valkey.ttl_ms(names.journal(session)) > 0
        assert valkey.ttl_ms(names.owner(session)) > 0
        assert await journal.append(OPENED, number=1)


async def test_what_was_trimmed_makes_room(valkey: Valkey) -> None:
    """A conversation is bounded by what its journal holds, not by all it ever held."""
    async with Bus.open([valkey.url], name="small", limits=replace(QUICK, max_stream_entries=10)) as small:
        journal = await Journal.own(small, a_session(), gateway="g")
        for number in range(1, 31):
            await journal.append(Committed(turn=number), number=number)
            if number % 8 == 0:
                await journal.trim(number)
        for number in range(31, 40):
            with suppress(BusFull):
                await journal.append(Committed(turn=number), number=number)
        with pytest.raises(BusFull):
            await journal.append(Committed(turn=40), number=40)
