"""How the words of an utterance end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.endings import Ending, ending_of
from streaming.messages import Language
from tests.streaming.ending_sentences import ENGLISH, KOREAN, RECORDED

FINISHED = {Ending.CLOSES, Ending.ASKS, Ending.TRAILS}
WAITING = {Ending.HOLDS, Ending.FILLER}


def said(sentences: dict[str, str]) -> list[tuple[str, str]]:
    return [(text, kind.split(",")[0]) for kind, texts in sentences.items() for text in texts.strip().split("\n")]


@pytest.mark.parametrize(("text", "kind"), said(KOREAN))
def test_korean(text: str, kind: str) -> None:
    assert ending_of(text, "ko") == kind


@pytest.mark.parametrize(("text", "kind"), said(ENGLISH))
def test_english(text: str, kind: str) -> None:
    assert ending_of(text, "en") == kind


@pytest.mark.parametrize(("kind", "right", "wrong"), [("over", FINISHED, WAITING), ("cut off", WAITING, FINISHED)])
def test_the_recordings_last_words(kind: str, right: set[Ending], wrong: set[Ending]) -> None:
    """Nothing is taken for its opposite, and of few words nothing is known."""
    words = RECORDED[kind].split()
    found = [ending_of(f"그래서 우리가 {word}", "ko") for word in words]
    assert [word for word, ending in zip(words, found, strict=True) if ending in wrong] == []
    assert sum(ending in right for ending in found) >= 0.95 * len(words)


@pytest.mark.parametrize("mark", [".", "!", ",", "…", " .", "..."])
def test_a_korean_ending_says_more_than_the_mark_after_it(mark: str) -> None:
    assert ending_of("어제 시장에 갔어요" + mark, "ko") is Ending.CLOSES
    assert ending_of("어제 시장에 갔는데" + mark, "ko") is Ending.HOLDS
    assert ending_of("어제 그 바다" + mark, "ko") is Ending.OPEN


def test_a_question_mark_is_believed_but_not_over_a_connective() -> None:
    assert ending_of("밥 먹었어?", "ko") is Ending.ASKS
    assert ending_of("어제 시장에 갔는데?", "ko") is Ending.OPEN
    assert ending_of("뭐냐?", "ko") is Ending.FILLER
    assert ending_of("What was it made of?", "en") is Ending.ASKS


def test_an_eo_is_a_yes_alone_and_a_hesitation_elsewhere() -> None:
    assert ending_of("어.", "ko") is Ending.CLOSES
    assert ending_of("어…", "ko") is Ending.FILLER
    assert ending_of("그 사람이 어", "ko") is Ending.FILLER


@pytest.mark.parametrize("text", ["", " ", "…", "?!", "♪"])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_nothing_said_is_nothing_known(text: str, language: Language) -> None:
    assert ending_of(text, language) is Ending.OPEN


@given(text=st.text(max_size=40), language=st.sampled_from(["ko", "en"]))
def test_any_text_has_an_ending(text: str, language: Language) -> None:
    assert ending_of(text, language) in Ending
    assert ending_of(f"  {text}\n", language) is ending_of(text, language)


def test_decomposed_hangul_ends_as_composed_does() -> None:
    assert (
        ending_of("\u1100\u1161\u11bb\u1102\u1173\u11ab\u1103\u1166", "ko") is ending_of("갔는데", "ko") is Ending.HOLDS
    )
