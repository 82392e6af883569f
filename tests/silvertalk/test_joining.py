"""A guest's things become an account's: every table, every object, on both databases and a real store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from sqlalchemy import Table, delete, insert, select, update

from silvertalk import erasing, memories, photos
from silvertalk.accounts import Accounts, KakaoPerson
from silvertalk.adopting import KEYS, adopt_objects, former_prefixes
from silvertalk.columns import Model
from silvertalk.database import Database, no_writer_of
from silvertalk.erasing import ask_to_erase, erase_person
from silvertalk.errors import AccountErased
from silvertalk.exporting import ask_for_export, export_of, make_export
from silvertalk.job_kinds import JobPostponed, WorkParts, work_of
from silvertalk.job_running import JobRunner
from silvertalk.jobs import JobRow, Jobs
from silvertalk.joining import MOVED, UNIQUE, join_guest
from silvertalk.logins import Logins
from silvertalk.media.store import LATE_UPLOAD, MediaStore, Stored, open_media, user_prefix
from silvertalk.models import Job, Login, Memory, Photo, User
from silvertalk.notices import Notices
from silvertalk.people import ensure_person
from silvertalk.photos import new_photo, photo_prefix
from silvertalk.revocations import Revocations
from silvertalk.setting_values import database_url
from silvertalk.settings import Settings
from streaming.bus import Bus
from tests.postgres import Postgres
from tests.silvertalk.furnishing import furnish
from tests.valkey import Valkey

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
GUEST, STRANGER = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "0b7f3c9a-52a4-4d2e-9d1a-3f6c8f0e1d2b"
PERSON = KakaoPerson("1001", "김순자")
NOT_A_GUESTS = {"users", "logins", "erasures"}
"""A guest's own row goes; they have no logins."""


class House(NamedTuple):
    parts: WorkParts
    accounts: Accounts


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path, valkey: Valkey) -> AsyncIterator[House]:
    settings = Settings(data_dir=tmp_path / "var")
    url = settings.database
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url))
        bus = await stack.enter_async_context(Bus.open([valkey.url], name="joining"))
        media = await stack.enter_async_context(open_media(settings))
        await database.wait_ready()
        jobs, revocations = Jobs(database), Revocations(bus, database)
        parts = WorkParts(settings, bus, database, media, jobs, Notices(bus, database), revocations)
        logins = Logins(database, revocations, SECRET)
        yield House(parts, Accounts(database, bus, jobs, logins, revocations))


async def furnished(house: House, user: str, mark: str) -> None:
    """A guest with rows in every table."""
    await furnish(house.parts.database, user, mark)
    async with house.parts.database.transaction() as connection:
        await connection.execute(update(User).where(User.id == user).values(kakao_id=None))
        await connection.execute(delete(Login).where(Login.user_id == user))


async def owners(database: Database, *users: str) -> dict[str, set[str]]:
    """Whose rows there are, of these people's, by table."""
    found: dict[str, set[str]] = {}
    async with database.transaction() as connection:
        for table in Model.metadata.tables.values():
            if "user_id" in table.c:
                rows = await connection.execute(select(table.c.user_id).where(table.c.user_id.in_(users)))
                found[table.name] = set(rows.scalars())
    return found


async def with_objects(house: House, user: str) -> list[str]:
    """Have a row of each kind name an object that is there; returns the keys."""
    keys = []
    for number, (table, name) in enumerate(KEYS):
        key = f"{user_prefix(user)}things/{number}.jpg"
        await house.parts.media.put(key, f"canary {number}".encode(), "image/jpeg")
        async with house.parts.database.transaction() as connection:
            await connection.execute(table.update().where(table.c.user_id == user).values({name: key}))
        keys.append(key)
    return keys


async def a_photo(house: House, user: str, status: str, *, named: bool = True) -> str:
    """A guest's photo, which names its original."""
    row = new_photo(user, status)
    if named:
        row["object_key"] = f"{photo_prefix(user, row['id'])}original.jpg"
    async with house.parts.database.transaction() as connection:
        await ensure_person(house.parts.database, connection, user)
        await connection.execute(insert(Photo).values(row))
    return str(row["id"])


def later(job: JobRow) -> JobRow:
    """The same, begun again when no form of the guest's is good any more."""
    return job._replace(updated_at=job.created_at + LATE_UPLOAD)


