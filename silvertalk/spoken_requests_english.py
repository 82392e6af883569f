"""What somebody asks for in English that needs no language model: a few plain forms. Pure.

As in Korean the whole utterance must be the request. Each form is a few words with one gap, so there is one way to read
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import TypeVar

from silvertalk.spoken_numbers import ENGLISH
from streaming.text import normalized

Made = TypeVar("Made")

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ASIDE = frozenset(("boksil", "puppy", "dear", "please", "hey", "oh", "um", "well", "so", "and", "now", "thanks"))
_HALVES = {"in the morning": 0, "am": 0, "a m": 0, "in the afternoon": 12, "in the evening": 12, "pm": 12, "p m": 12}
_WHAT = re.compile(
    r"(?:what do i have|what have i got|whats|what is|do i have anything|is there anything|anything)"
    r"(?: on| planned| to do| happening)?(?: for)? (today|tomorrow|(?:on |this |next )?[a-z]+day)"
)
_HAVE = re.compile(
    r"(?:do i have|have i got|is there|am i seeing|do i see)(?: a| an| the| my)? ([a-z ]+?)(?: appointment)? "
    r"(today|tomorrow|(?:on |this |next )?[a-z]+day)"
)
_SHOW = re.compile(
    r"(?:can you |could you )?show me(?: a| the| some| my| another)? ?(?:photos?|pictures?)"
    r" (?:from|of|taken in|taken at|in|at|with) ([a-z ]+)"
)
_NEXT = re.compile(r"(?:(?:can you |could you )?show me )?(?:the next|another|next)(?: photo| picture| one)")
_DAILY = re.compile(r"remind me (?:every day|daily|every (?:morning|evening|night)) at ([a-z0-9 ]+?) to ([a-z ]+)")
_WRITE = re.compile(
    r"(?:write down|put in my calendar|make a note|remind me)(?: that| to)? ([a-z ]+?) "
    r"(today|tomorrow|on [a-z]+day|next [a-z]+day) at ([a-z0-9 ]+)"
)
_FORGET = re.compile(r"(?:please )?(?:forget (?:that|it|what i (?:just )?said)|dont remember that)")
_OWN = re.compile(r"what (?:was i|did i)(?: just)? (?:say|saying|tell you|telling you|talking about)")
_CLOCK = re.compile(r"what time is it|what day is it(?: today)?|what is the date(?: today)?|whats the date(?: today)?")


def request_in(text: str, now: datetime, made: Callable[[str, dict[str, str]], Made]) -> Made | None:
    """The request that `text` is, `made` of its name and its arguments; None where it is none."""
    words = normalized(text).split()
    while words and words[0] in _ASIDE:
        words.pop(0)
    while words and words[-1] in _ASIDE:
        words.pop()
    said, today = " ".join(words), now.date()
    for name, pattern in (("clock", _CLOCK), ("own_words", _OWN), ("forget_memory", _FORGET), ("show_photo", _NEXT)):
        if pattern.fullmatch(said):
            return made(name, {})
    if found := _WHAT.fullmatch(said):
        return _on(made, today, found[1], {})
    if found := _HAVE.fullmatch(said):
        return _on(made, today, found[2], {"words": found[1]})
    if found := _SHOW.fullmatch(said):
        return made("show_photo", {"place": found[1]})
    return _written(said, today, made)


def asks_for_own_words(text: str) -> bool:
    return _OWN.fullmatch(normalized(text)) is not None


def _written(said: str, today: date, made: Callable[[str, dict[str, str]], Made]) -> Made | None:
    if found := _DAILY.fullmatch(said):
        at = _time(found[1], morning="morning" in found[0])
        return made("add_reminder", {"what": _titled(found[2]), "time": f"{at:%H:%M}"}) if at else None
    if found := _WRITE.fullmatch(said):
        day, at = _day(found[2], today), _time(found[3])
        if day is not None and at is not None:
            arguments = {"title": _titled(found[1]), "day": day.isoformat(), "time": f"{at:%H:%M}"}
            return made("add_event", arguments)
    return None


def _on(made: Callable[[str, dict[str, str]], Made], today: date, named: str, about: dict[str, str]) -> Made | None:
    day = _day(named, today)
    if day is None:
        return None
    return made("find_events", {"first_day": day.isoformat(), "last_day": day.isoformat()} | about)


def _day(named: str, today: date) -> date | None:
    words = named.split()
    if words[-1] in ("today", "tomorrow"):
        return today + timedelta(days=words[-1] == "tomorrow")
    if words[-1] not in WEEKDAYS:
        return None
    ahead = (WEEKDAYS.index(words[-1]) - today.weekday()) % 7
    if words[0] == "next":
        monday = today - timedelta(days=today.weekday())
        return monday + timedelta(days=7 + WEEKDAYS.index(words[-1]))
    return today + timedelta(days=ahead)


def _time(said: str, *, morning: bool = False) -> time | None:
    half = next((offset for words, offset in _HALVES.items() if said.endswith(f" {words}")), None)
    for words in _HALVES:
        said = said.removesuffix(f" {words}")
    said = said.removesuffix(" oclock").removesuffix(" o clock")
    numbers = [int(word) if word.isascii() and word.isdecimal() else ENGLISH.get(word, -1) for word in said.split()]
    if not 0 < len(numbers) <= 2 or not 1 <= numbers[0] <= 12 or not 0 <= numbers[-1] <= 59:
        return None
    hour = numbers[0] % 12
    if half is None:
        half = 0 if morning or numbers[0] in (7, 8, 9, 10, 11) else 12
    return time(hour + half, numbers[1] if len(numbers) == 2 else 0)


def _titled(words: str) -> str:
    for begin in ("i have a ", "i have an ", "i have ", "i am seeing ", "im seeing ", "i see ", "i go to ", "go to "):
        words = words.removeprefix(begin)
    return words.strip()
