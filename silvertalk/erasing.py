"""Deleting somebody with everything that is theirs.

Asked for, it is final at once: in one transaction stand the tombstone, from which on nothing is written for them any
more (`database.refuse_erased`), and the job. Their tokens are worth nothing, their sockets close. The job then deletes
objects, rows and what is on Redis, and takes our app out of their Kakao account.

The job may be killed after any step and begun again: each step finds what is left. What it needs once the rows are gone
stands in its own row meanwhile, which is the last to go. Then only the tombstone is left: it names nobody.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Table, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.adopting import former_prefixes
from silvertalk.belongings import BELONGINGS
from silvertalk.columns import new_id
from silvertalk.database import Database, no_writer_of, user_hash
from silvertalk.errors import DatabaseAway, KakaoAway, KakaoNotConfigured, KakaoRefused
from silvertalk.generation_records import GenerationRecords
from silvertalk.job_kinds import JobPostponed, Report, WorkParts
from silvertalk.jobs import TRIES, JobRow, Jobs
from silvertalk.kept_answers import Answers
from silvertalk.keys import signing_secret
from silvertalk.media.store import LATE_UPLOAD, user_prefix
from silvertalk.models import Audit, Erasure, Job, Photo, Session, User
from silvertalk.revocations import Revocations
from silvertalk.services.kakao import Kakao
from streaming.bus.forgetting import forget_sessions, forget_values, sessions_of
from streaming.bus.limits import Limits
from streaming.logs import logger

log = logger("erasing")

KAKAO_WAITED_FOR = timedelta(days=1)
"""So long before its deadline a deletion is completed without Kakao: all that is ours to delete is gone by then."""
WIPE_AGAIN_SECONDS = 30.0
"""The database's file was in use all the time: so much later it is tried again."""
JOURNALS_LIVE = timedelta(milliseconds=2 * Limits().journal_ttl_ms)

_erasures: Table = Erasure.__table__  # type: ignore[assignment]
_users: Table = User.__table__  # type: ignore[assignment]
_photos: Table = Photo.__table__  # type: ignore[assignment]
_sessions: Table = Session.__table__  # type: ignore[assignment]
_jobs: Table = Job.__table__  # type: ignore[assignment]
_audit: Table = Audit.__table__  # type: ignore[assignment]


class Receipt(NamedTuple):
    """How far a deletion is. Whoever has the receipt may ask; it says nothing about whom it is."""

    receipt: str
    asked_at: datetime
    completed_at: datetime | None
    counts: dict[str, int]


# --- asking ----------------------------------------------------------------------------------------------------------


async def ask_to_erase(database: Database, jobs: Jobs, revocations: Revocations, user: str) -> Receipt:
    """Delete this person: final with the return. Who asks twice has one receipt. Raises DatabaseAway."""
    async with database.transaction() as connection:
        await no_writer_of(connection, user)
        fresh = {
            "receipt": new_id(),
            "user_hash": user_hash(user),
            "asked_at": datetime.now(UTC),
            "completed_at": None,
            "counts": {},
        }
        await connection.execute(
            database.insert(_erasures).values(fresh).on_conflict_do_nothing(index_elements=["user_hash"])
        )
        theirs = select(_erasures).where(_erasures.c.user_hash == user_hash(user))
        row = (await connection.execute(theirs)).one()
        job = await jobs.record(connection, "erase", user, row.receipt)
    await revocations.announce(user)
    await jobs.start(job)
    return Receipt(row.receipt, row.asked_at, row.completed_at, dict(row.counts))


async def receipt_of(database: Database, receipt: str) -> Receipt | None:
    async with database.transaction() as connection:
        row = (await connection.execute(select(_erasures).where(_erasures.c.receipt == receipt))).one_or_none()
    return None if row is None else Receipt(row.receipt, row.asked_at, row.completed_at, dict(row.counts))


# --- the job ---------------------------------------------------------------------------------------------------------


