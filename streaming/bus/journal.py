"""A session's journal and its owner.

The journal holds what was told to the client, in the order of the events' numbers; ids are `epoch-number`. To own it
is to have written the highest epoch: a new owner puts an empty marker at `epoch-0`, which Redis accepts from one
gateway only and after which it refuses everything of the older owner. Then the new owner reads what is there, and
nothing can be added behind its back.

An epoch is one more than the last, and the server's own clock in seconds where there is no journal: so a journal that
was lost with Redis never repeats an epoch that some client still remembers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from redis.exceptions import RedisError

from streaming.bus import entries, names
from streaming.bus.entries import RawEntry
from streaming.bus.faults import checked, fault, is_too_low
from streaming.bus.link import Command
from streaming.bus.server import Server
from streaming.bus.sessions import Sessions
from streaming.bus.writer import OnLost, StreamWriter
from streaming.errors import BusError, BusUnavailable, Fenced
from streaming.logs import logger
from streaming.messages import JournalRecord, Message

if TYPE_CHECKING:
    from streaming.bus import Bus

log = logger("bus.journal")

_PAGE = 1_000
_CONTESTS = 16
"""How often a gateway tries to become the owner against others that try as well."""


class Journal:
    """The journal of one session, owned by this process until another owns it.

    `entries`: what earlier owners wrote, in order. `writer`: the fenced writer, whose term is `epoch`.
    """

    epoch: int
    entries: list[tuple[str, JournalRecord]]
    writer: StreamWriter

    def __init__(self, server: Server, sessions: Sessions, session: str, gateway: str) -> None:
        self._server = server
        self._sessions = sessions
        self._session = names.session_id(session)
        self._gateway = names.label(gateway)
        self._key = names.journal(session)
        self._mark = entries.new_mark()
        self._closed = False

    @classmethod
    async def own(
        cls, bus: Bus, session: str, *, gateway: str, above: int = 0, on_lost: OnLost | None = None
    ) -> Journal:
        """Become the owner: the older owner's next append raises Fenced, and the session is renewed as ours.

        The epoch is above `above`: give the one a returning client knows. `on_lost` hears why the journal can no longer
        be written (Fenced; StreamGone where Redis lost it: own it again). Raises BusUnavailable, BusFull, MessageError.
        """
        server = bus.server_for(session)
        journal = cls(server, bus.sessions_on(server), session, gateway)
        await server.see_through(
            journal._take_over(above, on_lost), f"own {journal._key}", undo=lambda _: journal.let_go()
        )
        return journal

    @staticmethod
    async def peek(bus: Bus, session: str) -> list[tuple[str, JournalRecord]]:
        """What stands in the session's journal, read without owning it; nothing where there is none.

        Raises BusUnavailable, MessageError.
        """
        return await _read(bus.server_for(session), names.journal(session), "+")

    # --- the owner's work --------------------------------------------------------------------------------------------

    async def append(self, record: Message, *, number: int) -> str:
        """Write the event `number`; returns its id once Redis has it. Numbers grow, and may skip. Raises as
        `StreamWriter.append` does."""
        return await self.writer.append(record, sequence=number)

    async def read(self) -> list[tuple[str, JournalRecord]]:
        """All that stands in the journal, this owner's own included. Raises BusUnavailable, MessageError."""
        return await _read(self._server, self._key, "+")

    async def trim(self, below_number: int) -> None:
        """Drop what is older than the event `below_number` of this epoch, and all earlier epochs. The last event
        stays."""
        await self.writer.flush()
        below = min(below_number, self.writer.last_sequence)
        if below > 0:
            # What earlier epochs had is counted too, which makes the bound a little wider for a while.
            self.writer.trimmed(await self._server.main.ask("XTRIM", self._key, "MINID", f"{self.epoch}-{below}"))

    async def close(self, *, ended: bool = True) -> None:
        """Let go of the session: `ended`, or (False) to be taken over by whichever gateway its client comes to.

        The journal itself lives on for `journal_ttl_ms`: turns may still be on their way to the database.
        """
        if self._closed:
            return
        self._closed = True
        if ended:
            await self._server.see_through(self._end(), f"close {self._key}")
        else:
            self.let_go()

    def let_go(self) -> None:
        self._closed = True
        self._sessions.let_go(self._session, self)
        self.writer.close()

    async def _end(self) -> None:
        try:
            await self.writer.flush()
        except Fenced:
            self.let_go()
            return
        except BusError as error:
            log.info("journal_closed_unsent", name=self._key, error=type(error).__name__)
        self.writer.close()
        await self._sessions.release(self._session, self)

    # --- becoming the owner ------------------------------------------------------------------------------------------

    async def _take_over(self, above: int, on_lost: OnLost | None) -> None:
        entry_id = await self._sessions.entry_of(self._session) or await self._sessions.adopt(self._session)
        for _ in range(_CONTESTS):
            self.epoch = max(await self._next_epoch(), above + 1)
            if await self._fence(entry_id):
                break
        else:
            raise BusUnavailable(f"{self._key}: other gateways kept taking the session")
        limits = self._server.limits
        self.writer = StreamWriter(
            self._server.main,
            self._key,
            self.epoch,
            sealer=self._server.sealer,
            limits=limits,
            ttl_ms=limits.journal_ttl_ms,
            mark=self._mark,
            on_lost=on_lost,
        )
        self.entries = await _read(self._server, self._key, f"({self.epoch}-0")
        while not await self._sessions.take(entry_id):
            # Its last owner deleted it as the session ended there, or Redis lost it.
            entry_id = await self._sessions.adopt(self._session)
            await self._server.main.ask(*self._naming(entry_id))
        self._sessions.hold(self._session, entry_id, self)

    async def _next_epoch(self) -> int:
        top, time = await self._server.main.call(("XREVRANGE", self._key, "+", "-", "COUNT", 1), ("TIME",))
        if checked(top):
            return entries.parse_id(entries.entry_id(top[0]))[0] + 1
        return int(checked(time)[0])

    def _naming(self, entry_id: str) -> Command:
        return (
            "SET", names.owner(self._session), f"{entry_id} {self._gateway}",
            "PX", self._server.limits.journal_ttl_ms,
        )  # fmt: skip

    async def _fence(self, entry_id: str) -> bool:
        """Write the marker of our epoch; False if another gateway was faster."""
        marker, ttl = f"{self.epoch}-0", self._server.limits.journal_ttl_ms
        try:
            replies = await self._server.main.call(
                ("MULTI",),
                ("XADD", self._key, marker, self._mark, ""),
                ("PEXPIRE", self._key, ttl),
                self._naming(entry_id),
                ("EXEC",),
            )
        except BusUnavailable:
            if not await self._server.is_back():
                raise
            top = await self._server.main.ask("XREVRANGE", self._key, "+", "-", "COUNT", 1)
            return bool(top) and entries.entry_id(top[0]) == marker and entries.mark_of(top[0]) == self._mark
        results = replies[-1]
        if not isinstance(results, list):
            raise fault(next(reply for reply in replies if isinstance(reply, RedisError)))
        if isinstance(results[0], RedisError) and is_too_low(results[0]):
            return False
        for result in results:
            checked(result)
        return True


async def _read(server: Server, key: str, last: str) -> list[tuple[str, JournalRecord]]:
    raws: list[RawEntry] = []
    start = "-"
    while True:
        page = await server.main.ask("XRANGE", key, start, last, "COUNT", _PAGE)
        raws.extend(page)
        if len(page) < _PAGE:
            # Only journal records are ever written to a journal.
            found = entries.read(key, raws, server.sealer)
            return [(entry_id, cast(JournalRecord, message)) for entry_id, message in found]
        start = f"({entries.entry_id(page[-1])}"
