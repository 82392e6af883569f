"""One live session per person, and revocations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from streaming.bus import Bus, names
from tests.streaming.bus.parts import QUICK, a_session, until
from tests.valkey import Valkey


class Gateway:
    """A gateway's ears."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.replaced: list[str] = []
        self.moved: list[str] = []
        self.revoked: list[tuple[str, str]] = []
        bus.on_replaced = self.replaced.append
        bus.on_moved = self.moved.append
        bus.on_revoked = lambda user, login: self.revoked.append((user, login))


@asynccontextmanager
async def gateways(valkey: Valkey, count: int) -> AsyncIterator[list[Gateway]]:
    async with AsyncExitStack() as stack:
        yield [
            Gateway(await stack.enter_async_context(Bus.open([valkey.url], name=f"g{number}", limits=QUICK)))
            for number in range(count)
        ]


async def test_a_newer_session_replaces_the_older(valkey: Valkey) -> None:
    async with gateways(valkey, 2) as (one, two):
        older, newer, foreign = a_session(), a_session(), a_session()
        await one.bus.announce_session("u", older, "g0")
        await one.bus.announce_session("somebody else", foreign, "g0")
        await two.bus.announce_session("u", newer, "g1")
        await until(lambda: one.replaced)
        assert one.replaced == [older]
        latest = a_session()
        await one.bus.announce_session("u", latest, "g0")
        await until(lambda: two.replaced)
        assert two.replaced == [newer] and one.replaced == [older]
        assert valkey.ttl_ms(names.CONTROL) > 0


async def test_a_session_that_another_gateway_has_now_has_moved(valkey: Valkey) -> None:
    async with gateways(valkey, 2) as (one, two):
        session = a_session()
        await one.bus.announce_session("u", session, "g0")
        await two.bus.announce_session("u", session, "g1")
        await until(lambda: one.moved)
        await one.bus.announce_session("u", session, "g0")
        await until(lambda: two.moved)
        assert one.moved == two.moved == [session]
        assert not one.replaced and not two.replaced


async def test_of_sessions_announced_at_once_one_lives(valkey: Valkey) -> None:
    async with gateways(valkey, 4) as all_gateways:
        for round_number in range(10):
            sessions = {gateway: a_session() for gateway in all_gateways}
            await asyncio.gather(
                *(each.bus.announce_session(f"u{round_number}", session, "g") for each, session in sessions.items())
            )
            await until(
                lambda sessions=sessions: (  # type: ignore[misc]
                    sum(session in gateway.replaced for gateway, session in sessions.items()) == 3
                )
            )


async def test_a_session_that_ended_is_not_replaced(valkey: Valkey) -> None:
    async with gateways(valkey, 2) as (one, two):
        ended = a_session()
        await one.bus.announce_session("u", ended, "g0")
        one.bus.forget_session(ended)
        await two.bus.announce_session("u", a_session(), "g1")
        await one.bus.announce_session("v", marker := a_session(), "g0")
        await two.bus.announce_session("v", a_session(), "g1")
        await until(lambda: one.replaced)
        assert one.replaced == [marker]


async def test_a_revocation_is_heard_by_all(valkey: Valkey) -> None:
    async with gateways(valkey, 2) as (one, two):
        await one.bus.listen()
        await two.bus.listen()
        await one.bus.announce_revocation("u")
        await two.bus.announce_revocation("u", "phone")
        await until(lambda: one.revoked == two.revoked == [("u", ""), ("u", "phone")])


async def test_what_cannot_be_read_is_passed_over(valkey: Valkey) -> None:
    async with gateways(valkey, 1) as (one,):
        await one.bus.listen()
        valkey.client.xadd(names.CONTROL, {"stranger": b"\xff"})
        await one.bus.announce_revocation("u")
        await until(lambda: one.revoked == [("u", "")])
