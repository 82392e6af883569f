"""Words as they can be looked up: without what Korean hangs on them, without case, without stop words. One stem a word,
so that texts can be indexed by it.

"부산으로" and "부산에서" are both 부산, "갔어" and "가셨다" both 가, "다녔어요" and "다니셨다" both 다니. No dictionary
stands behind it: a particle or an ending is cut where what is left can be a word, and a past tense is opened into its
stem and its ending. What is cut wrongly is cut wrongly on both sides of a comparison, which is all that it is for.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_BASE, _LAST = 0xAC00, 0xD7A3
_FINALS, _VOWELS = 28, 21
_SS, _L, _N = 20, 8, 4
"""Finals ㅆ, ㄹ and ㄴ, by their place in a syllable's code point."""
_NULL_ONSET = 11
_A, _AE, _EO, _YEO, _O, _WA, _WAE, _OE, _U, _WO, _I = 0, 1, 4, 6, 8, 9, 10, 11, 13, 14, 20
_OPENED = {_YEO: _I, _WA: _O, _WO: _U, _AE: _A, _WAE: _OE}
"""Vowels of a contracted past, and those of the stem: 왔 is 오았, 녔 니었, 웠 우었, 했 하었, 됐 되었."""

WORD = re.compile(r"[0-9]+|[^\W\d_]+(?:'[a-z]+)?")

_PARTICLES = tuple(
    sorted(
        (
            "이라고는 이라고 라고는 라고 이라는 라는 에서부터 에서는 에서도 에서의 에서 에게서 에게는 에게 한테서 "
            "한테는 한테 께서는 께서 께 "
            "으로부터 으로는 으로도 으로 로부터 로는 부터는 부터 까지는 까지도 까지 이랑은 이랑 랑은 랑 하고는 하고 "
            "이나마 이나 처럼 보다 마다 "
            "밖에 조차 마저 이야말로 이고 이며 이면 이든지 은요 는요 이요 이는 이가 이를 이도 이의 들은 들이 들을 "
            "들도 들과 들 "
            "이었어요 이었어 였어요 였어 이었지 였지 이었다 였다 이셨다 이셨어요 이에요 예요 이야 이지 이죠 이다 "
            "입니다 이거든 거든 인데요 인데 "
            "은 는 이 가 을 를 의 에 도 만 과 와 로 야 아 죠 지"
        ).split(),
        key=len,
        reverse=True,
    )
)
_SHORT = frozenset(
    "딸 집 밥 떡 국 꽃 강 산 배 차 말 소 개 돈 옷 눈 비 봄 술 책 절 밤 감 콩 쌀 논 밭 둘 셋 넷 형 손 발 병 약 물 불 "
    "길 문 방 달 빵 춤 시 "
    "굴 곰 닭 김 죽 탕 회 묵 꿀 잣 역 섬 별 해 흙 밀 벼 암 폐 위 간 코 귀 입 뼈 키".split()
)
"""Nouns of one syllable that a person tells of: behind one of them stands a particle."""
_ENDINGS = tuple(
    sorted(
        (
            "습니다 습니까 십니다 으십니다 세요 으세요 셔요 아요 어요 여요 에요 해요 하신다 한다 해 네요 거든요 "
            "는데요 더라고요 더라고 지요 는데 "
            "았다 었다 는다 다 어 아 고 지 네 니 서 면 며 게 던 는 은 을 기 자 요"
        ).split(),
        key=len,
        reverse=True,
    )
)
STOP_WORDS = frozenset(
    "그 이 저 나 내 제 내가 나는 나도 나를 내게 제가 저는 저도 저를 살에 살이 우리 저희 너 니 네 예 응 음 어 아 오 "
    "뭐 뭘 왜 좀 참 더 또 다 잘 막 꼭 안 못 것 거 게 수 때 적 데 등 및 그때 그거 이거 저거 "
    "그것 이것 그런 이런 저런 그래 그래서 그런데 근데 그러니까 그리고 하지만 그냥 정말 진짜 너무 아주 무척 많이 조금 "
    "이제 지금 오늘 요즘 항상 늘 "
    "있 없 하 되 이야기 얘기 말씀 기억 생각 복실 어르신 뭐야 뭐예요 누구 언제 어디 무엇 어떻게 어떤 몇 했 줘 봐 같 "
    "싶 아니 맞 있는 있던 있으 없는 하는 "
    "the a an and or but of to in on at for with from by as is am are was were be been do did does have has had i me "
    "my we our you your he she "
    "it they them his her its their this that these those what who when where why how so very just not no yes oh "
    "well there then than "
    "about tell told remember".split()
)


