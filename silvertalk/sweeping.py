"""The worker's broom: what nobody needs any more goes, a bounded lot at a time.

Everything here may be done by several workers at once, or twice, or only in part: a row that is gone is gone.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import photos
from silvertalk.errors import SilverTalkError
from silvertalk.exporting import sweep_exports
from silvertalk.generation_sweeping import sweep_generations
from silvertalk.job_kinds import WorkParts
from silvertalk.models import Job, Login, Outgoing, Photo, RefreshToken, VideoShare
from silvertalk.remembering import ask_for_owed, delete_withdrawn
from silvertalk.scratch import scratch_of, sweep_scratch
from silvertalk.voice_keeping import finish_forgetting
from streaming.errors import BusError
from streaming.logs import logger

log = logger("sweeping")

LOT = 500
"""Rows of a table that one sweep deletes: SQLite has one lock for writing, and somebody may be talking."""
DONE_JOBS_LIVE = timedelta(days=30)
DEAD_LETTERS_LIVE = timedelta(days=90)
"""But for a deletion's, which is somebody's right: it stays until it is done, and so does what it needs for that."""
NOTICES_LIVE = timedelta(days=7)
"""In the outbox, while Redis is away. Whoever comes back after so long asks for everything anew."""
SHARES_LIVE = timedelta(days=30)
"""After a shared link has expired: so long its page says that it has, and not that there is none."""
UPLOADS_LIVE = timedelta(days=1)
"""A photo whose upload was allowed and never confirmed: it is as unknown as before, or known by its metadata alone."""

_jobs: Table = Job.__table__  # type: ignore[assignment]
_logins: Table = Login.__table__  # type: ignore[assignment]
_refresh_tokens: Table = RefreshToken.__table__  # type: ignore[assignment]
_outbox: Table = Outgoing.__table__  # type: ignore[assignment]
_photos: Table = Photo.__table__  # type: ignore[assignment]
_shares: Table = VideoShare.__table__  # type: ignore[assignment]


async def sweep(parts: WorkParts) -> int:
    """Sweep everything once; returns how many rows and objects went. Raises DatabaseAway."""
    now = datetime.now(UTC)
    old: list[tuple[Table, ColumnElement[bool]]] = [
        (_refresh_tokens, _refresh_tokens.c.expires_at < now),
        (_logins, _logins.c.expires_at < now),
        (_outbox, _outbox.c.created_at < now - NOTICES_LIVE),
        (_shares, _shares.c.expires_at < now - SHARES_LIVE),
        (_jobs, _jobs.c.status.in_(("done", "cancelled")) & (_jobs.c.updated_at < now - DONE_JOBS_LIVE)),
        (
            _jobs,
            (_jobs.c.status == "failed") & (_jobs.c.kind != "erase") & (_jobs.c.updated_at < now - DEAD_LETTERS_LIVE),
        ),
    ]
    count = 0
    for table, predicate in old:
        async with parts.database.transaction() as connection:
            count += await _sweep_rows(connection, table, predicate)
    count += await _sweep_uploads(parts, now - UPLOADS_LIVE)
    count += await _sweep_uploads_beside(parts, now - UPLOADS_LIVE)
    try:
        count += await photos.finish_removals(parts.database, parts.media, LOT)
    except SilverTalkError as error:
        log.info("removals_left", code=error.code)
    try:
        count += await finish_forgetting(parts.database, parts.media, LOT)
    except SilverTalkError as error:
        log.info("voices_left", code=error.code)
    count += await delete_withdrawn(parts.database)
    await ask_for_owed(parts.database, parts.jobs)
    await asyncio.to_thread(sweep_scratch, scratch_of(parts.settings))
    try:
        count += await sweep_exports(parts.database, parts.media)
    except SilverTalkError as error:
        log.info("exports_left", code=error.code)
    try:
        count += await sweep_generations(parts.bus, parts.media, parts.settings)
    except (SilverTalkError, BusError) as error:
        log.info("generations_left", code=error.code)
    if count:
        log.info("swept", count=count)
    return count


async def _sweep_rows(connection: AsyncConnection, table: Table, predicate: ColumnElement[bool]) -> int:
    (key,) = table.primary_key.columns
    lot = select(key).where(predicate).limit(LOT)
    return (await connection.execute(delete(table).where(key.in_(lot)))).rowcount


async def _sweep_uploads(parts: WorkParts, before: datetime) -> int:
    """The object first: a row is what finds it."""
    awaited = (_photos.c.status == "awaited") & (_photos.c.updated_at < before)
    async with parts.database.transaction() as connection:
        rows = (await connection.execute(select(_photos.c.user_id, _photos.c.id).where(awaited).limit(LOT))).all()
    try:
        for row in rows:
            await parts.media.delete_below(photos.photo_prefix(row.user_id, row.id))
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


async def _sweep_uploads_beside(parts: WorkParts, before: datetime) -> int:
    """Uploads that were to take the place of a photo that is kept, and were never confirmed. The row first: confirmed
    at this moment, it would name what is deleted here."""
    unconfirmed = (_photos.c.upload_name != "") & (_photos.c.updated_at < before)
    asked = select(_photos.c.user_id, _photos.c.id, _photos.c.upload_name).where(unconfirmed).limit(LOT)
    async with parts.database.transaction() as connection:
        rows = (await connection.execute(asked)).all()
    for count, row in enumerate(rows):
        this = update(_photos).where(_photos.c.id == row.id)
        async with parts.database.transaction() as connection:
            forgotten = this.where(unconfirmed, _photos.c.upload_name == row.upload_name).values(upload_name="")
            if (await connection.execute(forgotten)).rowcount != 1:
                continue
        try:
            await parts.media.delete(photos.photo_prefix(row.user_id, row.id) + row.upload_name)
        except SilverTalkError as error:
            log.info("uploads_left", code=error.code)
            async with parts.database.transaction() as connection:
                unasked = this.where(_photos.c.upload_name == "", _photos.c.updated_at < before)
                await connection.execute(unasked.values(upload_name=row.upload_name))
            return count
    return len(rows)
