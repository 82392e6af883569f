"""The audit: who did what to whose data. Nothing of what was seen or said stands in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from structlog.contextvars import get_contextvars

from silvertalk.models import Audit

Action = Literal[
    "calendar_event_deleted",
    "conversation_deleted",
    "export_asked",
    "export_link_given",
    "guest_joined",
    "memory_deleted",
    "photo_deleted",
    "photo_refused",
    "video_deleted",
    "video_share_revoked",
    "video_shared",
    "voice_link_given",
    "voice_links_given",
]

_audit: Table = Audit.__table__  # type: ignore[assignment]


async def note(connection: AsyncConnection, user: str, action: Action, subject: str) -> None:
    """Add a row, in the transaction of what it tells of. The request it was done for is the one being answered."""
    request_id = str(get_contextvars().get("request_id", ""))
    row = {"user_id": user, "action": action, "subject_id": subject, "request_id": request_id, "at": datetime.now(UTC)}
    await connection.execute(insert(_audit).values(row))
