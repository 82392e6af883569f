"""Background work: what is asked for here is done by `silvertalk worker`.

A job is a row of `jobs`, written in the transaction of whatever calls for it, and the row is the truth: its state, its
tries, who has it in hand and until when. docket, on the same Redis, carries its id to a worker and nothing else, since
what crosses there is not encrypted. A job whose id got lost on the way (Redis away, a process killed in between) is
found again by its row.

Leases and waits are moments of the database's own clock: no two hosts' clocks are compared.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from sqlalchemy import Table, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.columns import new_id
from silvertalk.database import Database
from silvertalk.models import UNFINISHED, Job
from streaming.logs import logger

if TYPE_CHECKING:
    from silvertalk.job_docket import JobDocket

log = logger("jobs")

JobKind = Literal["thumbnails", "look", "summary", "insights", "video", "export", "erase", "adopt"]

WORK_STREAM = "silvertalk-jobs:stream"
WORK_GROUP = "docket-workers"
"""Where docket's workers read ids, so that they can be counted without loading docket."""
TRIES = 3
"""So often a job is begun; then it is a dead letter, whether it failed or its workers died with it."""
WITHIN = timedelta(hours=1)
"""What is not done so long after it was asked for is given up; some kinds wait longer for a part that is away."""
WITHIN_OF: dict[str, timedelta] = {
    "adopt": timedelta(days=7),
    "erase": timedelta(days=7),
    "insights": timedelta(days=1),
    "look": timedelta(days=1),
    "summary": timedelta(days=1),
    "thumbnails": timedelta(days=1),
    "video": timedelta(hours=3),
}
SEND_SECONDS = 2.0
"""What a request waits for docket to take an id; a worker finds the row without."""

jobs: Table = Job.__table__  # type: ignore[assignment]


class JobRow(NamedTuple):
    """A job as its row has it."""

    id: str
    user_id: str
    kind: str
    subject_id: str
    status: str
    stage: str
    progress: float
    holder: str
    due_at: datetime
    attempts: int
    error_code: str
    result: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    deadline_at: datetime


