"""Memory videos: one made of one conversation, for the family. Asked for here, made by `silvertalk.video_work`.

A video's row says what becomes of it; its job says how far that is. `cancelled` is final for the job in hand, which
finds it out within a second and leaves nothing behind; `retry` begins anew with another job, and what an older one
still writes counts for nothing, since the row names the job that may change it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.columns import new_id
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import NotFound, NothingToShow, RateLimited, StoryNotFinished, VideoSettled
from silvertalk.jobs import Jobs, jobs
from silvertalk.media.store import MediaStore, user_prefix
from silvertalk.models import Photo, Session, SessionPhoto, Video
from silvertalk.notices import Notices
from silvertalk.paging import Cursor, Page, page_of
from silvertalk.people import ensure_person
from streaming.voices import VoiceName

NEW_DAYS = 14
"""How long a video that nobody has seen is announced."""
MAX_UNDER_WAY = 3
"""Of one person at once: a film takes a worker's place for minutes."""
UNDER_WAY = ("pending", "processing")
WITH_PICTURE = ("ready", "processing")
"""States of a photo that a film can show, or soon can."""

VideoType = Literal["slideshow", "ai_animated"]

videos: Table = Video.__table__  # type: ignore[assignment]
_sessions: Table = Session.__table__  # type: ignore[assignment]
_session_photos: Table = SessionPhoto.__table__  # type: ignore[assignment]
_photos: Table = Photo.__table__  # type: ignore[assignment]


class Narrator(NamedTuple):
    """A voice that reads a video's story."""

    id: VoiceName
    name: str
    description: str


NARRATORS = (
    Narrator("warm_female", "따뜻한 여성 목소리", "차분하고 다정하게 이야기를 들려줘요."),
    Narrator("soft_male", "부드러운 남성 목소리", "낮고 편안하게 이야기를 들려줘요."),
    Narrator("bright_female", "밝은 여성 목소리", "또렷하고 환하게 이야기를 들려줘요."),
)
"""The first is the one that is taken where nobody chose."""


class Progress(NamedTuple):
    """How far a video is, as its job has it. `progress` 0 to 1."""

    stage: str = ""
    progress: float = 0.0


def video_prefix(user: str, video: str) -> str:
    """Where everything of a video lies in the media store."""
    return f"{user_prefix(user)}videos/{video}/"


# --- asking for one --------------------------------------------------------------------------------------------------


async def generate(
    database: Database,
    jobs_of: Jobs,
    notices: Notices,
    user: str,
    session: str,
    *,
    video_type: VideoType = "slideshow",
    voice_id: VoiceName | None = None,
    own_voice: bool = True,
) -> Video:
    """Have one made of a finished conversation; one that is being made of it is that one.

    Raises NotFound, StoryNotFinished, NothingToShow, and RateLimited while enough are being made.
    """
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        found = await _held(connection, user, session)
        if (under_way := await _under_way(connection, user, session)) is not None:
            return under_way
        if found.finished_at is None:
            raise StoryNotFinished
        if not await _has_picture(connection, session):
            raise NothingToShow
        await _check_room(connection, user)
        await ensure_person(database, connection, user)
        row = _new_row(user, session, video_type, voice_id or NARRATORS[0].id, own_voice)
        row["job_id"] = await jobs_of.record(connection, "video", user, row["id"])
        made = (await connection.execute(database.insert(videos).values(row).returning(videos))).one()
        await _tell(notices, connection, user, row["id"], session, "pending")
    await jobs_of.start(row["job_id"])
    await notices.publish(user)
    return Video(**made._mapping)


def _new_row(user: str, session: str, video_type: str, voice_id: str, own_voice: bool) -> dict[str, Any]:
    return {
        "id": new_id(),
        "user_id": user,
        "session_id": session,
        "video_type": video_type,
        "status": "pending",
        "object_key": "",
        "thumbnail_key": "",
        "duration_seconds": 0.0,
        "created_at": datetime.now(UTC),
        "title": "",
        "voice_id": voice_id,
        "own_voice": own_voice,
        "error_code": "",
    }


