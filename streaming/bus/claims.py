"""The node's side of turns: claiming them, holding the lease, letting go.

Offers are read through a consumer group, only as many as there are free slots. A group read that is cancelled loses
what Redis had already handed over, so it belongs to a task of its own and is ended by a bell; `Claims.next` merely
waits for what that task finds. What was delivered without our seeing it (a reply lost with its connection) is found
by asking for our own pending entries after every reconnection. XREADGROUP from id 0 would find it too, but counts
every turn we hold as delivered once more; XPENDING does not.

A process takes a new consumer name each time it starts, so it never has pending entries from an earlier life, and never
claims from itself: a lease of its own that ran out means that its engine is stuck, and then it reads no offers either.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError

from streaming.bus import entries, names, scripts
from streaming.bus.entries import Entry, RawEntry
from streaming.bus.faults import checked, fault, is_no_group
from streaming.bus.link import Command
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server
from streaming.bus.waking import Bell
from streaming.bus.writer import StreamWriter
from streaming.errors import BusError, BusUnavailable, Fenced, MessageError, StreamingError
from streaming.messages import CloseTurn, Offer, Reclaim, encode

log = logging.getLogger(__name__)

Deliver = Callable[[Sequence[Entry]], None]
OnLost = Callable[[StreamingError], None]

NOBODY = "nobody"
"""The consumer that holds what was handed back; its entries may be claimed at once."""

_HANDED_BACK_IDLE_MS = 3_600_000
_LOOK_COUNT = 64
"""Run-out leases looked at in one go: more than one node has slots."""
_OWN_COUNT = 1_000
"""Hosted Redis allows a consumer so many pending entries."""
_FORGET_CONSUMER_MS = 3_600_000
"""A consumer name unused for so long belongs to a process that has ended."""


class Claims:
    """The turns this process has claimed or may claim, on all servers."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._desks = [_Desk(server, self) for server in servers]
        # Bounded by the slots asked for, once per server: a desk reads no more offers than that.
        self._ready: deque[ClaimedTurn] = deque()
        self._slots = 0
        self._news = asyncio.Event()
        self._woken = False

    async def next(self, free_slots: int) -> list[ClaimedTurn]:
        """Up to `free_slots` newly claimed turns, as soon as there is one; [] after `wake`.

        With no free slot it waits for `wake` alone. Cancelling loses nothing: what was claimed is returned by the next
        call. A turn is the caller's from here on: its first entry on `down` must be `Claimed`.
        """
        self._slots = free_slots
        given = False
        try:
            while True:
                if self._woken:
                    self._woken = False
                    return []
                if self._ready and free_slots > 0:
                    given = True
                    return [self._ready.popleft() for _ in range(min(free_slots, len(self._ready)))]
                self._news.clear()
                for desk in self._desks:
                    desk.reconsider()
                await self._news.wait()
        finally:
            self._slots = 0
            if not given:
                # The caller may not come back, and an offer read now would wait in vain. After a claim it does come
                # back.
                self._stop_reading()

    def wake(self) -> None:
        """Let `next` return [] soon, and read no offers until it is called again."""
        self._woken = True
        self._slots = 0
        self._news.set()
        self._stop_reading()

    async def close(self) -> None:
        """Read no more, and hand back what is still held."""
        self.wake()
        for desk in self._desks:
            await desk.close()

    # --- for the desks -----------------------------------------------------------------------------------------------

    @property
    def wanted(self) -> int:
        """Free slots for which nothing is ready yet."""
        return max(0, self._slots - len(self._ready))

    def found(self, turn: ClaimedTurn) -> None:
        self._ready.append(turn)
        self._news.set()
        if not self.wanted:
            self._stop_reading()
        asyncio.get_running_loop().call_later(turn.lease_seconds / 2, self._take_back, turn)

    def _take_back(self, turn: ClaimedTurn) -> None:
        """Nobody asked for the turn while its lease was good: let another node have it."""
        if turn in self._ready:
            self._ready.remove(turn)
            turn.hand_back_soon()

    def _stop_reading(self) -> None:
        for desk in self._desks:
            desk.bell.ring()


class _Offered:
    __slots__ = ("delivery", "offer", "offer_id")

    def __init__(self, offer_id: str, offer: Offer, delivery: int) -> None:
        self.offer_id = offer_id
        self.offer = offer
        self.delivery = delivery


