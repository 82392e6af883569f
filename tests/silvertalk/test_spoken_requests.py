"""What is taken for a request without any LLM, and what must not be."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.repair import repair_in
from silvertalk.spoken_clause import Request
from silvertalk.spoken_requests import LONGEST_REQUEST, asks_for_own_words, request_in
from streaming.tools import TOOLS

NOW = datetime(2026, 11, 22, 14, 0)
"""A Sunday."""
TODAY, TOMORROW = "2026-11-22", "2026-11-23"

KOREAN: list[tuple[str, str, dict[str, str]]] = [
    ("오늘 병원 가는 날인가?", "find_events", {"first_day": TODAY, "last_day": TODAY, "words": "병원"}),
    ("오늘 병원 가는 날이야?", "find_events", {"first_day": TODAY, "last_day": TODAY, "words": "병원"}),
    ("복실아, 내일 병원에 가야 하나?", "find_events", {"first_day": TOMORROW, "last_day": TOMORROW, "words": "병원"}),
    ("내일 무슨 일 있어?", "find_events", {"first_day": TOMORROW, "last_day": TOMORROW}),
    ("내일 뭐 있나", "find_events", {"first_day": TOMORROW, "last_day": TOMORROW}),
    ("내일 일정 좀 알려 줘", "find_events", {"first_day": TOMORROW, "last_day": TOMORROW}),
    ("다음 주에 무슨 약속 있나?", "find_events", {"first_day": "2026-11-23", "last_day": "2026-11-29"}),
    (
        "수요일에 미용실 예약 있니",
        "find_events",
        {"first_day": "2026-11-25", "last_day": "2026-11-25", "words": "미용실 예약"},
    ),
    ("병원 가는 날이 언제지?", "find_events", {"first_day": TODAY, "last_day": "2027-02-22", "words": "병원"}),
    ("다음 사진 보여줘", "show_photo", {}),
    ("응, 다음 사진으로 넘겨 줘", "show_photo", {}),
    ("사진 좀 보여줄래?", "show_photo", {}),
    ("부산에서 찍은 사진 보여줘", "show_photo", {"place": "부산"}),
    ("제주도 사진 보여 주세요", "show_photo", {"place": "제주도"}),
    ("작년 여름 사진", "show_photo", {"first_day": "2025-06-01", "last_day": "2025-08-31"}),
    ("1998년에 찍은 사진 보여줘", "show_photo", {"first_day": "1998-01-01", "last_day": "1998-12-31"}),
    ("손주랑 찍은 사진 보여줘", "show_photo", {"person": "손주"}),
    ("우리 딸 나온 사진 보여줘", "show_photo", {"person": "딸"}),
    (
        "지난여름에 강릉에서 찍은 사진 보여줘",
        "show_photo",
        {"first_day": "2026-06-01", "last_day": "2026-08-31", "place": "강릉"},
    ),
    (
        "수요일 세 시에 병원 간다고 적어 줘",
        "add_event",
        {"title": "병원 가기", "day": "2026-11-25", "time": "15:00"},
    ),
    (
        "다음 주 금요일 오전 10시 30분에 치과 예약 적어줘",
        "add_event",
        {"title": "치과 예약", "day": "2026-11-27", "time": "10:30"},
    ),
    ("내일 손주 온다고 적어 줘", "add_event", {"title": "손주 오는 날", "day": TOMORROW}),
    ("내일 세 시에 은행 가라고 알려 줘", "add_event", {"title": "은행 가기", "day": TOMORROW, "time": "15:00"}),
    ("병원 간다고 적어 줘", "add_event", {"title": "병원 가기"}),
    ("매일 아침 여덟 시에 혈압약 먹으라고 알려 줘", "add_reminder", {"what": "혈압약 먹기", "time": "08:00"}),
    ("저녁마다 일곱 시 반에 당뇨약 먹으라고 말해 줘", "add_reminder", {"what": "당뇨약 먹기", "time": "19:30"}),
    ("그건 잊어줘", "forget_memory", {}),
    ("방금 한 말은 기억하지 마", "forget_memory", {}),
    ("전쟁 이야기는 잊어줘", "forget_memory", {"words": "전쟁"}),
    ("내가 뭐라고 했었지?", "own_words", {}),
    ("아까 무슨 말 하고 있었지?", "own_words", {}),
    ("내가 부산 얘기 했었나?", "find_memories", {"words": "부산"}),
    ("지금 몇 시야?", "clock", {}),
    ("오늘이 며칠이지", "clock", {}),
]
ENGLISH: list[tuple[str, str, dict[str, str]]] = [
    ("What do I have today?", "find_events", {"first_day": TODAY, "last_day": TODAY}),
    ("Do I have the doctor tomorrow?", "find_events", {"first_day": TOMORROW, "last_day": TOMORROW, "words": "doctor"}),
    ("Show me the next photo, please", "show_photo", {}),
    ("Show me photos from Busan", "show_photo", {"place": "busan"}),
    (
        "Write down that I see the doctor on Wednesday at three",
        "add_event",
        {"title": "the doctor", "day": "2026-11-25", "time": "15:00"},
    ),
    ("Remind me every morning at eight to take my pills", "add_reminder", {"what": "take my pills", "time": "08:00"}),
    ("Forget that", "forget_memory", {}),
    ("What was I saying?", "own_words", {}),
    ("What time is it?", "clock", {}),
]

STORIES = [
    "그때 병원에 갔었지",
    "사진을 보여줬더니 웃더라",
    "오늘 병원 가는 날이야",
    "내일 약속이 있어",
    "내일 병원에 가야 해",
    "수요일에 병원 갔다가 시장에 들렀지",
    "손주한테 사진 보여 줘야지",
    "딸이 사진 보여 줘서 한참 봤어",
    "민수가 사진 보여줘",
    "부산에서 찍은 사진이야",
    "부산에서 찍은 사진",
    "여름 사진",
    "다음 사진에는 우리 딸도 있어",
    "그 사진 보여 달라고 하도 졸라서",
    "그건 다 잊어버렸어",
    "잊어버릴 만도 하지",
    "누가 그 얘기를 잊으라고 하더라",
    "그 사람이 뭐라고 했었지",
    "내가 뭐라고 했었지 하고 생각했어",
    "남편이 매일 아침 여덟 시에 약 먹으라고 알려 줬지",
    "매일 아침 여덟 시에 약을 먹었어",
    "편지를 적어 줘서 고마웠지",
    "이름 적어 줘",
    "주소 좀 알려 줘",
    "그 노래 좀 알려 줘",
    "무슨 일이 있어도 내일은 가야지",
    "오늘 누구 있나",
    "오늘 집에 있나?",
    "봄날에 꽃이 피면 사진 찍으러 갔지",
    "수요일 세 시에 병원에 간다고 했잖아",
    "내일 세 시에 병원 간다고 딸이 적어 줬어",
    "오늘은 병원 가는 날인데 비가 오네",
    "사진 보여줘 하고 손주가 그랬어",
    "지금 몇 시인 줄도 모르고 놀았지",
    "다음 주면 손주가 온다",
    "어제 병원 갔나",
]
ENGLISH_STORIES = [
    "I forgot that",
    "She showed me the next photo and laughed",
    "I have the doctor today",
    "He used to remind me every morning at eight to take my pills",
    "what time it was I cannot say",
]


@pytest.mark.parametrize(("text", "name", "arguments"), KOREAN)
def test_what_is_asked_for(text: str, name: str, arguments: dict[str, str]) -> None:
    assert request_in(text, "ko", NOW) == Request(name, arguments)


@pytest.mark.parametrize(("text", "name", "arguments"), ENGLISH)
def test_what_is_asked_for_in_english(text: str, name: str, arguments: dict[str, str]) -> None:
    assert request_in(text, "en", NOW) == Request(name, arguments)


@pytest.mark.parametrize("text", STORIES)
def test_a_story_is_no_request(text: str) -> None:
    assert request_in(text, "ko", NOW) is None
    assert request_in(f"{text}. 그랬지 뭐야.", "ko", NOW) is None


@pytest.mark.parametrize("text", ENGLISH_STORIES)
def test_a_story_in_english_is_no_request(text: str) -> None:
    assert request_in(text, "en", NOW) is None


@pytest.mark.parametrize(("text", "name", "arguments"), KOREAN)
def test_more_than_a_request_is_none(text: str, name: str, arguments: dict[str, str]) -> None:
    assert request_in(f"{text} 하고 우리 손주가 그러더라", "ko", NOW) is None
    assert request_in(f"옛날에는 말이야, {text}", "ko", NOW) is None


def test_spaces_and_calling_do_not_matter() -> None:
    for text in ("내일무슨일있어", "저기 복실아 내일 무슨 일 있어 응?", "내일, 무슨 일 있어?"):
        found = request_in(text, "ko", NOW)
        assert found is not None and found.arguments == {"first_day": TOMORROW, "last_day": TOMORROW}, text


def test_what_is_asked_for_are_tools_with_their_arguments() -> None:
    for _, name, arguments in (*KOREAN, *ENGLISH):
        if name in ("clock", "own_words"):
            continue
        assert arguments.keys() <= TOOLS[name].parameters["properties"].keys()


def test_own_words_are_not_taken_for_a_request_to_repeat() -> None:
    assert asks_for_own_words("내가 뭐라고 했지?", "ko") and asks_for_own_words("What did I say?", "en")
    for text in ("뭐라고?", "뭐라고 했지?", "방금 뭐라고 했어?"):
        assert not asks_for_own_words(text, "ko") and repair_in(text, "ko") == "repeat"


PIECES = sorted(
    {word for text, _, _ in KOREAN for word in text.split()} | {word for text in STORIES for word in text.split()}
)


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_no_row_of_such_words_takes_long_or_breaks(words: list[str]) -> None:
    text = " ".join(words)[:LONGEST_REQUEST]
    began = time.process_time()
    found = request_in(text, "ko", NOW)
    assert time.process_time() - began < 0.5, "a match takes far less than a millisecond; a blow-up takes minutes"
    assert found is None or all(isinstance(value, str) for value in found.arguments.values())


@given(st.text(max_size=200))
def test_whatever_is_said_is_understood_or_not(text: str) -> None:
    request_in(text, "ko", NOW)
    request_in(text, "en", NOW)


def test_nobody_asks_at_length() -> None:
    assert request_in("다음 " * 5_000 + "사진 보여줘", "ko", NOW) is None
