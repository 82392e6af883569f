"""`/calendars`, on both databases."""

import uuid
from typing import Any

import pytest
from sqlalchemy import select, update

from silvertalk.models import Audit
from silvertalk.people import users
from tests.silvertalk.api.someone import Someone, arrive, database, me, other

__all__ = ["arrive", "database", "me", "other"]

VISIT = {"id": "p1", "title": "병원", "start_time": "2026-11-22T15:00:00+09:00", "end_time": "2026-11-22T07:00:00Z"}
LUNCH = {"id": "p2", "title": "점심", "start_time": "2026-11-23T12:00:00", "end_time": "2026-11-23T13:00:00"}


async def synced(someone: Someone, *events: dict[str, Any], **more: Any) -> Any:
    return await someone.ask("POST", "/calendars/sync", json={"events": list(events), **more})


async def titles(someone: Someone, **query: str) -> list[str]:
    return [event["title"] for event in await someone.ask("GET", "/calendars/", params=query)]


async def test_a_phones_calendar_is_known_the_latest_first(me: Someone) -> None:
    answer = await synced(me, VISIT, LUNCH)
    assert (answer["count"], answer["removed"]) == (2, 0)
    lunch, visit = await me.ask("GET", "/calendars/")
    assert (lunch["title"], lunch["start_time"]) == ("점심", "2026-11-23T03:00:00Z"), "no offset: the person's clock"
    assert (visit["external_id"], visit["end_time"], visit["is_all_day"]) == ("p1", "2026-11-22T07:00:00Z", False)
    assert (visit["first_day"], visit["last_day"]) == ("2026-11-22", "2026-11-22")


async def test_synchronising_again_changes_what_changed_and_doubles_nothing(me: Someone) -> None:
    await synced(me, VISIT, LUNCH)
    (before,) = [event for event in await me.ask("GET", "/calendars/") if event["external_id"] == "p1"]
    await synced(me, {**VISIT, "title": "치과", "location": "종로"}, LUNCH)
    after = await me.ask("GET", "/calendars/")
    assert sorted(event["title"] for event in after) == ["점심", "치과"]
    (changed,) = [event for event in after if event["external_id"] == "p1"]
    assert (changed["id"], changed["location"]) == (before["id"], "종로")


async def test_the_old_apps_events_have_no_id_and_are_known_by_title_and_beginning(me: Someone) -> None:
    old = {"title": "모임", "start_time": "2026-11-25T10:00:00", "end_time": "2026-11-25T11:00:00", "location": None}
    for end in ("2026-11-25T11:00:00", "2026-11-25T12:00:00"):
        await synced(me, {**old, "end_time": end, "is_all_day": False, "notes": "not read"})
    (event,) = await me.ask("GET", "/calendars/")
    assert (event["external_id"], event["end_time"]) == (None, "2026-11-25T03:00:00Z")


async def test_only_who_says_it_is_complete_has_anything_deleted(me: Someone) -> None:
    await synced(me, VISIT, LUNCH)
    written = await me.ask("POST", "/calendars/", 201, json={"title": "산책", "start_time": "2026-11-22T08:00:00"})
    assert (await synced(me, LUNCH))["removed"] == 0
    answer = await synced(me, VISIT, complete=True, start_date="2026-11-22", end_date="2026-11-22")
    assert answer["removed"] == 0, "nothing of this day is gone, and the other day was not asked about"
    answer = await synced(me, complete=True, start_date="2026-11-22", end_date="2026-11-22")
    assert answer["removed"] == 1
    assert await titles(me) == ["점심", "산책"]
    assert (await synced(me, complete=True))["removed"] == 1
    assert [event["id"] for event in await me.ask("GET", "/calendars/")] == [written["id"]], "written here, not there"


async def test_of_one_id_sent_twice_the_later_counts(me: Someone) -> None:
    answer = await synced(me, VISIT, {**VISIT, "title": "늦게"})
    assert answer["count"] == 1
    assert await titles(me) == ["늦게"]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-11-22", "2026-11-23", ("2026-11-22", "2026-11-22")),
        ("2026-11-22", None, ("2026-11-22", "2026-11-22")),
        ("2026-11-22", "2026-11-22", ("2026-11-22", "2026-11-22")),
        ("2026-11-21T15:00:00Z", "2026-11-22T14:59:59Z", ("2026-11-22", "2026-11-22")),  # an iPhone's
        ("2026-11-22T00:00:00Z", "2026-11-24T00:00:00Z", ("2026-11-22", "2026-11-23")),  # Android's
    ],
)
async def test_an_all_day_event_is_days_of_the_persons_clock(
    me: Someone, start: str, end: str | None, days: tuple[str, str]
) -> None:
    await synced(me, {"title": "생일", "start_time": start, "end_time": end, "is_all_day": True})
    (event,) = await me.ask("GET", "/calendars/")
    assert (event["first_day"], event["last_day"]) == days
    assert event["start_time"] == "2026-11-21T15:00:00Z", "midnight in Seoul"
    assert await titles(me, start_date=days[1], end_date=days[1]) == ["생일"]
    assert await titles(me, start_date="2026-11-25") == [] == await titles(me, end_date="2026-11-21")