class _Desk:
    """The claiming at one server."""

    def __init__(self, server: Server, claims: Claims) -> None:
        self.server = server
        self.consumer = server.process
        self.bell = Bell(names.wake(f"{server.process}.claim"), server.main, server.limits)
        self.held: dict[str, ClaimedTurn] = {}
        """By offer id; bounded by the node's slots."""
        self._claims = claims
        # Bounded by the slots asked for, as `_ready` is.
        self._offered: deque[_Offered] = deque()
        self._reading = server.blocking_link("claiming")
        self._changed = asyncio.Event()
        self._connections = 0
        self._look = True
        self._rung = False
        """The bell's last entry is still to be acknowledged."""
        self._closing = False
        self._task = server.spawn(self._run(), f"bus {server.name} claims")

    def reconsider(self) -> None:
        """Slots were freed, or a lease renewed."""
        self._changed.set()

    async def close(self) -> None:
        self._closing = True
        self.bell.ring()
        self.reconsider()
        if not self.server.main.up.is_set():
            return
        await asyncio.wait({self._task}, timeout=self.server.limits.patience_seconds)
        for turn in list(self.held.values()):
            await turn.hand_back()
        for offered in self._offered:
            await self._put_back(offered.offer_id, offered.delivery)
        try:
            await self.server.main.ask("DEL", self.bell.key)
            left = await self.server.main.ask("XPENDING", names.OFFERS, names.NODES, "-", "+", 1, self.consumer)
            if not left:
                await self.server.main.ask("XGROUP", "DELCONSUMER", names.OFFERS, names.NODES, self.consumer)
        except BusError as error:
            log.info("consumer %s stays behind: %s", self.consumer, error)

    # --- the task ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing:
            self._changed.clear()
            if not self._offered and (not self._claims.wanted or self._is_stuck()):
                await self._changed.wait()
                continue
            await self._reading.up.wait()
            try:
                await self._step()
            except BusError as error:
                if not isinstance(error, BusUnavailable):
                    log.warning("claiming at %s: %s", self.server.name, error)
                await asyncio.sleep(self.server.limits.retry_seconds)

    async def _step(self) -> None:
        """One thing, the most urgent first: claim what was delivered, look for what was missed, read."""
        if self._offered:
            await self._claim(self._offered[0])
            self._offered.popleft()
        elif self._reading.connections != self._connections:
            connections = self._reading.connections
            await self._found_groups()
            await self._look_for_own()
            # Not for others' leases: while the server was away nobody could renew any, and living nodes are about to.
            self._connections = connections
        elif self._look:
            self._look = False
            await self._look_for_run_out()
        else:
            await self._read()

    def _is_stuck(self) -> bool:
        now = asyncio.get_running_loop().time()
        return any(now - turn.renewed_at > turn.lease_seconds for turn in self.held.values())

    async def _found_groups(self) -> None:
        """At id 0: whatever was offered before the group existed, or while Redis had forgotten it, is delivered."""
        for stream in (names.OFFERS, self.bell.key):
            try:
                await self.server.main.ask("XGROUP", "CREATE", stream, names.NODES, "0", "MKSTREAM")
            except BusError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        await self.server.main.ask("PEXPIRE", self.bell.key, 2 * self.server.limits.block_ms)
        await self._forget_consumers()

    async def _forget_consumers(self) -> None:
        for row in await self.server.main.ask("XINFO", "CONSUMERS", names.OFFERS, names.NODES):
            facts: dict[bytes, Any] = dict(zip(row[::2], row[1::2], strict=True))
            if facts[b"pending"] == 0 and facts[b"idle"] > _FORGET_CONSUMER_MS:
                await self.server.main.ask("XGROUP", "DELCONSUMER", names.OFFERS, names.NODES, facts[b"name"])

    async def _read(self) -> None:
        commands: list[Command] = [("PEXPIRE", self.bell.key, 2 * self.server.limits.block_ms)]
        if self._rung:
            commands.append(("XACK", self.bell.key, names.NODES, self.bell.heard))
        commands.append(
            (
                "XREADGROUP", "GROUP", names.NODES, self.consumer,
                "COUNT", self._claims.wanted, "BLOCK", self.server.limits.block_ms,
                "STREAMS", names.OFFERS, self.bell.key, ">", ">",
            )
        )  # fmt: skip
        self.bell.listening()
        try:
            reply = (await self._reading.call(*commands))[-1]
        finally:
            self.bell.returned()
        self._rung = False
        if isinstance(reply, RedisError):
            if not is_no_group(reply):
                raise fault(reply)
            self._connections = 0  # Redis came back empty, or lost the group: begin again.
            return
        for name, raws in reply or ():
            if bytes(name).decode() == self.bell.key:
                self.bell.rang(entries.entry_id(raws[-1]))
                self._rung = True
                continue
            for raw in raws:
                await self._take(raw, delivery=1)

    async def _take(self, raw: RawEntry, delivery: int) -> None:
        """An entry of the offers stream is pending with us."""
        offer_id = entries.entry_id(raw)
        try:
            read = entries.read_any_id(names.OFFERS, raw, self.server.sealer)
        except MessageError as error:
            log.error("an offer that cannot be read is deleted: %s", error)
            read = None
        if isinstance(read, Offer):
            self._offered.append(_Offered(offer_id, read, delivery))
            return
        if isinstance(read, Reclaim):
            self._look = True
        await self.server.insist(("XACK", names.OFFERS, names.NODES, offer_id), ("XDEL", names.OFFERS, offer_id))

    # --- what was missed ---------------------------------------------------------------------------------------------

    async def _look_for_own(self) -> None:
        """Offers that Redis delivered to us without our seeing it."""
        known = {*self.held, *(offered.offer_id for offered in self._offered)}
        pending = await self.server.main.ask("XPENDING", names.OFFERS, names.NODES, "-", "+", _OWN_COUNT, self.consumer)
        for raw_id, _, _, count in pending:
            offer_id = bytes(raw_id).decode()
            if offer_id not in known:
                for raw in await self.server.main.ask("XRANGE", names.OFFERS, offer_id, offer_id):
                    await self._take(raw, delivery=count)

    async def _look_for_run_out(self) -> None:
        """Take over leases of others that have run out, as many as there are slots for."""
        lease_ms = self.server.limits.lease_ms
        pending = await self.server.main.ask(
            "XPENDING", names.OFFERS, names.NODES, "IDLE", lease_ms, "-", "+", _LOOK_COUNT
        )
        own_ran_out = False
        for raw_id, consumer, _, count in pending:
            if bytes(consumer).decode() == self.consumer:
                own_ran_out = True
                continue
            if len(self._offered) >= self._claims.wanted:
                break
            claimed = await self.server.main.ask("XCLAIM", names.OFFERS, names.NODES, self.consumer, lease_ms, raw_id)
            for raw in claimed:
                if raw is not None:
                    await self._take(raw, delivery=count + 1)
        if own_ran_out:
            # The hint was meant for somebody else. We read no more until our engine moves, so it cannot come back to
            # us.
            await self.hint()

    async def hint(self) -> None:
        """Have some node look for leases that have run out."""
        sealed = self.server.sealer.seal(names.OFFERS, ANY_ID, encode(Reclaim()))
        await self.server.main.ask("XADD", names.OFFERS, "NOMKSTREAM", "*", self.consumer, sealed)

    # --- claiming ----------------------------------------------------------------------------------------------------

    async def _claim(self, offered: _Offered) -> None:
        """Raise the turn's lease number; drop the offer of a turn that is closed or gone."""
        session, turn = offered.offer.session, offered.offer.turn
        up_key, down_key, lease_key = names.up(session, turn), names.down(session, turn), names.lease(session, turn)
        up, down = await self.server.main.call(
            ("XREVRANGE", up_key, "+", "-", "COUNT", 1), ("XREVRANGE", down_key, "+", "-", "COUNT", 1)
        )
        if not checked(up) or not checked(down) or self._is_closed(up_key, up):
            await self._forget(offered.offer_id)
            return
        lease = await self._next_lease(lease_key, entries.parse_id(entries.entry_id(down[0]))[0])
        claimed = ClaimedTurn(self, offered.offer_id, session, turn, lease, offered.delivery)
        self.held[offered.offer_id] = claimed
        self._claims.found(claimed)

    async def _next_lease(self, key: str, written: int) -> int:
        """The turn's next lease number, above every one that has `written` to its down stream."""
        raised, expires = await self.server.main.call(("INCR", key), ("PEXPIRE", key, self.server.limits.turn_ttl_ms))
        lease = int(checked(raised))
        checked(expires)
        if lease <= written:  # The counter was lost while the stream lived on.
            lease = int(await self.server.main.ask("INCRBY", key, written + 1 - lease))
        return lease

    def _is_closed(self, up_key: str, top: Sequence[RawEntry]) -> bool:
        try:
            return any(isinstance(message, CloseTurn) for _, message in entries.read(up_key, top, self.server.sealer))
        except MessageError as error:
            log.error("an offered turn that cannot be read is dropped: %s", error)
            return True

    async def _forget(self, offer_id: str) -> None:
        await self.server.insist(
            ("EVAL", scripts.RELEASE, 1, names.OFFERS, names.NODES, self.consumer, offer_id),
        )

    async def _put_back(self, offer_id: str, delivery: int) -> None:
        await self.server.insist(
            (
                "EVAL", scripts.HAND_BACK, 1, names.OFFERS, names.NODES, self.consumer, offer_id,
                NOBODY, _HANDED_BACK_IDLE_MS, delivery - 1,
            ),
        )  # fmt: skip
        try:
            await self.hint()
        except BusError as error:
            log.info("nobody was told of what was handed back: %s", error)


