"""The claiming at one server: one task that reads offers, looks for run-out leases, and claims.

Offers are read through a consumer group, only as many as are wanted. A group read that is cancelled loses what Redis
had already handed over, so this task owns it and a bell ends it. What was delivered without our seeing it (a reply
lost with its connection) is found by asking for our own pending entries after every reconnection. XREADGROUP from id
0 would find it too, but counts every turn we hold as delivered once more; XPENDING does not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError

from streaming.bus import entries, names
from streaming.bus.entries import RawEntry
from streaming.bus.faults import checked, fault, is_no_group
from streaming.bus.leases import ClaimedTurn, Leases
from streaming.bus.link import Command
from streaming.bus.server import Server
from streaming.bus.waking import Bell
from streaming.errors import BusError, BusUnavailable, MessageError
from streaming.logs import logger
from streaming.messages import CloseTurn, Offer, Reclaim

log = logger("bus.desk")

_LOOK_COUNT = 64
"""Run-out leases looked at in one go: more than one node has slots."""

_OWN_COUNT = 1_000
"""Hosted Redis allows a consumer so many pending entries."""

_FORGET_CONSUMER_MS = 3_600_000
"""A consumer name unused for so long belongs to a process that has ended."""


class _Offered:
    __slots__ = ("delivery", "offer", "offer_id")

    def __init__(self, offer_id: str, offer: Offer, delivery: int) -> None:
        self.offer_id = offer_id
        self.offer = offer
        self.delivery = delivery


class Desk:
    """Claims as many turns as `wanted` says, and gives each to `found`."""

    def __init__(
        self,
        server: Server,
        *,
        wanted: Callable[[], int],
        alone: Callable[[], bool],
        found: Callable[[ClaimedTurn], None],
        offers: str = names.OFFERS,
    ) -> None:
        """`alone`: nothing else is served by this process. `offers`: the stream that they are read from."""
        self._server = server
        self._wanted = wanted
        self._alone = alone
        self._found = found
        self._offers = offers
        self._leases = Leases(server, offers)
        self._consumer = self._leases.consumer
        purpose = "claim" if offers == names.OFFERS else "errand"
        self._bell = Bell(names.wake(f"{server.process}.{purpose}"), server.main, server.limits)
        self._rung = False
        """The bell's last entry is still to be acknowledged."""
        # Bounded by what was wanted when the offers were read.
        self._offered: deque[_Offered] = deque()
        self._reading = server.blocking_link(f"{purpose}ing")
        self._connections = 0
        self._look = True
        """Leases of others are to be looked at: we have just started,"""
        self._hinted = False
        """or were told that one has run out."""
        self._closing = False
        self._task = server.spawn(self._run(), f"bus {server.name} {purpose}s")

    def reconsider(self) -> None:
        """What is wanted has changed."""
        self._leases.changed.set()

    def stop_reading(self) -> None:
        """End the read under way; the next one begins when something is wanted."""
        self._bell.ring()

    async def close(self) -> None:
        """Read no more, hand back what is held, leave the group."""
        self._closing = True
        self.stop_reading()
        self.reconsider()
        main = self._server.main
        if not main.up.is_set():
            return
        await asyncio.wait({self._task}, timeout=self._server.limits.patience_seconds)
        await asyncio.gather(*(turn.hand_back() for turn in list(self._leases.held.values())))
        for offered in self._offered:
            await self._leases.put_back(offered.offer_id, offered.delivery)
        try:
            if self._hinted:
                await self._leases.hint()
            await main.ask("DEL", self._bell.key)
            if not await main.ask("XPENDING", self._offers, names.NODES, "-", "+", 1, self._consumer):
                await main.ask("XGROUP", "DELCONSUMER", self._offers, names.NODES, self._consumer)
        except BusError as error:
            log.info("consumer_left_behind", name=self._consumer, error=type(error).__name__)

    # --- the task ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing:
            self._leases.changed.clear()
            if not (self._offered or self._hinted or self._may_read()):
                await self._leases.changed.wait()
                continue
            await self._reading.up.wait()
            try:
                await self._step()
            except BusError as error:
                if not isinstance(error, BusUnavailable):
                    log.warning("claiming_failed", server=self._server.name, exc_info=error)
                await asyncio.sleep(self._server.limits.retry_seconds)

    def _may_read(self) -> bool:
        return self._wanted() > 0 and not self._leases.stuck

    async def _step(self) -> None:
        """One thing, the most urgent first: claim what was delivered, look for what was missed, read."""
        if self._offered:
            await self._claim(self._offered[0])
            self._offered.popleft()
        elif self._reading.connections != self._connections:
            # Others' leases are not looked at here: while the server was away nobody could renew any, and living nodes
            # are about to.
            connections = self._reading.connections
            await self._found_groups()
            await self._look_for_own()
            self._connections = connections
        elif not self._may_read():
            if self._hinted:
                # For a node that can take a turn. We read nothing now, so it cannot come back to us.
                await self._leases.hint()
                self._hinted = False
        elif self._look or self._hinted:
            await self._look_for_run_out()
            self._look = self._hinted = False
        else:
            await self._read()

    async def _found_groups(self) -> None:
        """At id 0: whatever was offered before the group existed, or while Redis had forgotten it, is delivered."""
        main = self._server.main
        for stream in (self._offers, self._bell.key):
            try:
                await main.ask("XGROUP", "CREATE", stream, names.NODES, "0", "MKSTREAM")
            except BusError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        await main.ask("PEXPIRE", self._bell.key, 2 * self._server.limits.block_ms)
        for row in await main.ask("XINFO", "CONSUMERS", self._offers, names.NODES):
            facts: dict[bytes, Any] = dict(zip(row[::2], row[1::2], strict=True))
            if facts[b"pending"] == 0 and facts[b"idle"] > _FORGET_CONSUMER_MS:
                await main.ask("XGROUP", "DELCONSUMER", self._offers, names.NODES, facts[b"name"])

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        block_ms = self._server.limits.block_ms
        commands: list[Command] = [("PEXPIRE", self._bell.key, 2 * block_ms)]
        if self._rung:
            commands.append(("XACK", self._bell.key, names.NODES, self._bell.heard))
        commands.append(
            (
                "XREADGROUP", "GROUP", names.NODES, self._consumer, "COUNT", self._wanted(), "BLOCK", block_ms,
                "STREAMS", self._offers, self._bell.key, ">", ">",
            )
        )  # fmt: skip
        self._bell.listening()
        try:
            reply = (await self._reading.call(*commands))[-1]
        finally:
            self._bell.returned()
        self._rung = False
        if isinstance(reply, RedisError):
            if not is_no_group(reply):
                raise fault(reply)
            self._connections = 0  # Redis came back empty, or lost the group: begin again.
            return
        for name, raws in reply or ():
            if bytes(name).decode() == self._bell.key:
                self._bell.rang(entries.entry_id(raws[-1]))
                self._rung = True
                continue
            for raw in raws:
                await self._take(raw, delivery=1)

    async def _take(self, raw: RawEntry, delivery: int) -> None:
        """An entry of the offers stream is pending with us."""
        offer_id = entries.entry_id(raw)
        try:
            read = entries.read_any_id(self._offers, raw, self._server.sealer)
        except MessageError as error:
            log.error("unreadable_offer_deleted", exc_info=error)
            read = None
        if isinstance(read, Offer):
            self._offered.append(_Offered(offer_id, read, delivery))
            return
        if isinstance(read, Reclaim):
            self._hinted = True
        await self._leases.drop(offer_id)

    # --- what was missed ---------------------------------------------------------------------------------------------

    def _knows(self, offer_id: str) -> bool:
        return offer_id in self._leases.held or any(offered.offer_id == offer_id for offered in self._offered)

    async def _look_for_own(self) -> None:
        """Offers that Redis delivered to us without our seeing it."""
        main = self._server.main
        pending = await main.ask("XPENDING", self._offers, names.NODES, "-", "+", _OWN_COUNT, self._consumer)
        for raw_id, _, _, count in pending:
            offer_id = bytes(raw_id).decode()
            if self._knows(offer_id):
                continue
            found = await main.ask("XRANGE", self._offers, offer_id, offer_id)
            if found:
                await self._take(found[0], delivery=count)
            else:
                await self._leases.drop(offer_id)

    async def _look_for_run_out(self) -> None:
        """Take over leases of others that have run out, as many as there are slots for."""
        main, lease_ms = self._server.main, self._server.limits.lease_ms
        pending = await main.ask("XPENDING", self._offers, names.NODES, "IDLE", lease_ms, "-", "+", _LOOK_COUNT)
        for raw_id, consumer, idle_ms, count in pending:
            if bytes(consumer).decode() == self._consumer:
                await self._own_ran_out(bytes(raw_id).decode(), count)
            elif len(self._offered) < self._wanted() and self._may_take(count + 1, idle_ms):
                for raw in await main.ask("XCLAIM", self._offers, names.NODES, self._consumer, lease_ms, raw_id):
                    if raw is not None:
                        await self._take(raw, delivery=count + 1)

    def _may_take(self, delivery: int, idle_ms: int) -> bool:
        """Whether this node may be the one that gets the turn. Who would serve it alone is left to a node that is
        alone already, for a while; the gateway goes on telling of it."""
        limits = self._server.limits
        if any(offered.delivery == limits.max_deliveries for offered in self._offered):
            return False
        if delivery != limits.max_deliveries:
            return True
        alone = self._alone() and not self._offered
        return alone or idle_ms >= limits.lease_ms + limits.suspect_wait_ms

    async def _own_ran_out(self, offer_id: str, delivery: int) -> None:
        """A node never claims from itself: what it holds and does not renew, another has to take."""
        if not self._knows(offer_id):
            await self._leases.put_back(offer_id, delivery)
        elif self._leases.stuck:
            await self._leases.hint()  # As above.

    # --- claiming ----------------------------------------------------------------------------------------------------

    async def _claim(self, offered: _Offered) -> None:
        """Raise the turn's lease number; drop the offer of a turn that is closed or gone."""
        session, turn = offered.offer.session, offered.offer.turn
        try:
            up_key, down_key, lease_key = names.up(session, turn), names.down(session, turn), names.lease(session, turn)
        except ValueError as error:
            log.error("offer_of_no_turn_deleted", exc_info=error)
            await self._leases.drop(offered.offer_id)
            return
        up, down = await self._server.main.call(
            ("XREVRANGE", up_key, "+", "-", "COUNT", 1), ("XREVRANGE", down_key, "+", "-", "COUNT", 1)
        )
        if not checked(up) or not checked(down) or self._is_closed(up_key, up):
            await self._leases.drop(offered.offer_id)
            return
        lease = await self._next_lease(lease_key, entries.parse_id(entries.entry_id(down[0]))[0])
        self._found(ClaimedTurn(self._leases, offered.offer_id, session, turn, lease=lease, delivery=offered.delivery))

    async def _next_lease(self, key: str, written: int) -> int:
        """The turn's next lease number, above every one that has `written` to its down stream."""
        main = self._server.main
        raised, expires = await main.call(("INCR", key), ("PEXPIRE", key, self._server.limits.turn_ttl_ms))
        lease = int(checked(raised))
        checked(expires)
        if lease <= written:  # The counter was lost while the stream lived on.
            lease = int(await main.ask("INCRBY", key, written + 1 - lease))
        return lease

    def _is_closed(self, up_key: str, top: Sequence[RawEntry]) -> bool:
        try:
            return any(isinstance(message, CloseTurn) for _, message in entries.read(up_key, top, self._server.sealer))
        except MessageError as error:
            log.error("unreadable_turn_dropped", exc_info=error)
            return True
