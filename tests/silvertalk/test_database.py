"""The same tests on SQLite and on PostgreSQL."""

import asyncio
import shutil
import signal
import sqlite3
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, func, select, table, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine

from silvertalk.columns import Model, Moment, clean
from silvertalk.database import Database, turn_row
from silvertalk.errors import DatabaseAway, DatabaseRefused
from silvertalk.migrating import migrate, migration_engine, migrations_folder
from silvertalk.models import Habit
from silvertalk.setting_values import database_url
from streaming.messages import Witness
from tests.postgres import Postgres
from tests.silvertalk.records import SESSION, START_MS, USER, record


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}"
    server: Postgres = request.getfixturevalue("postgres")
    return database_url(await server.new_database())


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database(url) as opened:
        await opened.wait_ready()
        yield opened


async def test_a_turn_comes_back_as_it_was_closed(database: Database) -> None:
    assert await database.commit_turn(record())
    (turn,) = await database.turns(SESSION)
    assert (turn.session_id, turn.number, turn.user_id) == (SESSION, 1, USER)
    assert (turn.transcript, turn.reply, turn.heard) == (record().transcript, record().reply, record().heard)
    assert (turn.interrupted, turn.typed, turn.continuation) == (True, False, False)
    assert (turn.merges, turn.distress) == (2, "despair")
    assert (turn.outcome, turn.source, turn.language, turn.speech_ms) == ("answered", "reflective", "ko", 3_000)
    assert turn.timings == {"wait": 700.5}
    assert turn.started_at == datetime.fromtimestamp((START_MS + 10_000) / 1000, UTC)
    assert turn.closed_at.utcoffset() == timedelta(0)


async def test_a_turn_is_one_row_however_often_it_is_written(database: Database) -> None:
    assert await database.commit_turn(record())
    assert not await database.commit_turn(record(reply="a second writer, with other words"))
    (turn,) = await database.turns(SESSION)
    assert turn.reply == record().reply
    session = await database.session(SESSION)
    assert session is not None
    assert session.turn_count == 1


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("gateway", "journal", "second"),
        ("remnant", "journal", "second"),
        ("remnant", "gateway", "second"),
        ("journal", "gateway", "first"),
        ("gateway", "remnant", "first"),
        ("gateway", "gateway", "first"),
        ("journal", "journal", "first"),
    ],
)
async def test_of_two_owners_who_wrote_one_turn_the_surer_is_believed(
    database: Database, first: Witness, second: Witness, kept: str
) -> None:
    assert await database.commit_turn(record(reply="first", witness=first))
    assert not await database.commit_turn(record(reply="second", witness=second))
    (turn,) = await database.turns(SESSION)
    assert turn.reply == kept
    session = await database.session(SESSION)
    assert session is not None and session.turn_count == 1


async def test_writers_at_the_same_time_make_one_row(database: Database) -> None:
    new = await asyncio.gather(*(database.commit_turn(record()) for _ in range(8)))
    assert sorted(new) == [False] * 7 + [True]
    assert await database.count_turns() == 1


async def test_a_session_is_opened_by_its_first_turn_and_counts_them(database: Database) -> None:
    assert await database.session(SESSION) is None
    for number in (2, 1, 3):
        await database.commit_turn(record(number))
    session = await database.session(SESSION)
    assert session is not None
    assert (session.turn_count, session.ended_at, session.user_id, session.language) == (3, None, USER, "ko")
    assert session.started_at == datetime.fromtimestamp((START_MS + 10_000) / 1000, UTC), "the earliest, not the first"
    assert [turn.number for turn in await database.turns(SESSION)] == [1, 2, 3]


async def test_a_session_ends_once(database: Database) -> None:
    now = datetime.now(UTC)
    assert not await database.end_session(SESSION, now), "a session without a turn has no row"
    await database.commit_turn(record())
    assert await database.end_session(SESSION, now)
    assert not await database.end_session(SESSION, now + timedelta(hours=1))
    session = await database.session(SESSION)
    assert session is not None
    assert session.ended_at == now


async def test_nobody_writes_into_the_session_of_another(database: Database) -> None:
    await database.commit_turn(record())
    with pytest.raises(DatabaseRefused):
        await database.commit_turn(record(2, user=str(uuid.uuid4())))
    assert await database.count_turns() == 1
    assert database.ready, "a refused row says nothing about the database"


