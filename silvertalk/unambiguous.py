"""Words that may be repeated in a pattern, so that a row of them can be read in one way only. Pure.

`(a little|bit|a little bit)*` reads "a little bit" in two ways. A matcher that goes back tries both, for each of them,
so that every repetition doubles the time that a refusal takes. Without the words that are rows of others the pattern
matches the same texts, and there is one way to read each of them.
"""

from __future__ import annotations

from collections.abc import Iterable


def repeatable(words: Iterable[str]) -> list[str]:
    """`words` without those that are rows of the others, in their order.

    Raises ValueError where a row of what is left can still be read in two ways (Sardinas and Patterson 1953).
    """
    given = list(dict.fromkeys(words))
    kept = [word for word in given if not _is_row(word, [other for other in given if len(other) < len(word)])]
    # What is left over where one reading has a word more than another: with a word left over, both are complete.
    left_over = {after for first in kept for after in _rests(kept, first)}
    seen: set[str] = set()
    while left_over:
        if both := left_over.intersection(kept):
            raise ValueError(f"rows of these words can be read in two ways, as one that ends in {min(both)!r}")
        seen |= left_over
        found = {rest for after in left_over for rest in (*_rests(kept, after), *_rests([after], *kept))}
        left_over = found - seen
    return kept


def _rests(words: Iterable[str], *beginnings: str) -> set[str]:
    """What is left of those of `words` that begin with one of `beginnings` and go on."""
    return {
        word[len(beginning) :]
        for beginning in beginnings
        for word in words
        if word != beginning and word.startswith(beginning)
    }


def _is_row(text: str, words: Iterable[str]) -> bool:
    ends = {0}
    for end in range(1, len(text) + 1):
        if any(end - len(word) in ends and text.endswith(word, 0, end) for word in words):
            ends.add(end)
    return len(text) in ends
