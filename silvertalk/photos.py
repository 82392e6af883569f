"""A person's photos: those on their phone that were told of, and those that were uploaded.

A photo is known by our id, and by the phone's name for it (`local_uri`), which is the same each time the phone tells of
it. How it comes in is `silvertalk.photo_uploads`; what is made of it, `silvertalk.photo_work`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, case, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.columns import clean, new_id
from silvertalk.conversations import GONE, SHOWN, near, photos, session_photos, sessions
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import AccountErased, GalleryFull, NotFound, RequestInvalid
from silvertalk.media.store import LATE_UPLOAD, MediaStore, user_prefix
from silvertalk.models import Photo
from silvertalk.paging import Cursor, Page, page_of
from silvertalk.people import ensure_person
from silvertalk.seeing import seen_of
from silvertalk.treatment import treatment_of

MAX_PHOTOS = 20_000
"""Of one person, known or uploaded."""
MAX_SYNCED = 1000
SYNCED_AT_ONCE = 200
"""Rows in one statement: both databases limit a statement's parameters to about 32 000."""
FIRST_YEAR, LAST_YEAR = 1826, 2200
"""From the oldest photograph there is."""
NEAR_DEGREES = 0.01
"""About a kilometre."""
DELETING, DELETED = GONE
"""States of a photo of which the objects go, and of one whose objects are gone, but for what a form that was given for
it may yet bring."""
_newest = func.coalesce(photos.c.taken_at, photos.c.created_at)
SHOWN_AT_ALL = photos.c.status.not_in(GONE)
"""Whatever state it is in, but for one that was deleted."""


@dataclass(frozen=True)
class Told:
    """What the phone tells of a photo; a moment without an offset is on the person's own clock."""

    local_uri: str | None = None
    taken_at: datetime | None = None
    location_name: str = ""
    latitude: float | None = None
    longitude: float | None = None

    def values(self, zone: ZoneInfo) -> dict[str, Any]:
        """Columns of a row. Raises RequestInvalid for a moment that no photo can be of."""
        uri = clean(self.local_uri) if self.local_uri else None
        both = self.latitude is not None and self.longitude is not None
        return {
            "local_uri": uri or None,
            "taken_at": None if self.taken_at is None else moment(self.taken_at, zone, "taken_at"),
            "location_name": self.location_name,
            "latitude": self.latitude if both else None,
            "longitude": self.longitude if both else None,
        }


class Synced(NamedTuple):
    """`kept`: photos that were told of, each counted once; `removed`: those that were to go, and went."""

    kept: int
    removed: int
    at: datetime


def photo_prefix(user: str, photo: str) -> str:
    return f"{user_prefix(user)}photos/{photo}/"


def shared_key(user: str, photo: str) -> str:
    return f"{photo_prefix(user, photo)}shared.jpg"


def thumbnail_key(user: str, photo: str) -> str:
    return f"{photo_prefix(user, photo)}thumbnail.jpg"


def moment(given: datetime, zone: ZoneInfo, field: str) -> datetime:
    """An aware moment; raises RequestInvalid for one that no photo can be of."""
    if not FIRST_YEAR <= given.year <= LAST_YEAR:
        raise RequestInvalid(fields=((f"body.{field}", f"years {FIRST_YEAR} to {LAST_YEAR}"),))
    return (given if given.tzinfo is not None else given.replace(tzinfo=zone)).astimezone(UTC)


def new_photo(user: str, status: str, **known: Any) -> dict[str, Any]:
    """A row of `photos` of which nothing but this is known."""
    now = datetime.now(UTC)
    return {
        "id": new_id(),
        "user_id": user,
        "local_uri": None,
        "status": status,
        "refusal": "",
        "object_key": "",
        "upload_name": "",
        "shared_key": "",
        "thumbnail_key": "",
        "content_type": "",
        "size_bytes": 0,
        "width": 0,
        "height": 0,
        "taken_at": None,
        "location_name": "",
        "latitude": None,
        "longitude": None,
        "analysis": None,
        "view_count": 0,
        "last_session_id": "",
        "created_at": now,
        "updated_at": now,
        **known,
    }


# --- what the phone tells ---------------------------------------------------------------------------------------------


