"""What was said, as far as the listener can tell: nouns, the last statement, and how it ended. Pure.

Light morphology over closed lists of nouns and verbs. Whatever does not fit them is left alone: it is better to take up
one word rightly than a whole sentence wrongly.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gpu_node.engines.reflective.korean_endings import Ending, classify
from gpu_node.engines.reflective.nouns import BODY_PARTS, Entry, Topic, known_noun
from gpu_node.engines.reflective.numerals import spell_numbers
from gpu_node.engines.reflective.particles import Noun, has_coda
from gpu_node.engines.reflective.statements_ko import Mention, Statement, last_statement
from gpu_node.engines.reflective.verbs import final_verb
from gpu_node.engines.reflective.words_ko import COPULA, DIALECT, EMPTY_NOUNS, GUESS, VERBISH, bare
from gpu_node.hangul import decompose, is_hangul

LONG = 12
"""Words from which an utterance is a story: what came last no longer outweighs what came first."""


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    squeezed: str
    """The letters alone: what patterns are searched in, since Whisper's spaces are not to be trusted."""
    ending: Ending
    mentions: tuple[Mention, ...]
    """Known nouns, the most central first."""
    guesses: tuple[Mention, ...]
    """Words that look like nouns by their particle alone, the surest first."""
    statement: Statement | None
    about_past: bool
    words: int

    @property
    def topics(self) -> tuple[Mention, ...]:
        """The mentions that an utterance can be about, the likeliest first."""
        hurts = _HURTS.search(self.squeezed) is not None
        return tuple(
            mention
            for mention in self.mentions
            if mention.noun not in _VAGUE_NOUNS
            and (hurts or mention.topic is not Topic.BODY or mention.noun not in BODY_PARTS)
        )


_PAST_TIMES = re.compile(
    r"옛날|예전|그때|그땐|그시절|시절|어렸|어릴|젊었|젊을|처녀때|총각때|신혼때|전쟁때|육이오|피난|피란"
    r"|일제|국민학교|년전|살때|적에|적엔|더랬|왕년|한창때"
)
_FILLERS = re.compile(
    r"^(?:(?:어|음|저기|저|그|아|에|뭐|있잖아|있잖아요|글쎄|그러니까|그니까|아니|아유|아이고|에이|자|네"
    r"|예|응|그래서|그런데|근데|그리고|이제|인제|막|긍께)[,.…]*\s+)+"
)
_VAGUE_NOUNS = frozenset("생각 마음 기억 기분 눈치 화 걱정 근심 물".split())
"""What people have rather than what they talk about."""
_HURTS = re.compile(
    r"아[파프팠픈]|쑤[시셔셨]|저[려렸리]|결[리려]|불편|다[쳐쳤치]|안좋|나빠|침침|안[보들][이여리려]"
    r"|부[었어]|삐[었끗]|수술"
    r"|고[프파팠]|시[리려큰]|뻐근|힘들|부러|끊어|떨[리려렸]|허리야|다리야"
)


def understand(text: str) -> Heard:
    """Read one utterance as Whisper wrote it."""
    text = re.sub(r"\s+", " ", spell_numbers(unicodedata.normalize("NFC", text))).strip()
    text = re.sub(r"(?<=[아어여해와워려])\s가지고", "가지고", text)
    for pattern, standard in DIALECT:
        text = pattern.sub(standard, text)
    sentences = _sentences(text)
    words = " ".join(sentences).split()
    mentions = _mentions(words, text)
    squeezed = re.sub(r"[^가-힣a-zA-Z]", "", text)
    statements = (last_statement(sentence, text) for sentence in reversed(sentences[-2:]))
    return Heard(
        text=text,
        squeezed=squeezed,
        ending=classify(text),
        mentions=_ranked(mentions, len(words), hurts=_HURTS.search(squeezed) is not None),
        guesses=_guesses(words, mentions),
        statement=next((statement for statement in statements if statement is not None), None),
        about_past=_PAST_TIMES.search(squeezed) is not None,
        words=len(words),
    )


def _sentences(text: str) -> list[str]:
    """Cut at punctuation, and where there is none after a past verb in its final form."""
    sentences: list[str] = []
    for part in re.split(r"(?<=[.!?…])\s+", text):
        current: list[str] = []
        words = _FILLERS.sub("", part).split()
        for at, word in enumerate(words):
            following = words[at + 1] if at + 1 < len(words) else ""
            current.append(word)
            leads_on = _QUOTES.match(following) or (
                word.endswith("다") and following.startswith(("가", "갔", "오", "와", "왔"))
            )
            if _is_final(bare(word)) and not leads_on:
                sentences.append(" ".join(current))
                current = []
        if current:
            sentences.append(" ".join(current))
    return sentences