class Jobs:
    """Asks for work; one a process. `async with` it where there is a Redis to carry ids to the workers."""

    def __init__(self, database: Database, redis_url: str = "") -> None:
        """Without a `redis_url` ids are not carried anywhere, and workers find the rows."""
        self._database = database
        self._redis_url = redis_url
        self._docket: JobDocket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self.carrying = asyncio.Event()
        """Ids are carried to the workers from now on."""

    async def __aenter__(self) -> Self:
        if self._redis_url:
            self._opening = asyncio.create_task(self._carry(self._redis_url), name="jobs")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._opening is not None:
            await asyncio.wait([self._opening])

    async def _carry(self, redis_url: str) -> None:
        """docket's libraries take a second to load, for which nobody's request shall wait, nor anybody's voice."""
        try:
            opening = await asyncio.to_thread(_job_docket)
            async with opening(redis_url) as self._docket:
                self.carrying.set()
                await self._stop.wait()
        except Exception:  # workers find the rows without
            log.error("docket_failed", exc_info=True)
        finally:
            self._docket = None

    # --- asking ------------------------------------------------------------------------------------------------------

    async def record(
        self,
        connection: AsyncConnection,
        kind: JobKind,
        user: str,
        subject_id: str,
        *,
        within: timedelta | None = None,
    ) -> str:
        """Write the job into the caller's transaction; returns its id. One that is still to do for the same subject is
        that job. What is not done `within` so long, or the kind's time, is given up."""
        now = await moment_of(connection)
        row = {
            "id": new_id(),
            "user_id": user,
            "kind": kind,
            "subject_id": subject_id,
            "status": "pending",
            "stage": "",
            "progress": 0.0,
            "holder": "",
            "due_at": now,
            "attempts": 0,
            "error_code": "",
            "result": {},
            "created_at": now,
            "updated_at": now,
            "deadline_at": now + (within or WITHIN_OF.get(kind, WITHIN)),
        }
        same = ["user_id", "kind", "subject_id"]
        new = self._database.insert(jobs).values(row)
        new = new.on_conflict_do_nothing(index_elements=same, index_where=text(UNFINISHED)).returning(jobs.c.id)
        unfinished = select(jobs.c.id).where(*(jobs.c[name] == row[name] for name in same), text(UNFINISHED))
        while True:
            for question in (new, unfinished):
                found = (await connection.execute(question)).scalar_one_or_none()
                if found is not None:
                    return str(found)
            # The other one was finished between the two questions.

    async def start(self, job: str) -> None:
        """The transaction is committed: have a worker begin. Never fails: where Redis is away, a worker finds the row
        later."""
        if self._docket is None:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._docket.send(job)
        except Exception as error:  # of redis-py's, in all its kinds
            log.warning("job_not_sent", error=type(error).__name__)

    async def wake(self, job: str) -> bool:
        """What a waiting job waits for is there: have it begin now. False where it does not wait: it is in hand, or
        done. Raises DatabaseAway."""
        async with self._database.transaction() as connection:
            now = await moment_of(connection)
            waiting = update(jobs).where(jobs.c.id == job, jobs.c.status == "pending").values(due_at=now)
            woken = (await connection.execute(waiting)).rowcount == 1
        if woken:
            await self.start(job)
        return woken

    # --- looking -----------------------------------------------------------------------------------------------------

    async def of(self, user: str, job: str) -> JobRow | None:
        """A person's own job."""
        async with self._database.transaction() as connection:
            asked = select(jobs).where(jobs.c.id == job, jobs.c.user_id == user)
            return _row((await connection.execute(asked)).one_or_none())

    async def dead_letters(self, limit: int = 100) -> list[JobRow]:
        """The jobs that were given up, the newest first."""
        async with self._database.transaction() as connection:
            asked = select(jobs).where(jobs.c.status == "failed").order_by(jobs.c.updated_at.desc()).limit(limit)
            return [row for found in await connection.execute(asked) if (row := _row(found)) is not None]

    async def unfinished(self, limit: int = 100) -> list[JobRow]:
        """The jobs that are still to do or being done, the oldest first."""
        async with self._database.transaction() as connection:
            asked = select(jobs).where(text(UNFINISHED)).order_by(jobs.c.created_at).limit(limit)
            return [row for found in await connection.execute(asked) if (row := _row(found)) is not None]

    async def retry(self, job: str) -> bool:
        """Have a dead letter done after all, with all its tries and a new deadline. False where there is none such, or
        where the same is being done anew already."""
        async with self._database.transaction() as connection:
            now = await moment_of(connection)
            kind = (await connection.execute(select(jobs.c.kind).where(jobs.c.id == job))).scalar_one_or_none()
            within = WITHIN_OF.get(kind or "", WITHIN)
            again = jobs.alias()
            newer = select(again.c.id).where(
                again.c.user_id == jobs.c.user_id,
                again.c.kind == jobs.c.kind,
                again.c.subject_id == jobs.c.subject_id,
                again.c.status.in_(("pending", "running")),
            )
            changed = await connection.execute(
                update(jobs)
                .where(jobs.c.id == job, jobs.c.status == "failed", ~newer.exists())
                .values(status="pending", holder="", attempts=0, due_at=now, updated_at=now, deadline_at=now + within)
            )
        return changed.rowcount == 1

    # --- a worker's side ---------------------------------------------------------------------------------------------

    async def due(self, limit: int) -> list[str]:
        """Jobs that any worker may take now, those that have waited longest first."""
        async with self._database.transaction() as connection:
            now = await moment_of(connection)
            asked = select(jobs.c.id).where(text(UNFINISHED), jobs.c.due_at <= now).order_by(jobs.c.due_at)
            return [str(job) for job in (await connection.execute(asked.limit(limit))).scalars()]

    async def claim(self, job: str, lease: timedelta) -> JobRow | None:
        """Take the job for a run of its own, until the lease runs out. None where it is done or in others' hands."""
        async with self._database.transaction() as connection:
            now = await moment_of(connection)
            taken = await connection.execute(
                update(jobs)
                .where(jobs.c.id == job, text(UNFINISHED), jobs.c.due_at <= now)
                .values(
                    status="running",
                    holder=secrets.token_hex(16),
                    due_at=now + lease,
                    updated_at=now,
                    attempts=jobs.c.attempts + 1,
                )
                .returning(jobs)
            )
            return _row(taken.one_or_none())

    async def change(
        self, connection: AsyncConnection, held: JobRow, *, due_in: timedelta | None = None, **values: Any
    ) -> bool:
        """Change the row of a job in hand. False where it is in hand no more: done by another run, cancelled, deleted.

        `due_in`: from now on, when any worker may take it.
        """
        now = await moment_of(connection)
        if due_in is not None:
            values["due_at"] = now + due_in
        changed = await connection.execute(
            update(jobs)
            .where(jobs.c.id == held.id, jobs.c.holder == held.holder, jobs.c.status == "running")
            .values(**{"updated_at": now} | values)
        )
        return changed.rowcount == 1


async def moment_of(connection: AsyncConnection) -> datetime:
    """The database's own clock."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)  # a file of this machine's
    now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return now.astimezone(UTC)


def _row(found: Any) -> JobRow | None:
    return None if found is None else JobRow(*(found._mapping[name] for name in JobRow._fields))


def _job_docket() -> type[JobDocket]:
    from silvertalk.job_docket import JobDocket

    return JobDocket