async def _held(connection: AsyncConnection, user: str, session: str) -> Any:
    """The conversation, held until the transaction is over, so that nobody else asks for its video meanwhile."""
    mine = (_sessions.c.id == session, _sessions.c.user_id == user, _sessions.c.deleted_at.is_(None))
    held = update(_sessions).where(*mine).values(turn_count=_sessions.c.turn_count).returning(_sessions)
    if (row := (await connection.execute(held)).one_or_none()) is None:
        raise NotFound
    return row


async def _under_way(connection: AsyncConnection, user: str, session: str) -> Video | None:
    asked = select(videos).where(
        videos.c.user_id == user, videos.c.session_id == session, videos.c.status.in_(UNDER_WAY)
    )
    row = (await connection.execute(asked.order_by(videos.c.created_at).limit(1))).one_or_none()
    return None if row is None else Video(**row._mapping)


async def _has_picture(connection: AsyncConnection, session: str) -> bool:
    asked = (
        select(_photos.c.id)
        .join(_session_photos, _session_photos.c.photo_id == _photos.c.id)
        .where(_session_photos.c.session_id == session, _photos.c.status.in_(WITH_PICTURE))
    )
    return (await connection.execute(asked.limit(1))).first() is not None


async def _check_room(connection: AsyncConnection, user: str) -> None:
    asked = select(func.count()).where(videos.c.user_id == user, videos.c.status.in_(UNDER_WAY))
    if (await connection.execute(asked)).scalar_one() >= MAX_UNDER_WAY:
        raise RateLimited(retry_after_seconds=60)


async def retry(database: Database, jobs_of: Jobs, notices: Notices, user: str, video: str) -> Video:
    """Make one anew that failed or was cancelled; one that is being made goes on. Raises NotFound, VideoSettled for one
    that is there, RateLimited."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        await _held(connection, user, (await one(connection, user, video)).session_id)
        found = await one(connection, user, video)
        if found.status in UNDER_WAY:
            return found
        if found.status == "completed":
            raise VideoSettled
        await _check_room(connection, user)
        # A job that was cancelled may still be on its way out: it is not this one, and may change nothing more.
        leaving = update(jobs).where(jobs.c.user_id == user, jobs.c.kind == "video", jobs.c.subject_id == video)
        leaving = leaving.where(jobs.c.status.in_(("pending", "running"))).values(status="cancelled", holder="")
        left = (await connection.execute(leaving.returning(jobs.c.result))).scalar_one_or_none()
        job = await jobs_of.record(connection, "video", user, video)
        if left:  # what it had begun outside is the new one's to take away
            await connection.execute(update(jobs).where(jobs.c.id == job).values(result=left))
        again = {"status": "pending", "story": None, "error_code": "", "job_id": job}
        row = (await connection.execute(_mine(user, video).values(again).returning(videos))).one()
        await _tell(notices, connection, user, video, found.session_id, "pending")
    await jobs_of.start(job)
    await notices.publish(user)
    return Video(**row._mapping)


async def cancel(database: Database, jobs_of: Jobs, notices: Notices, user: str, video: str) -> Video:
    """Do not make it. Said twice it stays so. Raises NotFound, VideoSettled for one that is made or has failed."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        stopped = _mine(user, video).where(videos.c.status.in_(UNDER_WAY)).values(status="cancelled")
        row = (await connection.execute(stopped.returning(videos))).one_or_none()
        if row is None:
            found = await one(connection, user, video)
            if found.status != "cancelled":
                raise VideoSettled
            return found
        await _tell(notices, connection, user, video, row.session_id, "cancelled")
    await jobs_of.wake(row.job_id)  # one that waits for something ends at once
    await notices.publish(user)
    return Video(**row._mapping)


