"""The objects of a guest who logged in: out of the guest's corner of the media store into the account's.

Everything of somebody lies below one prefix, and is looked for and deleted there. When a guest's rows become an
account's (`silvertalk.joining`) their objects still lie below the guest's. This job copies each, lets its row say where
it is, then deletes what the guest had. Killed anywhere and begun again it goes on: a row names its object at any time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.columns import Model
from silvertalk.database import Database, refuse_erased
from silvertalk.job_kinds import Report, WorkParts
from silvertalk.jobs import JobRow
from silvertalk.media.store import MediaStore, user_prefix
from silvertalk.models import Photo, Turn, Video
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


async def former_prefixes(connection: AsyncConnection, user: str) -> list[str]:
    """Where things of theirs lie that they brought along as a guest and that were not moved yet."""
    own = user_prefix(user)
    found: set[str] = set()
    for table, name in KEYS:
        prefix = func.substr(table.c[name], 1, len(own))
        theirs = (table.c.user_id == user, table.c[name] != "", prefix != own)
        found |= set((await connection.execute(select(prefix).where(*theirs).distinct())).scalars())
    return sorted(prefix for prefix in found if is_user_id(prefix[2:-1]) and prefix == user_prefix(prefix[2:-1]))


async def adopt_objects(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    """The job "adopt". Its subject is the guest."""
    old, new = user_prefix(job.subject_id), user_prefix(job.user_id)
    moved = 0
    for number, (table, name) in enumerate(KEYS):
        await report("media", number / len(KEYS))
        for key in await _keys_below(parts.database, table, name, job.user_id, old):
            to = new + key.removeprefix(old)
            moved += await _copy(parts.media, key, to)
            await _rename(parts.database, table, name, job.user_id, key, to)
    await parts.media.delete_below(old)
    return {"objects": moved}


async def _keys_below(database: Database, table: Table, name: str, user: str, prefix: str) -> list[str]:
    column = table.c[name]
    asked = select(column).where(table.c.user_id == user, column.startswith(prefix, autoescape=True))
    async with database.transaction() as connection:
        return list((await connection.execute(asked.distinct())).scalars())


async def _copy(media: MediaStore, key: str, to: str) -> bool:
    """False where there is nothing to copy: an upload that was allowed and never came, or was copied before."""
    stored = await media.head(key)
    if stored is None:
        return False
    await media.put(to, await media.read(key, MAX_OBJECT_BYTES), stored.content_type)
    return True


async def _rename(database: Database, table: Table, name: str, user: str, key: str, to: str) -> None:
    """Raises AccountErased where they were deleted meanwhile: the deletion then takes what lies in either place."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        await connection.execute(update(table).where(table.c.user_id == user, table.c[name] == key).values({name: to}))
