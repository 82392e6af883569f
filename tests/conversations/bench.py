"""Runs cases and judges them. `run_case` is one conversation; `Verdict.failures` is empty where it went as it must."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_node.engines import ReplyRequest
from silvertalk.models import Turn
from streaming.protocol import ReceivedSamples, SpokenAudio
from streaming.text import character_error_rate
from tests.caller import calling_as
from tests.conversations.case import Case, Row
from tests.conversations.coded_node import coded_node
from tests.conversations.happenings import Happening
from tests.conversations.patterns import PatternError, Places, pattern
from tests.conversations.person import Person, Voice, coded
from tests.conversations.rules import Record, breaches
from tests.conversations.stage import Node, Stage, stage

MOST_ERRORS = 0.3
CASE_SECONDS = 150.0


@dataclass
class Verdict:
    """What came of a case."""

    case: Case
    failures: list[str]
    happenings: Sequence[Happening]
    places: Places
    rows: Sequence[Turn]

    def __str__(self) -> str:
        """For whoever has to find out why."""
        quiet = (SpokenAudio, ReceivedSamples)
        lines = [(each.sample, str(each)) for each in self.happenings if not isinstance(each.event, quiet)]
        lines += [(sample, f"{sample / 16_000:8.2f} s    ({name})") for name, sample in self.places.items()]
        told = [line for _, line in sorted(lines, key=lambda line: line[0])]
        return "\n".join(["", self.case.name, *self.failures, "", *told, *map(_shown, self.rows)])


async def run_case(case: Case, folder: Path, *, voice: Voice = coded, node: Node = coded_node) -> Verdict:
    """Set its stage, live it, and judge what came of it. `voice`: the person's; `node`: what hears and answers it."""
    failures: list[str] = []
    async with stage(case, folder, node) as setting:
        async with calling_as(
            Person,
            setting.url,
            patience_seconds=case.patience_seconds,
            language=case.language,
            push_to_talk=case.push_to_talk,
        ) as person:
            try:
                async with asyncio.timeout(CASE_SECONDS):
                    await person.live(case, setting.befall, voice)
            except TimeoutError:
                failures.append(f"what step {len(person.places) // 2 + 1} or the end waits for did not come")
            except PatternError as error:
                failures.append(str(error))
        rows = await setting.turns(person.client.session)
    failures += judge(case, person.happenings, person.places, rows, setting)
    return Verdict(case, failures, person.happenings, person.places, rows)


def judge(
    case: Case, happenings: Sequence[Happening], places: Places, rows: Sequence[Turn], setting: Stage
) -> list[str]:
    """Everything that is not as it must be."""
    expect = case.expect
    failures: list[str] = []
    place = 0
    for line in expect.happens:
        found = next((at for at in range(place, len(happenings)) if _is(line, happenings[at], places)), None)
        if found is None:
            failures.append(f"did not happen{' after the one before it' if place else ''}: {line}")
        else:
            place = found + 1
    failures += [f"happened: {each}" for line in expect.never for each in happenings if _is(line, each, places)]
    for line, times in expect.times.items():
        count = sum(_is(line, each, places) for each in happenings)
        if count != times:
            failures.append(f"happened {count} times instead of {times}: {line}")
    failures += _judge_rows(expect.turns, rows)
    if expect.asked is not None and _asked(setting.asked) != expect.asked:
        failures.append(f"the LLM was asked {_asked(setting.asked)} instead of {expect.asked}")
    return failures + breaches(Record([each.event for each in happenings], rows))


def _is(line: str, happening: Happening, places: Places) -> bool:
    return pattern(line).matches(happening.event, happening.sample, places)


def _asked(requests: Sequence[ReplyRequest]) -> list[str]:
    return [request.transcript for request in requests]


def _judge_rows(expected: Sequence[Row], rows: Sequence[Turn]) -> list[str]:
    if len(rows) != len(expected):
        return [f"{len(rows)} turns were recorded instead of {len(expected)}"]
    failures = []
    for number, (wanted, row) in enumerate(zip(expected, rows, strict=True), start=1):
        for name in Row.__struct_fields__:
            value = getattr(wanted, name)
            if value is None:
                continue
            found = _found(row, name)
            if not (_alike(found, value) if name == "transcript_like" else found == value):
                failures.append(f"row {number}: {name} is {found!r} instead of {value!r}")
    return failures


def _found(row: Turn, name: str) -> object:
    """A column; or what a case calls by another name."""
    if name == "transcript_like":
        return row.transcript
    if name == "heard_as":
        return "nothing" if not row.heard else "all" if row.heard == row.reply else "part"
    return getattr(row, name)


def _alike(found: object, wanted: str) -> bool:
    return character_error_rate(wanted, str(found)) <= MOST_ERRORS


def _shown(row: Turn) -> str:
    names = ("number", "outcome", "transcript", "reply", "heard", "interrupted", "merges", "distress", "source")
    return "row: " + " ".join(f"{name}={getattr(row, name)!r}" for name in names)


async def run_cases(cases: Sequence[Case], folder: Path, *, at_once: int) -> dict[str, Verdict | BaseException]:
    """Several side by side, by name; a case that breaks (not: fails) has its exception."""
    room = asyncio.Semaphore(at_once)

    async def one(place: int, case: Case) -> Verdict:
        async with room:
            own = folder / str(place)
            own.mkdir()
            return await run_case(case, own)

    verdicts = await asyncio.gather(*(one(*each) for each in enumerate(cases)), return_exceptions=True)
    return {case.name: verdict for case, verdict in zip(cases, verdicts, strict=True)}
