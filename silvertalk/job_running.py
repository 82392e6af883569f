"""A worker's jobs: taking them, doing them under a lease, trying again, giving up.

An id may come as often as it likes, from docket or from a look at the rows: only who can claim the row does the job. A
claim is a lease that this process renews while the work goes on, so what a killed worker had in hand is done by another
once the lease has run out; a worker that cannot reach the database stops its work before that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from silvertalk import metrics
from silvertalk.backoff import Backoff
from silvertalk.database import refuse_erased
from silvertalk.errors import AccountErased, DatabaseAway, JobFailed, SilverTalkError
from silvertalk.job_kinds import AWAY, PERSISTENT, SILENT, JobPostponed, Work, WorkParts, give_up, work_of
from silvertalk.jobs import TRIES, JobRow
from streaming.errors import StreamingError
from streaming.logs import logger

log = logger("jobs")

WAITS_SECONDS = (10.0, 60.0)
"""Between two tries."""
AWAY_SECONDS = (10.0, 3600.0)
"""The first and the longest wait for a part that is away, each wait up to twice the one before."""
RENEWALS = 3
"""In the time of a lease: two may be lost."""
TELL_SECONDS = 1.0
"""Progress is told no more often."""


class _Lost(Exception):
    """The job is in our hands no more."""


@dataclass(slots=True)
class _Told:
    """What the row was last told of a run."""

    stage: str = ""
    at: float = 0.0


class JobRunner:
    """Does jobs, `slots` at a time. `async with` it: at the end what is in hand is handed back."""

    def __init__(
        self,
        parts: WorkParts,
        *,
        slots: int,
        lease_seconds: float,
        waits_seconds: Sequence[float] = WAITS_SECONDS,
        away_seconds: tuple[float, float] = AWAY_SECONDS,
        works: Callable[[str], Work] = work_of,
    ) -> None:
        self._parts = parts
        self._jobs = parts.jobs
        self._database = parts.database
        self._lease = timedelta(seconds=lease_seconds)
        self._waits = waits_seconds
        self._away_seconds = away_seconds
        self._works = works
        self._slots = slots
        self._places = asyncio.Semaphore(slots)
        self._busy = 0
        self._draining = False
        # Bounded by the ids that docket delivers and those of a look: whoever has no place waits, and claims nothing.
        self._running: dict[str, asyncio.Task[None]] = {}
        self._retries: set[asyncio.TimerHandle] = set()
        # Each has a timer, which has it run again here, or finds that it is no more ours to wait for.
        self._away: dict[str, Backoff] = {}

    # --- coming and going --------------------------------------------------------------------------------------------

    async def run(self, job: str) -> None:
        """Do the job, if it is there to be done; returns when this worker has no more to do with it."""
        self.run_soon(job)
        if (task := self._running.get(job)) is not None:
            await asyncio.wait([task])

    def run_soon(self, job: str) -> None:
        """The same, with nobody waiting for it."""
        if not self._draining and job not in self._running:
            task = asyncio.create_task(self._run(job), name=f"job:{job}")
            self._running[job] = task
            task.add_done_callback(lambda _: self._running.pop(job, None))

    @property
    def free(self) -> int:
        """Jobs that could begin at once."""
        return self._slots - self._busy

    async def drain(self, seconds: float) -> None:
        """Begin no more; what is in hand may finish within `seconds`, then it is handed back."""
        self._draining = True
        for timer in self._retries:
            timer.cancel()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        left = list(self._running.values())
        for task in left:
            task.cancel("draining")
        if left:
            await asyncio.wait(left)

    # --- one job -----------------------------------------------------------------------------------------------------

    async def _run(self, job: str) -> None:
        try:
            async with self._places:
                if self._draining:
                    return
                self._busy += 1
                try:
                    held = await self._jobs.claim(job, self._lease)
                    if held is None:
                        self._away.pop(job, None)
                    else:
                        await self._do(held)
                finally:
                    self._busy -= 1
        except DatabaseAway:
            log.info("job_left", job=job, reason="database_away")
        except Exception:  # our own mistake: the row is found again when its lease has run out
            log.error("job_broke", job=job, exc_info=True)

    async def _do(self, held: JobRow) -> None:
        """The job from its claim to what became of it."""
        if held.attempts > TRIES:
            await self._settle(held, failure="worker_died", final=True)
            return
        left = (held.deadline_at - held.updated_at).total_seconds()
        if left <= 0:
            await self._settle(held, failure="deadline", final=True)
            return
        log.info("job_begun", job=held.id, kind=held.kind, attempt=held.attempts)
        if not await self._tell_begun(held):
            log.info("job_gone", job=held.id, kind=held.kind)
            return
        doing = asyncio.create_task(self._work(held, left), name=f"work:{held.id}")
        renewing = asyncio.create_task(self._keep_lease(held), name=f"lease:{held.id}")
        try:
            await asyncio.wait([doing, renewing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            handing_back = not doing.done() and not renewing.done()  # this task is cancelled: a drain
            for task in (doing, renewing):
                task.cancel()
            await asyncio.wait([doing, renewing])
            if handing_back:
                await asyncio.shield(self._hand_back(held))
        if not doing.cancelled():
            await self._conclude(held, doing)
        elif held.kind in PERSISTENT:  # the lease could not be renewed: lost, or for the database, which is no try
            await self._postpone(held, DatabaseAway.code)

    async def _work(self, held: JobRow, seconds: float) -> dict[str, Any]:
        told = _Told()

        async def report(stage: str, progress: float) -> None:
            await self._report(held, told, stage, progress)

        try:
            async with asyncio.timeout(seconds) as deadline:
                result = await self._works(held.kind)(self._parts, held, report)
        except TimeoutError as error:
            if deadline.expired():
                raise JobFailed("deadline") from error
            raise  # some time-out of the work's own
        return result or {}

    async def _conclude(self, held: JobRow, doing: asyncio.Task[dict[str, Any]]) -> None:
        error = doing.exception()
        if error is None:
            await self._settle(held, result=doing.result())
        elif isinstance(error, _Lost):
            log.warning("job_lost", job=held.id, kind=held.kind)
        elif isinstance(error, JobPostponed):
            self._away.pop(held.id, None)
            await self._put_back(held, error.seconds)
        elif isinstance(error, AWAY) and held.kind in PERSISTENT:
            await self._postpone(held, _code(error))
        else:
            log.warning("job_failed", job=held.id, kind=held.kind, code=_code(error), exc_info=error)
            await self._settle(held, failure=_code(error), final=isinstance(error, JobFailed))

    async def _keep_lease(self, held: JobRow) -> None:
        """Returns when the job is ours no more."""
        loop = asyncio.get_running_loop()
        lease, renewed = self._lease.total_seconds(), loop.time()
        while True:
            await asyncio.sleep(lease / RENEWALS)
            asked = loop.time()
            try:
                async with self._database.transaction() as connection:
                    if not await self._jobs.change(connection, held, due_in=self._lease):
                        log.warning("lease_lost", job=held.id, kind=held.kind)
                        return
                renewed = asked
            except SilverTalkError as error:
                if asked - renewed > lease * (RENEWALS - 1) / RENEWALS:
                    log.warning("lease_unsure", job=held.id, kind=held.kind, code=error.code)
                    return

    async def _report(self, held: JobRow, told: _Told, stage: str, progress: float) -> None:
        now = asyncio.get_running_loop().time()
        if stage == told.stage and now - told.at < TELL_SECONDS:
            return
        told.stage, told.at = stage, now
        progress = min(max(progress, 0.0), 1.0)
        with suppress(DatabaseAway):  # the next one tells it, or the end
            if not await self._change(held, "running", stage=stage[:32], progress=progress):
                raise _Lost

    # --- what the row is told ----------------------------------------------------------------------------------------

    async def _tell_begun(self, held: JobRow) -> bool:
        """False where it is not to be done after all: its person is deleted, say."""
        with suppress(DatabaseAway):  # nobody is told now; the lease says whether the work may go on
            return await self._change(held, "running", error_code="")
        return True

    async def _settle(
        self, held: JobRow, *, result: dict[str, Any] | None = None, failure: str = "", final: bool = False
    ) -> None:
        """The end of a run, told as soon as the database takes it; where it does not within the lease, another run
        finds out what is left to do."""
        self._away.pop(held.id, None)
        again = bool(failure) and not final and held.attempts < TRIES
        wait = timedelta(seconds=self._waits[min(held.attempts, len(self._waits)) - 1])
        if again:
            values: dict[str, Any] = {"due_in": wait, "holder": "", "error_code": failure}
            status = "pending"
        elif failure:
            values, status = {"holder": "", "error_code": failure}, "failed"
        else:
            values, status = {"holder": "", "result": result or {}, "stage": "done", "progress": 1.0}, "done"
        if not await self._tell(held, status, values, within=self._lease.total_seconds()):
            log.info("job_gone", job=held.id, kind=held.kind)
            return
        metrics.JOBS.labels(held.kind, "retried" if again else status).inc()
        log.info("job_settled", job=held.id, kind=held.kind, state=status, code=failure)
        if again:
            self._retry_in(wait.total_seconds(), held.id)

    async def _tell(self, held: JobRow, status: str, values: dict[str, Any], *, within: float | None) -> bool:
        """`_change`, as soon as there is a database, `within` so many seconds. Raises DatabaseAway after that."""
        loop = asyncio.get_running_loop()
        until = None if within is None else loop.time() + within
        backoff = Backoff()
        while True:
            try:
                return await self._change(held, status, **values)
            except DatabaseAway:
                if until is not None and loop.time() > until:
                    raise
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(until):
                        await asyncio.sleep(backoff.next())  # it may be there and have no time for this one
                        await self._database.wait_ready()

    async def _postpone(self, held: JobRow, code: str) -> None:
        """A part is away, and the job waits for it without using up its tries. Where that is the database, no other job
        could be done in this one's place."""
        waits = self._away.setdefault(held.id, Backoff(*self._away_seconds))
        left = (held.deadline_at - held.updated_at).total_seconds()
        wait = min(waits.next(), left)  # at its deadline it is looked at again, and given up
        values = {"holder": "", "due_in": timedelta(seconds=wait), "attempts": held.attempts - 1, "error_code": code}
        if not await self._tell(held, "pending", values, within=None):
            self._away.pop(held.id, None)
            log.info("job_gone", job=held.id, kind=held.kind)
            return
        metrics.JOBS.labels(held.kind, "postponed").inc()
        log.warning("job_postponed", job=held.id, kind=held.kind, code=code, seconds=round(wait, 1))
        self._retry_in(wait, held.id)

    def _retry_in(self, seconds: float, job: str) -> None:
        """A timer of this worker's own; should it not live, the row is found by the next look of any."""
        loop = asyncio.get_running_loop()

        def again() -> None:
            self._retries.discard(timer)
            self.run_soon(job)

        timer = loop.call_later(seconds + 0.05, again)  # a moment after the row is due, not before
        self._retries.add(timer)

    async def _hand_back(self, held: JobRow) -> None:
        """Let any worker take it at once."""
        with suppress(SilverTalkError):
            await self._put_back(held, 0)

    async def _put_back(self, held: JobRow, seconds: float) -> None:
        """Let any worker take it, so much later; it does not count as a try."""
        due_in = timedelta(seconds=seconds)
        if await self._change(held, "pending", holder="", due_in=due_in, attempts=held.attempts - 1):
            log.info("job_handed_back", job=held.id, kind=held.kind)
            if seconds:
                self._retry_in(seconds, held.id)

    async def _change(self, held: JobRow, status: str, **values: Any) -> bool:
        """Change the row and tell its person, in one transaction. False where it is in our hands no more."""
        silent = held.kind in SILENT
        try:
            return await self._write(held, status, silent, values)
        except AccountErased:
            return False

    async def _write(self, held: JobRow, status: str, silent: bool, values: dict[str, Any]) -> bool:
        async with self._database.transaction() as connection:
            if not silent:  # before the row is held: a guest who joins an account takes the two in this order
                await refuse_erased(connection, held.user_id)
            if not await self._jobs.change(connection, held, status=status, **values):
                return False
            if status == "failed":
                await give_up(self._parts, connection, held)
            if not silent:
                told = {"id": held.id, "kind": held.kind, "subject_id": held.subject_id, "status": status}
                told |= {"stage": values.get("stage", held.stage), "progress": values.get("progress", held.progress)}
                told |= {"error_code": values.get("error_code", "")}
                await self._parts.notices.record(connection, held.user_id, "job", told)
        if not silent:
            await self._parts.notices.publish(held.user_id)
        return True


def _code(error: BaseException) -> str:
    """What a person's support is told: a code of ours, or the exception's name, never its words."""
    if isinstance(error, JobFailed):
        return error.reason[:64]
    if isinstance(error, SilverTalkError | StreamingError):
        return error.code[:64]
    return type(error).__name__[:64]
