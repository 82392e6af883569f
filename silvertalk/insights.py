"""The job "insights": of a conversation that is over, what is worth remembering.

A language model of the nodes is asked, by an errand, about the sentences that tell of a life (`silvertalk.tellings`),
and nothing else. What it writes is kept only where it says what one of these sentences says (`silvertalk.grounding`),
and names it word by word; else that sentence stands for itself, in the person's own words. Where no model answers, so
do all of them. Nothing is kept that was not said: an order to the machine, hidden in what was said or read aloud, never
gets as far as the model.

What is known already is not kept twice: that it was told again makes it surer. What says otherwise than something that
is known is kept beside it and names it. What is kept of a few turns and the mark of how far the conversation was looked
through are written in one transaction, so that nothing is kept twice or lost where a worker is killed in between, and a
turn that the person wanted forgotten meanwhile leaves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import memories
from silvertalk.columns import new_id
from silvertalk.consents import has_agreed
from silvertalk.database import refuse_erased
from silvertalk.grounding import differs, is_grounded, is_same_telling
from silvertalk.job_kinds import Report, WorkParts
from silvertalk.jobs import JobRow
from silvertalk.memories import LEAST, MOST, Category
from silvertalk.people import ensure_person
from silvertalk.recall import Fact
from silvertalk.remembering import Lot, Told, are_forgotten, may_go_outside, next_lot, sessions
from silvertalk.telling_instructions import INSIGHTS, asked_of_a_model
from silvertalk.tellings import CATEGORIES, MEMORABLE, PASSING, Telling, is_order
from silvertalk.written_lists import objects_in
from streaming.logs import logger

log = logger("insights")

MAX_FACT_CHARACTERS = 200
COMPARED = 2_000
"""Known memories that a new one is compared with."""
OWN_WORDS_CONFIDENCE = 0.7
"""Of a sentence as it was heard: it was said, as far as it was understood."""
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.3, 0.95
_ENDS_AS_A_STATEMENT = {"ko": ("다", "요", "음", "임"), "en": ()}


class Insight(NamedTuple):
    """Something worth remembering, with the turn it is from."""

    turn: int
    fact: str
    category: Category
    importance: int
    confidence: float


class Written(msgspec.Struct):
    """What a model is asked for, one sentence each."""

    turn: int
    quote: str
    fact: str
    category: str = "other"
    importance: float = 3
    confidence: float = 0.7


async def find_insights(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any] | None:
    """The job's work: `job.subject_id` is the conversation's. Its result counts, and says nothing of what was told."""
    kept = confirmed = 0
    while (lot := await _next(parts, job)) is not None:
        await report("reading", 0.2)
        lasting = _lasting(lot)
        found = await _found(parts, job, lasting) if lasting.told else []
        new, again = await _keep(parts, job, lot, found)
        kept, confirmed = kept + new, confirmed + again
    log.info("insights_found", session=job.subject_id, count=kept)
    return {"kept": kept, "confirmed": confirmed}


async def _next(parts: WorkParts, job: JobRow) -> Lot | None:
    async with parts.database.transaction() as connection:
        return await next_lot(connection, job.user_id, job.subject_id, sessions.c.insights_upto)


def _lasting(lot: Lot) -> Lot:
    """Without what is of the day alone."""
    lasting = [Told(one.number, tuple(each for each in one.tellings if each.importance > PASSING)) for one in lot.told]
    return lot._replace(told=tuple(one for one in lasting if one.tellings))


async def _found(parts: WorkParts, job: JobRow, lot: Lot) -> list[Insight]:
    async with parts.database.transaction() as connection:
        outside = await may_go_outside(connection, parts.settings, job.user_id)
    answer = await asked_of_a_model(parts.bus, lot, INSIGHTS[lot.language], outside=outside, attempt=job.attempts)
    return in_their_words(lot) if answer is None else grounded(lot, answer)


# --- pure ------------------------------------------------------------------------------------------------------------


def in_their_words(lot: Lot) -> list[Insight]:
    """What a person's own sentences are worth, without any model."""
    return [
        _own_words(told.number, telling)
        for told in lot.told
        for telling in told.tellings
        if telling.importance >= MEMORABLE
    ]


def grounded(lot: Lot, answer: str) -> list[Insight]:
    """What of a model's answer was said. Where it wrote of a sentence that is worth it something else, the sentence
    itself."""
    sources = {told.number: told.tellings for told in lot.told}
    found: list[Insight] = []
    refused: list[tuple[int, Telling]] = []
    for written in objects_in(answer, Written):
        telling = next((one for one in sources.get(written.turn, ()) if _quotes(written.quote, one.text)), None)
        if telling is None:
            continue
        if _is_acceptable(written.fact, telling, lot):
            found.append(_insight(written, telling))
        elif telling.importance >= MEMORABLE:
            refused.append((written.turn, telling))
    for turn, telling in refused:
        if not any(one.turn == turn and is_grounded(one.fact, telling.text) for one in found):
            found.append(_own_words(turn, telling))
    return _once(found)


