"""What 복실이 says when somebody comes, before they have said anything: from the clock, the calendar and a photo.

Nothing is claimed to be seen: of a photo 복실이 knows when and where it was taken, if that. All of it is polite, short,
and to be read as well as heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from silvertalk.calendars import Event
from silvertalk.treatment import Treatment

MAX_TITLE_CHARACTERS = 40
WEEKDAYS = "월화수목금토일"
_COUNTS = {2: "두", 3: "세", 4: "네", 5: "다섯"}


@dataclass(frozen=True)
class PhotoFacts:
    """What a greeting may say of a photo; None and empty where nobody knows."""

    taken_at: datetime | None = None
    location_name: str = ""


def home_greeting(treatment: Treatment, now: datetime, events: Sequence[Event]) -> str:
    """For the first screen. `now` is on the person's own clock. In quiet hours nobody is asked to do anything."""
    address = _addressed(treatment)
    if treatment.is_quiet(now):
        return f"{address}지금은 쉬시는 시간이에요. 저는 조용히 곁에 있을게요."
    today = f"오늘은 {now.month}월 {now.day}일 {WEEKDAYS[now.weekday()]}요일이에요."
    parts = [f"{address}{_hello(now)} 저 {_short(treatment.pet_name)} 왔어요.", today, _of(events, treatment.zone)]
    return " ".join(filter(None, parts))


def conversation_greeting(treatment: Treatment, now: datetime, photo: PhotoFacts | None) -> str:
    """For the beginning of a conversation, about a photo or about nothing yet."""
    hello = f"{_addressed(treatment)}{_hello(now)}"
    if photo is None:
        return f"{hello} 오늘은 어떤 이야기를 들려주시겠어요?"
    known = taken_words(photo, treatment.zone)
    if not known:
        return f"{hello} 고르신 사진 이야기를 듣고 싶어요. 어떤 날이었는지 들려주시겠어요?"
    return f"{hello} {known} 찍은 사진이네요. 그날 이야기를 들려주시겠어요?"


def taken_words(photo: PhotoFacts, zone: ZoneInfo) -> str:
    """When and where a photo was taken, as far as known: "1998년 5월 3일에 부산에서"."""
    words = []
    if photo.taken_at is not None:
        day = photo.taken_at.astimezone(zone)
        words.append(f"{day.year}년 {day.month}월 {day.day}일에")
    if photo.location_name.strip():
        words.append(f"{_short(photo.location_name)}에서")
    return " ".join(words)


def clock_words(at: datetime) -> str:
    """A time of day as it is said: "오후 3시 30분"."""
    half, hour = ("오전" if at.hour < 12 else "오후"), at.hour % 12 or 12
    return f"{half} {hour}시" + (f" {at.minute}분" if at.minute else "")


def event_words(event: Event, zone: ZoneInfo) -> str:
    """One event of a day: "오후 3시에 병원 예약"."""
    title = _short(event.title) or "이름 없는 일정"
    return title if event.is_all_day else f"{clock_words(event.starts_at.astimezone(zone))}에 {title}"


def _of(events: Sequence[Event], zone: ZoneInfo) -> str:
    if not events:
        return ""
    first = event_words(events[0], zone)
    if len(events) == 1:
        return f"일정이 하나 있으세요, {first}."
    count = _COUNTS.get(len(events), "여러")
    return f"일정이 {count} 가지 있으세요, 먼저 {first}."


def _hello(now: datetime) -> str:
    if 5 <= now.hour < 11:
        return "좋은 아침이에요."
    if 11 <= now.hour < 17:
        return "안녕하세요."
    if 17 <= now.hour < 22:
        return "좋은 저녁이에요."
    return "밤이 깊었네요."


def _addressed(treatment: Treatment) -> str:
    address = _short(treatment.form_of_address)
    return f"{address}, " if address else ""


def _short(text: str) -> str:
    """Other people's text, on one line and of a length to be read aloud."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_TITLE_CHARACTERS else line[: MAX_TITLE_CHARACTERS - 1].rstrip() + "…"