async def _tell(
    notices: Notices, connection: AsyncConnection, user: str, video: str, session: str, status: str, error: str = ""
) -> None:
    told = {"id": video, "session_id": session, "status": status, "error_code": error}
    await notices.record(connection, user, "video", told)


# --- looking ---------------------------------------------------------------------------------------------------------


async def listed(database: Database, user: str, *, limit: int, after: Cursor | None) -> Page[Video]:
    """A person's videos, the newest first."""
    asked = select(videos).where(videos.c.user_id == user)
    if after is not None:
        asked = asked.where(after.before(videos.c.created_at, videos.c.id))
    asked = asked.order_by(videos.c.created_at.desc(), videos.c.id.desc()).limit(limit + 1)
    async with database.transaction() as connection:
        rows = (await connection.execute(asked)).all()
    return page_of([Video(**row._mapping) for row in rows], limit, lambda video: Cursor(video.created_at, video.id))


async def one(connection: AsyncConnection, user: str, video: str) -> Video:
    """Raises NotFound."""
    asked = select(videos).where(videos.c.id == video, videos.c.user_id == user)
    if (row := (await connection.execute(asked)).one_or_none()) is None:
        raise NotFound
    return Video(**row._mapping)


async def progress_of(connection: AsyncConnection, video: Video) -> Progress:
    """How far it is; "waiting" until a worker has begun."""
    if video.status == "completed":
        return Progress("done", 1.0)
    asked = select(jobs.c.stage, jobs.c.progress).where(jobs.c.id == video.job_id, jobs.c.user_id == video.user_id)
    row = (await connection.execute(asked)).one_or_none()
    stage, progress = (row.stage, row.progress) if row is not None else ("", 0.0)
    return Progress(stage or "waiting", progress) if video.status in UNDER_WAY else Progress("", progress)


async def mark_seen(database: Database, user: str, video: str) -> None:
    """They have looked at it, the first time only. Raises NotFound."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        await one(connection, user, video)
        unseen = _mine(user, video).where(videos.c.status == "completed", videos.c.seen_at.is_(None))
        await connection.execute(unseen.values(seen_at=datetime.now(UTC)))


async def unseen(connection: AsyncConnection, user: str, limit: int) -> list[Video]:
    """Those that were finished lately and that nobody has looked at."""
    asked = (
        select(videos)
        .where(
            videos.c.user_id == user,
            videos.c.status == "completed",
            videos.c.seen_at.is_(None),
            videos.c.completed_at > datetime.now(UTC) - timedelta(days=NEW_DAYS),
        )
        .order_by(videos.c.completed_at.desc(), videos.c.id.desc())
        .limit(limit)
    )
    return [Video(**row._mapping) for row in await connection.execute(asked)]


def _mine(user: str, video: str) -> Any:
    return update(videos).where(videos.c.id == video, videos.c.user_id == user)


# --- deleting --------------------------------------------------------------------------------------------------------


async def remove(database: Database, media: MediaStore, user: str, video: str) -> None:
    """The objects, then the row: while the store is away nothing is lost sight of. Then the objects once more: a worker
    may have put one in between. Should one do so even later, it finds no row, and takes it away itself.

    Raises NotFound, MediaAway."""
    async with database.transaction() as connection:
        found = await one(connection, user, video)
    await delete_objects(media, [found])
    async with database.transaction() as connection:
        await connection.execute(delete(videos).where(videos.c.id == video, videos.c.user_id == user))
        await audit.note(connection, user, "video_deleted", video)
    await delete_objects(media, [found])


async def delete_objects(media: MediaStore, those: list[Video]) -> None:
    """All that lies there of these videos, whether a row names it or not. Raises MediaAway."""
    for video in those:
        if keys := [key for key in (video.object_key, video.thumbnail_key) if key]:
            await media.delete(*keys)  # those of a guest who joined an account lie elsewhere for a while
        await media.delete_below(video_prefix(video.user_id, video.id))
