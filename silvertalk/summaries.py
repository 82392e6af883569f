"""The job "summary": what was told in a conversation, in the third person, as it grows.

Each run adds what the turns since the last one told, and changes nothing that stands: what is added once is never lost
in the next wording, nor does a small error grow there. A language model of the nodes words it, by an errand, where one
answers; each of its sentences is kept only if the turns that it names say so (`silvertalk.grounding`), and what it left
out is added in the person's own words. Without a model all of it is: “…”라고 말씀하셨다. So nothing is dropped, and
nothing stands there that was not said.

A summary has a line for each run. A reply's context takes as much of it as there is room for (`fitting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select, update

from silvertalk.database import refuse_erased
from silvertalk.grounding import is_grounded, is_told_in
from silvertalk.job_kinds import Report, WorkParts
from silvertalk.jobs import JobRow
from silvertalk.recall import Fact, Known
from silvertalk.remembering import Lot, Told, are_forgotten, may_go_outside, next_lot, sessions
from silvertalk.telling_instructions import SUMMARY, asked_of_a_model
from silvertalk.tellings import is_order
from silvertalk.written_lists import objects_in
from streaming.logs import logger
from streaming.messages import Language

log = logger("summaries")

MAX_CHARACTERS = 8_000
"""Of one conversation's: a talk of hours. Beyond it the oldest lines go; their turns and memories stay."""
MAX_SENTENCE_CHARACTERS = 200


class Written(msgspec.Struct):
    """What a model is asked for."""

    turns: list[int]
    sentence: str


async def write_summary(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any] | None:
    """The job's work: `job.subject_id` is the conversation's. Its result counts, and says nothing of what was told."""
    lines = 0
    while (lot := await _next(parts, job)) is not None:
        await report("writing", 0.3)
        line = await _line(parts, job, lot) if lot.told else ""
        lines += await _add(parts, job, lot, line)
    return {"lines": lines}


async def _next(parts: WorkParts, job: JobRow) -> Lot | None:
    async with parts.database.transaction() as connection:
        return await next_lot(connection, job.user_id, job.subject_id, sessions.c.summary_upto)


async def _line(parts: WorkParts, job: JobRow, lot: Lot) -> str:
    async with parts.database.transaction() as connection:
        outside = await may_go_outside(connection, parts.settings, job.user_id)
    answer = await asked_of_a_model(parts.bus, lot, SUMMARY[lot.language], outside=outside, attempt=job.attempts)
    return in_their_words(lot.told, lot.language) if answer is None else summed_up(lot, answer)


async def _add(parts: WorkParts, job: JobRow, lot: Lot, line: str) -> int:
    """Write the line behind the others; nothing where the conversation is deleted, another run has written it, or one
    of the turns is to be forgotten. Returns how many lines were written."""
    async with parts.database.transaction() as connection:
        await refuse_erased(connection, job.user_id)
        mine = (
            sessions.c.id == job.subject_id,
            sessions.c.user_id == job.user_id,
            sessions.c.deleted_at.is_(None),
            sessions.c.summary_upto == lot.after,
        )
        # Held first: who wants something forgotten has marked it by then, or waits.
        held = await connection.execute(update(sessions).where(*mine).values(summary_upto=lot.after))
        if held.rowcount != 1 or await are_forgotten(connection, job.subject_id, [told.number for told in lot.told]):
            return 0
        if await next_lot(connection, job.user_id, job.subject_id, sessions.c.summary_upto) is None:
            return 0  # they took their consent back
        before = str((await connection.execute(select(sessions.c.summary).where(*mine))).scalar_one())
        summary = _bounded([*before.splitlines(), line] if line else before.splitlines())
        await connection.execute(update(sessions).where(*mine).values(summary=summary, summary_upto=lot.upto))
    return int(bool(line))


def _bounded(lines: Sequence[str]) -> str:
    kept: list[str] = []
    room = MAX_CHARACTERS
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(reversed(kept))


# --- pure ------------------------------------------------------------------------------------------------------------


def in_their_words(told: Sequence[Told], language: Language) -> str:
    """What was told, as it was said, in one sentence about the person."""
    quotes = [f"“{telling.text.rstrip(' .!~…')}”" for one in told for telling in one.tellings]
    if not quotes:
        return ""
    return f"They said: {', '.join(quotes)}." if language == "en" else f"{', '.join(quotes)}라고 말씀하셨다."


def summed_up(lot: Lot, answer: str) -> str:
    """A model's sentences that say what was said, then what they leave out, as it was said."""
    sources = {told.number: told for told in lot.told}
    sentences: list[str] = []
    for written in objects_in(answer, Written):
        said = [telling.text for turn in written.turns if turn in sources for telling in sources[turn].tellings]
        sentence = " ".join(written.sentence.split())
        if sentence not in sentences and _is_acceptable(sentence, said, lot.language):
            sentences.append(sentence)
    left = [
        Told(told.number, rest)
        for told in lot.told
        if (rest := tuple(one for one in told.tellings if not any(is_told_in(one.text, line) for line in sentences)))
    ]
    return " ".join(filter(None, [*sentences, in_their_words(left, lot.language)]))


def _is_acceptable(sentence: str, said: Sequence[str], language: Language) -> bool:
    if not 4 <= len(sentence) <= MAX_SENTENCE_CHARACTERS or not sentence.isprintable() or is_order(sentence):
        return False
    if set("<>{}[]`?") & set(sentence) or language == "ko" and not sentence.rstrip(" .").endswith(("다", "음", "임")):
        return False
    return any(is_grounded(sentence, one) for one in said) or is_grounded(sentence, " ".join(said))


def fitting(summary: str, words: str, room: int) -> str:
    """As much of a summary as there is room for, in one line: all of it, or the lines that the words are about and the
    newest, in their order."""
    lines = [line for line in summary.splitlines() if line.strip()]
    if sum(len(line) + 1 for line in lines) <= room:
        return " ".join(lines)
    scores = Known([Fact(str(at), line) for at, line in enumerate(lines)]).ranking(words, importance=0.0)
    chosen: list[int] = []
    for at in sorted(range(len(lines)), key=lambda at: (-scores[at], -at)):
        if len(lines[at]) + 1 <= room:
            room -= len(lines[at]) + 1
            chosen.append(at)
    return " ".join(lines[at] for at in sorted(chosen))
