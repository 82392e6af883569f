"""Whether a sentence of a film says only what was said or seen. Pure, and without a judge.

The sentence is held against its sources word by word. Every word that carries meaning must stand in a source, in
whatever form; the few that may stand without one (`FREE`) tell nobody anything about the person: "그날", "사진",
"들려주셨어요". So a name, a place, an object or a deed that nobody mentioned is found without knowing it for one. Four
things are looked at more closely, since a word in common is not enough for them: numbers are compared as numbers with
what they count, kinship and places as nouns alone, and a deed that was denied is not one that was done.

What it cannot see: true words put together into something untrue. Whoever writes is therefore given few sources for
each sentence, and names them.

What is remembered of somebody is checked apart (`silvertalk.grounding`), though for the same end. A narrator speaks as
a grandchild, whose thanks and love need no source (`FREE`), while a memory that "she loved him" must have been said;
and a memory is compared with some hundred others, for which each word has one stem (`silvertalk.plain_words`), where a
word of a film has every stem that it may have (`silvertalk.word_forms`): more true sentences pass, slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Literal, NamedTuple

from silvertalk.word_forms import COPULAS, PARTICLES, Stems, stems, words
from streaming.messages import Language

Kind = Literal["word", "number", "kin", "place"]


class Unsaid(NamedTuple):
    """A word of the sentence that no source has."""

    word: str
    kind: Kind


FREE: dict[Language, str] = {
    "ko": (
        "그 그때 그날 그런 그렇게 그리고 그래서 그러면서 그러고 이 이런 이렇게 저 저희 제 나 내 우리 것 게 거 건 걸 점 "
        "분 참 정말 아주 무척 더 또 다시 늘 지금 이제 오래 오래오래 오래도록 모두 함께 같이 한 장 한장 속 안에 곁 "
        "가운데 사진 이야기 말씀 말 추억 기억 목소리 순간 시간 모습 영상 하나 소중 대해 대한 관한 위한 위해 덕분 하다 "
        "했다 하셨 해요 하는 되다 돼요 있다 있어요 있는 계시다 계세요 이다 보다 봐요 보여요 보이는 듣다 들어요 "
        "들었어요 들려요 들려주다 들려주셨어요 들려줘 말하다 말씀하다 말씀하셨어요 이야기하다 이야기했어요 기억하다 "
        "기억해요 간직하다 간직할게요 담다 담았어요 담긴 남다 남아 남은 남았어요 고맙다 고마워요 감사하다 감사해요 "
        "사랑하다 사랑해요 싶다 싶어요 주다 주셔서 주셨어요 주신 같다 같아요 나누다 나눈 나누었어요 떠올리다 떠올라요 "
        "떠올리셨어요 전하다 전해요 했대요 하대요 이래요 라고 하고 소중하다 소중한 예요 이에요 입니다 네요"
    ),
    "en": (
        "a an the this that these those it its of in on at to from with for by as and or so then there here when where "
        "while who which what how is are was were be been being am do does did done has have had having will would can "
        "could i me my we us our you your he she they them their his her him again always still now very much more "
        "most all every each photo photograph picture story stories memory memories remember remembers remembered "
        "remembering tell tells told telling say says said speak spoke talk talked share shared sharing hear heard "
        "listen thank thanks thankful love moment moments time voice keep kept video about that's it's there's"
    ),
}
"""Words that need no source. No name, place, person, thing, number or deed of anybody's is among them, and no "not"."""
KIN: dict[Language, str] = {
    "ko": (
        "엄마 어머니 어머님 아빠 아버지 아버님 할머니 할아버지 외할머니 외할아버지 친할머니 친할아버지 남편 아내 부인 "
        "신랑 색시 마누라 영감 아들 딸 아이 애 아기 손자 손녀 손주 외손자 외손녀 증손자 증손녀 형 오빠 누나 언니 동생 "
        "남동생 여동생 형제 자매 남매 삼촌 외삼촌 고모 고모부 이모 이모부 숙모 외숙모 큰아버지 작은아버지 큰어머니 "
        "작은어머니 조카 사위 며느리 시어머니 시아버지 장인 장모 처제 처남 시누이 올케 매형 형부 제수 사촌 친척 가족 "
        "식구 부모 부모님 자식 친구 이웃 선생님 애인 약혼자 맏이 막내 첫째 둘째 셋째"
    ),
    "en": (
        "mother mom mum mommy father dad daddy grandmother grandma granny grandfather grandpa husband wife son "
        "daughter child children baby grandson granddaughter grandchild grandchildren brother sister sibling siblings "
        "uncle aunt auntie nephew niece cousin cousins family parents parent friend friends neighbour neighbor teacher "
        "bride groom fiance in-law twin twins"
    ),
}
PLACES: dict[Language, str] = {
    "ko": (
        "산 바다 바닷가 강 섬 호수 계곡 들판 논 밭 고향 시골 마을 동네 도시 읍내 장터 시장 학교 교실 교회 성당 절 병원 "
        "집 마당 부엌 공원 역 기차역 정류장 항구 공항 식당 가게 회사 공장 군대 부대 예식장 해수욕장 온천 극장 다방 "
        "서울 부산 대구 인천 광주 대전 울산 세종 경기 강원 충청 전라 경상 제주 제주도 통영 여수 속초 강릉 경주 전주 "
        "목포 포항 춘천 평양 함흥 개성 설악산 한라산 지리산 백두산 금강산 남산 한강 미국 일본 중국 독일 베트남 파리 "
        "런던 하와이"
    ),
    "en": (
        "mountain sea seaside beach river island lake valley field hometown village town city market school church "
        "temple hospital home house yard kitchen park station harbour harbor airport restaurant shop factory army "
        "seoul busan daegu incheon gwangju daejeon jeju tongyeong korea japan china america paris london"
    ),
}
_PLACE_ENDINGS = (
    "시",
    "도",
    "군",
    "구",
    "읍",
    "면",
    "동",
    "리",
    "역",
    "산",
    "강",
    "섬",
    "항",
    "천",
    "해수욕장",
    "공원",
    "시장",
)
_DENIES: dict[Language, frozenset[str]] = {"ko": frozenset({"안", "못"}), "en": frozenset({"not", "never", "no"})}
_DENIES_BEHIND = ("않", "못하", "못했", "말았")
"""가지 않았어요, 가지 못했어요."""