async def sync(
    database: Database, user: str, told: Sequence[Told], removed: Sequence[str], default_zone: str
) -> Synced:
    """Have photos of the phone known; what is known of one already, perhaps corrected by the person, stays, and what is
    not is filled in. Those `removed` from the phone go where they were never uploaded nor talked about. Raises
    GalleryFull."""
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        zone = (await treatment_of(connection, user, default_zone)).zone
        rows = {}
        for one in told:
            values = one.values(zone)
            if values["local_uri"] is not None:
                rows[values["local_uri"]] = new_photo(user, "known", **values, updated_at=now)
        fresh = list(rows.values())
        for start in range(0, len(fresh), SYNCED_AT_ONCE):
            row = database.insert(photos).values(fresh[start : start + SYNCED_AT_ONCE])
            new = row.excluded
            unknown_place = or_(new.latitude.is_(None), photos.c.latitude.is_not(None))
            merged = {
                "taken_at": func.coalesce(photos.c.taken_at, new.taken_at),
                "location_name": case((photos.c.location_name == "", new.location_name), else_=photos.c.location_name),
                "latitude": case((unknown_place, photos.c.latitude), else_=new.latitude),
                "longitude": case((unknown_place, photos.c.longitude), else_=new.longitude),
                "updated_at": new.updated_at,
            }
            await connection.execute(row.on_conflict_do_update(index_elements=["user_id", "local_uri"], set_=merged))
        await room_for(connection, user, 0)
        gone = await _forget(connection, user, [uri for uri in map(clean, removed) if uri not in rows])
    return Synced(len(rows), gone, now)


async def _forget(connection: AsyncConnection, user: str, removed: Sequence[str]) -> int:
    if not removed:
        return 0
    unused = and_(
        photos.c.status == "known",
        photos.c.last_session_id == "",
        ~exists().where(session_photos.c.photo_id == photos.c.id),
        ~exists().where(sessions.c.photo_id == photos.c.id, sessions.c.user_id == user),
    )
    gone = await connection.execute(
        delete(photos).where(photos.c.user_id == user, photos.c.local_uri.in_(removed), unused)
    )
    return int(gone.rowcount)


async def room_for(connection: AsyncConnection, user: str, more: int) -> None:
    """Raises GalleryFull where so many more are too many."""
    count = select(func.count()).select_from(photos).where(photos.c.user_id == user, SHOWN_AT_ALL)
    if (await connection.execute(count)).scalar_one() + more > MAX_PHOTOS:
        raise GalleryFull


# --- looking at them -------------------------------------------------------------------------------------------------


async def photo_of(database: Database, user: str, photo: str) -> Photo:
    """Raises NotFound."""
    async with database.transaction() as connection:
        return await _one(connection, user, photo)


async def listed(
    database: Database, user: str, *, limit: int, after: Cursor | None, status: str | None = None
) -> Page[Photo]:
    """The newest first, by when they were taken, or else told of."""
    asked = select(photos).where(photos.c.user_id == user, SHOWN_AT_ALL)
    if status is not None:
        asked = asked.where(photos.c.status == status)
    if after is not None:
        asked = asked.where(after.before(_newest, photos.c.id))
    async with database.transaction() as connection:
        found = await _rows(connection, asked.order_by(_newest.desc(), photos.c.id.desc()).limit(limit + 1))
    return page_of(found, limit, lambda photo: Cursor(photo.taken_at or photo.created_at, photo.id))


async def least_viewed(database: Database, user: str, limit: int) -> list[Photo]:
    """Those that were offered least so far, in no order among themselves; offered once more now."""
    chosen = (
        select(photos.c.id)
        .where(photos.c.user_id == user, photos.c.status.in_(SHOWN))
        .order_by(photos.c.view_count, func.random())
        .limit(limit)
    )
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        ids = list((await connection.execute(chosen)).scalars())
        offered = (
            update(photos)
            .where(photos.c.user_id == user, photos.c.id.in_(ids))
            .values(view_count=photos.c.view_count + 1)
            .returning(photos)
        )
        found = {row.id: Photo(**row._mapping) for row in await connection.execute(offered)}
    return [found[one] for one in ids if one in found]


async def related(database: Database, user: str, photo: str, limit: int) -> list[Photo]:
    """Photos from around this one: of the same days, then of the same place, then any. Raises NotFound."""
    async with database.transaction() as connection:
        main = await _one(connection, user, photo)
        found = await around(connection, user, main, (), limit)
        return found + await any_other(connection, user, [main.id, *(one.id for one in found)], limit - len(found))


async def around(
    connection: AsyncConnection, user: str, photo: Photo, used: Collection[str], limit: int
) -> list[Photo]:
    """Photos of the same days as this one, then of the same place, without those `used`."""
    found = [one for one in await near(connection, user, photo, limit + len(used)) if one.id not in used][:limit]
    known = [photo.id, *used, *(one.id for one in found)]
    return found + await _others(connection, user, known, _same_place(photo), limit - len(found))


async def any_other(connection: AsyncConnection, user: str, used: Collection[str], limit: int) -> list[Photo]:
    """Any photos, without those `used`."""
    return await _others(connection, user, used, None, limit)


def _same_place(photo: Photo) -> Any:
    """Taken where this one was; false where nobody knows."""
    alike = []
    if photo.location_name:
        alike.append(photos.c.location_name == photo.location_name)
    if photo.latitude is not None and photo.longitude is not None:
        reach = NEAR_DEGREES
        alike.append(
            and_(
                photos.c.latitude.between(photo.latitude - reach, photo.latitude + reach),
                photos.c.longitude.between(photo.longitude - reach, photo.longitude + reach),
            )
        )
    return or_(*alike) if alike else photos.c.id.is_(None)


