"""What 복실이 says when somebody comes, before they have said anything: from the clock, the calendar and a photo.

What is said of a photo stands in `silvertalk.photo_words`. All of it is polite, short, and to be read as well as heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from silvertalk.calendars import Event
from silvertalk.photo_words import PhotoFacts, opening_words, short
from silvertalk.treatment import Treatment
from streaming.messages import Language

WEEKDAYS = "월화수목금토일"
_COUNTS = {2: "두", 3: "세", 4: "네", 5: "다섯"}


def home_greeting(treatment: Treatment, now: datetime, events: Sequence[Event]) -> str:
    """For the first screen. `now` is on the person's own clock. In quiet hours nobody is asked to do anything."""
    address = _addressed(treatment)
    if treatment.is_quiet(now):
        return f"{address}지금은 쉬시는 시간이에요. 저는 조용히 곁에 있을게요."
    today = f"오늘은 {now.month}월 {now.day}일 {WEEKDAYS[now.weekday()]}요일이에요."
    parts = [f"{address}{_hello(now)} 저 {short(treatment.pet_name)} 왔어요.", today, _of(events, treatment.zone)]
    return " ".join(filter(None, parts))


def conversation_greeting(
    treatment: Treatment, now: datetime, photo: PhotoFacts | None, language: Language = "ko"
) -> str:
    """For the beginning of a conversation, about a photo or about nothing yet."""
    hello = _hello(now) if language == "ko" else _hello_en(now)
    address = short(treatment.form_of_address)
    if language == "en" and not address.isascii():
        address = ""  # an English voice reads no Hangul
    if photo is not None:
        return opening_words(hello, address, photo, treatment.zone, language)
    asked = "오늘은 어떤 이야기를 들려주시겠어요?" if language == "ko" else "What would you like to tell me today?"
    return f"{address}, {hello} {asked}" if address else f"{hello} {asked}"


def clock_words(at: datetime) -> str:
    """A time of day as it is said: "오후 3시 30분"."""
    half, hour = ("오전" if at.hour < 12 else "오후"), at.hour % 12 or 12
    return f"{half} {hour}시" + (f" {at.minute}분" if at.minute else "")


def event_words(event: Event, zone: ZoneInfo) -> str:
    """One event of a day: "오후 3시에 병원 예약"."""
    title = short(event.title) or "이름 없는 일정"
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


def _hello_en(now: datetime) -> str:
    if 5 <= now.hour < 12:
        return "Good morning."
    return "Good evening." if now.hour >= 17 else "Hello." if now.hour < 5 else "Good afternoon."


def _addressed(treatment: Treatment) -> str:
    address = short(treatment.form_of_address)
    return f"{address}, " if address else ""
