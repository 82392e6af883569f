"""Whether a written sentence says what was said: the check between a language model and what is kept of somebody.

Pure, by letters alone. A sentence is grounded in its source where each of its words and numbers is one of the source's,
and it denies what the source denies. That refuses some true sentences, for which the person's own words stand then;
what it cannot see is who did what to whom where both are named. Two sentences are the same telling where their words
are, and differ where all is the same but a number, a denial, or the value of what one has only one of.

A film's narration is checked by `silvertalk.said_or_seen`, which says how the two differ, and why.
"""

from __future__ import annotations

import re

from silvertalk.plain_words import content_words, same_word, words_of

FRAME = frozenset(
    "이름 당시 시절 함께 자신 본인 예전 옛날 과거 분 곳 살 년 번 명 사람 사이 정도 하나 가지 편 "
    "name called person told say said used grandmother's years year old once".split()
)
"""Words that a sentence about somebody needs and that say nothing of their own."""
ONE_OF_A_KIND = frozenset("이름 고향 생일 나이 태어나 띠 출신 name birthday hometown born age".split())
"""What one person has one of: another value says otherwise."""
RELATIVES = frozenset(
    "손주 손자 손녀 아들 딸 며느리 사위 남편 아내 영감 집사람 어머니 엄마 아버지 아빠 오빠 언니 누나 누이 동생 형 "
    "할머니 할아버지 시어머니 "
    "시아버지 시누이 조카 이모 고모 삼촌 사촌 큰아들 작은아들 큰딸 작은딸 막내 막내딸 막내아들 첫째 둘째 셋째 친구 "
    "son daughter grandson granddaughter husband wife mother father brother sister aunt uncle cousin friend".split()
)
_NUMBER = re.compile(
    "(?:열|스물|서른|마흔|쉰|예순|일흔|여든|아흔|[일이삼사오육칠팔구]?[십백천])*"
    "(?:하나|둘|셋|넷|다섯|여섯|일곱|여덟|아홉|한|두|세|네|[일이삼사오육칠팔구]|열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔|[십백천])"
)
_COUNTED = re.compile("(.+?)(?:살|명|년|남매|형제|자매|번|월|일|시|층|개|마리|달|째|시간)?")
_ENGLISH_NUMBERS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen "
    "nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand".split()
)
_DENIALS = re.compile(
    r"(?:^|\s)(?:안|못)(?=\s|하|했)|않|없|아니[야었에라지]|아닌|아녔|\b(?:not|never|no|nobody|without)\b|n't"
)
SAME_SHARE, TOLD_SHARE = 0.8, 0.7


def is_grounded(sentence: str, source: str) -> bool:
    """Whether every word that `sentence` says something by is found in `source`, and it denies as much as that does."""
    said = content_words(sentence)
    if not said or is_denied(sentence) != is_denied(source):
        return False
    spoken = [*content_words(source), *words_of(source)]
    run_together = "".join(words_of(source))
    return all(word in FRAME or _is_spoken(word, spoken, run_together) for word in said)


def _is_spoken(word: str, spoken: list[str], run_together: str) -> bool:
    if word.isdigit() or is_number(word):
        return word in spoken or any(_number_in(one) == _number_in(word) for one in spoken if is_number(one))
    if any(one == word or len(word) >= 2 and one.startswith(word) for one in spoken):
        return True
    if any(same_word(one, word) and len(one) >= len(word) for one in spoken):
        return True
    return len(word) >= 3 and not word.isascii() and word in run_together


def is_denied(text: str) -> bool:
    """Whether the words deny something."""
    return _DENIALS.search(text.lower()) is not None


def is_same_telling(one: str, other: str) -> bool:
    """Whether both sentences tell the same, up to wording and order."""
    if is_denied(one) != is_denied(other) or _numbers(one) != _numbers(other):
        return False
    first, second = _said(one), _said(other)
    if not first or not second:
        return first == second
    both = _shared(first, second)
    return both / len(first) >= SAME_SHARE and _shared(second, first) / len(second) >= SAME_SHARE


def is_told_in(sentence: str, text: str) -> bool:
    """Whether the text tells what the sentence says, perhaps among other things."""
    said, spoken = _said(sentence), _said(text)
    return bool(said) and _shared(said, spoken) / len(said) >= TOLD_SHARE and _numbers(sentence) <= _numbers(text)


def is_about(text: str, words: str) -> bool:
    """Whether the text has all the words that `words` says something by."""
    asked, spoken = _said(words), _said(text)
    return bool(asked) and _shared(asked, spoken) == len(asked)


def differs(one: str, other: str) -> bool:
    """Whether the second sentence says otherwise than the first, of the same thing. Who has two grandchildren may tell
    two names: nothing is wrong then, and both are kept anyway."""
    first, second = _said(one), _said(other)
    if first & RELATIVES != second & RELATIVES or is_same_telling(one, other):
        return False
    numbers = _numbers(one), _numbers(other)
    bare_one, bare_other = ({word for word in said if not is_number(word)} for said in (first, second))
    if not bare_one or not bare_other:
        return False
    alike = min(_shared(bare_one, bare_other) / len(bare_one), _shared(bare_other, bare_one) / len(bare_other))
    if numbers[0] and numbers[1] and numbers[0] != numbers[1]:
        return alike >= TOLD_SHARE
    if is_denied(one) != is_denied(other):
        return alike >= SAME_SHARE
    kind = {word for word in ONE_OF_A_KIND if _has(first, word) and _has(second, word)}
    return bool(kind) and bool(first - second - kind) and bool(second - first - kind) and alike < 1.0


def is_number(word: str) -> bool:
    return word.isdigit() or word in _ENGLISH_NUMBERS or _number_in(word) != ""


def _number_in(word: str) -> str:
    """The number of a word such as 열아홉, 열아홉살 or 셋째; empty for any other."""
    if word.isdigit():
        return word
    found = _COUNTED.fullmatch(word)
    number = found.group(1) if found is not None else ""
    if number in ("한", "두", "세", "네", "이", "일", "사", "오", "구", "만") and number == word:
        return ""  # alone they are other words more often
    return number if number and _NUMBER.fullmatch(number) else ""


def _numbers(text: str) -> set[str]:
    return {_number_in(word) or word for word in content_words(text) if is_number(word)}


def _said(text: str) -> set[str]:
    return set(content_words(text))


def _shared(words: set[str], among: set[str]) -> int:
    return sum(_has(among, word) for word in words)


def _has(words: set[str], word: str) -> bool:
    return word in words or any(same_word(word, one) for one in words)
