"""What somebody left on the bus is gone when they ask for it, and nobody else's is."""

from __future__ import annotations

import pytest

from streaming.bus import Bus, Journal, names
from streaming.bus.forgetting import forget_sessions, forget_values, sessions_of
from streaming.errors import Fenced, MessageError
from streaming.messages import Committed, SessionOpened
from tests.streaming.bus.parts import a_session
from tests.valkey import Valkey


def opened(user: str) -> SessionOpened:
    return SessionOpened(user=user, language="ko", reply_rate=24_000)


async def a_journal(bus: Bus, user: str) -> tuple[str, Journal]:
    session = a_session()
    journal = await Journal.own(bus, session, gateway="g")
    await journal.append(opened(user), number=1)
    return session, journal


def keys(valkey: Valkey, session: str) -> set[str]:
    return {bytes(key).decode() for key in valkey.client.scan_iter(f"*{session}*")}


async def test_whose_a_journal_is(gateway: Bus) -> None:
    (mine, _), (other, journal), (again, ended) = [await a_journal(gateway, user) for user in ("me", "you", "me")]
    await ended.close()
    assert await sessions_of(gateway, "me") == {mine, again}
    assert await sessions_of(gateway, "you") == {other}
    assert await sessions_of(gateway, "nobody") == set()
    await journal.close()


async def test_a_session_is_forgotten_while_its_gateway_writes(gateway: Bus, node: Bus, valkey: Valkey) -> None:
    session, journal = await a_journal(gateway, "me")
    kept, _ = await a_journal(gateway, "you")
    for key in (names.up(session, 1), names.down(session, 12), names.lease(session, 1), names.up(kept, 1)):
        valkey.client.set(key, "audio", ex=100)
    assert await forget_sessions(node, {session}) == 4
    assert keys(valkey, session) == {names.journal(session)}, "the mark that keeps the gateway out"
    assert await Journal.peek(gateway, session) == []
    assert valkey.ttl_ms(names.journal(session)) <= 180_000
    with pytest.raises(Fenced):
        await journal.append(Committed(turn=1), number=2)
    assert keys(valkey, kept) == {names.journal(kept), names.owner(kept), names.up(kept, 1)}
    assert valkey.pending(names.SESSIONS, names.GATEWAYS) == [("gateway", 1)]
    await forget_sessions(node, {session})  # once more is once
    assert await sessions_of(gateway, "me") == set()


async def test_a_journal_that_cannot_be_read_is_forgotten_too(gateway: Bus, valkey: Valkey) -> None:
    session = a_session()
    valkey.client.xadd(names.journal(session), {"mark": b"\xff of another version"}, id="5-1")
    valkey.client.expire(names.journal(session), 100)
    with pytest.raises(MessageError):
        await Journal.peek(gateway, session)
    assert await sessions_of(gateway, "me") == set()
    await forget_sessions(gateway, {session})
    assert keys(valkey, session) == {names.journal(session)}
    assert await Journal.peek(gateway, session) == []


async def test_values_go_by_what_their_names_begin_with(gateway: Bus) -> None:
    for key in ("answer:me:1", "answer:me:2", "answer:mean:1", "other:me:1"):
        await gateway.values.put(key, b"x", 100)
    assert await forget_values(gateway, ["answer:me:", "nothing:"]) == 2
    assert [await gateway.values.get(key) for key in ("answer:me:1", "answer:mean:1", "other:me:1")] == [
        None,
        b"x",
        b"x",
    ]
