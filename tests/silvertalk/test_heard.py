"""Samples played to words heard."""

from hypothesis import given
from hypothesis import strategies as st

from silvertalk.heard import SpokenSentence, heard_text

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
