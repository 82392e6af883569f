"""Which photo a conversation shows next, and which ones are found: on both databases, of one's own photos alone."""

from __future__ import annotations

import threading
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from silvertalk import album, conversations
from silvertalk.album import Album, Shown, Wanted
from silvertalk.database import Database
from silvertalk.jobs import Jobs
from silvertalk.media.store import MediaStore, open_media
from silvertalk.models import Photo
from silvertalk.photos import photo_of
from silvertalk.seeing import Seen
from silvertalk.setting_values import database_url
from silvertalk.treatment import Treatment
from tests import product
from tests.postgres import Postgres
from tests.silvertalk.api import things

ME, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
AT = datetime(1998, 5, 3, 3, 0, tzinfo=UTC)
SEOUL = Treatment()


@dataclass(frozen=True)
class Shelf:
    """An album, and the conversation it is shown in."""

    album: Album
    database: Database
    session: str

    async def photo(self, days: int = 0, user: str = ME, **known: Any) -> str:
        given = {"taken_at": AT + timedelta(days=days), "location_name": ""} | known
        return await things.photo(self.database, user, **given)

    async def after(self, current: str, *told: str, related: bool = False) -> Shown | None:
        return await self.album.after(ME, self.session, current, {current, *told}, SEOUL, related=related)

    async def found(self, **wanted: Any) -> list[str]:
        return [photo.id for photo in await self.album.find(ME, Wanted(**wanted), SEOUL, 5)]


@pytest.fixture(params=["sqlite", "postgresql"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'silvertalk.sqlite3'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as database, open_media(product.settings("unix:///nowhere", tmp_path)) as media:
        await database.wait_ready()
        yield await shelved(database, media)


async def shelved(database: Database, media: MediaStore) -> Shelf:
    await things.person(database, ME)
    made = await conversations.reserve(database, ME, language="ko", photo=None)
    theirs = Album(database, media, Jobs(database), operator_answers=False, link_seconds=600)
    return Shelf(theirs, database, made.session.id)


async def test_the_conversations_own_photos_come_first_and_in_their_order(shelf: Shelf) -> None:
    first, second, third = [await shelf.photo(days) for days in (100, 0, 50)]
    await shelf.photo(100)  # near the first, but no part of the conversation
    for photo in (first, second, third):
        assert await shelf.album.keep(ME, shelf.session, photo)
    shown = await shelf.after(first)
    assert shown is not None
    assert (shown.photo.id, shown.position, shown.count) == (second, 2, 3)
    assert shown.url.startswith("/media/")
    then = await shelf.after(third, first)
    assert then is not None and then.photo.id == second, "what was passed over comes at the end"


async def test_then_come_photos_from_around_it_and_at_last_any(shelf: Shelf) -> None:
    current = await shelf.photo(location_name="통영")
    near, same_place = await shelf.photo(2), await shelf.photo(3000, location_name="통영")
    far = await shelf.photo(3000)
    await shelf.photo(1, user=OTHER)
    await shelf.photo(1, status="refused")
    await shelf.album.keep(ME, shelf.session, current)
    told: list[str] = []
    for expected in (near, same_place):
        shown = await shelf.after(current, *told, related=True)
        assert shown is not None and (shown.photo.id, shown.position, shown.count) == (expected, 2, 2)
        told.append(expected)
    assert await shelf.after(current, *told, related=True) is None
    shown = await shelf.after(current, *told)
    assert shown is not None and shown.photo.id == far
    assert await shelf.after(current, *told, far) is None


async def test_nobody_is_shown_what_is_anothers_or_gone(shelf: Shelf) -> None:
    theirs, gone = await shelf.photo(user=OTHER), await shelf.photo(status="deleting")
    for photo in (theirs, gone, "", "x" * 400):
        assert await shelf.album.of(ME, shelf.session, photo, SEOUL) is None
        assert not await shelf.album.keep(ME, shelf.session, photo)
    mine = await shelf.photo()
    assert await shelf.after(mine, related=True) is None
    assert await shelf.found() == [mine]
    shown = await shelf.album.of(ME, shelf.session, mine, SEOUL)
    assert shown is not None and shown.photo.id == mine


async def test_a_photo_that_only_the_phone_has_is_shown_by_its_name_there(shelf: Shelf) -> None:
    known = await shelf.photo(status="known", shared_key="", object_key="", thumbnail_key="")
    shown = await shelf.album.of(ME, shelf.session, known, SEOUL)
    assert shown is not None and shown.url == "" and shown.photo.local_uri == f"ph://{known}"


async def test_what_is_shown_is_kept_with_the_conversation_once_it_has_a_row(shelf: Shelf) -> None:
    photo = await shelf.photo()
    assert not await shelf.album.keep(ME, "f" * 32, photo)
    for _ in range(2):
        assert await shelf.album.keep(ME, shelf.session, photo)
    assert [one.photo.id for one in await conversations.photos_of(shelf.database, ME, shelf.session)] == [photo]
    assert (await photo_of(shelf.database, ME, photo)).last_session_id == shelf.session


async def test_photos_are_found_by_their_days_place_and_people(shelf: Shelf) -> None:
    beach = Seen(
        source="gemini", people=("할머니 한 분", "어린 아이 두 명"), place="바닷가", occasion="생일잔치"
    ).as_kept()
    seen = await shelf.photo(0, analysis=beach)
    named = await shelf.photo(1, location_name="경상남도 통영시")
    await shelf.photo(0, user=OTHER, analysis=beach, location_name="통영")
    day, next_day = date(1998, 5, 3), date(1998, 5, 4)
    assert await shelf.found(begins=day, ends=day) == [seen]
    assert await shelf.found(begins=day) == [named, seen]
    assert await shelf.found(ends=next_day) == [named, seen]
    assert await shelf.found(begins=date(1999, 1, 1)) == []
    assert await shelf.found(place="통영") == [named]
    assert await shelf.found(place="바닷가") == [seen]
    assert await shelf.found(person="아이") == [seen]
    assert await shelf.found(person="생일 잔치") == [seen]
    assert await shelf.found(person="할아버지") == [] == await shelf.found(place="부산", begins=day)


async def test_many_photos_are_looked_through_a_few_at_a_time_until_there_are_enough(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_on: list[int] = []

    def fitting(page: Sequence[Any], wanted: Wanted) -> list[Photo]:
        looked_on.append(threading.get_ident())
        return chosen(page, wanted)

    chosen = album._fitting
    monkeypatch.setattr(album, "_fitting", fitting)
    monkeypatch.setattr(album, "PAGE_ROWS", 2)
    there = [await shelf.photo(days, location_name="통영" if days % 2 else "부산") for days in range(24)]
    assert await shelf.found(place="통영") == there[23:14:-2]
    assert len(looked_on) == 5, "two of each are looked at, one of which fits, until there are five"
    assert threading.get_ident() not in looked_on, "the event loop has others to serve"
    assert len(await shelf.found(place="서울")) == 0 and len(looked_on) == 5 + 12


async def test_of_the_camera_only_the_day_is_known(shelf: Shelf) -> None:
    """Late in the evening, on the person's own clock."""
    night = await shelf.photo(taken_at=datetime(1998, 5, 2, 16, 0, tzinfo=UTC))
    assert await shelf.found(begins=date(1998, 5, 3), ends=date(1998, 5, 3)) == [night]
