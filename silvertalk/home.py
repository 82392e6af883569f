"""What somebody sees when they come: a greeting, their day, a photo worth talking about, what they left unfinished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, and_, extract, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import calendars, conversations, videos
from silvertalk.calendars import Event
from silvertalk.conversations import SHOWN, Listed, photos
from silvertalk.database import Database
from silvertalk.greetings import home_greeting
from silvertalk.models import Photo, Video
from silvertalk.treatment import Treatment, treatment_of

SUGGESTED_PHOTOS = 4
EVENTS = 20
NEW_VIDEOS = 5
_ANNIVERSARIES = 200
"""Photos of three days of all years, looked through for the one day."""

Why = Literal["anniversary", "least_talked"]


class Suggested(NamedTuple):
    photo: Photo
    why: Why


@dataclass(frozen=True)
class Home:
    """All of the first screen."""

    treatment: Treatment
    now: datetime
    greeting: str
    events: Sequence[Event]
    photos: Sequence[Suggested]
    unfinished: Listed | None
    videos: Sequence[Video]


async def greeting_for(database: Database, user: str, default_zone: str) -> tuple[Treatment, str]:
    """The greeting alone."""
    async with database.transaction() as connection:
        treatment = await treatment_of(connection, user, default_zone)
        now = treatment.now()
        events = await calendars.of_day(connection, user, treatment.zone, now.date(), EVENTS)
    return treatment, home_greeting(treatment, now, events)


async def home_of(database: Database, user: str, default_zone: str) -> Home:
    """All of it, as of now."""
    async with database.transaction() as connection:
        treatment = await treatment_of(connection, user, default_zone)
        now = treatment.now()
        events = await calendars.of_day(connection, user, treatment.zone, now.date(), EVENTS)
        return Home(
            treatment=treatment,
            now=now,
            greeting=home_greeting(treatment, now, events),
            events=events,
            photos=await suggested_photos(connection, user, treatment, now.date()),
            unfinished=await conversations.unfinished(connection, user),
            videos=await videos.unseen(connection, user, NEW_VIDEOS),
        )


async def suggested_photos(
    connection: AsyncConnection, user: str, treatment: Treatment, today: date
) -> list[Suggested]:
    """Photos taken on this day of another year, then those that were talked about least."""
    mine = select(photos).where(photos.c.user_id == user, photos.c.status.in_(SHOWN))
    least_talked = (photos.c.last_session_id != "", photos.c.view_count, photos.c.taken_at.is_(None), photos.c.id)
    found: list[Suggested] = []
    for photo in await _rows(connection, mine.where(_about(today)).order_by(*least_talked).limit(_ANNIVERSARIES)):
        taken = photo.taken_at.astimezone(treatment.zone).date() if photo.taken_at is not None else today
        if (taken.month, taken.day) == (today.month, today.day) and taken.year < today.year:
            found.append(Suggested(photo, "anniversary"))
    found = found[:SUGGESTED_PHOTOS]
    there = [one.photo.id for one in found]
    others = mine.where(photos.c.id.not_in(there)).order_by(*least_talked).limit(SUGGESTED_PHOTOS - len(found))
    return found + [Suggested(photo, "least_talked") for photo in await _rows(connection, others)]


def _about(today: date) -> Any:
    """Taken on this day of some year, by a clock at most a day from UTC."""
    ordinal = today.toordinal()
    days = {(day.month, day.day) for day in map(date.fromordinal, (ordinal - 1, ordinal, ordinal + 1))}
    taken = photos.c.taken_at
    return or_(*(and_(extract("month", taken) == month, extract("day", taken) == day) for month, day in sorted(days)))


async def _rows(connection: AsyncConnection, asked: Select[Any]) -> list[Photo]:
    return [Photo(**row._mapping) for row in await connection.execute(asked)]
