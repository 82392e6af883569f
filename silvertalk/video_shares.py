"""Links by which anybody may see one video: for a family's chat, without a login, until they expire or are revoked.

A link is 256 random bits. Only their hash is kept, so that nobody who reads the database can open one, and who lost a
link gets another. There is no list of what is shared: whoever has no link finds nothing.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal, NamedTuple

from sqlalchemy import Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit, videos
from silvertalk.database import Database, is_erased, refuse_erased
from silvertalk.errors import RateLimited, VideoNotReady
from silvertalk.models import Video, VideoShare

DAYS, MAX_DAYS = 30, 365
MAX_SHARES = 50
"""Good at the same time, of one video."""
TOKEN_BYTES = 32

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

shares: Table = VideoShare.__table__  # type: ignore[assignment]


class Shared(NamedTuple):
    """A link that was just made: the one time that it is known."""

    token: str
    share: VideoShare
    video: Video


class Found(NamedTuple):
    """What a link leads to. `state`: "open"; "over", it expired or was revoked, or its person is gone; "unknown"."""

    state: Literal["open", "over", "unknown"]
    video: Video | None = None
    expires_at: datetime | None = None


def share_id(token: str) -> str:
    """What a link is called by its owner, and how it is kept."""
    return sha256(f"silvertalk share {token}".encode()).hexdigest()


async def share(database: Database, user: str, video: str, *, days: int = DAYS) -> Shared:
    """A new link to a video that is ready. Raises NotFound, VideoNotReady, RateLimited where it has enough."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = datetime.now(UTC)
    row = {
        "token_hash": share_id(token),
        "video_id": video,
        "user_id": user,
        "created_at": now,
        "expires_at": now + timedelta(days=days),
        "revoked_at": None,
    }
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        found = await videos.one(connection, user, video)
        if found.status != "completed":
            raise VideoNotReady
        alive = select(func.count()).where(
            shares.c.video_id == video, shares.c.revoked_at.is_(None), shares.c.expires_at > now
        )
        if (await connection.execute(alive)).scalar_one() >= MAX_SHARES:
            raise RateLimited(retry_after_seconds=24 * 3600)
        made = (await connection.execute(database.insert(shares).values(row).returning(shares))).one()
        await audit.note(connection, user, "video_shared", video)
    return Shared(token, VideoShare(**made._mapping), found)


async def listed(connection: AsyncConnection, user: str, video: str) -> list[VideoShare]:
    """The links that are good, the newest first. Raises NotFound."""
    await videos.one(connection, user, video)
    asked = (
        select(shares)
        .where(shares.c.video_id == video, shares.c.user_id == user)
        .where(shares.c.revoked_at.is_(None), shares.c.expires_at > datetime.now(UTC))
        .order_by(shares.c.created_at.desc(), shares.c.token_hash)
    )
    return [VideoShare(**row._mapping) for row in await connection.execute(asked)]


async def revoke(database: Database, user: str, video: str, share_id: str | None = None) -> int:
    """This link is worth nothing any more, or all are; how many that were. Raises NotFound for a video of nobody's."""
    good = (shares.c.video_id == video, shares.c.user_id == user, shares.c.revoked_at.is_(None))
    revoked = update(shares).where(*good).values(revoked_at=datetime.now(UTC))
    if share_id is not None:
        revoked = revoked.where(shares.c.token_hash == share_id)
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        await videos.one(connection, user, video)
        count = (await connection.execute(revoked)).rowcount
        if count:
            await audit.note(connection, user, "video_share_revoked", video)
    return count


async def opened(database: Database, token: str) -> Found:
    """What a link leads to, for anybody who has it. Raises DatabaseAway."""
    if not _TOKEN.fullmatch(token):
        return Found("unknown")
    async with database.transaction() as connection:
        asked = select(shares).where(shares.c.token_hash == share_id(token))
        row = (await connection.execute(asked)).one_or_none()
        if row is None:
            return Found("unknown")
        over = row.revoked_at is not None or row.expires_at <= datetime.now(UTC)
        if over or await is_erased(connection, row.user_id):
            return Found("over")
        shown = select(videos.videos).where(videos.videos.c.id == row.video_id, videos.videos.c.status == "completed")
        found = (await connection.execute(shown)).one_or_none()
    return Found("over") if found is None else Found("open", Video(**found._mapping), row.expires_at)
