"""`/home`, on both databases."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.silvertalk.api import things
from tests.silvertalk.api.someone import Someone, arrive, database, me, other
from tests.silvertalk.records import record

__all__ = ["arrive", "database", "me", "other"]

SEOUL = ZoneInfo("Asia/Seoul")


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


async def test_a_stranger_is_greeted_and_nothing_is_made_up(me: Someone) -> None:
    home = await me.ask("GET", "/home")
    assert home["pet"] == {"name": "복실이"} and "복실이" in home["greeting"]
    assert (home["today_events"], home["suggested_photos"], home["new_videos"]) == ([], [], [])
    assert home["unfinished_session"] is None and home["quiet"] is False
    assert await me.ask("GET", "/home/greeting") == {
        "pet_name": "복실이",
        "message": home["greeting"],
        "voice_url": None,
    }


async def test_home_has_all_that_somebody_comes_for(me: Someone, other: Someone) -> None:
    await things.person(me.database, me.user, form_of_address="순자 할머니", pet_name="몽이")
    today = datetime.now(SEOUL).date()
    event = {"title": "손주 생일", "start_time": today.isoformat(), "is_all_day": True}
    await me.ask("POST", "/calendars/", 201, json=event)
    await other.ask("POST", "/calendars/", 201, json=event)
    session = uuid.uuid4().hex
    said: dict[str, Any] = {"session": session, "user": me.user, "started_at_ms": now_ms(), "closed_at_ms": now_ms()}
    await me.database.commit_turn(record(**said))
    new = await things.video(me.database, me.user, session)
    await things.video(me.database, me.user, session, seen_at=things.NOON)
    await things.video(me.database, me.user, session, status="processing", completed_at=None)

    home = await me.ask("GET", "/home")
    assert home["greeting"].startswith("순자 할머니, ")
    assert all(part in home["greeting"] for part in ("몽이", "손주 생일", f"{today.month}월 {today.day}일"))
    assert [event["title"] for event in home["today_events"]] == ["손주 생일"]
    assert (home["unfinished_session"]["id"], home["unfinished_session"]["turn_count"]) == (session, 1)
    assert [video["id"] for video in home["new_videos"]] == [new]

    await me.ask("PATCH", f"/chat/sessions/{session}/finish")
    assert (await me.ask("GET", "/home"))["unfinished_session"] is None
    strangers = await other.ask("GET", "/home")
    assert (strangers["unfinished_session"], strangers["new_videos"]) == (None, [])
    assert len(strangers["today_events"]) == 1


async def test_a_photo_of_this_day_comes_first_then_those_least_talked_about(me: Someone, other: Someone) -> None:
    now = datetime.now(SEOUL)
    if (now.month, now.day) == (2, 29):
        pytest.skip("an anniversary every fourth year")
    then = datetime(1998, now.month, now.day, 0, 30, tzinfo=SEOUL)  # the day before, in UTC
    told = await things.photo(me.database, me.user, last_session_id="s" * 32, taken_at=then + timedelta(days=40))
    seen = await things.photo(me.database, me.user, view_count=7, taken_at=then + timedelta(days=40))
    never = await things.photo(me.database, me.user, taken_at=None)
    on_the_day = await things.photo(me.database, me.user, view_count=9, taken_at=then)
    await things.photo(me.database, me.user, status="refused", taken_at=then)
    await things.photo(me.database, me.user, status="awaited")
    await things.photo(other.database, other.user, taken_at=then)

    photos = (await me.ask("GET", "/home"))["suggested_photos"]
    assert [(photo["id"], photo["why"]) for photo in photos] == [
        (on_the_day, "anniversary"),
        (never, "least_talked"),
        (seen, "least_talked"),
        (told, "least_talked"),
    ]
    assert all(photo["s3_url"] for photo in photos)


async def test_in_quiet_hours_nobody_is_asked_for_anything(me: Someone) -> None:
    now = datetime.now(SEOUL)
    clock = [(now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 1)]
    await things.person(me.database, me.user, quiet_from=clock[0], quiet_until=clock[1])
    await me.ask("POST", "/calendars/", 201, json={"title": "모임", "start_time": now.isoformat()})
    home = await me.ask("GET", "/home")
    assert home["quiet"] is True
    assert "쉬시는 시간" in home["greeting"] and "모임" not in home["greeting"] and "?" not in home["greeting"]
