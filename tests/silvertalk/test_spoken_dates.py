"""Days and times of day: read from speech, and said."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.spoken_dates import Span, day_words, read_days, read_time, span_words, time_words
from silvertalk.spoken_numbers import HOURS, SINO, before, english, hour, ordinal, sino

TODAY = date(2026, 11, 22)
"""A Sunday."""


def day(text: str, *, past: bool = False) -> tuple[str, str, str] | None:
    found = read_days(text.replace(" ", ""), TODAY, past=past)
    return None if found is None else (found[0].first.isoformat(), found[0].last.isoformat(), found[1])


def one(iso: str, rest: str = "") -> tuple[str, str, str]:
    return iso, iso, rest


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("오늘", one("2026-11-22")),
        ("내일모레", one("2026-11-24")),
        ("그저께", one("2026-11-20")),
        ("수요일", one("2026-11-25")),
        ("일요일", one("2026-11-22")),
        ("이번 주 수요일", one("2026-11-18")),
        ("다음 주 수요일", one("2026-11-25")),
        ("다다음 주 월요일", one("2026-11-30")),
        ("다음 주", ("2026-11-23", "2026-11-29", "")),
        ("이번 주말", ("2026-11-21", "2026-11-22", "")),
        ("다음 달 삼일", one("2026-12-03")),
        ("팔월 십오일", one("2027-08-15")),
        ("12월 25일", one("2026-12-25")),
        ("유월", ("2027-06-01", "2027-06-30", "")),
        ("시월 이십일일", one("2027-10-21")),
        ("이십일", one("2026-12-20")),
        ("이십일일", one("2026-12-21")),
        ("25일", one("2026-11-25")),
        ("삼십일일", one("2026-12-31")),
        ("팔월 삼십일일 화요일", one("2027-08-31")),
        ("오월 삼십일 일요일", one("2027-05-30")),
        ("십일 목요일에", one("2026-12-10", "에")),
        ("12월 10일요일", one("2026-12-10")),
        ("이 일요일", None),
        ("내일 월요일에 병원", one("2026-11-23", "에병원")),
        ("내일은 병원", one("2026-11-23", "은병원")),
    ],
)
def test_plans_lie_ahead(text: str, meant: tuple[str, str, str] | None) -> None:
    assert day(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("수요일", one("2026-11-18")),
        ("팔월 십오일", one("2026-08-15")),
        ("십이월", ("2025-12-01", "2025-12-31", "")),
        ("작년 여름", ("2025-06-01", "2025-08-31", "")),
        ("재작년 겨울", ("2024-12-01", "2025-02-28", "")),
        ("지난여름", ("2026-06-01", "2026-08-31", "")),
        ("겨울", ("2025-12-01", "2026-02-28", "")),
        ("천구백구십팔년", ("1998-01-01", "1998-12-31", "")),
        ("구십팔년 오월", ("1998-05-01", "1998-05-31", "")),
        ("이천이십년 오월 팔일", one("2020-05-08")),
        ("오 년 전", ("2021-01-01", "2021-12-31", "")),
    ],
)
def test_photos_lie_behind(text: str, meant: tuple[str, str, str]) -> None:
    assert day(text, past=True) == meant


@pytest.mark.parametrize(
    "text", ["병원", "일", "월", "오일장", "팔월달력아", "이 일", "요일", "", "삼월 삼십이일에", "이천삼백년"]
)
def test_what_is_no_day(text: str) -> None:
    found = day(text)
    assert found is None or found[2], "or more than a day"


@pytest.mark.parametrize(
    ("text", "meant", "rest"),
    [
        ("세 시", "15:00", ""),
        ("여덟 시에", "08:00", "에"),
        ("아침 여덟 시", "08:00", ""),
        ("저녁 여섯 시 반", "18:30", ""),
        ("오후 3시 15분", "15:15", ""),
        ("오전 열한 시 오십오 분", "11:55", ""),
        ("낮 열두 시", "12:00", ""),
        ("열두 시", "12:00", ""),
        ("밤 열두 시", "00:00", ""),
        ("밤 열 시쯤", "22:00", ""),
        ("새벽 다섯 시", "05:00", ""),
        ("15시", "15:00", ""),
        ("정오", "12:00", ""),
        ("3:30에", "15:30", "에"),
    ],
)
def test_times_of_day(text: str, meant: str, rest: str) -> None:
    assert read_time(text.replace(" ", "")) == (time.fromisoformat(meant), rest)


@pytest.mark.parametrize("text", ["시장", "세시간", "스물다섯시", "99시", "3:75", ":", "한번"])
def test_what_is_no_time(text: str) -> None:
    found = read_time(text)
    assert found is None or found[1] == "간", "a length is told apart by what follows"


def test_every_day_that_is_said_is_read_again() -> None:
    for ahead in range(6 * 365):
        said = TODAY + timedelta(days=ahead)
        words = day_words(said, TODAY).replace(" ", "")
        found = read_days(words, TODAY)
        assert found == (Span(said, said), ""), words
        assert not any(character.isdecimal() for character in words), "numbers are words"


@given(st.integers(0, 23), st.integers(0, 59))
def test_a_time_that_is_said_is_read_again(hours: int, minutes: int) -> None:
    words = time_words(time(hours, minutes)).replace(" ", "")
    assert read_time(words) == (time(hours, minutes), "")


@given(st.text(alphabet="오전후아침저녁밤한두세열시분반일월년요이삼사오육칠팔구십백천작다음주지난3:1 ", max_size=40))
def test_whatever_is_said_is_read_or_not(text: str) -> None:
    read_days(text, TODAY)
    read_days(text, TODAY, past=True)
    read_time(text)


def test_spans_are_said() -> None:
    assert span_words(Span(TODAY, TODAY), TODAY) == "오늘"
    assert day_words(date(2026, 11, 25), TODAY) == "십일월 이십오일 수요일"
    assert day_words(date(2027, 6, 1), TODAY) == "이천이십칠년 유월 일일 화요일"


def test_numbers() -> None:
    assert (sino(1998), sino(0), sino(10), sino(2026)) == ("천구백구십팔", "영", "십", "이천이십육")
    assert (hour(12), hour(1), hour(15)) == ("열두", "한", "세")
    assert before("이십일일", "일") == (21, "") and before("이십일", "일") == (20, "")
    assert before("12월", "월") == (12, "") and before("열두시", "시", HOURS) == (12, "")
    assert before("월", "월") is None and before("", "월") is None
    assert (english(25), ordinal(1), ordinal(22), ordinal(12), ordinal(30)) == (
        "twenty-five",
        "first",
        "twenty-second",
        "twelfth",
        "thirtieth",
    )
    assert len(SINO) == 2201
    with pytest.raises(ValueError):
        sino(10_000)
