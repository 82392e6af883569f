"""How far apart two texts are, as speech recognition counts it.

Punctuation, spaces and case are not what a recogniser is judged by, so they are removed first; digits are left as they
are written ("3시" and "세 시" differ). Unicode is composed (NFC), so that a syllable of Hangul is one character however
it was typed.
"""

import unicodedata
from collections.abc import Sequence


def normalized(text: str) -> str:
    """Lower-case NFC letters, marks and digits; everything else becomes a single space between words."""
    # An apostrophe joins what it stands between, so it goes first: what it kept apart may compose.
    composed = unicodedata.normalize("NFC", text.lower().replace("'", "").replace("’", ""))
    kept = "".join(character if _counts(character) else " " for character in composed)
    return " ".join(kept.split())


def character_error_rate(reference: str, hypothesis: str) -> float:
    """Edits per reference character; 0 is perfect, and inventions take it above 1.

    An empty reference counts as one character, so that a text invented for silence costs its own length.
    """
    expected = normalized(reference).replace(" ", "")
    return edits_to_prefixes(expected, normalized(hypothesis).replace(" ", ""))[-1] / max(len(expected), 1)


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Edits per reference word (whitespace units); an empty reference counts as one word."""
    expected = normalized(reference).split()
    return edits_to_prefixes(expected, normalized(hypothesis).split())[-1] / max(len(expected), 1)


def edits_to_prefixes(expected: Sequence[str], heard: Sequence[str]) -> list[int]:
    """Levenshtein distances from all of `expected` to `heard[:0]`, `heard[:1]` … `heard`.

    One row of the table at a time: O(len(expected) * len(heard)) time, O(len(heard)) space.
    """
    above = list(range(len(heard) + 1))
    for row, wanted in enumerate(expected, start=1):
        current = [row]
        for column, got in enumerate(heard, start=1):
            substituted = above[column - 1] + (wanted != got)
            current.append(min(substituted, above[column] + 1, current[-1] + 1))
        above = current
    return above


def _counts(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
