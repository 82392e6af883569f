"""What 복실이 says in Korean to somebody who asked for something: two or three short sentences, numbers in words. Pure.

Of the calendar it only says what is written there, never that nothing is planned: somebody may know better. In English
it is `silvertalk.spoken_answers_english`, which has the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from silvertalk.calendars import Event
from silvertalk.spoken_dates import Span, day_words, span_words, time_words
from silvertalk.spoken_numbers import count

TOLD_AT_ONCE = 3
"""Events in one answer: more are not kept in mind."""
TITLE_CHARACTERS = 40
QUOTED_CHARACTERS = 120
LONGEST_NEAR_DAY = 2
"""Characters of 오늘, 내일, 모레, which take no particle."""

AWAY = "죄송해요, 지금은 제가 찾아볼 수가 없어요. 조금 뒤에 다시 말씀해 주시겠어요?"
NOT_WRITTEN = "죄송해요, 지금은 적어 둘 수가 없었어요. 조금 뒤에 다시 말씀해 주시겠어요?"
NOT_FORGOTTEN = "죄송해요, 지금은 지울 수가 없었어요. 조금 뒤에 다시 말씀해 주시겠어요?"
NOT_UNDERSTOOD = "제가 어떻게 해 드리면 좋을지 잘 모르겠어요. 한 번만 다시 말씀해 주시겠어요?"
NO_MORE_PHOTOS = "더 보여 드릴 사진을 못 찾았어요. 이 사진 이야기를 더 들려주시겠어요?"
NO_SUCH_PHOTO = "말씀하신 사진은 찾지 못했어요. 다른 사진을 보여 드릴까요?"
NOTHING_KNOWN = "그 이야기는 아직 들은 기억이 없어요. 지금 들려주시겠어요?"
NOTHING_TO_FORGET = "그 이야기는 따로 적어 둔 것이 없어요. 마음 놓으셔도 돼요."
NO_OWN_WORDS = "아직 하신 말씀이 없어요. 생각나시는 대로 들려주시겠어요?"
WHICH_DAY = "어느 날로 적어 드릴까요? 날짜와 시간을 한 번에 말씀해 주시겠어요?"
WHAT_TIME = "몇 시로 적어 드릴까요? 하실 일과 시간을 한 번에 말씀해 주시겠어요?"
DAY_IS_OVER = "말씀하신 날은 벌써 지났어요. 어느 날인지 다시 한번 말씀해 주시겠어요?"
DECLINED = {
    "add_event": "네, 그럼 적지 않을게요. 하시던 이야기 계속 들려주세요.",
    "add_reminder": "네, 그럼 적지 않을게요. 하시던 이야기 계속 들려주세요.",
    "forget_memory": "네, 그럼 그대로 기억하고 있을게요. 하시던 이야기 계속 들려주세요.",
}
DROPPED = {
    "add_event": "그럼 그 일은 아직 적지 않고 둘게요. 적어 두고 싶으시면 다시 말씀해 주세요.",
    "add_reminder": "그럼 그 일은 아직 적지 않고 둘게요. 적어 두고 싶으시면 다시 말씀해 주세요.",
    "forget_memory": "그럼 그대로 기억하고 있을게요. 잊기를 바라시면 다시 말씀해 주세요.",
}
FORGOTTEN = "네, 그 이야기는 잊었어요. 앞으로는 꺼내지 않을게요."
FORGET_THAT = "방금 하신 말씀을 제가 잊을까요?"


def with_particle(word: str, closed: str, opened: str) -> str:
    """`word` with the particle that its end asks for: after a consonant `closed`, else `opened`."""
    last = word.rstrip(" .!?…”\"')")[-1:]
    closes = "가" <= last <= "힣" and (ord(last) - ord("가")) % 28 != 0
    return word + (closed if closes else opened)


def short(text: str, limit: int = TITLE_CHARACTERS) -> str:
    """Other people's text, on one line and of a length to be read aloud."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[:limit].rstrip() + "…"


# --- the calendar ----------------------------------------------------------------------------------------------------


