"""Days and times of day as they are said in Korean: read, and said. Pure; `today` is the person's own.

Read from text without its spaces, since recognisers put them anywhere: each reader takes what stands at the beginning,
and says what follows it. Where a day may be of either side of today, plans lie ahead and photos behind.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import NamedTuple

from silvertalk.spoken_numbers import HOURS, before, hour, sino

WEEKDAYS = "월화수목금토일"
_MONTHS = {6: "유", 10: "시"}
_DAYS_AWAY = {
    "오늘": 0,
    "금일": 0,
    "내일모레": 2,
    "낼모레": 2,
    "내일": 1,
    "낼": 1,
    "명일": 1,
    "모레": 2,
    "글피": 3,
    "어제": -1,
    "어저께": -1,
    "엊그저께": -2,
    "엊그제": -2,
    "그저께": -2,
    "그제": -2,
}
_WEEKS_AWAY = {"다다음주": 2, "다음주": 1, "담주": 1, "이번주": 0, "금주": 0, "지난주": -1, "저번주": -1}
_MONTHS_AWAY = {"다음달": 1, "담달": 1, "내달": 1, "이번달": 0, "이달": 0, "지난달": -1, "저번달": -1}
_YEARS_AWAY = {"재작년": -2, "지지난해": -2, "작년": -1, "지난해": -1, "올해": 0, "금년": 0, "내년": 1}
_SEASONS = {"봄": 3, "여름": 6, "가을": 9, "겨울": 12}
"""The first of three months."""
_HALVES = {
    "오전": "morning",
    "아침": "morning",
    "새벽": "dawn",
    "점심": "noon",
    "오후": "afternoon",
    "낮": "noon",
    "저녁": "evening",
    "밤": "night",
}
_EARLIEST_AFTERNOON, _LATEST_AFTERNOON = 1, 6
"""An hour without its half of the day is one at which people are up and about: 세 시 is three in the afternoon, 여덟
시 eight in the morning. It is always said back in full."""
_CENTURY_ENDS = 30
"""구십팔년 is 1998, 이십년 2020."""


class Span(NamedTuple):
    """From the first to the last day, both included."""

    first: date
    last: date


Read = tuple[Span, str] | None


def read_days(text: str, today: date, *, past: bool = False) -> Read:
    """The day or days that `text`, without spaces, begins with, and what follows; None where it begins with none.
    `past`: of a weekday or a day of the year the last one is meant, not the next."""
    readers: tuple[Callable[[str, date, bool], Read], ...] = (_relative, _of_week, _of_month, _of_year, _season, _dated)
    found = next(filter(None, (reader(text, today, past) for reader in readers)), None)
    if found is None:
        return None
    span, rest = found
    if span.first == span.last and _weekday(rest) is not None:  # 팔월 십오일 토요일: the date goes before its weekday
        rest = rest[3:]
    # 수요일날; 날씨 is another word
    return span, rest[1:] if rest.startswith("날") and not rest.startswith(("날씨", "날이", "날인")) else rest


def read_time(text: str) -> tuple[time, str] | None:
    """The time of day that `text`, without spaces, begins with, and what follows."""
    for word, at in (("정오", time(12)), ("자정", time(0))):
        if text.startswith(word):
            return at, text[len(word) :]
    half, rest = _word(text, _HALVES)
    rest = rest.removeprefix("에") if half else rest
    said = before(rest, "시", HOURS) or before(rest, "시")
    if said is None:
        return _with_colon(rest, half)
    number, rest = said
    minute = 0
    if rest.startswith("반"):
        minute, rest = 30, rest[1:]
    elif (minutes := before(rest, "분")) is not None:
        minute, rest = minutes
    return _placed(number, minute, half, rest)


def _with_colon(text: str, half: str | None) -> tuple[time, str] | None:
    hours, colon, rest = text.partition(":")
    if not colon or not (0 < len(hours) <= 2 and hours.isascii() and hours.isdecimal()):
        return None
    minutes, rest = rest[:2], rest[2:]
    if not (len(minutes) == 2 and minutes.isascii() and minutes.isdecimal()):
        return None
    return _placed(int(hours), int(minutes), half, rest)


def _placed(number: int, minute: int, half: str | None, rest: str) -> tuple[time, str] | None:
    if number > 24 or minute > 59:
        return None
    for about in ("쯤", "정도", "경", "정각"):
        rest = rest.removeprefix(about)
    return time(_hour_of_day(number, half), minute), rest


def _hour_of_day(number: int, half: str | None) -> int:
    if number > 12:
        return number % 24
    twelfth = number % 12
    match half:
        case "morning" | "dawn":
            return twelfth
        case "afternoon" | "evening":
            return twelfth + 12
        case "noon":  # 낮 열한 시, 낮 한 시
            return twelfth if number in (10, 11) else twelfth + 12
        case "night":  # 밤 열 시, 밤 한 시
            return twelfth + 12 if 6 <= number < 12 else twelfth
        case _:
            afternoon = number == 12 or _EARLIEST_AFTERNOON <= number <= _LATEST_AFTERNOON
            return twelfth + 12 if afternoon else twelfth


# --- days ------------------------------------------------------------------------------------------------------------


def _word(text: str, words: dict[str, str]) -> tuple[str | None, str]:
    found = next((word for word in words if text.startswith(word)), None)
    return (words[found], text[len(found) :]) if found is not None else (None, text)


def _away(text: str, words: dict[str, int]) -> tuple[int, str] | None:
    found = next((word for word in words if text.startswith(word)), None)
    return (words[found], text[len(found) :]) if found is not None else None


def _relative(text: str, today: date, past: bool) -> Read:
    found = _away(text, _DAYS_AWAY)
    if found is None:
        return None
    day = today + timedelta(days=found[0])
    return Span(day, day), found[1]


def _of_week(text: str, today: date, past: bool) -> Read:
    found = _away(text, _WEEKS_AWAY)
    monday = today - timedelta(days=today.weekday())
    if found is not None:
        monday += timedelta(weeks=found[0])
        rest = found[1]
        if (weekday := _weekday(rest)) is not None:
            day = monday + timedelta(days=weekday)
            return Span(day, day), rest[3:]
        if rest.startswith("주말") or (rest.startswith("말") and not rest.startswith(("말해", "말씀"))):  # 이번 주말
            rest = rest[rest.index("말") + 1 :]
            return Span(monday + timedelta(days=5), monday + timedelta(days=6)), rest
        return Span(monday, monday + timedelta(days=6)), rest
    if text.startswith("주말"):
        monday -= timedelta(weeks=1) if past and today.weekday() < 5 else timedelta()
        return Span(monday + timedelta(days=5), monday + timedelta(days=6)), text[2:]
    weekday = _weekday(text)
    if weekday is None:
        return None
    ahead = (weekday - today.weekday()) % 7
    day = today + timedelta(days=ahead - 7 if past and ahead else ahead)
    return Span(day, day), text[3:]


def _weekday(text: str) -> int | None:
    return WEEKDAYS.index(text[0]) if text[1:3] == "요일" and text[0] in WEEKDAYS else None


def _of_month(text: str, today: date, past: bool) -> Read:
    found = _away(text, _MONTHS_AWAY)
    if found is None:
        return None
    months = today.year * 12 + today.month - 1 + found[0]
    return _in_month(months // 12, months % 12 + 1, found[1])


def _in_month(year: int, month: int, rest: str) -> Read:
    """A month, or the day of it that follows."""
    if (said := _day_of_month(rest)) is not None and (day := _day(year, month, said[0])) is not None:
        return Span(day, day), said[1]
    first = date(year, month, 1)
    return Span(first, _last_of(year, month)), rest


def _of_year(text: str, today: date, past: bool) -> Read:
    found = _away(text, _YEARS_AWAY)
    if found is not None:
        year, rest = today.year + found[0], found[1]
    elif (ago := before(text, "년전")) is not None and ago[0] < 150:
        year, rest = today.year - ago[0], ago[1]
    elif (named := before(text, "년도") or before(text, "년")) is not None:
        year, rest = named
        if year < 100:
            year += 1900 if year > _CENTURY_ENDS else 2000
        if not 1826 <= year <= 2200:
            return None
    else:
        return None
    rest = rest.removeprefix("에") if rest[1:2] not in ("서",) else rest
    if (season := _away(rest, _SEASONS)) is not None:
        return _three_months(year, season[0]), season[1]
    if (month := _month(rest)) is not None:
        return _in_month(year, *month)
    return Span(date(year, 1, 1), date(year, 12, 31)), rest


def _season(text: str, today: date, past: bool) -> Read:
    last = text.startswith("지난")
    named = text.removeprefix("지난").removeprefix("이번")
    found = _away(named, _SEASONS)
    if found is None:
        return None
    span = _three_months(today.year, found[0])
    if (past or last) and (span.first > today or (last and span.last >= today)):
        span = _three_months(today.year - 1, found[0])
    return span, found[1]


def _three_months(year: int, first: int) -> Span:
    last_month = first + 2
    end = _last_of(year + (last_month > 12), (last_month - 1) % 12 + 1)
    return Span(date(year, first, 1), end)


def _dated(text: str, today: date, past: bool) -> Read:
    """팔월 십오일, or 팔월, or 십오일."""
    if (named := _month(text)) is not None:
        month, rest = named
        year = today.year
        found = _in_month(year, month, rest)
        if found is None:
            return None
        if past and found[0].first > today:
            return _in_month(year - 1, month, rest)
        return _in_month(year + 1, month, rest) if not past and found[0].last < today else found
    said = _day_of_month(text)
    # 일일 may be a day, but 오일 (oil) and 이 일 (this matter) are nothing to guess at
    if said is None or said[0] < 10 and not text[:1].isdecimal():
        return None
    months = today.year * 12 + today.month - 1
    step = -1 if past else 1
    for away in range(3):
        year, month = divmod(months + step * away, 12)
        day = _day(year, month + 1, said[0])
        if day is not None and (day <= today if past else day >= today):
            return Span(day, day), said[1]
    return None


def _month(text: str) -> tuple[int, str] | None:
    for number, word in _MONTHS.items():
        if text.startswith(f"{word}월"):
            return number, text[2:]
    said = before(text, "월")
    return said if said is not None and 1 <= said[0] <= 12 else None


def _day_of_month(text: str) -> tuple[int, str] | None:
    """삼십일일요일 is the thirtieth, a Sunday: what stands before 요일 names the day of the week."""
    said = before(text, "일")
    if said is None or not said[1].startswith("요일"):
        return said
    number, rest = said
    written_out = not text[0].isdecimal() and number > 10 and number % 10 == 1
    return (number - 1 if written_out else number), f"일{rest}"


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _last_of(year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=1)


# --- said ------------------------------------------------------------------------------------------------------------


def day_words(day: date, today: date) -> str:
    """오늘, 내일, 모레; else 십일월 이십오일 수요일, with its year where that is another."""
    near = {0: "오늘", 1: "내일", 2: "모레", -1: "어제"}.get((day - today).days)
    if near is not None:
        return near
    year = f"{sino(day.year)}년 " if day.year != today.year else ""
    month = _MONTHS.get(day.month) or sino(day.month)
    return f"{year}{month}월 {sino(day.day)}일 {WEEKDAYS[day.weekday()]}요일"


def span_words(span: Span, today: date) -> str:
    """A day; or 십일월 이십삼일 월요일부터 십일월 이십구일 일요일까지."""
    first = day_words(span.first, today)
    return first if span.first == span.last else f"{first}부터 {day_words(span.last, today)}까지"


def time_words(at: time) -> str:
    """오후 세 시, 오전 열 시 삼십 분."""
    half = "오전" if at.hour < 12 else "오후"
    return f"{half} {hour(at.hour)} 시" + (f" {sino(at.minute)} 분" if at.minute else "")
