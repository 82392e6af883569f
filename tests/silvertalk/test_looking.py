"""A photo is looked at once, by whoever may see it; otherwise nothing is claimed to be seen. On both databases."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from gpu_node.engines.gemini import GeminiLlm
from silvertalk import calendars
from silvertalk.calendars import EventGiven
from silvertalk.consents import ConsentName, decide
from silvertalk.conversations import photos
from silvertalk.database import Database
from silvertalk.job_kinds import JobPostponed, WorkParts, give_up, work_of
from silvertalk.job_running import JobRunner
from silvertalk.jobs import Jobs, jobs
from silvertalk.looking import ask_to_look
from silvertalk.media.store import open_media
from silvertalk.models import Photo
from silvertalk.notices import Notices
from silvertalk.people import ensure_person
from silvertalk.photos import change, photo_of, shared_key, thumbnail_key
from silvertalk.revocations import Revocations
from silvertalk.seeing import LOOK, seen_of
from silvertalk.settings import Settings
from silvertalk.standins.gemini import GeminiStandIn, Scenario
from silvertalk.standins.serving import served
from streaming.bus import Bus
from tests import product
from tests.silvertalk.api import things
from tests.silvertalk.test_seeing import SAID, SEEN
from tests.valkey import Valkey

USER = str(uuid.uuid4())
SEOUL = ZoneInfo("Asia/Seoul")
LEASE = timedelta(seconds=60)
JPEG = b"\xff\xd8" + bytes(5_000)
ANSWER = Scenario(words=(json.dumps(SAID),))


@dataclass(frozen=True)
class Desk:
    """A worker's parts, and what looks at pictures."""

    parts: WorkParts
    gemini: GeminiStandIn

    @property
    def database(self) -> Database:
        return self.parts.database

    async def agrees(self, **decisions: bool) -> None:
        async with self.database.transaction() as connection:
            await ensure_person(self.database, connection, USER)
            await decide(self.database, connection, USER, cast(dict[ConsentName, bool], decisions))

    async def photo(self, data: bytes = JPEG, **known: Any) -> Photo:
        name = await things.photo(self.database, USER, **known)
        found = await photo_of(self.database, USER, name)
        if found.status == "ready":
            await self.parts.media.put(shared_key(USER, name), data, "image/jpeg")
            await self.parts.media.put(thumbnail_key(USER, name), JPEG, "image/jpeg")
        return found

    async def looks(self, photo: Photo) -> str:
        """Ask for the job and have it done, with all of its tries; how it ended."""
        async with self.database.transaction() as connection:
            job = await ask_to_look(
                self.parts.jobs, connection, photo, operator_answers=self.parts.settings.outside_services_allowed
            )
        if not job:
            return "not asked for"
        runner = JobRunner(self.parts, slots=1, lease_seconds=60, waits_seconds=(0.01,), away_seconds=(0.01, 0.02))
        async with asyncio.timeout(60):
            while (row := await self.parts.jobs.of(USER, job)) is not None and row.status in ("pending", "running"):
                await runner.run(job)
                await asyncio.sleep(0.02)
        assert row is not None
        return row.error_code or str(row.result["source"])

    async def seen(self, photo: Photo) -> Any:
        return seen_of((await photo_of(self.database, USER, photo.id)).analysis)


