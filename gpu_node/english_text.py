"""Written English to spoken English: numbers, dates, money, times, units and abbreviations become words.

`spoken("At 3:30 Dr. Kim paid $5.50")` is `"At three thirty Doctor Kim paid five dollars and fifty cents"`. What
comes out holds letters, apostrophes, spaces and the pauses `, . ! ? …`; capitals are kept, for
`gpu_node.english_pronunciation` spells out such words as TV. Hangul stays too: a name may stand in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from gpu_node.pauses import tidied

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = ("", "", *"twenty thirty forty fifty sixty seventy eighty ninety".split())
SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
LIMIT = 10**15

IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MONTHS = "January February March April May June July August September October November December".split()
ABBREVIATIONS = {
    "Dr": "Doctor",
    "Mr": "Mister",
    "Mrs": "Missus",
    "Ms": "Miz",
    "Prof": "Professor",
    "St": "Saint",
    "Jr": "Junior",
    "Sr": "Senior",
    "Mt": "Mount",
    "vs": "versus",
    "etc": "et cetera",
    "approx": "approximately",
    "No": "number",
    "e.g": "for example",
    "i.e": "that is",
    "a.m": "AM",
    "p.m": "PM",
}
UNITS = {
    "km/h": "kilometer an hour",
    "mph": "mile an hour",
    "km": "kilometer",
    "cm": "centimeter",
    "mm": "millimeter",
    "m": "meter",
    "kg": "kilogram",
    "mg": "milligram",
    "g": "gram",
    "ml": "milliliter",
    "L": "liter",
    "ft": "foot",
    "lbs": "pound",
    "lb": "pound",
    "oz": "ounce",
    "hrs": "hour",
    "hr": "hour",
    "mins": "minute",
    "min": "minute",
    "°C": "degree Celsius",
    "°F": "degree Fahrenheit",
    "°": "degree",
}
CURRENCIES = {
    "$": ("dollar", "cent"),
    "€": ("euro", "cent"),
    "£": ("pound", "penny"),
    "₩": ("won", ""),
    "¥": ("yen", ""),
}
IRREGULAR_PLURALS = {"foot": "feet", "penny": "pence", "won": "won", "yen": "yen"}
SYMBOLS = {"&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "×": " times ", "%": " percent", "/": " "}

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))


def spoken(text: str) -> str:
    """Say `text` in words. What nobody would say (emoji, brackets, quotation marks) is left out."""
    text = unicodedata.normalize("NFKC", text.replace("…", "\ue000")).replace("\ue000", "…")
    text = re.sub(r"[‘’]", "'", text)
    text = re.sub(r"\s*(?:[—–;:()\[\]]|--+)(?!\d)\s*", ", ", re.sub(r"[*_`#>|\"“”<]", "", text))
    for pattern, say in _STEPS:
        text = pattern.sub(say, text)
    for symbol, word in SYMBOLS.items():
        text = text.replace(symbol, word)
    text = text.replace("\n", ". ")
    text = unicodedata.normalize("NFD", text)  # café: the letter without its accent is the better guess
    text = re.sub(r"[\u0300-\u036f]", "", text)
    text = re.sub(r"[^A-Za-z가-힣' ,.!?…]", " ", unicodedata.normalize("NFC", text))
    return tidied(text)


def cardinal(number: int) -> str:
    """`1234` to `one thousand two hundred thirty four`; from 10^15 on digit by digit."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= LIMIT:
        return digits(str(number))
    for scale, name in SCALES:
        if number >= scale:
            rest = number % scale
            return f"{cardinal(number // scale)} {name}" + (f" {cardinal(rest)}" if rest else "")
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")


def ordinal(number: int) -> str:
    """`21` to `twenty first`."""
    head, _, last = cardinal(number).rpartition(" ")
    last = IRREGULAR_ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{head} {last}".strip()


def year(number: int) -> str:
    """`1984` to `nineteen eighty four`, `2005` to `two thousand five`, `1905` to `nineteen oh five`."""
    century, rest = divmod(number, 100)
    if number < 1100 or century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(written: str) -> str:
    """Each digit by its name; other characters are left out."""
    return " ".join(ONES[int(character)] for character in written if character.isdecimal())


def number(written: str) -> str:
    """A number with or without thousands' commas and a decimal part: `3.14` to `three point one four`."""
    whole, _, fraction = written.replace(",", "").partition(".")
    spoken_whole = cardinal(int(whole or "0"))
    return f"{spoken_whole} point {digits(fraction)}" if fraction else spoken_whole


