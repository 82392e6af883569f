"""The evaluation set of 복실이's conduct, and how an LLM is held to it. No judge: every check is a rule.

`persona_conversations.json` holds `conversations` (what a person says, turn by turn, with what is known of them; what a
reply must and must never hold, as patterns; the rules that do not apply; and a `good` reply, which breaks none) and
`faulty` replies, each with the rule that it breaks. The good ones keep the checks from being too strict, the faulty
ones from being too lax; neither was written by the model that is tried.

A conversation is held as a node holds it: what is checked, and becomes history, is what would be spoken.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gpu_node.conduct import check_conduct
from gpu_node.engines import LanguageModel, ReplyRequest
from gpu_node.errors import LlmError
from gpu_node.persona import may_bark
from gpu_node.register import check
from gpu_node.sentences import SentenceCutter
from streaming.messages import Language, ReplyContext, Utterance

SET = Path(__file__).with_name("persona_conversations.json")


@dataclass(frozen=True)
class Turn:
    """`must`, `never`: patterns that a reply has to hold, or may not. `free`: rules that do not apply to it."""

    said: str
    good: str
    must: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    free: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Conversation:
    """`about`: the sort of trouble that it is. `held_out`: the offline listener was not mended by it."""

    name: str
    about: str
    language: Language
    context: ReplyContext
    turns: tuple[Turn, ...]
    held_out: bool


@dataclass(frozen=True)
class Faulty:
    """A reply to `request` that breaks `rule`."""

    request: ReplyRequest
    reply: str
    rule: str


@dataclass(frozen=True)
class Answer:
    """One reply of an LLM. `faults` are (rule, words); an LLM that failed has said nothing, which is a fault too."""

    conversation: Conversation
    turn: Turn
    reply: str
    faults: tuple[tuple[str, str], ...]


@dataclass
class Report:
    """What came of one LLM."""

    engine: str
    answers: list[Answer] = field(default_factory=list)

    @property
    def clean(self) -> int:
        return sum(not answer.faults for answer in self.answers)

    def by_rule(self) -> Counter[str]:
        return Counter(rule for answer in self.answers for rule in {rule for rule, _ in answer.faults})

    def by_subject(self) -> dict[str, tuple[int, int]]:
        """Of each sort of conversation: clean turns, turns."""
        counts: dict[str, tuple[int, int]] = {}
        for answer in self.answers:
            clean, turns = counts.get(answer.conversation.about, (0, 0))
            counts[answer.conversation.about] = clean + (not answer.faults), turns + 1
        return counts


def conversations(path: Path = SET) -> list[Conversation]:
    return [
        Conversation(
            name=row["name"],
            about=row["about"],
            language=row.get("language", "ko"),
            context=_context(row),
            turns=tuple(
                Turn(
                    said=turn["said"],
                    good=turn["good"],
                    must=tuple(turn.get("must", ())),
                    never=tuple(turn.get("never", ())),
                    free=frozenset(turn.get("free", ())),
                )
                for turn in row["turns"]
            ),
            held_out=row.get("held_out", False),
        )
        for row in json.loads(path.read_text(encoding="utf-8"))["conversations"]
    ]


def faulty(path: Path = SET) -> list[Faulty]:
    return [
        Faulty(ReplyRequest(row["said"], _context(row)), row["reply"], row["rule"])
        for row in json.loads(path.read_text(encoding="utf-8"))["faulty"]
    ]


async def held(llm: LanguageModel, wanted: Iterable[Conversation], *, pause_seconds: float = 0.0) -> Report:
    """All of the conversations with one LLM, one after another. `pause_seconds`: before each reply, for a service that
    counts requests by the minute."""
    report = Report(llm.name)
    for conversation in wanted:
        context = conversation.context
        for turn in conversation.turns:
            request = ReplyRequest(turn.said, context)
            await asyncio.sleep(pause_seconds)
            reply = await spoken(llm, request)
            report.answers.append(Answer(conversation, turn, reply, faults_of(reply, request, turn)))
            context = msgspec.structs.replace(
                context,
                history=(
                    *context.history,
                    Utterance(role="user", text=turn.said),
                    Utterance(role="assistant", text=reply),
                ),
            )
    return report


async def spoken(llm: LanguageModel, request: ReplyRequest) -> str:
    """The reply as a node would speak it; as much of it as had come where the LLM failed."""
    cutter = SentenceCutter(request.context.language, barks=may_bark(request.context))
    sentences = []
    try:
        async with aclosing(llm.stream(request)) as tokens:
            async for token in tokens:
                sentences += cutter.feed(token.text)
    except LlmError:
        pass
    return " ".join(sentence.text for sentence in [*sentences, *cutter.finish()])


def faults_of(reply: str, request: ReplyRequest, turn: Turn | None = None) -> tuple[tuple[str, str], ...]:
    """Every rule that the reply breaks, with the words that break it; that there is none is the only fault of none."""
    if not reply:
        return (("failed", "no reply"),)
    found = [(fault.rule.value, fault.detail) for fault in check(reply, request.context.language)]
    found += [(fault.rule.value, fault.detail) for fault in check_conduct(reply, request)]
    if turn is None:
        return tuple(found)
    found += [("must", pattern) for pattern in turn.must if not re.search(pattern, reply)]
    found += [("never", met.group()) for pattern in turn.never if (met := re.search(pattern, reply))]
    return tuple(fault for fault in found if fault[0] not in turn.free)


def _context(row: dict[str, Any]) -> ReplyContext:
    known = {"language": row.get("language", "ko"), "history": row.get("history", ()), **row.get("context", {})}
    return msgspec.convert(known, ReplyContext)
