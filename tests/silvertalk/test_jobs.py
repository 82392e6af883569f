"""Jobs as rows: asked for, claimed, renewed, given up. The same tests on SQLite and on PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from silvertalk.database import Database
from silvertalk.jobs import JobKind, JobRow, Jobs, jobs
from silvertalk.setting_values import database_url
from tests.postgres import Postgres

USER = "5b2b8f0e-5f0c-4d7a-9d61-0f1f7f3c2a10"
LEASE = timedelta(seconds=30)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'silvertalk.sqlite3'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as opened:
        await opened.wait_ready()
        yield opened


async def asked(database: Database, kind: JobKind = "thumbnails", subject: str = "photo", user: str = USER) -> str:
    async with database.transaction() as connection:
        return await Jobs(database).record(connection, kind, user, subject)


async def change(database: Database, held: JobRow, **values: object) -> bool:
    async with database.transaction() as connection:
        return await Jobs(database).change(connection, held, **values)  # type: ignore[arg-type]


async def test_what_is_still_to_be_done_is_not_asked_for_twice(database: Database) -> None:
    first = await asked(database)
    assert await asked(database) == first
    others = {await asked(database, "export"), await asked(database, subject="other"), await asked(database, user="u")}
    assert len(others - {first}) == 3
    at_once = await asyncio.gather(*(asked(database, subject="many") for _ in range(8)))
    assert len(set(at_once)) == 1
    held = await Jobs(database).claim(first, LEASE)
    assert held is not None
    assert await asked(database) == first, "one that is being done is still to be done"
    assert await change(database, held, status="done", holder="")
    assert await asked(database) != first


async def test_a_job_has_one_holder(database: Database) -> None:
    job = await asked(database)
    found = await asyncio.gather(*(Jobs(database).claim(job, LEASE) for _ in range(8)))
    (held,) = [row for row in found if row is not None]
    assert (held.status, held.attempts, held.user_id, held.subject_id) == ("running", 1, USER, "photo")
    assert await Jobs(database).due(10) == []
    assert await Jobs(database).claim(job, LEASE) is None


async def test_a_lease_that_ran_out_is_anybodys_and_its_holder_is_fenced(database: Database) -> None:
    job = await asked(database)
    late = await Jobs(database).claim(job, timedelta())
    assert late is not None
    assert await Jobs(database).due(10) == [job]
    held = await Jobs(database).claim(job, LEASE)
    assert held is not None and held.attempts == 2
    assert not await change(database, late, stage="I am back")
    assert not await change(database, late, status="done", holder="")
    assert await change(database, held, stage="mine")
    row = await Jobs(database).of(USER, job)
    assert row is not None and (row.stage, row.status) == ("mine", "running")


async def test_a_renewed_lease_is_kept(database: Database) -> None:
    job = await asked(database)
    held = await Jobs(database).claim(job, timedelta())
    assert held is not None
    assert await change(database, held, due_in=LEASE)
    assert await Jobs(database).due(10) == []


async def test_a_job_that_waits_for_its_next_try_is_not_due(database: Database) -> None:
    job = await asked(database)
    held = await Jobs(database).claim(job, LEASE)
    assert held is not None
    assert await change(database, held, status="pending", holder="", due_in=timedelta(hours=1))
    assert await Jobs(database).due(10) == []
    assert await Jobs(database).claim(job, LEASE) is None


async def test_what_was_cancelled_is_in_nobodys_hands(database: Database) -> None:
    job = await asked(database)
    held = await Jobs(database).claim(job, LEASE)
    assert held is not None
    async with database.transaction() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job).values(status="cancelled"))
    assert not await change(database, held, due_in=LEASE)


async def test_a_dead_letter_is_listed_and_done_after_all(database: Database) -> None:
    job = await asked(database)
    held = await Jobs(database).claim(job, LEASE)
    assert held is not None
    assert not await Jobs(database).retry(job), "it is being done"
    assert await change(database, held, status="failed", holder="", error_code="media_away")
    (letter,) = await Jobs(database).dead_letters()
    assert (letter.id, letter.error_code) == (job, "media_away")
    assert await Jobs(database).retry(job)
    assert await Jobs(database).dead_letters() == []
    assert [row.id for row in await Jobs(database).unfinished()] == [job]
    again = await Jobs(database).claim(job, LEASE)
    assert again is not None and again.attempts == 1 and again.deadline_at > held.updated_at


async def test_a_dead_letter_whose_work_was_asked_for_anew_stays_dead(database: Database) -> None:
    job = await asked(database)
    held = await Jobs(database).claim(job, LEASE)
    assert held is not None
    assert await change(database, held, status="failed", holder="", error_code="deadline")
    await asked(database)
    assert not await Jobs(database).retry(job)
    assert not await Jobs(database).retry(str(uuid.uuid4()))


async def test_a_job_is_its_persons_own(database: Database) -> None:
    job = await asked(database)
    assert await Jobs(database).of("somebody-else", job) is None
    assert await Jobs(database).of(USER, job) is not None


async def test_starting_never_fails(database: Database) -> None:
    await Jobs(database).start(str(uuid.uuid4()))
    async with Jobs(database, "unix:///nowhere/at/all") as unreachable:
        await unreachable.start(str(uuid.uuid4()))
