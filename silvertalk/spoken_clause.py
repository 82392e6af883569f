"""One clause of what somebody says, and what it begins and ends with: for telling requests from stories. Pure.

Recognisers put spaces anywhere, so beginnings and ends are looked for without them; what stands between is given back
with the spaces that it was said with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from silvertalk.spoken_dates import Span
from streaming.text import normalized

LONGEST_THING = 20
"""Syllables of what a request is about."""


@dataclass(frozen=True)
class Request:
    """`name`: a tool of `streaming.tools`, or `clock`, `own_words`, which only look at what is at hand; `arguments` are
    the tool's."""

    name: str
    arguments: dict[str, str] = field(default_factory=dict)


NOWHERE = frozenset("거기 여기 저기 어디 그기 집 우리집 밖 앞 그곳 이곳 안".split())
QUESTIONS = ("무슨", "뭐", "누구", "어디", "왜", "얼마", "어떻게")
_CALLING = frozenset(
    (
        "복실아 복실이 복실이야 강아지야 멍멍아 얘야 얘 야 저기 저기요 있잖아 음 어 아 응 네 그럼 그래 그러면 근데 "
        "그런데 "
        "참 아참 혹시 미안한데 나한테 나에게 내게 저한테 우리 어디 자 이제 여보세요 그리고 또"
    ).split()
)
_POLITE = frozenset(
    "좀 응 요 복실아 강아지야 얼른 어서 빨리 부탁해 부탁해요 부탁합니다 고마워 알았지 알겠지 얘야".split()
)

TELLING = frozenset(
    (
        "옛날에 옛날에는 예전에 예전에는 그때 그때는 그때도 그날 그날은 말이야 말이지 말이여 그래서 그러니까 "
        "그러더니 그랬더니 "
        "누가 누군가 그사람이 그이가 거기서 하더니 했더니 젊어서 어릴때 어렸을때 시집와서 결혼하고"
    ).split()
)
"""Words with which somebody tells of something."""


@dataclass(frozen=True)
class Clause:
    """A clause without what only calls and pleads. `text`: the words without spaces."""

    words: tuple[str, ...]
    asks: bool
    """It was written as a question."""

    @property
    def text(self) -> str:
        return "".join(self.words)

    def spaced(self, part: str) -> str:
        """`part` of the text with the spaces that it was said with."""
        start = self.text.rfind(part)
        ends, at = set(), 0
        for word in self.words:
            at += len(word)
            ends.add(at)
        return "".join(c + " " * (start + n in ends) for n, c in enumerate(part, 1)).strip() if start >= 0 else part


def clause_of(clause: str) -> Clause:
    words = normalized(re.sub(r"(\d)\s*:\s*(\d)", r"\1시 \2분", clause)).split()
    first = 0
    while first < len(words) and words[first] in _CALLING:
        first += 1
    last = len(words)
    while last > first and words[last - 1] in _POLITE:
        last -= 1
    return Clause(tuple(words[first:last]), "?" in clause)


def ended(text: str, endings: Sequence[str]) -> str | None:
    """What stands before the longest of `endings` that ends the text; None where none does."""
    found = max((ending for ending in endings if text.endswith(ending)), key=len, default=None)
    return None if found is None else text[: len(text) - len(found)]


def less(text: str, *endings: str) -> str:
    """The text without the longest of `endings` that ends it, if one does."""
    before = ended(text, endings)
    return text if before is None else before


def rows(*parts: str) -> tuple[str, ...]:
    """Every row of one alternative of each part; `-` stands for none."""
    rows = [""]
    for part in parts:
        rows = [row + ("" if one == "-" else one) for row in rows for one in part.split()]
    return tuple(rows)


def days(span: Span) -> dict[str, str]:
    return {"first_day": span.first.isoformat(), "last_day": span.last.isoformat()}


def is_thing(text: str) -> bool:
    """Whether this can be what a request is about: not nothing, not a sentence, not a question."""
    if not 0 < len(text) <= LONGEST_THING or text in NOWHERE - {"집", "우리집"}:
        return False
    return not text.startswith(QUESTIONS)
