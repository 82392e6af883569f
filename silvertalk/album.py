"""A person's photos, as their conversations show them: which one, what is said of it, where its picture is.

Everything here is read from the person's own photos, by the conversation's own identity; `silvertalk.showing` decides
when. One a gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import conversations
from silvertalk.conversations import SHOWN, photos, session_photos, sessions
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import MediaAway, NotFound
from silvertalk.jobs import Jobs
from silvertalk.looking import ask_to_look, facts_of
from silvertalk.media.store import MediaStore
from silvertalk.models import Photo
from silvertalk.photo_words import PhotoFacts
from silvertalk.photos import any_other, around, mine
from silvertalk.seeing import seen_of
from silvertalk.treatment import Treatment, midnight
from streaming.text import normalized

LOOKED_THROUGH = 2000
"""Photos, the newest first, that are looked through for a place or for somebody: an index has neither."""
PAGE_ROWS = 100
"""Looked through at once, until there are enough."""


@dataclass(frozen=True)
class Shown:
    """A photo that is before the person, or will be once it is told. `position` counts from 1 within the conversation's
    `count` photos; `url` expires, and is empty where only the phone has the picture."""

    photo: Photo
    facts: PhotoFacts
    position: int
    count: int
    url: str = ""
    words: str = ""
    """What 복실이 may say of it: short sentences, the last of which asks."""


class Wanted(NamedTuple):
    """Photos that are asked for by what is given. The days are on the person's own clock, both included."""

    begins: date | None = None
    ends: date | None = None
    place: str = ""
    person: str = ""


class Album:
    """All methods raise DatabaseAway."""

    def __init__(
        self, database: Database, media: MediaStore, jobs: Jobs, *, operator_answers: bool, link_seconds: int
    ) -> None:
        """`operator_answers`: services outside may look at everybody's photos. `link_seconds`: for so long a picture's
        address is good."""
        self._database = database
        self._media = media
        self._jobs = jobs
        self._operator_answers = operator_answers
        self._link_seconds = link_seconds

    # --- which one ---------------------------------------------------------------------------------------------------

    async def of(self, user: str, session: str, photo: str, treatment: Treatment) -> Shown | None:
        """This photo of theirs; None where it is not, or gone."""
        async with self._database.transaction() as connection:
            found = await _photos(connection, user, [photo])
            if not found:
                return None
            return await self._shown(connection, found[0], await _places(connection, user, session), treatment)

    async def after(
        self, user: str, session: str, current: str, told: Collection[str], treatment: Treatment, *, related: bool
    ) -> Shown | None:
        """What follows the photo `current`: the conversation's own that were not `told` yet, in their order, then one
        from around it, then (unless it must be `related`) any."""
        async with self._database.transaction() as connection:
            own = await _places(connection, user, session)
            at = own.index(current) + 1 if current in own else 0
            for one in (*own[at:], *own[:at]):
                if one not in told and (found := await _photos(connection, user, [one])):
                    return await self._shown(connection, found[0], own, treatment)
            used = {*own, *told, current}
            main = await _photos(connection, user, [current]) if current else []
            more = await around(connection, user, main[0], used, 1) if main else []
            if not more and not related:
                more = await any_other(connection, user, used, 1)
            return await self._shown(connection, more[0], own, treatment) if more else None

    async def find(self, user: str, wanted: Wanted, treatment: Treatment, limit: int) -> list[Photo]:
        """The newest first."""
        zone = treatment.zone
        asked = select(photos).where(photos.c.user_id == user, photos.c.status.in_(SHOWN))
        if wanted.begins is not None:
            asked = asked.where(photos.c.taken_at >= midnight(wanted.begins, zone))
        if wanted.ends is not None:
            asked = asked.where(photos.c.taken_at < midnight(wanted.ends + timedelta(days=1), zone))
        by_sight = bool(wanted.place or wanted.person)
        asked = asked.order_by(photos.c.taken_at.is_(None), photos.c.taken_at.desc(), photos.c.id)
        asked = asked.limit(LOOKED_THROUGH if by_sight else limit)
        found: list[Photo] = []
        async with self._database.transaction() as connection, connection.stream(asked) as rows:
            async for page in rows.partitions(PAGE_ROWS):
                found += await asyncio.to_thread(_fitting, page, wanted)
                if len(found) >= limit:
                    break
        return found[:limit]

    # --- what follows from it ----------------------------------------------------------------------------------------

    async def keep(self, user: str, session: str, photo: str) -> bool:
        """The photo is the conversation's from now on. False while there is no such conversation: one that was not
        reserved has a row only with its first turn."""
        try:
            await conversations.add_photo(self._database, user, session, photo)
        except NotFound:
            return False
        async with self._database.transaction() as connection:
            await refuse_erased(connection, user)
            about = update(photos).where(*mine(user, photo))
            await connection.execute(about.values(last_session_id=session))
        return True

    async def have_looked_at(self, photo: Photo) -> None:
        """Ask for a look at it, where nobody has looked."""
        async with self._database.transaction() as connection:
            await refuse_erased(connection, photo.user_id)
            job = await ask_to_look(self._jobs, connection, photo, operator_answers=self._operator_answers)
        if job:
            await self._jobs.start(job)

    async def _shown(self, connection: AsyncConnection, photo: Photo, own: list[str], treatment: Treatment) -> Shown:
        position = own.index(photo.id) + 1 if photo.id in own else len(own) + 1
        return Shown(
            photo=photo,
            facts=await facts_of(connection, photo, treatment),
            position=position,
            count=max(position, len(own)),
            url=await self._address(photo),
        )

    async def _address(self, photo: Photo) -> str:
        if photo.status != "ready" or not photo.shared_key:
            return ""
        try:
            return await self._media.link(photo.shared_key, seconds=self._link_seconds)
        except MediaAway:
            return ""  # the app shows what it has, and may ask again


async def _photos(connection: AsyncConnection, user: str, ids: Iterable[str]) -> list[Photo]:
    asked = select(photos).where(photos.c.user_id == user, photos.c.id.in_(list(ids)))
    asked = asked.where(photos.c.status.not_in(conversations.GONE))
    return [Photo(**row._mapping) for row in await connection.execute(asked)]


async def _places(connection: AsyncConnection, user: str, session: str) -> list[str]:
    """The conversation's photos, in their order."""
    asked = (
        select(session_photos.c.photo_id)
        .join(sessions, sessions.c.id == session_photos.c.session_id)
        .where(session_photos.c.session_id == session, sessions.c.user_id == user)
        .order_by(session_photos.c.display_order, session_photos.c.id)
        .limit(conversations.MAX_PHOTOS)
    )
    return list((await connection.execute(asked)).scalars())


def _fitting(page: Sequence[Row[Any]], wanted: Wanted) -> list[Photo]:
    """Those that fit; made for a thread, since what is seen on a photo is JSON and read anew for each."""
    return [Photo(**row._mapping) for row in page if _fits(row, wanted)]


def _fits(photo: Row[Any], wanted: Wanted) -> bool:
    seen = seen_of(photo.analysis)
    places = [photo.location_name, *((seen.place, seen.occasion) if seen is not None else ())]
    people = [*(seen.people if seen is not None else ()), *((seen.occasion,) if seen is not None else ())]
    return _named(wanted.place, places) and _named(wanted.person, people)


def _named(words: str, within: Iterable[str]) -> bool:
    """Whether all of the words stand in one of these, whatever is written together."""
    sought = normalized(words).split()
    return not sought or any(all(one in normalized(text).replace(" ", "") for one in sought) for text in within)
