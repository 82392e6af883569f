"""Samples played to words heard."""

from hypothesis import given
from hypothesis import strategies as st

from silvertalk.heard import SpokenSentence, heard_text, spoken_text

REPLY = [
    SpokenSentence("손주가 다녀가셨군요.", 0, 24_000),
    SpokenSentence("무슨 이야기를 나누셨어요?", 24_000, 36_000),
]


def test_nothing_played_is_nothing_heard() -> None:
    assert heard_text(REPLY, 0) == ""


def test_everything_played_is_everything_heard() -> None:
    assert heard_text(REPLY, 60_000) == "손주가 다녀가셨군요. 무슨 이야기를 나누셨어요?"


def test_a_cut_sentence_ends_at_a_whole_word() -> None:
    assert heard_text(REPLY, 24_000 + 20_000) == "손주가 다녀가셨군요. 무슨 이야기를"


def test_a_sentence_whose_audio_never_came_was_not_heard() -> None:
    assert heard_text([*REPLY, SpokenSentence("그리고요?", 60_000)], 99_000).endswith("나누셨어요?")


@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_more_played_never_means_less_heard(a: int, b: int) -> None:
    less, more = sorted((a, b))
    assert heard_text(REPLY, more).startswith(heard_text(REPLY, less))


def test_a_sentence_without_audio_hides_none_behind_it() -> None:
    said = [SpokenSentence("하나.", 0, 100), SpokenSentence("", 100, 0), SpokenSentence("둘.", 100, 100)]
    assert heard_text(said, 200) == "하나. 둘."


def test_the_voiced_part_of_a_broken_sentence_goes_by_the_pace_of_those_before() -> None:
    whole = [SpokenSentence("열 글자쯤 되는 말.", 0, 11_000)]
    last = SpokenSentence("이것은 다 말하지 못한 문장이에요.", 11_000, 6_000)
    assert spoken_text(whole, last, 17_000, 24_000, "ko") == "이것은 다"
    assert spoken_text(whole, last, 11_000, 24_000, "ko") == ""
    assert spoken_text(whole, last, 90_000, 24_000, "ko") == last.text


def test_without_a_whole_sentence_the_pace_is_the_languages() -> None:
    last = SpokenSentence("one two three four five six", 0, 0)
    assert spoken_text([], last, 24_000, 24_000, "en") == "one two three"