@pytest.fixture
async def desk(either_database: dict[str, str], valkey: Valkey, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_at(valkey, tmp_path, **either_database) as made:
        yield made


@asynccontextmanager
async def desk_at(valkey: Valkey, folder: Path, **changes: Any) -> AsyncIterator[Desk]:
    """With a node whose LLM is a Gemini of this machine."""
    settings: Settings = product.settings(valkey.url, folder, **{"outside_services": "ask"} | changes)
    gemini = GeminiStandIn()
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(Bus.open([valkey.url], name="worker"))
        database = await stack.enter_async_context(Database.of(settings))
        media = await stack.enter_async_context(open_media(settings))
        await database.wait_ready()
        url = await stack.enter_async_context(served(gemini.app))
        node = await stack.enter_async_context(product.node(valkey.url))
        looker = GeminiLlm("a-key", model="gemini-3.5-flash-lite", base_url=url)
        stack.push_async_callback(looker.aclose)
        node._engines = replace(node._engines, looker=looker)
        parts = WorkParts(
            settings, bus, database, media, Jobs(database), Notices(bus, database), Revocations(bus, database)
        )
        yield Desk(parts, gemini)


async def test_a_photo_is_looked_at_once(desk: Desk) -> None:
    await desk.agrees(outside_services=True)
    photo = await desk.photo()
    desk.gemini.answer_next(ANSWER)
    assert await desk.looks(photo) == "gemini"
    assert await desk.seen(photo) == SEEN
    sent = desk.gemini.exchanges[0].body["contents"][0]["parts"]
    assert sent[1]["text"] == LOOK and sent[0]["inlineData"]["mime_type"] == "image/jpeg"
    assert await desk.looks(await photo_of(desk.database, USER, photo.id)) == "not asked for"
    assert len(desk.gemini.exchanges) == 1


async def test_without_consent_nobody_outside_sees_it_and_with_it_it_is_looked_at_after_all(desk: Desk) -> None:
    await calendars.add(desk.database, USER, EventGiven("민준이 돌잔치", datetime(2019, 5, 1, 12)), SEOUL)
    photo = await desk.photo(taken_at=datetime(2019, 5, 1, 3, tzinfo=UTC))
    assert await desk.looks(photo) == "camera"
    seen = await desk.seen(photo)
    assert (seen.source, seen.season, seen.occasion, seen.people) == ("camera", "봄", "민준이 돌잔치", ())
    assert not desk.gemini.exchanges
    again = await photo_of(desk.database, USER, photo.id)
    assert await desk.looks(again) == "not asked for"
    await desk.agrees(outside_services=True)
    desk.gemini.answer_next(ANSWER)
    assert await desk.looks(again) == "gemini"
    assert await desk.seen(photo) == SEEN


async def test_what_follows_from_a_date_goes_when_the_date_is_corrected(desk: Desk) -> None:
    photo = await desk.photo(taken_at=datetime(2019, 5, 1, 3, tzinfo=UTC))
    await desk.looks(photo)
    corrected = await change(desk.database, USER, photo.id, {"taken_at": datetime(2019, 12, 1, 12)}, "Asia/Seoul")
    assert corrected.analysis is None
    await desk.looks(corrected)
    assert (await desk.seen(photo)).season == "겨울"
    await desk.agrees(outside_services=True)
    desk.gemini.answer_next(ANSWER)
    await desk.looks(await photo_of(desk.database, USER, photo.id))
    changed = await change(desk.database, USER, photo.id, {"location_name": "통영"}, "Asia/Seoul")
    assert seen_of(changed.analysis) == SEEN, "what was seen is still to be seen"


async def test_a_photo_that_only_the_phone_has_is_not_looked_at(desk: Desk) -> None:
    await desk.agrees(outside_services=True)
    photo = await desk.photo(status="known", object_key="", shared_key="", thumbnail_key="", taken_at=None)
    assert await desk.looks(photo) == "camera"
    assert not desk.gemini.exchanges


async def test_a_large_picture_is_looked_at_in_its_small_copy(desk: Desk) -> None:
    await desk.agrees(outside_services=True)
    photo = await desk.photo(b"\xff\xd8" + bytes(2 * 1024 * 1024))
    desk.gemini.answer_next(ANSWER)
    assert await desk.looks(photo) == "gemini"


async def test_a_service_that_stumbles_is_asked_again(desk: Desk) -> None:
    await desk.agrees(outside_services=True)
    photo = await desk.photo()
    desk.gemini.answer_next(Scenario(status=503, message="overloaded"), Scenario(words=("no json",)), ANSWER)
    assert await desk.looks(photo) == "gemini"
    assert len(desk.gemini.exchanges) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Scenario(words=(), finish=None, block="PROHIBITED_CONTENT"),
        Scenario(words=('["', 'list"]')),
        Scenario(words=(" ",)),
    ],
    ids=["blocked", "no object", "nothing"],
)
async def test_where_nothing_comes_of_it_nothing_is_claimed(valkey: Valkey, tmp_path: Path, answer: Scenario) -> None:
    async with desk_at(valkey, tmp_path, outside_services="allowed") as desk:
        photo = await desk.photo()
        desk.gemini.answer_next(*[answer] * 3)
        assert await desk.looks(photo) == "camera"
        assert not (await desk.seen(photo)).was_looked_at


async def test_of_a_picture_that_took_its_place_meanwhile_the_new_one_is_kept(desk: Desk) -> None:
    await desk.agrees(outside_services=True)
    photo = await desk.photo()
    desk.gemini.answer_next(
        replace(ANSWER, before_first_ms=1000), Scenario(words=(json.dumps(SAID | {"place": "산"}),))
    )
    looking = asyncio.create_task(desk.looks(photo))
    await desk.gemini.arrivals.get()
    async with desk.database.transaction() as connection:
        await connection.execute(photos.update().values(object_key=f"u/{USER}/photos/{photo.id}/another.jpg"))
    assert await looking == "gemini"
    assert (await desk.seen(photo)).place == "산"


async def test_where_there_is_no_node_the_job_takes_no_workers_place(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, outside_services="allowed")
    async with (
        Bus.open([valkey.url], name="worker") as bus,
        Database.of(chosen) as database,
        open_media(chosen) as media,
    ):
        await database.wait_ready()
        desk = Desk(
            WorkParts(chosen, bus, database, media, Jobs(database), Notices(bus, database), Revocations(bus, database)),
            GeminiStandIn(),
        )
        photo = await desk.photo()
        async with database.transaction() as connection:
            job = await ask_to_look(desk.parts.jobs, connection, photo, operator_answers=True)
        row = await desk.parts.jobs.claim(job, LEASE)
        assert row is not None
        with pytest.raises(JobPostponed):
            await work_of("look")(desk.parts, row, _report)
        async with database.transaction() as connection:
            await give_up(desk.parts, connection, row)
        assert (await desk.seen(photo)).source == "camera", "what the camera knows is known all the same"


async def test_a_photo_that_is_gone_is_nobodys_business(desk: Desk) -> None:
    photo = await desk.photo()
    async with desk.database.transaction() as connection:
        await connection.execute(photos.update().values(status="deleting"))
        job = await desk.parts.jobs.record(connection, "look", USER, photo.id)
    row = await desk.parts.jobs.claim(job, LEASE)
    assert row is not None
    assert await work_of("look")(desk.parts, row, _report) == {"source": "gone"}
    async with desk.database.transaction() as connection:
        assert (await connection.execute(select(jobs.c.kind))).scalars().all() == ["look"]


async def _report(stage: str, progress: float) -> None:
    assert stage and 0 <= progress <= 1
