"""What a person's calendar holds: synchronised from their phone, or written here.

An event of a phone's is known by the phone's id, or by its title and beginning where it has none. So a synchronisation
that is sent twice, or of which a part is lost, ends as it should.

An event with a time is an instant. An all-day event is a matter of days, not of instants: it is kept as the midnights
of its first day and of the day after its last one *as if in UTC*, and read as days of whichever clock the person has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Table, and_, delete, false, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.columns import clean, new_id
from silvertalk.database import Database
from silvertalk.errors import NotFound, RequestInvalid
from silvertalk.models import CalendarEvent
from silvertalk.paging import Cursor, Page, page_of
from silvertalk.people import ensure_person
from silvertalk.treatment import midnight

events: Table = CalendarEvent.__table__  # type: ignore[assignment]

MAX_SYNCED = 1000
"""Events of one synchronisation."""
FIRST_YEAR, LAST_YEAR = 1900, 2200
_UNNAMED = "silvertalk:"
"""Begins the id that we give to a phone's event without one."""


@dataclass(frozen=True)
class EventGiven:
    """An event as a client has it. Moments without an offset are on the person's own clock.

    Of an all-day event they only name days: the first, and the last; an end at midnight is the day before.
    """

    title: str
    starts: datetime
    ends: datetime | None = None
    location: str = ""
    is_all_day: bool = False
    external_id: str | None = None


class Days(NamedTuple):
    """From the first to the last of them; None is open."""

    first: date | None = None
    last: date | None = None


class Synced(NamedTuple):
    kept: int
    removed: int


class Event(NamedTuple):
    """An event on its person's clock. `starts_at` and `ends_at` are instants in UTC."""

    id: str
    external_id: str | None
    title: str
    location: str
    is_all_day: bool
    starts_at: datetime
    ends_at: datetime
    days: tuple[date, date]
    """The first and the last day it touches."""


# --- writing ---------------------------------------------------------------------------------------------------------


async def sync(
    database: Database, user: str, given: Sequence[EventGiven], zone: ZoneInfo, *, complete: Days | None = None
) -> Synced:
    """Have these events known. `complete`: the phone has no others on these days, so what else it once had there goes;
    what was written here stays. Raises RequestInvalid for an event that ends before it begins."""
    now = datetime.now(UTC)
    rows = {}
    for number, event in enumerate(given):
        external = clean(event.external_id or "") or _unnamed_id(event, zone)
        placed = _placed(event, zone, f"body.events.{number}")
        rows[external] = {
            "id": new_id(),
            "user_id": user,
            "external_id": external,
            "created_at": now,
            "updated_at": now,
            **placed,
        }
    upsert = database.insert(events)
    changed = ("title", "starts_at", "ends_at", "location", "is_all_day", "updated_at")
    upsert = upsert.on_conflict_do_update(
        index_elements=["user_id", "external_id"], set_={name: upsert.excluded[name] for name in changed}
    )
    removed = 0
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        if rows:
            await connection.execute(upsert, list(rows.values()))
        if complete is not None:
            gone = delete(events).where(
                events.c.user_id == user,
                events.c.external_id.is_not(None),
                events.c.external_id.not_in(list(rows)),
                _touches(complete, zone),
            )
            removed = (await connection.execute(gone)).rowcount
    return Synced(len(rows), removed)


async def add(database: Database, user: str, given: EventGiven, zone: ZoneInfo) -> Event:
    """Write one event down here."""
    now = datetime.now(UTC)
    row = {"id": new_id(), "user_id": user, "external_id": None, "created_at": now, "updated_at": now}
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        made = database.insert(events).values(row | _placed(given, zone, "body")).returning(events)
        return _event((await connection.execute(made)).one(), zone)


