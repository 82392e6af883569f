"""The worker's broom: what nobody needs any more goes, a bounded lot at a time.

Everything here may be done by several workers at once, or twice, or only in part: a row that is gone is gone.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import photo_work, photos
from silvertalk.errors import SilverTalkError
from silvertalk.exporting import sweep_exports
from silvertalk.job_kinds import WorkParts
from silvertalk.models import Job, Login, Outgoing, Photo, RefreshToken
from streaming.logs import logger

log = logger("sweeping")

LOT = 500
"""Rows of a table that one sweep deletes: SQLite has one lock for writing, and somebody may be talking."""
DONE_JOBS_LIVE = timedelta(days=30)
DEAD_LETTERS_LIVE = timedelta(days=90)
NOTICES_LIVE = timedelta(days=7)
"""In the outbox, while Redis is away. Whoever comes back after so long asks for everything anew."""
UPLOADS_LIVE = timedelta(days=1)
"""A photo whose upload was allowed and never confirmed: it is as unknown as before, or known by its metadata alone."""

_jobs: Table = Job.__table__  # type: ignore[assignment]
_logins: Table = Login.__table__  # type: ignore[assignment]
_refresh_tokens: Table = RefreshToken.__table__  # type: ignore[assignment]
_outbox: Table = Outgoing.__table__  # type: ignore[assignment]
_photos: Table = Photo.__table__  # type: ignore[assignment]


async def sweep(parts: WorkParts) -> int:
    """Sweep everything once; returns how many rows and objects went. Raises DatabaseAway."""
    now = datetime.now(UTC)
    old: list[tuple[Table, ColumnElement[bool]]] = [
        (_refresh_tokens, _refresh_tokens.c.expires_at < now),
        (_logins, _logins.c.expires_at < now),
        (_outbox, _outbox.c.created_at < now - NOTICES_LIVE),
        (_jobs, _jobs.c.status.in_(("done", "cancelled")) & (_jobs.c.updated_at < now - DONE_JOBS_LIVE)),
        (_jobs, (_jobs.c.status == "failed") & (_jobs.c.updated_at < now - DEAD_LETTERS_LIVE)),
    ]
    count = 0
    for table, predicate in old:
        async with parts.database.transaction() as connection:
            count += await _sweep_rows(connection, table, predicate)
    count += await _sweep_uploads(parts, now - UPLOADS_LIVE)
    count += await _finish_removals(parts)
    await asyncio.to_thread(photo_work.sweep)
    try:
        count += await sweep_exports(parts.database, parts.media)
    except SilverTalkError as error:
        log.info("exports_left", code=error.code)
    if count:
        log.info("swept", count=count)
    return count


async def _finish_removals(parts: WorkParts) -> int:
    """Photos that were to be deleted while the media store was away."""
    half_gone = select(_photos.c.user_id, _photos.c.id).where(_photos.c.status == photos.DELETING).limit(LOT)
    async with parts.database.transaction() as connection:
        rows = (await connection.execute(half_gone)).all()
    for row in rows:
        try:
            await photos.remove(parts.database, parts.media, row.user_id, row.id)
        except SilverTalkError as error:
            log.info("removal_left", code=error.code)
            return 0
    return len(rows)


async def _sweep_rows(connection: AsyncConnection, table: Table, predicate: ColumnElement[bool]) -> int:
    (key,) = table.primary_key.columns
    lot = select(key).where(predicate).limit(LOT)
    return (await connection.execute(delete(table).where(key.in_(lot)))).rowcount


async def _sweep_uploads(parts: WorkParts, before: datetime) -> int:
    """The object first: a row is what finds it."""
    awaited = (_photos.c.status == "awaited") & (_photos.c.updated_at < before)
    async with parts.database.transaction() as connection:
        rows = (await connection.execute(select(_photos.c.id, _photos.c.object_key).where(awaited).limit(LOT))).all()
    try:
        keys = [row.object_key for row in rows if row.object_key]
        if keys:
            await parts.media.delete(*keys)
    except SilverTalkError as error:
        log.info("uploads_left", code=error.code)
        return 0
    if not rows:
        return 0
    # Asked again: one may have been confirmed in between, and is refused then for its missing object.
    unconfirmed = _photos.c.id.in_([row.id for row in rows]) & awaited
    async with parts.database.transaction() as connection:
        known = update(_photos).where(unconfirmed, _photos.c.local_uri.is_not(None))
        kept = await connection.execute(known.values(status="known", object_key="", updated_at=datetime.now(UTC)))
        gone = await connection.execute(delete(_photos).where(unconfirmed))
    return kept.rowcount + gone.rowcount
