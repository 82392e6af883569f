import asyncio
import secrets
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from silvertalk.errors import TicketRefused
from silvertalk.tickets import TICKET_SECONDS, Ticket, issue_ticket, redeem_ticket
from silvertalk.tokens import Identity
from streaming.errors import BusUnavailable
from tests.silvertalk.one_time_store import ValkeyStore

IDENTITY = Identity("5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10", "guest", "1" * 32, "0" * 32, int(time.time()) + 600)


async def test_a_ticket_stands_for_who_bought_it_once(store: ValkeyStore) -> None:
    ticket = await issue_ticket(store, IDENTITY)
    assert await redeem_ticket(store, ticket) == Ticket(IDENTITY)
    with pytest.raises(TicketRefused):
        await redeem_ticket(store, ticket)


async def test_a_ticket_may_open_a_conversation_that_was_reserved(store: ValkeyStore) -> None:
    ticket = await issue_ticket(store, IDENTITY, session="0" * 32)
    assert await redeem_ticket(store, ticket) == Ticket(IDENTITY, "0" * 32)


async def test_of_many_who_show_the_same_ticket_one_comes_in(store: ValkeyStore) -> None:
    ticket = await issue_ticket(store, IDENTITY)
    came = await asyncio.gather(*(redeem_ticket(store, ticket) for _ in range(20)), return_exceptions=True)
    assert came.count(Ticket(IDENTITY)) == 1
    assert sum(isinstance(one, TicketRefused) for one in came) == 19


async def test_redis_sees_neither_the_ticket_nor_anything_without_an_end(store: ValkeyStore) -> None:
    ticket = await issue_ticket(store, IDENTITY)
    (key,) = await store.client.keys()
    value = await store.client.get(key)
    assert ticket.encode() not in key
    assert value is not None
    assert ticket.encode() not in value
    assert 0 < await store.client.ttl(key) <= TICKET_SECONDS == 30


async def test_a_ticket_past_its_time_is_refused(store: ValkeyStore) -> None:
    ticket = await issue_ticket(store, IDENTITY)
    (key,) = await store.client.keys()
    await store.client.pexpire(key, 0)
    with pytest.raises(TicketRefused):
        await redeem_ticket(store, ticket)


@pytest.mark.parametrize(
    "ticket",
    [
        *("", "a" * 42, "a" * 44, "a" * 42 + "\n", "a" * 42 + "*", "ticket:*", "é" * 43),
        pytest.param(secrets.token_urlsafe(32), id="never issued"),
    ],
)
async def test_what_is_no_ticket_is_refused(store: ValkeyStore, ticket: str) -> None:
    with pytest.raises(TicketRefused):
        await redeem_ticket(store, ticket)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.binary(max_size=200))
async def test_what_another_wrote_there_lets_nobody_in(store: ValkeyStore, planted: bytes) -> None:
    ticket = await issue_ticket(store, IDENTITY)
    (key,) = await store.client.keys()
    await store.client.set(key, planted, ex=5)
    with pytest.raises(TicketRefused):
        await redeem_ticket(store, ticket)


async def test_while_redis_is_away_it_says_so(store_away: ValkeyStore) -> None:
    with pytest.raises(BusUnavailable):
        await issue_ticket(store_away, IDENTITY)
    with pytest.raises(BusUnavailable):
        await redeem_ticket(store_away, secrets.token_urlsafe(32))
