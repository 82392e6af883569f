"""Numbers as they are said in Korean and English, and read back from what was said. Pure.

What 복실이 says is spoken and shown, so its numbers are words; what a recogniser writes is either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_DIGITS = "영일이삼사오육칠팔구"
_UNITS = ("", "십", "백", "천")
_HOURS = ("열두", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "열한")
_COUNTS = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열")

_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty")
_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
MOST_READ = 2200
"""The last year that can be meant."""


def sino(number: int) -> str:
    """1998 is 천구백구십팔; from 0 to 9999."""
    if not 0 <= number <= 9999:
        raise ValueError(f"{number} is not said here")
    said = ""
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            said += ("" if digit == 1 and place else _DIGITS[digit]) + _UNITS[place]
    return said or _DIGITS[0]


def hour(number: int) -> str:
    """An hour of twelve, before 시."""
    return _HOURS[number % 12]


def count(number: int) -> str:
    """Before a counter such as 가지: one to ten."""
    return _COUNTS[number]


def english(number: int) -> str:
    """From 0 to 59."""
    if number < 20:
        return _ENGLISH[number]
    tens, ones = divmod(number, 10)
    return _ENGLISH_TENS[tens] + (f"-{_ENGLISH[ones]}" if ones else "")


def ordinal(number: int) -> str:
    """From 1 to 31, in English."""
    head, dash, last = english(number).rpartition("-")
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last == "twelve":
        last = "twelfth"
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return head + dash + last


SINO: Mapping[str, int] = {sino(number): number for number in range(MOST_READ + 1)}
HOURS: Mapping[str, int] = {word: number or 12 for number, word in enumerate(_HOURS)} | {"열둘": 12, "하나": 1}
ENGLISH: Mapping[str, int] = {english(number): number for number in range(60)}
_LONGEST = max(map(len, SINO))
_WRITTEN = re.compile(r"\d{1,4}")


def before(text: str, unit: str, words: Mapping[str, int] = SINO) -> tuple[int, str] | None:
    """The number that `text` begins with, where `unit` follows it at once; and what follows that. Of two readings the
    longer: 이십일일 is the twenty-first."""
    if written := _WRITTEN.match(text):
        rest = text[written.end() :]
        return (int(written[0]), rest[len(unit) :]) if rest.startswith(unit) else None
    for length in range(min(_LONGEST, len(text)), 0, -1):
        if text.startswith(unit, length) and (number := words.get(text[:length])) is not None:
            return number, text[length + len(unit) :]
    return None
