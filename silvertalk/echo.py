"""Which words of a transcript are the reply that is being played, come back through the microphone?

A loudspeaker's voice is misheard in every other word: "떡을 사 드셨군요" may come back as "써볼 사도 셔쿤요". So words
cannot be looked up; they are laid along the played text, letter by letter as they sound. Each word is then either an
echo, which costs what its letters differ from the place it is laid on, or somebody's own, which costs the same for
every letter; to change from one to the other costs extra, since neither an echo nor a person speaks single words in
turn. The cheapest reading wins.

    heard:   그 바다까에서 무어슬  아니 잠깐만
    played:  그 바닷가에서 무엇을 하셨어요        ──> own: 아니 잠깐만

A word that merely occurs somewhere in the reply is no echo, because its neighbours would have to be there too. One row
of the table is one letter of the transcript; a transcript of some seconds takes a millisecond.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streaming.text import normalized

OWN = 0.33
"""What a letter of somebody's own costs. Of what whisper-base makes of an echo nine texts in ten cost less than 0.25 a
letter, laid along the reply they come from; along another reply nineteen in twenty cost more than 0.35."""
SHORT, LONG_LETTERS = 0.5, 12
"""A few letters fit somewhere into any reply: in a text of less than so many a letter costs less, down to a half."""
CHANGE = 2.0
"""What changing costs, in letters."""
JUMP = 2.5
"""What it costs that an echo goes on elsewhere in the reply: more than an unlucky short word can save."""
GAP = 0.7
"""A letter too many or too few: syllables get lost in a room."""
LONGEST_WORDS = 60
LONGEST_LETTERS = 400
"""Of the played text, its end. Both bound what a hostile or broken client can make a gateway compute."""

Floats = npt.NDArray[np.float64]


def own_words(said: str, played: str) -> list[str]:
    """The words of `said` (normalised text) that are not an echo of `played`, in order."""
    words = said.split()[-LONGEST_WORDS:]
    source = _codes("".join(sounds(word) for word in normalized(played).split())[-LONGEST_LETTERS:])
    if not len(source):
        return words
    spoken = [_codes(sounds(word)) for word in words]
    laid = _Laid(source, OWN * min(1.0, SHORT + (1 - SHORT) * sum(map(len, spoken)) / LONG_LETTERS))
    for number, letters in enumerate(spoken):
        laid.lay(letters, number)
    own = laid.own
    return [word for number, word in enumerate(words) if own >> number & 1]


def sounds(word: str) -> str:
    """The letters of a word as they sound: a consonant below a syllable is the same as above, a mute ㅇ is none."""
    return "".join(_SOUNDS.get(letter, letter) for letter in unicodedata.normalize("NFD", word))


class _Laid:
    """The words so far, read every way: `_echo[k]` costs what it does to have arrived at place `k` of the source."""

    def __init__(self, source: npt.NDArray[np.int64], own_cost: float) -> None:
        self._source = source
        self._own_cost = own_cost
        self._places = np.arange(len(source) + 1)
        self._echo = np.zeros(len(source) + 1)
        self._echo_own = np.zeros(len(source) + 1, np.int64)  # bit n: word n is somebody's own
        self._mine, self._mine_own = 0.0, 0

    @property
    def own(self) -> int:
        best = int(self._echo.argmin())
        return self._mine_own if self._mine < self._echo[best] else int(self._echo_own[best])

    def lay(self, letters: npt.NDArray[np.int64], number: int) -> None:
        """Read one more word both ways."""
        best = int(self._echo.argmin())
        mine, mine_own = self._mine, self._mine_own
        if self._echo[best] + CHANGE < mine:
            mine, mine_own = float(self._echo[best]) + CHANGE, int(self._echo_own[best])
        self._mine, came, came_own = mine + self._own_cost * len(letters), self._mine, self._mine_own
        self._mine_own = mine_own | 1 << number
        if number:
            # From the person's own words, or from another place of the echo, where Whisper repeats itself.
            came += CHANGE
            if self._echo[best] + JUMP < came:
                came, came_own = float(self._echo[best]) + JUMP, int(self._echo_own[best])
            changed = came < self._echo
            self._echo = np.where(changed, came, self._echo)
            self._echo_own = np.where(changed, came_own, self._echo_own)
        for letter in letters:
            self.lay_letter(int(letter))

    def lay_letter(self, letter: int) -> None:
        aligned = np.concatenate(([np.inf], self._echo[:-1] + _COSTS[letter, self._source]))
        added = self._echo + GAP
        cost = np.minimum(aligned, added)
        own = np.where(aligned < added, np.concatenate(([0], self._echo_own[:-1])), self._echo_own)
        # Letters of the source that were not heard: the cheapest way from any place before.
        level = cost - GAP * self._places
        lowest = np.minimum.accumulate(level)
        source = np.maximum.accumulate(np.where(level == lowest, self._places, 0))
        self._echo, self._echo_own = lowest + GAP * self._places, own[source]


# --- letters ---------------------------------------------------------------------------------------------------------

_ABOVE = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_BELOW = "ㄱ ㄲ ㄱㅅ ㄴ ㄴㅈ ㄴㅎ ㄷ ㄹ ㄹㄱ ㄹㅁ ㄹㅂ ㄹㅅ ㄹㅌ ㄹㅍ ㄹㅎ ㅁ ㅂ ㅂㅅ ㅅ ㅆ ㅇ ㅈ ㅊ ㅋ ㅌ ㅍ ㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_SOUNDS = {chr(0x1100 + place): letter for place, letter in enumerate(_ABOVE)}
_SOUNDS |= {chr(0x1161 + place): letter for place, letter in enumerate(_VOWELS)}
_SOUNDS |= {chr(0x11A8 + place): letters for place, letters in enumerate(_BELOW.split())}
_SOUNDS[chr(0x1100 + _ABOVE.index("ㅇ"))] = ""

_ALPHABET = _ABOVE + _VOWELS + "abcdefghijklmnopqrstuvwxyz0123456789"
_OTHER = len(_ALPHABET)
_PLACES = {letter: place for place, letter in enumerate(_ALPHABET)}

_ALIKE = (
    "ㄱㄲㅋ",
    "ㄷㄸㅌ",
    "ㅂㅃㅍ",
    "ㅅㅆ",
    "ㅈㅉㅊ",
    "ㄴㅁㅇ",
    "ㅏㅑㅘ",
    "ㅓㅕㅗㅛㅝ",
    "ㅜㅠㅡ",
    "ㅣㅢㅟ",
    "bp",
    "dt",
    "gkcq",
    "szx",
    "vf",
    "mn",
    "ck",
)
_ONE_SOUND = ("ㅐㅔ", "ㅒㅖ", "ㅙㅚㅞ")
_LOUD = (_VOWELS, "aeiouy")
SAME_KIND, ALIKE = 0.7, 0.3
"""What it costs to take a vowel for a vowel, or a consonant for a consonant, and a sound for its neighbour."""


def _cost_table() -> Floats:
    costs = np.ones((_OTHER + 1, _OTHER + 1))
    kinds = (*_LOUD, _ABOVE, "bcdfghjklmnpqrstvwxz")
    for groups, cost in ((kinds, SAME_KIND), (_ALIKE, ALIKE), (_ONE_SOUND, 0.0)):
        for group in groups:
            places = [_PLACES[letter] for letter in group]
            costs[np.ix_(places, places)] = cost
    np.fill_diagonal(costs, 0.0)
    costs[_OTHER, _OTHER] = 1.0
    return costs


_COSTS = _cost_table()


def _codes(letters: Sequence[str]) -> npt.NDArray[np.int64]:
    return np.array([_PLACES.get(letter, _OTHER) for letter in letters], np.int64)
