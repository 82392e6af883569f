"""The objects of a guest who logged in: out of the guest's corner of the media store into the account's.

Everything of somebody lies below one prefix, and is looked for and deleted there. When a guest's rows become an
account's (`silvertalk.joining`) their objects still lie below the guest's. This job copies each, lets its row say where
it is, then deletes what the guest had; what no row wants any more (an export, say) is only deleted. Killed anywhere and
begun again it goes on: a row names its object at any time.

A form that the guest was given may still bring a picture after that, so the job comes back when no form is good any
more. Until then a row whose picture has not come names the guest's place, where it will be.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.columns import Model
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import AccountErased
from silvertalk.job_kinds import JobPostponed, Report, WorkParts
from silvertalk.jobs import JobRow
from silvertalk.media.store import LATE_UPLOAD, MediaStore, user_prefix
from silvertalk.models import Audit, Job, Photo, Turn, Video
from silvertalk.photos import SHOWN_AT_ALL
from silvertalk.tokens import is_user_id

MAX_OBJECT_BYTES = 256 * 1024 * 1024
"""Nothing that this server makes or takes is larger."""


def _table(model: type[Model]) -> Table:
    table: Any = model.__table__
    found: Table = table
    return found


KEYS: tuple[tuple[Table, str], ...] = (
    *((_table(Photo), name) for name in ("object_key", "shared_key", "thumbnail_key")),
    *((_table(Video), name) for name in ("object_key", "thumbnail_key")),
    (_table(Turn), "voice_key"),
)
"""Every column that names an object; a test holds them against the models."""
WITH_PICTURE = ("awaited", "processing", "ready")
"""States of a photo of which a picture is wanted, also one that its row does not name (yet, or any more)."""

_photos, _jobs, _audit = map(_table, (Photo, Job, Audit))


async def former_prefixes(connection: AsyncConnection, user: str) -> list[str]:
    """Where things of theirs may lie that they brought along as a guest: all guests that they ever were, and what their
    rows name."""
    own = user_prefix(user)
    joined = select(_audit.c.subject_id).where(_audit.c.user_id == user, _audit.c.action == "guest_joined")
    found = {user_prefix(guest) for guest in (await connection.execute(joined)).scalars()} - {own}
    for table, name in KEYS:
        prefix = func.substr(table.c[name], 1, len(own))
        theirs = (table.c.user_id == user, table.c[name] != "", prefix != own)
        found |= set((await connection.execute(select(prefix).where(*theirs).distinct())).scalars())
    return sorted(prefix for prefix in found if is_user_id(prefix[2:-1]) and prefix == user_prefix(prefix[2:-1]))


async def adopt_objects(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    """The job "adopt". Its subject is the guest. Raises JobPostponed while a form of theirs may be good."""
    await report("media", 0.1)
    adopting = _Adopting(parts.database, parts.media, job.user_id, job.subject_id)
    await adopting.forget_exports()
    await adopting.move_all()
    wait = (LATE_UPLOAD - (job.updated_at - job.created_at)).total_seconds()  # both of the database's clock
    if wait > 0:
        raise JobPostponed(min(wait, LATE_UPLOAD.total_seconds()))
    await adopting.rename_rest()
    return {}


class _Adopting:
    def __init__(self, database: Database, media: MediaStore, user: str, guest: str) -> None:
        self._database = database
        self._media = media
        self._user = user
        self._old, self._new = user_prefix(guest), user_prefix(user)

    async def forget_exports(self) -> None:
        """A guest's export is deleted with the rest: it has expired. One can be asked for anew, with everything."""
        made = (_jobs.c.user_id == self._user, _jobs.c.kind == "export", _jobs.c.status == "done")
        async with self._database.transaction() as connection:
            await refuse_erased(connection, self._user)
            rows = (await connection.execute(select(_jobs.c.id, _jobs.c.result).where(*made))).all()
            theirs = [row.id for row in rows if str(row.result.get("key", "")).startswith(self._old)]
            await connection.execute(update(_jobs).where(_jobs.c.id.in_(theirs)).values(result={}))

    async def move_all(self) -> None:
        """Everything that lies below the guest's prefix. Raises AccountErased."""
        while keys := await self._media.some_below(self._old):
            for key in keys:
                await self._move(key)

    async def _move(self, key: str) -> None:
        to = self._new + key.removeprefix(self._old)
        async with self._database.transaction() as connection:
            await refuse_erased(connection, self._user)
            named, wanted = await self._is_named(connection, key), await self._is_of_photo(connection, key)
        if named or wanted and await self._media.head(to) is None:
            await self._copy(key, to)
        await self._media.delete(key)

    async def _copy(self, key: str, to: str) -> None:
        stored = await self._media.head(key)
        if stored is None:
            return  # deleted meanwhile
        try:
            data = await self._media.read(key, MAX_OBJECT_BYTES)
        except KeyError:
            return
        await self._media.put(to, data, stored.content_type)
        try:
            there = await self._rename(key, to)
        except AccountErased:  # and what was theirs may be deleted already
            await self._media.delete(to)
            raise
        if not there:  # the photo, or the turn, was deleted while it was copied
            await self._media.delete(to)

    async def _rename(self, key: str, to: str) -> bool:
        """Have the row say where its object is. False where there is no row that wants it."""
        async with self._database.transaction() as connection:
            await refuse_erased(connection, self._user)
            for table, name in KEYS:
                named = and_(table.c.user_id == self._user, table.c[name] == key)
                await connection.execute(update(table).where(named).values({name: to}))
            return await self._is_named(connection, to) or await self._is_of_photo(connection, to)

    async def rename_rest(self) -> None:
        """What never came will not come to the guest's place any more. Raises AccountErased."""
        async with self._database.transaction() as connection:
            await refuse_erased(connection, self._user)
            for table, name in KEYS:
                column = table.c[name]
                rest = func.substr(column, len(self._old) + 1)
                below = and_(table.c.user_id == self._user, column.startswith(self._old, autoescape=True))
                await connection.execute(update(table).where(below).values({name: literal(self._new) + rest}))

    async def _is_named(self, connection: AsyncConnection, key: str) -> bool:
        for table, name in KEYS:
            naming: ColumnElement[bool] = and_(table.c.user_id == self._user, table.c[name] == key)
            if table is _photos:
                naming &= SHOWN_AT_ALL
            if (await connection.execute(select(table.c.id).where(naming).limit(1))).first() is not None:
                return True
        return False

    async def _is_of_photo(self, connection: AsyncConnection, key: str) -> bool:
        """Whether it lies where a photo's pictures do (`silvertalk.photos.photo_prefix`), and one is wanted of it."""
        match key.split("/"):
            case ["u", _, "photos", photo, _]:
                mine = and_(_photos.c.id == photo, _photos.c.user_id == self._user)
                asked = select(_photos.c.id).where(mine, _photos.c.status.in_(WITH_PICTURE))
                return (await connection.execute(asked)).first() is not None
        return False