async def test_recent_turns_are_the_persons_own_newest_oldest_first(database: Database) -> None:
    for number in range(1, 6):
        await database.commit_turn(record(number, session=f"session-{number % 2}"))
    await database.commit_turn(record(9, session="someone-else", user=str(uuid.uuid4())))
    assert [turn.number for turn in await database.recent_turns(USER, 3)] == [3, 4, 5]
    assert await database.recent_turns(str(uuid.uuid4()), 3) == []


@pytest.mark.parametrize(
    ("dirty", "stored"),
    [
        ("NUL\x00이 있어요", "NUL이 있어요"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("a pair \ud83d\udc36 is whole", "a pair 🐶 is whole"),
        ("'; DROP TABLE turns; --", "'; DROP TABLE turns; --"),
        ("%s :name ? $1 {}", "%s :name ? $1 {}"),
        ("", ""),
    ],
)
async def test_what_is_said_costs_no_turn(database: Database, dirty: str, stored: str) -> None:
    await database.commit_turn(record(transcript=dirty, reply=dirty, heard=dirty, timings_ms={dirty: 1.0}))
    (turn,) = await database.turns(SESSION)
    assert turn.transcript == turn.reply == turn.heard == stored
    assert turn.timings == {stored: 1.0}


async def test_impossible_numbers_are_bounded(database: Database) -> None:
    extreme = record(
        started_at_ms=-1,
        closed_at_ms=2**62,
        speech_samples=2**60,
        merges=2**60,
        distress="d" * 33,
        timings_ms={"nan": float("nan"), "inf": float("inf"), "good": 1.5},
    )
    assert await database.commit_turn(extreme)
    (turn,) = await database.turns(SESSION)
    assert turn.started_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert turn.closed_at.year == 9999
    assert (turn.merges, turn.distress) == (2**31 - 1, "d" * 32)
    assert turn.timings == {"good": 1.5}


@pytest.mark.parametrize(
    "changes", [{"session": "s" * 65}, {"user": "u" * 65}, {"turn": -1}, {"turn": 2**31}, {"user": "a\x00b"}]
)
def test_a_record_that_no_try_brings_in_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DatabaseRefused):
        turn_row(record(**changes))


async def test_a_long_utterance_fits(database: Database) -> None:
    await database.commit_turn(record(transcript="가나다라" * 25_000))
    (turn,) = await database.turns(SESSION)
    assert len(turn.transcript) == 100_000


async def test_the_migrations_make_what_the_models_say(database: Database, url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Model.metadata))

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_processes_that_migrate_at_once_agree(url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    script = "import asyncio, sys; from silvertalk.migrating import migrate; asyncio.run(migrate(sys.argv[1]))"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, url, cwd=migrations_folder().parent)
        for _ in range(3)
    ]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    async with Database(url) as opened:
        await opened.wait_ready()
        assert await opened.commit_turn(record())


