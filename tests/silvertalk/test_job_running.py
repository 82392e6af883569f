"""A worker's runs: done, tried again, given up, lost, handed back; and what the person is told of it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from sqlalchemy import delete, update

from silvertalk import metrics
from silvertalk.database import Database, user_hash
from silvertalk.errors import DatabaseAway, JobFailed, KakaoAway, MediaAway
from silvertalk.job_kinds import KINDS, PERSISTENT, JobPostponed, Report, Work, WorkParts, work_of
from silvertalk.job_running import JobRunner
from silvertalk.jobs import TRIES, JobKind, JobRow, Jobs, jobs, moment_of
from silvertalk.media.store import open_media
from silvertalk.models import Erasure
from silvertalk.notice_feeds import Feed
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from streaming.bus import Bus
from streaming.errors import BusFull, BusUnavailable
from tests.valkey import Valkey

USER = "5b2b8f0e-5f0c-4d7a-9d61-0f1f7f3c2a10"


@dataclass
class Bench:
    """Real parts, and works that a test makes up."""

    parts: WorkParts
    feed: Feed

    def runner(self, work: Work, *, lease: float = 30) -> JobRunner:
        return JobRunner(
            self.parts,
            slots=2,
            lease_seconds=lease,
            waits_seconds=(0.1, 0.1),
            away_seconds=(0.05, 0.2),
            works=lambda kind: work,
        )

    async def ask(self, kind: JobKind = "thumbnails", within: timedelta = timedelta(hours=1)) -> str:
        async with self.parts.database.transaction() as connection:
            return await self.parts.jobs.record(connection, kind, USER, uuid.uuid4().hex, within=within)

    async def row(self, job: str) -> JobRow:
        row = await self.parts.jobs.of(USER, job)
        assert row is not None
        return row

    async def until(self, job: str, status: str) -> JobRow:
        """Of an erasure nobody is told, so its row is asked."""
        async with asyncio.timeout(20):
            while (row := await self.row(job)).status != status:  # noqa: ASYNC110 - a row sets no event
                await asyncio.sleep(0.02)
        return row

    async def told(self, status: str) -> dict[str, Any]:
        """The next notice that says so."""
        async with asyncio.timeout(20):
            while True:
                item = await self.feed.next()
                assert item is not None and item.kind == "job"
                if item.data["status"] == status:
                    return item.data


@asynccontextmanager
async def bench_on(valkey: Valkey, folder: Path) -> AsyncIterator[Bench]:
    settings = Settings.model_validate({"data_dir": folder, "bus_urls": valkey.url})
    async with (
        Bus.open([valkey.url], name="worker") as bus,
        Database(settings.database) as database,
        open_media(settings) as media,
    ):
        await database.wait_ready()
        notices = Notices(bus, database)
        parts = WorkParts(settings, bus, database, media, Jobs(database), notices, Revocations(bus, database))
        async with await notices.feeds.open(USER) as feed:
            yield Bench(parts, feed)


@pytest.fixture
async def bench(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_on(valkey, tmp_path / "var") as bench:
        yield bench


def counting(work: Callable[[int], Awaitable[None]]) -> tuple[Work, list[JobRow]]:
    begun: list[JobRow] = []

    async def counted(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
        begun.append(job)
        await work(len(begun))
        return {"times": len(begun)}

    return counted, begun


async def nothing(_: int) -> None:
    return


async def test_a_job_is_done_and_told(bench: Bench) -> None:
    work, begun = counting(nothing)
    job = await bench.ask()
    await bench.runner(work).run(job)
    row = await bench.row(job)
    assert (row.status, row.progress, row.result, row.holder, row.attempts) == ("done", 1.0, {"times": 1}, "", 1)
    assert (await bench.told("running"))["id"] == job
    told = await bench.told("done")
    assert (told["id"], told["kind"], told["progress"]) == (job, "thumbnails", 1.0)
    await bench.runner(work).run(job)
    assert len(begun) == 1, "an id that comes again does nothing"


async def test_an_id_that_comes_often_is_done_once(bench: Bench) -> None:
    gate = asyncio.Event()

    async def wait(_: int) -> None:
        await gate.wait()

    work, begun = counting(wait)
    first, second = bench.runner(work), bench.runner(work)
    job = await bench.ask()
    running = [asyncio.create_task(first.run(job)) for _ in range(2)]
    await bench.told("running")
    await asyncio.gather(second.run(job), second.run(job))  # the other worker has nothing to do with it
    gate.set()
    await asyncio.wait(running)
    assert len(begun) == 1
    assert (await bench.row(job)).status == "done"


async def test_what_fails_is_tried_again_and_then_a_dead_letter(bench: Bench) -> None:
    async def fail(_: int) -> None:
        raise MediaAway("the store is gone")

    work, begun = counting(fail)
    job = await bench.ask("export")
    bench.runner(work).run_soon(job)
    told = await bench.told("failed")
    assert told["error_code"] == "media_away"
    assert [row.attempts for row in begun] == [1, 2, 3]
    (letter,) = await bench.parts.jobs.dead_letters()
    assert (letter.id, letter.status, letter.error_code) == (job, "failed", "media_away")


async def test_a_second_try_may_succeed(bench: Bench) -> None:
    async def fail_first(time: int) -> None:
        if time == 1:
            raise OSError("a flaky disk")

    work, begun = counting(fail_first)
    job = await bench.ask()
    bench.runner(work).run_soon(job)
    assert (await bench.told("pending"))["error_code"] == "OSError"
    await bench.told("done")
    assert len(begun) == 2
    assert (await bench.row(job)).error_code == ""


async def test_what_can_never_be_done_is_not_tried_again(bench: Bench) -> None:
    async def refuse(_: int) -> None:
        raise JobFailed("no_picture")

    work, begun = counting(refuse)
    job = await bench.ask()
    await bench.runner(work).run(job)
    row = await bench.row(job)
    assert (row.status, row.error_code, len(begun)) == ("failed", "no_picture", 1)


async def test_an_unknown_kind_is_a_dead_letter(bench: Bench) -> None:
    job = await bench.ask()
    async with bench.parts.database.transaction() as connection:
        await connection.execute(update(jobs).values(kind="of a later version"))
    await JobRunner(bench.parts, slots=1, lease_seconds=30).run(job)
    assert (await bench.row(job)).error_code == "unknown_kind"
    assert set(KINDS) == set(get_args(JobKind))
    assert all(callable(work_of(kind)) for kind in KINDS)


async def test_a_job_past_its_deadline_is_stopped_or_not_begun(bench: Bench) -> None:
    async def forever(_: int) -> None:
        await asyncio.Event().wait()

    work, begun = counting(forever)
    job = await bench.ask(within=timedelta(seconds=0.5))
    await bench.runner(work).run(job)
    assert ((await bench.row(job)).error_code, len(begun)) == ("deadline", 1)
    late = await bench.ask(within=timedelta(seconds=-1))
    await bench.runner(work).run(late)
    assert ((await bench.row(late)).error_code, len(begun)) == ("deadline", 1)


async def test_a_time_out_of_the_works_own_is_tried_again(bench: Bench) -> None:
    async def time_out(time: int) -> None:
        if time == 1:
            raise TimeoutError

    work, _ = counting(time_out)
    job = await bench.ask()
    bench.runner(work).run_soon(job)
    await bench.told("done")
    assert (await bench.row(job)).attempts == 2


async def test_a_job_that_was_deleted_or_cancelled_is_stopped(bench: Bench) -> None:
    stopped: list[str] = []

    async def until_stopped(parts: WorkParts, job: JobRow, report: Report) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(job.id)
            raise

    runner = bench.runner(until_stopped, lease=1)
    cancelled, deleted = await bench.ask(), await bench.ask()
    running = [asyncio.create_task(runner.run(job)) for job in (cancelled, deleted)]
    await bench.told("running")
    await bench.told("running")
    async with bench.parts.database.transaction() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == cancelled).values(status="cancelled"))
        await connection.execute(delete(jobs).where(jobs.c.id == deleted))
    await asyncio.wait(running)
    assert sorted(stopped) == sorted([cancelled, deleted])
    assert (await bench.row(cancelled)).status == "cancelled"


async def test_a_long_job_keeps_its_lease(bench: Bench) -> None:
    async def two_leases(_: int) -> None:
        await asyncio.sleep(2.2)

    work, begun = counting(two_leases)
    job = await bench.ask()
    running = asyncio.create_task(bench.runner(work, lease=1).run(job))
    await bench.told("running")
    other = bench.runner(work)
    for _ in range(4):
        await asyncio.sleep(0.5)
        await other.run(job)
    await running
    assert len(begun) == 1 and (await bench.row(job)).status == "done"


async def test_three_workers_that_died_with_it_were_enough(bench: Bench) -> None:
    work, begun = counting(nothing)
    job = await bench.ask()
    for _ in range(3):
        assert await bench.parts.jobs.claim(job, timedelta()) is not None
    await bench.runner(work).run(job)
    row = await bench.row(job)
    assert (row.status, row.error_code, begun) == ("failed", "worker_died", [])


async def test_a_drain_finishes_what_it_can_and_hands_the_rest_back(bench: Bench) -> None:
    gate = asyncio.Event()

    async def one_waits(parts: WorkParts, job: JobRow, report: Report) -> None:
        await (gate.wait() if job.id == finishes else asyncio.Event().wait())

    runner = bench.runner(one_waits)
    finishes, stays, waits = await bench.ask(), await bench.ask(), await bench.ask()
    running = [asyncio.create_task(runner.run(job)) for job in (finishes, stays, waits)]
    await bench.told("running")
    await bench.told("running")
    draining = asyncio.create_task(runner.drain(1.0))
    gate.set()
    await draining
    await asyncio.wait(running)
    assert (await bench.row(finishes)).status == "done"
    for job in (stays, waits):
        row = await bench.row(job)
        assert (row.status, row.attempts, row.holder) == ("pending", 0, "")
    assert sorted(await bench.parts.jobs.due(10)) == sorted([stays, waits])


async def test_progress_is_told_now_and_then(bench: Bench) -> None:
    async def report_often(parts: WorkParts, job: JobRow, report: Report) -> None:
        for step in range(100):
            await report("reading", step / 100)
        await report("writing", 0.99)

    job = await bench.ask()
    await bench.runner(report_often).run(job)
    stages = []
    while (told := await bench.feed.next()) is not None:
        stages.append(told.data["stage"])
        if told.data["status"] == "done":
            break
    assert stages == ["", "reading", "writing", "done"]


async def test_of_an_erasure_nobody_is_told(bench: Bench, valkey: Valkey) -> None:
    work, _ = counting(nothing)
    await bench.runner(work).run(await bench.ask("erase"))
    assert not list(valkey.client.scan_iter("silvertalk:notices:*"))


async def test_a_deleted_person_is_told_nothing_and_the_job_is_left(bench: Bench, valkey: Valkey) -> None:
    job = await bench.ask()
    async with bench.parts.database.transaction() as connection:
        row = {"receipt": str(uuid.uuid4()), "user_hash": user_hash(USER), "asked_at": await moment_of(connection)}
        await connection.execute(
            bench.parts.database.insert(cast(Any, Erasure.__table__)).values(**row, completed_at=None, counts={})
        )
    work, begun = counting(nothing)
    await bench.runner(work).run(job)
    assert begun == []
    assert not list(valkey.client.scan_iter("silvertalk:notices:*"))


async def test_the_databases_absence_is_waited_out(bench: Bench) -> None:
    database = bench.parts.database

    async def lose_it(_: int) -> None:
        database._ready.clear()  # as after a call that failed
        database._lost.set()

    work, begun = counting(lose_it)
    job = await bench.ask()
    await bench.runner(work).run(job)
    assert ((await bench.row(job)).status, len(begun)) == ("done", 1)


async def test_a_job_that_must_wait_takes_no_place_and_is_no_try(bench: Bench) -> None:
    began: list[int] = []

    async def work(parts: WorkParts, job: JobRow, report: Report) -> None:
        began.append(job.attempts)
        if len(began) < 5:  # more often than it would be tried
            raise JobPostponed(0.05)

    job = await bench.ask()
    runner = bench.runner(work)
    await runner.run(job)
    assert (await bench.row(job)).status in ("pending", "running", "done")
    await bench.told("done")
    assert began == [1] * 5


AWAY: list[Exception] = [
    MediaAway("the store is gone"),
    BusUnavailable("no Redis"),
    BusFull("no memory"),
    DatabaseAway("no answer"),
    KakaoAway("too slow"),
]


@pytest.mark.parametrize("kind", sorted(PERSISTENT))
async def test_a_part_that_is_away_is_waited_for_longer_than_a_job_is_tried(bench: Bench, kind: JobKind) -> None:
    async def away_at_first(time: int) -> None:
        if time <= len(AWAY):
            raise AWAY[time - 1]

    postponed = metrics.JOBS.labels(kind, "postponed")
    before = postponed._value.get()
    work, begun = counting(away_at_first)
    job = await bench.ask(kind)
    runner = bench.runner(work)
    await runner.run(job)
    row = await bench.until(job, "done")
    assert len(begun) == len(AWAY) + 1 > TRIES
    assert (row.attempts, [one.attempts for one in begun]) == (1, [1] * len(begun))
    assert postponed._value.get() - before == len(AWAY)
    assert runner._away == {}


async def test_the_waits_for_a_part_grow_and_the_first_is_short(bench: Bench) -> None:
    async def away(_: int) -> None:
        raise MediaAway

    work, _ = counting(away)
    job = await bench.ask("erase")
    runner = JobRunner(bench.parts, slots=1, lease_seconds=30, works=lambda kind: work)
    waits = []
    for _ in range(12):
        await runner.run(job)
        row = await bench.row(job)
        assert (row.status, row.attempts) == ("pending", 0)
        waits.append((row.due_at - row.updated_at).total_seconds())
        async with bench.parts.database.transaction() as connection:
            await connection.execute(update(jobs).values(due_at=row.updated_at))  # nobody waits for that here
    await runner.drain(0)
    assert 5 <= waits[0] <= 10.1
    assert waits[:9] == sorted(waits[:9])
    assert all(1800 <= wait <= 3600.1 for wait in waits[-3:])


async def test_it_waits_until_its_deadline_and_no_longer(bench: Bench) -> None:
    async def away(_: int) -> None:
        raise MediaAway

    work, begun = counting(away)
    job = await bench.ask("erase", within=timedelta(seconds=1.5))
    bench.runner(work).run_soon(job)
    assert (await bench.until(job, "failed")).error_code == "deadline"
    assert begun


async def test_what_is_wrong_with_the_job_itself_is_no_waiting(bench: Bench) -> None:
    async def fail(_: int) -> None:
        raise ValueError

    work, begun = counting(fail)
    job = await bench.ask("thumbnails")
    bench.runner(work).run_soon(job)
    assert (await bench.told("failed"))["error_code"] == "ValueError"
    assert len(begun) == TRIES


async def test_a_database_that_goes_in_the_middle_costs_a_deletion_no_try(bench: Bench) -> None:
    """The lease cannot be renewed, so the work is stopped; that is the database's doing and not the job's."""
    database = bench.parts.database
    lost, back = asyncio.Event(), asyncio.Event()

    async def until_stopped(parts: WorkParts, job: JobRow, report: Report) -> None:
        began.append(job.attempts)
        if len(began) == 1:
            lost.set()
            await asyncio.Event().wait()

    began: list[int] = []
    whole = database.transaction

    @asynccontextmanager
    async def gone() -> AsyncIterator[Any]:
        raise DatabaseAway
        yield

    job = await bench.ask("erase")
    runner = bench.runner(until_stopped, lease=0.6)
    running = asyncio.create_task(runner.run(job))
    await lost.wait()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "transaction", gone)
        patch.setattr(database, "wait_ready", back.wait)
        await asyncio.sleep(1.5)
        patch.undo()
        back.set()
    assert database.transaction == whole
    await running
    await bench.until(job, "done")
    assert began == [1, 1]
