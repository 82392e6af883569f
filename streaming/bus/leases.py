"""What a node holds at one server, for as long as it renews it.

An offer that was delivered to a node is pending with it in the group. Its idle time is the lease: renewing sets it to
zero, and once it exceeds the lease any other node may take the turn over. Letting go is either for good (the turn is
done), or for another node to take over at once: the entry then belongs to a consumer that stands for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from streaming.bus import names, scripts
from streaming.bus.entries import Entry
from streaming.bus.faults import fault, is_no_group
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server
from streaming.bus.writer import StreamWriter
from streaming.errors import BusError, Fenced, StreamingError
from streaming.logs import logger
from streaming.messages import Reclaim, encode

log = logger("bus.leases")

Deliver = Callable[[Sequence[Entry]], None]
OnLost = Callable[[StreamingError], None]

NOBODY = "nobody"
"""The consumer that holds what was handed back; its entries may be claimed at once."""

_HANDED_BACK_IDLE_MS = 3_600_000
"""Longer than any lease."""


class Leases:
    """The leases of this process at one server. `changed` is set whenever one was renewed or let go."""

    def __init__(self, server: Server, offers: str = names.OFFERS) -> None:
        self.server = server
        self.offers = offers
        self.consumer = server.process
        self.held: dict[str, ClaimedTurn] = {}
        """By offer id; bounded by the node's slots."""
        self.changed = asyncio.Event()

    @property
    def stuck(self) -> bool:
        """One of ours has run out: our engine does not move."""
        now = asyncio.get_running_loop().time()
        return any(now - turn.renewed_at > turn.lease_seconds for turn in self.held.values())

    async def renew(self, offer_id: str) -> bool:
        """Start the lease anew; False if it is no longer ours. Raises BusUnavailable where nobody knows."""
        command = ("EVAL", scripts.RENEW, 1, self.offers, names.NODES, self.consumer, offer_id)
        reply = (await self.server.main.call(command))[0]
        if not isinstance(reply, RedisError):
            return bool(reply)
        if is_no_group(reply):
            return False
        raise fault(reply)

    async def drop(self, offer_id: str) -> None:
        """The turn is done: delete its offer, if it is still ours."""
        await self.server.insist(("EVAL", scripts.RELEASE, 1, self.offers, names.NODES, self.consumer, offer_id))

    async def put_back(self, offer_id: str, delivery: int) -> None:
        """Let any node take the turn at once, if it is still ours; it does not count as delivered to us."""
        replies = await self.server.insist(
            (
                "EVAL", scripts.HAND_BACK, 1, self.offers, names.NODES, self.consumer, offer_id,
                NOBODY, _HANDED_BACK_IDLE_MS, max(0, delivery - 1),
            ),
        )  # fmt: skip
        if replies == [1]:
            try:
                await self.hint()
            except BusError as error:
                log.info("handed_back_untold", error=type(error).__name__)

    async def hint(self) -> None:
        """Have some node look for leases that may be taken over."""
        sealed = self.server.sealer.seal(self.offers, ANY_ID, encode(Reclaim()))
        await self.server.main.ask("XADD", self.offers, "NOMKSTREAM", "*", self.consumer, sealed)


class ClaimedTurn:
    """A turn this node holds.

    `lease` numbers the claims of the turn and is the term of `down`; `delivery` counts how often the turn was given
    to a node. `renewed_at` is the loop's time of the last renewal.
    """

    def __init__(self, leases: Leases, offer_id: str, session: str, turn: int, *, lease: int, delivery: int) -> None:
        self.session = session
        self.turn = turn
        self.lease = lease
        self.delivery = delivery
        self.offer_id = offer_id
        self.up_key = names.up(session, turn)
        self.lease_seconds = leases.server.limits.lease_ms / 1000
        self.renewed_at = asyncio.get_running_loop().time()
        self._leases = leases
        self._server = leases.server
        self._let_go = False
        limits = leases.server.limits
        self.is_suspect = delivery == limits.max_deliveries
        """All nodes but the last that may have it have died with it: to be served alone."""
        self.is_hopeless = delivery > limits.max_deliveries
        """So many nodes have died with it that nobody is to touch what the person said."""
        self.down = StreamWriter(
            self._server.main,
            names.down(session, turn),
            lease,
            sealer=self._server.sealer,
            limits=self._server.limits,
            ttl_ms=self._server.limits.turn_ttl_ms,
        )
        leases.held[offer_id] = self

    def follow(self, deliver: Deliver, on_lost: OnLost | None = None) -> None:
        """Give the up stream from its first entry to `deliver`, in order, on the loop.

        `on_lost` hears why there will be no more of it, or why `down` can no longer be written.
        """
        self._server.follower.follow(self.up_key, deliver, on_lost=on_lost)
        self.down.on_lost = on_lost

    async def renew(self) -> None:
        """Start the lease anew. Raises Fenced where the turn is no longer ours, BusUnavailable where nobody knows."""
        asked_at = asyncio.get_running_loop().time()
        if self._is_superseded or not await self._leases.renew(self.offer_id):
            self._unhold()  # What is another's is no sign that our engine is stuck.
            raise Fenced(f"{self.up_key}: lease {self.lease} belongs to us no more")
        self.renewed_at = max(self.renewed_at, asked_at)
        self._leases.changed.set()

    async def release(self) -> None:
        """The turn is done: delete its offer (if it is still ours) and let go, whatever becomes of the caller."""
        if self._leave():
            await self._server.see_through(self._finish(), f"release {self.up_key}")

    async def hand_back(self) -> None:
        """Let another node claim the turn at once, after what was written; it is not counted as delivered to us."""
        if self._leave():
            await self._server.see_through(self._give_away(), f"hand back {self.up_key}")

    async def abandon(self) -> None:
        """Stop at once: what is unsent is dropped, and the turn handed back if it should still be ours, without waiting
        for Redis, which may be away."""
        if self._leave():
            self.down.close()
            self._server.promise(self._put_back(), f"abandon {self.up_key}")

    def hand_back_soon(self) -> None:
        """`hand_back`, with nobody waiting for it."""
        if self._leave():
            self._server.promise(self._give_away(), f"hand back {self.up_key}")

    def _leave(self) -> bool:
        if self._let_go:
            return False
        self._let_go = True
        self._unhold()
        # Unless this node was given the turn again meanwhile, and follows it for that claim.
        if not any(other.up_key == self.up_key for other in self._leases.held.values()):
            self._server.unfollow(self.up_key)
        return True

    @property
    def _is_superseded(self) -> bool:
        """This process lost the turn and was given it again: the entry in the group belongs to the later claim."""
        return self._leases.held.get(self.offer_id, self) is not self

    def _unhold(self) -> None:
        if self._leases.held.get(self.offer_id) is self:
            del self._leases.held[self.offer_id]
        self._leases.changed.set()

    async def _finish(self) -> None:
        await self._flush()
        if not self._is_superseded:
            await self._leases.drop(self.offer_id)

    async def _give_away(self) -> None:
        await self._flush()
        await self._put_back()

    async def _put_back(self) -> None:
        if not self._is_superseded:
            await self._leases.put_back(self.offer_id, self.delivery)

    async def _flush(self) -> None:
        try:
            await self.down.flush()
        except BusError as error:
            log.info("turn_let_go_unsent", name=self.up_key, error=type(error).__name__)
        self.down.close()