async def test_migrating_twice_changes_nothing(url: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    await migrate(url)
    await migrate(url)


async def test_what_was_there_before_the_newest_tables_lives_on(url: str, tmp_path: Path) -> None:
    """An older gateway's rows, those included that it writes while newer ones run beside it."""
    (tmp_path / "data").mkdir(exist_ok=True)
    newer = ("merges", "distress", "witness", "photo_id")
    row = {name: value for name, value in turn_row(record()).items() if name not in newer}
    turns = Model.metadata.tables["turns"]
    older_turn = table("turns", *(column(one.name, one.type) for one in turns.c if one.name not in newer))
    sessions = Model.metadata.tables["sessions"]
    engine = migration_engine(url)

    async with engine.begin() as connection:
        await connection.run_sync(migrate_to, "0001")
        values = {name: row[name] for name in ("user_id", "language", "started_at")}
        await connection.execute(sessions.insert().values(id=SESSION, turn_count=1, **values))
        await connection.execute(older_turn.insert().values(row))
    await migrate(url)
    async with engine.begin() as connection:
        await connection.execute(older_turn.insert().values(row | {"number": 2}))
    async with Database(url) as database:
        await database.wait_ready()
        rows = await database.turns(SESSION)
        assert [(turn.number, turn.merges, turn.distress) for turn in rows] == [(1, 0, ""), (2, 0, "")]
        assert rows[0].transcript == record().transcript

    async with engine.begin() as connection:
        await connection.run_sync(migrate_to, "0001")
        count = await connection.execute(select(func.count()).select_from(older_turn))
        assert count.scalar_one() == 2, "back again, and nothing lost"
    await engine.dispose()


def migrate_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    known = MigrationContext.configure(connection).get_current_revision()
    (command.upgrade if known is None else command.downgrade)(config, revision)


# --- habits ----------------------------------------------------------------------------------------------------------


def counted(row: Habit) -> dict[str, Any]:
    return {"pauses": {"version": row.pauses.get("version", 0) + 1}, "speech_rate": 0.9, "loudness": row.loudness}


async def test_habits_come_back_as_they_were_changed(database: Database) -> None:
    assert await database.habits(USER) is None
    started = datetime.now(UTC)
    made = await database.change_habits(USER, counted)
    assert (made.user_id, made.pauses, made.speech_rate, made.loudness) == (USER, {"version": 1}, 0.9, 1.0)
    await database.change_habits(USER, counted)
    row = await database.habits(USER)
    assert row is not None
    assert (row.pauses, row.speech_rate, row.loudness) == ({"version": 2}, 0.9, 1.0)
    assert row.updated_at >= started
    assert await database.habits(str(uuid.uuid4())) is None, "nobody else's"


async def test_changes_at_the_same_time_all_count(database: Database) -> None:
    await asyncio.gather(*(database.change_habits(USER, counted) for _ in range(8)))
    row = await database.habits(USER)
    assert row is not None
    assert row.pauses == {"version": 8}
    assert database.ready


async def test_a_change_that_breaks_writes_nothing(database: Database) -> None:
    def broken(row: Habit) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.change_habits(USER, broken)
    assert await database.habits(USER) is None
    assert database.ready


async def test_habits_are_forgotten_the_persons_own_alone(database: Database) -> None:
    other = str(uuid.uuid4())
    await database.change_habits(USER, counted)
    await database.change_habits(other, counted)
    assert await database.forget_habits(USER)
    assert not await database.forget_habits(USER)
    assert await database.habits(USER) is None
    assert await database.habits(other) is not None


async def test_before_it_is_there_every_call_says_so_at_once(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'never-opened.sqlite3'}")
    assert not database.ready
    for call in (
        database.commit_turn(record()),
        database.turns(SESSION),
        database.recent_turns(USER, 1),
        database.habits(USER),
        database.change_habits(USER, counted),
        database.forget_habits(USER),
    ):
        with pytest.raises(DatabaseAway):
            await call
    await database.close()


# --- SQLite: the file goes and comes back ----------------------------------------------------------------------------


async def test_sqlite_folder_that_cannot_be_made_does_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file stands where the folder should be")
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}") as database:
        with pytest.raises(DatabaseAway):
            await database.commit_turn(record())
        (tmp_path / "data").unlink()
        await database.wait_ready()
        assert await database.commit_turn(record())


async def test_sqlite_file_that_vanished_is_noticed_and_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with Database(f"sqlite+aiosqlite:///{folder / 'silvertalk.sqlite3'}") as database:
        await database.wait_ready()
        await database.commit_turn(record())
        shutil.rmtree(folder)
        with pytest.raises(DatabaseAway):
            await database.commit_turn(record(2))
        await database.wait_ready()
        assert await database.commit_turn(record(2)), "not written into a file that nobody sees"
        assert await database.count_turns() == 1


async def test_sqlite_locked_by_another_is_away_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "silvertalk.sqlite3"
    async with Database(f"sqlite+aiosqlite:///{path}", timeout_seconds=0.5) as database:
        await database.wait_ready()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(DatabaseAway):
                await database.commit_turn(record())
            other.execute("ROLLBACK")
        await database.wait_ready()
        assert await database.commit_turn(record())


