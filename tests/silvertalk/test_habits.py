"""Habits over a real database, which is there, away, or comes back with something else in it."""

import asyncio
import math
import shutil
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from silvertalk.database import Database
from silvertalk.habits import (
    LOUDNESSES,
    SPEECH_RATES,
    Changes,
    HabitKeeper,
    Habits,
    applying,
    habits_of,
    today,
)
from silvertalk.models import Habit
from silvertalk.pause_profile import MAX_UNKEPT, Observation
from tests.silvertalk.records import USER

DAY = 20_000
SECONDS = 5.0
"""For a database that is there."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def database(folder: Path) -> AsyncIterator[Database]:
    async with Database(url_in(folder), timeout_seconds=2.0) as opened:
        await opened.wait_ready()
        yield opened


@pytest.fixture
async def keeper(database: Database) -> AsyncIterator[HabitKeeper]:
    async with HabitKeeper(database, day=lambda: DAY) as opened:
        yield opened


def url_in(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder / 'silvertalk.sqlite3'}"


async def kept(database: Database, user: str = USER) -> Habits:
    return habits_of(await database.habits(user), DAY)


async def written(keeper: HabitKeeper) -> None:
    """Wait until nothing waits."""
    async with keeper._written:
        await keeper._written.wait_for(lambda: keeper.backlog == 0)


# --- in hand ---------------------------------------------------------------------------------------------------------


def test_each_step_is_taken_until_there_is_none_left() -> None:
    habits = Habits()
    rates, loudnesses = [habits.speech_rate], [habits.loudness]
    while habits.slower():
        rates.append(habits.speech_rate)
    while habits.louder():
        loudnesses.append(habits.loudness)
    assert rates == [1.0, 0.9, 0.8, 0.7]
    assert tuple(loudnesses) == LOUDNESSES
    while habits.faster():
        rates.append(habits.speech_rate)
    while habits.softer():
        pass
    assert tuple(rates[3:]) == SPEECH_RATES
    assert habits.loudness == 1.0
    assert not habits.softer()


def test_a_step_from_between_two_leads_to_the_next() -> None:
    habits = Habits(speech_rate=0.85, loudness=1.9)
    assert (habits.slower(), habits.speech_rate) == (True, 0.8)
    assert (habits.louder(), habits.loudness) == (True, 2.0)


@pytest.mark.parametrize(
    ("asked", "rate", "loudness"),
    [(0, 0.7, 1.0), (-1, 0.7, 1.0), (99, 1.15, 2.5), (math.inf, 1.15, 2.5), (-math.inf, 0.7, 1.0), (math.nan, 1, 1)],
)
def test_both_keep_within_their_range(asked: float, rate: float, loudness: float) -> None:
    habits = Habits(speech_rate=asked, loudness=asked)
    assert (habits.speech_rate, habits.loudness) == (rate, loudness)


def test_changed_says_whether_there_is_anything_to_keep() -> None:
    habits = Habits(speech_rate=0.9)
    assert not habits.changed
    habits.slower()
    assert habits.changed
    habits.faster()
    assert not habits.changed, "as it was"
    habits.profile.inner_pause(9_000)
    assert not habits.changed, "an absence teaches nothing"
    habits.profile.patience = 2
    habits.profile.turn_ended()
    assert habits.take_changes() == Changes((Observation("turn_ended"),), patience=2)
    assert not habits.changed


def test_changes_add_up() -> None:
    pause, end = Observation("inner_pause", 500), Observation("turn_ended")
    first = Changes((pause,), patience=2, loudness=1.3)
    assert first.then(Changes((end,), patience=1, speech_rate=0.9)) == Changes((pause, end), 1, 0.9, 1.3)
    assert not Changes()
    assert len(Changes((pause,) * MAX_UNKEPT).then(first).observations) == MAX_UNKEPT


@pytest.mark.parametrize("pauses", [{}, {"version": 99}, [], "text", None, {"version": 1, "today": "?"}])
@pytest.mark.parametrize("number", [0.0, 1e9, -1e9])
def test_a_row_that_makes_no_sense_is_read_as_far_as_it_does(pauses: object, number: float) -> None:
    habits = habits_of(Habit(user_id=USER, pauses=pauses, speech_rate=number, loudness=number), DAY)
    assert habits.profile.observed == 0
    assert 0.7 <= habits.speech_rate <= 1.15
    assert 1.0 <= habits.loudness <= 2.5


# --- kept ------------------------------------------------------------------------------------------------------------


async def test_a_conversation_begins_where_the_last_one_ended(keeper: HabitKeeper) -> None:
    first = await keeper.load(USER, SECONDS)
    assert (first.profile.observed, first.speech_rate, first.loudness) == (0, 1.0, 1.0)
    for _ in range(20):
        first.profile.inner_pause(1200)
    first.profile.patience = 1.5
    first.slower()
    first.louder()
    keeper.save(USER, first)
    assert not first.changed
    second = await keeper.load(USER, SECONDS)
    assert (second.profile.patience, second.speech_rate, second.loudness) == (1.5, 0.9, 1.3)
    assert second.profile.pauses() == first.profile.pauses()
    assert not second.changed
    stranger = await keeper.load(str(uuid.uuid4()), SECONDS)
    assert (stranger.profile.observed, stranger.speech_rate) == (0, 1.0)


async def test_only_what_changed_is_written(keeper: HabitKeeper, database: Database) -> None:
    """What the person sets or has forgotten meanwhile is not undone by the conversation that goes on."""
    habits = await keeper.load(USER, SECONDS)
    habits.profile.inner_pause(1200)
    keeper.save(USER, habits)
    await written(keeper)
    await database.change_habits(USER, applying(Changes(patience=2.0, loudness=1.6), DAY))
    habits.slower()
    keeper.save(USER, habits)
    await written(keeper)
    now = await kept(database)
    assert (now.profile.patience, now.speech_rate, now.loudness) == (2.0, 0.9, 1.6)
    assert now.profile.observed == pytest.approx(1)

    await database.forget_habits(USER)
    habits.profile.inner_pause(800)
    keeper.save(USER, habits)
    await written(keeper)
    now = await kept(database)
    assert now.profile.observed == pytest.approx(1)
    assert (now.profile.patience, now.speech_rate) == (1.0, 1.0)


async def test_nothing_is_written_where_nothing_changed(keeper: HabitKeeper, database: Database) -> None:
    keeper.save(USER, await keeper.load(USER, SECONDS))
    assert keeper.backlog == 0
    assert await database.habits(USER) is None


async def test_days_pass_between_conversations(database: Database) -> None:
    days = iter([DAY, DAY, DAY + 60])
    async with HabitKeeper(database, day=lambda: next(days)) as keeper:
        habits = await keeper.load(USER, SECONDS)
        for _ in range(40):
            habits.profile.inner_pause(1200)
        keeper.save(USER, habits)
        await written(keeper)
        later = await keeper.load(USER, SECONDS)
    assert later.profile.observed == pytest.approx(10, abs=0.1), "two half-lives"


async def test_leaving_writes_what_waits(database: Database) -> None:
    people = [f"person-{number}" for number in range(10)]
    async with HabitKeeper(database, close_seconds=60) as keeper:
        for user in people:
            habits = Habits()
            habits.slower()
            keeper.save(user, habits)
        assert keeper.backlog == len(people)
    assert [(await kept(database, user)).speech_rate for user in people] == [0.9] * len(people)
    assert "habit-keeper" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_saves_join_while_they_wait(keeper: HabitKeeper, database: Database) -> None:
    habits = Habits()
    for _ in range(30):
        habits.profile.inner_pause(700)
        habits.slower()
        keeper.save(USER, habits)
    assert keeper.backlog == 1
    await written(keeper)
    now = await kept(database)
    assert now.profile.observed == pytest.approx(30)
    assert now.speech_rate == 0.7


def test_a_day_is_a_day_of_the_world() -> None:
    assert today() == int(time.time()) // 86_400


# --- the database is away --------------------------------------------------------------------------------------------


async def test_without_a_database_a_conversation_has_everybodys_habits(folder: Path) -> None:
    async with HabitKeeper(Database(url_in(folder))) as keeper:
        habits = await keeper.load(USER, 0.05)
        assert (habits.profile.observed, habits.speech_rate) == (0, 1.0)


async def test_a_database_that_is_just_coming_is_waited_for(database: Database, folder: Path) -> None:
    await database.change_habits(USER, applying(Changes(loudness=1.6), DAY))
    coming = Database(url_in(folder))
    async with HabitKeeper(coming) as keeper:
        loading = asyncio.create_task(keeper.load(USER, SECONDS), name="load")
        await asyncio.sleep(0)
        async with coming:
            assert (await loading).loudness == 1.6


async def test_a_database_that_does_not_answer_keeps_nobody_waiting(database: Database, folder: Path) -> None:
    async with HabitKeeper(database, close_seconds=0.05) as keeper:
        with closing(sqlite3.connect(folder / "silvertalk.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            habits = await keeper.load(USER, SECONDS)
            habits.slower()
            keeper.save(USER, habits)
            again = await keeper.load(USER, 0.05)  # behind the write that waits for the lock
            assert again.speech_rate == 0.9, "asked for a moment ago"
            other.execute("ROLLBACK")


async def test_what_was_learned_without_a_database_is_added_to_what_it_had(database: Database, folder: Path) -> None:
    for _ in range(30):
        await database.change_habits(USER, applying(Changes((Observation("inner_pause", 1200),), loudness=1.6), DAY))
    away = Database(url_in(folder))
    async with HabitKeeper(away, day=lambda: DAY) as keeper:
        habits = await keeper.load(USER, 0.05)
        assert habits.loudness == 1.0, "nobody could know"
        for _ in range(5):
            habits.profile.inner_pause(1300)
        habits.slower()
        keeper.save(USER, habits)
        assert (await keeper.load(USER, 0.05)).speech_rate == 0.9, "not known to be written, but known here"
        async with away:
            await written(keeper)
    now = await kept(database)
    assert (now.speech_rate, now.loudness) == (0.9, 1.6)
    assert now.profile.observed == pytest.approx(35)


async def test_what_is_saved_while_the_database_is_lost_waits_for_it(
    keeper: HabitKeeper, database: Database, folder: Path
) -> None:
    shutil.rmtree(folder)
    habits = Habits()
    habits.slower()
    keeper.save(USER, habits)
    habits.slower()
    keeper.save(USER, habits)
    await written(keeper)
    assert (await kept(database)).speech_rate == 0.8


async def test_what_waits_too_long_is_lost_the_oldest_first(folder: Path) -> None:
    away = Database(url_in(folder))
    async with HabitKeeper(away, limit=3) as keeper:
        for number in range(5):
            habits = Habits()
            habits.slower()
            keeper.save(f"person-{number}", habits)
        async with away:
            await written(keeper)
            rates = [(await kept(away, f"person-{number}")).speech_rate for number in range(5)]
    assert rates == [1.0, 1.0, 0.9, 0.9, 0.9]


async def test_one_row_that_breaks_costs_only_itself(keeper: HabitKeeper, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text("INSERT INTO habits VALUES (:user, '{broken', 1.0, 1.0, '2026-01-01 00:00:00')"), {"user": USER}
        )
    broken = await keeper.load(USER, SECONDS)
    assert (broken.profile.observed, broken.speech_rate) == (0, 1.0)
    other = Habits()
    for user, habits in ((USER, broken), ("other", other)):
        habits.slower()
        keeper.save(user, habits)
    await written(keeper)
    assert (await kept(database, "other")).speech_rate == 0.9
    assert database.ready
