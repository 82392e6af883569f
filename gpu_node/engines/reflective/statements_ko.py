"""The last statement of an utterance, given back: 배추를 세 포기 샀어요 -> 배추를 세 포기 사셨군요. Pure.

The verb at the end is looked up, the words that belong to it are gathered leftwards, and the person who did it is
honoured while things are not. Where any of this is in doubt there is no told statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gpu_node.engines.reflective.conjugation import Kind, Tense, Verb, acknowledged, declarative, honorific, past
from gpu_node.engines.reflective.nouns import Entry, Topic, known_noun
from gpu_node.engines.reflective.particles import PAIRS, Noun, attach, has_coda
from gpu_node.engines.reflective.verbs import clause_links, final_verb, linking_forms
from gpu_node.engines.reflective.words_ko import (
    ADVERBS,
    COPULA,
    COUNTERS,
    EMPTY_HADA,
    EMPTY_NOUNS,
    GUESS,
    HONORIFIC_LINKS,
    NUMBERS,
    PLACES,
    POSSESSIVE,
    SPEAKER,
    TIMES,
    TO_SPEAKER,
    VERBISH,
    bare,
)

MAX_SYLLABLES = 30
"""A longer echo is not an echo but a repetition."""
MAX_WORDS = 8

_SELF_STATES = frozenset("힘들 바쁘 아프 배고프 배부르 춥 덥 고되 괜찮".split())
"""Adjectives that people say of themselves without a subject."""
_EXPERIENCED = frozenset("생각나 기억나 걱정되 떠오르".split())
_BODILY = frozenset((Topic.BODY, Topic.MIND, Topic.SLEEP))
_WISHES = re.compile(
    r"^싶(?:어|어요|었어|었어요|습니다|다|네|네요|지|지요|은데|은데요|구먼|구나|더라고요?|었지|었지요"
    r"|었는데|어유|어예)$"
)
_NEGATIONS = re.compile(r"^(?:않|못하|못했|못해)")
_MANNER = re.compile(r"^[가-힣]{1,4}(?:하게|스럽게|롭게|없이)$")
_NEVER_FIRST = frozenset("또 막 더 제일 가장 그냥 다 좀".split())
_CLAUSE_FINAL = re.compile(r"(?:는데|은데|인데|지만|더니)요?$")


@dataclass(frozen=True, slots=True)
class Mention:
    """A noun in the text. `display`: as the listener says it. `at`: the index of its word."""

    noun: str
    display: Noun
    topic: Topic
    particle: str
    at: int
    honoured: bool | None = None

    @property
    def is_person(self) -> bool:
        return self.honoured is not None

    @property
    def is_subject(self) -> bool:
        return self.particle in ("이", "가", "께서") or (self.particle in ("은", "는") and self.is_person)


@dataclass(frozen=True, slots=True)
class Statement:
    """`text`: without its mark. `mentions`: the nouns that stand in it. `verb`: empty for a copula."""

    text: str
    mentions: tuple[Mention, ...] = ()
    stem: str = ""


@dataclass(frozen=True, slots=True)
class _Predicate:
    """The last verb of a statement. `negation`: 않, 못하 or none; `words`: how many it takes up."""

    verb: Verb
    tense: Tense
    reported: bool = False
    honours: bool = False
    negation: str = ""
    words: int = 1


@dataclass(frozen=True, slots=True)
class _Clause:
    """The words that belong to the last verb, gathered leftwards from it."""

    words: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    subject: Mention | None = None
    speaker: bool = False
    to_speaker: bool = False
    """Something in it was done to the speaker, so somebody else did it."""
    anchored: bool = False
    """Something in it can be recognised: a noun, a place, a word that is clearly an object."""


def last_statement(sentence: str, text: str) -> Statement | None:
    """The last statement of `sentence` (which stands in `text`), or one before it, as the listener gives it back."""
    raw = [word for word in sentence.split() if bare(word)]
    if not raw or sentence.rstrip("\"' ").endswith("?"):
        return None
    words = [bare(word) for word in raw]
    commas = frozenset(at for at, word in enumerate(raw) if word.endswith(","))
    ends = [len(words)] + [at for at in range(len(words) - 1, 0, -1) if _CLAUSE_FINAL.search(words[at - 1])][:2]
    for end in ends:
        if statement := _copula(words[:end], text) or _statement(words[:end], commas, text):
            return statement
    return None


def _statement(words: list[str], commas: frozenset[int], text: str) -> Statement | None:
    predicate = _predicate(words)
    if predicate is None:
        return None
    clause = _gather(words[: len(words) - predicate.words], predicate.verb, commas, text)
    if not _is_worth_telling(clause, predicate):
        return None
    honoured = True if predicate.honours else _is_honoured(clause, predicate, words, text)
    if honoured is None:
        return None
    shown = [HONORIFIC_LINKS.get(word, word) if honoured else word for word in clause.words]
    if predicate.tense is Tense.WISH and shown and clause.mentions and clause.mentions[-1].particle == "":
        shown[-1] = attach(shown[-1], "이/가") if predicate.verb.stem == "보" else shown[-1]
    told = " ".join([*shown, _ending(predicate, honoured=honoured)])
    if len(told.replace(" ", "")) > MAX_SYLLABLES:
        return None
    return Statement(told, clause.mentions, predicate.verb.stem)


# --- the verb --------------------------------------------------------------------------------------------------------


def _predicate(words: list[str]) -> _Predicate | None:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    linked = linking_forms().get(before)
    if linked is None and before.endswith(("하고", "하지")) and len(before) > 3:
        linked = Verb(before[:-1], Kind.ACT)
    final = final_verb(last)
    if linked is not None and before.endswith("고"):
        if _WISHES.match(last):
            return _Predicate(linked, Tense.WISH, words=2)
        if final is not None and final.verb.stem == "있" and final.tense is Tense.PRESENT:
            return _Predicate(linked, Tense.PROGRESS, honours=final.honours, words=2)
    if linked is not None and before.endswith("지") and _NEGATIONS.match(last):
        tense = Tense.PAST if last[:2] in ("못했", "않았") else Tense.PRESENT
        return _Predicate(linked, tense, negation="못하" if last[0] == "못" else "않", words=2)
    if linked is not None and before.endswith("고") and last.startswith("그랬"):
        return _Predicate(linked, Tense.PAST, words=2)
    if final is None or (final.tense is Tense.PLAN and final.verb.kind is not Kind.ACT):
        return None
    return _Predicate(final.verb, final.tense, final.reported, final.honours)


def _ending(predicate: _Predicate, *, honoured: bool) -> str:
    verb, tense, negation = predicate.verb, predicate.tense, predicate.negation
    if predicate.reported:
        shown = honorific(verb) if honoured else verb
        return f"{past(shown) if tense is Tense.PAST else declarative(shown)}다는 소식이군요"
    if negation:
        return f"{verb.stem}지 " + acknowledged(Verb(negation, verb.kind), tense, "군요", honoured=honoured)
    if tense in (Tense.WISH, Tense.PROGRESS) and honoured and verb.honorific:
        verb = Verb(verb.honorific, verb.kind)
    return acknowledged(verb, tense, "군요", honoured=honoured)


# --- what belongs to it ----------------------------------------------------------------------------------------------


def _gather(words: list[str], verb: Verb, commas: frozenset[int], text: str) -> _Clause:
    """Collects leftwards. A clause that leads into the last one (손을 잡고 …) comes along if it can come whole."""
    clause = whole = _Clause()
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if at in commas or len(clause.words) >= MAX_WORDS:
            break
        if word in SPEAKER:
            clause = replace(clause, speaker=clause.subject is None or clause.speaker)
            break
        if word in POSSESSIVE:
            continue
        if TO_SPEAKER.match(word):
            clause = replace(clause, to_speaker=True)
            continue
        if word in clause_links() and not (known_noun(word, text) and not clause.words):
            if clause.subject is not None:
                break
            whole = clause
            clause = replace(clause, words=(word, *clause.words))
            continue
        longer = _with(clause, word, at, verb, text)
        if longer is None:
            break
        if longer.subject is not None and not longer.subject.is_person and clause.subject is None and whole.words:
            return whole
        clause = longer
    return _trimmed(clause, whole)


def _trimmed(clause: _Clause, whole: _Clause) -> _Clause:
    if clause.words and clause.words[0] in clause_links():
        return whole
    words = list(clause.words)
    while words and (words[0] in COUNTERS or words[0] in _NEVER_FIRST):
        words.pop(0)
    return replace(clause, words=tuple(words))


def _with(clause: _Clause, word: str, at: int, verb: Verb, text: str) -> _Clause | None:
    """`clause` with `word` before it; None where it cannot belong there."""
    if word in PLACES:
        return replace(clause, words=(PLACES[word], *clause.words), anchored=True)
    if word in ADVERBS or _MANNER.match(word) or TIMES.match(word) or word in NUMBERS or word in COUNTERS:
        return replace(clause, words=(word, *clause.words))
    found = known_noun(word, text)
    if found is not None:
        return _with_noun(clause, at, *found)
    leads = verb.stem.endswith(("오", "가", "다니")) if word.endswith("고") else not word.endswith("지")
    if word in linking_forms() and leads and not clause.words:
        return replace(clause, words=(word,))
    if _is_object(word):
        return replace(clause, words=(word, *clause.words), anchored=True)
    return None


def _with_noun(clause: _Clause, at: int, noun: str, entry: Entry, particle: str) -> _Clause:
    mention = Mention(noun, Noun(entry.display), entry.topic, particle, at, entry.honoured)
    return replace(
        clause,
        words=(_with_particle(mention), *clause.words),
        mentions=(mention, *clause.mentions),
        subject=clause.subject or (mention if mention.is_subject else None),
        anchored=True,
    )


def _is_object(word: str) -> bool:
    """An unknown word whose particle says that it is an object or a place."""
    match = GUESS.match(word)
    if match is None or match[2] not in ("를", "을", "에서", "에", "으로", "로") or match[1] in EMPTY_NOUNS:
        return False
    noun = match[1]
    fits = match[2] not in ("를", "을") or has_coda(noun) == (match[2] == "을")
    return fits and not VERBISH.search(noun) and final_verb(noun + "다") is None


def _with_particle(mention: Mention) -> str:
    particle = {"께서": "이"}.get(mention.particle, mention.particle)
    for pair in PAIRS:
        if particle in pair.split("/"):
            return attach(mention.display, pair)
    return mention.display + particle


# --- whether and how it is said --------------------------------------------------------------------------------------


def _is_worth_telling(clause: _Clause, predicate: _Predicate) -> bool:
    verb = predicate.verb
    if verb.stem == "모르" or (clause.to_speaker and not (clause.subject is not None and clause.subject.is_person)):
        return False
    if verb.stem in EMPTY_HADA and not clause.mentions:
        return False
    if clause.anchored or verb.kind is Kind.FEELING or verb.stem in _SELF_STATES:
        return True
    return len(verb.stem) >= 3 and verb.kind is Kind.ACT and not predicate.negation


def _is_honoured(clause: _Clause, predicate: _Predicate, words: list[str], text: str) -> bool | None:
    """Whether the verb takes -시-; None when it cannot be told who or what its subject is."""
    verb, subject = predicate.verb, clause.subject
    felt_by_other = subject is not None and subject.is_person and subject.particle in ("은", "는", "께서")
    if predicate.tense is Tense.WISH or (verb.kind is Kind.FEELING and not felt_by_other):
        return True
    if subject is not None:
        if subject.is_person:
            return bool(subject.honoured)
        if verb.stem in _EXPERIENCED:
            return True
        of_the_body = subject.topic in _BODILY and verb.stem != "피"  # 눈이 피었네: no eyes
        return of_the_body and (verb.kind is not Kind.ACT or verb.stem == "오")
    if clause.speaker:
        return verb.kind is not Kind.STATE or verb.stem in _SELF_STATES
    if any(_is_other_subject(word, text) for word in words):
        return None
    if verb.kind is Kind.ACT or verb.stem in _SELF_STATES or verb.stem in _EXPERIENCED:
        return True
    return False if verb.kind is Kind.STATE else None


def _is_other_subject(word: str, text: str) -> bool:
    """Whether `word` is, or may be, somebody else as the subject or topic of the sentence."""
    found = known_noun(word, text)
    if found is not None:
        return found[1].honoured is not None and found[2] in ("이", "가", "께서", "은", "는")
    match = GUESS.match(word)
    if word in SPEAKER or TIMES.match(word) or match is None or match[2] not in ("이", "가", "은", "는"):
        return False
    is_noun = match[1] not in EMPTY_NOUNS and not VERBISH.search(match[1]) and final_verb(match[1] + "다") is None
    return is_noun and has_coda(match[1]) == (match[2] in ("이", "은"))


def _copula(words: list[str], text: str) -> Statement | None:
    """고향은 함흥이에요 -> 고향이 함흥이군요; 아버지는 군인이었어요 -> 아버님은 군인이셨군요."""
    match = COPULA.match(words[-1])
    if match is None or match[1] in EMPTY_NOUNS or match[2] == "이야" or VERBISH.search(match[1]):
        return None
    found = known_noun(match[1], text)
    if found is None or found[2] or found[1].honoured is not None:
        return None
    was = match[2].startswith(("이었", "였"))
    said = Mention(found[0], Noun(found[1].display), found[1].topic, match[2], len(words) - 1)
    plain, honouring = ("이었군요/였군요", "이셨군요/셨군요") if was else ("이군요/군요", "이시군요/시군요")
    if said.topic is Topic.MIND:
        return Statement(attach(said.display, honouring))
    before = known_noun(words[-2], text) if len(words) > 1 else None
    if before is None or before[2] not in ("은", "는", "이", "가"):
        return None if len(words) > 3 else Statement(attach(said.display, plain), (said,))
    of = Mention(before[0], Noun(before[1].display), before[1].topic, before[2], len(words) - 2, before[1].honoured)
    if of.honoured:
        return Statement(f"{attach(of.display, '은/는')} {attach(said.display, honouring)}", (of, said))
    return Statement(f"{attach(of.display, '이/가')} {attach(said.display, plain)}", (of, said))