async def test_sqlite_keeps_its_promises_over_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "silvertalk.sqlite3"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        await database.wait_ready()
        async with database.transaction() as connection:
            settings = [
                (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
    assert settings == ["wal", 2, 1]


# --- PostgreSQL: the server goes and comes back ----------------------------------------------------------------------


async def test_postgres_away_at_the_start_comes_later(postgres: Postgres) -> None:
    url = database_url(await postgres.new_database())
    postgres.stop("immediate")
    try:
        async with Database(url) as database:
            with pytest.raises(DatabaseAway):
                await database.commit_turn(record())
            postgres.start()
            await database.wait_ready()
            assert await database.commit_turn(record())
    finally:
        if not await reachable(postgres):
            postgres.start()


async def test_postgres_killed_between_two_turns(postgres: Postgres) -> None:
    async with Database(database_url(await postgres.new_database())) as database:
        await database.wait_ready()
        await database.commit_turn(record(1))
        postgres.stop("immediate")
        try:
            with pytest.raises(DatabaseAway):
                await database.commit_turn(record(2))
        finally:
            postgres.start()
        await database.wait_ready()
        assert await database.commit_turn(record(2))
        assert [turn.number for turn in await database.turns(SESSION)] == [1, 2]


async def test_postgres_that_hangs_holds_nobody_longer_than_the_time_out(postgres: Postgres) -> None:
    async with Database(database_url(await postgres.new_database()), timeout_seconds=1.0) as database:
        await database.wait_ready()
        await database.commit_turn(record(1))
        postgres.signal(signal.SIGSTOP)
        try:
            with pytest.raises(DatabaseAway):
                await database.commit_turn(record(2))
        finally:
            postgres.signal(signal.SIGCONT)
        await database.wait_ready()
        await database.commit_turn(record(2))
        assert await database.count_turns() == 2


async def reachable(server: Postgres) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


# --- what one call meets, and the others do not -----------------------------------------------------------------------


async def test_a_time_out_of_the_callers_own_says_nothing_about_the_database(database: Database) -> None:
    with pytest.raises(DatabaseAway):
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1"))
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
    assert database.ready
    with pytest.raises(DatabaseAway):
        async with database.transaction() as connection:
            async with asyncio.timeout(0):
                await connection.execute(text("SELECT 1"))
    assert database.ready


async def test_a_caller_who_waits_for_something_else_too_long_says_nothing_about_the_database(url: str) -> None:
    async with Database(url, timeout_seconds=0.5) as database:
        await database.wait_ready()
        with pytest.raises(DatabaseAway):
            async with database.transaction() as connection:
                await connection.execute(text("SELECT 1"))
                await asyncio.Event().wait()
        assert database.ready


async def test_sqlite_that_somebody_writes_into_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "silvertalk.sqlite3"
    async with Database(f"sqlite+aiosqlite:///{path}", timeout_seconds=0.5) as database:
        await database.wait_ready()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseAway):
                await database.commit_turn(record())
            assert database.ready
            assert await database.count_turns() == 0, "reading goes on"


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
async def test_postgres_that_met_another_call_is_not_lost(postgres: Postgres, state: str) -> None:
    async with Database(database_url(await postgres.new_database())) as database:
        await database.wait_ready()
        with pytest.raises(DatabaseAway):
            async with database.transaction() as connection:
                await connection.execute(text(f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{state}'; END $$"))
        assert database.ready


async def test_postgres_whose_locks_and_connections_are_taken_is_not_lost(postgres: Postgres) -> None:
    async with Database(database_url(await postgres.new_database()), timeout_seconds=1.0, pool_size=2) as database:
        await database.wait_ready()
        taken, go_on = asyncio.Event(), asyncio.Event()

        async def locked() -> None:
            async with database.transaction() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
                taken.set()
                await go_on.wait()

        async def idle() -> None:
            async with database.transaction():
                await go_on.wait()

        holding = asyncio.create_task(locked())
        await taken.wait()
        with pytest.raises(DatabaseAway):
            await locked()
        assert database.ready, "a lock that is not let go"
        await asyncio.gather(holding, return_exceptions=True)
        waiting = [asyncio.create_task(idle()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseAway):
            await database.count_turns()
        assert database.ready, "a pool that is empty"
        go_on.set()
        await asyncio.gather(*waiting, return_exceptions=True)


# --- what was deleted is gone ----------------------------------------------------------------------------------------


async def test_sqlites_log_is_emptied_once_nobody_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "silvertalk.sqlite3"
    async with Database(f"sqlite+aiosqlite:///{path}", timeout_seconds=2.0) as database:
        await database.wait_ready()
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            await database.commit_turn(record(transcript="canary"))
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM turns").fetchone()
            async with database.transaction() as connection:
                await connection.execute(text("DELETE FROM turns"))
            log = tmp_path / "silvertalk.sqlite3-wal"
            assert not await database.wipe()
            assert log.stat().st_size > 0
            assert database.ready
            reader.execute("ROLLBACK")
            assert await database.wipe()
            assert log.stat().st_size == 0
            assert b"canary" not in path.read_bytes()


# --- the types -------------------------------------------------------------------------------------------------------


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Moment().process_bind_param(datetime(2026, 1, 1), sqlite.dialect())


def test_cleaning_leaves_good_text_alone() -> None:
    assert clean("복실이 🐶\n\t안녕") == "복실이 🐶\n\t안녕"
