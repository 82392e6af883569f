"""Slides that move: made by the Replicate that stands in for the real one, waited for, fetched, fallen back from."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from silvertalk import videos
from silvertalk.generations import worker_generations
from silvertalk.job_kinds import JobPostponed, WorkParts
from silvertalk.jobs import JobRow, jobs
from silvertalk.models import Video
from silvertalk.standins.replicate import Plan
from silvertalk.story import Story, StorySlide, story_of
from silvertalk.video_clips import NONE, PROMPT, Clips, begun_in
from silvertalk.video_work import make_video
from tests import product
from tests.silvertalk.generating import Stage, stage
from tests.silvertalk.telling import Told, parts_at, told, video_row
from tests.silvertalk.test_video_work import quietly
from tests.valkey import Valkey


@pytest.fixture
async def here(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(valkey.url, tmp_path / "var") as opened, product.node(valkey.url):
        await opened.parts.database.wait_ready()
        yield opened


async def begun(parts: WorkParts, *, photos: int = 2) -> tuple[Told, Video]:
    talk = await told(parts.database, parts.media, user=str(uuid.uuid4()), photos=photos)
    asked = await videos.generate(
        parts.database, parts.jobs, parts.notices, talk.user, talk.session, video_type="ai_animated"
    )
    return talk, asked


async def claimed(parts: WorkParts, job: str) -> JobRow:
    async with parts.database.transaction() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job).values(status="pending"))
    await parts.jobs.wake(job)
    held = await parts.jobs.claim(job, timedelta(seconds=600))
    assert held is not None
    return held


async def waiting(here: Stage, parts: WorkParts, video: Video) -> Story:
    """The job has begun the clips, and waits for them; the story with them."""
    with pytest.raises(JobPostponed):
        await make_video(parts, await claimed(parts, video.job_id), quietly)
    row = await video_row(parts.database, video.id)
    story = story_of(row.story) if row is not None else None
    assert story is not None
    return story


async def test_what_was_made_is_fetched_and_the_rest_stay_photos(here: Stage, tmp_path: Path) -> None:
    parts = here.worker_parts()
    talk, video = await begun(parts)
    here.replicate.plan(Plan(held=True), Plan(ends="failed"))
    story = await waiting(here, parts, video)
    assert len(begun_in(story)) == 2
    assert await waiting(here, parts, video) == story and len(here.replicate.predictions) == 2, (
        "none is asked for twice"
    )
    assert {prediction.input["prompt"] for prediction in here.replicate.predictions.values()} == {PROMPT}
    await here.replicate.go_on(list(here.replicate.predictions)[0])
    await here.all_brought_in()
    held = await claimed(parts, video.job_id)
    async with worker_generations(parts) as generations:
        clips = Clips(parts, held, generations, {})
        assert await clips.unfinished(story) == 0
        files = await clips.fetched(story, tmp_path)
    assert list(files) == [talk.photos[0]]
    assert files[talk.photos[0]].read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize("how", ["cancelled", "deleted", "made anew"])
async def test_clips_that_nobody_wants_any_more_are_stopped_and_deleted(here: Stage, how: str) -> None:
    parts = here.worker_parts()
    talk, video = await begun(parts)
    here.replicate.plan(Plan(held=True), Plan(held=True))
    await waiting(here, parts, video)
    await here.replicate.go_on(list(here.replicate.predictions)[0])
    job = video.job_id
    if how == "deleted":
        await videos.remove(parts.database, parts.media, talk.user, video.id)
    else:
        await videos.cancel(parts.database, parts.jobs, parts.notices, talk.user, video.id)
    if how == "made anew":
        job = (await videos.retry(parts.database, parts.jobs, parts.notices, talk.user, video.id)).job_id
        await videos.cancel(parts.database, parts.jobs, parts.notices, talk.user, video.id)
    assert await make_video(parts, await claimed(parts, job), quietly) == {"status": "unwanted"}
    await here.all_brought_in()
    assert not [key for key in await here.objects(talk.user) if "/photos/" not in key]
    states = [prediction.status for prediction in here.replicate.predictions.values()]
    assert states == ["succeeded", "canceled"]


async def test_without_replicate_or_consent_slides_stay_photos(valkey: Valkey, tmp_path: Path) -> None:
    shut: list[dict[str, Any]] = [{}, {"outside_services": "ask"}]
    for number, more in enumerate(shut):
        async with parts_at(valkey.url, tmp_path / str(number), **more) as parts:
            _, video = await begun(parts, photos=1)
            slides = (StorySlide(photo="p"),)
            kept: list[Story] = []

            async def keep(story: Story, kept: list[Story] = kept) -> None:
                kept.append(story)

            async with worker_generations(parts) as generations:
                held = await claimed(parts, video.job_id)
                clips = Clips(parts, held, generations, {"p": f"u/{held.user_id}/photos/p/shared.jpg"})
                story = await clips.begin(Story(title="t", slides=slides), keep)
            assert [slide.clip for slide in story.slides] == [NONE] and kept == [story] and begun_in(story) == []