class ClaimedTurn:
    """A turn this node holds, for as long as it renews the lease.

    `lease` numbers the claims of the turn and is the term of `down`; `delivery` counts how often the turn was given
    to a node. `renewed_at` is the loop's time of the last renewal.
    """

    def __init__(self, desk: _Desk, offer_id: str, session: str, turn: int, lease: int, delivery: int) -> None:
        self.session = session
        self.turn = turn
        self.lease = lease
        self.delivery = delivery
        self.offer_id = offer_id
        self.up_key = names.up(session, turn)
        self._desk = desk
        self._server = desk.server
        self._let_go = False
        self.lease_seconds = self._server.limits.lease_ms / 1000
        self.renewed_at = asyncio.get_running_loop().time()
        self.down = StreamWriter(
            self._server.main,
            names.down(session, turn),
            lease,
            sealer=self._server.sealer,
            limits=self._server.limits,
            ttl_ms=self._server.limits.turn_ttl_ms,
        )

    def follow(self, deliver: Deliver, on_lost: OnLost | None = None) -> None:
        """Give the up stream from its first entry to `deliver`, in order, on the loop.

        `on_lost` hears why there will be no more of it, or why `down` can no longer be written.
        """
        self._server.follower.follow(self.up_key, deliver, on_lost=on_lost)
        self.down.on_lost = on_lost

    async def renew(self) -> None:
        """Start the lease anew. Raises Fenced where the turn is no longer ours, BusUnavailable where nobody knows."""
        asked_at = asyncio.get_running_loop().time()
        reply = (
            await self._server.main.call(
                ("EVAL", scripts.RENEW, 1, names.OFFERS, names.NODES, self._desk.consumer, self.offer_id)
            )
        )[0]
        if isinstance(reply, RedisError):
            if not is_no_group(reply):
                raise fault(reply)
            reply = []
        if not reply:
            raise Fenced(f"{self.up_key}: lease {self.lease} belongs to us no more")
        self.renewed_at = max(self.renewed_at, asked_at)
        self._desk.reconsider()

    async def release(self) -> None:
        """The turn is done: delete its offer (if it is still ours) and let go, whatever becomes of the caller."""
        if self._leave():
            await self._server.see_through(self._finish(), f"release {self.up_key}")

    async def hand_back(self) -> None:
        """Let another node claim the turn at once; it is not counted as delivered to us."""
        if self._leave():
            await self._server.see_through(self._give_away(), f"hand back {self.up_key}")

    def hand_back_soon(self) -> None:
        if self._leave():
            self._server.promise(self._give_away(), f"hand back {self.up_key}")

    async def abandon(self) -> None:
        """Let go without a word to Redis: the turn is another's already, or Redis is away. The unsent is dropped."""
        if self._leave():
            self.down.close()

    def _leave(self) -> bool:
        if self._let_go:
            return False
        self._let_go = True
        if self._desk.held.get(self.offer_id) is self:
            del self._desk.held[self.offer_id]
        # Unless this node was given the turn again meanwhile, and follows it for that claim.
        if not any(other.up_key == self.up_key for other in self._desk.held.values()):
            self._server.unfollow(self.up_key)
        self._desk.reconsider()
        return True

    async def _finish(self) -> None:
        await self._flush()
        await self._desk._forget(self.offer_id)

    async def _give_away(self) -> None:
        await self._flush()
        await self._desk._put_back(self.offer_id, self.delivery)

    async def _flush(self) -> None:
        try:
            await self.down.flush()
        except BusError as error:
            log.info("%s was let go with entries unsent: %s", self.up_key, error)
        self.down.close()
