"""The worker as a process: ids from docket, rows without ids, kill -9, a Redis that forgets, a drain; and its broom."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select, update
from typer.testing import CliRunner

from silvertalk.cli import app
from silvertalk.consents import decide
from silvertalk.conversations import turns, voice_prefix
from silvertalk.database import Database
from silvertalk.job_docket import NEVER_EXPIRE
from silvertalk.job_kinds import Report, Work, WorkParts
from silvertalk.job_running import JobRunner
from silvertalk.jobs import JobRow, Jobs, jobs
from silvertalk.models import Login, Outgoing, Photo, RefreshToken
from silvertalk.people import ensure_person
from silvertalk.scratch import scratch_folder, scratch_of
from silvertalk.settings import Settings
from silvertalk.sweeping import sweep
from silvertalk.worker import JobWorker, work_parts
from streaming.bus import Bus
from tests.processes import started
from tests.silvertalk.records import record
from tests.valkey import DOCKET_NEVER_EXPIRES, Valkey, leaked_keys

USER = "5b2b8f0e-5f0c-4d7a-9d61-0f1f7f3c2a10"
LEASE_SECONDS = 2
FOUND_SECONDS = 30.0
"""Generous: a lease and a look are 3.5 s, but the machine may be busy."""


class Place:
    """A data folder, its database, and what the workers there wrote down."""

    def __init__(self, folder: Path, valkey: Valkey, database: Database) -> None:
        self.settings = Settings.model_validate({"data_dir": folder, "bus_urls": valkey.url})
        self.log = folder / "slow.log"
        self.database = database
        self.jobs = Jobs(database)

    def worker(self, *, seconds: float, **settings: str) -> Any:
        environment = {
            "DATA_DIR": str(self.settings.data_dir),
            "BUS_URLS": self.settings.bus[0],
            "SLOW_LOG": str(self.log),
            "SLOW_SECONDS": str(seconds),
            "JOB_LEASE_SECONDS": str(LEASE_SECONDS),
            "DRAIN_SECONDS": "1",
        }
        return started("tests.silvertalk.slow_worker", **(environment | settings))

    async def ask(self) -> str:
        async with self.database.transaction() as connection:
            return await self.jobs.record(connection, "thumbnails", USER, uuid.uuid4().hex)

    async def until(self, job: str, status: str) -> JobRow:
        async with asyncio.timeout(FOUND_SECONDS):
            while True:
                row = await self.jobs.of(USER, job)
                assert row is not None
                if row.status == status:
                    return row
                await asyncio.sleep(0.05)  # another process sets no event

    async def until_begun(self, times: int = 1) -> list[str]:
        async with asyncio.timeout(FOUND_SECONDS):
            while len(begun := [line for line in self.lines() if line.startswith("begun")]) < times:  # noqa: ASYNC110 - as below
                await asyncio.sleep(0.05)
        return begun

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@asynccontextmanager
async def place_at(folder: Path, valkey: Valkey) -> AsyncIterator[Place]:
    async with Database(f"sqlite+aiosqlite:///{folder / 'silvertalk.sqlite3'}") as database:
        await database.wait_ready()
        yield Place(folder, valkey, database)


@pytest.fixture
async def place(own_valkey: Valkey, tmp_path: Path) -> AsyncIterator[Place]:
    async with place_at(tmp_path / "var", own_valkey) as place:
        yield place


def test_the_named_keys_are_dockets_own() -> None:
    assert NEVER_EXPIRE == DOCKET_NEVER_EXPIRES


async def test_what_a_job_asks_for_is_begun_without_a_look_at_the_rows(place: Place) -> None:
    begun = asyncio.Event()

    async def ask_for_look(parts: WorkParts, job: JobRow, report: Report) -> None:
        await parts.jobs.carrying.wait()
        async with parts.database.transaction() as connection:
            asked = await parts.jobs.record(connection, "look", USER, job.subject_id)
        await parts.jobs.start(asked)

    async def look(parts: WorkParts, job: JobRow, report: Report) -> None:
        begun.set()

    works: dict[str, Work] = {"thumbnails": ask_for_look, "look": look}
    await place.ask()
    settings = place.settings.model_copy(update={"job_lease_seconds": 600.0})
    async with work_parts(settings) as parts:
        worker = JobWorker(parts, JobRunner(parts, slots=2, lease_seconds=600, works=works.__getitem__))
        working = asyncio.create_task(worker.run(), name="worker")
        try:
            async with asyncio.timeout(FOUND_SECONDS):
                await begun.wait()
        finally:
            worker.stop()
            await asyncio.wait([working])
        working.result()


async def test_an_id_comes_through_docket_and_leaves_nothing_behind(place: Place, own_valkey: Valkey) -> None:
    async with (
        place.worker(seconds=0, JOB_LEASE_SECONDS="600") as worker,
        Jobs(place.database, own_valkey.url) as asking,
    ):
        await worker.printed("worker_ready")
        async with asyncio.timeout(FOUND_SECONDS):
            await asking.carrying.wait()
        async with Bus.open([own_valkey.url], name="gateway") as bus, asyncio.timeout(FOUND_SECONDS):
            while not await bus.reading("silvertalk-jobs:stream", "docket-workers"):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        job = await place.ask()
        await asking.start(job)
        await place.until(job, "done")  # long before the next look, which is 400 s away
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0
    assert leaked_keys(own_valkey.client) == []
    assert own_valkey.length("silvertalk-jobs:stream") == 0


async def test_a_job_whose_id_was_never_sent_is_found(place: Place) -> None:
    job = await place.ask()
    async with place.worker(seconds=0):
        row = await place.until(job, "done")
    assert row.attempts == 1


async def test_a_worker_without_redis_works(place: Place, own_valkey: Valkey) -> None:
    own_valkey.kill()
    job = await place.ask()
    async with place.worker(seconds=0) as worker:
        await place.until(job, "done")
        own_valkey.start()
        async with Jobs(place.database, own_valkey.url) as asking, asyncio.timeout(FOUND_SECONDS):
            await asking.carrying.wait()
            second = await place.ask()
            await asking.start(second)
            await place.until(second, "done")
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0


async def test_a_redis_that_forgot_everything_costs_no_job(place: Place, own_valkey: Valkey) -> None:
    async with Jobs(place.database, own_valkey.url) as asking, asyncio.timeout(FOUND_SECONDS):
        await asking.carrying.wait()
        job = await place.ask()
        await asking.start(job)
    assert own_valkey.length("silvertalk-jobs:stream") == 1
    own_valkey.flush()
    async with place.worker(seconds=0):
        await place.until(job, "done")


async def test_the_job_of_a_killed_worker_is_done_by_another_and_only_once_more(place: Place) -> None:
    job = await place.ask()
    async with place.worker(seconds=60) as first:
        await place.until_begun()
        async with place.worker(seconds=0.5) as second:
            await second.printed("worker_ready")
            await asyncio.sleep(2 * LEASE_SECONDS)  # more than a lease: the first is alive, and keeps it
            assert len(place.lines()) == 1
            first.signal(signal.SIGKILL)
            killed_at = asyncio.get_running_loop().time()
            row = await place.until(job, "done")
            taken = asyncio.get_running_loop().time() - killed_at
    assert [line.split()[0] for line in place.lines()] == ["begun", "begun", "done"]
    assert (row.attempts, row.result) == (2, {"by": second.pid})
    print(f"done {taken:.1f} s after the kill, with a lease of {LEASE_SECONDS} s")


async def test_a_drain_hands_back_what_takes_too_long(place: Place) -> None:
    job = await place.ask()
    async with place.worker(seconds=60) as worker:
        await place.until_begun()
        worker.signal(signal.SIGTERM)
        assert await worker.ended() == 0
        row = await place.jobs.of(USER, job)
        assert row is not None and (row.status, row.attempts) == ("pending", 0)
    async with place.worker(seconds=0):
        await place.until(job, "done")


async def test_dead_letters_are_listed_and_done_after_all(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await place.ask()
    async with place.database.transaction() as connection:
        await connection.execute(update(jobs).values(status="failed", error_code="media_away", attempts=3))
    monkeypatch.setenv("DATA_DIR", str(place.settings.data_dir))

    async def command(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["jobs", *arguments])
        return done.exit_code, done.output

    code, printed = await command()
    assert code == 0 and job in printed and "media_away" in printed
    assert (await command("retry", job))[0] == 0
    assert (await command("retry", job))[0] == 1
    code, printed = await command()
    assert code == 0 and "No job was given up" in printed
    code, printed = await command("--pending")
    assert job in printed and "pending" in printed


async def test_the_broom_takes_what_nobody_needs(place: Place) -> None:
    now = datetime.now(UTC)
    old, young = now - timedelta(days=400), now + timedelta(days=1)
    tables: list[Any] = [Login.__table__, RefreshToken.__table__, Outgoing.__table__, Photo.__table__, jobs]
    logins, tokens, outbox, photos, _ = tables
    async with place.database.transaction() as connection:
        insert = place.database.insert
        await ensure_person(place.database, connection, USER)
        for name, expires in (("b", young), ("a", old)):
            login = {"id": name * 32, "user_id": USER, "created_at": old, "expires_at": expires}
            await connection.execute(insert(logins).values(**login, revoked_at=None, revoked_for=""))
            token = {"hash": name * 64, "login_id": "b" * 32, "issued_at": old, "expires_at": expires}
            await connection.execute(insert(tokens).values(**token, used_at=None))
        for created in (old, now):
            row = {"user_id": USER, "kind": "photo", "data": {}, "created_at": created}
            await connection.execute(insert(outbox).values(row))
    for status, updated in (("done", old), ("failed", old), ("pending", old), ("done", now)):
        job = await place.ask()
        async with place.database.transaction() as connection:
            await connection.execute(update(jobs).where(jobs.c.id == job).values(status=status, updated_at=updated))
    async with place.database.transaction() as connection:
        erasure = await place.jobs.record(connection, "erase", USER, "receipt")
        given_up = update(jobs).where(jobs.c.id == erasure).values(status="failed", updated_at=old)
        await connection.execute(given_up)
    await _photo(place, photos, "awaited", old)
    await _photo(place, photos, "awaited", now)
    await _photo(place, photos, "ready", old)
    await _photo(place, photos, "deleting", now)
    await _photo(place, photos, "awaited", old, local_uri="ph://known-by-its-metadata")
    async with work_parts(place.settings) as parts:
        await parts.database.wait_ready()
        voice = f"{voice_prefix(USER, 'a' * 32)}1.flac"
        await parts.media.put(voice, b"a voice", "audio/flac")
        await parts.database.commit_turn(record(1, session="a" * 32, user=USER))
        async with parts.database.transaction() as connection:
            await decide(parts.database, connection, USER, {"keep_voice": False})
            await connection.execute(update(turns).values(voice_key=voice))
        assert await sweep(parts) == 9
        assert await sweep(parts) == 0
        assert await parts.media.head(voice) is None
    counts = {table.name: await _count(place.database, table) for table in tables}
    assert counts == {"logins": 1, "refresh_tokens": 1, "outbox": 1, "photos": 4, "jobs": 3}
    assert [letter.id for letter in await place.jobs.dead_letters()] == [erasure], "a deletion is never forgotten"


async def test_at_its_start_it_empties_what_a_killed_one_left_and_nothing_of_a_living_one(place: Place) -> None:
    root = scratch_of(place.settings)
    left = root / "export-left"
    left.mkdir(parents=True)
    (left / "export.zip").write_bytes(b"somebody's")
    async with scratch_folder(root, "export") as in_hand:
        (in_hand / "export.zip").write_bytes(b"another's")
        async with place.worker(seconds=0) as worker:
            await place.until(await place.ask(), "done")
            worker.signal(signal.SIGTERM)
            assert await worker.ended() == 0
        assert not left.exists()
        assert (in_hand / "export.zip").exists()


async def _photo(place: Place, photos: Table, status: str, at: datetime, **more: str) -> None:
    known: dict[str, Any] = dict.fromkeys(
        ("refusal", "object_key", "shared_key", "thumbnail_key", "content_type", "location_name", "last_session_id"), ""
    )
    known |= dict.fromkeys(("size_bytes", "width", "height", "view_count"), 0)
    known |= {"id": str(uuid.uuid4()), "user_id": USER, "status": status, "created_at": at, "updated_at": at} | more
    async with place.database.transaction() as connection:
        await connection.execute(place.database.insert(photos).values(known))


async def _count(database: Database, table: Table) -> int:
    async with database.transaction() as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
