"""Stems: the forms of one word are one, and two words stay two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.plain_words import content_words, same_word, stem, words_of


@pytest.mark.parametrize(
    "forms",
    [
        "부산 부산에 부산으로 부산에서 부산에서는 부산까지 부산은 부산이야 부산이에요",
        "민준이 민준이가 민준이는 민준이야 민준이다 민준이를",
        "갔어 가셨다 갔어요 갔지",
        "다녔어 다니셨다 다녔어요 다녔지요",
        "시집왔어 시집오셨다",
        "배웠어 배우셨다 배웠지",
        "살았어 사셨다 산다 살아요",
        "딸 딸이 딸은 딸을 딸도",
        "cooked cooking",
        "sons son's son",
    ],
)
def test_forms_of_one_word_meet(forms: str) -> None:
    first, *others = forms.split()
    for other in others:
        assert same_word(stem(first), stem(other)), (stem(first), stem(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("돌아왔어", "돌아가셨다"),
        ("딸이", "아들이"),
        ("통영에서", "부산에서"),
        ("가을", "가요"),
        ("산에", "샀어"),
        ("1950", "195"),
    ],
)
def test_two_words_stay_two(one: str, other: str) -> None:
    assert not same_word(stem(one), stem(other))


def test_what_says_nothing_is_left_out() -> None:
    assert content_words("그래서 내가 그때 부산에 갔어요") == ["부산", "가"]
    assert content_words("I was with my son") == ["son"]
    assert words_of("1950년에, 부산!") == ["1950", "년에", "부산"]


@given(st.text(max_size=200))
def test_any_text_has_words_and_each_a_stem(text: str) -> None:
    assert all(stem(word) for word in words_of(text)) and isinstance(content_words(text), list)
