"""The gateway's side of a turn: offering it, writing its up stream, hearing its down stream.

A turn is opened in one step: both streams with their first entries, and the offer. Nodes never create a stream, so a
stream that is gone stays gone until the gateway, which keeps the turn's audio, offers the turn again.

When Redis lost a turn the count of its leases is lost too, and a node that still believes in its old lease could write
into the new down stream. The new one therefore starts above every lease the gateway ever saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from redis.exceptions import RedisError

from streaming.bus import entries, names, scripts
from streaming.bus.entries import Entry, RawEntry
from streaming.bus.faults import checked, fault, is_no_group, is_too_low
from streaming.bus.link import Command
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server
from streaming.bus.writer import StreamWriter
from streaming.errors import BusError, BusUnavailable, Fenced, StreamGone, StreamingError
from streaming.logs import logger
from streaming.messages import (
    CloseTurn,
    DownOpened,
    ErrandOpened,
    Message,
    Offer,
    Reclaim,
    TurnOpened,
    UpMessage,
    encode,
)

log = logger("bus.turns")

Deliver = Callable[[Sequence[Entry]], None]
OnLost = Callable[[StreamingError], None]

_UNSEEN_LEASES = 1_000
"""How many claims can have happened since the gateway last heard of one: far more than a turn gets."""

_PAGE = 256
"""Entries a page when a stream is read back: at most some 16 MB of audio."""


class Turns:
    """The turns of one session, on the server where the session lives."""

    def __init__(self, server: Server, session: str) -> None:
        self._server = server
        self._session = names.session_id(session)

    async def open(
        self, opened: TurnOpened, *, epoch: int, deliver: Deliver, on_lost: OnLost | None = None
    ) -> OpenTurn:
        """Offer the turn to the nodes and follow its down stream.

        `deliver` gets what the node writes, in order, on the loop. `on_lost` hears why the turn's streams can no
        longer be written or read (StreamGone: `reoffer` mends it; Fenced: another gateway owns the session).
        Cancelled, the turn is taken back. Raises BusFull, BusUnavailable, and Fenced where the turn was opened
        before.
        """
        if opened.session != self._session:
            raise ValueError("a turn of another session")
        turn = OpenTurn(self._server, opened, epoch=epoch)
        await turn.begin(deliver, on_lost)
        return turn

    async def adopt(self, turn: int, *, epoch: int) -> tuple[OpenTurn, list[UpMessage]]:
        """Go on with a turn that an earlier owner of the session opened: its handle, and all that was sent up.

        The earlier owner's next write is refused. What came down is not heard before `OpenTurn.hear`. Raises StreamGone
        where Redis does not have the turn, Fenced where a later owner does, BusFull, BusUnavailable, MessageError.
        """
        adopting = _Adoption(self._server, self._session, turn, epoch)
        opened = await self._server.see_through(adopting.take(), f"adopt turn {adopting.up_key}")
        handle = OpenTurn(self._server, opened, epoch=epoch)
        handle._continue(adopting)
        return handle, adopting.sent_up

    async def read_down(self, session: str, turn: int, first: str, last: str) -> list[Entry]:
        """The entries `first` to `last` (both included) of a turn's down stream, for a client that comes back.

        Raises StreamGone where the stream is gone, BusUnavailable, MessageError.
        """
        key = names.down(session, turn)
        raws = await _read_back(self._server, key, first, last)
        if not raws and not await self._server.main.ask("EXISTS", key):
            raise StreamGone(f"{key} does not exist any more")
        return entries.read(key, raws, self._server.sealer)


class _Adoption:
    """Taking a turn's up stream into the hands of a later owner."""

    def __init__(self, server: Server, session: str, turn: int, epoch: int) -> None:
        self.up_key = names.up(session, turn)
        self.down_key = names.down(session, turn)
        self.mark = entries.new_mark()
        self.first_down = ""
        self.offer_id = ""
        self.sent_up: list[UpMessage] = []
        self._server = server
        self._epoch = epoch

    async def take(self) -> TurnOpened:
        """Fence the earlier owner, then read what it had sent: nothing can be added behind our back."""
        await self._fence()
        raws = await _read_back(self._server, self.up_key, "-", "+")
        first = await self._server.main.ask("XRANGE", self.down_key, "-", "+", "COUNT", 1)
        # Only a gateway writes up, and down's first entry, which names the offer.
        found = [cast(UpMessage, message) for _, message in entries.read(self.up_key, raws, self._server.sealer)]
        if not found or not isinstance(found[0], TurnOpened) or not first or len(first[0][1]) < 4:
            raise StreamGone(f"{self.up_key} has no beginning any more")
        self.first_down = entries.entry_id(first[0])
        self.offer_id = bytes(first[0][1][3]).decode()
        self.sent_up = found[1:]
        return found[0]

    async def _fence(self) -> None:
        """Put a marker of our epoch at the top of the up stream."""
        marker = f"{self._epoch}-1"
        while True:
            try:
                reply = (await self._server.main.call(("XADD", self.up_key, "NOMKSTREAM", marker, self.mark, "")))[0]
                break
            except BusUnavailable:
                if not await self._server.is_back():
                    raise
        if isinstance(reply, RedisError) and is_too_low(reply):
            top = await self._server.main.ask("XREVRANGE", self.up_key, "+", "-", "COUNT", 1)
            if top and entries.mark_of(top[0]) == self.mark:
                return  # it had arrived, and its reply was lost
            raise Fenced(f"{self.up_key} has a later owner")
        if checked(reply) is None:
            raise StreamGone(f"{self.up_key} does not exist any more")


