"""How photos come in: a form that allows one upload, the word that it is done, and the old way through this server.

An original goes up under a key that the server chose, is never shared, and is made into what may be shown by a job
(`silvertalk.photo_work`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.conversations import photos, session_photos, sessions
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import MediaAway, MediaTooLarge, NotFound, PictureTypeRefused, UploadMissing
from silvertalk.jobs import Jobs
from silvertalk.media.images import CONTENT_TYPES
from silvertalk.media.store import MediaStore, Upload
from silvertalk.models import Photo
from silvertalk.people import ensure_person
from silvertalk.photos import SHOWN_AT_ALL, Told, mine, new_photo, photo_of, photo_prefix, room_for
from silvertalk.treatment import treatment_of

_TYPES = {ending: content_type for content_type, ending in CONTENT_TYPES.items()}


def original_key(user: str, photo: str, content_type: str) -> str:
    """Raises PictureTypeRefused."""
    if content_type not in CONTENT_TYPES:
        raise PictureTypeRefused
    return f"{photo_prefix(user, photo)}original.{CONTENT_TYPES[content_type]}"


def keeps_original(photo: Photo) -> bool:
    """Whether there is something that an upload must not take away before it has come itself."""
    return bool(photo.object_key) and photo.status in ("ready", "processing", "refused")


def _beside(user: str, photo: Photo, content_type: str) -> str:
    """Where another original goes, while the one that the row names is kept. Raises PictureTypeRefused."""
    key = original_key(user, photo.id, content_type)
    folder, _, name = key.rpartition("/")
    taken = photo.object_key.rpartition("/")[2].partition(".")[0]
    return f"{folder}/{name.replace('original', 'another', 1)}" if taken == "original" else key


class PhotoUploads:
    """How photos come in. `max_bytes` is the largest that is taken."""

    def __init__(self, database: Database, media: MediaStore, jobs: Jobs, *, max_bytes: int, default_zone: str) -> None:
        self._database = database
        self._media = media
        self._jobs = jobs
        self._max_bytes = max_bytes
        self._default_zone = default_zone

    async def allow(self, user: str, content_type: str, size_bytes: int, told: Told) -> tuple[Photo, Upload]:
        """A photo that is awaited, and the form it may be uploaded with. One of the phone's that is known stays the
        same photo. Raises MediaTooLarge, PictureTypeRefused, GalleryFull, MediaAway."""
        if size_bytes > self._max_bytes:
            raise MediaTooLarge
        original_key(user, "any", content_type)  # of a kind that is taken, before there is a row
        async with self._database.transaction() as connection:
            await ensure_person(self._database, connection, user)
            zone = (await treatment_of(connection, user, self._default_zone)).zone
            photo = await self._awaited(connection, user, told.values(zone))
            key = original_key(user, photo.id, content_type)
            changed = {"object_key": key, "content_type": content_type, "upload_name": ""}
            if keeps_original(photo):
                key = _beside(user, photo, content_type)
                changed = {"upload_name": key.rpartition("/")[2]}
            changed_at = datetime.now(UTC)
            await connection.execute(
                update(photos).where(*mine(user, photo.id)).values(**changed, updated_at=changed_at)
            )
        upload = await self._media.upload_form(key, content_type=content_type, max_bytes=size_bytes)
        return photo, upload

    async def _awaited(self, connection: AsyncConnection, user: str, values: dict[str, Any]) -> Photo:
        """The row of what the phone tells of. What is shown already stays so until something else has come."""
        there = select(photos).where(photos.c.user_id == user, photos.c.local_uri == values["local_uri"])
        row = (await connection.execute(there)).one_or_none() if values["local_uri"] is not None else None
        if row is None:
            await room_for(connection, user, 1)
            fresh = new_photo(user, "awaited", **values)
            await connection.execute(self._database.insert(photos).values(fresh))
            return Photo(**fresh)
        photo = Photo(**row._mapping)
        if photo.status == "known" or photo.status == "refused" and not keeps_original(photo):
            photo.status = "awaited"
            changed = {"status": "awaited", "refusal": "", "updated_at": datetime.now(UTC)}
            await connection.execute(update(photos).where(*mine(user, photo.id)).values(**changed))
        return photo

    async def complete(self, user: str, photo: str) -> Photo:
        """The client says that it has uploaded the photo: what came is looked at, and a job makes of it what is shown.
        Said again, it is so. Raises NotFound, UploadMissing, MediaAway."""
        found = await photo_of(self._database, user, photo)
        key, content_type = found.object_key, found.content_type
        if found.upload_name:
            key = photo_prefix(user, photo) + found.upload_name
            content_type = _TYPES.get(found.upload_name.rpartition(".")[2], "")
        stored = await self._media.head(key) if key else None
        if stored is None or stored.content_type != content_type or stored.size_bytes > self._max_bytes:
            raise UploadMissing
        if found.status == "ready" and not found.upload_name and stored.size_bytes == found.size_bytes:
            return found
        begins = {"object_key": key, "content_type": content_type, "size_bytes": stored.size_bytes, "upload_name": ""}
        async with self._database.transaction() as connection:
            await refuse_erased(connection, user)
            begun = (
                update(photos)
                .where(*mine(user, photo), SHOWN_AT_ALL, photos.c.upload_name == found.upload_name)
                .values(status="processing", refusal="", updated_at=datetime.now(UTC), **begins)
                .returning(photos)
            )
            row = (await connection.execute(begun)).one_or_none()
            if row is None:
                raise NotFound
            job = await self._jobs.record(connection, "thumbnails", user, photo)
        if found.object_key not in ("", key):
            with suppress(MediaAway):  # it lies below the photo's prefix, and goes with the photo at the latest
                await self._media.delete(found.object_key)
        await self._jobs.start(job)
        return Photo(**row._mapping)

    async def put(self, user: str, data: bytes, content_type: str) -> dict[str, Any]:
        """Keep a picture that came through the gateway; its row, still to be written by `add`. Raises MediaTooLarge,
        PictureTypeRefused, MediaAway."""
        if len(data) > self._max_bytes:
            raise MediaTooLarge
        row = new_photo(user, "processing", content_type=content_type, size_bytes=len(data))
        row["object_key"] = original_key(user, row["id"], content_type)
        await self._media.put(row["object_key"], data, content_type)
        return row

    async def discard(self, rows: Sequence[dict[str, Any]]) -> None:
        """What was put for these is not wanted after all. Raises MediaAway."""
        for row in rows:
            await self._media.delete_below(photo_prefix(row["user_id"], row["id"]))

    async def add(self, user: str, session: str, rows: Sequence[dict[str, Any]], first_order: int) -> list[Photo]:
        """Have these be photos of the person and of the conversation, in their order. Raises NotFound, GalleryFull."""
        now = datetime.now(UTC)
        async with self._database.transaction() as connection:
            await ensure_person(self._database, connection, user)
            await check_session(connection, user, session)
            await room_for(connection, user, len(rows))
            await connection.execute(self._database.insert(photos).values(list(rows)))
            places = [
                {"session_id": session, "photo_id": row["id"], "display_order": first_order + index, "added_at": now}
                for index, row in enumerate(rows)
            ]
            await connection.execute(self._database.insert(session_photos).values(places))
            begun = [await self._jobs.record(connection, "thumbnails", user, row["id"]) for row in rows]
        for job in begun:
            await self._jobs.start(job)
        return [Photo(**row) for row in rows]


async def check_session(connection: AsyncConnection, user: str, session: str) -> None:
    """Raises NotFound unless there is such a conversation of theirs."""
    mine = select(sessions.c.id).where(
        sessions.c.id == session, sessions.c.user_id == user, sessions.c.deleted_at.is_(None)
    )
    if (await connection.execute(mine)).one_or_none() is None:
        raise NotFound