def _quotes(quote: str, text: str) -> bool:
    bare = "".join(letter for letter in quote if letter.isalnum())
    return len(bare) >= 4 and bare in "".join(letter for letter in text if letter.isalnum())


def _is_acceptable(fact: str, telling: Telling, lot: Lot) -> bool:
    line = fact.strip()
    bare = line.rstrip(" .!")
    endings = _ENDS_AS_A_STATEMENT[lot.language]
    return (
        4 <= len(line) <= MAX_FACT_CHARACTERS
        and line.isprintable()
        and not line.endswith("?")
        and not set("<>{}[]`") & set(line)
        and (not endings or bare.endswith(endings))
        and not is_order(line)
        and is_grounded(line, telling.text)
    )


def _insight(written: Written, telling: Telling) -> Insight:
    category = next((known for known in CATEGORIES if known == written.category), telling.category)
    return Insight(
        written.turn,
        written.fact.strip(),
        category,
        _within(written.importance, LEAST, MOST, telling.importance),
        _within(written.confidence, LEAST_CONFIDENCE, MOST_CONFIDENCE, OWN_WORDS_CONFIDENCE),
    )


def _within(value: float, least: float, most: float, otherwise: float) -> Any:
    """The value within its bounds, as whole as they are; `otherwise` for one that is no number."""
    if value != value:
        return otherwise
    bounded = min(max(value, least), most)
    return round(bounded) if isinstance(least, int) else bounded


def _own_words(turn: int, telling: Telling) -> Insight:
    """Quotation marks say whose words they are: "나" in them is the person."""
    text = telling.text.rstrip(" .!~…")
    return Insight(turn, f"“{text}”", telling.category, telling.importance, OWN_WORDS_CONFIDENCE)


def _once(found: Sequence[Insight]) -> list[Insight]:
    kept: list[Insight] = []
    for one in found:
        if not any(is_same_telling(one.fact, other.fact) for other in kept):
            kept.append(one)
    return kept


# --- keeping it ------------------------------------------------------------------------------------------------------


async def _keep(parts: WorkParts, job: JobRow, lot: Lot, found: Sequence[Insight]) -> tuple[int, int]:
    """Write it, and how far the conversation was looked through; nothing where another run did so, where the person
    took their consent back, deleted the conversation or wants one of the turns forgotten: the rest is looked through
    anew then. Returns how many are new, and how many were known."""
    new = again = 0
    async with parts.database.transaction() as connection:
        await refuse_erased(connection, job.user_id)
        held = update(sessions).where(
            sessions.c.id == job.subject_id,
            sessions.c.user_id == job.user_id,
            sessions.c.deleted_at.is_(None),
            sessions.c.insights_upto == lot.after,
        )
        if (await connection.execute(held.values(insights_upto=lot.after))).rowcount != 1:
            return 0, 0
        if await are_forgotten(connection, job.subject_id, [told.number for told in lot.told]):
            return 0, 0
        if not await has_agreed(connection, job.user_id, "memories"):
            return 0, 0
        await connection.execute(held.values(insights_upto=lot.upto))
        known = await memories.known(connection, job.user_id, COMPARED)
        if found:
            await ensure_person(parts.database, connection, job.user_id)
        for insight in found:
            same = next((fact for fact in known if is_same_telling(fact.text, insight.fact)), None)
            if same is not None:
                again += 1
                await _confirm(connection, same, insight, lot)
                continue
            new += 1
            known.append(await _add(parts, connection, job, lot, insight, known))
    if new:
        await parts.notices.publish(job.user_id)
    return new, again


async def _confirm(connection: AsyncConnection, same: Fact, insight: Insight, lot: Lot) -> None:
    """It was told again. What the person wrote themselves needs no confirming."""
    table = memories.memories
    theirs = update(table).where(table.c.id == same.id, table.c.source == "talk")
    surer = 1 - (1 - same.confidence) * (1 - insight.confidence)
    await connection.execute(
        theirs.values(
            confidence=min(surer, MOST_CONFIDENCE),
            importance=max(same.importance, insight.importance),
            updated_at=max(lot.at, same.at or lot.at),
        )
    )


async def _add(
    parts: WorkParts,
    connection: AsyncConnection,
    job: JobRow,
    lot: Lot,
    insight: Insight,
    known: Sequence[Fact],
) -> Fact:
    other = max(
        (fact for fact in known if differs(fact.text, insight.fact)),
        key=lambda fact: fact.at or datetime.min.replace(tzinfo=UTC),
        default=None,
    )
    row = {
        "id": new_id(),
        "user_id": job.user_id,
        "category": insight.category,
        "fact": insight.fact,
        "importance": insight.importance,
        "confidence": insight.confidence,
        "source": "talk",
        "session_id": job.subject_id,
        "turn_number": insight.turn,
        "differs_from": other.id if other is not None else "",
        "created_at": datetime.now(UTC),
        "updated_at": lot.at,
    }
    made = await connection.execute(parts.database.insert(memories.memories).values(row).returning(memories.memories))
    await parts.notices.record(connection, job.user_id, "memory", {"id": row["id"], "state": "added"})
    return memories.fact_of(made.one())
