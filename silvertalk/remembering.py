"""What may be remembered of a conversation, and when that is seen to.

Only of those who agreed to be remembered, and only what they said since they agreed. Of that, nothing is drawn from a
turn that they want forgotten, nor from one in which they called for help. The gateway asks for a summary every few
turns, and for what is left of both once the conversation is over; whoever finishes a conversation by a request asks as
well. What nobody lived to ask for is owed by the conversation's row, and the worker finds it there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.consents import agreed_since, has_agreed
from silvertalk.database import Database
from silvertalk.errors import DatabaseAway
from silvertalk.jobs import Jobs, jobs
from silvertalk.models import Consent, Memory, Session, Turn
from silvertalk.settings import Settings
from silvertalk.standing_task import StandingTask
from silvertalk.tellings import Telling, tellings
from streaming.logs import logger
from streaming.messages import Language, TurnRecord

log = logger("remembering")

SUMMARY_TURNS = 3
"""So many turns that no summary holds are worth a new one."""
LOT_TURNS = 8
"""Turns that one question to a language model is about, at most, and so many characters of them: its answer is short,
and so is what it reads of one person."""
LOT_CHARACTERS = 700
WITHDRAWN_DAYS = 3
"""So long after somebody took their consent back, what was drawn from their talk is deleted: a switch may have been
touched by mistake. Nothing of it is recalled meanwhile."""

sessions: Table = Session.__table__  # type: ignore[assignment]
turns: Table = Turn.__table__  # type: ignore[assignment]
_consents: Table = Consent.__table__  # type: ignore[assignment]
_memories: Table = Memory.__table__  # type: ignore[assignment]


# --- what may be drawn on --------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """What one turn tells."""

    number: int
    tellings: tuple[Telling, ...]


class Lot(NamedTuple):
    """The next turns of a conversation: after `after`, up to `upto`, of which `told` tell something."""

    after: int
    upto: int
    language: Language
    told: tuple[Told, ...]
    at: datetime
    """When the last of them was spoken."""


async def next_lot(connection: AsyncConnection, user: str, session: str, upto: ColumnElement[int]) -> Lot | None:
    """What comes after the turn that the conversation's row names in `upto`; None where nothing is left, or may be
    drawn on."""
    since = await agreed_since(connection, user, "memories")
    if since is None:
        return None
    asked = (
        select(turns, upto.label("after"))
        .join(sessions, sessions.c.id == turns.c.session_id)
        .where(*_mine(user, session), turns.c.user_id == user, turns.c.number > upto)
        .order_by(turns.c.number)
        .limit(LOT_TURNS)
    )
    told: list[Told] = []
    last, room = None, LOT_CHARACTERS
    for row in await connection.execute(asked):
        language: Language = "en" if row.language == "en" else "ko"
        found = tuple(tellings(row.transcript, language)) if _may_be_drawn_on(row, since) else ()
        room -= sum(len(telling.text) for telling in found)
        if last is not None and (room < 0 or row.language != last.language):
            break
        last = row
        if found:
            told.append(Told(row.number, found))
    if last is None:
        return None
    return Lot(last.after, last.number, "en" if last.language == "en" else "ko", tuple(told), last.closed_at)


async def are_forgotten(connection: AsyncConnection, session: str, numbers: Iterable[int]) -> bool:
    """Whether the person wants one of these turns forgotten. To be asked while the conversation's row is held."""
    asked = select(turns.c.number).where(
        turns.c.session_id == session, turns.c.number.in_(list(numbers)), turns.c.forgotten.is_(True)
    )
    return (await connection.execute(asked.limit(1))).first() is not None


async def may_go_outside(connection: AsyncConnection, settings: Settings, user: str) -> bool:
    """Whether a service outside the operator's own machines may be shown what they said."""
    return settings.outside_services_allowed or await has_agreed(connection, user, "outside_services")


def _may_be_drawn_on(turn: Any, since: datetime) -> bool:
    return not turn.forgotten and not turn.distress and turn.closed_at >= since


def _mine(user: str, session: str) -> tuple[ColumnElement[bool], ...]:
    return sessions.c.id == session, sessions.c.user_id == user, sessions.c.deleted_at.is_(None)


# --- asking for it ---------------------------------------------------------------------------------------------------


async def ask_for_rest(connection: AsyncConnection, asking: Jobs, user: str, session: str) -> list[str]:
    """The conversation is over: ask for a summary and for insights of the turns that have none, in the caller's
    transaction; returns the jobs, to be started after it. Of each last turn it is asked once."""
    since = await agreed_since(connection, user, "memories")
    if since is None:
        return []
    last = select(func.max(turns.c.number)).where(turns.c.session_id == session, turns.c.closed_at >= since)
    row = (
        await connection.execute(
            select(sessions.c.summary_upto, sessions.c.insights_upto, last.scalar_subquery().label("last")).where(
                *_mine(user, session)
            )
        )
    ).one_or_none()
    if row is None or row.last is None:
        return []
    asked = []
    if row.summary_upto < row.last:
        asked.append(await asking.record(connection, "summary", user, session))
    if row.insights_upto < row.last:
        asked.append(await asking.record(connection, "insights", user, session))
    return asked


