"""Sessions of gateways that died: what they had not written is written from their journals.

Every gateway renews the sessions it owns. One that nobody has renewed for longer than a client may take to come back is
taken over, once, by whichever gateway looks first; its turns go to the database as its journal tells them, and the
session ends there. A row that is there already stays as it is. While the database is away the journal keeps the turns:
the session is let go, and found again later.

Of a turn that was not closed the journal has the final transcript as it was told, and names what was released of the
reply, which the turn's down stream still holds. How much of that was played nobody knows any more: what was sent counts
as heard, and the turn as interrupted.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from silvertalk.database import Database
from silvertalk.errors import DatabaseAway, DatabaseRefused
from silvertalk.recollection import Recollection, finished
from silvertalk.settings import Settings
from silvertalk.standing_task import StandingTask
from streaming.bus import Bus, Journal
from streaming.errors import BusError, BusUnavailable, Fenced, MessageError
from streaming.logs import logger
from streaming.messages import Closed, SessionEnded, TurnRecord

log = logger("orphans")

LOOK_SECONDS = 30.0
"""Between two renewals, which is also how often it is looked for orphans: a sixth of the shortest resume grace."""


class Orphans:
    """Owns the task "orphans". `async with` starts and ends it."""

    def __init__(
        self,
        bus: Bus,
        database: Database,
        settings: Settings,
        *,
        idle_ms: int | None = None,
        on_ended: Callable[[str], None] = lambda session: None,
    ) -> None:
        """`idle_ms`: how long nobody may have renewed a session; the resume grace where none is given. `on_ended` hears
        of each that was finalised here."""
        self._bus = bus
        self._database = database
        self._idle_ms = settings.resume_seconds * 1000 if idle_ms is None else idle_ms
        self._on_ended = on_ended
        self._name = f"orphans-{secrets.token_hex(6)}"
        self._task = StandingTask(self._run, "orphans")

    async def __aenter__(self) -> Self:
        self._task.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except BusError as error:
                log.warning("orphans_unseen", reason=error.code)
            except Exception:  # one session's oddity must not leave all sessions unrenewed
                log.error("orphans_broke", exc_info=True)

    async def look(self) -> None:
        """Renew what is ours, then finalise what is nobody's. Raises BusError."""
        for session in await self._bus.renew_sessions():
            log.warning("session_not_ours", session=session)
        if not self._database.ready:
            return  # they are safe where they are
        for session in await self._bus.orphans(self._idle_ms):
            try:
                await self._finalise(session)
            except BusUnavailable:
                raise
            except Fenced:
                log.info("orphan_came_back", session=session)
            except Exception:  # the others must not wait for it; it is found again later
                log.error("orphan_broke", session=session, exc_info=True)

    async def _finalise(self, session: str) -> None:
        try:
            journal = await Journal.own(self._bus, session, gateway=self._name)
        except MessageError as error:  # written by another version of ours; it may be read by its own kind
            log.error("orphan_unreadable", session=session, reason=error.code)
            return
        written = False
        try:
            recalled = Recollection.of(journal.entries)
            on_bus = self._bus.turns(session)
            turns, number = recalled.uncommitted(), recalled.last_position[1]
            for unclosed in recalled.unclosed():
                if (record := await finished(on_bus, session, recalled, unclosed)) is not None:
                    number += 1  # closed first: a client that comes back meanwhile fences us, and goes on with the turn
                    await journal.append(Closed(record=record), number=number)
                    turns.append(record)
            for turn in turns:
                if turn.outcome != "nothing_heard":
                    await self._commit(turn)
            await self._database.end_session(session, datetime.now(UTC))
            await journal.append(SessionEnded(reason="orphan"), number=number + 1)
            written = True
            self._on_ended(session)
            log.info("orphan_finalised", session=session, turns=len(turns))
        except DatabaseAway:
            log.warning("orphan_left", session=session)
        finally:
            await journal.close(ended=written)

    async def _commit(self, turn: TurnRecord) -> None:
        try:
            await self._database.commit_turn(turn)
        except DatabaseRefused:
            log.error("commit_refused", session=turn.session, turn=turn.turn, exc_info=True)
