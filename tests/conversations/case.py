"""A conversation as data: what is said and done and when, and what must come of it. The files are in `cases/`.

    [[case]]
    name = "a pause after a connective ending"      # unique; what a stranger would call the situation
    why = "pipecat #4950: …"                        # who complained, or what it guards
    replies = ["그러셨군요."]                        # 복실이's replies, in order; the last is said again if need be

    [[case.do]]                                     # the steps, one after another; each does one thing
    say = "어제는 바다에 갔는데 [1.2] 바람이 시원했어요"    # [1.2]: a pause of so many seconds
    [[case.do]]
    when = "client.playing turn=1"                  # first wait for this event (one that came already counts) …
    after = 0.8                                     # … then so many seconds (without `when`: after the step before)
    say = "그런데요"

    [case.expect]
    turns = [{ transcript = "어제는 바다에 갔는데 바람이 시원했어요", merges = 0 }]    # the rows in the database
    happens = ["speech.started turn=1", "turn.ended turn=1 speculation=hit"]     # in this order, among others
    never = ["flush"]
    times = { "turn.ended" = 1 }                    # exactly so often

Seconds are counted in samples of the microphone, after `client.playing` in samples of the reply.
`tests.conversations.patterns` says how an event is described; the client adds two of its own: `client.playing turn=1`
(a reply begins to be played) and `client.played turn=1` (all of it was played, or flushed). What holds of
every conversation is not written here: `rules.py` has it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from silvertalk.settings import Settings
from streaming.messages import Language
from tests.conversations.coded_node import Script
from tests.conversations.engines import Pace
from tests.conversations.happenings import KINDS
from tests.conversations.patterns import AT, pattern

FOLDER = Path(__file__).parent / "cases"
DEFAULT_REPLY = "그러셨군요. 참 좋은 날이었겠어요."
_PAUSE = re.compile(r"\[([\d.]+)\]")

Deed = Literal["cut", "stall", "release", "hand_over", "kill_gateway", "kill_node"]
"""What befalls a conversation: the connection is cut; nothing goes up any more until the release; its gateway drains,
or is killed; the node that holds the newest turn is killed."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: a name that is not known here is a mistake."""


class Phrase(msgspec.Struct, frozen=True):
    """What is said without a pause, and the pause before it."""

    text: str
    pause_seconds: float


class Step(_Table, frozen=True, kw_only=True):
    """One thing that is done. Exactly one of the fields of the first group is there."""

    say: str = ""
    cough: float = 0.0
    """A voice without words, seconds long."""
    noise: float = 0.0
    """Hiss, seconds long: no voice at all."""
    type: str = ""
    press: Literal["", "cancel", "commit"] = ""
    patience: float = 0.0
    befalls: Deed | None = None
    listen: bool = False
    """Nothing is done: the moment has come, and may have a name."""

    when: str = ""
    after: float = 0.0
    name: str = ""
    meanwhile: bool = False
    """The next step does not wait until this one is over."""

    sounds: float | list[float] = 0.5
    """How finished each phrase sounds, 0 to 1; one number is that of all."""
    mumbled: bool = False
    db: float = 0.0
    """Louder or quieter than people speak."""

    def phrases(self) -> list[Phrase]:
        pieces = _PAUSE.split(self.say)
        pauses = [0.0, *map(float, pieces[1::2])]
        return [Phrase(text.strip(), pause) for text, pause in zip(pieces[::2], pauses, strict=True)]

    def finality(self, place: int) -> float:
        return self.sounds[place] if isinstance(self.sounds, list) else self.sounds

    @property
    def deed(self) -> str:
        """What it does, in a word."""
        return next((name for name in DEEDS if getattr(self, name)), "")


DEEDS = ("say", "cough", "noise", "type", "press", "patience", "befalls", "listen")


class Row(_Table, frozen=True, kw_only=True):
    """A turn as the database has it. What is not said is not looked at."""

    transcript: str | None = None
    transcript_like: str | None = None
    """For a real recogniser: as many as three letters in ten may differ."""
    reply: str | None = None
    heard: str | None = None
    heard_as: Literal["all", "part", "nothing"] | None = None
    """How much of what was spoken counts as heard."""
    outcome: str = "answered"
    interrupted: bool = False
    typed: bool = False
    continuation: bool = False
    merges: int = 0
    distress: str = ""
    source: str = "scripted"


