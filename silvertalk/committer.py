"""Writes closed turns to the database, in order, however long it is away.

A turn's record is in the session's journal before it comes here, so what is lost with this process is found there
again; writing it twice makes one row. One task writes one record after the other: a session's turns keep their order.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import NamedTuple, Self

from silvertalk.backoff import Backoff
from silvertalk.database import Database
from silvertalk.errors import AccountErased, DatabaseAway, DatabaseRefused
from silvertalk.metrics import COMMIT_BACKLOG, COMMIT_FAILURES, COMMIT_SECONDS, COMMITTED
from silvertalk.standing_task import StandingTask
from streaming.logs import logger
from streaming.messages import TurnRecord

log = logger("committer")

CALLBACK_SECONDS = 5.0
"""Longest that telling one client may keep the others' turns waiting."""


class SessionEnd(NamedTuple):
    """A conversation is over: written behind its turns, without which it has no row."""

    session: str
    ended_at: datetime


class Committer:
    """Owns the task "committer". `async with` starts it; leaving drops what waits (see `drain`).

    `on_committed(record)` is awaited after the row is in the database, also when it was there before. What it raises is
    logged and counted, and the turn stays committed. `on_refused(record)` hears of a turn that never will be there,
    `on_ended(session)` of a conversation whose end is written, behind its turns.
    """

    def __init__(
        self,
        database: Database,
        on_committed: Callable[[TurnRecord], Awaitable[None]],
        *,
        limit: int = 10_000,
        on_refused: Callable[[TurnRecord], None] = lambda record: None,
        on_ended: Callable[[str], None] = lambda session: None,
    ) -> None:
        self._database = database
        self._on_committed = on_committed
        self._on_refused = on_refused
        self._on_ended = on_ended
        # A turn is about 2 KiB: the default limit holds 20 MiB, ten minutes of 150 busy sessions. At the limit `submit`
        # waits, which holds back that session alone; `full` lets the door refuse new ones meanwhile.
        self._limit = limit
        self._waiting: deque[TurnRecord | SessionEnd] = deque()
        self._changed = asyncio.Condition()
        self._task = StandingTask(self._run, "committer")

    async def __aenter__(self) -> Self:
        self._task.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._task.stop()
        if self._waiting:
            log.warning("commits_left_to_the_journal", count=len(self._waiting))

    @property
    def backlog(self) -> int:
        """Turns that wait for the database, the one being written included."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._limit

    async def submit(self, record: TurnRecord | SessionEnd) -> None:
        """Take a closed turn, or a session's end; waits while the backlog is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.full)
            self._waiting.append(record)
            COMMIT_BACKLOG.set(len(self._waiting))
            self._changed.notify_all()

    async def drain(self, seconds: float) -> int:
        """Wait until everything is written, for at most so many seconds; returns how many turns are left."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: not self._waiting)
        except TimeoutError:
            pass
        return len(self._waiting)

    async def _run(self) -> None:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._waiting))
            record = self._waiting[0]  # it leaves the queue once it is written: a cancelled write counts as left
            written = await self._write(record)
            if isinstance(record, TurnRecord):
                if written:
                    await self._tell(record)
                else:
                    self._on_refused(record)
            elif written:
                self._on_ended(record.session)
            async with self._changed:
                self._waiting.popleft()
                COMMIT_BACKLOG.set(len(self._waiting))
                self._changed.notify_all()

    async def _write(self, record: TurnRecord | SessionEnd) -> bool:
        """True once the row is there; False when the database will never take it."""
        backoff = Backoff()
        while True:
            started = time.perf_counter()
            try:
                if isinstance(record, SessionEnd):
                    await self._database.end_session(record.session, record.ended_at)
                    return True
                new = await self._database.commit_turn(record)
            except DatabaseAway:
                COMMIT_FAILURES.labels("away").inc()
            except AccountErased:
                log.info("commit_of_the_erased", **_whose(record))  # they left in the middle of it
                return False
            except DatabaseRefused:
                COMMIT_FAILURES.labels("refused").inc()
                log.error("commit_refused", **_whose(record), exc_info=True)
                return False
            except Exception:  # a mistake of ours must not stop the turns behind it, nor be retried without end
                COMMIT_FAILURES.labels("refused").inc()
                log.error("commit_broke", **_whose(record), exc_info=True)
                return False
            else:
                COMMIT_SECONDS.observe(time.perf_counter() - started)
                COMMITTED.labels("new" if new else "known").inc()
                return True
            await asyncio.sleep(backoff.next())  # it may answer pings and still take no rows: a full disk
            await self._database.wait_ready()

    async def _tell(self, record: TurnRecord) -> None:
        try:
            async with asyncio.timeout(CALLBACK_SECONDS):
                await self._on_committed(record)
        except Exception:
            COMMIT_FAILURES.labels("callback").inc()
            log.error("committed_not_told", session=record.session, turn=record.turn, exc_info=True)


def _whose(record: TurnRecord | SessionEnd) -> dict[str, object]:
    return {"session": record.session, "turn": record.turn if isinstance(record, TurnRecord) else 0}
