"""What a case says of an event, in one line: `turn.ended turn=1 wait_ms>=700 end_sample<@story.end+0.2`.

First the event's type on the wire, then conditions on its fields: `=`, `!=`, `<`, `<=`, `>`, `>=`, and `~` for text
that contains another. `at` is how much the microphone had captured when the event was here. A value is a number,
`true`, `false`, `null`, a word, or 'several words'. A place is where a step of the case began or ended in the
microphone's samples: `@1.start` by its number, `@story.end` by its name, `+0.2` seconds.
"""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from streaming.audio import MICROPHONE_RATE

Places = Mapping[str, int]
"""Samples by their name: `story.end`."""

AT = "at"

_CONDITION = re.compile(r"(\w+)(!=|<=|>=|=|<|>|~)(.*)", re.DOTALL)
_PLACE = re.compile(r"@([\w-]+\.(?:start|end))([+-][\d.]+)?")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "~": lambda text, part: part in text,
}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


class PatternError(ValueError):
    """A line that cannot be read, or names a field or a place that there is not."""


@dataclass(frozen=True)
class Pattern:
    """One such line."""

    line: str
    kind: str
    conditions: tuple[tuple[str, str, str], ...]

    def matches(self, event: msgspec.Struct, at: int, places: Places) -> bool:
        """Raises PatternError where the event has no such field, or the case no such step."""
        if kind_of(event) != self.kind:
            return False
        return all(self._holds(event, at, condition, places) for condition in self.conditions)

    def _holds(self, event: msgspec.Struct, at: int, condition: tuple[str, str, str], places: Places) -> bool:
        field, sign, wanted = condition
        if field != AT and field not in event.__struct_fields__:
            raise PatternError(f"{self.line!r}: {self.kind} has no field {field}")
        found = at if field == AT else getattr(event, field)
        if sign == "~":
            return wanted in str(found)
        value = wanted if isinstance(found, str) else _value(wanted, places, self.line)
        if found is None or value is None:
            return sign in ("=", "!=") and _OPERATORS[sign](found, value)
        return _OPERATORS[sign](found, value)


@cache
def pattern(line: str) -> Pattern:
    """Read a line; raises PatternError."""
    kind, *rest = shlex.split(line)
    conditions = []
    for part in rest:
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise PatternError(f"{line!r}: {part!r} is no condition")
        conditions.append((match[1], match[2], match[3]))
    return Pattern(line, kind, tuple(conditions))


def kind_of(event: msgspec.Struct) -> str:
    """An event's type on the wire."""
    return str(event.__struct_config__.tag)


def _value(text: str, places: Places, line: str) -> object:
    if (match := _PLACE.fullmatch(text)) is not None:
        if match[1] not in places:
            raise PatternError(f"{line!r}: there is no place {match[1]} (yet)")
        return places[match[1]] + float(match[2] or 0) * MICROPHONE_RATE
    if text in _WORDS:
        return _WORDS[text]
    try:
        return float(text)
    except ValueError:
        return text