class StoreInTheMiddle:
    """A real store, through which one `put` waits until it may go on."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(self, key: str, data: bytes | Path, content_type: str) -> Stored:
        self.reached.set()
        await self.go_on.wait()
        return await self._store.put(key, data, content_type)


async def the_job(parts: WorkParts, kind: str, status: str = "pending") -> JobRow:
    async with parts.database.transaction() as connection:
        found = (await connection.execute(select(Job.id).where(Job.kind == kind, Job.status == status))).scalar_one()
    held = await parts.jobs.claim(found, timedelta(0))
    assert held is not None
    return held


async def nothing_to_report(stage: str, progress: float) -> None:
    """Nobody listens."""


async def photo_key(house: House, user: str) -> str:
    async with house.parts.database.transaction() as connection:
        return str((await connection.execute(select(Photo.object_key).where(Photo.user_id == user))).scalar_one())


def test_every_table_of_a_person_is_moved_or_known_not_to_be() -> None:
    named = {table.name for table in (*MOVED, *(table for table, _ in UNIQUE))}
    assert named | NOT_A_GUESTS >= {name for name, table in Model.metadata.tables.items() if "user_id" in table.c}


def test_every_column_that_names_an_object_is_known() -> None:
    named = {(table.name, column.name) for table in _tables() for column in table.c if column.name.endswith("_key")}
    assert {(table.name, name) for table, name in KEYS} == named


def _tables() -> list[Table]:
    return list(Model.metadata.tables.values())


async def test_all_that_is_a_guests_is_the_accounts(house: House) -> None:
    account = (await house.accounts.log_in(PERSON)).user.id
    await furnished(house, GUEST, "guest")
    await furnish(house.parts.database, STRANGER, "stranger")
    before = await owners(house.parts.database, GUEST)
    await house.accounts.log_in(PERSON, GUEST)
    after = await owners(house.parts.database, GUEST, account)
    assert {name for name, users in after.items() if GUEST in users} <= NOT_A_GUESTS
    for name in before.keys() - NOT_A_GUESTS:
        assert not before[name] or account in after[name], name
    assert all(users == {STRANGER} for users in (await owners(house.parts.database, STRANGER)).values() if users)


async def test_a_guests_pictures_and_voices_are_moved_by_a_job_and_again_it_changes_nothing(house: House) -> None:
    account = (await house.accounts.log_in(PERSON)).user.id
    await furnished(house, GUEST, "guest")
    keys = await with_objects(house, GUEST)
    await house.accounts.log_in(PERSON, GUEST)
    job = await the_job(house.parts, "adopt")
    assert work_of("adopt") is adopt_objects
    with pytest.raises(JobPostponed) as postponed:
        await adopt_objects(house.parts, job, nothing_to_report)
    assert 300 < postponed.value.seconds <= LATE_UPLOAD.total_seconds()
    moved = [key.replace(GUEST, account) for key in keys]
    assert [await house.parts.media.head(key) for key in keys] == [None] * len(keys)
    for number, key in enumerate(moved):
        assert await house.parts.media.read(key, 100) == f"canary {number}".encode()
    assert await photo_key(house, account) in moved
    assert await adopt_objects(house.parts, later(job), nothing_to_report) == {}
    assert await house.parts.media.read(moved[0], 100) == b"canary 0"


async def test_what_the_rows_do_not_name_is_deleted_and_so_has_a_guests_export_expired(house: House) -> None:
    parts = house.parts
    account = (await house.accounts.log_in(PERSON)).user.id
    async with parts.database.transaction() as connection:
        await ensure_person(parts.database, connection, GUEST)
    await ask_for_export(parts.database, parts.jobs, GUEST)
    export = await the_job(parts, "export")
    made = await make_export(parts, export, nothing_to_report)
    async with parts.database.transaction() as connection:
        await parts.jobs.change(connection, export, status="done", holder="", result=made)
    await house.accounts.log_in(PERSON, GUEST)
    assert (await export_of(parts.database, parts.media, account)).state == "ready"
    await adopt_objects(parts, later(await the_job(parts, "adopt")), nothing_to_report)
    assert await parts.media.some_below(user_prefix(GUEST)) == []
    assert await parts.media.some_below(user_prefix(account)) == []
    assert (await export_of(parts.database, parts.media, account)).state == "expired"


@pytest.mark.parametrize("named", [True, False])
async def test_what_a_guests_form_still_brings_is_moved_as_well(house: House, named: bool) -> None:
    """Whether its row names the place, as one that is awaited may, or the picture belongs to a photo of theirs."""
    parts = house.parts
    account = (await house.accounts.log_in(PERSON)).user.id
    photo = await a_photo(house, GUEST, "awaited", named=named)
    await house.accounts.log_in(PERSON, GUEST)
    job = await the_job(parts, "adopt")
    with pytest.raises(JobPostponed):
        await adopt_objects(parts, job, nothing_to_report)
    await parts.media.put(f"{photo_prefix(GUEST, photo)}original.jpg", b"late", "image/jpeg")
    await adopt_objects(parts, later(job), nothing_to_report)
    assert await parts.media.some_below(user_prefix(GUEST)) == []
    assert await parts.media.read(f"{photo_prefix(account, photo)}original.jpg", 100) == b"late"


async def test_a_picture_that_never_came_is_not_looked_for_at_the_guests_for_ever(house: House) -> None:
    account = (await house.accounts.log_in(PERSON)).user.id
    photo = await a_photo(house, GUEST, "awaited")
    await house.accounts.log_in(PERSON, GUEST)
    job = await the_job(house.parts, "adopt")
    with pytest.raises(JobPostponed):
        await adopt_objects(house.parts, job, nothing_to_report)
    assert await photo_key(house, account) == f"{photo_prefix(GUEST, photo)}original.jpg", "where it may still come"
    await adopt_objects(house.parts, later(job), nothing_to_report)
    assert await photo_key(house, account) == f"{photo_prefix(account, photo)}original.jpg"


async def test_what_is_there_is_not_written_over_by_what_comes_late(house: House) -> None:
    account = (await house.accounts.log_in(PERSON)).user.id
    photo = await a_photo(house, GUEST, "ready")
    old, new = (f"{photo_prefix(user, photo)}original.jpg" for user in (GUEST, account))
    await house.parts.media.put(old, b"first", "image/jpeg")
    await house.accounts.log_in(PERSON, GUEST)
    job = later(await the_job(house.parts, "adopt"))
    await adopt_objects(house.parts, job, nothing_to_report)
    await house.parts.media.put(old, b"second", "image/jpeg")
    await adopt_objects(house.parts, job, nothing_to_report)
    assert await house.parts.media.read(new, 100) == b"first"
    assert await house.parts.media.head(old) is None


@pytest.mark.parametrize("gone", ["person", "photo"])
async def test_what_is_deleted_while_it_is_copied_leaves_no_copy(
    house: House, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    parts = house.parts
    monkeypatch.setattr(erasing, "LATE_UPLOAD", timedelta(0))
    account = (await house.accounts.log_in(PERSON)).user.id
    photo = await a_photo(house, GUEST, "ready")
    await parts.media.put(f"{photo_prefix(GUEST, photo)}original.jpg", b"canary", "image/jpeg")
    await house.accounts.log_in(PERSON, GUEST)
    job = await the_job(parts, "adopt")
    media = StoreInTheMiddle(parts.media)
    adopting = asyncio.create_task(
        adopt_objects(replace(parts, media=cast(MediaStore, media)), later(job), nothing_to_report)
    )
    await media.reached.wait()
    if gone == "person":
        await ask_to_erase(parts.database, parts.jobs, parts.revocations, account)
        await erase_person(parts, await the_job(parts, "erase"), nothing_to_report)
    else:
        await photos.remove(parts.database, parts.media, account, photo)
    media.go_on.set()
    if gone == "person":
        with pytest.raises(AccountErased):
            await adopting
    else:
        await adopting
    assert await parts.media.some_below(user_prefix(account)) == []
    assert await parts.media.some_below(user_prefix(GUEST)) == []


async def test_who_is_deleted_meanwhile_leaves_nothing_of_the_guest_either(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no row names, and what the guest's form brings after the deletion was asked for."""
    parts = house.parts
    monkeypatch.setattr(erasing, "LATE_UPLOAD", timedelta(seconds=1))
    account = (await house.accounts.log_in(PERSON)).user.id
    export, late = f"{user_prefix(GUEST)}exports/1.zip", f"{user_prefix(GUEST)}photos/1/original.jpg"
    async with parts.database.transaction() as connection:
        await ensure_person(parts.database, connection, GUEST)
    await parts.media.put(export, b"canary", "application/zip")
    await house.accounts.log_in(PERSON, GUEST)
    await ask_to_erase(parts.database, parts.jobs, parts.revocations, account)
    with pytest.raises(JobPostponed) as postponed:
        await erase_person(parts, await the_job(parts, "erase"), nothing_to_report)
    assert await parts.media.head(export) is None
    await parts.media.put(late, b"canary", "image/jpeg")
    await asyncio.sleep(postponed.value.seconds)
    await erase_person(parts, await the_job(parts, "erase", "running"), nothing_to_report)
    assert await parts.media.head(late) is None


