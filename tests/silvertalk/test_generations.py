"""Generations where other things go wrong: database or Redis are away, a gateway dies, a person leaves, days pass."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from silvertalk.consents import decide
from silvertalk.erasing import ask_to_erase, erase_person
from silvertalk.errors import NotFound, QuotaReached
from silvertalk.generation_outputs import MAX_PICTURE_BYTES, picture_in
from silvertalk.generation_records import Generation, age_days, new_generation_id, output_prefix
from silvertalk.generation_sweeping import sweep_generations
from silvertalk.generations import worker_generations
from silvertalk.jobs import Jobs
from silvertalk.media.images import SHARED_TYPE
from silvertalk.models import Job
from silvertalk.people import ensure_person
from silvertalk.standins.replicate import Plan
from streaming.bus.forgetting import value_keys
from tests.postgres import Postgres
from tests.silvertalk.generating import Stage, stage
from tests.silvertalk.media.pictures import picture, saved
from tests.tcp_proxy import tcp_proxy
from tests.valkey import Valkey

JPEG = saved(picture(size=(400, 300)), "JPEG")


@pytest.fixture
async def here(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(valkey.url, tmp_path / "var") as opened:
        yield opened


# --- the database is away --------------------------------------------------------------------------------------------


async def test_all_of_it_goes_on_while_the_database_is_away(valkey: Valkey, postgres: Postgres, tmp_path: Path) -> None:
    """Who was just here and had agreed goes on; nobody knows of anybody else."""
    url = await postgres.new_database()
    async with tcp_proxy(f"http://127.0.0.1:{postgres.port}") as proxy:
        through = url.replace(str(postgres.port), proxy.url.rpartition(":")[2])
        async with stage(valkey.url, tmp_path / "var", outside_services="ask", database_url=through) as here:
            database = here.parts.database
            await database.wait_ready()
            me, other = await here.someone(), await here.someone()
            async with database.transaction() as connection:
                for user in (me.user, other.user):
                    await ensure_person(database, connection, user)
                    await decide(database, connection, user, {"outside_services": True})
            assert (await me.image(200, wait=60))["success"] is True
            proxy.refuse()
            made = await me.image(200, wait=60)
            assert made["success"] is True
            film = await me.ask("POST", "/generate/video?wait=60", 200, json={"image_url": made["image_url"]})
            assert film["success"] is True
            assert (await me.status(film["id"]))["status"] == "succeeded"
            here.replicate.plan(Plan(held=True))
            begun = await me.image()
            assert (await me.ask("POST", f"/generate/cancel/{begun['id']}", 200))["status"] == "canceled"
            assert (await other.image(503))["code"] == "database_away"


async def test_who_takes_their_consent_back_is_believed_though_the_database_goes_away_then(
    valkey: Valkey, postgres: Postgres, tmp_path: Path
) -> None:
    url = await postgres.new_database()
    async with tcp_proxy(f"http://127.0.0.1:{postgres.port}") as proxy:
        through = url.replace(str(postgres.port), proxy.url.rpartition(":")[2])
        async with stage(valkey.url, tmp_path / "var", outside_services="ask", database_url=through) as here:
            await here.parts.database.wait_ready()
            me = await here.someone()
            for granted in (True, False):
                await me.ask("PATCH", "/users/me", 200, json={"consents": {"outside_services": granted}})
                if granted:
                    await me.image(200, wait=60)
            proxy.refuse()
            assert (await me.image(503))["code"] == "database_away"
            assert len(here.replicate.predictions) == 1


async def test_consent_taken_back_between_two_steps_ends_it(valkey: Valkey, tmp_path: Path) -> None:
    """The picture is there, and is shown to no second model."""
    async with stage(valkey.url, tmp_path / "var", outside_services="ask") as here:
        await here.parts.database.wait_ready()
        me = await here.someone()
        await me.ask("PATCH", "/users/me", 200, json={"consents": {"outside_services": True}})
        here.replicate.plan(Plan(held=True))
        begun = await me.ask("POST", "/generate/full", 202, json={"image_prompt": "감나무", "video_prompt": "바람"})
        await me.ask("PATCH", "/users/me", 200, json={"consents": {"outside_services": False}})
        await here.replicate.go_on(here.the_prediction())
        ended = await me.status(begun["id"], wait=30)
        assert (ended["status"], ended["error"]) == ("failed", "consent_missing")
        assert len(here.replicate.predictions) == 1


async def test_without_redis_it_says_so(own_valkey: Valkey, tmp_path: Path) -> None:
    async with stage(own_valkey.url, tmp_path / "var") as here:
        me = await here.someone()
        await here.parts.database.wait_ready()
        own_valkey.kill()
        assert (await me.image(503))["code"] == "bus_away"
        assert not here.replicate.predictions


# --- clips of a job --------------------------------------------------------------------------------------------------


async def a_job(here: Stage, user: str) -> str:
    """One that waits for a day."""
    database = here.parts.database
    await database.wait_ready()
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        name = await Jobs(database).record(connection, "video", user, str(uuid.uuid4()))
        table: Any = Job.__table__
        later = datetime.now(UTC) + timedelta(days=1)
        await connection.execute(table.update().where(table.c.id == name).values(due_at=later))
    return name


async def test_a_clip_wakes_the_job_that_waits_for_it(here: Stage) -> None:
    user = str(uuid.uuid4())
    key = f"u/{user}/photos/1/shared.jpg"
    await here.media.put(key, JPEG, SHARED_TYPE)
    job = await a_job(here, user)
    parts = here.worker_parts()
    here.replicate.plan(Plan(held=True))
    async with worker_generations(parts) as generations:
        first = await generations.begin_clip(user, key, "gently", job=job)
        again = await generations.begin_clip(user, key, "gently", job=job)
        assert first == again, "a job that begins anew asks for no second one"
        assert not (await generations.of(user, first)).finished
    assert await parts.jobs.due(10) == []
    async with await parts.notices.feeds.open(user) as feed:
        await here.replicate.go_on(here.the_prediction())
        while (item := await feed.next()) is not None and item.data.get("status") != "succeeded":
            pass
    await here.all_brought_in()
    async with worker_generations(parts) as generations:
        done = await generations.of(user, first)
        assert (done.status, done.keys) == ("succeeded", (f"{output_prefix(user, first)}film.mp4",))
        given = here.replicate.predictions[here.the_prediction()].input
        assert (given["aspect_ratio"], len(here.replicate.predictions)) == ("9:16", 1)
        await generations.discard(user, first)
        assert await here.objects(user) == [key]
        with pytest.raises(NotFound):
            await generations.of(user, first)
    assert await parts.jobs.due(10) == [job]


async def test_a_clip_of_what_is_somebody_elses(here: Stage) -> None:
    user = str(uuid.uuid4())
    async with worker_generations(here.worker_parts()) as generations:
        with pytest.raises(NotFound):
            await generations.begin_clip(user, f"u/{uuid.uuid4()}/photos/1/shared.jpg", "gently", job="j")
    assert not here.replicate.predictions


async def test_a_clip_that_was_claimed_and_never_begun_is_begun(here: Stage) -> None:
    user = str(uuid.uuid4())
    key = f"u/{user}/photos/1/shared.jpg"
    await here.media.put(key, JPEG, SHARED_TYPE)
    dead = Generation(id=new_generation_id(), user=user, kind="clip", prompt="p")
    assert await here.generations.records.claim(dead, f"job\n{key}\ngently") is None
    async with worker_generations(here.worker_parts()) as generations:
        assert await generations.begin_clip(user, key, "gently", job="job") == dead.id
    assert len(here.replicate.predictions) == 1


async def test_clips_have_a_quota_of_their_own(valkey: Valkey, tmp_path: Path) -> None:
    async with stage(valkey.url, tmp_path / "var", clips_per_day=1, films_per_day=0) as here:
        user = str(uuid.uuid4())
        key = f"u/{user}/photos/1/shared.jpg"
        await here.media.put(key, JPEG, SHARED_TYPE)
        async with worker_generations(here.worker_parts()) as generations:
            await generations.begin_clip(user, key, "one", job="j")
            with pytest.raises(QuotaReached):
                await generations.begin_clip(user, key, "two", job="j")
            with pytest.raises(QuotaReached):
                await generations.begin_clip(user, key, "two", job="j")


# --- a process dies --------------------------------------------------------------------------------------------------


async def test_what_a_dead_gateway_had_in_hand_is_brought_in_by_another(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(telling="lost"))
    begun = await me.image()
    await here.replicate.settled()
    records = here.generations.records
    found = await records.of(me.user, begun["id"])
    assert found is not None
    # It had heard the webhook, and took it in hand; then it was killed.
    assert await records.take(found, 300)
    await records.wait_no_more(found)
    assert (await me.status(begun["id"]))["status"] == "starting"
    await records.let_go(found)  # as Redis does by itself, later
    assert (await me.status(begun["id"]))["status"] == "succeeded"


# --- a person leaves -------------------------------------------------------------------------------------------------


async def nothing_to_report(stage: str, progress: float) -> None:
    """Nobody listens."""


async def erased(here: Stage, user: str) -> None:
    parts = here.worker_parts()
    receipt = (await ask_to_erase(parts.database, parts.jobs, parts.revocations, user)).receipt
    unfinished = [job for job in await parts.jobs.unfinished() if job.subject_id == receipt]
    held = await parts.jobs.claim(unfinished[0].id, timedelta(0))
    assert held is not None
    await erase_person(parts, held, nothing_to_report)


async def test_who_leaves_takes_their_generations_along(here: Stage, valkey: Valkey) -> None:
    await here.parts.database.wait_ready()
    me, other = await here.someone(), await here.someone()
    await me.image(200, wait=60, prompt="canary of mine")
    kept = await other.image(200, wait=60)
    here.replicate.plan(Plan(held=True))
    await me.image(prompt="canary of mine")
    running = here.the_prediction()
    await erased(here, me.user)
    assert await here.objects(me.user) == []
    mine = here.generations.records.prefix(me.user)
    assert [key async for key in value_keys(here.parts.bus, mine)] == []
    everything: list[bytes] = [valkey.client.get(key) or b"" for key in valkey.client.scan_iter("silvertalk:value:*")]  # type: ignore[misc]
    assert not [value for value in everything if b"canary of mine" in value]
    # What Replicate still makes of theirs is wanted by nobody.
    await here.replicate.go_on(running)
    await here.replicate.settled()
    assert await here.objects(me.user) == []
    assert await here.parts.bus.notices.top(me.user) == "0-0"
    assert (await other.status(kept["id"]))["status"] == "succeeded"


async def test_who_leaves_while_it_is_brought_in(here: Stage) -> None:
    """Whatever comes first: in the end nothing lies there."""
    await here.parts.database.wait_ready()
    me = await here.someone()
    here.replicate.plan(*[Plan(held=True)] * 4)
    for _ in range(4):
        await me.image()
    running = list(here.replicate.predictions)
    await asyncio.gather(*(here.replicate.go_on(name) for name in running), erased(here, me.user))
    await here.replicate.settled()
    await here.all_brought_in()
    assert await here.objects(me.user) == []
    assert [key async for key in value_keys(here.parts.bus, here.generations.records.prefix(me.user))] == []


async def test_half_of_what_was_made_goes_where_its_person_left_meanwhile(here: Stage) -> None:
    """The first picture lies there, the second could not be fetched just now, and there is nobody to try again for."""
    gone = Generation(id=new_generation_id(), user=str(uuid.uuid4()), kind="image", prompt="p", num_outputs=2)
    await here.media.put(f"{output_prefix(gone.user, gone.id)}0.jpg", JPEG, SHARED_TYPE)
    await here.generations._steps._wait_again(gone)
    assert await here.objects(gone.user) == []


# --- days pass -------------------------------------------------------------------------------------------------------


async def test_what_is_old_is_swept_with_its_record(here: Stage) -> None:
    me = await here.someone()
    kept = await me.image(200, wait=60)
    records = here.generations.records
    found = await records.of(me.user, kept["id"])
    assert found is not None
    then = uuid.UUID(int=uuid.UUID(found.id).int - (31 * 86_400_000 << 80))
    old = msgspec.structs.replace(found, id=str(then), keys=(f"{output_prefix(me.user, str(then))}0.jpg",))
    assert 30.9 < age_days(old.id) < 31.1
    await here.media.put(old.keys[0], JPEG, SHARED_TYPE)
    await records.add(old)
    assert await sweep_generations(here.parts.bus, here.media, here.settings) == 1
    assert await here.objects(me.user) == list(found.keys)
    await me.status(old.id, 404)
    await me.status(kept["id"])
    assert await sweep_generations(here.parts.bus, here.media, here.settings) == 0


def test_ids_say_when() -> None:
    ids = [new_generation_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
    assert all(abs(age_days(one)) < 0.01 for one in ids)


# --- sizes -----------------------------------------------------------------------------------------------------------


async def test_what_is_too_large_is_not_brought_in(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(files=(b"\x89PNG\r\n\x1a\n" + bytes(MAX_PICTURE_BYTES),)))
    assert (await me.image(200, wait=60))["error"] == "output_too_large"


async def test_a_film_that_is_none_is_not_brought_in(here: Stage) -> None:
    me = await here.someone()
    here.replicate.plan(Plan(files=(b"<html>" * 1000,)), Plan(files=(JPEG,)))
    for _ in range(2):
        answer = await me.ask("POST", "/generate/video/upload?wait=60", 200, files={"file": ("a.jpg", JPEG)})
        assert answer["error"] == "output_broken"


def test_what_stands_in_an_address() -> None:
    assert picture_in("data:image/png;base64,AAAA") == bytes(3)
    assert picture_in("https://a.example/") is None
    assert picture_in("data:image/svg+xml;base64,AAAA") is None
