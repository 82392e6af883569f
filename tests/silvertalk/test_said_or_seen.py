"""A sentence that says more than was said is found out, whatever it adds; one that says the same in other forms is
not."""

import pytest

from silvertalk.said_or_seen import Kind, Sources, numbers, unsaid
from silvertalk.word_forms import stems

TALK = Sources(
    [
        "1987년에 통영 바닷가에서 민준이랑 조개를 캤어요.",
        "어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었어요.",
        "그때는 다들 가난했지만 매일 웃었지. 학교에는 안 갔어요. 세 시에 떠났어요.",
        "할머니",
    ],
    "ko",
)
ENGLISH = Sources(["In 1987 I went to the beach with Minjun and we dug for clams.", "My mother packed lunch."], "en")


@pytest.mark.parametrize(
    "sentence",
    [
        "할머니는 통영 바닷가에서 민준이와 조개를 캐셨어요.",
        "어머니께서 싸 주신 도시락 속 김밥이 맛있었다고 하셨어요.",
        "천구백팔십칠년, 그날 통영에서 조개를 캐셨대요.",
        "가난했지만 매일 웃으셨다고 해요.",
        "그 이야기를 들려주셔서 고마워요.",
        "이 사진 속에 그날의 바닷가가 남아 있어요.",
        "학교에는 안 가셨다고 말씀하셨어요.",
        "학교에 가지 않았어요.",
        "세 시에 떠나셨어요.",
        "사랑해요, 오래오래 기억할게요.",
    ],
)
def test_what_was_said_may_be_said_in_other_forms(sentence: str) -> None:
    assert unsaid(sentence, TALK) == []


def test_a_word_may_begin_like_a_number() -> None:
    bridge = Sources(["영도다리에서 우리 남편을 만났지요. 일도 많았어요."], "ko")
    assert unsaid("영도다리에서 남편을 만나셨어요.", bridge) == []
    assert unsaid("영도에서 남편을 만나셨어요.", bridge), "that is another place, or a temperature"


@pytest.mark.parametrize(
    "sentence, word, kind",
    [
        ("민준이 아버지도 함께 계셨어요.", "아버지도", "kin"),
        ("손녀랑 조개를 캤어요.", "손녀랑", "kin"),
        ("남편과 조개를 캤어요.", "남편과", "kin"),
        ("부산 바닷가에서 조개를 캤어요.", "부산", "place"),
        ("제주도에서 조개를 캤어요.", "제주도에서", "place"),
        ("산에서 조개를 캤어요.", "산에서", "place"),
        ("1988년에 조개를 캤어요.", "1988년", "number"),
        ("구십팔년에 조개를 캤어요.", "98년", "number"),
        ("민준이가 세 살이었어요.", "3살", "number"),
        ("조개를 열 개 캤어요.", "10개", "number"),
        ("세 명이 떠났어요.", "3명", "number"),
        ("삼십 년 전이었어요.", "30년", "number"),
        ("영희가 웃었어요.", "영희가", "word"),
        ("할머니는 행복하셨어요.", "행복하셨어요", "word"),
        ("민준이가 돌아가셨어요.", "돌아가셨어요", "word"),
        ("비가 왔어요.", "비가", "word"),
        ("민준이랑 결혼식을 올렸어요.", "결혼식을", "word"),
        ("조개를 안 캤어요.", "캤어요", "word"),
        ("학교에 갔어요.", "갔어요", "word"),
    ],
)
def test_what_nobody_said_is_found(sentence: str, word: str, kind: Kind) -> None:
    assert (word, kind) in unsaid(sentence, TALK)


@pytest.mark.parametrize(
    "sentence",
    ["We dug for clams at the beach with Minjun.", "Mother packed the lunch.", "Thank you for sharing this."],
)
def test_the_same_in_english(sentence: str) -> None:
    assert unsaid(sentence, ENGLISH) == []


@pytest.mark.parametrize(
    "sentence, word",
    [
        ("My father was there.", "father"),
        ("It was 1988.", "1988"),
        ("We went to Busan.", "Busan"),
        ("Two of us dug for clams.", "2"),
        ("Minjun laughed.", "laughed"),
        ("We never dug for clams.", "dug"),
    ],
)
def test_what_nobody_said_in_english_is_found(sentence: str, word: str) -> None:
    assert word in {one.word for one in unsaid(sentence, ENGLISH)}


def test_numbers_are_the_same_however_they_are_written() -> None:
    assert (
        numbers("천구백팔십칠년 팔월에 두 명이", "ko")
        == numbers("1987년 8월에 2명이", "ko")
        == {
            (1987, "년"),
            (8, "월"),
            (2, "명"),
        }
    )
    assert numbers("스물한 살, 만 이천 원", "ko") >= {(21, "살")}
    assert numbers("둘이서 갔어요", "ko") == {(2, "")}
    assert numbers("하나뿐인 한복을 두고 네 옆에 섰어요", "ko") == set(), "what only begins like a number"


def test_a_word_has_the_stems_that_it_may_have() -> None:
    assert "통영" in stems("통영에서는", "ko").nouns
    assert "민준" in stems("민준이랑", "ko").nouns
    assert {"마시", "캐"} <= stems("마셨어요", "ko").verbs | stems("캐셨대요", "ko").verbs
    assert not stems("산에", "ko").meets(stems("샀어요", "ko")), "a mountain is not bought"
