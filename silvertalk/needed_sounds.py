"""What must stand somewhere in a text for a pattern to be found there: a search for plain words is ten times as fast.

Most of what people say has none of it, and a call for help is looked for in all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from silvertalk.korean_sounds import spellings

MOST_ROWS = 24
"""Beyond so many a search for the pattern itself would be as fast."""

_TOKEN = re.compile(r"[가-힣]|[ㄱ-ㅣ]|[(|)]|[?*+]|\{\d+,\d+\}|[.$]")
_NOTHING: frozenset[str] = frozenset()


def needed(pattern: str) -> frozenset[str]:
    """Rows of sounds, one of which is in every text that `sound_pattern(pattern)` is found in; none where nobody can
    say. Raises ValueError for what is more than Hangul, groups, repetitions, `.` and `$`."""
    tokens = _TOKEN.findall(pattern.replace(" ", ""))
    if "".join(tokens) != pattern.replace(" ", ""):
        raise ValueError(f"not a pattern of Hangul: {pattern}")
    tokens.reverse()
    part = _alternatives(tokens)
    rows = part.rows or part.needed
    if not _worth(rows):
        return _NOTHING
    return frozenset(row for row in rows if not any(other in row for other in rows - {row}))


@dataclass(frozen=True, slots=True)
class _Part:
    """Of a pattern. `rows`: all that it may be, where they are few; else `needed`: one of these is in it."""

    rows: frozenset[str] = _NOTHING
    needed: frozenset[str] = _NOTHING

    def or_nothing(self) -> _Part:
        return _Part(self.rows | {""} if self.rows else _NOTHING)


def _alternatives(tokens: list[str]) -> _Part:
    """Takes its tokens, the next of which is the last, off the list."""
    parts = [_sequence(tokens)]
    while tokens and tokens[-1] == "|":
        tokens.pop()
        parts.append(_sequence(tokens))
    if all(part.rows for part in parts):
        return _Part(_NOTHING.union(*(part.rows for part in parts)))
    needs = [part.rows or part.needed for part in parts]
    return _Part(needed=_NOTHING.union(*needs) if all(map(_worth, needs)) else _NOTHING)


def _sequence(tokens: list[str]) -> _Part:
    rows, candidates, exact = frozenset({""}), [], True
    while tokens and tokens[-1] not in "|)":
        part = _repetition(tokens)
        together = frozenset(before + after for before in rows for after in part.rows)
        if part.rows and len(together) <= MOST_ROWS:
            rows = together
            continue
        exact = False
        candidates += [rows, part.needed]
        rows = part.rows or frozenset({""})
    if exact:
        return _Part(rows)
    return _Part(needed=max((*candidates, rows), key=_worth))


def _repetition(tokens: list[str]) -> _Part:
    part = _atom(tokens)
    while tokens and tokens[-1][0] in "?*+{":
        match tokens.pop():
            case "?":
                part = part.or_nothing()
            case "+":
                part = _Part(needed=part.rows or part.needed)
            case _:
                part = _Part()
    return part


def _atom(tokens: list[str]) -> _Part:
    match tokens.pop():
        case "(":
            part = _alternatives(tokens)
            tokens.pop()
            return part
        case "$":
            return _Part(frozenset({""}))
        case ".":
            return _Part()
        case syllable:
            return _Part(frozenset(spellings(syllable)))


def _worth(rows: Iterable[str]) -> int:
    """Sounds of the shortest: the more there are, the rarer it is."""
    return min(map(len, rows), default=0)