async def erase_person(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    """The job "erase". Its subject is the receipt."""
    await _Erasing(parts, job, report).run()
    return {}


class _Erasing:
    def __init__(self, parts: WorkParts, job: JobRow, report: Report) -> None:
        self._parts = parts
        self._job = job
        self._user = job.user_id
        self._report = report
        known = job.result
        self._kakao_id: str = known.get("kakao_id", "")
        self._sessions: list[str] = known.get("sessions", [])
        self._uploads_until: float = known.get("uploads_until", 0.0)
        self._brought: list[str] = known.get("brought", [])
        """Where what they brought along as a guest still lies."""
        self._counts: dict[str, int] = known.get("counts", {})

    async def run(self) -> None:
        await self._report("media", 0.1)
        objects = await self._parts.media.delete_below(user_prefix(self._user))
        await self._report("rows", 0.3)
        await self._rows(objects)
        await self._delete_brought()
        await self._report("redis", 0.5)
        await self._redis()
        await self._report("kakao", 0.7)
        await self._kakao()
        await self._report("late", 0.8)
        await self._late()
        await self._complete()

    async def _rows(self, objects: int) -> None:
        """All rows in one transaction, and what of them is needed later into the job's own."""
        async with self._parts.database.transaction() as connection:
            kakao_id = select(_users.c.kakao_id).where(_users.c.id == self._user)
            self._kakao_id = (await connection.execute(kakao_id)).scalar_one_or_none() or self._kakao_id
            living = or_(_sessions.c.ended_at.is_(None), _sessions.c.ended_at > datetime.now(UTC) - JOURNALS_LIVE)
            sessions = select(_sessions.c.id).where(_sessions.c.user_id == self._user, living)
            self._sessions = sorted({*self._sessions, *(await connection.execute(sessions)).scalars()})
            self._uploads_until = max(self._uploads_until, await self._allowed_until(connection))
            self._brought = sorted({*self._brought, *await former_prefixes(connection, self._user)})
            self._count("objects", objects)
            for name, count in (await self._delete(connection)).items():
                self._count(name, count)
            await connection.execute(update(_jobs).where(_jobs.c.id == self._job.id).values(result=self._kept()))

    async def _allowed_until(self, connection: AsyncConnection) -> float:
        """Unix seconds until which a form that was given out may still bring a photo: also one that was uploaded or
        deleted meanwhile, whose row or whose deletion is younger than its form, and one of a guest who joined them
        meanwhile. And until which a job that moves a guest's objects, or makes a video, stopped by this, may still put
        one."""
        uploaded = select(func.max(_photos.c.updated_at)).where(
            _photos.c.user_id == self._user, _photos.c.status != "known"
        )
        told = select(func.max(_audit.c.at)).where(
            _audit.c.user_id == self._user, _audit.c.action.in_(("photo_deleted", "guest_joined"))
        )
        adopting = select(func.max(_jobs.c.updated_at)).where(
            _jobs.c.user_id == self._user, _jobs.c.kind.in_(("adopt", "video")), _jobs.c.status == "running"
        )
        moments = [(await connection.execute(newest)).scalar_one_or_none() for newest in (uploaded, told, adopting)]
        return max(((moment + LATE_UPLOAD).timestamp() for moment in moments if moment is not None), default=0.0)

    async def _delete(self, connection: AsyncConnection, *, own_job: bool = False) -> dict[str, int]:
        counts = {}
        for belonging in BELONGINGS:
            predicate = belonging.of(self._user)
            if belonging.table is _jobs and not own_job:
                predicate &= _jobs.c.id != self._job.id
            gone = await connection.execute(delete(belonging.table).where(predicate))
            counts[belonging.table.name] = gone.rowcount
        return counts

    async def _redis(self) -> None:
        bus = self._parts.bus
        await forget_sessions(bus, {*self._sessions, *await sessions_of(bus, self._user)})
        await self._forget_answers()
        await bus.notices.forget(self._user)

    async def _forget_answers(self) -> None:
        settings = self._parts.settings
        secret = signing_secret(settings)
        records = GenerationRecords(self._parts.bus, secret, days=settings.generated_days)
        answers = Answers(self._parts.bus, secret)
        were = [self._user, *(prefix.removeprefix("u/").removesuffix("/") for prefix in self._brought)]
        await forget_values(self._parts.bus, [kept.prefix(user) for user in were for kept in (answers, records)])

    async def _kakao(self) -> None:
        """Kakao may be away: it is waited for, and in the end gone without. Everything here is gone by then. It is
        asked once: whoever logs in again meanwhile has a new account, which is not to be unlinked."""
        if not self._kakao_id or await self._is_back():
            return
        try:
            async with Kakao(self._parts.settings) as kakao:
                await kakao.unlink(self._kakao_id)
        except (KakaoNotConfigured, KakaoRefused) as error:
            log.warning("kakao_not_unlinked", code=error.code)
            return
        except Exception as error:
            waiting = isinstance(error, KakaoAway) and datetime.now(UTC) < self._job.deadline_at - KAKAO_WAITED_FOR
            if waiting or self._job.attempts < TRIES and not isinstance(error, KakaoAway):
                raise
            log.error("kakao_not_unlinked", error=type(error).__name__)
            return
        self._counts["kakao"] = 1
        self._kakao_id = ""
        async with self._parts.database.transaction() as connection:
            await connection.execute(update(_jobs).where(_jobs.c.id == self._job.id).values(result=self._kept()))

    async def _is_back(self) -> bool:
        """Whether there is an account of the same Kakao id."""
        again = select(_users.c.id).where(_users.c.kakao_id == self._kakao_id)
        async with self._parts.database.transaction() as connection:
            return (await connection.execute(again)).first() is not None

    async def _late(self) -> None:
        """What was on its way into the store as the rows went, and what a form brings that is good for a while."""
        wait = self._uploads_until - datetime.now(UTC).timestamp()
        if wait > 0:
            raise JobPostponed(min(wait, LATE_UPLOAD.total_seconds()))
        self._count("objects", await self._parts.media.delete_below(user_prefix(self._user)))
        await self._delete_brought()
        await self._forget_answers()  # of a request that had shown its token just before that was worth nothing

    async def _delete_brought(self) -> None:
        for prefix in self._brought:
            self._count("objects", await self._parts.media.delete_below(prefix))

    async def _complete(self) -> None:
        """Their receipt says so once nothing of theirs is in the database's file either; the job's row, with which it
        begins again till then, keeps nothing but numbers meanwhile."""
        database = self._parts.database
        async with database.transaction() as connection:
            for name, count in (await self._delete(connection)).items():
                self._count(name, count)
            bare = update(_jobs).where(_jobs.c.id == self._job.id).values(result={"counts": self._counts})
            await connection.execute(bare)
        if not await database.wipe():
            log.warning("not_wiped")
            raise JobPostponed(WIPE_AGAIN_SECONDS)
        async with database.transaction() as connection:
            for name, count in (await self._delete(connection, own_job=True)).items():
                self._count(name, count if name != "jobs" else max(0, count - 1))
            await connection.execute(
                update(_erasures)
                .where(_erasures.c.receipt == self._job.subject_id, _erasures.c.completed_at.is_(None))
                .values(completed_at=datetime.now(UTC), counts=self._counts)
            )
        with suppress(DatabaseAway):  # the job's own row, which names an id alone: the next one to wipe does it as well
            await database.wipe()
        log.info("erased", count=sum(self._counts.values()))

    def _count(self, name: str, count: int) -> None:
        if count:
            self._counts[name] = self._counts.get(name, 0) + count

    def _kept(self) -> dict[str, Any]:
        return {
            "kakao_id": self._kakao_id,
            "sessions": self._sessions,
            "uploads_until": self._uploads_until,
            "brought": self._brought,
            "counts": self._counts,
        }
