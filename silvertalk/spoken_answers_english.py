"""What 복실이 says in English to somebody who asked for something: `silvertalk.spoken_answers`, name by name. "
"Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from silvertalk.calendars import Event
from silvertalk.spoken_answers import QUOTED_CHARACTERS, TOLD_AT_ONCE, short
from silvertalk.spoken_dates import Span
from silvertalk.spoken_numbers import english, ordinal

AWAY = "I'm sorry, I cannot look that up just now. Could you ask me again in a little while?"
NOT_WRITTEN = "I'm sorry, I could not write that down just now. Could you tell me again in a little while?"
NOT_FORGOTTEN = "I'm sorry, I could not do that just now. Could you tell me again in a little while?"
NOT_UNDERSTOOD = "I am not sure what I can do for you there. Could you say it once more?"
NO_MORE_PHOTOS = "I did not find another photo to show you. Would you tell me more about this one?"
NO_SUCH_PHOTO = "I did not find such a photo. Shall I show you another one?"
NOTHING_KNOWN = "I do not remember hearing about that yet. Would you tell me now?"
NOTHING_TO_FORGET = "I have nothing written down about that. You need not worry."
NO_OWN_WORDS = "You have not told me anything yet. What would you like to tell me?"
WHICH_DAY = "Which day shall I write it down for? Please tell me the day and the time together."
WHAT_TIME = "What time shall I write it down for? Please tell me what it is and the time together."
DAY_IS_OVER = "That day is over already. Which day did you mean?"
DECLINED = {
    "add_event": "All right, I will not write it down. Please go on with your story.",
    "add_reminder": "All right, I will not write it down. Please go on with your story.",
    "forget_memory": "All right, I will keep it in mind. Please go on with your story.",
}
DROPPED = {
    "add_event": "Then I will leave it for now. Just tell me again if you want it written down.",
    "add_reminder": "Then I will leave it for now. Just tell me again if you want it written down.",
    "forget_memory": "Then I will keep it in mind. Just tell me again if you want it forgotten.",
}
FORGOTTEN = "I have forgotten it. I will not bring it up again."
FORGET_THAT = "Shall I forget what you just told me?"
_MONTHS = ("January February March April May June July August September October November December").split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def events_told(found: Sequence[Event], span: Span, words: str, today: date, zone: ZoneInfo) -> str:
    one_day = span.first == span.last
    when = day_words(span.first, today) if one_day else ""
    if not found:
        return f"{_none_of(when, words)} There may be something that I do not know of."
    told = [_event(event, today, zone, with_day=not one_day) for event in found[:TOLD_AT_ONCE]]
    lead = f"{when}, your calendar has".capitalize() if when else "Your calendar has"
    more = "" if len(found) <= TOLD_AT_ONCE else " Shall I tell you the rest?"
    return f"{lead} {', and '.join(filter(None, (', '.join(told[:-1]), told[-1])))}.{more}"


def other_events_told(others: Sequence[Event], span: Span, words: str, today: date, zone: ZoneInfo) -> str:
    when = day_words(span.first, today) if span.first == span.last else ""
    return f"{_none_of(when, words)} But it has {_event(others[0], today, zone, with_day=not when)}."


def _none_of(when: str, words: str) -> str:
    thing = f"nothing like {short(words)}" if words else "nothing written down"
    return f"Your calendar has {thing}{' for ' + when if when else ''}."


def _event(event: Event, today: date, zone: ZoneInfo, *, with_day: bool) -> str:
    title = short(event.title) or "something without a name"
    day = f" {day_words(event.days[0], today)}" if with_day else ""
    return title + day + ("" if event.is_all_day else f" at {time_words(event.starts_at.astimezone(zone).time())}")


def asks_to_add_event(title: str, day: date, at: time | None, place: str, today: date) -> str:
    return f"Shall I write down {title}{_where(place)}, {_moment(day, at, today)}?"


def event_added(title: str, day: date, at: time | None, place: str, today: date) -> str:
    return f"I have written it down. It says {title}{_where(place)}, {_moment(day, at, today)}."


def asks_to_add_reminder(title: str, at: time, span: Span, today: date) -> str:
    return (
        f"Shall I write into your calendar, every day at {time_words(at)}, {title}? "
        f"I would write it down until {day_words(span.last, today)}."
    )


def reminder_added(title: str, at: time, span: Span, today: date) -> str:
    return f"I have written it down. It says {title}, every day at {time_words(at)}."


def asks_to_forget(facts: Sequence[str]) -> str:
    more = " I would forget what is like it, too." if len(facts) > 1 else ""
    return f"This is what I heard, {short(facts[0], QUOTED_CHARACTERS).rstrip('.')}.{more} Shall I forget it?"


def asks_to_forget_words(words: str) -> str:
    return f"Shall I forget what you told me about {short(words)}?"


def clock_told(now: datetime) -> str:
    day = f"{_WEEKDAYS[now.weekday()]}, {_MONTHS[now.month - 1]} the {ordinal(now.day)}"
    return f"Today is {day}. It is {time_words(now.time())}."


def own_words_told(words: str) -> str:
    return f"A moment ago you told me this. {short(words, QUOTED_CHARACTERS)}"


def memories_told(facts: Sequence[str]) -> str:
    return "Yes, I remember this. " + " ".join(short(fact, QUOTED_CHARACTERS).rstrip(".") + "." for fact in facts[:2])


def day_words(day: date, today: date) -> str:
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}.get((day - today).days)
    return near or f"on {_WEEKDAYS[day.weekday()]}, {_MONTHS[day.month - 1]} the {ordinal(day.day)}"


def time_words(at: time) -> str:
    half = "in the morning" if at.hour < 12 else "in the afternoon" if at.hour < 18 else "in the evening"
    minutes = "" if not at.minute else f" {'oh ' if at.minute < 10 else ''}{english(at.minute)}"
    return f"{english(at.hour % 12 or 12)}{minutes} {half}"


def _where(place: str) -> str:
    return f" at {place}" if place else ""


def _moment(day: date, at: time | None, today: date) -> str:
    return day_words(day, today) + (f" at {time_words(at)}" if at is not None else "")
