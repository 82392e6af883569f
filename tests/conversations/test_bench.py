"""The bench itself: cases are read as they are meant, a mistake in one is named, and a breach is found."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from silvertalk.models import Turn
from streaming.protocol import Duck, Event, FloorMoved, Flush, SpokenAudio, SpokenText, TurnEnded
from tests.conversations.case import CaseError, read_cases
from tests.conversations.patterns import PatternError, pattern
from tests.conversations.rules import Record, breaches

GOOD = """
[[case]]
name = "a case"
[[case.do]]
say = "어제는 [1.2] 바다에"
name = "story"
[case.expect]
happens = ["turn.ended end_sample>@story.end-0.2"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "cases.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_pause_stands_between_what_is_said(tmp_path: Path) -> None:
    [case] = read_cases(written(tmp_path, GOOD))
    said = [(phrase.text, phrase.pause_seconds) for phrase in case.do[0].phrases()]
    assert said == [("어제는", 0.0), ("바다에", 1.2)]


def test_what_a_file_says_of_its_gateway_holds_for_its_cases(tmp_path: Path) -> None:
    text = "gateway = { endpoint_wait_ms = 500, lease_ms = 900 }\n" + GOOD + "[case.gateway]\nlease_ms = 700\n"
    [case] = read_cases(written(tmp_path, text))
    assert case.gateway == {"endpoint_wait_ms": 500, "lease_ms": 700}


@pytest.mark.parametrize(
    ("good", "bad", "named"),
    [
        ('say = "어제는 [1.2] 바다에"', 'says = "어제는"', "says"),
        ('say = "어제는 [1.2] 바다에"', 'say = "어제는"\ncough = 1.0', "does not do one thing"),
        ('say = "어제는 [1.2] 바다에"', 'say = "어제는"\nsounds = [0.1, 0.9]', "1 phrases and 2 sounds"),
        ('say = "어제는 [1.2] 바다에"', 'say = "어제는"\nwhen = "turn.finished"', "no event turn.finished"),
        ("turn.ended end_sample", "turn.ended ended_sample", "no field ended_sample"),
        ("@story.end", "@tale.end", "no step @tale.end"),
        ('name = "a case"', 'name = "a case"\nnode = { speed = 1 }', "speed"),
        ('name = "a case"', 'name = "a case"\ngateway = { patience = 1 }', "patience"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, good: str, bad: str, named: str) -> None:
    with pytest.raises(CaseError, match=named):
        read_cases(written(tmp_path, GOOD.replace(good, bad)))


ENDED = TurnEnded(turn=1, end_sample=32_000, wait_ms=400, reason="silence", because="both", end_probability=None)


@pytest.mark.parametrize(
    ("line", "matches"),
    [
        ("turn.ended", True),
        ("turn.ended turn=1 reason=silence", True),
        ("turn.ended turn=2", False),
        ("turn.ended reason!=silence", False),
        ("turn.ended wait_ms>=400 wait_ms<401", True),
        ("turn.ended wait_ms>400", False),
        ("turn.ended because~ot", True),
        ("turn.ended end_probability=null", True),
        ("turn.ended end_probability>0.5", False),
        ("turn.ended end_sample>@1.end-0.1 end_sample<@1.end+0.1", True),
        ("turn.ended end_sample<@1.end-0.1", False),
        ("turn.ended at<@1.end+1", True),
        ("flush", False),
    ],
)
def test_a_line_describes_an_event(line: str, matches: bool) -> None:
    assert pattern(line).matches(ENDED, 40_000, {"1.end": 32_500}) is matches


def test_a_line_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(PatternError):
        pattern("turn.ended turn")
    with pytest.raises(PatternError):
        pattern("turn.ended length=2").matches(ENDED, 0, {})
    with pytest.raises(PatternError):
        pattern("turn.ended end_sample>@9.end").matches(ENDED, 0, {})


def floors(*states: str) -> list[Event]:
    return [FloorMoved(epoch=1, event=number, state=state, turn=1) for number, state in enumerate(states, start=1)]


def audio(event: int, first_sample: int) -> SpokenAudio:
    return SpokenAudio(
        epoch=1, event=event, turn=1, reply=1, sentence=0, sequence=event, first_sample=first_sample, samples=100
    )


def row(number: int, **changes: Any) -> Turn:
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    fields = {
        "session_id": "s", "number": number, "outcome": "answered", "transcript": "", "reply": "네", "heard": "네",
        "interrupted": False, "typed": False, "continuation": False, "merges": 0, "distress": "", "source": "scripted",
        "started_at": moment, "closed_at": moment, "speech_ms": 0, "timings": {}, "language": "ko",
    }  # fmt: skip
    return Turn(**fields | changes)


@pytest.mark.parametrize(
    ("events", "rule"),
    [
        (floors("open", "user", "speaking", "open"), "the_floor_keeps_its_table"),
        (floors("open", "user", "paused"), "the_floor_keeps_its_table"),
        (list(reversed(floors("open", "user"))), "numbers_grow"),
        ([Flush(epoch=1, event=1, turn=1, upto_sample=500), audio(2, 400)], "a_flush_is_the_end_of_its_reply"),
        ([Duck(epoch=1, event=1, turn=1, ducked=True, because="")], "whatever_was_ducked_is_released"),
        ([audio(1, 100), audio(2, 0)], "audio_is_counted_on"),
        (
            [
                SpokenText(epoch=1, event=turn, turn=turn, reply=1, sentence=0, text="음", source="filler")
                for turn in (1, 2)
            ],
            "fillers_never_come_twice_in_a_row",
        ),
    ],
)
def test_a_breach_of_a_rule_is_found(events: list[Event], rule: str) -> None:
    assert any(breach.startswith(rule) for breach in breaches(Record(events, [])))


def test_what_was_never_spoken_cannot_have_been_heard() -> None:
    assert any(breach.startswith("heard_is_what_was_spoken") for breach in breaches(Record([], [row(1)])))


def test_nothing_is_wrong_with_nothing() -> None:
    assert not breaches(Record([], []))
