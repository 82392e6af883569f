"""Numbers in Korean words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.korean_numbers import NATIVE_LIMIT, TELEPHONE_DIGITS, counting, decimal, digits, sino


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (0, "영"),
        (1, "일"),
        (10, "십"),
        (16, "십육"),
        (100, "백"),
        (111, "백십일"),
        (2026, "이천이십육"),
        (10_000, "만"),
        (11_000, "만 천"),
        (110_000, "십일만"),
        (100_000_000, "일억"),
        (100_010_000, "일억 일만"),
        (1_234_567, "백이십삼만 사천오백육십칠"),
        (-3, "마이너스 삼"),
        (10**24, "일" + "영" * 24),
    ],
)
def test_sino(number: int, spoken: str) -> None:
    assert sino(number) == spoken


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (1, "한"),
        (4, "네"),
        (5, "다섯"),
        (10, "열"),
        (20, "스무"),
        (21, "스물한"),
        (99, "아흔아홉"),
        (100, "백"),
        (0, "영"),
    ],
)
def test_counting(number: int, spoken: str) -> None:
    assert counting(number) == spoken


def test_digits_and_decimals() -> None:
    assert digits("010-12", TELEPHONE_DIGITS) == "공일공일이"
    assert decimal("3.14") == "삼 점 일사"
    assert decimal("1,234.5") == "천이백삼십사 점 오"
    assert decimal(".5") == "영 점 오"


def _read(spoken: str) -> int:
    """The number that Sino-Korean words mean: the way back, written on its own."""
    total = 0
    for group in spoken.split():
        large = next(
            (10 ** (4 * n) for n, unit in enumerate(("", "만", "억", "조", "경")) if unit and group.endswith(unit)), 1
        )
        small, digit = 0, 0
        for letter in group.rstrip("만억조경"):
            if letter in "십백천":
                small += max(digit, 1) * {"십": 10, "백": 100, "천": 1000}[letter]
                digit = 0
            else:
                digit = "영일이삼사오육칠팔구".index(letter)
        total += max(small + digit, 1 if large > 1 else 0) * large
    return total


@given(st.integers(0, 10**20 - 1))
def test_sino_can_be_read_back(number: int) -> None:
    assert _read(sino(number)) == number


def test_each_native_number_is_its_own() -> None:
    assert len({counting(number) for number in range(1, NATIVE_LIMIT + 1)}) == NATIVE_LIMIT
