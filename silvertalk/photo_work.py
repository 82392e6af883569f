"""The job "thumbnails": of an uploaded picture, what may be shown of it, and when and where it was taken.

Done twice it comes to the same: the copies lie under keys that follow from the photo's id, and the row changes once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.conversations import photos
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import AccountErased, MediaTooLarge, NotFound
from silvertalk.job_kinds import Report, WorkParts
from silvertalk.jobs import JobRow, Jobs
from silvertalk.looking import outside_allowed
from silvertalk.media.images import SHARED_TYPE, ImageRefused, Rendered, render
from silvertalk.media.store import MediaStore
from silvertalk.models import Photo
from silvertalk.notices import Notices
from silvertalk.photos import photo_of, photo_prefix, shared_key, thumbnail_key
from silvertalk.scratch import scratch_folder, scratch_of
from silvertalk.treatment import treatment_of

NOT_MADE = "not_made"
"""Why a photo is refused of which nothing could be made in time, through no fault of its own."""
_UNFINISHED = or_(photos.c.status == "processing", and_(photos.c.status == "refused", photos.c.object_key != ""))
"""What can be worked on: also what was given up, whose original is still there."""


async def make_thumbnails(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any] | None:
    """The job's work: `job.subject_id` is the photo's. Raises MediaAway and DatabaseAway, to be tried again."""
    settings = parts.settings
    work = PhotoWork(
        parts.database,
        parts.media,
        parts.jobs,
        parts.notices,
        scratch_of(settings),
        max_bytes=settings.max_photo_bytes,
        default_zone=settings.time_zone,
        outside_allowed=settings.outside_services_allowed,
    )
    status = await work.do(job.user_id, job.subject_id)
    return {"status": status}


async def give_up_photo(parts: WorkParts, connection: AsyncConnection, job: JobRow) -> None:
    """The job is a dead letter: the photo is refused, so that nobody waits for it for ever. Its original stays, and the
    job may be done after all, or asked for anew by `complete`."""
    given_up = await connection.execute(
        update(photos)
        .where(photos.c.id == job.subject_id, photos.c.user_id == job.user_id, photos.c.status == "processing")
        .values(status="refused", refusal=NOT_MADE, updated_at=datetime.now(UTC))
    )
    if given_up.rowcount == 1:
        notice = {"photo_id": job.subject_id, "status": "refused", "refusal": NOT_MADE}
        await parts.notices.record(connection, job.user_id, "photo", notice)


class PhotoWork:
    """Makes what may be shown of a photo."""

    def __init__(
        self,
        database: Database,
        media: MediaStore,
        jobs: Jobs,
        notices: Notices,
        scratch: Path,
        *,
        max_bytes: int,
        default_zone: str,
        outside_allowed: bool = False,
    ) -> None:
        """`outside_allowed`: the operator answers for services outside, and nobody is asked whether they may look."""
        self._database = database
        self._media = media
        self._jobs = jobs
        self._notices = notices
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._default_zone = default_zone
        self._outside_allowed = outside_allowed

    async def do(self, user: str, photo: str) -> str:
        """The photo's state afterwards; "gone" where it was deleted meanwhile."""
        try:
            found = await photo_of(self._database, user, photo)
        except NotFound:
            return "gone"
        if found.status != "processing" and not (found.status == "refused" and found.object_key):
            return found.status
        return await self._make(found)

    async def _make(self, found: Photo) -> str:
        user, photo = found.user_id, found.id
        try:
            data = await self._media.read(found.object_key, self._max_bytes)
        except KeyError:
            if (replaced := await self._replaced(found)) is not None:
                return await self._make(replaced)
            return await self._refuse(found, "upload_missing")
        except MediaTooLarge as error:
            return await self._refuse(found, error.code)
        async with scratch_folder(self._scratch, "photo") as folder:
            source, shared, thumbnail = (folder / name for name in ("source", "shared", "thumbnail"))
            await asyncio.to_thread(source.write_bytes, data)
            try:
                rendered = await render(source, shared, thumbnail)
            except ImageRefused as error:
                return await self._refuse(found, error.code)
            keys = {"shared_key": shared_key(user, photo), "thumbnail_key": thumbnail_key(user, photo)}
            await self._media.put(keys["shared_key"], shared, SHARED_TYPE)
            await self._media.put(keys["thumbnail_key"], thumbnail, SHARED_TYPE)
        return await self._ready(found, rendered, keys, len(data))

    async def _ready(self, photo: Photo, rendered: Rendered, keys: dict[str, str], size_bytes: int) -> str:
        """What the person or the phone said of the photo is believed before the camera."""
        try:
            there, looking = await self._fill(photo, rendered, keys, size_bytes)
        except AccountErased:
            there, looking = False, ""
        if there:
            await self._notices.publish(photo.user_id)
            if looking:
                await self._jobs.start(looking)
            return "ready"
        return await self._settled_by_another(photo, keys)

    async def _settled_by_another(self, photo: Photo, keys: dict[str, str]) -> str:
        """Another worker was quicker, and made the same; or another original came, whose copies these have perhaps
        written over; or the photo was deleted, and nobody else knows of the copies that were put since."""
        try:
            if (replaced := await self._replaced(photo)) is not None:
                return await self._make(replaced)
            return (await photo_of(self._database, photo.user_id, photo.id)).status
        except NotFound:
            await self._media.delete(*keys.values())
            return "gone"

    async def _replaced(self, photo: Photo) -> Photo | None:
        """The photo as it is now, if another original has taken the place of this one. Raises NotFound."""
        now = await photo_of(self._database, photo.user_id, photo.id)
        return now if now.object_key not in ("", photo.object_key) else None

    async def _fill(self, photo: Photo, rendered: Rendered, keys: dict[str, str], size_bytes: int) -> tuple[bool, str]:
        """Whether the photo was still there to be settled; and the job that looks at it, where one was asked for."""
        async with self._database.transaction() as connection:
            await refuse_erased(connection, photo.user_id)
            zone = (await treatment_of(connection, photo.user_id, self._default_zone)).zone
            values: dict[str, Any] = {
                **keys,
                "refusal": "",
                "width": rendered.width,
                "height": rendered.height,
                "size_bytes": size_bytes,
                "analysis": None,  # what was known was of another picture, or of none
            }
            if photo.taken_at is None:
                values["taken_at"] = rendered.taken_in(zone)
            if photo.latitude is None:
                values |= {"latitude": rendered.latitude, "longitude": rendered.longitude}
            if not await self._settle(connection, photo, "ready", values):
                return False, ""
            if not await outside_allowed(connection, photo.user_id, self._outside_allowed):
                return True, ""  # what can be known without is found out once somebody talks about it
            return True, await self._jobs.record(connection, "look", photo.user_id, photo.id)

    async def _refuse(self, photo: Photo, code: str) -> str:
        """Nothing of it is kept. `code` is what the person's devices are told."""
        await self._media.delete_below(photo_prefix(photo.user_id, photo.id))
        async with self._database.transaction() as connection:
            await refuse_erased(connection, photo.user_id)
            values = {"refusal": code, "object_key": "", "shared_key": "", "thumbnail_key": ""}
            there = await self._settle(connection, photo, "refused", values)
            if there:
                await audit.note(connection, photo.user_id, "photo_refused", photo.id)
        await self._notices.publish(photo.user_id)
        return "refused" if there else "gone"

    async def _settle(self, connection: AsyncConnection, photo: Photo, status: str, values: dict[str, Any]) -> bool:
        """False where the photo is no longer there to be settled."""
        settled = await connection.execute(
            update(photos)
            .where(photos.c.id == photo.id, photos.c.user_id == photo.user_id, _UNFINISHED)
            .where(photos.c.object_key == photo.object_key)
            .values(status=status, updated_at=datetime.now(UTC), **values)
        )
        if settled.rowcount != 1:
            return False
        notice = {"photo_id": photo.id, "status": status, "refusal": values.get("refusal", "")}
        await self._notices.record(connection, photo.user_id, "photo", notice)
        return True
