"""What of somebody's words tells of their life: the sentences that may be kept, and what they are about.

Pure, and by rules: it decides alone where no language model is there, and where one is, nothing is kept that is not
taken from such a sentence. Better to miss one than to keep what was not told: a question, a request, a wish, what might
have been, hearsay, what was on television, a joke, a secret, an order to the machine. A sentence that its speaker takes
back at once is not kept either.
"""

from __future__ import annotations

import re
from typing import NamedTuple, get_args

from silvertalk.memories import Category
from silvertalk.plain_words import content_words, words_of
from silvertalk.telling_words import ENGLISH, KOREAN, Cues
from streaming.messages import Language

MAX_CHARACTERS = 200
"""Of one sentence: a longer one was not understood as one."""
LEAST_WORDS = 2
PASSING = 1
"""The importance of what is of the day alone."""
MEMORABLE = 3
"""From this importance on a sentence is remembered without a language model's judgement."""
CATEGORIES: tuple[Category, ...] = get_args(Category)


class Telling(NamedTuple):
    """A sentence, as it was said. `importance` 1 to 5."""

    text: str
    category: Category
    importance: int


def tellings(transcript: str, language: Language) -> list[Telling]:
    """The sentences of one turn that tell of a life, in their order."""
    cues = ENGLISH if language == "en" else KOREAN
    if cues.untrue.search(transcript) or is_order(transcript) or is_wish_to_forget(transcript):
        return []
    found: list[Telling] = []
    for sentence in sentences(transcript):
        text = _without_filler(sentence, cues)
        if found and (taken_back := cues.taken_back.match(text)):
            found.pop()
            text = text[taken_back.end() :].lstrip(" ,.")
        if is_telling(text, language):
            category, importance = _about(text, cues)
            found.append(Telling(text, category, importance))
    return found


def sentences(transcript: str) -> list[str]:
    """What was said, a sentence each, with the sign at its end."""
    line = " ".join(transcript.split())
    return [part for part in _BETWEEN.split(line) if part]


def is_telling(sentence: str, language: Language) -> bool:
    """Whether the sentence tells something of the person's life, as it stands."""
    cues = ENGLISH if language == "en" else KOREAN
    text = sentence.strip()
    bare = text.rstrip(" .!~…\"'”’)")
    if not bare or len(text) > MAX_CHARACTERS or text.endswith("?") or is_order(text) or cues.refused.search(bare):
        return False
    if cues.secret.search(text) or _LONG_NUMBER.search(text):
        return False
    return cues.told.search(bare) is not None and len(set(content_words(bare))) >= LEAST_WORDS


def is_order(text: str) -> bool:
    """Whether the words are meant for the machine behind 복실이."""
    return _ORDERS.search(text) is not None


def is_wish_to_forget(text: str) -> bool:
    """Whether the person wants something forgotten: that wish is nothing to remember."""
    return _FORGET.search(text) is not None


def _about(text: str, cues: Cues) -> tuple[Category, int]:
    lower = text.lower()
    passing = cues.passing.search(lower) is not None
    for category, importance, words in cues.categories:
        if words.search(lower):
            return category, PASSING if passing else max(importance, 5 if cues.grave.search(lower) else 0)
    return "other", PASSING if passing or len(words_of(text)) < 4 else 2


def _without_filler(sentence: str, cues: Cues) -> str:
    return cues.filler.sub("", sentence).strip()


_BETWEEN = re.compile(r"(?<=[.?!…])\s+|(?<=[어아여해예에네지죠데]요)\s+(?=\S)|(?<=니다)\s+(?=\S)")
_LONG_NUMBER = re.compile(r"\d(?:[\s-]?\d){4,}")
_FORGET = re.compile(
    r"잊어\s?(?:줘|주|버려|버리)|지워\s?(?:줘|주)|기억하지\s?(?:마|말)|못\s?들은\s?걸로|\b(?:forget|delete|erase)\b",
    re.I,
)
_ORDERS = re.compile(
    r"지시(?:를|사항|는|대로)|명령(?:을|어|이야|대로)|프롬프트|시스템|무시하고|무시해(?:라|줘)?$|개발자|관리자|역할을?\s?바꿔|출력|인공지능"
    r"|기억해\s?(?:둬|놔|줘|라)|기억하도록|저장해|"
    r"\b(?:ignore|disregard|instructions?|prompt|system|pretend|developer|admin|output|override)\b",
    re.IGNORECASE,
)
