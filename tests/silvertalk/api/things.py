"""Rows of a person's things, as other parts of the product write them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table

from silvertalk.database import Database
from silvertalk.models import Memory, Photo, User, Video
from silvertalk.people import ensure_person, new_person

NOON = datetime(2026, 11, 3, 3, 0, tzinfo=UTC)
"""In Seoul."""


async def _put(database: Database, table: Any, row: dict[str, Any]) -> dict[str, Any]:
    there: Table = table.__table__
    async with database.transaction() as connection:
        await ensure_person(database, connection, row.get("user_id", row["id"]))
        added = database.insert(there).values(row)
        await connection.execute(added.on_conflict_do_update(index_elements=["id"], set_=row))
    return row


async def person(database: Database, user: str, **known: Any) -> dict[str, Any]:
    """What a person says of themselves."""
    return await _put(database, User, new_person(user, **known))


async def photo(database: Database, user: str, **known: Any) -> str:
    """A photo that was uploaded; its id."""
    name = str(uuid.uuid4())
    row = {
        "id": name,
        "user_id": user,
        "local_uri": f"ph://{name}",
        "status": "ready",
        "refusal": "",
        "object_key": f"u/{user}/photos/{name}/original.jpg",
        "shared_key": f"u/{user}/photos/{name}/shared.jpg",
        "thumbnail_key": f"u/{user}/photos/{name}/thumbnail.jpg",
        "content_type": "image/jpeg",
        "size_bytes": 1000,
        "width": 40,
        "height": 30,
        "taken_at": NOON,
        "location_name": "",
        "latitude": None,
        "longitude": None,
        "analysis": None,
        "view_count": 0,
        "last_session_id": "",
        "created_at": NOON,
        "updated_at": NOON,
        **known,
    }
    return str((await _put(database, Photo, row))["id"])


async def memory(database: Database, user: str, **known: Any) -> str:
    """Something that was told; its id."""
    row = {
        "id": str(uuid.uuid4()),
        "user_id": user,
        "category": "family",
        "fact": "손주 이름은 민준이다.",
        "importance": 3,
        "confidence": 0.8,
        "source": "talk",
        "session_id": "",
        "turn_number": None,
        "created_at": NOON,
        "updated_at": NOON,
        **known,
    }
    return str((await _put(database, Memory, row))["id"])


async def video(database: Database, user: str, session: str, **known: Any) -> str:
    """A video that is ready; its id."""
    name = str(uuid.uuid4())
    row = {
        "id": name,
        "user_id": user,
        "session_id": session,
        "video_type": "slideshow",
        "status": "completed",
        "object_key": f"u/{user}/videos/{name}/film.mp4",
        "thumbnail_key": f"u/{user}/videos/{name}/still.jpg",
        "duration_seconds": 32.5,
        "created_at": NOON,
        "completed_at": datetime.now(UTC),
        "seen_at": None,
        **known,
    }
    return str((await _put(database, Video, row))["id"])