_QUOTES = re.compile(r"^(?:하고|하면서|하며|라고|그러|하더라|했|해서|하는|하시)")
"""What follows a sentence that was only quoted."""


def _is_final(word: str) -> bool:
    """갔어요, 했지, 좋아해요: a verb that cannot lean on anything after it."""
    if word.endswith(("요", "니다")):
        return final_verb(word) is not None
    match = re.search(r"([가-힣])(?:어요?|지요?|죠|다|습니다|네요?|당께|심더|슈|어유|거든요?)$", word)
    if match is None or not is_hangul(match[1]) or decompose(match[1])[2] != "ㅆ":
        return False
    return final_verb(word) is not None


# --- nouns -----------------------------------------------------------------------------------------------------------

_WEIGHT = {
    Topic.MIND: -4.0, Topic.AGE: -2.0, Topic.HOUSE: -2.0, Topic.WEATHER: -1.5, Topic.PHONE: -1.0,
    Topic.READING: -1.0,
}  # fmt: skip
_CENTRAL = frozenset(("을", "를", "이", "가", "께서", "한테", "에서", "은", "는"))


def _mentions(words: list[str], text: str) -> list[Mention]:
    mentions = []
    for at, word in enumerate(words):
        found = known_noun(bare(word), text) or _before_copula(bare(word), text)
        if found is not None:
            noun, entry, particle = found
            is_called = entry.honoured is not None and not particle and words[at + 1 : at + 2] in (["하고"], ["하며"])
            topic = Topic.HOMETOWN if entry.topic is Topic.TRAVEL and _LIVED.search(text) else entry.topic
            if particle not in _LIKENESS and not is_called:
                mentions.append(Mention(noun, Noun(entry.display), topic, particle, at, entry.honoured))
    return mentions


_LIKENESS = ("처럼", "처럼은", "보다", "보다는", "보다도", "만큼", "만큼은")
"""What is only compared is not what is told of (강아지처럼)."""
_LIVED = re.compile(r"태어[나났]|자[라랐]|살았|살던")


def _before_copula(word: str, text: str) -> tuple[str, Entry, str] | None:
    match = COPULA.match(word)
    if match is None or match[1] in EMPTY_NOUNS:
        return None
    found = known_noun(match[1], text)
    return (found[0], found[1], match[2]) if found is not None and not found[2] else None


def _ranked(mentions: list[Mention], words: int, *, hurts: bool) -> tuple[Mention, ...]:
    """What the utterance is most likely about first: late, in a central place of its clause, and concrete."""
    by_place = 4.0 if words < LONG else 1.0

    def weight(mention: Mention) -> float:
        place = by_place * (mention.at + 1) / max(words, 1)
        central = 1.5 if mention.particle in _CENTRAL else 0.0
        own = 1.5 if mention.is_person or (hurts and mention.topic is Topic.BODY) else 0.0
        return place + central + own + _WEIGHT.get(mention.topic, 0.0)

    first: dict[str, Mention] = {}
    for mention in sorted(mentions, key=weight, reverse=True):
        first.setdefault(str(mention.display), mention)
    return tuple(first.values())


_SURENESS = {
    "를": 5, "에서": 4, "에서는": 4, "에서도": 4, "에게": 4, "한테": 4, "을": 3, "까지": 3, "부터": 3, "이라는": 3,
    "라는": 2, "의": 2, "가": 2, "에": 2, "와": 1, "으로": 1, "이": 1,
}  # fmt: skip
_NUMBER = re.compile(
    r"^[영일이삼사오육칠팔구십백천만억점]+(?:년|일|월|세기|분|원|도|명|호|퍼센트|킬로|학년|년도|개조)?$"
)
_BY_CODA = {"을": True, "이": True, "를": False, "가": False, "와": False}


def _guesses(words: list[str], mentions: list[Mention]) -> tuple[Mention, ...]:
    taken = {mention.at for mention in mentions}
    found: list[tuple[int, Mention]] = []
    for at, word in enumerate(words):
        match = GUESS.match(bare(word)) if at not in taken else None
        if match is None or match[2] not in _SURENESS or match[1] in EMPTY_NOUNS:
            continue
        noun, particle = match[1], match[2]
        fits = particle not in _BY_CODA or has_coda(noun) == _BY_CODA[particle]
        doubled = particle == "이" and len(noun) == 2 and noun[0] == noun[1]
        if (
            not fits
            or doubled
            or _NUMBER.match(noun)
            or VERBISH.search(noun)
            or final_verb(noun)
            or final_verb(noun + "다")
        ):
            continue
        found.append((_SURENESS[particle] * 10 + at, Mention(noun, Noun(noun), Topic.OTHER, particle, at)))
    return tuple(mention for _, mention in sorted(found, key=lambda item: -item[0]))
