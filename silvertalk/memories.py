"""What a person told, or their family knows, in one sentence each, with where it came from.

The person has the last word: what they correct is theirs from then on, and what they delete is gone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Table, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.columns import new_id
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import NotFound, RequestInvalid
from silvertalk.models import Memory
from silvertalk.paging import Cursor, Page, page_of
from silvertalk.people import ensure_person

Category = Literal["family", "travel", "food", "hobby", "emotion", "other"]
Source = Literal["talk", "person", "family"]
MAX_FACT_CHARACTERS = 500
LEAST, MOST = 1, 5
"""Importance."""

memories: Table = Memory.__table__  # type: ignore[assignment]


async def listed(
    database: Database, user: str, category: Category | None, *, limit: int, after: Cursor | None
) -> Page[Memory]:
    """A person's memories, the most important first, the newest first among equals."""
    asked = select(memories).where(memories.c.user_id == user)
    if category is not None:
        asked = asked.where(memories.c.category == category)
    if after is not None:
        asked = asked.where(_beyond(after))
    order = memories.c.importance.desc(), memories.c.updated_at.desc(), memories.c.id.desc()
    async with database.transaction() as connection:
        rows = (await connection.execute(asked.order_by(*order).limit(limit + 1))).all()
    return page_of([Memory(**row._mapping) for row in rows], limit, _cursor)


def _cursor(memory: Memory) -> Cursor:
    return Cursor(memory.updated_at, f"{memory.importance}:{memory.id}")


def _beyond(after: Cursor) -> ColumnElement[bool]:
    digits, _, memory = after.id.partition(":")
    if not (digits.isascii() and digits.isdecimal() and len(digits) == 1):
        raise RequestInvalid(fields=(("query.cursor", "not a cursor of this list"),))
    importance = memories.c.importance
    rest = Cursor(after.at, memory).before(memories.c.updated_at, memories.c.id)
    return or_(importance < int(digits), and_(importance == int(digits), rest))


async def most_important(connection: AsyncConnection, user: str, limit: int) -> list[str]:
    """The facts that are worth knowing in every conversation."""
    asked = (
        select(memories.c.fact)
        .where(memories.c.user_id == user)
        .order_by(memories.c.importance.desc(), memories.c.updated_at.desc(), memories.c.id.desc())
        .limit(limit)
    )
    return list((await connection.execute(asked)).scalars())


async def add(
    database: Database,
    connection: AsyncConnection,
    user: str,
    *,
    category: Category,
    fact: str,
    importance: int,
    source: Source,
) -> Memory:
    """Write down what somebody typed."""
    now = datetime.now(UTC)
    row = {
        "id": new_id(),
        "user_id": user,
        "category": category,
        "fact": fact,
        "importance": importance,
        "confidence": 1.0,
        "source": source,
        "session_id": "",
        "turn_number": None,
        "created_at": now,
        "updated_at": now,
    }
    await ensure_person(database, connection, user)
    made = await connection.execute(database.insert(memories).values(row).returning(memories))
    return Memory(**made.one()._mapping)


async def correct(connection: AsyncConnection, user: str, memory: str, changes: dict[str, Any]) -> Memory:
    """Change one. From then on it is what the person says. Raises NotFound."""
    await refuse_erased(connection, user)
    values = changes | {"source": "person", "confidence": 1.0, "updated_at": datetime.now(UTC)}
    changed = await connection.execute(
        update(memories).where(memories.c.id == memory, memories.c.user_id == user).values(values).returning(memories)
    )
    if (row := changed.one_or_none()) is None:
        raise NotFound
    return Memory(**row._mapping)


async def forget(connection: AsyncConnection, user: str, memory: str) -> None:
    """Raises NotFound."""
    await refuse_erased(connection, user)
    gone = await connection.execute(delete(memories).where(memories.c.id == memory, memories.c.user_id == user))
    if gone.rowcount != 1:
        raise NotFound
    await audit.note(connection, user, "memory_deleted", memory)