def words_of(text: str) -> list[str]:
    """The words as they stand, composed and in lower case; digits are words of their own."""
    return WORD.findall(unicodedata.normalize("NFC", text).lower())


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """The part of a word that its forms share; never empty."""
    if not _is_hangul(word):
        return _english(word)
    for at, syllable in enumerate(word):
        if _final(syllable) == _SS and not (at == 0 and word[0] in "있겠"):
            return _without_honour(word[:at] + _opened(syllable, has_more=at > 0)) or word
    for particle in _PARTICLES:
        rest = word.removesuffix(particle)
        if rest != word and (len(rest) >= 2 or rest in _SHORT):
            return _without_honour(rest)
    if word.endswith("다") and len(word) > 1 and _final(word[-2]) == _N:  # 산다, 배운다
        return _without_honour(word[:-2] + chr(ord(word[-2]) - _N))
    for ending in _ENDINGS:
        rest = word.removesuffix(ending)
        if rest and rest != word and (len(rest) > 1 or len(ending) > 1):
            return _without_honour(rest)
    return word


def content_words(text: str) -> list[str]:
    """Stems of the words that say something, in their order, each as often as it stands."""
    found = []
    for word in words_of(text):
        cut = stem(word)
        if word not in STOP_WORDS and cut not in STOP_WORDS and (len(cut) > 1 or _is_hangul(cut) or cut.isdigit()):
            found.append(cut)
    return found


def same_word(one: str, other: str) -> bool:
    """Whether two stems are forms of one word, as far as their letters tell."""
    if one == other:
        return True
    if len(one) == len(other):  # 살 and 사(셨다)
        return one[:-1] == other[:-1] and _without_l(one) == _without_l(other)
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return len(short) >= 2 and long.startswith(short) and not (short.isdigit() or long.isdigit())


def _english(word: str) -> str:
    """Without a possessive and the commonest endings."""
    bare = word.removesuffix("'s").removesuffix("'")
    for ending, least in (("ing", 4), ("ied", 3), ("ies", 3), ("ed", 4), ("es", 4), ("s", 4)):
        if bare.endswith(ending) and len(bare) - len(ending) >= least - 1:
            return bare.removesuffix(ending) + ("y" if ending in ("ied", "ies") else "")
    return bare


def _is_hangul(word: str) -> bool:
    return bool(word) and all(_BASE <= ord(letter) <= _LAST for letter in word)


def _final(syllable: str) -> int:
    return (ord(syllable) - _BASE) % _FINALS


def _opened(syllable: str, *, has_more: bool) -> str:
    """The stem's part of a syllable that carries the past: of 왔 it is 오, of 갔 가, of 았 and 었 nothing."""
    onset, vowel = divmod((ord(syllable) - _BASE) // _FINALS, _VOWELS)
    if onset == _NULL_ONSET and vowel in (_A, _EO, _YEO) and has_more:
        return ""
    return chr(_BASE + (onset * _VOWELS + _OPENED.get(vowel, vowel)) * _FINALS)


def _without_honour(word: str) -> str:
    for honour in ("으시", "시"):
        rest = word.removesuffix(honour)
        if rest != word and rest:
            return rest
    return word


def _without_l(word: str) -> str:
    last = word[-1]
    if _is_hangul(last) and _final(last) == _L:
        return word[:-1] + chr(ord(last) - _L)
    return word
