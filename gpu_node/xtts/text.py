"""Spoken text in pieces short enough for one run of XTTS.

The model was trained on short texts: beyond 95 Korean or 250 English characters it leaves words out or invents some. A
run also decodes everything said so far again at each chunk, so that its cost grows with the square of its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streaming.messages import Language

MAX_CHARACTERS: dict[Language, int] = {"ko": 95, "en": 250}
"""The model's own limits (`VoiceBpeTokenizer.char_limits`)."""

_WORD = re.compile(r"[^\W_]")
_CLAUSE = re.compile(r"[^,.!?…]*[,.!?…]+|[^,.!?…]+$")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text for one run, and the sign that ends it: one of `, . ! ? …`, or "" where it was cut between words."""

    text: str
    end: str


def pieces(said: str, language: Language) -> list[Piece]:
    """`said` (words and pauses, as `korean_text.spoken` leaves them) cut at pauses, else at spaces, else anywhere.

    As few pieces as the limit allows, since each begins with an intonation of its own; none without a word.
    """
    limit = MAX_CHARACTERS[language]
    packed: list[str] = []
    for clause in (found.group().strip() for found in _CLAUSE.finditer(said)):
        for part in _broken(clause, limit):
            if packed and len(packed[-1]) + 1 + len(part) <= limit:
                packed[-1] += f" {part}"
            else:
                packed.append(part)
    return [Piece(text, _end(text)) for text in packed if _WORD.search(text)]


def _broken(clause: str, limit: int) -> list[str]:
    """One clause in parts of about equal length, none above `limit`."""
    parts = []
    while len(clause) > limit:
        target = len(clause) // -(-len(clause) // limit)
        spaces = [found.start() for found in re.finditer(" ", clause[: limit + 1]) if found.start()]
        cut = min(spaces, key=lambda place: abs(place - target)) if spaces else limit
        parts.append(clause[:cut].rstrip())
        clause = clause[cut:].lstrip()
    return [*parts, clause] if clause else parts


def _end(text: str) -> str:
    return text[-1] if text[-1] in ",.!?…" else ""
