"""Written English as it is read aloud."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.english_text import cardinal, ordinal, spoken, year


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("At 3:30 Dr. Kim paid $5.50.", "At three thirty Doctor Kim paid five dollars and fifty cents."),
        ("It was 2:00 p.m. then", "It was two PM then"),
        ("at 5:05", "at five oh five"),
        ("at 2:00", "at two o'clock"),
        ("July 4th, 1984", "July fourth, nineteen eighty four"),
        ("2026-10-06", "October sixth, twenty twenty six"),
        ("in the 1980s", "in the nineteen eighties"),
        ("the 50s", "the fifties"),
        ("1/2 cup", "one half cup"),
        ("3/4", "three quarters"),
        ("the 21st", "the twenty first"),
        ("$3 million", "three million dollars"),
        ("$1", "one dollar"),
        ("$0.50", "fifty cents"),
        ("₩5,000", "five thousand won"),
        ("3.14", "three point one four"),
        ("555-123-4567", "five five five, one two three, four five six seven"),
        ("-5 degrees", "minus five degrees"),
        ("25°C", "twenty five degrees Celsius"),
        ("6 ft", "six feet"),
        ("1 km", "one kilometer"),
        ("10%", "ten percent"),
        ("3-5 days", "three to five days"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("007", "zero zero seven"),
        ("No. 5", "number five"),
        ("No. I said", "No. I said"),
        ("Mr. and Mrs. Lee vs. us", "Mister and Missus Lee versus us"),
        ("TV & radio", "TV and radio"),
        ("café", "cafe"),
        ("well—yes (maybe): ok", "well, yes, maybe, ok"),
        ("don’t", "don't"),
        ("hello... there", "hello… there"),
        ("**Hi** 😀", "Hi"),
        ("I am 복실이", "I am 복실이"),
    ],
)
def test_written_to_spoken(written: str, said: str) -> None:
    assert spoken(written) == said


def test_numbers() -> None:
    assert [cardinal(n) for n in (0, 13, 40, 101, -2)] == ["zero", "thirteen", "forty", "one hundred one", "minus two"]
    assert [ordinal(n) for n in (1, 2, 3, 12, 20, 100)] == [
        "first",
        "second",
        "third",
        "twelfth",
        "twentieth",
        "one hundredth",
    ]
    assert [year(n) for n in (1066, 1900, 1905, 2000, 2005, 2026)] == [
        "one thousand sixty six",
        "nineteen hundred",
        "nineteen oh five",
        "two thousand",
        "two thousand five",
        "twenty twenty six",
    ]


@given(st.text())
def test_only_what_can_be_spoken_comes_out(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z가-힣' ,.!?…]*", spoken(text))


@given(st.text(st.sampled_from("0123456789.,:-/%$ kmstndrhAM°C'"), max_size=20))
def test_no_digit_is_left_over(text: str) -> None:
    assert not re.search(r"\d", spoken(text))


@given(st.integers(0, 10**15 - 1))
def test_every_cardinal_is_its_own(number: int) -> None:
    assert cardinal(number) != cardinal(number + 1)