class Expect(_Table, frozen=True, kw_only=True):
    """What must come of it."""

    turns: list[Row] = []
    happens: list[str] = []
    never: list[str] = []
    times: dict[str, int] = {}
    asked: list[str] | None = None
    """The utterances that the LLM was asked to answer, in order; not said: not looked at."""


class Echo(_Table, frozen=True, kw_only=True):
    """The loudspeaker is heard by the microphone."""

    db: float = -12.0
    delay_ms: float = 150.0


class Background(_Table, frozen=True, kw_only=True):
    """Somebody else's voice, all the time: a television."""

    say: str = ""
    db: float = -20.0
    start: float = 0.0


class Case(_Table, frozen=True, kw_only=True):
    """One conversation. `gateway`: settings that differ; `node`: its pace, where it differs (`Pace`)."""

    name: str
    why: str = ""
    language: Language = "ko"
    replies: list[str] = msgspec.field(default_factory=lambda: [DEFAULT_REPLY])
    first_token_ms: list[float] = []
    """Per reply, where the node's pace is not meant."""
    gateway: dict[str, Any] = {}
    node: dict[str, Any] = {}
    push_to_talk: bool = False
    echo: Echo | None = None
    background: Background | None = None
    linger: float = 1.0
    """Seconds that are listened on after all is said and committed, for what must not come."""
    patience_seconds: float = 25.0
    """Longest that is waited for the last turn's commit."""
    do: list[Step]
    expect: Expect

    @property
    def deeds(self) -> set[Deed]:
        return {step.befalls for step in self.do if step.befalls}

    @property
    def script(self) -> Script:
        """What its node is told."""
        return Script(msgspec.convert(self.node, Pace), self.replies, self.first_token_ms)


class _File(_Table, frozen=True, kw_only=True):
    """`gateway` and `node` hold for every case in it, which may say otherwise."""

    gateway: dict[str, Any] = {}
    node: dict[str, Any] = {}
    case: list[Case]


@dataclass(frozen=True)
class CaseError(ValueError):
    """A file that cannot be what its author meant."""

    file: str
    mistake: str

    def __str__(self) -> str:
        return f"{self.file}: {self.mistake}"


def read_cases(path: Path) -> list[Case]:
    """The cases of one file, checked; raises CaseError."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CaseError(path.name, str(error)) from error
    cases = [
        msgspec.structs.replace(case, gateway=file.gateway | case.gateway, node=file.node | case.node)
        for case in file.case
    ]
    for case in cases:
        for mistake in _mistakes(case):
            raise CaseError(path.name, f"{case.name}: {mistake}")
    return cases


def all_cases(folder: Path = FOLDER) -> list[tuple[str, Case]]:
    """Every case, with its file's name; raises CaseError."""
    return [(path.stem, case) for path in sorted(folder.glob("*.toml")) for case in read_cases(path)]


def _mistakes(case: Case) -> Iterator[str]:
    names = {name for place, step in enumerate(case.do, start=1) for name in (str(place), step.name) if name}
    for place, step in enumerate(case.do, start=1):
        if sum(bool(getattr(step, deed)) for deed in DEEDS) != 1:
            yield f"step {place} does not do one thing, but {[deed for deed in DEEDS if getattr(step, deed)]}"
        if isinstance(step.sounds, list) and len(step.sounds) != len(step.phrases()):
            yield f"step {place} has {len(step.phrases())} phrases and {len(step.sounds)} sounds"
    expected = [*case.expect.happens, *case.expect.never, *case.expect.times]
    for line in [*expected, *(step.when for step in case.do if step.when)]:
        found = pattern(line)
        if found.kind not in KINDS:
            yield f"{line!r}: there is no event {found.kind}"
        for field, _, value in found.conditions:
            if field != AT and field not in KINDS[found.kind].__struct_fields__:
                yield f"{line!r}: {found.kind} has no field {field}"
            if value.startswith("@") and value[1:].split(".")[0] not in names:
                yield f"{line!r}: there is no step {value}"
    if unknown := case.node.keys() - {field.name for field in fields(Pace)}:
        yield f"a node has no {unknown}"
    if unknown := case.gateway.keys() - Settings.model_fields.keys():
        yield f"a gateway has no setting {unknown}"
