"""Somebody who has everything: a row in every table, each text of it with a mark that can be searched for."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Float, Integer, Table, select

from silvertalk.belongings import BELONGINGS
from silvertalk.columns import Model, Moment
from silvertalk.database import Database

PLAIN: dict[str, Any] = {
    "photos.upload_name": "",  # the name of a file that is on its way, not a text
    "users.quiet_from": "22:00",
    "users.quiet_until": "07:00",
    "users.time_zone": "Asia/Seoul",
    "users.voice": "",
    "users.guardian_phone": "+821012345678",
    "consents.name": "keep_voice",
    "devices.platform": "ios",
    "turns.distress": "",
    "turns.timings": {"wait": 700.5},
    "turns.outcome": "answered",
    "memories.category": "family",
    "memories.source": "talk",
    "videos.video_type": "slideshow",
    "videos.status": "completed",
    "videos.story": None,
    "video_shares.revoked_at": None,
    "photos.status": "known",
    "jobs.status": "done",
    "sessions.opened_at": None,
    "sessions.finished_at": None,
    "sessions.deleted_at": None,
}
"""Columns with values of their own."""
AT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)


async def furnish(database: Database, user: str, mark: str, *, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
    """A row of every table that can hold somebody's, for `user`; returns the rows by table."""
    made: dict[str, dict[str, Any]] = {}
    async with database.transaction() as connection:
        for belonging in reversed(BELONGINGS):
            table = belonging.table
            if table.name in skip:
                continue
            row = {column.name: _value(table, column, user, mark, made) for column in table.columns}
            row = {name: value for name, value in row.items() if value is not Ellipsis}
            await connection.execute(database.insert(table).values(row))
            made[table.name] = row
    return made


def _value(table: Table, column: Column[Any], user: str, mark: str, made: dict[str, dict[str, Any]]) -> Any:
    if column.name == "user_id" or (table.name, column.name) == ("users", "id"):
        return user
    if column.name.endswith("_key"):
        return f"u/{user}/{mark}/{column.name}"
    for key in column.foreign_keys:
        return made[key.column.table.name][key.column.name]
    if (where := f"{table.name}.{column.name}") in PLAIN:
        return PLAIN[where]
    if isinstance(column.type, Integer):
        return Ellipsis if column.primary_key else 1
    length: int | None = getattr(column.type, "length", None)
    if column.primary_key and column.name in ("hash", "token_hash"):
        return uuid.uuid4().hex * 2
    if column.primary_key and length is not None:
        return uuid.uuid4().hex if length < 36 or table.name == "sessions" else str(uuid.uuid4())
    kinds: dict[type, Any] = {Boolean: True, Float: 1.0, JSON: {"of": mark}, Moment: AT, Date: date(1945, 8, 15)}
    for kind, value in kinds.items():
        if isinstance(column.type, kind):
            return value
    return f"{mark} {column.name}" if length is None else f"{mark}-{column.name}"[:length]


async def rows_with(database: Database, *marks: str) -> list[str]:
    """Where a mark stands in any row of any table."""
    found = []
    async with database.transaction() as connection:
        for table in Model.metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                text = repr(tuple(row))
                found += [f"{table.name}: {mark}" for mark in marks if mark in text]
    return found