# --- the steps -------------------------------------------------------------------------------------------------------


def _plural(noun: str, count: str) -> str:
    first, _, rest = noun.partition(" ")
    if count not in ("1", "1.0"):
        first = IRREGULAR_PLURALS.get(first, first + "s")
    return f"{first} {rest}".strip()


def _money(match: re.Match[str]) -> str:
    sign, whole, fraction, scale = match.groups()
    large, small = CURRENCIES[sign]
    if scale:
        return f"{number(whole + (fraction or ''))} {scale} {_plural(large, '2')}"
    spoken_large = f"{number(whole)} {_plural(large, whole)}"
    cents = int(fraction[1:].ljust(2, "0")) if fraction and small and len(fraction) <= 3 else 0
    if not cents:
        return spoken_large
    spoken_small = f"{cardinal(cents)} {_plural(small, str(cents))}"
    return f"{spoken_large} and {spoken_small}" if int(whole.replace(",", "")) else spoken_small


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if minute == 0:
        return cardinal(hour) if match[3] else f"{cardinal(hour)} o'clock"
    return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"


def _date(match: re.Match[str]) -> str:
    return f"{MONTHS[int(match[2]) - 1]} {ordinal(int(match[3]))}, {year(int(match[1]))}"


def _month_day(match: re.Match[str]) -> str:
    return f"{match[1]} {ordinal(int(match[2]))}" + (f", {year(int(match[3]))}" if match[3] else "")


def _telephone(match: re.Match[str]) -> str:
    return ", ".join(digits(group) for group in re.split(r"[-. ]", match[0]))


def _decade(match: re.Match[str]) -> str:
    spoken_year = cardinal(int(match[1])) if len(match[1]) == 2 else year(int(match[1]))
    return spoken_year[:-1] + "ies" if spoken_year.endswith("y") else spoken_year + "s"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match[1]), int(match[2])
    if (top, bottom) == (1, 2):
        return "one half"
    name = "quarter" if bottom == 4 else ordinal(bottom)
    return f"{cardinal(top)} {name}" + ("s" if top != 1 else "")


_MONTH = "|".join(MONTHS)
_STEPS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"\b(Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|Mt|vs|etc|approx|No(?=\.\s*\d)|e\.g|i\.e|a\.m|p\.m)\.(?=\W|$)"),
        lambda match: ABBREVIATIONS[match[1]],
    ),
    (re.compile(r"\b(\d{4})-(0?[1-9]|1[0-2])-([0-2]?\d|3[01])\b"), _date),
    (re.compile(rf"\b({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?"), _month_day),
    (re.compile(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(?=\s*([AaPp]\.?[Mm]))?"), _clock),
    (re.compile(r"(?<!\d)(?:\(?\d{3}\)?[-. ])\d{3,4}[-. ]\d{4}(?!\d)"), _telephone),
    (re.compile(rf"([$€£₩¥])\s?({NUMBER})(\.\d+)?(?:\s(thousand|million|billion|trillion))?"), _money),
    (re.compile(r"\b(1\d|20)?(\d0)'?s\b"), lambda match: _decade(re.match(r"(\d+)", match[0]) or match)),
    (re.compile(r"(?<![\d./])(\d{1,2})/(\d{1,2})(?![\d./])"), _fraction),
    (re.compile(r"(?<![\d.])(\d+)(?:st|nd|rd|th)\b"), lambda match: ordinal(int(match[1]))),
    (
        re.compile(rf"({NUMBER}(?:\.\d+)?)\s?({_UNIT})(?![A-Za-z\d])"),
        lambda match: f"{number(match[1])} {_plural(UNITS[match[2]], match[1])}",
    ),
    (re.compile(r"(?<=\d)\s?[-~]\s?(?=\d)"), lambda match: " to "),
    (re.compile(r"(?<![\w)])-(?=\d)"), lambda match: "minus "),
    (re.compile(r"(?<![\d.,$])(1[1-9]\d\d|20\d\d)(?![\d,]|\.\d)"), lambda match: year(int(match[1]))),
    (re.compile(r"(?<![\d.,])0\d+(?![\d.])"), lambda match: digits(match[0])),
    (re.compile(rf"{NUMBER}(?:\.\d+)?"), lambda match: f" {number(match[0])} "),
)
