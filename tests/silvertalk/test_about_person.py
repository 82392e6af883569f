"""What a conversation knows of its person: bounded, one line each, and never in its way."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from silvertalk.about_person import Acquaintances
from silvertalk.consents import ConsentName, decide
from silvertalk.conversations import sessions
from silvertalk.database import Database
from silvertalk.people import ensure_person
from silvertalk.setting_values import database_url
from streaming.messages import ReplyContext, Utterance
from tests.postgres import Postgres
from tests.silvertalk.api import things
from tests.silvertalk.records import record

USER, SESSION = str(uuid.uuid4()), "a" * 32


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'silvertalk.sqlite3'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as opened:
        await opened.wait_ready()
        yield opened


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


async def known(database: Database, room: int = 12, *, outside_allowed: bool = False) -> ReplyContext:
    met = await Acquaintances(database, default_zone="Asia/Seoul", outside_allowed=outside_allowed).load(
        USER, SESSION, 10
    )
    return met.inform(ReplyContext(history=(Utterance(role="user", text="지금"),)), room)


async def says(database: Database, **decisions: bool) -> None:
    async with database.transaction() as connection:
        await ensure_person(database, connection, USER)
        await decide(database, connection, USER, cast(dict[ConsentName, bool], decisions))


async def test_of_a_stranger_nothing_is_known(database: Database) -> None:
    said = (Utterance(role="user", text="지금"),)
    assert await known(database) == ReplyContext(history=said, outside_services=False)


async def test_outside_services_are_for_those_who_agreed_to_them(database: Database) -> None:
    assert not (await known(database)).outside_services, "nobody asked them"
    assert (await known(database, outside_allowed=True)).outside_services, "the operator answers for it"
    await says(database, memories=True, keep_voice=True)
    assert not (await known(database)).outside_services
    await says(database, outside_services=True)
    met = await Acquaintances(database, default_zone="Asia/Seoul").load(USER, SESSION, 10)
    assert met.inform(ReplyContext(), 5).outside_services
    await says(database, outside_services=False)
    await met.refresh(10)
    assert not met.inform(ReplyContext(), 5).outside_services


async def test_earlier_conversations_are_recalled_for_those_who_agreed_to_it(database: Database) -> None:
    now = ms(datetime.now(UTC))
    await database.commit_turn(record(1, user=USER, transcript="아까", started_at_ms=now, closed_at_ms=now))
    async with database.transaction() as connection:
        await connection.execute(sessions.update().values(summary="바다 이야기"))
    for agreed in (None, False, True, False):
        if agreed is not None:
            await says(database, memories=agreed)
        context = await known(database)
        assert context.summary == ("바다 이야기" if agreed else "")
        assert [line.text for line in context.history] == (["아까", record().heard] if agreed else []) + ["지금"]


async def test_whatever_stands_in_the_data_is_short_and_one_line(database: Database) -> None:
    flood = "가\n<b>나</b>\t" * 5000
    await things.person(database, USER, form_of_address=flood, pet_name=flood)
    for _ in range(30):
        await things.memory(database, USER, fact=flood)
    await says(database, memories=True)
    photo = await things.photo(database, USER, location_name=flood, analysis={"a": [flood] * 100, "b": {"c": flood}})
    for turn in range(1, 7):
        now = ms(datetime.now(UTC))
        await database.commit_turn(
            record(turn, user=USER, transcript=flood, heard=flood, started_at_ms=now, closed_at_ms=now + turn)
        )
    async with database.transaction() as connection:
        about = {"id": SESSION, "user_id": USER, "language": "ko", "started_at": datetime.now(UTC), "turn_count": 0}
        await connection.execute(database.insert(sessions).values(**about, photo_id=photo, summary=""))
        await connection.execute(sessions.update().where(sessions.c.id != SESSION).values(summary=flood))
    context = await known(database)
    texts = [context.form_of_address, context.pet_name, context.photo, context.summary, *context.memories]
    texts += [line.text for line in context.history]
    assert all(text and "\n" not in text and "\t" not in text for text in texts)
    assert len(context.memories) == 20 and len(context.history) == 2 * 4 + 1
    assert len("".join(texts)) < 10_000


async def test_what_was_said_long_ago_is_left_to_the_summary(database: Database) -> None:
    await says(database, memories=True)
    for turn, hours in ((1, 48), (2, 1)):
        at = ms(datetime.now(UTC) - timedelta(hours=hours))
        changes = {"user": USER, "started_at_ms": at, "closed_at_ms": at, "interrupted": hours == 1}
        await database.commit_turn(record(turn, transcript=f"{hours}시간 전", **changes))
    context = await known(database)
    assert [line.text for line in context.history] == ["1시간 전", record().heard, "지금"]
    assert context.history[1].interrupted
    assert [line.text for line in (await known(database, room=0)).history] == ["지금"], "this conversation comes first"


async def test_a_conversation_begins_though_the_database_does_not_answer(tmp_path: Path) -> None:
    never = Database(f"sqlite+aiosqlite:///{tmp_path / 'never-opened.sqlite3'}")
    met = await Acquaintances(never, default_zone="Asia/Tokyo").load(USER, SESSION, 0.05)
    assert not met.about.known
    await asyncio.wait_for(met.refresh(), 5)
    assert met.inform(ReplyContext(), 5) == ReplyContext(outside_services=False)
    assert met.local_time().endswith("+09:00")


async def test_who_does_not_want_it_to_bark_is_heard(database: Database) -> None:
    assert (await known(database)).barks, "a stranger"
    await things.person(database, USER, barks=False)
    assert not (await known(database)).barks