async def _others(connection: AsyncConnection, user: str, used: Collection[str], where: Any, limit: int) -> list[Photo]:
    asked = select(photos).where(photos.c.user_id == user, photos.c.status.in_(SHOWN), photos.c.id.not_in(used))
    if where is not None:
        asked = asked.where(where)
    return await _rows(connection, asked.order_by(func.random()).limit(limit)) if limit > 0 else []


# --- changing them ---------------------------------------------------------------------------------------------------


async def change(database: Database, user: str, photo: str, changes: dict[str, Any], default_zone: str) -> Photo:
    """Correct where or when it was taken; null forgets it. Raises NotFound, RequestInvalid."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        values = dict(changes)
        if values.get("taken_at") is not None:
            zone = (await treatment_of(connection, user, default_zone)).zone
            values["taken_at"] = moment(values["taken_at"], zone, "taken_at")
        if "location_name" in values:
            values["location_name"] = values["location_name"] or ""
        changed = (
            update(photos).where(*mine(user, photo), SHOWN_AT_ALL).values(**values, updated_at=datetime.now(UTC))
        ).returning(photos)
        row = (await connection.execute(changed)).one_or_none()
        if row is None:
            raise NotFound
        seen = seen_of(row.analysis)
        if seen is not None and not seen.was_looked_at:  # it followed from what was just corrected
            gone = update(photos).where(*mine(user, photo)).values(analysis=None).returning(photos)
            row = (await connection.execute(gone)).one()
    return Photo(**row._mapping)


async def remove(database: Database, media: MediaStore, user: str, photo: str) -> None:
    """The photo and all that was made of it go. It is out of sight first, so that a job which is just making something
    of it finds it gone, and takes that away itself. A bare row stays until no form can bring anything for it any more
    (`finish_removals`). Raises NotFound, MediaAway: asked again, it goes on."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        hidden = await connection.execute(
            update(photos)
            .where(*mine(user, photo), photos.c.status != DELETED)
            .values(_nothing_known())
            .returning(photos)
        )
        row = hidden.one_or_none()
        if row is None:
            raise NotFound
        began = update(sessions).where(sessions.c.user_id == user, sessions.c.photo_id == photo)
        await connection.execute(began.values(photo_id=""))
        await connection.execute(delete(session_photos).where(session_photos.c.photo_id == photo))
    prefix = photo_prefix(user, photo)
    elsewhere = [
        key for key in (row.object_key, row.shared_key, row.thumbnail_key) if key and not key.startswith(prefix)
    ]
    if elsewhere:  # what a guest brought along and was not moved yet
        await media.delete(*elsewhere)
    await media.delete_below(prefix)
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        gone = update(photos).where(*mine(user, photo), photos.c.status == DELETING)
        bare = gone.values(status=DELETED, object_key="", shared_key="", thumbnail_key="")
        if (await connection.execute(bare)).rowcount:
            await audit.note(connection, user, "photo_deleted", photo)


def _nothing_known() -> dict[str, Any]:
    """A row of which nothing is left but whose it is and where its objects lie. The phone's name is free again."""
    blank = new_photo("", DELETING)
    kept = ("id", "user_id", "object_key", "shared_key", "thumbnail_key", "created_at")
    return {name: value for name, value in blank.items() if name not in kept}


async def finish_removals(database: Database, media: MediaStore, limit: int) -> int:
    """Photos that were to be deleted while the media store was away, and those for which no form is good any more.
    Raises MediaAway."""
    half_gone = photos.c.status == DELETING
    quiet = and_(photos.c.status == DELETED, photos.c.updated_at < datetime.now(UTC) - LATE_UPLOAD)
    asked = select(photos.c.user_id, photos.c.id, photos.c.status).where(or_(half_gone, quiet)).limit(limit)
    async with database.transaction() as connection:
        rows = (await connection.execute(asked)).all()
    for row in rows:
        if row.status == DELETING:
            with suppress(NotFound, AccountErased):
                await remove(database, media, row.user_id, row.id)
            continue
        await media.delete_below(photo_prefix(row.user_id, row.id))
        async with database.transaction() as connection:
            await connection.execute(delete(photos).where(*mine(row.user_id, row.id), quiet))
    return len(rows)


def mine(user: str, photo: str) -> tuple[Any, Any]:
    """One photo, if it is theirs."""
    return photos.c.id == photo, photos.c.user_id == user


async def _one(connection: AsyncConnection, user: str, photo: str) -> Photo:
    row = (await connection.execute(select(photos).where(*mine(user, photo), SHOWN_AT_ALL))).one_or_none()
    if row is None:
        raise NotFound
    return Photo(**row._mapping)


async def _rows(connection: AsyncConnection, asked: Select[Any]) -> list[Photo]:
    return [Photo(**row._mapping) for row in await connection.execute(asked)]
