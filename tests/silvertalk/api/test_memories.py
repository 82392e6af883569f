"""`/memories` and `/videos`, on both databases."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from silvertalk.conversations import sessions
from silvertalk.jobs import jobs
from streaming.voices import VOICE_NAMES
from tests.silvertalk.api import things
from tests.silvertalk.api.someone import Someone, arrive, database, me, other
from tests.silvertalk.records import record

__all__ = ["arrive", "database", "me", "other"]


async def facts(someone: Someone, path: str = "/memories/", **query: Any) -> list[str]:
    return [memory["fact"] for memory in await someone.ask("GET", path, params=query)]


async def test_memories_come_the_most_important_first_with_where_they_are_from(me: Someone) -> None:
    for number, importance in enumerate((2, 5, 3, 5)):
        at = things.NOON + timedelta(hours=number)
        await things.memory(me.database, me.user, fact=f"{number}", importance=importance, updated_at=at)
    told = await things.memory(me.database, me.user, fact="told", importance=1, session_id="s" * 32, turn_number=4)
    assert await facts(me) == ["3", "1", "2", "0", "told"]
    last = (await me.ask("GET", "/memories/"))[-1]
    assert (last["id"], last["session_id"], last["turn_number"]) == (told, "s" * 32, 4)
    assert (last["source"], last["confidence"]) == ("talk", 0.8)


async def test_a_list_goes_by_its_category(me: Someone) -> None:
    await things.memory(me.database, me.user, fact="손주")
    await things.memory(me.database, me.user, fact="통영", category="travel")
    assert await facts(me, "/memories/travel") == ["통영"] == await facts(me, category="travel")
    assert await facts(me, "/memories/hobby") == []
    await me.ask("GET", "/memories/secrets", 422)


async def test_every_memory_is_on_one_page(me: Someone) -> None:
    for number in range(11):
        await things.memory(me.database, me.user, fact=f"{number}", importance=number % 3 + 1)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        answer = await me.client.get("/memories/", params=query)
        seen += [memory["fact"] for memory in answer.json()]
        if (cursor := answer.headers.get("X-Next-Cursor")) is None:
            break
        query["cursor"] = cursor
    assert sorted(seen, key=int) == [str(number) for number in range(11)]
    await me.ask("GET", "/memories/", 422, params={"cursor": "bm9uZQ"})


async def test_what_is_typed_corrected_and_forgotten(me: Someone) -> None:
    made = await me.ask("POST", "/memories/", 201, json={"fact": " 고향은 통영이다.\x00 ", "source": "family"})
    assert (made["fact"], made["source"], made["confidence"], made["category"]) == (
        "고향은 통영이다.",
        "family",
        1.0,
        "other",
    )
    told = await things.memory(me.database, me.user, session_id="s" * 32, turn_number=2)
    corrected = await me.ask("PATCH", f"/memories/{told}", json={"fact": "손주 이름은 민서다.", "importance": 5})
    assert (corrected["source"], corrected["confidence"], corrected["importance"]) == ("person", 1.0, 5)
    assert (corrected["session_id"], corrected["turn_number"], corrected["category"]) == ("s" * 32, 2, "family")
    await me.ask("DELETE", f"/memories/{made['id']}", 204)
    await me.ask("DELETE", f"/memories/{made['id']}", 404)
    assert await facts(me) == ["손주 이름은 민서다."]


@pytest.mark.parametrize(
    "memory",
    [
        {},
        {"fact": "   "},
        {"fact": "a" * 501},
        {"fact": "a", "importance": 6},
        {"fact": "a", "category": "secrets"},
        {"fact": "a", "source": "talk"},
        {"fact": "a", "confidence": 0.1},
    ],
)
async def test_what_is_no_memory_is_refused(me: Someone, memory: dict[str, Any]) -> None:
    await me.ask("POST", "/memories/", 422, json=memory)
    assert await facts(me) == []


async def test_nobody_reads_or_changes_anothers_memories(me: Someone, other: Someone) -> None:
    mine = await things.memory(me.database, me.user)
    assert await facts(other) == []
    await other.ask("PATCH", f"/memories/{mine}", 404, json={"fact": "theirs"})
    await other.ask("DELETE", f"/memories/{mine}", 404)
    await other.ask("DELETE", f"/memories/{uuid.uuid4()}", 404)
    assert await facts(me) == ["손주 이름은 민준이다."]


async def test_what_is_known_of_a_photo(me: Someone, other: Someone) -> None:
    known = await things.photo(
        me.database, me.user, analysis={"caption": "바다"}, location_name="통영", view_count=3, last_session_id="s" * 32
    )
    path = f"/memories/photos/{known}/analysis"
    assert await me.ask("GET", path) == {
        "photo_id": known,
        "taken_at": "2026-11-03T03:00:00Z",
        "location_name": "통영",
        "ai_analysis": {"caption": "바다"},
        "view_count": 3,
        "last_chat_session_id": "s" * 32,
    }
    await other.ask("GET", path, 404)


# --- videos ----------------------------------------------------------------------------------------------------------


async def conversation(someone: Someone) -> str:
    session = uuid.uuid4().hex
    await someone.database.commit_turn(record(session=session, user=someone.user))
    return session


async def test_videos_are_listed_looked_up_and_deleted(me: Someone, other: Someone) -> None:
    session = await conversation(me)
    done = await things.video(me.database, me.user, session)
    await things.video(me.database, me.user, session, status="pending", created_at=things.NOON - timedelta(days=1))
    first, second = await me.ask("GET", "/videos/")
    assert (first["id"], first["session_id"], first["duration_seconds"]) == (done, session, 32.5)
    assert first["video_url"] and first["thumbnail_url"]
    assert (second["status"], second["video_url"]) == ("pending", None)
    status = await me.ask("GET", f"/videos/{done}/status")
    assert (status["video_id"], status["status"]) == (done, "completed")

    assert await other.ask("GET", "/videos/") == []
    await other.ask("GET", f"/videos/{done}/status", 404)
    await other.ask("DELETE", f"/videos/{done}", 404)
    await me.ask("DELETE", f"/videos/{done}")
    await me.ask("GET", f"/videos/{done}/status", 404)


async def test_the_voices_of_videos(me: Someone) -> None:
    answer = await me.ask("GET", "/videos/voices")
    assert [voice["id"] for voice in answer["voices"]] == list(VOICE_NAMES)
    assert [voice["id"] for voice in answer["voices"] if voice["is_default"]] == [answer["default"]] == ["warm_female"]


async def test_what_is_deleted_is_drawn_on_no_more(me: Someone) -> None:
    await me.ask("PATCH", "/users/me", json={"consents": {"memories": True}})
    session, now = "c" * 32, int(datetime.now(UTC).timestamp() * 1000) + 1000
    for turn, said in enumerate(("우리 손주 이름은 민준이야.", "고향은 통영이에요."), start=1):
        spoken = record(turn, session=session, user=me.user, transcript=said, started_at_ms=now, closed_at_ms=now)
        await me.database.commit_turn(spoken)
    async with me.database.transaction() as connection:
        await connection.execute(sessions.update().values(summary="손주 이름은 민준이다.", summary_upto=2))
    told = await things.memory(me.database, me.user, session_id=session, turn_number=1)
    other = await things.memory(me.database, me.user, fact="손주 이름은 민수다.", differs_from=told)
    listed = {memory["id"]: memory for memory in await me.ask("GET", "/memories/")}
    assert listed[other]["differs_from"] == told and listed[told]["differs_from"] is None
    await me.ask("DELETE", f"/memories/{told}", 204)
    assert [turn.forgotten for turn in await me.database.turns(session)] == [True, False]
    row = await me.database.session(session)
    assert row is not None and (row.summary, row.summary_upto) == ("", 0)
    assert await jobs_of(me, session) == ["summary"]
    await me.ask("PATCH", f"/chat/sessions/{session}/finish")
    await me.ask("PATCH", f"/chat/sessions/{session}/finish")
    assert await jobs_of(me, session) == ["insights", "summary"]


async def jobs_of(me: Someone, session: str) -> list[str]:
    async with me.database.transaction() as connection:
        found = await connection.execute(
            select(jobs.c.kind).where(jobs.c.user_id == me.user, jobs.c.subject_id == session)
        )
        return sorted(found.scalars())
