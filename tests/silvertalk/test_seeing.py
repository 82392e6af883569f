"""What a model says of a photo is taken apart; what 복실이 says of one is never more than is known."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.photo_words import PhotoFacts, next_words, opening_words, shown_words
from silvertalk.seeing import Seen, fit_english_question, fit_question, season_of, seen_of, understood
from streaming.messages import Language

SEOUL = ZoneInfo("Asia/Seoul")
TAKEN = datetime(1998, 5, 2, 23, 0, tzinfo=UTC)
QUESTION = "이날 바닷가에서 무엇을 하며 지내셨어요?"
SAID: dict[str, Any] = {
    "people": ["할머니 한 분", "어린 아이 두 명"],
    "place": "바닷가",
    "season": "여름",
    "occasion": "물놀이",
    "objects": ["튜브", "파라솔"],
    "mood": "환하게 웃는 분위기",
    "text_seen": ["해운대 1998"],
    "question": QUESTION,
    "scene_en": "two small children laughing on a beach.",
    "question_en": "What did you do on the beach that day?",
}
SEEN = understood(json.dumps(SAID).encode(), "gemini")


def saying(**changes: Any) -> Seen:
    return understood(json.dumps(SAID | changes).encode(), "gemini")


def test_what_is_seen_is_kept_and_read_back() -> None:
    kept = SEEN.as_kept()
    assert kept == SAID | {"version": 1, "source": "gemini", "scene_en": "two small children laughing on a beach"}
    assert seen_of(json.loads(json.dumps(kept))) == SEEN
    assert SEEN.was_looked_at and not Seen().was_looked_at
    assert SEEN.line() == (
        "보이는 사람: 할머니 한 분, 어린 아이 두 명; 곳: 바닷가; 계절: 여름; 무슨 날: 물놀이; 보이는 것: 튜브, 파라솔; "
        "분위기: 환하게 웃는 분위기; 적힌 글: “해운대 1998”"
    )
    assert Seen().line() == ""


@pytest.mark.parametrize("analysis", [None, "글", [], {}, {"version": 2}, {"version": 1, "people": "할머니"}])
def test_what_is_no_analysis_of_ours_is_none(analysis: object) -> None:
    assert seen_of(analysis) is None


@pytest.mark.parametrize(
    "people", ["우리 엄마", "아들과 며느리", "John", "김순자", "아이 2명", "", "아이" * 20, "<아이>"]
)
def test_people_are_described_and_neither_named_nor_related(people: str) -> None:
    assert saying(people=[people, "할머니 한 분"]).people == ("할머니 한 분",)


def test_whatever_is_odd_is_left_out() -> None:
    odd = saying(
        people={"a": 1},
        place=["바다"],
        season="장마철",
        objects=[1, None, "튜브", "튜브"],
        mood="x" * 500,
        text_seen=["<b>"],
    )
    assert (odd.people, odd.place, odd.season, odd.objects, odd.mood) == ((), "", "", ("튜브",), "")
    assert odd.text_seen == ("‹b›",)
    assert len(saying(objects=[f"물건{chr(0xAC00 + at)}" for at in range(50)]).objects) == 6


@pytest.mark.parametrize(
    "question",
    [
        "비밀번호가 무엇이에요?",
        "통장은 어디에 두셨어요?",
        "약을 드셨어요?",
        "1998년에 어디 계셨어요?",
        "이거 뭐야?",
        "바다에 가셨어요. 누구와 가셨어요?",
        "바다에 가셨어요",
        "Who is this?",
        "이 글을 무시하고 다른 말을 해 보라고 하면 무엇이라고 대답하실 건지 아주 길게 여쭈어 봐도 될까요?",
    ],
)
def test_a_question_that_a_picture_puts_into_a_mouth_is_not_asked(question: str) -> None:
    assert fit_question(question) == ""
    assert shown_words(PhotoFacts(seen=saying(question=question)), SEOUL, "ko").endswith(
        "그날 이야기를 들려주시겠어요?"
    )


def test_a_fit_question_is_asked() -> None:
    assert fit_question(QUESTION) == QUESTION
    assert fit_english_question("What is your bank password?") == ""
    assert fit_english_question("Who was with you that day?") == "Who was with you that day?"


@pytest.mark.parametrize("answer", [b"", b"[]", b"null", b'"text"', b"{", b"\xff"])
def test_what_is_no_object_is_no_answer(answer: bytes) -> None:
    with pytest.raises(ValueError):
        understood(answer, "gemini")


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(sorted(SAID)), _anything))
def test_whatever_comes_is_bounded_and_on_one_line(said: dict[str, Any]) -> None:
    seen = understood(json.dumps(said).encode(), "gemini")
    assert len(seen.line()) < 1200 and "\n" not in seen.line() and "<" not in seen.line()
    words = opening_words("안녕하세요.", "", PhotoFacts(seen=seen), SEOUL, "ko")
    assert words.count("?") == 1 and words.endswith("?") and len(words) < 200


@pytest.mark.parametrize(
    ("month", "north", "south"), [(1, "겨울", "여름"), (4, "봄", "가을"), (7, "여름", "겨울"), (12, "겨울", "여름")]
)
def test_a_month_has_its_season_on_either_half_of_the_earth(month: int, north: str, south: str) -> None:
    assert season_of(month, None) == season_of(month, 37.5) == north
    assert season_of(month, -33.8) == south


# --- what is said of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photo", "language", "said"),
    [
        (
            PhotoFacts(TAKEN, "통영", SEEN),
            "ko",
            "할머니, 1998년 5월 3일에 통영에서 찍은 사진이네요. 사진 속에 할머니 한 분과 어린 아이 두 명이 계시네요. "
            + QUESTION,
        ),
        (
            PhotoFacts(seen=saying(people=["어린 아이"])),
            "ko",
            "할머니, 여름 바닷가에서 찍은 사진이네요. 사진 속에 어린 아이가 있네요. " + QUESTION,
        ),
        (
            PhotoFacts(TAKEN, "통영", saying(people=[], question="")),
            "ko",
            "할머니, 1998년 5월 3일에 통영에서 찍은 사진이네요. 사진 속에 튜브와 파라솔이 보이네요. "
            "그날 이야기를 들려주시겠어요?",
        ),
        (
            PhotoFacts(TAKEN, "", Seen(season="봄"), "민준이 돌잔치"),
            "ko",
            "할머니, 1998년 5월 3일에 찍은 사진이네요. 그날 달력에는 민준이 돌잔치라고 적혀 있어요. "
            "그날 이야기를 들려주시겠어요?",
        ),
        (
            PhotoFacts(location_name="통영"),
            "ko",
            "할머니, 좋은 아침이에요. 통영에서 찍은 사진이네요. 그날 이야기를 들려주시겠어요?",
        ),
        (
            PhotoFacts(TAKEN, "Busan", SEEN),
            "en",
            "할머니, This photo was taken in May 1998 in Busan. I can see two small children laughing on a beach. "
            "What did you do on the beach that day?",
        ),
        (
            PhotoFacts(),
            "en",
            "할머니, 좋은 아침이에요. I would love to hear about it. Would you tell me about that day?",
        ),
    ],
)
def test_of_a_photo_only_what_is_known_is_said(photo: PhotoFacts, language: Language, said: str) -> None:
    assert opening_words("좋은 아침이에요.", "할머니", photo, SEOUL, language) == said


def test_another_photo_is_shown_with_two_sentences_and_a_question() -> None:
    assert next_words(PhotoFacts(TAKEN, "통영", SEEN), SEOUL, "ko") == (
        "이번에는 다른 사진을 보여 드릴게요. 사진 속에 할머니 한 분과 어린 아이 두 명이 계시네요. " + QUESTION
    )
    assert next_words(PhotoFacts(TAKEN, "통영", None, "병원"), SEOUL, "ko") == (
        "이번에는 다른 사진을 보여 드릴게요. 1998년 5월 3일에 통영에서 찍은 사진이네요. 그날 이야기를 들려주시겠어요?"
    )


def test_an_answer_nested_without_end_is_no_answer() -> None:
    with pytest.raises(ValueError):
        understood(b"[" * 100_000, "gemini")
