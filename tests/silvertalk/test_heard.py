"""Samples played to words heard."""

from hypothesis import given
from hypothesis import strategies as st

from silvertalk.heard import SpokenSentence, heard_text, reckoned, spoken_text

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


def test_of_a_sentence_that_is_still_being_voiced_no_more_counts_than_its_pace_allows() -> None:
    """Nobody has said how long it will be: what has come of it is not all of it."""
    text = " ".join(f"낱말{number:02}" for number in range(40))  # 199 characters: 33 seconds at the language's pace
    growing = [SpokenSentence(text, 0, 5 * 24_000)]
    heard = heard_text(reckoned(growing, 24_000, "ko"), 2 * 24_000)
    assert heard == "낱말00 낱말01"
    assert len(heard_text(growing, 2 * 24_000)) > 5 * len(heard), "as if it had been all"


def test_the_pace_is_that_of_the_sentences_before() -> None:
    before = SpokenSentence("열 글자쯤 되는 말.", 0, 11_000)
    growing = [before, SpokenSentence("이것은 다 말하지 못한 문장이에요.", 11_000, 6_000)]
    assert heard_text(reckoned(growing, 24_000, "ko"), 17_000) == "열 글자쯤 되는 말. 이것은 다"


@given(st.integers(1, 200_000), st.integers(0, 200_000))
def test_an_underrun_is_no_end(samples: int, played: int) -> None:
    """All that has come was played, and the sentence is not over."""
    growing = [*REPLY, SpokenSentence("그다음에는 어디로 가셨어요?", 60_000, samples)]
    heard = heard_text(reckoned(growing, 24_000, "ko"), 60_000 + min(played, samples))
    assert not heard.endswith("가셨어요?")


def test_there_is_nothing_to_reckon_where_nothing_sounded() -> None:
    silent = [SpokenSentence("그리고요?", 0)]
    assert list(reckoned([], 24_000, "ko")) == [] and list(reckoned(silent, 24_000, "ko")) == silent
    filler = [SpokenSentence("", 0, 24_000)]
    assert heard_text(reckoned(filler, 24_000, "ko"), 24_000) == ""
