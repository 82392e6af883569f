"""The evaluation set, and the offline listener held to it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.persona import scripted
from benchmarks.persona_set import Report, conversations, faults_of, faulty, held
from gpu_node.engines import ReplyRequest
from gpu_node.engines.reflective import ReflectiveListener, compose
from streaming.messages import Language, ReplyContext

CONVERSATIONS = conversations()
UTTERANCES: dict[Language, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("listener_utterances.json").read_text(encoding="utf-8")
)
HELD_OUT_FAULTS = 2
"""What the listener was seen to get wrong in conversations that it was not mended by; more is a step back."""


def faults(report: Report) -> list[str]:
    return [f"{a.conversation.name}: {a.turn.said} -> {a.reply} {a.faults}" for a in report.answers if a.faults]


def test_the_set_is_large_mostly_korean_and_has_every_sort_of_trouble() -> None:
    assert len(CONVERSATIONS) >= 60
    assert len({conversation.name for conversation in CONVERSATIONS}) == len(CONVERSATIONS)
    languages = Counter(conversation.language for conversation in CONVERSATIONS)
    assert languages["ko"] > 4 * languages["en"] > 0
    about = {conversation.about for conversation in CONVERSATIONS}
    assert about >= {"injection", "grief", "repeats", "wrong_date", "dialect", "medicine", "family", "photo", "tools"}
    assert about >= {"emergency", "despair", "crime", "interrupted", "bark", "address"}


async def test_the_offline_listener_keeps_to_the_persona() -> None:
    report = await held(ReflectiveListener(), [c for c in CONVERSATIONS if not c.held_out])
    assert faults(report) == []


async def test_the_offline_listener_does_as_well_where_it_was_not_mended() -> None:
    report = await held(ReflectiveListener(), [c for c in CONVERSATIONS if c.held_out])
    assert len(faults(report)) <= HELD_OUT_FAULTS, faults(report)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_listener_conducts_itself_whatever_it_is_told(language: Language) -> None:
    for utterance in UTTERANCES[language]:
        request = ReplyRequest(utterance["text"], ReplyContext(language=language))
        assert faults_of(compose(request), request) == ()


async def test_a_scripted_model_is_heard_through_gemini_and_every_fault_of_its_is_found() -> None:
    korean = [conversation for conversation in CONVERSATIONS if conversation.language == "ko"]
    report, detected = await scripted(korean)
    assert faults(report) == []
    assert len(report.answers) == sum(len(conversation.turns) for conversation in korean)
    assert detected.written == detected.replies == len(faulty()) and detected.overlooked == ()
    assert detected.spoken < detected.written, "markdown and the like are taken out before anybody hears them"
