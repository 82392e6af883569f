"""How written Hangul sounds: 표준 발음법, the Standard Pronunciation of Korean, as a respelling in Hangul.

`pronounce("같이 읽고 없는 것")` is `"가치 일꼬 엄는 걷"`: what a person reads aloud, syllable by syllable.
The text comes in Hangul, spaces and punctuation alone (see `gpu_node.korean_text`); other characters pass
through and end a phrase. Sounds meet across the spaces of a phrase, as they do in speech (못 해요 [모 태요]),
never across punctuation, where a speaker pauses.

The order of the rules, each named by its article in `_meet`:
1. words that no rule explains (`gpu_node.hangul_words`);
2. vowels: 의, 예, 져 (article 5);
3. every place where a final consonant meets the next syllable: ㅎ, liaison and palatalisation, reduction of finals,
   tensing, nasals and laterals (articles 8-30), the first rule that fits.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from gpu_node import hangul_words as words

ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
CODAS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")

FIRST, LAST = ord("가"), ord("힣")

REDUCED = {
    **dict.fromkeys("ㄱㄲㅋㄳㄺ", "ㄱ"),
    **dict.fromkeys("ㄷㅅㅆㅈㅊㅌㅎ", "ㄷ"),
    **dict.fromkeys("ㅂㅍㅄㄿ", "ㅂ"),
    **dict.fromkeys("ㄴㄵㄶ", "ㄴ"),
    **dict.fromkeys("ㄹㄼㄽㄾㅀ", "ㄹ"),
    **dict.fromkeys("ㅁㄻ", "ㅁ"),
    "ㅇ": "ㅇ",
    "": "",
}
"""Seven finals are spoken, whatever is written (articles 8-11)."""

SPLIT = {
    "ㄳ": ("ㄱ", "ㅅ"),
    "ㄵ": ("ㄴ", "ㅈ"),
    "ㄶ": ("ㄴ", ""),
    "ㄺ": ("ㄹ", "ㄱ"),
    "ㄻ": ("ㄹ", "ㅁ"),
    "ㄼ": ("ㄹ", "ㅂ"),
    "ㄽ": ("ㄹ", "ㅅ"),
    "ㄾ": ("ㄹ", "ㅌ"),
    "ㄿ": ("ㄹ", "ㅍ"),
    "ㅀ": ("ㄹ", ""),
    "ㅄ": ("ㅂ", "ㅅ"),
}
TENSE = dict(zip("ㄱㄷㅂㅅㅈ", "ㄲㄸㅃㅆㅉ", strict=True))
ASPIRATED = dict(zip("ㄱㄷㅂㅈ", "ㅋㅌㅍㅊ", strict=True))
NASAL = dict(zip("ㄱㄷㅂ", "ㅇㄴㅁ", strict=True))


@dataclass(slots=True)
class Syllable:
    """One block. `word` is the index of its word, `rest` that word from this block on, before any rule."""

    onset: str
    vowel: str
    coda: str
    word: int = 0
    rest: str = ""
    alone: bool = False

    @property
    def written(self) -> str:
        return self.rest[:1]

    @property
    def last(self) -> bool:
        return len(self.rest) == 1

    def __str__(self) -> str:
        block = (ONSETS.index(self.onset) * 21 + VOWELS.index(self.vowel)) * 28 + CODAS.index(self.coda)
        return chr(FIRST + block)


def is_hangul(character: str) -> bool:
    """True for a whole Hangul syllable block."""
    return FIRST <= ord(character) <= LAST


def decompose(block: str) -> tuple[str, str, str]:
    """`"닭"` to `("ㄷ", "ㅏ", "ㄺ")`; the coda may be empty."""
    index = ord(block) - FIRST
    return ONSETS[index // 588], VOWELS[index % 588 // 28], CODAS[index % 28]


def pronounce(text: str) -> str:
    """Respell `text` as it is spoken. Anything that is neither Hangul nor a space stays and ends a phrase."""
    text = unicodedata.normalize("NFC", text)
    return "".join(
        _pronounce_phrase(piece) if piece and is_hangul(piece[0]) else piece
        for piece in re.split(r"([가-힣]+(?: +[가-힣]+)*)", text)
    )


def _pronounce_phrase(phrase: str) -> str:
    written = phrase.split()
    respelled = [_respell(word) for word in written]
    _insert_n(respelled)
    syllables = [
        Syllable(*decompose(block), word=index, rest=word[place:], alone=len(word) == 1)
        for index, word in enumerate(respelled)
        for place, block in enumerate(word)
    ]
    _voice_vowels(syllables, respelled)
    for left, right in zip(syllables, syllables[1:], strict=False):
        tense = right.onset in TENSE and _tense_by_grammar(left, right, respelled)
        left.coda, right.onset = _meet(left, right)
        if tense:
            right.onset = TENSE.get(right.onset, right.onset)
    syllables[-1].coda = REDUCED[_before_silence(syllables[-1])]
    for syllable in syllables:
        if syllable.onset in "ㅈㅉㅊ" and syllable.vowel in "ㅑㅕㅛㅠ":  # article 5.1: 가져 [가저]
            syllable.vowel = "ㅏㅓㅗㅜ"["ㅑㅕㅛㅠ".index(syllable.vowel)]
    spoken = ["".join(str(s) for s in syllables if s.word == index) for index in range(len(written))]
    return " ".join(spoken)


# --- words -----------------------------------------------------------------------------------------------------------

_STARTS = re.compile("|".join(sorted(words.WORD_STARTS, key=len, reverse=True)))
_ENDS = re.compile("(?:" + "|".join(sorted(words.WORD_ENDS, key=len, reverse=True)) + ")$")
_IN_L = "".join(chr(code) for code in range(FIRST + 8, LAST + 1, 28))
_ANYWHERE = {re.compile(key.replace("ㄹ", f"(?<=[{_IN_L}])", 1)): spoken for key, spoken in words.ANYWHERE.items()}


def _respell(word: str) -> str:
    word = _ENDS.sub(lambda match: words.WORD_ENDS[match[0]], word)
    if match := _STARTS.match(word):
        word = words.WORD_STARTS[match[0]] + word[match.end() :]
    for pattern, spoken in _ANYWHERE.items():
        word = pattern.sub(spoken.removeprefix("ㄹ"), word)
    return word


def _insert_n(phrase: list[str]) -> None:
    """Article 29 across a space: 무슨 일 [무슨 닐], 할 일 [할 릴], 옷 입고 [온 닙꼬]."""
    for index in range(1, len(phrase)):
        before, word = phrase[index - 1], phrase[index]
        coda = decompose(before[-1])[2]
        adnominal = coda in ("ㄴ", "ㄹ") and word in words.INSERTED_N_WORDS
        negated = before in ("못", "옷") and word[0] in "이읽입잊잃있여"
        if (adnominal or negated) and word[:2] != "있어":
            _, vowel, last = decompose(word[0])
            phrase[index] = str(Syllable("ㄹ" if coda == "ㄹ" else "ㄴ", vowel, last)) + word[1:]


def _voice_vowels(syllables: list[Syllable], phrase: list[str]) -> None:
    """Article 5: 희 [히], 시계 [시게], 주의 [주이], 우리의 [우리에]."""
    for place, syllable in enumerate(syllables):
        starts_word = place == 0 or syllables[place - 1].word != syllable.word
        if syllable.vowel == "ㅢ" and syllable.onset != "ㅇ":
            syllable.vowel = "ㅣ"
        elif syllable.vowel == "ㅢ" and not starts_word:
            particle = syllable.last and syllable.coda == "" and phrase[syllable.word] not in words.NOUNS_IN_EUI
            syllable.vowel = "ㅔ" if particle else "ㅣ"
        elif syllable.vowel == "ㅖ" and syllable.onset not in "ㅇㄹ":
            syllable.vowel = "ㅔ"


# --- tensing that grammar, not sound, decides ----------------------------------------------------------------------


def _tense_by_grammar(left: Syllable, right: Syllable, phrase: list[str]) -> bool:
    if left.word == right.word:
        return _after_stem(left, right) or _after_prospective(left, right)
    before, after = phrase[left.word], phrase[right.word]
    if left.coda != "ㄹ":
        return False
    if before in ("열", "여덜") or before.endswith("열"):  # 열 개 [열 깨], 여덟 시 [여덜 씨]
        return after[0] in "개시살시간군사번달장"
    if before in words.NOT_PROSPECTIVE or before[-1] == "를":
        return False
    object_or_verb = before[-1] == "을" and decompose(before[-2:-1] or "가")[2] not in ("ㅆ", "ㅄ", "ㅎ", "ㄶ", "ㅀ")
    return after in words.BOUND_NOUNS or (after in words.OTHER_NOUNS and not object_or_verb)


def _after_stem(left: Syllable, right: Syllable) -> bool:
    """Articles 24 and 25: 앉고 [안꼬], 닮다 [담따], 넓게 [널께], 신다 [신따]; but 삶도 [삼도]."""
    if left.coda == "ㄻ":
        # -기- makes a causative at least as often as a noun: 옮기다 [옴기다], 굶기다.
        return right.written != "기" and (left.written != "삶" or right.written in "다고지던습게")
    if left.coda in ("ㄵ", "ㄼ", "ㄾ"):
        return True
    return left.written in words.ENDINGS_AFTER_N_M.get(right.written, ())


def _after_prospective(left: Syllable, right: Syllable) -> bool:
    """Article 27 inside a word: 할게요 [할께요], 할지 [할찌], 할걸 [할껄], 할거예요 [할꺼예요]."""
    if left.coda != "ㄹ":
        return False
    if right.written == "게":
        return right.rest == "게요" or (right.rest == "게" and left.written not in words.STEMS_IN_L)
    if right.written == "지":
        return left.written in words.PROSPECTIVE_BEFORE_JI
    return right.rest != "게" and right.rest in words.BOUND_NOUNS and right.written in "거걸겁건것"


# --- where two syllables meet ----------------------------------------------------------------------------------------


def _meet(left: Syllable, right: Syllable) -> tuple[str, str]:
    """The final of `left` and the initial of `right` as spoken."""
    coda, onset = left.coda, right.onset
    across = left.word != right.word
    if coda in ("ㅎ", "ㄶ", "ㅀ") and not across:
        return _after_h(coda, onset)
    if onset == "ㅇ":
        return _linked(coda, right, across=across)
    if onset == "ㅎ":
        return _aspirated(coda, right, across=across)
    reduced = REDUCED[_before_consonant(left, right)]
    if coda == "ㄵ" or reduced in NASAL or (coda == "ㄺ" and reduced == "ㄹ"):
        onset = TENSE.get(onset, onset)  # article 23: 국밥 [국빱], 앉고 [안꼬], 읽고 [일꼬]
    return _assimilated(reduced, onset, across=across, clitic=left.alone)


def _after_h(coda: str, onset: str) -> tuple[str, str]:
    """Article 12: 놓고 [노코], 많소 [만쏘], 놓는 [논는], 뚫네 [뚤레], 낳은 [나은], 싫어 [시러]."""
    kept = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}[coda]
    if onset in ASPIRATED and onset != "ㅂ":
        return kept, ASPIRATED[onset]
    if onset == "ㅅ":
        return kept, "ㅆ"
    if onset == "ㅇ":
        return ("", kept) if kept else ("", "ㅇ")
    if onset == "ㄴ":
        return ("ㄹ", "ㄹ") if kept == "ㄹ" else ("ㄴ", "ㄴ")
    return _assimilated(kept or "ㄷ", onset, across=False, clitic=False)


def _linked(coda: str, right: Syllable, *, across: bool) -> tuple[str, str]:
    """Before a vowel: liaison (13, 14), of the reduced final before another word (15), palatalisation (17)."""
    if coda in ("", "ㅇ"):
        return coda, "ㅇ"
    if across:
        return "", REDUCED[coda]
    if coda in ("ㄷ", "ㅌ", "ㄾ") and _palatalises(right):
        return {"ㄷ": ("", "ㅈ"), "ㅌ": ("", "ㅊ"), "ㄾ": ("ㄹ", "ㅊ")}[coda]
    kept, moved = SPLIT.get(coda, ("", coda))
    return kept, "ㅆ" if moved == "ㅅ" and kept else moved


def _aspirated(coda: str, right: Syllable, *, across: bool) -> tuple[str, str]:
    """Before ㅎ, articles 12.1 and 17: 밝히다 [발키다], 앉혀 [안처], 굳혀 [구처], 못해 [모태], 옷 한 벌 [오 탄 벌]."""
    kept, last = ("", coda) if coda not in SPLIT else SPLIT[coda]
    if across or last not in ("ㄱ", "ㄷ", "ㅂ", "ㅈ"):
        kept, last = "", REDUCED[coda]
    if coda == "ㄷ" and not across and _palatalises(right):
        return kept, "ㅊ"
    if last in ASPIRATED:
        return kept, ASPIRATED[last]
    return last, "ㅎ"


def _palatalises(right: Syllable) -> bool:
    """이, 히 and the 여, 혀, 였, 혔 made of them (붙여, 닫혔다); not 형 (맏형 [마텽])."""
    return right.vowel == "ㅣ" or (right.vowel == "ㅕ" and right.coda in ("", "ㅆ"))


def _before_consonant(left: Syllable, right: Syllable) -> str:
    """Clusters that do not reduce alike everywhere, articles 10 and 11: 밟다 [밥따], 읽고 [일꼬] but 닭과 [닥꽈]."""
    if left.written == "밟":
        return "ㅂ"
    if left.coda == "ㄺ" and right.onset == "ㄱ" and left.written not in "닭흙칡슭" and left.word == right.word:
        return "ㄹ"
    return left.coda


def _before_silence(last: Syllable) -> str:
    return "ㅂ" if last.written == "밟" else last.coda


def _assimilated(coda: str, onset: str, *, across: bool, clitic: bool) -> tuple[str, str]:
    """Articles 18-20 for a reduced final: 먹는 [멍는], 협력 [혐녁], 강릉 [강능], 신라 [실라], 칼날 [칼랄].

    ㄹ stays ㄹ after a space (멋진 라디오). ㄹ draws ㄴ along over a space only after a word of one syllable (잘 나왔다
    [잘 라왇따]); after a longer one (오늘 날씨) speakers keep ㄴ as often as not, and it is the clearer of the two.
    """
    if onset in ("ㄴ", "ㅁ") and coda in NASAL:
        return NASAL[coda], onset
    if onset == "ㄹ" and not across:
        if coda in NASAL:
            return NASAL[coda], "ㄴ"
        if coda in ("ㅁ", "ㅇ"):
            return coda, "ㄴ"
        if coda == "ㄴ":
            return "ㄹ", "ㄹ"
    if onset == "ㄴ" and coda == "ㄹ" and (not across or clitic):
        return "ㄹ", "ㄹ"
    return coda, onset
