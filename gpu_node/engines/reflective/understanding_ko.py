"""What was said, as far as the listener can tell: nouns, the last verb with what belongs to it, and how it ended. Pure.

Light morphology over a closed list of nouns and verbs. Whatever does not fit the lists is left alone: it is better to
take up one word rightly than a whole sentence wrongly.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gpu_node.engines.reflective.conjugation import (
    Kind,
    Tense,
    Verb,
    acknowledged,
    declarative,
    honorific,
    is_all_hangul,
    past,
)
from gpu_node.engines.reflective.korean_endings import Ending, classify
from gpu_node.engines.reflective.nouns import Entry, Topic, known_noun
from gpu_node.engines.reflective.numerals import spell_numbers
from gpu_node.engines.reflective.particles import PAIRS, Noun, attach, has_coda
from gpu_node.engines.reflective.verbs import final_verb, linking_forms

MAX_TOLD_SYLLABLES = 30
"""A longer echo is not an echo but a repetition."""


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


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    squeezed: str
    ending: Ending
    mentions: tuple[Mention, ...]
    guesses: tuple[Mention, ...]
    """Words that look like nouns by their particle alone, the surest first."""
    told: str
    """The last statement given back without its ending mark: "배추를 세 포기 사셨군요"; empty where that is not safe."""
    about_past: bool
    words: int

    @property
    def focus(self) -> Mention | None:
        return self.mentions[0] if self.mentions else None


_PAST_TIMES = re.compile(
    r"옛날|예전|그때|그땐|그시절|시절|어렸|어릴|젊었|젊을|처녀때|총각때|신혼때|전쟁때|육이오|피난|피란|일제|국민학교|년전|살때|적에|적엔|더랬|왕년|한창때"
)
_FILLERS = re.compile(r"^(?:(?:어|음|저기|저|그|아|에|뭐|있잖아|있잖아요|글쎄|그러니까|그니까|아니|아유|아이고|에이|자|네|예|응|그래서|그런데|근데|그리고|이제|인제|막)[,.…]*\s+)+")


def understand(text: str) -> Heard:
    """Read one utterance as Whisper wrote it."""
    text = re.sub(r"\s+", " ", spell_numbers(unicodedata.normalize("NFC", text))).strip()
    squeezed = re.sub(r"[^가-힣a-zA-Z]", "", text)
    sentences = [_FILLERS.sub("", part) for part in re.split(r"(?<=[.!?…])\s+", text) if part.strip()]
    words = " ".join(sentences).split()
    mentions = _mentions(words, text)
    return Heard(
        text=text,
        squeezed=squeezed,
        ending=classify(text),
        mentions=_ranked(mentions, len(words)),
        guesses=_guesses(words, mentions),
        told=next((told for sentence in reversed(sentences[-2:]) if (told := _told(sentence, text))), ""),
        about_past=_PAST_TIMES.search(squeezed) is not None,
        words=len(words),
    )


# --- nouns -----------------------------------------------------------------------------------------------------------

_BARE = re.compile(r"[^가-힣a-zA-Z]+")
_VAGUE = {Topic.MIND: -4.0, Topic.AGE: -2.0, Topic.HOUSE: -2.0, Topic.MONEY: -1.0, Topic.PHONE: -1.0, Topic.READING: -1.0, Topic.WEATHER: -1.5}
_CENTRAL = frozenset(("을", "를", "이", "가", "께서", "한테", "에서", "은", "는"))


def _mentions(words: list[str], text: str) -> list[Mention]:
    mentions = []
    for at, word in enumerate(words):
        found = known_noun(_BARE.sub("", word), text) or _before_copula(word, text)
        if found is not None:
            noun, entry, particle = found
            mentions.append(Mention(noun, Noun(entry.display), entry.topic, particle, at, entry.honoured))
    return mentions


_COPULA = re.compile(r"^([가-힣]{1,7}?)(이에요|예요|이예요|입니다|이었어요|였어요|이었지요?|였지요?|이었습니다|였습니다|이지요?|이죠|이야|이네요?|이었는데요?|였는데요?)$")
_EMPTY_NOUNS = frozenset(
    "것 거 겁 게 때문 정도 방식 말 뿐 터 셈 편 중 때 수 줄 데 바 법 리 나름 마찬가지 얘기 이야기 하나 그것 이것 저것 거기 여기 저기 뭐 무엇 누구 어디 언제 얼마 사람 생각"
    " 문제 경우 이유 결과 모습 그거 이거 저거 아니 건 걸 그게 이게 저게 애 놈 년 나 저 너 우리 저희 제 내 네 자기 당신 그 이 저 여러분 그분 이분 다음 이번 저번 지금 오늘 내일 어제"
    " 모레 요즘 옛날 예전 처음 나중 동안 이후 이전 전 후 뒤 앞 위 아래 안 밖 속 옆 곁 사이 가운데 끝 계속 항상 사실 정말 진짜 아주 모두 다들 서로 혼자 같이 함께 조금 그냥 그날 그쪽"
    " 이쪽 저쪽 무슨 어떤 그런 이런 저런 만큼 대로 하루 시간 날 해 주 번 점 면 측면 부분 분야 관련 대한 위한 통해 의미 가능 필요 이상 이하 정확 자체 전체 일부 대부분 여러 가지 각각"
    " 이놈 저놈 그놈 게 만난 본 한 두 세 네 열 백 천 만 억 일 월 년 현재 최근 그동안 이제 아침 저녁 밤 낮 새벽 점심 주말 평일 작년 올해 내년 재작년 그해 이듬해 매일 매년 반 거의 약"
    " 그다지 별로 전혀 절대 결국 마지막 첫번째 두번째 세번째 제일 가장 그만큼 이만큼 저만큼 얼마나 어쨌든 하여튼 아무튼 아무 아무것 무언가 뭔가 누군가 어딘가 언젠가 하지 되지 있지".split()
)


def _before_copula(word: str, text: str) -> tuple[str, Entry, str] | None:
    match = _COPULA.match(_BARE.sub("", word))
    if match is None or match[1] in _EMPTY_NOUNS:
        return None
    found = known_noun(match[1], text)
    return (found[0], found[1], match[2]) if found is not None and not found[2] else None


def _ranked(mentions: list[Mention], words: int) -> tuple[Mention, ...]:
    """What the utterance is most likely about first: late, in a central place of its clause, and concrete."""

    def weight(mention: Mention) -> float:
        place = 4.0 * (mention.at + 1) / max(words, 1)
        central = 1.5 if mention.particle in _CENTRAL else 0.0
        return place + central + _VAGUE.get(mention.topic, 0.0) + (2.5 if mention.is_person else 0.0)

    first: dict[str, Mention] = {}
    for mention in sorted(mentions, key=weight, reverse=True):
        first.setdefault(str(mention.display), mention)
    return tuple(first.values())


_GUESS = re.compile(r"^([가-힣]{2,6}?)(에서는|에서도|에서|에게서|에게|한테|까지도|까지|부터|이라는|라는|으로|을|를|이|가|은|는|과|와|도|의|에)$")
_SURE = {"를": 5, "에서": 4, "에서는": 4, "에서도": 4, "에게": 4, "한테": 4, "을": 3, "까지": 3, "부터": 3, "이라는": 3, "라는": 2, "의": 2, "가": 2, "에": 2, "와": 1, "으로": 1, "이": 1}
_VERBISH = re.compile(
    r"(?:다|하|되|있|없|했|됐|었|았|겠|않|못|같|싶|갔|왔|봤|는다|ㄴ다|다가|더라|지만|으면|니까|려고|면서|도록|든지|거나|이다|라고|다고|어서|아서|해서|때문|위해|대해|통해|따라|관해|인데|는데|지|게|던|런|한|된|간|온|본|준|난|운|은|는|들|적|스럽|롭|답)$"
)


def _guesses(words: list[str], mentions: list[Mention]) -> tuple[Mention, ...]:
    taken = {mention.at for mention in mentions}
    found: list[tuple[int, Mention]] = []
    for at, word in enumerate(words):
        match = _GUESS.match(_BARE.sub("", word)) if at not in taken else None
        if match is None or match[2] not in _SURE or match[1] in _EMPTY_NOUNS:
            continue
        noun, particle = match[1], match[2]
        fits = particle not in ("을", "를", "가", "와", "이") or has_coda(noun) == (particle in ("을", "이"))
        if not fits or _VERBISH.search(noun) or final_verb(noun) or final_verb(noun + "다"):
            continue
        found.append((_SURE[particle] * 10 + at, Mention(noun, Noun(noun), Topic.OTHER, particle, at)))
    return tuple(mention for _, mention in sorted(found, key=lambda item: -item[0]))


# --- the last statement ----------------------------------------------------------------------------------------------

_ADVERBS = frozenset(
    "안 못 잘 많이 좀 조금 참 정말 아주 너무 매우 무척 제일 가장 다 모두 같이 함께 혼자 혼자서 둘이 둘이서 셋이서 자주 가끔 다시 또 처음 처음으로 일찍 늦게 오래 오랫동안 오랜만에 매일 날마다 열심히 빨리"
    " 천천히 겨우 간신히 직접 미리 새로 먼저 벌써 아직 아직도 항상 늘 계속 자꾸 그냥 한참 한번 밤새 종일 하루종일 온종일 푹 꼭 막 더 덜 실컷 맛있게 재미있게 예쁘게 크게 따뜻하게 조용히 무사히 몰래"
    " 무지 엄청 되게 굉장히 한가득 잔뜩 여럿이 다같이 손수 내내 그대로 멀리 가까이 깊이 높이 다음 지난 이번 주에 달에 해에 년에".split()
)
_TIMES = re.compile(
    r"^(?:오늘|어제|그제|그저께|아까|방금|요즘|요새|옛날|예전|그때|작년|올해|재작년|지난주|지난달|지난번|이번주|이번|주말|아침|점심때|저녁때|새벽|낮|밤|봄|여름|가을|겨울|월요일|화요일|수요일|목요일|금요일|토요일|일요일"
    r"|내일|모레|다음주|다음달|어젯밤|간밤|오전|오후|평생|명절|설날|추석)(?:에|에는|엔|은|는|도|까지|부터|에도|에서)?$"
)
_NATIVE_NUMBERS = frozenset("한 두 세 네 다섯 여섯 일곱 여덟 아홉 열 스무 몇 서너 두어 두세".split())
_COUNTERS = frozenset("포기 마리 개 명 번 그루 송이 병 잔 권 가지 달 장 채 벌 켤레 그릇 시간 살 시 시에 되 말 근 상자 봉지 바퀴 곡 편 남매 형제".split())
_SPEAKER = frozenset("나는 난 내가 저는 전 제가 우리는 우린 우리가 저희는 저희가 나도 저도 우리도 나가".split())
_POSSESSIVE = frozenset("우리 저희 내 제 나의 저의 울".split())
_TO_SPEAKER = re.compile(r"^(?:나|저|우리|저희)(?:한테|에게|를|을|랑|하고|보고)|^(?:내게|제게|날|절)$")
_CLAUSE_END = re.compile(r"(?:고|서|는데|은데|인데|던데|지만|니까|으면|하면|면서|다가|더니|거든요?|길래|라도|어도|아도|자마자|아가지고|어가지고|느라고?|려고)$")
_SELF_STATES = frozenset("힘들 바쁘 아프 배고프 배부르 춥 덥 고되 괜찮".split())
_EXPERIENCED = frozenset("생각나 기억나 걱정되 떠오르".split())
_BODILY = frozenset((Topic.BODY, Topic.MIND, Topic.SLEEP))
_EMPTY_VERBS = frozenset("하 되 있 없 그렇 알 모르 나 들 두 보 주 오 가 이 쓰 크 많 작 좋 나쁘 생기 나오 지 쉬".split())
_EMPTY_HADA = frozenset("생각하 말하 이야기하 얘기하 시작하 필요하 가능하 그러하 대하 위하 통하 관하 못하 잘하 안하 좋아하 싫어하 뭐하 그리하 이리하 해야하 어떻게하 원하 정하 구하 당하 취하 속하 향하 의하".split())
_WISHES = re.compile(r"^싶(?:어|어요|었어|었어요|습니다|다|네|네요|지|지요|은데|은데요|구먼|구나|더라고요?|었지|었지요|었는데|어유|어예)$")
_NOT_ENDINGS = re.compile(r"^(않|못하|못했|못해|않았|않아)")


@dataclass(slots=True)
class _Clause:
    """The words that belong to the last verb, gathered leftwards from it."""

    words: list[str]
    mentions: list[Mention]
    subject: Mention | None = None
    speaker: bool = False
    guessed: bool = False


def _told(sentence: str, text: str) -> str:
    """The last statement of `sentence` as the listener gives it back, or "" where that cannot be done rightly."""
    words = [word for word in (_BARE.sub("", raw) for raw in sentence.split()) if word]
    commas = {at for at, raw in enumerate(sentence.split()) if raw.endswith(",")}
    if not words or sentence.rstrip("\"' ").endswith("?") or len(words) != len(sentence.split()):
        return ""
    if copula := _told_copula(words, text):
        return copula
    predicate = _predicate(words)
    if predicate is None:
        return ""
    clause = _gather(words[: len(words) - predicate.words], predicate.verb, commas, text)
    if not _is_worth_telling(clause, predicate.verb, predicate.negation):
        return ""
    honoured = True if predicate.honours else _is_honoured(clause, predicate.verb, predicate.tense, words, text)
    if honoured is None:
        return ""
    told = " ".join([*clause.words, _ending(predicate, honoured=honoured)])
    return told if len(told) <= MAX_TOLD_SYLLABLES + told.count(" ") else ""


@dataclass(frozen=True, slots=True)
class _Predicate:
    """The last verb of a statement. `negation`: 않, 못하 or none; `words`: how many it takes up."""

    verb: Verb
    tense: Tense
    reported: bool = False
    honours: bool = False
    negation: str = ""
    words: int = 1


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
    if linked is not None and before.endswith("지") and _NOT_ENDINGS.match(last):
        tense = Tense.PAST if last[:2] in ("못했", "않았") else Tense.PRESENT
        return _Predicate(linked, tense, negation="못하" if last[0] == "못" else "않", words=2)
    if final is None or (final.tense is Tense.PLAN and final.verb.kind is not Kind.ACT):
        return None
    return _Predicate(final.verb, final.tense, final.reported, final.honours)


def _gather(words: list[str], verb: Verb, commas: set[int], text: str) -> _Clause:
    clause = _Clause([], [])
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        if at in commas or len(clause.words) >= 6:
            break
        if word in _SPEAKER:
            clause.speaker = True
            break
        if word in _POSSESSIVE:
            continue
        shown = _argument(word, at, clause, verb, text)
        if shown is None:
            break
        clause.words.insert(0, shown)
    while clause.words and (clause.words[0] in _COUNTERS or clause.words[0] in ("또", "막", "더")):
        clause.words.pop(0)
    return clause


def _argument(word: str, at: int, clause: _Clause, verb: Verb, text: str) -> str | None:
    """`word` as it may stand in the told clause, noted there; None ends the clause."""
    if word in _ADVERBS or _TIMES.match(word) or word in _NATIVE_NUMBERS or word in _COUNTERS:
        return word
    if _TO_SPEAKER.match(word):
        return None
    found = known_noun(word, text)
    if found is None:
        is_led_up_to = verb.stem.endswith(("오", "가", "다니")) if word.endswith("고") else not word.endswith("지")
        if word in linking_forms() and not clause.words and is_led_up_to:
            return word
        return _guessed_argument(word, clause)
    noun, entry, particle = found
    if particle in ("하고", "고", "이고") or (_CLAUSE_END.search(word) and particle not in ("에서", "께서", "한테서", "에게서", "")):
        particle = "랑" if particle == "하고" else particle
    mention = Mention(noun, Noun(entry.display), entry.topic, particle, at, entry.honoured)
    clause.mentions.append(mention)
    if particle in ("이", "가", "께서") or (particle in ("은", "는") and mention.is_person):
        clause.subject = mention
    return _with_particle(mention)


def _guessed_argument(word: str, clause: _Clause) -> str | None:
    match = _GUESS.match(word)
    if match is None or match[2] not in ("를", "을", "에서", "에", "으로") or match[1] in _EMPTY_NOUNS:
        return None
    noun = match[1]
    if _VERBISH.search(noun) or final_verb(noun + "다") or (match[2] in ("를", "을") and has_coda(noun) != (match[2] == "을")):
        return None
    clause.guessed = True
    return word


def _with_particle(mention: Mention) -> str:
    particle = {"께서": "이"}.get(mention.particle, mention.particle)
    for pair in PAIRS:
        if particle in pair.split("/"):
            return attach(mention.display, pair)
    return mention.display + particle


def _is_worth_telling(clause: _Clause, verb: Verb, negation: str) -> bool:
    if verb.stem in _EMPTY_HADA and not clause.mentions:
        return False
    if clause.mentions or clause.guessed:
        return True
    if verb.kind is Kind.FEELING or verb.stem in _SELF_STATES:
        return True
    is_own_word = len(verb.stem) >= 3 and verb.kind is Kind.ACT
    return is_own_word and verb.stem not in _EMPTY_HADA and not negation


def _is_honoured(clause: _Clause, verb: Verb, tense: Tense, words: list[str], text: str) -> bool | None:
    """Whether the verb takes -시-; None when it cannot be told who or what its subject is."""
    if tense is Tense.WISH or (verb.kind is Kind.FEELING and not (clause.subject and clause.subject.is_person and not _felt_for(clause))):
        return True
    subject = clause.subject
    if subject is not None:
        if subject.is_person:
            return bool(subject.honoured)
        if verb.stem in _EXPERIENCED:
            return True
        return subject.topic in _BODILY and (verb.kind is not Kind.ACT or verb.stem == "오")
    if clause.speaker:
        return verb.kind is not Kind.STATE or verb.stem in _SELF_STATES
    others = [known_noun(word, text) for word in words]
    if any(found and found[1].honoured is not None and found[2] in ("이", "가", "께서", "은", "는") for found in others):
        return None
    if verb.kind is Kind.ACT or verb.stem in _SELF_STATES or verb.stem in _EXPERIENCED:
        return True
    return False if verb.kind is Kind.STATE else None


def _felt_for(clause: _Clause) -> bool:
    """With 이/가 before a feeling, the person is whom it is felt for (아들이 그리워요), not who feels."""
    return clause.subject is not None and clause.subject.particle in ("이", "가")


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


def _told_copula(words: list[str], text: str) -> str:
    """고향은 함흥이에요 -> 고향이 함흥이군요."""
    match = _COPULA.match(words[-1])
    if match is None or match[1] in _EMPTY_NOUNS or match[2] == "이야" or _VERBISH.search(match[1]):
        return ""
    found = known_noun(match[1], text)
    if found is None or found[2] or found[1].honoured is not None:
        return ""
    display, was = found[1].display, match[2].startswith(("이었", "였"))
    before = known_noun(words[-2], text) if len(words) > 1 else None
    if before is None or before[2] not in ("은", "는", "이", "가"):
        return "" if len(words) > 3 else attach(display, "이었군요/였군요" if was else "이군요/군요")
    if before[1].honoured:
        told = attach(display, "이셨군요/셨군요" if was else "이시군요/시군요")
        return f"{attach(before[1].display, '은/는')} {told}"
    return f"{attach(before[1].display, '이/가')} {attach(display, '이었군요/였군요' if was else '이군요/군요')}"
