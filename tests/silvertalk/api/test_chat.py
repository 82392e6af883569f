"""`/chat` without a talk: conversations reserved, read back, finished, deleted; on both databases."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from silvertalk.conversations import photos, session_photos, sessions, take_up, turns, voice_prefix
from silvertalk.errors import ConversationTaken, DatabaseRefused
from silvertalk.media.store import open_media
from silvertalk.models import Audit
from silvertalk.settings import Settings
from silvertalk.tickets import Ticket, redeem_ticket
from silvertalk.videos import videos
from streaming.bus import Bus
from tests.silvertalk.api import things
from tests.silvertalk.api.someone import Someone, arrive, database, me, other
from tests.silvertalk.records import record

__all__ = ["arrive", "database", "me", "other"]


async def talked(someone: Someone, count: int = 1, **changes: Any) -> str:
    """A conversation of so many turns."""
    session = uuid.uuid4().hex
    for number in range(1, count + 1):
        await someone.database.commit_turn(record(number, session=session, user=someone.user, **changes))
    return session


async def listed(someone: Someone) -> list[str]:
    return [one["id"] for one in await someone.ask("GET", "/chat/sessions")]


# --- before the talk -------------------------------------------------------------------------------------------------


async def test_a_conversation_is_reserved_with_a_greeting_for_the_screen(me: Someone) -> None:
    answer = await me.ask("POST", "/chat/sessions", json={"kakao_id": "not read"})
    assert (answer["greeting_task_id"], answer["turn_count"], answer["related_photos"]) == (None, 0, [])
    assert len(answer["session_id"]) == 32 and answer["ai_reply"].endswith("들려주시겠어요?")
    assert await listed(me) == [], "nobody has opened it"
    assert await me.ask("GET", f"/chat/sessions/{answer['session_id']}") == [], "and nothing counts as said"


@pytest.mark.parametrize("by", ["id", "local_uri"])
async def test_about_a_photo_the_greeting_knows_when_and_where(me: Someone, other: Someone, by: str) -> None:
    await things.person(me.database, me.user, form_of_address="순자 할머니")
    about = await things.photo(me.database, me.user, local_uri="ph://1", location_name="통영\n바다")
    around = [
        await things.photo(me.database, me.user, taken_at=things.NOON + timedelta(days=days))
        for days in (-6, 1, 3, 5, 9)
    ]
    answer = await me.ask("POST", "/chat/sessions", json={"photo_id": about if by == "id" else "ph://1"})
    assert answer["ai_reply"].startswith("순자 할머니, ")
    assert "2026년 11월 3일에 통영 바다에서 찍은 사진" in answer["ai_reply"]
    assert [photo["id"] for photo in answer["related_photos"]] == [around[1], around[2], around[3]]
    assert all(photo["s3_url"] for photo in answer["related_photos"])
    attached = await me.ask("GET", f"/chat/sessions/{answer['session_id']}/photos")
    assert [(photo["id"], photo["display_order"]) for photo in attached["photos"]] == [(about, 0)]
    await take_up(me.database, me.user, answer["session_id"])
    known = await me.ask("GET", f"/memories/photos/{about}/analysis")
    assert known["last_chat_session_id"] == answer["session_id"]
    await other.ask("POST", "/chat/sessions", 404, json={"photo_id": about})
    await other.ask("POST", "/chat/sessions", 404, json={"photo_id": "ph://1"})


async def test_a_reserved_conversation_has_tickets_until_it_is_taken_up_once(
    me: Someone, other: Someone, bus: Bus
) -> None:
    session = (await me.ask("POST", "/chat/sessions"))["session_id"]
    await other.ask("POST", "/v1/talk/ticket", 404, json={"session_id": session})
    for _ in range(2):
        bought = await me.ask("POST", "/v1/talk/ticket", json={"session_id": session})
        ticket = await redeem_ticket(bus, bought["ticket"])
        assert ticket == Ticket(ticket.identity, session) and ticket.identity.user == me.user
    came = await asyncio.gather(*(take_up(me.database, me.user, session) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, ConversationTaken) for one in came) == 4
    refused = await me.ask("POST", "/v1/talk/ticket", 409, json={"session_id": session})
    assert refused["code"] == "conversation_taken"
    assert await listed(me) == [], "nothing was said yet"
    await me.database.commit_turn(record(session=session, user=me.user))
    assert await listed(me) == [session]
    await me.ask("POST", "/v1/talk/ticket", 404, json={"session_id": "0" * 32})
    await me.ask("POST", "/v1/talk/ticket", 422, json={"session_id": "../x"})
    assert (await redeem_ticket(bus, (await me.ask("POST", "/v1/talk/ticket"))["ticket"])).session == ""


async def test_what_nothing_was_said_in_is_forgotten_after_a_day(me: Someone) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    old, taken = [(await me.ask("POST", "/chat/sessions"))["session_id"] for _ in range(2)]
    await me.database.commit_turn(record(session=taken, user=me.user))
    async with me.database.transaction() as connection:
        await connection.execute(update(sessions).where(sessions.c.user_id == me.user).values(started_at=long_ago))
    await me.ask("POST", "/chat/sessions")
    await me.ask("GET", f"/chat/sessions/{old}", 404)
    await me.ask("GET", f"/chat/sessions/{taken}")


# --- reading it back -------------------------------------------------------------------------------------------------


async def test_conversations_are_listed_the_newest_first(me: Someone, other: Someone) -> None:
    about = await things.photo(me.database, me.user)
    first = await talked(me, started_at_ms=1_790_000_000_000)
    second = await talked(me, count=3, started_at_ms=1_790_100_000_000)
    async with me.database.transaction() as connection:
        mine = update(sessions).where(sessions.c.id == second)
        await connection.execute(mine.values(photo_id=about, summary="바다 이야기", ended_at=things.NOON))
    await talked(other)
    newest, oldest = await me.ask("GET", "/chat/sessions")
    assert (newest["id"], newest["turn_count"], newest["summary"]) == (second, 3, "바다 이야기")
    assert newest["main_photo_id"] == about and newest["main_photo_url"]
    assert (newest["status"], newest["is_completed"]) == ("abandoned", False)
    assert (oldest["id"], oldest["status"], oldest["main_photo_url"]) == (first, "active", None)
    assert newest["created_at"].endswith("Z")

    page = await me.client.get("/chat/sessions", params={"limit": 1})
    cursor = page.headers["X-Next-Cursor"]
    rest = await me.client.get("/chat/sessions", params={"limit": 1, "cursor": cursor})
    assert [one["id"] for one in page.json() + rest.json()] == [second, first]
    assert "X-Next-Cursor" not in rest.headers


async def test_what_was_said_is_read_line_by_line_as_it_was_heard(me: Someone) -> None:
    session = await talked(me, count=2)
    lines = await me.ask("GET", f"/chat/sessions/{session}")
    assert [(line["id"], line["role"], line["content"]) for line in lines] == [
        (1, "user", record().transcript),
        (2, "assistant", record().heard),
        (3, "user", record().transcript),
        (4, "assistant", record().heard),
    ]
    assert {line["voice_url"] for line in lines} == {None}
    answer = await me.client.get(f"/chat/sessions/{session}", params={"limit": 1})
    assert [line["id"] for line in answer.json()] == [1, 2]
    query = {"limit": 1, "cursor": answer.headers["X-Next-Cursor"]}
    assert [line["id"] for line in await me.ask("GET", f"/chat/sessions/{session}", params=query)] == [3, 4]


async def test_a_turn_has_all_that_is_kept_of_it(me: Someone) -> None:
    session = await talked(me, count=3)
    answer = await me.ask("GET", f"/chat/sessions/{session}/turns", params={"limit": 2})
    assert (answer["session_id"], answer["turn_count"], answer["can_finish"]) == (session, 3, True)
    turn = answer["turns"][0]
    assert (turn["number"], turn["reply"], turn["heard"]) == (1, record().reply, record().heard)
    assert (turn["distress"], turn["timings_ms"], turn["speech_ms"]) == ("despair", {"wait": 700.5}, 3000)
    more = await me.ask("GET", f"/chat/sessions/{session}/turns", params={"cursor": answer["next_cursor"]})
    assert [turn["number"] for turn in more["turns"]] == [3] and more["next_cursor"] is None
    assert not (await me.ask("GET", f"/chat/sessions/{await talked(me, count=2)}/turns"))["can_finish"]


async def test_a_kept_voice_has_a_link_and_the_link_is_on_record(me: Someone) -> None:
    session = await talked(me)
    await me.ask("PATCH", "/users/me", json={"consents": {"keep_voice": True}})
    async with me.database.transaction() as connection:
        mine = update(turns).where(turns.c.session_id == session)
        await connection.execute(mine.values(voice_key=f"{voice_prefix(me.user, session)}1.flac"))
    said, heard = await me.ask("GET", f"/chat/sessions/{session}")
    assert said["voice_url"] and heard["voice_url"] is None
    assert await audited(me) == [("voice_links_given", session)]


async def audited(someone: Someone) -> list[tuple[str, str]]:
    async with someone.database.transaction() as connection:
        asked = select(Audit.action, Audit.subject_id).where(Audit.user_id == someone.user).order_by(Audit.id)
        return [tuple(row) for row in await connection.execute(asked)]


async def test_nobody_reads_finishes_or_deletes_anothers_conversation(me: Someone, other: Someone) -> None:
    session = await talked(me)
    path = f"/chat/sessions/{session}"
    theirs = await things.photo(other.database, other.user)
    mine = await things.photo(me.database, me.user)
    assert await listed(other) == []
    for method, there in (("GET", path), ("GET", f"{path}/turns"), ("GET", f"{path}/photos"), ("DELETE", path)):
        await other.ask(method, there, 404)
    await other.ask("PATCH", f"{path}/finish", 404)
    await other.ask("POST", f"{path}/photos", 404, params={"photo_id": theirs})
    await other.ask("GET", "/chat/sessions/next-photos", 404, params={"session_id": session})
    await me.ask("POST", f"{path}/photos", 404, params={"photo_id": theirs})
    await other.ask("POST", "/chat/messages", 503, json={"text": "안녕"})  # nobody talks in this test's server
    assert await listed(me) == [session]
    await me.ask("POST", f"{path}/photos", params={"photo_id": mine})


# --- photos of it ----------------------------------------------------------------------------------------------------


async def test_photos_are_added_once_and_keep_their_places(me: Someone) -> None:
    session = await talked(me)
    added = [await things.photo(me.database, me.user) for _ in range(3)]
    path = f"/chat/sessions/{session}/photos"
    await asyncio.gather(*(me.ask("POST", path, params={"photo_id": photo}) for photo in [*added, added[0]]))
    again = await me.ask("POST", path, params={"photo_id": added[0]})
    answer = await me.ask("GET", path)
    assert (answer["session_id"], answer["photo_count"]) == (session, 3)
    assert [photo["display_order"] for photo in answer["photos"]] == [0, 1, 2]
    places = {photo["id"]: photo["display_order"] for photo in answer["photos"]}
    assert places.keys() == set(added) and again["display_order"] == places[added[0]]
    assert all(photo["s3_url"] and photo["local_uri"] and photo["taken_at"] for photo in answer["photos"])


async def test_next_photos_are_from_around_then_any_and_never_the_same(me: Someone, other: Someone) -> None:
    about = await things.photo(me.database, me.user)
    near = await things.photo(me.database, me.user, taken_at=things.NOON + timedelta(days=2))
    far = [await things.photo(me.database, me.user, taken_at=things.NOON - timedelta(days=90)) for _ in range(2)]
    await things.photo(me.database, me.user, status="refused")
    await things.photo(other.database, other.user, taken_at=things.NOON)
    session = (await me.ask("POST", "/chat/sessions", json={"photo_id": about}))["session_id"]
    found = await me.ask("GET", "/chat/sessions/next-photos", params={"session_id": session})
    assert found[0]["id"] == near
    assert {photo["id"] for photo in found[1:]} == set(far)


# --- finishing and deleting ------------------------------------------------------------------------------------------


async def test_a_story_is_told_once_and_needs_something_to_tell(me: Someone) -> None:
    session = await talked(me)
    answer = await me.ask("PATCH", f"/chat/sessions/{session}/finish", params={"create_video": "true"})
    assert (answer["success"], answer["session_id"]) == (True, session)
    (one,) = await me.ask("GET", "/chat/sessions")
    assert (one["status"], one["is_completed"]) == ("completed", True)
    await me.ask("PATCH", f"/chat/sessions/{session}/finish")
    reserved = (await me.ask("POST", "/chat/sessions"))["session_id"]
    refused = await me.ask("PATCH", f"/chat/sessions/{reserved}/finish", 400)
    assert refused["code"] == "nothing_told"
    await me.ask("PATCH", f"/chat/sessions/{'0' * 32}/finish", 404)


async def test_a_deleted_conversation_is_gone_and_stays_gone(me: Someone, other: Someone, tmp_path: Path) -> None:
    session, kept = await talked(me, count=2), await talked(me)
    about = await things.photo(me.database, me.user, last_session_id=session)
    await me.ask("POST", f"/chat/sessions/{session}/photos", params={"photo_id": about})
    film = await things.video(me.database, me.user, session)
    remembered = await things.memory(me.database, me.user, session_id=session, turn_number=2)
    async with open_media(Settings(data_dir=tmp_path / "var")) as media:
        voice = f"{voice_prefix(me.user, session)}1.flac"
        others = f"{voice_prefix(me.user, kept)}1.flac"
        for key in (voice, others, f"u/{me.user}/videos/{film}/film.mp4"):
            await media.put(key, b"sound", "audio/flac")
        await me.ask("DELETE", f"/chat/sessions/{session}")
        assert await media.head(voice) is None and await media.head(others) is not None
        assert await media.head(f"u/{me.user}/videos/{film}/film.mp4") is None

    await me.ask("GET", f"/chat/sessions/{session}", 404)
    await me.ask("DELETE", f"/chat/sessions/{session}", 404)
    assert await listed(me) == [kept]
    async with me.database.transaction() as connection:
        for table in (turns, session_photos, videos):
            left = select(table).where(table.c.session_id == session)
            assert (await connection.execute(left)).all() == [], table.name
        last = select(photos.c.last_session_id).where(photos.c.id == about)
        assert (await connection.execute(last)).scalar_one() == ""
    (memory,) = await me.ask("GET", "/memories/")
    assert (memory["id"], memory["session_id"], memory["turn_number"]) == (remembered, None, None)
    assert ("conversation_deleted", session) in await audited(me)

    with pytest.raises(DatabaseRefused):
        await me.database.commit_turn(record(3, session=session, user=me.user))
    assert await listed(me) == [kept]


async def test_the_old_ways_of_polling_are_gone(me: Someone) -> None:
    await me.ask("POST", "/chat/messages/voice", 404)
    await me.ask("POST", "/chat/messages/save-ai-response", 404)
    await me.ask("GET", "/api/task/1", 404)


async def test_what_the_puppy_does(me: Someone) -> None:
    answer = await me.ask("GET", "/chat/animations")
    assert answer["type"] in ("tail_wag", "tilt_head", "roll", "sit") and answer["message"].endswith("요.")