async def ask_for_summaries(connection: AsyncConnection, asking: Jobs, user: str, names: Iterable[str]) -> list[str]:
    """Have the summaries of these conversations written anew, as far as they are not; returns the jobs, to be started
    after the transaction."""
    if not await has_agreed(connection, user, "memories"):
        return []
    return [await asking.record(connection, "summary", user, session) for session in names]


class Remembering:
    """A gateway's part: asks as its conversations go on and end. Owns the task "remembering"."""

    def __init__(self, database: Database, asking: Jobs, *, limit: int = 1_000) -> None:
        self._database = database
        self._jobs = asking
        # At the limit, and while the database is away, nobody is asked: the worker finds what is owed.
        self._waiting: asyncio.Queue[tuple[str, bool]] = asyncio.Queue(limit)
        self._task = StandingTask(self._run, "remembering")

    async def __aenter__(self) -> Self:
        self._task.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._task.stop()

    def committed(self, record: TurnRecord) -> None:
        """The database has a turn."""
        if record.turn % SUMMARY_TURNS == 0:
            self._take(record.session, over=False)

    def ended(self, session: str) -> None:
        """The database has the end of a conversation, behind all of its turns."""
        self._take(session, over=True)

    def _take(self, session: str, *, over: bool) -> None:
        try:
            self._waiting.put_nowait((session, over))
        except asyncio.QueueFull:
            log.warning("remembering_left", session=session)

    async def _run(self) -> None:
        while True:
            session, over = await self._waiting.get()
            try:
                await self._ask(session, over=over)
            except DatabaseAway:
                log.info("remembering_left", session=session, reason="database_away")
            except Exception:  # the others' conversations are remembered all the same
                log.error("remembering_broke", session=session, exc_info=True)

    async def _ask(self, session: str, *, over: bool) -> None:
        whose = select(sessions.c.user_id).where(sessions.c.id == session, sessions.c.deleted_at.is_(None))
        async with self._database.transaction() as connection:
            user = (await connection.execute(whose)).scalar_one_or_none()
            if user is None:
                return
            if over:
                asked = await ask_for_rest(connection, self._jobs, user, session)
            else:
                asked = await ask_for_summaries(connection, self._jobs, user, [session])
        for job in asked:
            await self._jobs.start(job)


# --- the worker's round ----------------------------------------------------------------------------------------------


async def ask_for_owed(database: Database, asking: Jobs, limit: int = 100) -> int:
    """Ask for the insights of conversations that are over and of which nobody asked: their gateway died in between, or
    a turn came late. How many there were. One whose job was given up is not asked for again. Raises DatabaseAway."""
    left = exists().where(
        turns.c.session_id == sessions.c.id,
        turns.c.number > sessions.c.insights_upto,
        turns.c.closed_at >= _consents.c.decided_at,
    )
    known = exists().where(
        jobs.c.user_id == sessions.c.user_id,
        jobs.c.kind == "insights",
        jobs.c.subject_id == sessions.c.id,
        jobs.c.status != "done",
    )
    agreed = and_(
        _consents.c.user_id == sessions.c.user_id, _consents.c.name == "memories", _consents.c.granted.is_(True)
    )
    owed = (
        select(sessions.c.id, sessions.c.user_id)
        .join(_consents, agreed)
        .where(
            or_(sessions.c.ended_at.is_not(None), sessions.c.finished_at.is_not(None)),
            sessions.c.deleted_at.is_(None),
            left,
            ~known,
        )
        .limit(limit)
    )
    async with database.transaction() as connection:
        found = (await connection.execute(owed)).all()
    for row in found:
        async with database.transaction() as connection:
            await ask_for_rest(connection, asking, row.user_id, row.id)
    return len(found)


async def delete_withdrawn(database: Database) -> int:
    """Delete what was drawn from the talk of those who took their consent back days ago; how much there was. What they
    typed themselves, and their family's, stays theirs. Raises DatabaseAway."""
    before = datetime.now(UTC) - timedelta(days=WITHDRAWN_DAYS)
    withdrawn = select(_consents.c.user_id).where(
        _consents.c.name == "memories", _consents.c.granted.is_(False), _consents.c.decided_at < before
    )
    drawn = and_(_memories.c.user_id.in_(withdrawn), _memories.c.source == "talk")
    summed_up = and_(sessions.c.user_id.in_(withdrawn), sessions.c.summary != "")
    async with database.transaction() as connection:
        gone = await connection.execute(delete(_memories).where(drawn))
        emptied = await connection.execute(update(sessions).where(summed_up).values(summary="", summary_upto=0))
    return gone.rowcount + emptied.rowcount