@pytest.mark.parametrize("state", ["running", "done", "failed"])
async def test_a_picture_that_was_just_looked_at_is_looked_at_anew(house: House, state: str) -> None:
    """The job that did so found nobody's photo, whatever it says."""
    parts = house.parts
    account = (await house.accounts.log_in(PERSON)).user.id
    photo = await a_photo(house, GUEST, "processing")
    async with parts.database.transaction() as connection:
        job = await parts.jobs.record(connection, "thumbnails", GUEST, photo)
    held = await parts.jobs.claim(job, timedelta(hours=1))
    assert held is not None
    if state != "running":
        async with parts.database.transaction() as connection:
            await parts.jobs.change(connection, held, status=state, holder="")
    await house.accounts.log_in(PERSON, GUEST)
    again = await the_job(parts, "thumbnails")
    assert (again.user_id, again.subject_id, again.attempts) == (account, photo, 1)
    async with parts.database.transaction() as connection:
        assert not await parts.jobs.change(connection, held, status="done"), "the guest's run is over"


async def test_who_is_deleted_before_the_job_leaves_no_picture_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "LATE_UPLOAD", timedelta(0))
    account = (await house.accounts.log_in(PERSON)).user.id
    await furnished(house, GUEST, "guest")
    keys = await with_objects(house, GUEST)
    await house.accounts.log_in(PERSON, GUEST)
    async with house.parts.database.transaction() as connection:
        assert await former_prefixes(connection, account) == [user_prefix(GUEST)]
    await ask_to_erase(house.parts.database, house.parts.jobs, house.parts.revocations, account)
    await erase_person(house.parts, await the_job(house.parts, "erase"), nothing_to_report)
    assert [await house.parts.media.head(key) for key in keys] == [None] * len(keys)
    assert not any((await owners(house.parts.database, GUEST, account)).values())


