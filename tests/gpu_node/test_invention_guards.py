"""What is refused, and what never is: rules here; the real noises and voices in test_whisper.py."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpu_node.engines import Hypothesis, Word
from gpu_node.invention_guards import MOST_REPEATS, compression_ratio, refuse, without_loops
from streaming.messages import Language
from streaming.text import normalized


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(word, index * 0.4, index * 0.4 + 0.3, 0.9) for index, word in enumerate(text.split()))


def reason(
    text: str,
    *,
    language: Language = "ko",
    seconds: float = 4.0,
    avg_logprob: float = -0.4,
    no_speech_prob: float = 0.1,
) -> str:
    hypothesis = Hypothesis(words(text), language, avg_logprob, no_speech_prob, compression_ratio(text))
    return refuse(hypothesis, language=language, seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "네",
        "응",
        "좋아요",
        "감사합니다",
        "이상입니다. 감사합니다.",
        "아니 아니 아니, 그게 아니고",
        "동네 구석구석 골목골목 다 다녔지",
        "1991년부터 2009년까지",
        "여든두 살",
        "뉴스를 보다가 잠이 들었어",
        "저는 기자였습니다",
        "다음에 또 만나요",
        "들어줘서 고마워요",
        "TV",
        "손녀가 instagram을 보여 줬어",
        "하하하, 그래서 웃었지",
    ],
)
def test_what_people_say_is_kept(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("시청해주셔서 감사합니다.", "stock_phrase"),
        ("시청해 주셔서 감사합니다. 구독과 좋아요 부탁드립니다.", "stock_phrase"),
        ("구독과 좋아요", "stock_phrase"),
        ("좋아요와 구독 눌러주세요", "stock_phrase"),
        ("다음 영상에서 만나요!", "stock_phrase"),
        ("MBC 뉴스 김성현입니다.", "stock_phrase"),
        ("한글자막 제공", "stock_phrase"),
        ("[음악]", "no_words"),
        ("(박수)", "no_words"),
        ("♪ ♪", "no_words"),
        ("ㄱㄱㄱㄱㄱㄱ", "no_words"),
        ("소금 소금 소금 소금 소금 소금 소금", "loop"),
        ("흐흐흐흐흐흐흐흐흐흐흐", "loop"),
        ("1, 2, 3, 4, 5, 8, 8, 8, 8, 8, 8, 8, 8, 8", "loop"),
        ("見てくれてありがとう", "foreign_script"),
        ("This is what the television said", "foreign_script"),
        ("스프레이션 into a single add your subscription", "foreign_script"),
        ("", "silence"),
    ],
)
def test_inventions_are_refused_however_sure_the_model_was(text: str, expected: str) -> None:
    assert reason(text, avg_logprob=-0.2) == expected


@pytest.mark.parametrize(
    "text", ["Thanks for watching!", "Thank you so much for watching.", "Please subscribe to my channel."]
)
def test_english_stock_phrases(text: str) -> None:
    assert reason(text, language="en") == "stock_phrase"


@pytest.mark.parametrize("text", ["Thank you.", "Thank you for listening.", "I am watching the birds.", "Okay."])
def test_what_people_say_in_english_is_kept(text: str) -> None:
    assert reason(text, language="en") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("수고하셨습니다.", "stock_phrase"),
        ("감사합니다.", "stock_phrase"),
        ("아! 아!", "interjection"),
        ("아이고 아이고 아이고", "loop"),
        ("3, 2, 1", "no_words"),
        ("손주가 놀러 왔어요", ""),
    ],
)
def test_an_unsure_model_is_believed_only_where_words_carry_a_meaning(text: str, expected: str) -> None:
    assert reason(text, avg_logprob=-1.05) == expected


def test_nothing_is_believed_below_the_floor() -> None:
    assert reason("손주가 놀러 왔어요", avg_logprob=-1.3) == "improbable"
    assert reason("손주가 놀러 왔어요", avg_logprob=-1.3, no_speech_prob=0.8) == "silence"


def test_a_text_too_long_for_its_audio() -> None:
    text = "오늘은 날씨가 좋아서 산책을 다녀왔고 시장에도 들렀어요"
    assert reason(text, seconds=1.0) == "too_fast"
    assert reason(text, seconds=3.0) == ""


def test_korean_in_an_english_conversation() -> None:
    assert reason("오늘은 날씨가 좋아서 산책을 다녀왔어요", language="en") == "foreign_script"


def test_a_loop_after_good_words_costs_only_the_loop() -> None:
    text = "어제는 손주가 와서 같이 시장에 갔는데 " + "그래서 " * 5
    assert reason(text) == ""
    assert [word.text for word in without_loops(words(text))][-2:] == ["갔는데", "그래서"]


phrases = st.lists(st.sampled_from(["가", "나", "다라"]), min_size=1, max_size=4)


@given(before=phrases, phrase=phrases, after=phrases, repeats=st.integers(1, 30))
@example(before=["가"], phrase=["나", "나", "가", "가"], after=["나", "가", "가", "가"], repeats=4)
def test_no_phrase_stays_in_a_row_for_long(
    before: list[str], phrase: list[str], after: list[str], repeats: int
) -> None:
    kept = [word.text for word in without_loops(words(" ".join(before + phrase * repeats + after)))]
    for start in range(len(kept)):
        for length in range(1, 5):
            run = kept[start : start + length] * (MOST_REPEATS + 1)
            assert kept[start : start + len(run)] != run


@given(st.lists(st.sampled_from(["어제는", "손주가", "와서", "놀다", "갔어요"]), unique=True))
def test_text_without_repetition_is_left_alone(text: list[str]) -> None:
    assert [word.text for word in without_loops(words(" ".join(text)))] == text


@given(
    st.text(max_size=40),
    st.floats(-3, 0),
    st.floats(0, 1),
    st.floats(0, 30),
)
def test_any_text_gets_a_verdict(text: str, logprob: float, no_speech: float, seconds: float) -> None:
    verdict = reason(text, avg_logprob=logprob, no_speech_prob=no_speech, seconds=seconds)
    if not normalized(text):
        assert verdict in {"silence", "improbable", "no_words"}