async def _read_back(server: Server, key: str, first: str, last: str) -> list[RawEntry]:
    """All entries of a stream from `first` to `last`, both included."""
    raws: list[RawEntry] = []
    start = first
    while True:
        page = checked(await server.main.ask("XRANGE", key, start, last, "COUNT", _PAGE))
        raws.extend(page)
        if len(page) < _PAGE:
            return raws
        start = f"({entries.entry_id(page[-1])}"


class OpenTurn:
    """A turn that is under way. `up` writes its up stream (after `reoffer` it is another object)."""

    up: StreamWriter
    offer_id: str

    def __init__(
        self, server: Server, opened: TurnOpened | ErrandOpened, *, epoch: int, offers: str = names.OFFERS
    ) -> None:
        """`offers`: the stream in which it is offered to the nodes."""
        self._offers = offers
        self._left_ttl_ms = server.limits.closed_ttl_ms if offers == names.OFFERS else server.limits.errand_left_ttl_ms
        self.up_key = names.up(opened.session, opened.turn)
        self.down_key = names.down(opened.session, opened.turn)
        self._lease_key = names.lease(opened.session, opened.turn)
        self._server = server
        self._opened = opened
        self._epoch = epoch
        self._deliver: Deliver = _unheard
        self._on_lost: OnLost | None = None
        self._told_lost = False
        self._highest_lease = 0
        self._hint_id = ""
        self.lease_left = 0.0
        """Seconds until the lease of the turn's node runs out, as `hint_reclaim` last saw it."""
        self._mark = entries.new_mark()
        self._first_down = ""
        self._closed = False

    @property
    def opened(self) -> TurnOpened:
        """What stands first in its up stream."""
        assert isinstance(self._opened, TurnOpened), "an errand is no turn"
        return self._opened

    # --- opening -----------------------------------------------------------------------------------------------------

    async def reoffer(self) -> None:
        """Redis lost the turn: open it anew. The caller then sends the audio it kept through the new `up`.

        Raises Fenced where a later owner of the session has written to the turn, and what `Turns.open` raises.
        """
        await self._server.see_through(self._begin_again(), f"offer turn {self.up_key} again")

    async def begin(self, deliver: Deliver, on_lost: OnLost | None = None) -> None:
        """Offer it to the nodes and follow its down stream, as `Turns.open` says."""
        self._deliver, self._on_lost = deliver, on_lost
        await self._server.see_through(self._begin(), f"open turn {self.up_key}", undo=lambda _: self._abandon())

    async def _begin(self) -> None:
        await self._offer(sequence=1, base=0)

    async def _begin_again(self) -> None:
        self._server.unfollow(self.down_key)
        self.up.close()
        top = await self._server.main.ask("XREVRANGE", self.down_key, "+", "-", "COUNT", 1)
        if top:
            self._note_lease(entries.entry_id(top[0]))
        self._mark = entries.new_mark()
        await self._offer(sequence=self.up.last_sequence + 1, base=self._highest_lease + _UNSEEN_LEASES)

    async def _offer(self, *, sequence: int, base: int) -> None:
        """Run the opening script; again, if its reply was lost, since the second time it only says what the first
        did."""
        first_down = f"{base}-1"
        command = self._opening(f"{self._epoch}-{sequence}", first_down, base)
        while True:
            try:
                reply = (await self._server.main.call(command))[0]
                break
            except BusUnavailable:
                if await self._server.is_back():
                    continue
                # It may have been done all the same, and a node would hold a turn that nobody speaks in.
                self._server.promise(self._close_unheard(), f"take back {self.up_key}")
                raise
        if isinstance(reply, RedisError) and str(reply).startswith("FENCED"):
            raise Fenced(f"{self.up_key} was opened by another: {reply}")
        self.offer_id = bytes(checked(reply)).decode()
        self.up = self._writer(sequence)
        self._first_down = first_down
        self._listen()

    def _continue(self, adoption: _Adoption) -> None:
        """The turn is ours, as an earlier owner left it."""
        self._mark, self._first_down, self.offer_id = adoption.mark, adoption.first_down, adoption.offer_id
        self.up = self._writer(1)

    def hear(self, deliver: Deliver, on_lost: OnLost | None = None) -> None:
        """Give an adopted turn's down stream, from its beginning on, to `deliver`, as `Turns.open` does."""
        self._deliver, self._on_lost = deliver, on_lost
        self._listen()

    def _listen(self) -> None:
        self._told_lost = False
        self._server.follower.follow(self.down_key, self._hear, after=self._first_down, on_lost=self._lost)

    def _writer(self, sequence: int) -> StreamWriter:
        return StreamWriter(
            self._server.main,
            self.up_key,
            self._epoch,
            sealer=self._server.sealer,
            limits=self._server.limits,
            ttl_ms=self._server.limits.turn_ttl_ms,
            mark=self._mark,
            last_sequence=sequence,
            on_lost=self._lost,
        )

    def _opening(self, first_up: str, first_down: str, base: int) -> Command:
        offer = Offer(session=self._opened.session, turn=self._opened.turn)
        return (
            "EVAL", scripts.OPEN, 4, self.up_key, self.down_key, self._lease_key, self._offers,
            self._epoch, self._mark,
            first_up, self._sealed(self.up_key, first_up, self._opened),
            first_down, self._sealed(self.down_key, first_down, DownOpened()),
            self._sealed(self._offers, ANY_ID, offer),
            self._server.limits.turn_ttl_ms, base, names.NODES,
        )  # fmt: skip

    async def _close_unheard(self) -> None:
        await self._server.insist(
            (
                "EVAL", scripts.CLOSE_UNHEARD, 3, self.up_key, self.down_key, self._offers,
                self._mark, names.NODES,
            )
        )  # fmt: skip

    def _sealed(self, key: str, entry_id: str, message: Message) -> bytes:
        return self._server.sealer.seal(key, entry_id, encode(message))

    # --- hearing -----------------------------------------------------------------------------------------------------

    def _hear(self, found: Sequence[Entry]) -> None:
        self._note_lease(found[-1][0])
        self._deliver(found)

    def _note_lease(self, entry_id: str) -> None:
        self._highest_lease = max(self._highest_lease, entries.parse_id(entry_id)[0])

    def _lost(self, reason: StreamingError) -> None:
        """Either stream is lost: said once until the turn is offered again."""
        if not self._told_lost and not self._closed:
            self._told_lost = True
            if self._on_lost is not None:
                self._on_lost(reason)

    # --- watching the claim ------------------------------------------------------------------------------------------

    async def unclaimed(self) -> bool:
        """Nobody has taken the offer yet."""
        pending, offered = await self._server.main.call(
            ("XPENDING", self._offers, names.NODES, self.offer_id, self.offer_id, 1),
            ("XRANGE", self._offers, self.offer_id, self.offer_id),
        )
        if isinstance(pending, RedisError):
            if not is_no_group(pending):
                raise fault(pending)
            pending = []
        return bool(checked(offered)) and not pending

    async def hint_reclaim(self) -> bool:
        """If the turn's lease has run out, tell some node to look; True if there was reason to."""
        reply = (
            await self._server.main.call(
                ("XPENDING", self._offers, names.NODES, self.offer_id, self.offer_id, 1),
            )
        )[0]
        if isinstance(reply, RedisError):
            if is_no_group(reply):
                return False
            raise fault(reply)
        lease_ms = self._server.limits.lease_ms
        self.lease_left = max(0, lease_ms - reply[0][2]) / 1000 if reply else lease_ms / 1000
        if not reply or reply[0][2] <= lease_ms:
            return False
        hint = self._sealed(self._offers, ANY_ID, Reclaim())
        commands: list[Command] = [("XADD", self._offers, "NOMKSTREAM", "*", self._mark, hint)]
        if self._hint_id:  # At most one hint a turn lies unread, however long no node is there to read it.
            commands.insert(0, ("XDEL", self._offers, self._hint_id))
        hint_id = checked((await self._server.main.call(*commands))[-1])
        self._hint_id = bytes(hint_id).decode() if hint_id else ""
        return True

    # --- closing -----------------------------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Another gateway has the turn now, or shall have it: write and hear no more, and leave everything as it is."""
        self._closed = True
        self._server.unfollow(self.down_key)
        self.up.close()

    async def close(self, reason: str) -> None:
        """The turn is over: tell its node, let the streams live on for a client that comes back, take the offer away.

        Done to its end though the caller be cancelled, and when Redis is away as soon as it is back.
        """
        self._server.unfollow(self.down_key)
        if not self._closed:
            self._closed = True
            await self._server.see_through(self._end(reason), f"close turn {self.up_key}")

    def _abandon(self) -> None:
        self._closed = True
        self._server.unfollow(self.down_key)
        self._server.promise(self._end("abandoned"), f"abandon turn {self.up_key}")

    async def _end(self, reason: str) -> None:
        ttl = self._left_ttl_ms
        try:
            await self.up.finish(CloseTurn(reason=reason))
        except BusError as error:
            log.info("turn_ends_without_last_entry", name=self.up_key, error=type(error).__name__)
        self.up.close()
        offers = [self.offer_id, self._hint_id] if self._hint_id else [self.offer_id]
        await self._server.insist(
            ("PEXPIRE", self.up_key, ttl),
            ("PEXPIRE", self.down_key, ttl),
            ("PEXPIRE", self._lease_key, ttl),
            ("XACK", self._offers, names.NODES, self.offer_id),
            ("XDEL", self._offers, *offers),
        )


def _unheard(_: Sequence[Entry]) -> None:
    """What a turn's stream brings before anybody asked to hear it."""
