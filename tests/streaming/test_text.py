"""Error rates as speech recognition counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.text import character_error_rate, edits_to_prefixes, normalized, word_error_rate

texts = st.text(alphabet="가나다 abc1.,?", max_size=12)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("오늘 날씨가 좋아요", "오늘 날씨가 좋아요.", 0.0),
        ("계속 할 수 있다", "계속할 수 있다!", 0.0),
        ("좋아요", "조아요", 1 / 3),
        ("네", "네네네", 2.0),
        ("세 시", "3시", 0.5),
        ("Hello", "hello", 0.0),
        ("", "", 0.0),
        ("", "음악", 2.0),
        ("말", "", 1.0),
    ],
)
def test_character_error_rate(reference: str, hypothesis: str, expected: float) -> None:
    assert character_error_rate(reference, hypothesis) == pytest.approx(expected)


def test_decomposed_hangul_is_the_same_text() -> None:
    assert character_error_rate("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af") == 0.0


def test_word_error_rate_counts_whitespace_units() -> None:
    assert word_error_rate("I'm from the cutter.", "Im from the cutters") == pytest.approx(1 / 4)
    assert word_error_rate("하나 둘", "하나 둘 셋 넷") == 1.0


@given(texts, texts, texts)
def test_it_is_a_distance(a: str, b: str, c: str) -> None:
    def distance(left: str, right: str) -> int:
        return edits_to_prefixes(left, right)[-1]

    assert distance(a, a) == 0
    assert distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c)
    assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))


@given(texts, texts)
def test_every_prefix_has_its_own_distance(expected: str, heard: str) -> None:
    rows = edits_to_prefixes(expected, heard)
    assert rows == [edits_to_prefixes(expected, heard[:length])[-1] for length in range(len(heard) + 1)]


@given(st.text(max_size=30))
def test_normalizing_twice_changes_nothing(text: str) -> None:
    assert normalized(normalized(text)) == normalized(text)
