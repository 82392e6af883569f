"""Numbers as Korean says them: Sino-Korean (이, 삼십), native (둘, 서른; 두, 서른 before a counter), digit by digit."""

from __future__ import annotations

SINO_DIGITS = "영일이삼사오육칠팔구"
TELEPHONE_DIGITS = "공일이삼사오육칠팔구"
SMALL_UNITS = ("", "십", "백", "천")
LARGE_UNITS = ("", "만", "억", "조", "경")

NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
COUNTING_ONES = ("", "한", "두", "세", "네", *NATIVE_ONES[5:])

NATIVE_LIMIT = 99
"""Above it native numbers are not in use."""
SINO_LIMIT = 10 ** (4 * len(LARGE_UNITS)) - 1


def sino(number: int) -> str:
    """`2026` to `이천이십육`, `1234567` to `백이십삼만 사천오백육십칠`; above 경 digit by digit."""
    if number < 0:
        return f"마이너스 {sino(-number)}"
    if number == 0:
        return SINO_DIGITS[0]
    if number > SINO_LIMIT:
        return digits(str(number))
    groups = []
    for unit in LARGE_UNITS:
        number, group = divmod(number, 10_000)
        if group:
            # 만 alone is said without 일; 일억, 일조 keep it.
            groups.append("만" if group == 1 and unit == "만" and not number else _below_ten_thousand(group) + unit)
    return " ".join(reversed(groups))


def _below_ten_thousand(number: int) -> str:
    spoken = ""
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            spoken += ("" if digit == 1 and place else SINO_DIGITS[digit]) + SMALL_UNITS[place]
    return spoken


def counting(number: int) -> str:
    """The form before a native counter: 한, 두, 스무, 스물한. From 100 on, and for 0, the Sino-Korean number."""
    if not 0 < number <= NATIVE_LIMIT:
        return sino(number)
    if number == 20:
        return "스무"
    return NATIVE_TENS[number // 10] + COUNTING_ONES[number % 10]


def digits(written: str, names: str = SINO_DIGITS) -> str:
    """Each digit by its name; other characters are left out."""
    return "".join(names[int(character)] for character in written if character.isdecimal())


def decimal(written: str) -> str:
    """`3.14` to `삼 점 일사`; commas that group thousands are allowed."""
    whole, _, fraction = written.replace(",", "").partition(".")
    spoken = sino(int(whole or "0"))
    return f"{spoken} 점 {digits(fraction)}" if fraction else spoken
