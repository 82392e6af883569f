"""Who speaks while 복실이 speaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.overlap import Verdict, Witnessed, judge
from streaming.messages import Language

PLAYED = "저런, 그 바닷가에서 무엇을 하셨어요? 조금 더 들려주세요."
CHOICE = "바다가 좋으세요, 산이 좋으세요? 저는 둘 다 좋아요."


def verdict(text: str, *, settled: bool = True, question_open: bool = False, played: str = PLAYED) -> Verdict:
    return judge(text, settled=settled, played=played, question_open=question_open, language="ko")


def english(text: str, *, settled: bool = True, question_open: bool = False) -> Verdict:
    played = "That sounds like a wonderful day by the sea. Who went with you?"
    return judge(text, settled=settled, played=played, question_open=question_open, language="en")


NODS = """
네. / 네네 / 네, 네, 네. / 예. / 응 / 응응 / 어 / 어, 그래. / 그래요 / 그렇지 / 그렇죠. / 맞아 / 마자요 / 아이고
아이고, 저런. / 하하하 / 음… / 그럼요. / 아, 네. / 네, 맞아요. / 아 그래요? / 정말? / 오, 그래? / 하모 / 그라제 / 기여
그려 / 그래유 / 그라치요 / 음끄래 / 그랴 / 맞어요 / 냄맛자요
"""


@pytest.mark.parametrize("text", NODS.strip().replace("\n", " / ").split(" / "))
def test_a_nod_leaves_the_floor_where_it_is(text: str) -> None:
    assert verdict(text) is Verdict.BACK_CHANNEL
    assert verdict(text, settled=False) is Verdict.UNDECIDED


@pytest.mark.parametrize("text", ["네", "응", "예, 예.", "그래", "맞아요", "하모", "그라제", "네, 맞아요", "아 네"])
def test_where_a_question_is_open_a_yes_answers_it(text: str) -> None:
    assert verdict(text, question_open=True) is Verdict.SPEECH
    assert verdict(text, question_open=True, settled=False) is Verdict.UNDECIDED


@pytest.mark.parametrize("text", ["음…", "아이고", "하하하", "어머"])
def test_a_sigh_answers_nothing(text: str) -> None:
    assert verdict(text, question_open=True) is Verdict.BACK_CHANNEL


@pytest.mark.parametrize("text", ["", " … ", "콜록 콜록", "(웃음)", "[기침]", "♪", "쉿", "3, 2, 1", "Thank you", "으"])
def test_what_is_no_word_is_no_speech(text: str) -> None:
    assert verdict(text) in (Verdict.NOISE, Verdict.BACK_CHANNEL)
    assert verdict(text, settled=False) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "text",
    [
        "그 바닷가에서 무엇을 하셨어요?",
        "도로는 그 바닷가에서 무어슬 하셨어요",
        "조금 더 들려주세요.",
        "무엇을 하셨어요 조금 더",
        "그 바다까에서",
    ],
)
@pytest.mark.parametrize("settled", [True, False])
def test_its_own_voice(text: str, settled: bool) -> None:
    assert verdict(text, settled=settled) is Verdict.ECHO


@pytest.mark.parametrize("text", ["잠깐만", "아니", "그만", "아니 그게", "그 바닷가에서 무엇을 아니", "네, 그만"])
def test_who_wants_silence_gets_it_at_once(text: str) -> None:
    assert verdict(text, settled=False) is Verdict.SPEECH


@pytest.mark.parametrize(
    "text",
    [
        "내가 할 말이",
        "네, 그런데 그 사람은",
        "우리 언니가 그랬어",
        "그 바닷가에서 무엇을 우리 언니가 배를 탔거든",
        "나는 바다보다 산이 더 좋아",
    ],
)
def test_two_words_of_ones_own_are_speech_before_the_end(text: str) -> None:
    assert verdict(text, settled=False) is Verdict.SPEECH


def test_one_word_may_be_misheard_until_the_person_is_silent() -> None:
    assert verdict("전화가", settled=False) is Verdict.UNDECIDED
    assert verdict("전화가") is Verdict.SPEECH


def test_a_syllable_proves_nothing() -> None:
    assert verdict("더", settled=False) is Verdict.UNDECIDED
    assert verdict("컵") is Verdict.NOISE
    assert verdict("왜") is Verdict.SPEECH


def test_a_word_picked_up_is_the_persons() -> None:
    """Asked back, it is a question; where one was to choose, an answer. The end of a sentence is rather an echo."""
    assert verdict("바닷가에서?") is Verdict.SPEECH
    assert verdict("바닷가에서") is Verdict.ECHO
    assert verdict("하셨어요?") is Verdict.ECHO
    assert verdict("산이", played=CHOICE, question_open=True) is Verdict.SPEECH
    assert verdict("산이", played=CHOICE) is Verdict.ECHO
    assert verdict("좋으세요", played=CHOICE, question_open=True) is Verdict.ECHO


@pytest.mark.parametrize("text", ["yeah", "uh-huh", "Mm-hmm.", "right, right", "Okay.", "oh, really?", "I see."])
def test_english_nods(text: str) -> None:
    assert english(text) is Verdict.BACK_CHANNEL


def test_english() -> None:
    assert english("yes", question_open=True) is Verdict.SPEECH
    assert english("oh dear", question_open=True) is Verdict.BACK_CHANNEL
    assert english("a wonderful day by the sea") is Verdict.ECHO
    assert english("wait", settled=False) is Verdict.SPEECH
    assert english("I want to talk about my brother", settled=False) is Verdict.SPEECH
    assert english("[cough]") is Verdict.NOISE


@given(
    text=st.text(alphabet="네응아니그래 바닷가abc12.?", max_size=40),
    settled=st.booleans(),
    played=st.text(alphabet="네응아니그래 바닷가abc12.?", max_size=40),
    question_open=st.booleans(),
    language=st.sampled_from(["ko", "en"]),
)
def test_who_is_silent_has_been_judged(
    text: str, settled: bool, played: str, question_open: bool, language: Language
) -> None:
    found = judge(text, settled=settled, played=played, question_open=question_open, language=language)
    assert found is not Verdict.UNDECIDED or not settled
    assert settled or found in (Verdict.UNDECIDED, Verdict.SPEECH, Verdict.ECHO)


def test_a_long_sigh_is_read_in_no_time() -> None:
    """No text can be cut up into nods in so many ways that a gateway stands still."""
    assert verdict("아" * 10_000 + "물") in (Verdict.SPEECH, Verdict.NOISE)
    assert verdict("하" * 23 + "물") in (Verdict.SPEECH, Verdict.NOISE)


def heard_as(
    text: str,
    *,
    somebody: float = 0.99,
    alone: bool = False,
    voiced_ms: float = 1500.0,
    beside_echo: bool = False,
    own_ms: float = 700.0,
    settled: bool = True,
    question_open: bool = False,
) -> Verdict:
    testimony = Witnessed(somebody=somebody, alone=alone, voiced_ms=voiced_ms, beside_echo=beside_echo, own_ms=own_ms)
    return judge(text, settled=settled, played=PLAYED, question_open=question_open, language="ko", testimony=testimony)


def test_what_sounds_like_its_echo_is_misheard_whatever_it_says() -> None:
    assert heard_as("그만 두시고 바다까지", somebody=0.01) is Verdict.ECHO
    assert heard_as("그만 두시고 바다까지", somebody=0.01, settled=False) is Verdict.ECHO
    assert heard_as("그만 두시고 바다까지", somebody=0.3) is Verdict.SPEECH
    assert heard_as("우리 언니가 배를 탔거든", somebody=0.99) is Verdict.SPEECH


def test_without_an_echo_the_words_are_the_persons() -> None:
    assert heard_as("그 바닷가에서 무엇을", somebody=0.99) is Verdict.ECHO
    assert heard_as("그 바닷가에서 무엇을", somebody=0.99, alone=True) is Verdict.SPEECH


def test_a_word_as_short_as_a_nod_is_one_misheard() -> None:
    assert heard_as("예약", somebody=0.99, voiced_ms=540) is Verdict.BACK_CHANNEL
    assert heard_as("예약", somebody=0.99, voiced_ms=900) is Verdict.SPEECH
    assert heard_as("잠깐만", somebody=0.99, voiced_ms=540) is Verdict.SPEECH
    assert heard_as("왜", somebody=0.99, voiced_ms=400) is Verdict.SPEECH
    assert heard_as("그런데", somebody=0.99, voiced_ms=540) is Verdict.SPEECH
    assert heard_as("전화 왔어", somebody=0.99, voiced_ms=600) is Verdict.SPEECH


def test_words_for_which_there_was_no_time_are_the_echos() -> None:
    """Whisper makes one sentence of an echo and a nod: all of that cannot have been said in a third of a second."""
    assert heard_as("우리 언니가 배를 탔거든", beside_echo=True, own_ms=340) is Verdict.BACK_CHANNEL
    assert heard_as("우리 언니가 배를 탔거든", beside_echo=True, own_ms=340, settled=False) is Verdict.UNDECIDED
    assert heard_as("우리 언니가 배를 탔거든", beside_echo=True, own_ms=650, settled=False) is Verdict.SPEECH
    assert heard_as("전화 왔어", beside_echo=True, own_ms=340) is Verdict.SPEECH
    assert heard_as("그만", beside_echo=True, own_ms=100) is Verdict.SPEECH


def test_who_is_hard_to_hear_where_there_is_no_echo_has_said_all_of_it() -> None:
    assert heard_as("우리 언니가 배를 탔거든", own_ms=0) is Verdict.SPEECH


def test_whom_the_echo_drowned_has_said_something() -> None:
    assert heard_as("그 바닷가에서 무엇을", beside_echo=True, own_ms=950) is Verdict.SPEECH
    assert heard_as("그 바닷가에서 무엇을", beside_echo=True, own_ms=800) is Verdict.ECHO
    assert heard_as("그 바닷가에서 무엇을", beside_echo=True, own_ms=950, settled=False) is Verdict.ECHO
    assert heard_as("", beside_echo=True, own_ms=950) is Verdict.NOISE


def test_a_short_answer_that_is_not_understood_is_still_an_answer() -> None:
    """At a loss in Korean, Whisper writes a foreign word; of a noise it writes nothing."""
    assert heard_as("on this", voiced_ms=500, question_open=True) is Verdict.SPEECH
    assert heard_as("on this", voiced_ms=500) is Verdict.NOISE
    assert heard_as("", voiced_ms=500, question_open=True) is Verdict.NOISE
    assert heard_as("thanks for watching", voiced_ms=1500, question_open=True) is Verdict.NOISE


@pytest.mark.parametrize("text", ["그러나", "그런데", "그래서", "그러니까"])
def test_what_opens_a_sentence_is_no_nod(text: str) -> None:
    assert verdict(text, played="") is Verdict.SPEECH


@pytest.mark.parametrize("text", ["119", "119!", "112", "911 불러"])
def test_a_number_to_call_for_help_says_enough(text: str) -> None:
    assert heard_as(text, voiced_ms=450) is Verdict.SPEECH
    assert verdict(text, settled=False) is Verdict.SPEECH
    for played in ("지금 바로 일일구에 전화하세요.", "지금 바로 119에 전화하세요."):
        assert verdict("119", played=played) is not Verdict.SPEECH, "but for its echo"