async def add_once(
    database: Database, connection: AsyncConnection, user: str, given: Mapping[str, EventGiven], zone: ZoneInfo
) -> None:
    """Write events down by the ids that they are to have, in the caller's transaction: what is there already stays as
    it is, so that it may be tried again. Raises RequestInvalid, AccountErased."""
    now = datetime.now(UTC)
    await ensure_person(database, connection, user)
    rows = [
        {"id": name, "user_id": user, "external_id": None, "created_at": now, "updated_at": now}
        | _placed(event, zone, "body")
        for name, event in given.items()
    ]
    await connection.execute(database.insert(events).on_conflict_do_nothing(index_elements=["id"]), rows)


async def change(database: Database, user: str, event: str, changes: dict[str, Any], zone: ZoneInfo) -> Event:
    """Change one event; `changes` are fields of EventGiven. Raises NotFound, RequestInvalid."""
    mine = (events.c.id == event, events.c.user_id == user)
    async with database.transaction() as connection:
        # It writes before it reads, so that nobody else writes in between on either database.
        touched = update(events).where(*mine).values(updated_at=datetime.now(UTC)).returning(events)
        row = (await connection.execute(touched)).one_or_none()
        if row is None:
            raise NotFound
        placed = _placed(EventGiven(**(_given(row) | changes)), zone, "body")
        changed = update(events).where(*mine).values(placed).returning(events)
        return _event((await connection.execute(changed)).one(), zone)


async def remove(connection: AsyncConnection, user: str, event: str) -> None:
    """Raises NotFound."""
    gone = await connection.execute(delete(events).where(events.c.id == event, events.c.user_id == user))
    if gone.rowcount != 1:
        raise NotFound
    await audit.note(connection, user, "calendar_event_deleted", event)


# --- reading ---------------------------------------------------------------------------------------------------------


async def listed(
    database: Database, user: str, zone: ZoneInfo, days: Days, *, limit: int, after: Cursor | None
) -> Page[Event]:
    """Events that touch these days, the latest first."""
    asked = select(events).where(events.c.user_id == user, _touches(days, zone))
    if after is not None:
        asked = asked.where(after.before(events.c.starts_at, events.c.id))
    asked = asked.order_by(events.c.starts_at.desc(), events.c.id.desc()).limit(limit + 1)
    async with database.transaction() as connection:
        rows = (await connection.execute(asked)).all()
    page = page_of(rows, limit, lambda row: Cursor(row.starts_at, row.id))
    return Page([_event(row, zone) for row in page.rows], page.next_cursor)


async def one(database: Database, user: str, event: str, zone: ZoneInfo) -> Event:
    """Raises NotFound."""
    asked = select(events).where(events.c.id == event, events.c.user_id == user)
    async with database.transaction() as connection:
        row = (await connection.execute(asked)).one_or_none()
    if row is None:
        raise NotFound
    return _event(row, zone)


async def between(connection: AsyncConnection, user: str, zone: ZoneInfo, days: Days, limit: int) -> list[Event]:
    """What these days hold, as they go by; on a day all-day events first."""
    asked = select(events).where(events.c.user_id == user, _touches(days, zone))
    rows = await connection.execute(asked.order_by(events.c.starts_at, events.c.id).limit(limit))
    found = [_event(row, zone) for row in rows]
    return sorted(found, key=lambda event: (event.days[0], not event.is_all_day, event.starts_at))


async def of_day(connection: AsyncConnection, user: str, zone: ZoneInfo, day: date, limit: int) -> list[Event]:
    """What a day holds, as it goes by; all-day events first."""
    asked = (
        select(events)
        .where(events.c.user_id == user, _touches(Days(day, day), zone))
        .order_by(events.c.is_all_day.desc(), events.c.starts_at, events.c.id)
        .limit(limit)
    )
    return [_event(row, zone) for row in await connection.execute(asked)]


# --- moments and days ------------------------------------------------------------------------------------------------


