"""What a word is without its endings, as far as two texts are to be compared word by word. Pure; no dictionary.

Korean hangs particles on nouns (통영에서는) and endings on verbs (다녀오셨어요), often several. Which part is which
cannot be known without a dictionary, so a word has every stem that it may have; two words may be the same one where
they share a stem of the same kind. Nouns are compared with nouns and verbs with verbs: 산에 (on a mountain) is not
샀어요 (bought).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from streaming.messages import Language

WORD = re.compile(r"[가-힣]+|[A-Za-z]+(?:'[a-z]+)?|\d+")
_MAX_STRIPPED = 5
"""Endings that one verb may have: 가-시-었-겠-더-군요."""

PARTICLES = (
    "께서는 께서도 께서 에게서 에게는 에게도 에게 한테서 한테는 한테도 한테 에서는 에서도 에서의 에서만 에서 에는 에도 "
    "에만 에 으로는 으로도 으로 로는 로도 로 이랑은 이랑도 이랑 랑은 랑도 랑 하고는 하고도 하고 과는 과도 과 와는 와도 "
    "와 까지도 까지는 까지 부터는 부터 처럼 만큼 보다 마다 조차 마저 밖에 이나 나 이라도 라도 이라는 라는 이라고 라고 "
    "이란 란 이야말로 이며 며 의 을 를 이 가 은 는 도 만 아 야 여 요 이가 이는 이를 이의 이도 이와 이만 이에게 이한테 "
    "이랑은 들이 들은 들을 들도 들과 들의 들에게 들 님 네 씨 때 때는 때의"
).split()
"""What may stand behind a noun; the name's own 이 (민준이가) and plural, too."""
COPULAS = (
    "이에요 예요 이었어요 였어요 이었대요 였대요 이래요 래요 이셨어요 셨어요 이셨대요 셨대요 입니다 이었습니다 "
    "였습니다 이다 이야 이지 지 지요 이죠 죠 이네요 네요 이군요 이었고 였고 이고 고 이라서 라서 이어서 여서 인데 "
    "인데요 이었는데 였는데 이었다 였다 이었던 였던 이던 인 이었지 였지 이었지요 였지요 이었죠 였죠 이라 이거든요 "
    "거든요"
).split()
"""What makes a sentence of a noun."""
ENDINGS = (
    "어요 아요 여요 에요 습니다 ᆸ니다 ᆸ니까 지요 죠 지 네요 네 군요 구나 는데요 ᆫ데요 은데요 는데 ᆫ데 은데 고요 고 "
    "고서 어서 아서 여서 으니까 니까 으니 니 으면 면 으면서 면서 으며 며 다 단다 ᆫ다 는다 답니다 ᆫ답니다 는답니다 대요 "
    "ᆫ대요 는대요 래요 더라고요 더라고 더라 더군요 더니 던 았던 는 은 ᆫ 을 ᆯ 기 음 ᆷ 게 도록 으려고 려고 으러 러 자 "
    "자고 거든요 거든 잖아요 으세요 세요 어 아 여 았 었 였 ᆻ 겠 으시 시 라 라고 다고 냐고 었던 던데 던데요 길 고는 "
    "다가 어도 아도 지만 으나 나 고요 ᆫ지 는지 ᆯ까 을까 어야 아야 야 으셔 셔 으셔서 셔서 려 요"
).split()
"""What may hang on a verb, outermost last; ᆫ, ᆯ, ᆷ, ᆸ and ᆻ are finals of the stem's own last syllable."""
_NOUN_VERBS = ("하", "되", "시키", "스럽", "롭", "당하", "받", "이")
"""Behind a noun they make a verb of it: 여행하다."""
_ENGLISH_ENDINGS = ("'s", "s'", "ing", "ied", "ies", "ed", "es", "ly", "s", "d")


class Stems(NamedTuple):
    """What a word may be: as a noun, as a verb."""

    nouns: frozenset[str]
    verbs: frozenset[str]

    def meets(self, other: Stems) -> bool:
        return not (self.nouns.isdisjoint(other.nouns) and self.verbs.isdisjoint(other.verbs))