@pytest.mark.parametrize("what", ["job", "corrected", "forgotten"])
async def test_who_writes_for_the_guest_meanwhile_and_the_join_do_not_wait_for_each_other(
    house: House, what: str
) -> None:
    """Both ask for the person first and for the rows then."""
    database = house.parts.database
    await furnished(house, GUEST, "mark")
    async with database.transaction() as connection:
        await ensure_person(database, connection, STRANGER)
        memory = (await connection.execute(select(Memory.id).where(Memory.user_id == GUEST))).scalar_one()
        job = await house.parts.jobs.record(connection, "thumbnails", GUEST, "a photo")
    held = await house.parts.jobs.claim(job, timedelta(seconds=30))
    assert held is not None

    async def write() -> bool:
        if what == "job":
            return await JobRunner(house.parts, slots=1, lease_seconds=30)._change(held, "running", stage="halfway")
        with pytest.raises(AccountErased):
            async with database.transaction() as connection:
                if what == "corrected":
                    await memories.correct(connection, GUEST, memory, {"fact": "other"})
                else:
                    await memories.forget(connection, GUEST, memory)
        return False

    async with database.transaction() as connection:
        await no_writer_of(connection, GUEST)
        writing = asyncio.create_task(write())
        await asyncio.wait([writing], timeout=0.3)
        assert await join_guest(database, connection, GUEST, STRANGER)
    assert not await writing
    assert GUEST not in (await owners(database, GUEST, STRANGER)).get("memories", set())
