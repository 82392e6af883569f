"""`/videos`: asking for one, watching it, trying again, stopping it; `finish?create_video=true`. On both databases."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from silvertalk.conversations import sessions
from silvertalk.jobs import jobs
from silvertalk.models import Outgoing
from silvertalk.narration import introduction
from silvertalk.story import Sentence, Story, StorySlide
from silvertalk.videos import MAX_UNDER_WAY, videos
from tests.silvertalk.api import things
from tests.silvertalk.api.someone import Someone, arrive, database, me, other
from tests.silvertalk.records import record

__all__ = ["arrive", "database", "me", "other"]

STORY = Story(
    source="gemini",
    title="할머니의 추억",
    subtitle="1987년, 통영에서",
    slides=(
        StorySlide(
            photo="p",
            sentences=(
                Sentence(text=introduction("ko", "할머니")),
                Sentence(text="조개를 캤지요.", turns=(1,), quoted=True),
            ),
        ),
    ),
)


async def conversation(me: Someone, *, photo: str | None = "ready", finished: bool = True) -> str:
    """One that was talked, about a photo in this state; its id."""
    about = await things.photo(me.database, me.user, status=photo) if photo is not None else None
    session = str((await me.ask("POST", "/chat/sessions", json={"photo_id": about} if about else {}))["session_id"])
    await me.database.commit_turn(record(1, session=session, user=me.user, transcript="조개를 캤지요.", distress=""))
    if finished:
        await me.ask("PATCH", f"/chat/sessions/{session}/finish")
    return session


async def rows(me: Someone, table: Any) -> list[Any]:
    async with me.database.transaction() as connection:
        return list((await connection.execute(select(table).where(table.c.user_id == me.user))).all())


async def set_to(me: Someone, video: str, **values: Any) -> None:
    async with me.database.transaction() as connection:
        await connection.execute(update(videos).where(videos.c.id == video).values(**values))


async def test_one_is_asked_for_and_asked_for_again(me: Someone, other: Someone) -> None:
    session = await conversation(me)
    asked = await me.ask("POST", "/videos/generate", json={"session_id": session, "voice_id": "soft_male"})
    assert asked["status"] == "pending" and asked["video_type"] == "slideshow"
    again = await me.ask("POST", "/videos/generate", json={"session_id": session, "video_type": "ai_animated"})
    assert again == asked, "one that is being made is that one"
    (job,) = [row for row in await rows(me, jobs) if row.kind == "video"]
    assert (job.id, job.subject_id, job.status) == (asked["task_id"], asked["video_id"], "pending")
    status = await me.ask("GET", f"/videos/{asked['video_id']}/status")
    assert (status["status"], status["stage"], status["progress"]) == ("pending", "waiting", 0)
    async with me.database.transaction() as connection:
        await connection.execute(update(jobs).where(jobs.c.id == job.id).values(stage="rendering", progress=0.6))
    status = await me.ask("GET", f"/videos/{asked['video_id']}/status")
    assert (status["stage"], status["progress"], status["video_url"]) == ("rendering", 0.6, None)
    await other.ask("POST", "/videos/generate", 404, json={"session_id": session})


async def test_what_cannot_be_made_is_said(me: Someone) -> None:
    problem = await me.ask("POST", "/videos/generate", 400, json={"session_id": await conversation(me, finished=False)})
    assert problem["code"] == "story_not_finished"
    for photo in (None, "known", "refused", "awaited"):
        session = await conversation(me, photo=photo)
        problem = await me.ask("POST", "/videos/generate", 400, json={"session_id": session})
        assert problem["code"] == "nothing_to_show"
    session = await conversation(me, photo="processing")
    await me.ask("POST", "/videos/generate", 422, json={"session_id": session, "video_type": "opera"})
    await me.ask("POST", "/videos/generate", 422, json={"session_id": session, "voice_id": "stranger"})
    await me.ask("POST", "/videos/generate", 404, json={"session_id": uuid.uuid4().hex})
    await me.ask("POST", "/videos/generate", json={"session_id": session})


async def test_a_person_has_a_few_under_way(me: Someone) -> None:
    for _ in range(MAX_UNDER_WAY):
        await me.ask("POST", "/videos/generate", json={"session_id": await conversation(me)})
    session = await conversation(me)
    assert (await me.ask("POST", "/videos/generate", 429, json={"session_id": session}))["code"] == "rate_limited"
    finished = await me.ask("PATCH", f"/chat/sessions/{session}/finish?create_video=true")
    assert finished["success"] and finished["video_id"] is None, "the story is told all the same"


async def test_a_story_is_finished_with_a_video(me: Someone) -> None:
    session = await conversation(me, finished=False)
    finished = await me.ask("PATCH", f"/chat/sessions/{session}/finish?create_video=true&video_type=ai_animated")
    (video,) = await rows(me, videos)
    assert (video.id, video.job_id, video.video_type) == (
        finished["video_id"],
        finished["video_task_id"],
        "ai_animated",
    )
    without = await conversation(me, photo=None, finished=False)
    finished = await me.ask("PATCH", f"/chat/sessions/{without}/finish?create_video=true")
    assert finished["success"] and finished["video_id"] is None and "사진" in finished["message"]
    plain = await me.ask("PATCH", f"/chat/sessions/{await conversation(me, finished=False)}/finish")
    assert plain["video_id"] is None and len(await rows(me, videos)) == 1


async def test_stopped_and_made_anew(me: Someone, other: Someone) -> None:
    session = await conversation(me)
    asked = await me.ask("POST", "/videos/generate", json={"session_id": session})
    video = asked["video_id"]
    for path in ("cancel", "retry", "seen"):
        await other.ask("POST", f"/videos/{video}/{path}", 404)
    assert (await me.ask("POST", f"/videos/{video}/cancel"))["status"] == "cancelled"
    assert (await me.ask("POST", f"/videos/{video}/cancel"))["status"] == "cancelled", "said twice it stays so"
    again = await me.ask("POST", f"/videos/{video}/retry")
    assert again["status"] == "pending" and again["task_id"] != asked["task_id"]
    assert await me.ask("POST", f"/videos/{video}/retry") == again, "one that is being made goes on"
    states = {row.id: row.status for row in await rows(me, jobs) if row.kind == "video"}
    assert states == {asked["task_id"]: "cancelled", again["task_id"]: "pending"}
    await set_to(me, video, status="failed", error_code="film_stalled")
    status = await me.ask("GET", f"/videos/{video}/status")
    assert (status["error_code"], status["stage"]) == ("film_stalled", "") and "다시" in status["error_message"]
    assert (await me.ask("POST", f"/videos/{video}/cancel", 409))["code"] == "video_settled"
    assert (await me.ask("POST", f"/videos/{video}/retry"))["status"] == "pending"
    await set_to(me, video, status="completed")
    assert (await me.ask("POST", f"/videos/{video}/retry", 409))["code"] == "video_settled"
    outbox: Any = Outgoing.__table__
    told = [row.data["status"] for row in await rows(me, outbox) if row.kind == "video"]
    assert told == [] or told[-1] == "pending", "what could be sent was"


async def test_a_video_and_its_story_are_read_and_seen(me: Someone, other: Someone) -> None:
    session = await conversation(me)
    video = await things.video(
        me.database, me.user, session, title=STORY.title, story=STORY.as_kept(), voice_id="", own_voice=False, job_id=""
    )
    detail = await me.ask("GET", f"/videos/{video}")
    assert (detail["title"], detail["subtitle"], detail["source"]) == ("할머니의 추억", "1987년, 통영에서", "gemini")
    assert [one["text"] for one in detail["story"]] == ["할머니께서 들려주신 이야기예요.", "조개를 캤지요."]
    assert detail["story"][1]["turns"] == [1] and detail["story"][1]["own_words"]
    assert [one["id"] for one in (await me.ask("GET", "/home"))["new_videos"]] == [video]
    await other.ask("GET", f"/videos/{video}", 404)
    first = await me.ask("POST", f"/videos/{video}/seen")
    assert first["seen_at"] is not None
    assert await me.ask("POST", f"/videos/{video}/seen") == first
    assert (await me.ask("GET", "/home"))["new_videos"] == []
    (listed,) = await me.ask("GET", "/videos/")
    assert datetime.fromisoformat(listed["seen_at"]) <= datetime.now(UTC)


async def test_a_conversation_takes_its_video_along(me: Someone) -> None:
    session = await conversation(me)
    asked = await me.ask("POST", "/videos/generate", json={"session_id": session})
    await me.ask("DELETE", f"/chat/sessions/{session}")
    assert await rows(me, videos) == []
    await me.ask("GET", f"/videos/{asked['video_id']}/status", 404)
    async with me.database.transaction() as connection:
        held = select(sessions.c.deleted_at).where(sessions.c.id == session)
        assert (await connection.execute(held)).scalar_one() is not None
