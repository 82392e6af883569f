"""A guest's things become an account's: every table, every object, on both databases and a real store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import Table, delete, select, update

from silvertalk.accounts import Accounts, KakaoPerson
from silvertalk.adopting import KEYS, adopt_objects, former_prefixes
from silvertalk.columns import Model, new_id
from silvertalk.database import Database
from silvertalk.erasing import ask_to_erase, erase_person
from silvertalk.job_kinds import WorkParts, work_of
from silvertalk.jobs import JobRow, Jobs
from silvertalk.joining import MOVED, UNIQUE
from silvertalk.logins import Logins
from silvertalk.media.store import open_media, user_prefix
from silvertalk.models import Job, Login, Photo, User
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings, database_url
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


async def the_job(parts: WorkParts, kind: str) -> JobRow:
    async with parts.database.transaction() as connection:
        found = (await connection.execute(select(Job.id).where(Job.kind == kind, Job.status == "pending"))).scalar_one()
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
    assert await adopt_objects(house.parts, job, nothing_to_report) == {"objects": len(keys)}
    moved = [key.replace(GUEST, account) for key in keys]
    assert [await house.parts.media.head(key) for key in keys] == [None] * len(keys)
    for number, key in enumerate(moved):
        assert await house.parts.media.read(key, 100) == f"canary {number}".encode()
    assert await photo_key(house, account) in moved
    async with house.parts.database.transaction() as connection:
        assert await former_prefixes(connection, account) == []
    assert await adopt_objects(house.parts, job, nothing_to_report) == {"objects": 0}
    assert await house.parts.media.read(moved[0], 100) == b"canary 0"


async def test_a_guest_without_pictures_makes_no_job(house: House) -> None:
    await house.accounts.log_in(PERSON)
    await house.accounts.log_in(PERSON, new_id())
    async with house.parts.database.transaction() as connection:
        assert (await connection.execute(select(Job.id).where(Job.kind == "adopt"))).all() == []


async def test_who_is_deleted_before_the_job_leaves_no_picture_behind(house: House) -> None:
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