def _touches(days: Days, zone: ZoneInfo) -> ColumnElement[bool]:
    starts, ends, all_day = events.c.starts_at, events.c.ends_at, events.c.is_all_day
    timed: list[ColumnElement[bool]] = [all_day == false()]
    whole: list[ColumnElement[bool]] = [all_day == true()]
    if days.first is not None:
        begin = midnight(days.first, zone)
        timed.append(or_(ends > begin, starts >= begin))  # an event may take no time at all
        whole.append(ends > midnight(days.first, _FLOATING))
    if days.last is not None:
        after = days.last + timedelta(days=1)
        timed.append(starts < midnight(after, zone))
        whole.append(starts < midnight(after, _FLOATING))
    return or_(and_(*timed), and_(*whole))


_FLOATING = ZoneInfo("UTC")


def _placed(event: EventGiven, zone: ZoneInfo, field: str) -> dict[str, Any]:
    """The columns that the event's own fields fill. Raises RequestInvalid."""
    for moment in filter(None, (event.starts, event.ends)):
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise RequestInvalid(fields=((field, f"years {FIRST_YEAR} to {LAST_YEAR}"),))
    if event.is_all_day:
        first, last = _days_given(event, zone)
        starts, ends = midnight(first, _FLOATING), midnight(last + timedelta(days=1), _FLOATING)
    else:
        starts = _instant(event.starts, zone)
        ends = starts if event.ends is None else _instant(event.ends, zone)
    if ends < starts:
        raise RequestInvalid(fields=((field, "it ends before it begins"),))
    return {
        "title": event.title,
        "location": event.location,
        "is_all_day": event.is_all_day,
        "starts_at": starts,
        "ends_at": ends,
    }


def _days_given(event: EventGiven, zone: ZoneInfo) -> tuple[date, date]:
    """The days an all-day event names. Phones differ: some send midnights of the phone's clock, some of UTC, some the
    last second of the last day."""
    first = _day_named(event.starts, zone)
    if event.ends is None:
        return first, first
    last = _day_named(event.ends, zone)
    if last > first and _is_midnight(event.ends, zone):
        last -= timedelta(days=1)
    return first, last


def _day_named(moment: datetime, zone: ZoneInfo) -> date:
    if moment.tzinfo is None or moment.time() == time():
        return moment.date()
    return moment.astimezone(zone).date()


def _is_midnight(moment: datetime, zone: ZoneInfo) -> bool:
    return moment.time() == time() or (moment.tzinfo is not None and moment.astimezone(zone).time() == time())


def _instant(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).astimezone(UTC)


def _unnamed_id(event: EventGiven, zone: ZoneInfo) -> str:
    if event.is_all_day:
        begins = _day_named(event.starts, zone).isoformat()
    else:
        begins = _instant(event.starts, zone).isoformat()
    return _UNNAMED + sha256(f"{begins} {clean(event.title)}".encode()).hexdigest()


def _given(row: Row[Any]) -> dict[str, Any]:
    """A row as a client would have given it."""
    starts, ends = row.starts_at, row.ends_at
    if row.is_all_day:
        starts, ends = starts.replace(tzinfo=None), ends.replace(tzinfo=None)
    return {
        "title": row.title,
        "location": row.location,
        "is_all_day": row.is_all_day,
        "starts": starts,
        "ends": ends,
    }


def _event(row: Row[Any], zone: ZoneInfo) -> Event:
    if row.is_all_day:
        days = row.starts_at.date(), row.ends_at.date() - timedelta(days=1)
        starts, ends = midnight(days[0], zone), midnight(row.ends_at.date(), zone)
    else:
        starts, ends = row.starts_at, row.ends_at
        last = ends if ends == starts else ends - timedelta(microseconds=1)
        days = starts.astimezone(zone).date(), last.astimezone(zone).date()
    external = row.external_id
    return Event(
        id=row.id,
        external_id=None if external is None or external.startswith(_UNNAMED) else external,
        title=row.title,
        location=row.location,
        is_all_day=row.is_all_day,
        starts_at=starts,
        ends_at=ends,
        days=days,
    )