def events_told(found: Sequence[Event], span: Span, words: str, today: date, zone: ZoneInfo) -> str:
    """What the calendar has on these days. `words`: what was asked about, where it was anything."""
    one_day = span.first == span.last
    when = day_words(span.first, today) if one_day else ""
    if not found:
        return _nothing_found(when, words)
    told = [_event(event, today, zone, with_day=not one_day) for event in found[:TOLD_AT_ONCE]]
    about = with_particle(when, "은", "는") + " " if when else ""
    if len(found) == 1:
        place = short(found[0].location)
        where = f" 장소는 {with_particle(place, '이에요', '예요')}." if place else ""
        return f"{'네, ' if words else ''}{about}{with_particle(told[0], '이', '가')} 적혀 있어요.{where}"
    lead = "일정이 " + (f"{count(len(found))} 가지" if len(found) <= 10 else "여러 가지") + " 적혀 있어요."
    listed = ", ".join(told)
    if len(found) > TOLD_AT_ONCE:
        return f"{about}{lead} 먼저 {with_particle(listed, '이에요', '예요')}. 더 말씀드릴까요?"
    return f"{about}{lead} {with_particle(listed, '이에요', '예요')}."


def other_events_told(others: Sequence[Event], span: Span, words: str, today: date, zone: ZoneInfo) -> str:
    """Nothing like what was asked about is there, but something else is."""
    when = day_words(span.first, today) if span.first == span.last else ""
    told = _event(others[0], today, zone, with_day=not when)
    return f"{_none_of(when, words)} 대신 {with_particle(told, '이', '가')} 적혀 있어요."


def _nothing_found(when: str, words: str) -> str:
    if words:
        return f"{_none_of(when, words)} 제가 모르는 약속이 있으실 수도 있어요."
    about = with_particle(when, "은", "는") + " " if when else "그동안은 "
    return f"{about}달력에 적힌 일정이 없어요. 제가 모르는 약속이 있으실 수도 있어요."


def _none_of(when: str, words: str) -> str:
    thing = short(words)
    return f"{when + ' ' if when else ''}달력에는 {with_particle(thing, '이라고', '라고')} 적힌 일정이 없어요."


def _event(event: Event, today: date, zone: ZoneInfo, *, with_day: bool) -> str:
    title = short(event.title) or "이름 없는 일정"
    day = day_words(event.days[0], today) + " " if with_day else ""
    if event.is_all_day:
        return f"{day}{title}"
    return f"{day}{time_words(event.starts_at.astimezone(zone).time())}에 {title}"


# --- leave to write --------------------------------------------------------------------------------------------------


def asks_to_add_event(title: str, day: date, at: time | None, place: str, today: date) -> str:
    where = f" {place}에서" if place else ""
    when = _moment(day, at, today)
    then = when if at is None and len(when) <= LONGEST_NEAR_DAY else f"{when}에"
    return f"{then}{where} {with_particle(title, '이라고', '라고')} 적어 드릴까요?"


def event_added(title: str, day: date, at: time | None, place: str, today: date) -> str:
    return f"네, 적어 두었어요. {_moment(day, at, today)}, {with_particle(title, '이에요', '예요')}."


def asks_to_add_reminder(title: str, at: time, span: Span, today: date) -> str:
    return (
        f"매일 {time_words(at)}에 {with_particle(title, '이라고', '라고')} 달력에 적어 드릴까요? "
        f"{span_words(span, today)} 적어 두려고 해요."
    )


def reminder_added(title: str, at: time, span: Span, today: date) -> str:
    until = day_words(span.last, today)
    return f"네, 적어 두었어요. {until}까지 매일 {time_words(at)}, {with_particle(title, '이에요', '예요')}."


def asks_to_forget(facts: Sequence[str]) -> str:
    told = short(facts[0], QUOTED_CHARACTERS).rstrip(".")
    more = " 이와 비슷한 이야기도 함께 잊을게요." if len(facts) > 1 else ""
    return f"이렇게 들었어요, {told}.{more} 이 이야기를 제가 잊을까요?"


def asks_to_forget_words(words: str) -> str:
    return f"{short(words)} 이야기를 제가 잊을까요?"


def _moment(day: date, at: time | None, today: date) -> str:
    return day_words(day, today) + (f" {time_words(at)}" if at is not None else "")


# --- the rest --------------------------------------------------------------------------------------------------------


def clock_told(now: datetime) -> str:
    today = date(now.year, now.month, now.day)
    written = day_words(today, date.min)  # in full, with its year
    clock = with_particle(time_words(now.time()), "이에요", "예요")
    return f"오늘은 {with_particle(written, '이에요', '예요')}. 지금은 {clock}."


def own_words_told(words: str) -> str:
    return f"조금 전에 이렇게 말씀하셨어요. {short(words, QUOTED_CHARACTERS)}"


def memories_told(facts: Sequence[str]) -> str:
    told = " ".join(short(fact, QUOTED_CHARACTERS).rstrip(".") + "." for fact in facts[:2])
    return f"네, 이런 이야기를 들었어요. {told}"
