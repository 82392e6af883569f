"""Which words are the reply come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.echo import LONGEST_WORDS, own_words, sounds
from streaming.text import normalized

PLAYED = "결혼식 날 비가 왔군요. 그래도 참 기쁘셨겠어요."


@pytest.mark.parametrize(
    ("heard", "own"),
    [
        ("결혼식 날 비가 왔군요", []),
        ("겨혼식 나비가 왔군요", []),
        ("그래도 처음 이쁘셨겠어요", []),
        ("비가 왔군요 그래도 참", []),
        ("비가 왔군요 아니 우리 언니였어", ["아니", "우리", "언니였어"]),
        ("내가 먼저 말할게요", ["내가", "먼저", "말할게요"]),
    ],
)
def test_an_echo_is_known_by_its_sound(heard: str, own: list[str]) -> None:
    assert own_words(heard, PLAYED) == own


def test_a_word_of_the_reply_among_others_is_not_an_echo() -> None:
    """ "비가" was played, but not beside these."""
    assert "오는" in own_words("비가 오는 날에는 무릎이 아파서 못 나가요", PLAYED)


def test_what_is_said_again_and_again_is_still_an_echo() -> None:
    assert own_words("결혼식 날 비가 왔군요 결혼식 날 비가 왔군요", PLAYED) == []


def test_english() -> None:
    played = "That sounds like a wonderful day by the sea. Who went with you?"
    assert own_words("sounds like the wonderful day by the see", played) == []
    assert own_words("i liked the mountains much better", played) == [
        "i",
        "liked",
        "the",
        "mountains",
        "much",
        "better",
    ]


def test_where_nothing_is_played_nothing_is_an_echo() -> None:
    assert own_words("결혼식 날", "") == ["결혼식", "날"]
    assert own_words("", PLAYED) == []


def test_words_sound_alike_that_are_written_differently() -> None:
    assert sounds("먹어요") == sounds("머거요")
    assert sounds("맞아") == sounds("마자")
    assert sounds("바다") != sounds("파도")


@given(said=st.text(alphabet="가나다 뭐abc1", max_size=60), played=st.text(alphabet="가나다 뭐abc1.?", max_size=60))
def test_some_of_the_words_in_their_order(said: str, played: str) -> None:
    words = normalized(said).split()
    rest = iter(words)
    assert all(word in rest for word in own_words(normalized(said), played))
    assert own_words(normalized(said), said) == []


def test_long_texts_are_cut() -> None:
    """A client that never stops cannot make the gateway compute without end."""
    assert len(own_words("내가 " * 1000, PLAYED * 100)) <= LONGEST_WORDS
