"""People: who they are and how they want to be treated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database, refuse_erased
from silvertalk.models import User

PET_NAME = "복실이"

users: Table = User.__table__  # type: ignore[assignment]


async def ensure_person(database: Database, connection: AsyncConnection, user: str) -> None:
    """See to it that `user` has a row, before something is written that hangs on it: a guest has none until then.

    Raises AccountErased for somebody who is deleted.
    """
    await refuse_erased(connection, user)
    await connection.execute(
        database.insert(users).values(new_person(user)).on_conflict_do_nothing(index_elements=["id"])
    )


def new_person(user: str, **known: Any) -> dict[str, Any]:
    """A row of `users` for somebody of whom nothing but this is known."""
    now = datetime.now(UTC)
    return {
        "id": user,
        "kakao_id": None,
        "nickname": "",
        "profile_image": "",
        "form_of_address": "",
        "pet_name": PET_NAME,
        "birth_date": None,
        "voice": "",
        "font_scale": 1.0,
        "quiet_from": "",
        "quiet_until": "",
        "time_zone": "",
        "guardian_name": "",
        "guardian_phone": "",
        "created_at": now,
        "updated_at": now,
        **known,
    }