def words(text: str) -> list[str]:
    """The words of a text, numbers apart from what stands behind them, without signs."""
    return WORD.findall(unicodedata.normalize("NFC", text))


@lru_cache(maxsize=8192)
def stems(word: str, language: Language) -> Stems:
    """Every stem that the word may have."""
    if language == "ko" and not word.isascii():
        verbs = _korean_verbs(word)
        nouns = _korean_nouns(word) | {noun for verb in verbs for noun in _nouns_in(verb)}
        return Stems(frozenset(nouns), frozenset(verbs))
    forms = _english(word.lower())
    return Stems(forms, forms)  # English does not say by a word's form which of the two it is


def _nouns_in(verb: str) -> set[str]:
    """여행 of 여행하; a noun of one syllable only where nothing but 이 was behind it."""
    found = {verb.removesuffix(made) for made in _NOUN_VERBS if verb.endswith(made)}
    return {noun for noun in found if len(noun) >= 2 or (noun and verb == f"{noun}이")}


def _korean_nouns(word: str) -> set[str]:
    found = {word}
    for _ in range(3):  # 손주들에게는: plural, then two particles
        for known in tuple(found):
            for ending in (*PARTICLES, *COPULAS):
                left = known.removesuffix(ending)
                if left != known and len(left) >= (2 if ending.startswith("들") or ending in ("네", "님", "씨") else 1):
                    found.add(left)
    return found


def _korean_verbs(word: str) -> set[str]:
    """Stems that are left once at least one ending is taken off, in syllables again."""
    jamo = unicodedata.normalize("NFD", word)
    left, found = {jamo}, set[str]()
    for _ in range(_MAX_STRIPPED):
        shorter = {form.removesuffix(ending) for form in left for ending in _JAMO_ENDINGS if form.endswith(ending)}
        shorter |= {whole for form in shorter for whole in _uncontracted(form)}
        left = {form for form in shorter if len(form) > 1} - found
        if not left:
            break
        found |= left
    return {syllables for form in found if (syllables := _stem(form))}


def _stem(jamo: str) -> str:
    """The syllables; nothing where a consonant was left without its vowel."""
    syllables = unicodedata.normalize("NFC", jamo)
    return syllables if all("가" <= syllable <= "힣" for syllable in syllables) else ""


_CONTRACTED = {"ᅢ": "ᅡ", "ᅪ": "ᅩ", "ᅯ": "ᅮ", "ᅧ": "ᅵ", "ᅫ": "ᅬ", "ᅥ": "ᅳ", "ᅡ": "ᅳ"}
"""해-하, 봐-보, 배워-배우, 마셔-마시, 돼-되, 모아-모으, 바빠-바쁘."""


def _uncontracted(form: str) -> set[str]:
    """What a stem's end may have been before an ending changed it."""
    whole = set()
    if form and form[-1] in _CONTRACTED and (_CONTRACTED[form[-1]] != "ᅳ" or len(form) > 3):
        whole.add(form[:-1] + _CONTRACTED[form[-1]])
    if form.endswith(("ᄋ\u116f", "ᄋ\u116a")) and len(form) > 3:  # 고마워-고맙
        whole.add(form[:-2] + "ᆸ")
    if form.endswith("ᄋ\u116e") and len(form) > 3:  # 고마우-고맙
        whole.add(form[:-2] + "ᆸ")
    if form.endswith("ᆯ"):  # 들어-듣
        whole.add(form[:-1] + "ᆮ")
    return whole


_JAMO_ENDINGS = tuple(
    sorted({unicodedata.normalize("NFD", ending) for ending in ENDINGS}, key=lambda ending: (-len(ending), ending))
)


def _english(word: str) -> frozenset[str]:
    found = {word}
    for ending in _ENGLISH_ENDINGS:
        left = word.removesuffix(ending)
        if left != word and len(left) >= 3:
            found |= {left, f"{left}e", f"{left}y"}
            if left[-1] == left[-2]:
                found.add(left[:-1])  # stopped
    return frozenset(found)
