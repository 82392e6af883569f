import asyncio
import shutil
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from silvertalk.committer import Committer
from silvertalk.database import Database
from silvertalk.setting_values import database_url
from streaming.messages import TurnRecord
from tests.postgres import Postgres
from tests.silvertalk.records import SESSION, USER, record


class Told:
    """What the committer reported, in order."""

    def __init__(self) -> None:
        self.turns: list[tuple[str, int]] = []
        self.one_more = asyncio.Event()

    async def __call__(self, committed: TurnRecord) -> None:
        self.turns.append((committed.session, committed.turn))
        self.one_more.set()

    async def until(self, count: int) -> None:
        while len(self.turns) < count:
            self.one_more.clear()
            await self.one_more.wait()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}"
    async with Database(url, timeout_seconds=1.0) as opened:
        await opened.wait_ready()
        yield opened


async def test_turns_are_told_after_they_are_written_and_in_order(database: Database) -> None:
    seen: list[int] = []

    async def look(committed: TurnRecord) -> None:
        assert committed.turn in [turn.number for turn in await database.turns(committed.session)]
        seen.append(committed.turn)

    async with Committer(database, look) as committer:
        for number in range(1, 21):
            await committer.submit(record(number))
        assert await committer.drain(30) == 0
    assert seen == list(range(1, 21))


async def test_a_turn_that_was_there_already_is_told_all_the_same(database: Database, told: Told) -> None:
    await database.commit_turn(record())
    async with Committer(database, told) as committer:
        await committer.submit(record())
        await committer.drain(30)
    assert told.turns == [(SESSION, 1)]
    assert await database.count_turns() == 1


async def test_while_sqlite_is_locked_nothing_is_told_and_then_everything_once(
    database: Database, told: Told, tmp_path: Path
) -> None:
    async with Committer(database, told) as committer:
        with closing(sqlite3.connect(tmp_path / "data" / "silvertalk.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for number in range(1, 6):
                await committer.submit(record(number))
            assert await committer.drain(1.5) == 5
            assert told.turns == []
            other.execute("ROLLBACK")
        await told.until(5)
    assert told.turns == [(SESSION, number) for number in range(1, 6)]
    assert [turn.number for turn in await database.turns(SESSION)] == [1, 2, 3, 4, 5]


async def test_a_folder_that_goes_and_comes_back(database: Database, told: Told, tmp_path: Path) -> None:
    folder, away = tmp_path / "data", tmp_path / "away"
    async with Committer(database, told) as committer:
        await committer.submit(record(1))
        await told.until(1)
        folder.rename(away)
        folder.write_text("nothing can be made here")
        for number in (2, 3):
            await committer.submit(record(number))
        assert await committer.drain(0.5) == 2
        folder.unlink()
        away.rename(folder)
        await told.until(3)
    assert [turn.number for turn in await database.turns(SESSION)] == [1, 2, 3]


async def test_postgres_killed_and_restarted_under_load_has_every_turn_once(postgres: Postgres, told: Told) -> None:
    sessions = [str(uuid.uuid4()) for _ in range(5)]
    async with Database(database_url(await postgres.new_database()), timeout_seconds=2.0) as database:
        await database.wait_ready()
        async with Committer(database, told) as committer:
            for number in range(1, 31):
                for session in sessions:
                    await committer.submit(record(number, session=session))
            await told.until(20)
            postgres.stop("immediate")
            before = len(told.turns)
            assert await committer.drain(0.5) > 0
            assert len(told.turns) <= before + 1, "at most the one whose answer was on its way"
            postgres.start()
            assert await committer.drain(60) == 0
        assert sorted(told.turns) == sorted((session, number) for session in sessions for number in range(1, 31))
        for session in sessions:
            assert [number for name, number in told.turns if name == session] == list(range(1, 31))
            assert [turn.number for turn in await database.turns(session)] == list(range(1, 31))


async def test_a_row_the_database_will_never_take_holds_nobody_up(database: Database, told: Told) -> None:
    await database.commit_turn(record(1))
    refused: list[int] = []
    async with Committer(database, told, on_refused=lambda record: refused.append(record.turn)) as committer:
        await committer.submit(record(2, user=str(uuid.uuid4())))
        await committer.submit(record(3, session="s" * 65))
        await committer.submit(record(4))
        assert await committer.drain(30) == 0
    assert told.turns == [(SESSION, 4)]
    assert refused == [2, 3]
    assert [turn.user_id for turn in await database.turns(SESSION)] == [USER, USER]


async def test_a_teller_that_fails_holds_nobody_up(database: Database) -> None:
    heard: list[int] = []

    async def fail_first(committed: TurnRecord) -> None:
        if committed.turn == 1:
            raise ConnectionError("the client has gone")
        heard.append(committed.turn)

    async with Committer(database, fail_first) as committer:
        await committer.submit(record(1))
        await committer.submit(record(2))
        assert await committer.drain(30) == 0
    assert heard == [2]
    assert await database.count_turns() == 2


async def test_at_the_limit_a_session_waits_and_goes_on_when_there_is_room(tmp_path: Path, told: Told) -> None:
    (tmp_path / "data").write_text("the database cannot be made yet")
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'x.sqlite3'}") as database:
        async with Committer(database, told, limit=2) as committer:
            for number in (1, 2):
                await committer.submit(record(number))
            assert committer.full
            waiting = asyncio.create_task(committer.submit(record(3)))
            assert await committer.drain(0.2) == 2, "the third is not in"
            assert not waiting.done()
            (tmp_path / "data").unlink()
            await waiting
            await told.until(3)
    assert [number for _, number in told.turns] == [1, 2, 3]


async def test_closing_leaves_what_waits_to_the_journal_and_ends_the_task(tmp_path: Path, told: Told) -> None:
    (tmp_path / "data").write_text("the database cannot be made")
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'x.sqlite3'}") as database:
        async with Committer(database, told) as committer:
            await committer.submit(record())
            assert "committer" in {task.get_name() for task in asyncio.all_tasks()}
        assert committer.backlog == 1
    assert not {"committer", "database-keeper"} & {task.get_name() for task in asyncio.all_tasks()}
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
