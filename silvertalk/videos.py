"""Memory videos: one made of one conversation, for the family."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.database import Database
from silvertalk.errors import NotFound
from silvertalk.media.store import MediaStore
from silvertalk.models import Video
from silvertalk.paging import Cursor, Page, page_of

NEW_DAYS = 14
"""How long a video that nobody has seen is announced."""

videos: Table = Video.__table__  # type: ignore[assignment]


class Narrator(NamedTuple):
    """A voice that reads a video's story."""

    id: str
    name: str
    description: str


NARRATORS = (
    Narrator("warm_female", "따뜻한 여성 목소리", "차분하고 다정하게 이야기를 들려줘요."),
    Narrator("soft_male", "부드러운 남성 목소리", "낮고 편안하게 이야기를 들려줘요."),
    Narrator("bright_female", "밝은 여성 목소리", "또렷하고 환하게 이야기를 들려줘요."),
)
"""The first is the one that is taken where nobody chose."""


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


async def remove(database: Database, media: MediaStore, user: str, video: str) -> None:
    """The objects, then the row: while the store is away nothing is lost sight of. Raises NotFound, MediaAway."""
    async with database.transaction() as connection:
        found = await one(connection, user, video)
    await delete_objects(media, [found])
    async with database.transaction() as connection:
        await connection.execute(delete(videos).where(videos.c.id == video, videos.c.user_id == user))
        await audit.note(connection, user, "video_deleted", video)


async def delete_objects(media: MediaStore, those: list[Video]) -> None:
    """Raises MediaAway."""
    keys = [key for video in those for key in (video.object_key, video.thumbnail_key) if key]
    if keys:
        await media.delete(*keys)