_SINO = {digit: value for value, digit in enumerate("영일이삼사오육칠팔구")} | {"공": 0, "륙": 6, "유": 6, "시": 10}
_SMALL = {"십": 10, "백": 100, "천": 1000}
_LARGE = {"만": 10**4, "억": 10**8}
_ONES = {
    **{"하나": 1, "한": 1, "둘": 2, "두": 2, "셋": 3, "세": 3, "석": 3, "넷": 4, "네": 4, "넉": 4},
    **{"다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9},
}
_TENS = {"열": 10, "스물": 20, "서른": 30, "마흔": 40, "쉰": 50, "예순": 60, "일흔": 70, "여든": 80, "아흔": 90}
_NATIVE = {
    **{word: value for word, value in (*_ONES.items(), *_TENS.items(), ("스무", 20))},
    **{tens + ones: ten + one for tens, ten in _TENS.items() for ones, one in _ONES.items()},
}
_ALONE = tuple(word for word in _NATIVE if not word.endswith(("한", "두", "세", "석", "네", "넉", "스무")))
"""Said without anything that they count."""
_UNITS = (
    "년도 년대 년 개월 월달 월 일 시간 시 분 초 살 세 명 사람 식구 번째 번 마리 개 채 장 권 대 층 호 원 리 킬로미터 "
    "킬로 미터 센티 도 주 달 해 가지 그루 송이 쌍 벌 켤레 잔 병 그릇 남매 형제 자매 학년 반 등"
).split()
_SAME_UNIT = {"사람": "명", "식구": "명", "년도": "년", "세": "살", "월달": "월", "킬로": "킬로미터", "해": "년"}
_UNIT = "|".join(_UNITS)


def _longest_first(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=lambda name: (-len(name), name)))


_NUMBER = re.compile(
    rf"(?:(?P<digits>\d[\d,]*)\s*(?P<unit1>{_UNIT})?"
    rf"|(?<![가-힣])(?P<native>{_longest_first(_NATIVE)})\s*(?P<unit2>{_UNIT})"
    rf"|(?<![가-힣])(?P<alone>{_longest_first(_ALONE)})(?=[이가은는을를도\s,.!?]|$)"
    rf"|(?<![가-힣])(?P<sino>[영공일이삼사오육륙유칠팔구십시백천만억]+)\s*(?P<unit3>{_UNIT}))(?P<tail>[가-힣]*)"
)
_TAILS = frozenset({"", "쯤", "전", "전에", "동안", "째", *PARTICLES, *COPULAS})
"""What may hang on a number, and says nothing."""
_ENGLISH_NUMBERS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen "
        "eighteen nineteen twenty".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}


