"""What holds of every conversation, whatever its case: each rule reads what happened and yields its breaches.

None of them knows a case; a case says only what is particular to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from silvertalk.client import ConnectionLost
from silvertalk.models import Turn
from streaming.endpointing import RULE
from streaming.floor import TABLE
from streaming.messages import FILLER
from streaming.protocol import (
    Duck,
    Event,
    FloorMoved,
    Flush,
    PartialTranscript,
    Ready,
    ReplyEnded,
    Speculation,
    SpeechBegan,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)

LONGEST_WAIT_MS = 1.5 * RULE.max_ms
"""Nobody is kept waiting longer for the end of an utterance: the rule's longest, and half as much again for what was
learned of the person."""


@dataclass(frozen=True)
class Record:
    """One conversation, over: its events in order, and the rows of the database."""

    events: Sequence[Event]
    rows: Sequence[Turn]


Rule = Callable[[Record], Iterator[str]]


def numbers_grow(record: Record) -> Iterator[str]:
    told = [event for event in record.events if event.epoch and not isinstance(event, Ready)]
    for before, event in pairwise(told):
        if (event.epoch, event.event) <= (before.epoch, before.event):
            yield f"event {event.event} of epoch {event.epoch} follows {before.event} of {before.epoch}"


def the_floor_keeps_its_table(record: Record) -> Iterator[str]:
    legal = {(before.value, after.value) for (before, _), after in TABLE.items()}
    floors = [event for event in record.events if isinstance(event, FloorMoved | ConnectionLost)]
    for before, after in pairwise(floors):
        if isinstance(before, ConnectionLost) or isinstance(after, ConnectionLost) or before == after:
            continue  # nobody knows what was missed
        if (before.state, after.state) not in legal and before.state != after.state:
            yield f"the floor went from {before.state} to {after.state}"
    if floors and isinstance(floors[-1], FloorMoved) and floors[-1].state != "open":
        yield f"the conversation leaves the floor {floors[-1].state}"


def a_flush_is_the_end_of_its_reply(record: Record) -> Iterator[str]:
    flushed: dict[int, int] = {}
    for event in record.events:
        if isinstance(event, Flush):
            flushed[event.turn] = event.upto_sample
        elif isinstance(event, SpokenAudio) and event.first_sample < flushed.get(event.turn, 0):
            yield f"audio of turn {event.turn} from {event.first_sample}, flushed up to {flushed[event.turn]}"


def captions_take_nothing_back(record: Record) -> Iterator[str]:
    stable: dict[int, str] = {}
    for event in record.events:
        if isinstance(event, PartialTranscript):
            if not event.stable.startswith(stable.get(event.turn, "")):
                yield f"turn {event.turn}: {stable[event.turn]!r} became {event.stable!r}"
            stable[event.turn] = event.stable


def whatever_was_ducked_is_released(record: Record) -> Iterator[str]:
    ducked: dict[int, bool] = {}
    for event in record.events:
        if isinstance(event, Duck):
            if not event.ducked and event.turn not in ducked:
                yield f"turn {event.turn} is released and was never ducked"
            if not event.ducked and not event.because:
                yield f"turn {event.turn} is released and nobody says why"
            ducked[event.turn] = event.ducked
    yield from (f"turn {turn} stays ducked" for turn, is_ducked in ducked.items() if is_ducked)


def a_speculation_comes_to_something(record: Record) -> Iterator[str]:
    """Each that was started is missed, or told as a hit with the end of the utterance."""
    open_: set[int] = set()
    for event in record.events:
        if isinstance(event, Speculation):
            if event.state == "started":
                open_.add(event.turn)
            elif event.turn not in open_:
                yield f"turn {event.turn}: {event.state} a speculation that had not started"
            else:
                open_.discard(event.turn)
        elif isinstance(event, TurnEnded):
            if event.speculation == "hit" and event.turn not in open_:
                yield f"turn {event.turn}: a hit of a speculation that had not started"
            if event.speculation == "hit":
                open_.discard(event.turn)
        elif isinstance(event, ConnectionLost):
            return  # nobody knows what was missed
    yield from (f"turn {turn}: nobody says what came of a speculation" for turn in open_)


def nobody_waits_for_ever(record: Record) -> Iterator[str]:
    for event in record.events:
        if isinstance(event, TurnEnded) and event.reason == "silence" and event.wait_ms > LONGEST_WAIT_MS:
            yield f"turn {event.turn} was waited for {event.wait_ms} ms"


def audio_is_counted_on(record: Record) -> Iterator[str]:
    position: dict[int, int] = {}
    for event in record.events:
        if isinstance(event, SpokenAudio):
            if event.first_sample < position.get(event.turn, 0):
                yield f"audio of turn {event.turn} from {event.first_sample} came after {position[event.turn]}"
            position[event.turn] = event.first_sample + event.samples


def fillers_never_come_twice_in_a_row(record: Record) -> Iterator[str]:
    replies = [event for event in record.events if isinstance(event, SpokenText)]
    filled = sorted({event.turn for event in replies if event.source == FILLER})
    turns = sorted({event.turn for event in replies})
    for before, after in pairwise(turns):
        if before in filled and after in filled:
            yield f"turns {before} and {after} are both filled"
    for turn in filled:
        if sum(event.turn == turn and event.source == FILLER for event in replies) > 1:
            yield f"turn {turn} is filled twice"


def a_turn_is_recorded_once(record: Record) -> Iterator[str]:
    numbers = [row.number for row in record.rows]
    if len(set(numbers)) < len(numbers):
        yield f"rows {numbers}"
    committed = [event.turn for event in record.events if isinstance(event, TurnCommitted)]
    if sorted(committed) != sorted(numbers):
        yield f"turns {committed} were told as committed, {numbers} are"
    for event in record.events:
        if isinstance(event, TurnCommitted):
            heard = next((row.heard for row in record.rows if row.number == event.turn), "")
            if heard != event.heard:
                yield f"turn {event.turn} was told as heard {event.heard!r}, and is recorded as {heard!r}"


def heard_is_what_was_spoken(record: Record) -> Iterator[str]:
    """Whatever counts as heard was spoken, in that order, and no filler is in it."""
    for row in record.rows:
        spoken = " ".join(
            event.text
            for event in record.events
            if isinstance(event, SpokenText) and event.turn == row.number and event.source != FILLER
        )
        if row.heard not in spoken:
            yield f"turn {row.number}: {row.heard!r} is not in what was spoken, {spoken!r}"


def who_begins_is_answered_or_told(record: Record) -> Iterator[str]:
    """Each turn that was announced has one end, or was never more than a candidate."""
    for event in record.events:
        if isinstance(event, SpeechBegan) and any(
            isinstance(each, TurnEnded) and each.turn == event.turn for each in record.events
        ):
            ends = [each for each in record.events if isinstance(each, ReplyEnded) and each.turn == event.turn]
            if not ends:
                yield f"turn {event.turn} has no end"


RULES: tuple[Rule, ...] = (
    numbers_grow,
    the_floor_keeps_its_table,
    a_flush_is_the_end_of_its_reply,
    captions_take_nothing_back,
    whatever_was_ducked_is_released,
    a_speculation_comes_to_something,
    nobody_waits_for_ever,
    audio_is_counted_on,
    fillers_never_come_twice_in_a_row,
    a_turn_is_recorded_once,
    heard_is_what_was_spoken,
    who_begins_is_answered_or_told,
)


def breaches(record: Record) -> list[str]:
    """Every breach of every rule, with the rule's name."""
    return [f"{rule.__name__}: {breach}" for rule in RULES for breach in rule(record)]
