"""Numbers, dates and times in Korean words, for whatever the listener says aloud. Pure."""

from __future__ import annotations

import re
from datetime import datetime

_SINO = ("", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구")
_NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_NATIVE_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_NATIVE_COUNTED = "시간|시|살|명|사람|개|마리|번|포기|그루|송이|병|잔|권|가지|달|장|채|벌|켤레|그릇|군데|남매|형제"
_WEEKDAYS = "월화수목금토일"
_MONTHS = {6: "유", 10: "시"}


def sino(number: int) -> str:
    """일, 이, 삼 …: `number` from 0 to 9999 9999 9999."""
    if number == 0:
        return "영"
    words = ""
    for unit, name in ((10**8, "억"), (10**4, "만"), (1, "")):
        group, number = divmod(number, unit)
        if group:
            words += ("" if group == 1 and name == "만" and not words else _below_ten_thousand(group)) + name
    return words


def _below_ten_thousand(number: int) -> str:
    words = ""
    for unit, name in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        digit, number = divmod(number, unit)
        if digit:
            words += ("" if digit == 1 and name else _SINO[digit]) + name
    return words


def native(number: int) -> str:
    """한, 두, 세 …, as it stands before what is counted: `number` from 1 to 99."""
    tens, ones = divmod(number, 10)
    return "스무" if number == 20 else _NATIVE_TENS[tens] + _NATIVE_ONES[ones]


def spell_numbers(text: str) -> str:
    """`text` with its digits in words: 3포기 is 세 포기, 1950년 is 천구백오십년."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(rf"(\d{{1,2}})\s*({_NATIVE_COUNTED})(?!월|학년|료)", _counted, text)
    text = re.sub(
        r"(\d+)\s*월", lambda m: _MONTHS.get(int(m[1]), sino(int(m[1])) if len(m[1]) < 13 else "") + "월", text
    )
    text = re.sub(r"(\d+)\.(\d+)", lambda m: _whole(m[1]) + "점" + "".join(sino(int(d)) for d in m[2]), text)
    return re.sub(r"\d+", lambda m: _whole(m[0]), text)


def _whole(digits: str) -> str:
    return sino(int(digits)) if len(digits) <= 12 else "".join(sino(int(digit)) for digit in digits)


def _counted(match: re.Match[str]) -> str:
    number, unit = int(match[1]), match[2]
    return f"{native(number)} {unit}" if number else "영" + unit


def date_in_words(moment: datetime) -> str:
    """십일월 이십이일 토요일."""
    month = _MONTHS.get(moment.month) or sino(moment.month)
    return f"{month}월 {sino(moment.day)}일 {_WEEKDAYS[moment.weekday()]}요일"


def time_in_words(moment: datetime) -> str:
    """오후 세 시 이십 분."""
    hour = moment.hour % 12 or 12
    part = "새벽" if moment.hour < 6 else "오전" if moment.hour < 12 else "오후"
    minutes = f" {sino(moment.minute)} 분" if moment.minute else ""
    return f"{part} {native(hour)} 시{minutes}"
