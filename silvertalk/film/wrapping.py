"""Subtitles and titles as lines: broken between words, as evenly as can be, and never more than two at once.

Pure: how wide a text is, the caller says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

LINES = 2
MAX_CHARACTERS = 600
"""Of one sentence; more is cut. A minute of speech has some 350 syllables."""

Measure = Callable[[str], float]
"""The width of a text in pixels."""

_PAUSES = re.compile(r"[,.!?…;:]['\"”’)]*$")


def plain(text: str) -> str:
    """On one line, its Korean in whole syllables: a phone may send them taken apart."""
    joined = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(mark for mark in joined if unicodedata.category(mark)[0] != "C")[:MAX_CHARACTERS]


def pages(text: str, width: float, measure: Measure) -> list[str]:
    """The text as a reader gets it, page after page; the lines of a page (two at most) are parted by "\\n"."""
    lines = balanced(text, width, measure)
    if len(lines) <= LINES:
        return ["\n".join(lines)] if lines else []
    words = _words(text, width, measure)
    cut = _cut(words, width, measure)
    return [page for part in (words[:cut], words[cut:]) for page in pages(" ".join(part), width, measure)]


def balanced(text: str, width: float, measure: Measure) -> list[str]:
    """As few lines as it takes, and those as even as they can be: the narrowest in which the text takes no more."""
    words = _words(text, width, measure)
    fewest = _filled(words, width, measure)
    if len(fewest) < 2:
        return fewest
    low, high = width / 2, width
    while high - low > 4:
        middle = (low + high) / 2
        fits = all(measure(word) <= middle for word in words) and len(_filled(words, middle, measure)) <= len(fewest)
        low, high = (low, middle) if fits else (middle, high)
    return _filled(words, high, measure)


def _cut(words: Sequence[str], width: float, measure: Measure) -> int:
    """Where a text that is too long for one page is parted: near its middle, and after a comma where there is one."""
    total = measure(" ".join(words))

    def cost(at: int) -> float:
        off = abs(measure(" ".join(words[:at])) / total - 0.5)
        return off - (0.25 if _PAUSES.search(words[at - 1]) else 0)

    return min(range(1, len(words)), key=cost)


def _filled(words: Sequence[str], width: float, measure: Measure) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and measure(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines


def _words(text: str, width: float, measure: Measure) -> list[str]:
    """One that is wider than a line is broken within."""
    words: list[str] = []
    for word in text.split():
        while measure(word) > width and len(word) > 1:
            fitting = next(end for end in range(len(word) - 1, 0, -1) if end == 1 or measure(word[:end]) <= width)
            words.append(word[:fitting])
            word = word[fitting:]
        words.append(word)
    return words
