"""What a person told, or their family knows, in one sentence each, with where it came from.

The person has the last word: what they correct is theirs from then on, and what they want forgotten is gone. It would
come back from the turns in which it was told, so these are marked (`turns.forgotten`): no summary, no memory and no
reply draws on them any more, while they stay in the conversation that the person can read, and delete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, and_, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.columns import new_id
from silvertalk.consents import has_agreed
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import NotFound, RequestInvalid
from silvertalk.grounding import is_about, is_told_in
from silvertalk.models import Memory, Session, Turn
from silvertalk.paging import Cursor, Page, page_of
from silvertalk.people import ensure_person
from silvertalk.plain_words import words_of
from silvertalk.recall import Fact

Category = Literal["family", "travel", "food", "hobby", "emotion", "other"]
Source = Literal["talk", "person", "family"]
MAX_FACT_CHARACTERS = 500
LEAST, MOST = 1, 5
"""Importance."""

MAX_KNOWN = 500
"""Memories that are looked through for what belongs to the words of a turn: the most important, the newest among
equals."""
MAX_SEARCHED_TURNS = 2_000
"""Turns that hold a word of what is to be forgotten, the newest: years of daily talk."""
MAX_TRACED = 50
"""Memories that are to be forgotten of which other turns are looked for that tell the same, the most important: each
takes a tenth of a second. Of all the others the turn that they come from is marked, and every turn with all the words
that were named."""
PAGE_ROWS = 200
"""Compared at once, on a thread: words are cut and held against each other in Python, 20 to 50 µs a row, and somebody
else's talk goes on meanwhile."""

memories: Table = Memory.__table__  # type: ignore[assignment]
_turns: Table = Turn.__table__  # type: ignore[assignment]
_sessions: Table = Session.__table__  # type: ignore[assignment]

TurnName = tuple[str, int]
"""A turn's conversation and its number there."""


class Forgotten(NamedTuple):
    """What was forgotten. `remembering.ask_for_summaries` has the summaries of `sessions`, now empty, written anew."""

    memories: tuple[str, ...] = ()
    turns: tuple[TurnName, ...] = ()
    sessions: tuple[str, ...] = ()


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


async def known(connection: AsyncConnection, user: str, limit: int = MAX_KNOWN) -> list[Fact]:
    """What is remembered of somebody, the most important first, the newest first among equals."""
    return [fact_of(row) for row in await connection.execute(_foremost(user).limit(limit))]


def _foremost(user: str) -> Select[Any]:
    order = memories.c.importance.desc(), memories.c.updated_at.desc(), memories.c.id.desc()
    return select(memories).where(memories.c.user_id == user).order_by(*order)


async def recallable(connection: AsyncConnection, user: str, limit: int = MAX_KNOWN) -> list[Fact]:
    """What a conversation may know of them: nothing, unless they agreed to be remembered."""
    return await known(connection, user, limit) if await has_agreed(connection, user, "memories") else []


def fact_of(row: Any) -> Fact:
    """A row of `memories`, as it is recalled."""
    return Fact(
        id=row.id,
        text=row.fact,
        category=row.category,
        importance=row.importance,
        confidence=row.confidence,
        at=row.updated_at,
        differs_from=row.differs_from,
        source=row.source,
        session_id=row.session_id,
        turn_number=row.turn_number,
    )


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


async def correct(
    connection: AsyncConnection, user: str, memory: str, changes: dict[str, Any]
) -> tuple[Memory, Forgotten]:
    """Change one. From then on it is what the person says, and where its words are others, nothing draws any more on
    the turn that said otherwise. Raises NotFound."""
    await refuse_erased(connection, user)
    mine = (memories.c.id == memory, memories.c.user_id == user)
    before = (await connection.execute(select(memories).where(*mine))).one_or_none()
    if before is None:
        raise NotFound
    turns: tuple[TurnName, ...] = ()
    emptied: tuple[str, ...] = ()
    values = changes | {"source": "person", "confidence": 1.0, "updated_at": datetime.now(UTC)}
    if "fact" in changes and changes["fact"] != before.fact:
        turns, emptied = await _forget_turns(connection, user, _origins([before]))
        values["differs_from"] = ""
        differing = update(memories).where(memories.c.user_id == user, memories.c.differs_from == memory)
        await connection.execute(differing.values(differs_from=""))
    changed = await connection.execute(update(memories).where(*mine).values(values).returning(memories))
    if (row := changed.one_or_none()) is None:
        raise NotFound
    return Memory(**row._mapping), Forgotten(turns=turns, sessions=emptied)


# --- forgetting ------------------------------------------------------------------------------------------------------


async def about(connection: AsyncConnection, user: str, words: str) -> list[Fact]:
    """The memories that hold all that these words name: what `forget_about` takes away. "민준이 얘기는 잊어줘" names
    민준."""
    named = _named(words)
    asked = _foremost(user).limit(10 * MAX_KNOWN)
    return [fact_of(row) for row in await _fitting(connection, asked, lambda row: is_about(row.fact, named))]


