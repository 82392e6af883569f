"""Rows of words that a pattern may repeat are read in one way."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.unambiguous import repeatable


def ways_to_read(text: str, words: list[str]) -> int:
    ways = [1] + [0] * len(text)
    for end in range(1, len(text) + 1):
        ways[end] = sum(ways[end - len(word)] for word in words if text.endswith(word, 0, end) and len(word) <= end)
    return ways[-1]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("a little ", "bit ", "a little bit ", "a bit "), ["a little ", "bit ", "a bit "]),
        (("ab", "ab", "abab"), ["ab"]),
        (("a", "ab", "b"), ["a", "b"]),
        ((), []),
    ],
)
def test_words_that_are_rows_of_others_go(words: tuple[str, ...], kept: list[str]) -> None:
    assert repeatable(words) == kept


@pytest.mark.parametrize("words", [("a", "ab", "ba"), ("ab", "c", "a", "bc"), ("car", "ry", "car", "carr", "y")])
def test_what_can_still_be_read_in_two_ways_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="two ways"):
        repeatable(words)


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.integers(0, 3), max_size=5),
    st.text("ab", max_size=8),
)
def test_the_same_texts_match_and_each_is_read_in_one_way(words: list[str], row: list[int], other: str) -> None:
    try:
        kept = repeatable(words)
    except ValueError:
        return
    for text in ("".join(words[place % len(words)] for place in row), other):
        matches = re.fullmatch(f"(?:{'|'.join(words)})*", text) is not None
        assert ways_to_read(text, kept) == matches


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3, unique=True))
def test_only_what_is_ambiguous_is_refused(words: list[str]) -> None:
    try:
        repeatable(words)
    except ValueError:
        least = [word for word in words if ways_to_read(word, [other for other in words if other != word]) == 0]
        rows = [""]
        for _ in range(6):
            rows = [row + word for row in rows for word in ["", *least]]
            rows = sorted({row for row in rows if len(row) <= 18})
        assert any(ways_to_read(row, least) > 1 for row in rows)