async def test_whoever_moves_keeps_their_days(me: Someone) -> None:
    await synced(me, {"title": "생일", "start_time": "2026-11-22", "is_all_day": True}, VISIT)
    async with me.database.transaction() as connection:
        await connection.execute(update(users).where(users.c.id == me.user).values(time_zone="America/New_York"))
    birthday, visit = sorted(await me.ask("GET", "/calendars/"), key=lambda event: event["is_all_day"], reverse=True)
    assert (birthday["first_day"], birthday["start_time"]) == ("2026-11-22", "2026-11-22T05:00:00Z")
    assert (visit["first_day"], visit["start_time"]) == ("2026-11-22", "2026-11-22T06:00:00Z")


async def test_a_long_list_is_leafed_through_and_nothing_is_lost(me: Someone) -> None:
    given = [{"id": str(n), "title": f"{n}", "start_time": f"2026-11-{n % 5 + 1:02}T09:00:00"} for n in range(25)]
    await synced(me, *given)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 10}
    while True:
        answer = await me.client.get("/calendars/", params=query)
        seen += [event["title"] for event in answer.json()]
        if (cursor := answer.headers.get("X-Next-Cursor")) is None:
            break
        query["cursor"] = cursor
    assert len(seen) == 25 and set(seen) == {str(n) for n in range(25)}


async def test_a_thousand_events_fit_and_no_more(me: Someone) -> None:
    many = [{"id": f"e{n}", "title": "일정" * 20, "start_time": "2026-11-22T09:00:00"} for n in range(1001)]
    assert (await synced(me, *many[:1000]))["count"] == 1000
    await me.ask("POST", "/calendars/sync", 422, json={"events": many})


async def test_one_event_is_written_changed_and_deleted(me: Someone) -> None:
    made = await me.ask("POST", "/calendars/", 201, json={"title": "산책", "start_time": "2026-11-22T08:00:00"})
    path = f"/calendars/{made['id']}"
    changed = await me.ask("PATCH", path, json={"title": "큰 산책", "end_time": "2026-11-22T09:30:00"})
    assert (changed["title"], changed["end_time"]) == ("큰 산책", "2026-11-22T00:30:00Z")
    all_day = await me.ask("PATCH", path, json={"is_all_day": True})
    assert (all_day["first_day"], all_day["last_day"]) == ("2026-11-22", "2026-11-22")
    assert await me.ask("GET", path) == all_day
    await me.ask("PATCH", path, 422, json={"end_time": "2026-11-01T00:00:00", "is_all_day": False})
    assert await me.ask("GET", path) == all_day, "a change that is refused changes nothing"
    await me.ask("DELETE", path, 204)
    await me.ask("GET", path, 404)
    async with me.database.transaction() as connection:
        rows = (await connection.execute(select(Audit.__table__).where(Audit.user_id == me.user))).all()
    assert [(row.action, row.subject_id, bool(row.request_id)) for row in rows] == [
        ("calendar_event_deleted", made["id"], True)
    ]


@pytest.mark.parametrize(
    "event",
    [
        {"title": "a", "start_time": "2026-11-22T10:00:00", "end_time": "2026-11-22T09:00:00"},
        {"title": "a", "start_time": "0001-01-01T00:00:00+14:00"},
        {"title": "a", "start_time": "9999-12-31T23:59:59-12:00", "is_all_day": True},
        {"title": "a" * 501, "start_time": "2026-11-22T10:00:00"},
        {"title": "a", "start_time": "soon"},
        {"title": "a", "start_time": "2026-11-22T10:00:00", "colour": "red"},
    ],
)
async def test_what_is_no_event_is_refused(me: Someone, event: dict[str, Any]) -> None:
    answer = await me.ask("POST", "/calendars/", 422, json=event)
    assert answer["code"] == "request_invalid"
    assert await titles(me) == []


async def test_text_that_a_database_would_refuse_is_cleaned(me: Someone) -> None:
    await synced(me, {"id": "a\x00b", "title": "N\x00UL", "start_time": "2026-11-22T10:00:00"})
    (event,) = await me.ask("GET", "/calendars/")
    assert (event["title"], event["external_id"]) == ("NUL", "ab")


async def test_nobody_sees_or_touches_anothers_calendar(me: Someone, other: Someone) -> None:
    await synced(me, VISIT)
    (event,) = await me.ask("GET", "/calendars/")
    path = f"/calendars/{event['id']}"
    assert await titles(other) == []
    await other.ask("GET", path, 404)
    await other.ask("PATCH", path, 404, json={"title": "theirs"})
    await other.ask("DELETE", path, 404)
    await other.ask("GET", f"/calendars/{uuid.uuid4()}", 404)
    await synced(other, {**VISIT, "title": "그들의"})
    await synced(other, complete=True)
    assert await titles(me) == ["병원"]