async def forget_about(
    connection: AsyncConnection,
    user: str,
    *,
    words: str = "",
    ids: Collection[str] = (),
    turns: Collection[TurnName] = (),
) -> Forgotten:
    """Forget the memories that `words` are about (see `about`), those of these `ids` and those from these `turns` (of
    "그건 잊어줘": the turn before); and let nothing draw any more on them, nor on other turns that tell the same. Words
    that name nothing name no turn.

    Raises AccountErased. In the same transaction: `remembering.ask_for_summaries(…, forgotten.sessions)`.
    """
    await refuse_erased(connection, user)
    named = _named(words)
    chosen = await _chosen(connection, user, named, ids, turns)
    telling = {*turns, *_origins(chosen)}
    for text in [fact.fact for fact in chosen[:MAX_TRACED]] + [named] * bool(words_of(named)):
        telling |= await _turns_telling(connection, user, text, all_of_it=text is named)
    marked, sessions = await _forget_turns(connection, user, telling)
    # Asked again, now that no extraction from these turns can be under way: it waits for the session's row.
    chosen = await _chosen(connection, user, named, ids, turns)
    gone = [fact.id for fact in chosen]
    await connection.execute(delete(memories).where(memories.c.user_id == user, memories.c.id.in_(gone)))
    differing = update(memories).where(memories.c.user_id == user, memories.c.differs_from.in_(gone))
    await connection.execute(differing.values(differs_from=""))
    for memory in gone:
        await audit.note(connection, user, "memory_deleted", memory)
    return Forgotten(tuple(gone), marked, sessions)


async def forget(connection: AsyncConnection, user: str, memory: str) -> Forgotten:
    """Forget one. Raises NotFound."""
    forgotten = await forget_about(connection, user, ids=[memory])
    if not forgotten.memories:
        raise NotFound
    return forgotten


_WISHES = (
    "잊",
    "지워",
    "지우",
    "까먹",
    "기억하지",
    "말아",
    "줘",
    "주세",
    "forget",
    "delete",
    "remove",
    "please",
    "anymore",
)
"""Words of the wish itself."""


def _named(words: str) -> str:
    """What a wish to forget names, without the wish."""
    return " ".join(word for word in words_of(words) if not word.startswith(_WISHES))


async def _chosen(
    connection: AsyncConnection, user: str, named: str, ids: Collection[str], turns: Collection[TurnName]
) -> list[Any]:
    """The most important first."""
    wanted, origins = set(ids), set(turns)

    def is_chosen(row: Any) -> bool:
        return row.id in wanted or (row.session_id, row.turn_number) in origins or is_about(row.fact, named)

    return await _fitting(connection, _foremost(user), is_chosen)


async def _fitting(connection: AsyncConnection, asked: Select[Any], fits: Callable[[Any], bool]) -> list[Any]:
    """The rows that fit, a page at a time. `fits` is asked on a thread."""
    found: list[Any] = []
    async with connection.stream(asked) as rows:
        async for page in rows.partitions(PAGE_ROWS):
            found += await asyncio.to_thread(_those, page, fits)
    return found


def _those(page: Sequence[Any], fits: Callable[[Any], bool]) -> list[Any]:
    return [row for row in page if fits(row)]


def _origins(rows: Collection[Any]) -> set[TurnName]:
    return {(row.session_id, row.turn_number) for row in rows if row.session_id and row.turn_number is not None}


async def _turns_telling(connection: AsyncConnection, user: str, text: str, *, all_of_it: bool) -> set[TurnName]:
    """The turns in which it was said, by the person or as a reply; `all_of_it`: with every word."""
    first = [word[: max(1, len(word) - 1)] for word in words_of(text)]  # an ending may have changed the last syllable
    said = [
        column.contains(word, autoescape=True) for word in first for column in (_turns.c.transcript, _turns.c.heard)
    ]
    asked = (
        select(_turns.c.session_id, _turns.c.number, _turns.c.transcript, _turns.c.heard)
        .where(_turns.c.user_id == user, _turns.c.forgotten.is_(False), or_(*said))
        .order_by(_turns.c.id.desc())
        .limit(MAX_SEARCHED_TURNS)
    )
    tells = is_about if all_of_it else _tells
    telling = await _fitting(connection, asked, lambda row: tells(row.transcript, text) or tells(row.heard, text))
    return {(row.session_id, row.number) for row in telling}


def _tells(spoken: str, fact: str) -> bool:
    return is_told_in(fact, spoken)


async def _forget_turns(
    connection: AsyncConnection, user: str, turns: Collection[TurnName]
) -> tuple[tuple[TurnName, ...], tuple[str, ...]]:
    """Mark them, and empty the summaries that hold them. The conversations' rows first: whoever just writes a summary
    or a memory of one waits, and finds the marks."""
    sessions = sorted({session for session, _ in turns})
    mine = (_sessions.c.user_id == user, _sessions.c.deleted_at.is_(None))
    held = update(_sessions).where(*mine, _sessions.c.id.in_(sessions)).returning(_sessions.c.id)
    kept = tuple((await connection.execute(held.values(summary="", summary_upto=0))).scalars())
    named = tuple_(_turns.c.session_id, _turns.c.number).in_([turn for turn in turns if turn[0] in kept])
    marking = update(_turns).where(_turns.c.user_id == user, named).returning(_turns.c.session_id, _turns.c.number)
    marked = await connection.execute(marking.values(forgotten=True))
    return tuple((row.session_id, row.number) for row in marked), kept
