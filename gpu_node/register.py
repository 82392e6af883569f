"""Whether a reply may be said to an older person as it stands: pure checks of form, not of sense.

They serve the offline listener's tests and the evaluation of any other LLM. What is asked of a reply: two or three
short sentences, one question, 해요체 or 하십시오체 throughout, nothing a voice cannot say (digits, emoji,
markdown, Latin letters in Korean), no 반말, no baby talk, no honorifics on things ("커피 나오셨습니다" is wrong:
국립국어원, 표준 언어 예절).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from streaming.messages import Language

MAX_SYLLABLES = 40
"""In one Korean sentence; longer ones are not kept in mind while listening."""
MAX_WORDS = 25
"""In one English sentence."""
SENTENCES = range(2, 4)


class Rule(StrEnum):
    SENTENCES = "sentences"
    QUESTION = "question"
    ENDING = "ending"
    LENGTH = "length"
    DIGIT = "digit"
    EMOJI = "emoji"
    MARKDOWN = "markdown"
    LATIN = "latin"
    BANMAL = "banmal"
    OBJECT_HONORIFIC = "object_honorific"
    ELDERSPEAK = "elderspeak"
    BARK = "bark"
    UNHONOURED = "unhonoured"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a reply breaks, and the words that break it."""

    rule: Rule
    detail: str


def check(reply: str, language: Language) -> tuple[Fault, ...]:
    """All faults of `reply`, in the order of the rules; empty when it may be said."""
    sentences = split(reply)
    faults = [*_shape(sentences), *_unspeakable(reply)]
    faults += _korean(reply, sentences) if language == "ko" else _english(reply, sentences)
    return tuple(sorted(faults, key=lambda fault: list(Rule).index(fault.rule)))


def split(reply: str) -> list[str]:
    """The sentences of a finished reply, their marks included."""
    pieces = re.split(r"(?<=[.!?…])(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bMrs\.)[\"')\]]*\s+", reply.strip())
    return [piece for piece in pieces if re.search(r"\w", piece)]


def syllables(text: str) -> int:
    """Korean syllables of `text`."""
    return sum("가" <= character <= "힣" for character in text)


# --- both languages --------------------------------------------------------------------------------------------------

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d]|[ㄱ-ㅎㅏ-ㅣ]{2,}|\\^\\^|[:;]-?[)(]|~"
)
_MARKDOWN = re.compile(r"[*_#`|\[\]<>]|^\s*[-•]\s|https?://|www\.", re.MULTILINE)


def _shape(sentences: list[str]) -> list[Fault]:
    faults = []
    if len(sentences) not in SENTENCES:
        faults.append(Fault(Rule.SENTENCES, str(len(sentences))))
    questions = sum(sentence.count("?") for sentence in sentences)
    if questions != 1:
        faults.append(Fault(Rule.QUESTION, str(questions)))
    return faults


def _unspeakable(reply: str) -> list[Fault]:
    rules = ((Rule.DIGIT, re.compile(r"\d")), (Rule.EMOJI, _EMOJI), (Rule.MARKDOWN, _MARKDOWN))
    return [Fault(rule, found.group()) for rule, pattern in rules if (found := pattern.search(reply))]


# --- Korean ----------------------------------------------------------------------------------------------------------

_POLITE = re.compile(r"(?:요|니다|니까|시오|죠)[.!?…\"')]*$")
_INTERJECTION = re.compile(r"^(?:멍|네|예|아|어머나|아이고|저런)[.!…]*$")
_BANMAL = re.compile(
    r"(?:^|\s)(?:너|네가|니가|너는|넌|너의|너를|너도|당신|당신은|당신이|자네|얘|얘야|야)(?=[\s,.!?]|$)"
    r"|(?:^|\s)그래,|[가-힣]아,|[가-힣]{2,}야,"
)
_THINGS = (
    "커피|김치|날씨|비|눈|꽃|사진|음식|밥|국|반찬|과일|떡|약|책|노래|전화|문|불|물|차|버스|기차|옷|신발|가격|값|배추|고추|나무|단풍|시장|학교"
    "|병원|경로당|복지관|텔레비전|라디오|영화|드라마|연속극|휴대폰|핸드폰|컴퓨터|전쟁|명절|설날|추석|주문|상품|제품|자리"
)
_WEATHER = "날씨|비|바람|햇볕|단풍|꽃|하늘|바다|경치|풍경"
_HAPPENS = "나오|되|비싸|맛있|피|오|내리|끝나|시작되|유명하"
_LOOKS = "좋|춥|덥|예쁘|곱|맑|많|따뜻하|시원하|아름답|깨끗하"
_VERY = r"(?:(?:참|정말|아주|많이|더)\s)*"
_HONOURED = r"(?:으)?(?:시|셨|세요|십)[가-힣]*"
_OBJECT_HONORIFIC = re.compile(
    rf"(?:^|\s)(?:(?:{_THINGS})(?:이|가|은|는|도)?\s{_VERY}(?:{_HAPPENS})|(?:{_WEATHER})(?:이|가|은|는|도)?\s{_VERY}(?:{_LOOKS}))"
    + _HONOURED
)
"""What one owns may be honoured with its owner (책이 많으시네요); what merely happens or is sold may not."""
_ELDERSPEAK_KO = re.compile(
    r"우쭈쭈|맘마|까까|코\s?자|착하시네|착하세요|우리 애기|아유 예뻐|[가-힣]쪄요|[어아해네군나세]용(?=[.!?~]|$)"
    r"|[네군해]염|[었았한]당(?=[.!?~]|$)"
)


