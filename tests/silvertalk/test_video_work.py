"""The job "video", with a real node, a real store, a real film: made, stopped, deleted under way, changed under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import soundfile
from sqlalchemy import select, update

from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.gemini import GeminiLlm
from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from silvertalk import conversations, memories, video_voices, video_work, videos
from silvertalk.consents import decide
from silvertalk.database import Database
from silvertalk.erasing import ask_to_erase, erase_person
from silvertalk.errors import AccountErased, JobFailed
from silvertalk.job_kinds import JobPostponed, WorkParts
from silvertalk.job_running import JobRunner
from silvertalk.jobs import JobRow, jobs, moment_of
from silvertalk.models import Video
from silvertalk.narration import write_story
from silvertalk.photos import remove as remove_photo
from silvertalk.photos import shared_key
from silvertalk.scratch import scratch_of
from silvertalk.standins.gemini import GeminiStandIn, answering, rate_limited
from silvertalk.standins.serving import served
from silvertalk.story import Story, story_of
from silvertalk.video_material import material_of
from silvertalk.video_voices import Voices
from silvertalk.video_work import STAGES, give_up_video, make_video
from tests import product
from tests.postgres import Postgres
from tests.silvertalk.telling import ME, SAID, Told, left_of, parts_at, told, video_row
from tests.valkey import Valkey


@pytest.fixture
async def parts(valkey: Valkey, tmp_path: Path) -> AsyncIterator[WorkParts]:
    async with parts_at(valkey.url, tmp_path / "var") as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
async def both(request: pytest.FixtureRequest, valkey: Valkey, tmp_path: Path) -> AsyncIterator[WorkParts]:
    more: dict[str, Any] = {}
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        more["database_url"] = await server.new_database()
    async with parts_at(valkey.url, tmp_path / "var", **more) as opened:
        yield opened


async def asked(parts: WorkParts, talk: Told, **wishes: Any) -> Video:
    return await videos.generate(parts.database, parts.jobs, parts.notices, talk.user, talk.session, **wishes)


async def claimed(parts: WorkParts, job: str) -> JobRow:
    async with parts.database.transaction() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job).values(status="pending"))
    held = await parts.jobs.claim(job, timedelta(seconds=600))
    assert held is not None
    return held


async def quietly(stage: str, progress: float) -> None:
    return


def when(stage: str, then: Callable[[], Awaitable[object]]) -> Callable[[str, float], Awaitable[None]]:
    """A report that does something the first time that a stage is told."""
    done = False

    async def report(told_stage: str, progress: float) -> None:
        nonlocal done
        if told_stage == stage and not done:
            done = True
            await then()

    return report


async def story_in(database: Database, video: str) -> Story:
    row = await video_row(database, video)
    assert row is not None
    story = story_of(row.story)
    assert story is not None
    return story


async def kept(parts: WorkParts, video: str) -> Video:
    row = await video_row(parts.database, video)
    assert row is not None
    return row


def nothing_in_scratch(parts: WorkParts) -> bool:
    root = scratch_of(parts.settings)
    return not root.exists() or not [path for path in root.iterdir() if path.is_dir()]


async def test_a_film_is_made_and_told_of_stage_by_stage(both: WorkParts, valkey: Valkey) -> None:
    parts = both
    talk = await told(parts.database, parts.media, photos=2, said=SAID[1:] * 2)
    video = await asked(parts, talk)
    assert (await asked(parts, talk)).id == video.id, "one that is being made is that one"
    stages: list[str] = []

    async def report(stage: str, progress: float) -> None:
        assert 0 <= progress <= 1
        stages.append(stage)

    async with product.node(valkey.url):
        result = await make_video(parts, await claimed(parts, video.job_id), report)
    row = await kept(parts, video.id)
    assert (row.status, row.title, row.error_code, row.own_voice) == ("completed", "할머니의 추억", "", False)
    assert list(dict.fromkeys(stages)) == [stage for stage in STAGES if stage != "animating"]
    story = await story_in(parts.database, video.id)
    assert story.sentences[0].text == "할머니께서 들려주신 이야기예요."
    assert [said.text for said in story.sentences[1:]] == list(SAID[1:]), "said twice, it is told once"
    assert story.slides[0].sentences[1].turns == (1,)
    film = await parts.media.read(row.object_key, 100_000_000)
    assert film[4:8] == b"ftyp" and row.duration_seconds > 8
    assert (await parts.media.read(row.thumbnail_key, 1_000_000))[:2] == b"\xff\xd8"
    assert await left_of(parts.media, ME) == sorted([row.object_key, row.thumbnail_key])
    assert result["status"] == "completed" and nothing_in_scratch(parts)


async def stopped_by(
    parts: WorkParts, valkey: Valkey, stage: str, then: Callable[[Told, Video], Awaitable[Any]]
) -> Any:
    """What the job comes to where something happens at a stage: its result, or what it raised."""
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    held = await claimed(parts, video.job_id)
    async with product.node(valkey.url, tts=ScriptedTts(rtf=0.4)):
        try:
            return await make_video(parts, held, when(stage, lambda: then(talk, video)))
        except (AccountErased, JobFailed, JobPostponed) as error:
            return error


@pytest.mark.parametrize("stage", ["writing", "speaking", "rendering"])
async def test_a_video_that_is_cancelled_leaves_nothing(parts: WorkParts, valkey: Valkey, stage: str) -> None:
    async def cancel(talk: Told, video: Video) -> None:
        await videos.cancel(parts.database, parts.jobs, parts.notices, talk.user, video.id)

    assert await stopped_by(parts, valkey, stage, cancel) == {"status": "unwanted"}
    assert await left_of(parts.media, ME) == [] and nothing_in_scratch(parts)


@pytest.mark.parametrize("what", ["conversation", "video", "person"])
async def test_what_is_deleted_under_way_leaves_nothing(both: WorkParts, valkey: Valkey, what: str) -> None:
    parts = both
    gone: list[str] = []

    async def delete(talk: Told, video: Video) -> None:
        gone.append(video.id)
        if what == "conversation":
            await conversations.remove(parts.database, parts.media, talk.user, talk.session)
        elif what == "video":
            await videos.remove(parts.database, parts.media, talk.user, video.id)
        else:
            await ask_to_erase(parts.database, parts.jobs, parts.revocations, talk.user)

    ended = await stopped_by(parts, valkey, "speaking", delete)
    assert ended == {"status": "unwanted"} or isinstance(ended, AccountErased)
    assert await left_of(parts.media, ME) == [] and nothing_in_scratch(parts)
    if what != "person":
        assert await video_row(parts.database, gone[0]) is None


async def test_a_deletion_waits_for_a_video_in_hand(parts: WorkParts) -> None:
    """A worker may put the film after the deletion has looked, and be killed before it learns of it."""
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    await claimed(parts, video.job_id)
    await ask_to_erase(parts.database, parts.jobs, parts.revocations, ME)
    async with parts.database.transaction() as connection:
        erasure = (await connection.execute(select(jobs.c.id).where(jobs.c.kind == "erase"))).scalar_one()
    held = await claimed(parts, erasure)
    with pytest.raises(JobPostponed):
        await erase_person(parts, held, quietly)


async def test_the_words_stay_as_they_were_written_when_the_job_begins_anew(parts: WorkParts, valkey: Valkey) -> None:
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    held = await claimed(parts, video.job_id)

    class Gone(Exception):
        pass

    async def killed() -> None:
        raise Gone

    async with product.node(valkey.url):
        with pytest.raises(Gone):
            await make_video(parts, held, when("speaking", killed))
        first = await story_in(parts.database, video.id)
        # The second turn is forgotten in between: its sentence goes, and nothing else is told in its place.
        async with parts.database.transaction() as connection:
            forgotten = update(conversations.turns).where(conversations.turns.c.number == 2)
            await connection.execute(forgotten.values(forgotten=True))
        with pytest.raises(Gone):
            await make_video(parts, held, when("rendering", killed))
    assert (await kept(parts, video.id)).status == "processing"
    assert {turn for said in first.sentences for turn in said.turns} == {1, 2}
    assert await story_in(parts.database, video.id) == first, (
        "kept as written; what may not be told is left out each time"
    )
    assert nothing_in_scratch(parts)


async def test_what_was_said_in_distress_or_is_forgotten_is_in_no_material(parts: WorkParts) -> None:
    talk = await told(parts.database, parts.media, said=(*SAID, "정말 죽고 싶다는 생각만 들어요.", "빚을 많이 졌어요."))
    async with parts.database.transaction() as connection:
        those = update(conversations.turns).where(conversations.turns.c.session_id == talk.session)
        await connection.execute(those.where(conversations.turns.c.number == 3).values(distress="despair"))
        await connection.execute(those.where(conversations.turns.c.number == 4).values(forgotten=True))
    video = await asked(parts, talk)
    async with parts.database.transaction() as connection:
        material = await material_of(connection, parts.settings, video)
    assert [one.text for one in material.talk.told] == list(SAID)
    assert set(material.pictures.values()) == {shared_key(ME, talk.photos[0])}, "the shared pictures, no original"


async def test_the_own_voice_is_heard_where_it_was_kept_and_no_longer(parts: WorkParts, valkey: Valkey) -> None:
    talk = await told(parts.database, parts.media, recorded=(1, 2))
    video = await asked(parts, talk)
    folder = parts.settings.data_dir

    async def heard() -> list[Any]:
        async with parts.database.transaction() as connection:
            material = await material_of(connection, parts.settings, video)
        story = await write_story(material.talk, None)
        voices = Voices(parts, story, material.voices, "warm_female", folder)
        async with product.node(valkey.url):
            return [spoken async for spoken in voices.spoken()]

    spoken = await heard()
    assert [one.text for one in spoken if one.own_voice] == list(SAID)
    assert all(one.sound is not None for one in spoken)
    length = soundfile.info(str(next(one.sound for one in spoken if one.own_voice))).duration
    assert 1.5 <= length < 2.2, "the silence around it is gone"
    await parts.media.put(f"{conversations.voice_prefix(ME, talk.session)}1.flac", b"no recording at all", "audio/flac")
    spoken = await heard()
    assert [one.own_voice for one in spoken if SAID[0] in one.text] == [False], "the narrator reads it"
    assert all(one.sound is not None for one in spoken)
    async with parts.database.transaction() as connection:
        await decide(parts.database, connection, ME, {"keep_voice": False})
    assert not any(one.own_voice for one in await heard())


async def test_without_a_node_it_waits_and_takes_no_workers_place(
    parts: WorkParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_voices, "SPEAK_SECONDS", 0.3)
    monkeypatch.setattr(video_work, "ASK_SECONDS", 0.3)
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    with pytest.raises(JobPostponed):
        await make_video(parts, await claimed(parts, video.job_id), quietly)
    assert (await kept(parts, video.id)).status == "processing" and nothing_in_scratch(parts)


WRITTEN = {
    "sentences": [
        {"slide": 1, "turns": [1], "text": "통영 바닷가에서 민준이랑 조개를 캤지요."},
        {"slide": 1, "turns": [2], "text": "어머니가 싸 주신 김밥이 참 맛있었어요."},
    ]
}


async def test_a_model_that_is_asked_too_often_is_waited_for(parts: WorkParts, valkey: Valkey) -> None:
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)

    held = await claimed(parts, video.job_id)

    class Written(Exception):
        pass

    async def written() -> None:
        raise Written

    gemini = GeminiStandIn()
    async with served(gemini.app) as url:
        kind = ScriptedLlm(name="reflective")
        chain = FallbackChain([GeminiLlm("a-key", model="gemini-3.5-flash", base_url=url), kind])
        async with product.node(valkey.url, llm=chain):
            gemini.answer_next(rate_limited("2s"))
            with pytest.raises(JobPostponed) as postponed:
                await make_video(parts, held, quietly)
            assert 0 < postponed.value.seconds <= 2
            assert (await kept(parts, video.id)).story is None
            await asyncio.sleep(postponed.value.seconds)
            gemini.answer_next(answering(WRITTEN))
            with pytest.raises(Written):
                await make_video(parts, held, when("speaking", written))
        await chain.aclose()
    assert (await story_in(parts.database, video.id)).source == "gemini"


@pytest.mark.parametrize(("delay", "waited"), [("601s", timedelta()), ("30s", video_work.WORDS_AWAITED)])
async def test_a_film_waits_for_a_models_words_no_longer_than_that(
    parts: WorkParts, valkey: Valkey, delay: str, waited: timedelta
) -> None:
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    async with parts.database.transaction() as connection:
        begun = (await moment_of(connection)) - waited
        await connection.execute(update(jobs).where(jobs.c.id == video.job_id).values(created_at=begun))
    gemini = GeminiStandIn()
    async with served(gemini.app) as url:
        chain = FallbackChain([GeminiLlm("a-key", model="gemini-3.5-flash", base_url=url)])
        async with product.node(valkey.url, llm=chain):
            gemini.answer_next(rate_limited(delay))
            result = await make_video(parts, await claimed(parts, video.job_id), quietly)
        await chain.aclose()
    assert (result["status"], result["source"]) == ("completed", "words")


async def test_what_can_never_be_made_fails_with_its_reason_and_may_be_tried_again(parts: WorkParts) -> None:
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    await remove_photo(parts.database, parts.media, ME, talk.photos[0])
    runner = JobRunner(parts, slots=1, lease_seconds=30)
    await runner.run(video.job_id)
    row = await kept(parts, video.id)
    assert (row.status, row.error_code) == ("failed", "nothing_to_show")
    again = await videos.retry(parts.database, parts.jobs, parts.notices, ME, video.id)
    assert (again.status, again.error_code, again.story) == ("pending", "", None) and again.job_id != video.job_id
    await give_up_video_of(parts, video)
    assert (await kept(parts, video.id)).status == "pending", "what an older job does changes nothing"


async def give_up_video_of(parts: WorkParts, video: Video) -> None:
    old = await parts.jobs.of(ME, video.job_id)
    assert old is not None
    async with parts.database.transaction() as connection:
        await give_up_video(parts, connection, old)


async def test_a_job_that_waits_is_woken(parts: WorkParts) -> None:
    talk = await told(parts.database, parts.media)
    video = await asked(parts, talk)
    async with parts.database.transaction() as connection:
        later = update(jobs).where(jobs.c.id == video.job_id)
        await connection.execute(later.values(due_at=(await moment_of(connection)) + timedelta(hours=1)))
    assert await parts.jobs.claim(video.job_id, timedelta(seconds=5)) is None
    assert await parts.jobs.wake(video.job_id)
    held = await parts.jobs.claim(video.job_id, timedelta(seconds=5))
    assert held is not None
    assert not await parts.jobs.wake(video.job_id), "it is in hand"


async def test_a_photo_deleted_at_the_last_moment_is_in_no_film(parts: WorkParts, valkey: Valkey) -> None:
    async def delete(talk: Told, video: Video) -> None:
        await remove_photo(parts.database, parts.media, talk.user, talk.photos[0])

    ended = await stopped_by(parts, valkey, "storing", delete)
    assert isinstance(ended, JobPostponed)
    async with parts.database.transaction() as connection:
        row = (await connection.execute(select(videos.videos))).one()
    assert (row.status, row.story, row.object_key) == ("processing", None, "")


async def test_what_is_to_be_forgotten_at_the_last_moment_is_in_no_film(both: WorkParts, valkey: Valkey) -> None:
    parts = both

    async def forget(talk: Told, video: Video) -> None:
        async with parts.database.transaction() as connection:
            await memories.forget_about(connection, talk.user, turns=[(talk.session, 1)])

    ended = await stopped_by(parts, valkey, "storing", forget)
    assert isinstance(ended, JobPostponed)
    async with parts.database.transaction() as connection:
        row = (await connection.execute(select(videos.videos))).one()
    assert (row.status, row.story, row.object_key) == ("processing", None, "")