class Sources:
    """What was said or seen, ready to be held against sentences."""

    def __init__(self, texts: Iterable[str], language: Language) -> None:
        self.language = language
        kept = list(texts)
        self.numbers = {number for text in kept for number in numbers(text, language)}
        said = [(stems(word, language), denied) for text in kept for word, denied in _with_denial(text, language)]
        self.nouns = frozenset(noun for found, _ in said for noun in found.nouns)
        self._verbs = {
            polarity: frozenset(verb for found, denied in said if denied is polarity for verb in found.verbs)
            for polarity in (False, True)
        }

    def have(self, found: Stems, *, denied: bool) -> bool:
        """Whether a word was said, and a deed as done or as not done."""
        if not self._verbs[not denied].isdisjoint(found.verbs) and self._verbs[denied].isdisjoint(found.verbs):
            return False
        return not (self.nouns.isdisjoint(found.nouns) and self._verbs[denied].isdisjoint(found.verbs))


def unsaid(sentence: str, sources: Sources) -> list[Unsaid]:
    """The words of the sentence that no source has; none where it says only what was said or seen."""
    language = sources.language
    missing = [
        Unsaid(f"{value}{unit}", "number")
        for value, unit in sorted(numbers(sentence, language))
        if (value, unit) not in sources.numbers
    ]
    for word, denied in _with_denial(_without_numbers(sentence, language), language):
        found = stems(word, language)
        kind = _kind(word, found, language)
        if kind != "word":
            if sources.nouns.isdisjoint(found.nouns):
                missing.append(Unsaid(word, kind))
        elif not sources.have(found, denied=denied) and (denied or not _free(language).meets(found)):
            missing.append(Unsaid(word, kind))
    return missing


def numbers(text: str, language: Language) -> set[tuple[int, str]]:
    """Every number with what it counts: `(1987, "년")`; a bare one counts nothing."""
    found = set()
    for match in _NUMBER.finditer(text):
        groups = match.groupdict()
        unit = groups["unit1"] or groups["unit2"] or groups["unit3"] or ""
        if groups["digits"]:
            value = int(groups["digits"].replace(",", "")[:15])
        elif language != "ko":
            continue
        elif groups["sino"] and groups["tail"] not in _TAILS:
            continue  # 영도다리: a word that begins like a number
        elif groups["sino"]:
            value = _sino(groups["sino"])
        else:
            value = _NATIVE[groups["native"] or groups["alone"]]
        found.add((value, _SAME_UNIT.get(unit, unit)))
    if language == "en":
        found |= {(_ENGLISH_NUMBERS[word], "") for word in words(text.lower()) if word in _ENGLISH_NUMBERS}
    return found


def _sino(written: str) -> int:
    """The value of a Sino-Korean number: 천구백팔십칠."""
    total = group = digit = 0
    for sign in written:
        if sign in _LARGE:
            total += max(group + digit, 1) * _LARGE[sign]
            group = digit = 0
        elif sign in _SMALL:
            group += max(digit, 1) * _SMALL[sign]
            digit = 0
        else:
            digit = digit * 10 + _SINO[sign]
    return total + group + digit


def _without_numbers(text: str, language: Language) -> str:
    """The text without what was compared as numbers, so that nobody looks for 세 among the words."""
    if language == "en":
        return " ".join(word for word in words(text) if word.lower() not in _ENGLISH_NUMBERS)
    return _NUMBER.sub(_beside, text)


def _beside(number: re.Match[str]) -> str:
    """What of a match is no number."""
    if number["tail"] in _TAILS:
        return " "
    return number[0] if number["sino"] else f" {number['tail']}"


def _with_denial(text: str, language: Language) -> list[tuple[str, bool]]:
    """The words, each with whether it is denied; what denies is no word of its own. Digits are left out."""
    found: list[tuple[str, bool]] = []
    denying = False
    for word in words(text):
        if word.lower() in _DENIES[language] or word.endswith("n't"):
            denying = True
        elif language == "ko" and word.startswith(_DENIES_BEHIND) and found:
            found[-1] = (found[-1][0], True)
        elif not word.isdecimal():
            found.append((word, denying))
            denying = False
    return found


def _kind(word: str, found: Stems, language: Language) -> Kind:
    if not _listed("kin", language).isdisjoint(found.nouns):
        return "kin"
    if not _listed("place", language).isdisjoint(found.nouns):
        return "place"
    if language == "ko" and len(word) > 2 and word.endswith(_PLACE_ENDINGS):
        return "place"
    return "word"


@cache
def _listed(kind: Literal["kin", "place"], language: Language) -> frozenset[str]:
    return frozenset((KIN if kind == "kin" else PLACES)[language].split())


@cache
def _free(language: Language) -> Stems:
    known = [stems(word, language) for word in FREE[language].split()]
    return Stems(
        frozenset(noun for each in known for noun in each.nouns),
        frozenset(verb for each in known for verb in each.verbs),
    )
