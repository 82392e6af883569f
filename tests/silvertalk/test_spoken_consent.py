"""A yes has something written down: nothing else may be taken for one."""

from __future__ import annotations

import pytest

from silvertalk.spoken_consent import asks_again, consent_in
from silvertalk.wishes import Wish, was_heard, wish_of

YES = [
    "응",
    "네",
    "예",
    "응응",
    "응 그래",
    "그래 적어 줘",
    "네, 부탁해요",
    "어 그렇게 해 줘",
    "좋아",
    "오냐",
    "복실아, 응",
]
NO = ["아니", "아니요, 됐어요", "됐어", "하지 마", "아니 적지 마", "괜찮아", "관둬", "아니야, 복실아"]
NEITHER = [
    "응?",
    "네?",
    "글쎄",
    "응 그런데 네 시야",
    "아니 적어 줘",
    "응 아니",
    "네 시",
    "네 명이야",
    "그래서 어제 시장에 갔지",
    "좋아하던 노래가 있었어",
    "응 하고 대답했지",
    "수요일 말고 목요일",
    "",
    "응 " * 40,
]


@pytest.mark.parametrize("text", YES)
def test_a_yes(text: str) -> None:
    assert consent_in(text, "ko") == "yes"


@pytest.mark.parametrize("text", NO)
def test_a_no(text: str) -> None:
    assert consent_in(text, "ko") == "no"


@pytest.mark.parametrize("text", NEITHER)
def test_neither(text: str) -> None:
    assert consent_in(text, "ko") is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Yes", "yes"),
        ("yes please", "yes"),
        ("Go ahead, dear", "yes"),
        ("No", "no"),
        ("No, thank you", "no"),
        ("forget it", None),
        ("yes but at four", None),
        ("yes?", None),
    ],
)
def test_in_english(text: str, meant: str | None) -> None:
    assert consent_in(text, "en") == meant


def test_who_asks_again() -> None:
    assert asks_again("네?", "ko") and asks_again("응?", "ko")
    assert not asks_again("네", "ko") and not asks_again("네 시?", "ko")


def test_a_wish_is_read_again_and_names_what_it_writes_the_same_way_each_time() -> None:
    wish = Wish(tool="add_event", arguments={"title": "병원", "day": "2026-11-25"}, question="적어 드릴까요?")
    assert wish_of(wish.encoded()) == wish
    assert wish_of("") is wish_of("{}") is wish_of("[") is wish_of("x" * 10_000) is None
    again = Wish(tool="add_event", arguments={"day": "2026-11-25", "title": "병원"}, question="적을까요?")
    assert wish.id_for("u", "s", 0) == again.id_for("u", "s", 0)
    others = {wish.id_for("u", "s", 1), wish.id_for("u", "t", 0), wish.id_for("v", "s", 0)}
    assert len(others | {wish.id_for("u", "s", 0)}) == 4


def test_a_question_counts_that_was_heard() -> None:
    question = "수요일 오후 세 시에 병원 가기라고 적어 드릴까요?"
    assert was_heard(question, question, question, interrupted=False)
    assert was_heard(question, question, question[:-6], interrupted=True)
    assert not was_heard(question, question, question[:10], interrupted=True)
    assert not was_heard(question, question, "", interrupted=False)


def test_what_an_llm_says_before_its_question_is_no_part_of_it() -> None:
    question = "그 이야기를 제가 잊을까요?"
    before = "그러셨군요, 참 속상하셨겠어요. 저도 마음이 아파요. 오늘은 같이 천천히 이야기해요. "
    assert not was_heard(question, before + question, before, interrupted=True)
    assert not was_heard(question, before + question, before + question[:6], interrupted=True)
    assert was_heard(question, before + question, before + question[:-3], interrupted=True)
