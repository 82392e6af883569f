"""Korean as it sounds, for finding words that a recogniser may have spelt otherwise. Pure.

Whisper writes what it hears: `숨이` or `수미`, `꽉` or `콱`, `아파` or `아빠`, with spaces where it likes. Folded, the
two of a pair are one row of sounds: syllables are taken apart, a silent ㅇ goes (so that a final meets the vowel after
it), and sounds that few speakers or recognisers tell apart become one. ㅆ stays: it is all that tells `아팠어`, which
is past, from `아파서`, which is not. ㅂ stays apart from ㅃ and ㅍ: `불이 났어` is a fire, `뿔이 났어` a temper.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from silvertalk.unambiguous import repeatable

_ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_CODAS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_FIRST, _LAST = ord("가"), ord("힣")

_FOLDED = str.maketrans(
    {
        **{"ㄲ": "ㄱ", "ㅋ": "ㄱ", "ㄸ": "ㄷ", "ㅌ": "ㄷ", "ㅃ": "ㅍ", "ㅉ": "ㅈ", "ㅊ": "ㅈ"},
        **{"ㅐ": "ㅔ", "ㅒ": "ㅔ", "ㅖ": "ㅔ", "ㅙ": "ㅔ", "ㅚ": "ㅔ", "ㅞ": "ㅔ", "ㅢ": "ㅣ", "ㅟ": "ㅣ"},
        **{"ㅑ": "ㅏ", "ㅕ": "ㅓ", "ㅛ": "ㅗ", "ㅠ": "ㅜ", "ㅘ": "ㅏ", "ㅝ": "ㅓ"},
    }
)
"""Tense and aspirated stops, ㅐ and ㅔ, and glides: what recognisers confuse first, and dialects too."""
_SPLIT = {
    **{"ㄳ": "ㄱㅅ", "ㄵ": "ㄴㅈ", "ㄶ": "ㄴ", "ㄺ": "ㄹㄱ", "ㄻ": "ㄹㅁ", "ㄼ": "ㄹㅂ", "ㄽ": "ㄹㅅ"},
    **{"ㄾ": "ㄹㅌ", "ㄿ": "ㄹㅍ", "ㅀ": "ㄹ", "ㅄ": "ㅂㅅ"},
}
_DIGITS = dict(zip("0123456789", "공일이삼사오육칠팔구", strict=True))
_SILENT_CODA = "ㅎ"
_CODA_NG = "ㆁ"
"""Final ㅇ, which unlike the initial one is heard."""


_LEADING = re.compile(r"\W*(?:나|저|내가|제가|너무|좀|지금|사람|막|또|자꾸|정말|진짜|그만|제발|[,.]\w*)?\W*")
"""What a recogniser may have written together with the word after it (`나살려줘`); `이불이` is no `불이`."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """`text` folded. `places[n]` is the character of the text that sound `n` came from."""

    text: str
    sounds: str
    places: tuple[int, ...]

    def is_whole(self, start: int, end: int) -> bool:
        """Whether sounds `start` to `end` are whole syllables that begin a word, or follow only `_LEADING` in it."""
        if end < len(self.places) and self.places[end] == self.places[end - 1]:
            return False
        if start and self.places[start - 1] == self.places[start]:
            return False
        first = self.places[start]
        return bool(_LEADING.fullmatch(self.text[self.text.rfind(" ", 0, first) + 1 : first]))

    def words(self, start: int, end: int) -> str:
        """The whole words of the text in which sounds `start` to `end` (one past the last) lie, as they are written."""
        first, last = self.places[start], self.places[end - 1]
        before = max(self.text.rfind(" ", 0, first), -1) + 1
        after = self.text.find(" ", last)
        return self.text[before : len(self.text) if after < 0 else after]


def sounds(text: str) -> Sounds:
    """Letters and digits of `text`, folded; all else, spaces too, is left out of the sounds."""
    text = unicodedata.normalize("NFC", text)
    rows = [_of(character) for character in text]
    return Sounds(text, "".join(rows), tuple(place for place, row in enumerate(rows) for _ in row))


_REPEATED = re.compile(r"\(([가-힣|]+)\)(?=[*+{])")


def sound_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression over sounds from one written in Hangul: each syllable becomes a group of its sounds, so that
    `(이|가)?` and `요?` mean what they say; spaces are left out. A set of syllables (`[이가]`) cannot be had.

    `$` is the end of any line. Of a group that may be repeated only `repeatable` words are kept, which takes nothing
    away; raises ValueError where that cannot be.
    """
    written = _REPEATED.sub(_repeated, pattern.replace(" ", ""))
    return re.compile(re.sub("[가-힣]", _group, written), re.MULTILINE)


def _repeated(words: re.Match[str]) -> str:
    return f"(?:{'|'.join(repeatable(row for word in words[1].split('|') for row in spellings(word)))})"


def spellings(word: str) -> list[str]:
    """The rows of sounds that `word`, of Hangul syllables, may be in a pattern."""
    return ["".join(row) for row in product(*map(_spellings, word))]


def _group(syllable: re.Match[str]) -> str:
    return f"(?:{'|'.join(_spellings(syllable.group()))})"


def _spellings(syllable: str) -> tuple[str, ...]:
    """A ㅎ may be missing: `막혀` is often written `마켜`, in which it is one sound with the ㄱ before it."""
    row = _of(syllable)
    return (row, row[1:]) if row[0] == "ㅎ" else (row,)


@lru_cache(maxsize=4096)  # every syllable that is ever said, and worth it: each takes ten times as long without
def _of(character: str) -> str:
    """The sounds of one character; of a syllable 2 or more, less a silent ㅇ. A digit is read: 119 is 일일구."""
    character = _DIGITS.get(character, character)
    if not _FIRST <= ord(character) <= _LAST:
        return character.lower() if character.isalnum() else ""
    index = ord(character) - _FIRST
    onset, vowel, coda = _ONSETS[index // 588], _VOWELS[index % 588 // 28], _CODAS[index % 28]
    if onset == "ㅇ":
        onset = ""
    if coda == "ㅇ":
        coda = _CODA_NG
    row: str = onset + vowel + _SPLIT.get(coda, coda).replace(_SILENT_CODA, "")
    return row.translate(_FOLDED)