def _korean(reply: str, sentences: list[str]) -> list[Fault]:
    faults = [Fault(Rule.LATIN, found.group()) for found in [re.search(r"[A-Za-z]+", reply)] if found]
    for sentence in sentences:
        if not _POLITE.search(sentence) and not _INTERJECTION.match(sentence):
            faults.append(Fault(Rule.ENDING, sentence))
        if syllables(sentence) > MAX_SYLLABLES:
            faults.append(Fault(Rule.LENGTH, sentence))
    rules = ((Rule.BANMAL, _BANMAL), (Rule.OBJECT_HONORIFIC, _OBJECT_HONORIFIC), (Rule.ELDERSPEAK, _ELDERSPEAK_KO))
    faults += [Fault(rule, found.group().strip()) for rule, pattern in rules if (found := pattern.search(reply))]
    if reply.count("멍") > 1:
        faults.append(Fault(Rule.BARK, "멍"))
    return faults + [Fault(Rule.UNHONOURED, sentence) for sentence in sentences if _without_honour(sentence)]


_DEEDS = (
    r"(?:갔|왔|봤|했|먹었|마셨|살았|만났|놀았|불렀|지냈|느꼈|입었|찍었|배웠|들었|다녔|심었|키웠|만들었|받았|샀|썼|탔|걸었|앉았|그렸"
    r"|골랐|잤)(?:어요|나요|지요|죠)|(?<![가-힣])(?:가|와|봐|해|먹어|살아|만나|좋아해|지내|느껴|배워|다녀)요"
)
_ASKED_PLAINLY = re.compile(rf"(?:{_DEEDS}|[가-힣]+(?:줄|할|볼|갈)래요)\?")
_FELT_PLAINLY = re.compile(
    r"(?:힘들|슬프|슬펐|속상하|속상했|외롭|외로웠|기쁘|기뻤|행복하|행복했|그립|그리웠|무섭|무서웠|아팠|즐거웠|놀랐|서운했"
    r"|보고 싶)(?:었|겠|었겠)*(?:군요|네요|어요|지요|죠)[.!]"
)
_SOMEBODY_ELSE = re.compile(r"[가-힣](?:이|가|께서)\s|(?:아이|손주|손녀|손자|강아지|친구|동생)(?:들)?(?:은|는)\s")


def _without_honour(sentence: str) -> bool:
    """Asked what they did, or told what they felt, without -시-; unless it is said of somebody else."""
    if _FELT_PLAINLY.search(sentence):
        return True
    return _ASKED_PLAINLY.search(sentence) is not None and not _SOMEBODY_ELSE.search(sentence)


# --- English ---------------------------------------------------------------------------------------------------------

_ELDERSPEAK_EN = re.compile(
    r"\b(?:sweetie|sweetheart|honey|dearie|deary|young (?:lady|man)|good (?:girl|boy)|(?:are|did|have"
    r"|shall) we (?:feeling|had|have our)"
    r"|potty|tummy|for your age)\b",
    re.IGNORECASE,
)


def _english(reply: str, sentences: list[str]) -> list[Fault]:
    faults = [Fault(Rule.LENGTH, sentence) for sentence in sentences if len(sentence.split()) > MAX_WORDS]
    faults += [Fault(Rule.ENDING, sentence) for sentence in sentences if not re.search(r"[.!?…][\"')]*$", sentence)]
    if found := _ELDERSPEAK_EN.search(reply):
        faults.append(Fault(Rule.ELDERSPEAK, found.group()))
    if len(re.findall(r"\bwoof\b", reply, re.IGNORECASE)) > 1:
        faults.append(Fault(Rule.BARK, "woof"))
    return faults
