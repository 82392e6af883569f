"""How alike two short Korean utterances sound, though a recogniser wrote one of them in other words. Pure.

An accent, a toothless mouth or a panting one gives Whisper `수미한 쇼진다` for `숨이 안 쉬진다`. Letter by letter these
are far apart; as sounds they are near: vowels and voicing go first, and the places of the consonants stay.
"""

from __future__ import annotations

import math
from itertools import combinations

_VOWELS = "ㅏㅓㅔㅗㅜㅡㅣ"
_NEAR_VOWELS = frozenset(
    frozenset(pair) for pair in ("ㅓㅗ", "ㅗㅜ", "ㅜㅡ", "ㅡㅓ", "ㅏㅓ", "ㅣㅔ", "ㅣㅡ", "ㅏㅔ", "ㅔㅓ", "ㅜㅣ", "ㅏㅗ")
)
_PLACES = ("ㅁㅂㅍ", "ㄴㄷㄹㅅㅆㅈ", "ㄱㆁㅎ")
"""Lips, tongue, throat; within one place consonants are taken for each other."""
_LIKE = frozenset(frozenset(pair) for place in _PLACES for pair in combinations(place, 2))
_NASALS = "ㄴㅁㆁ"

NEAR_VOWEL, FAR_VOWEL, NEAR_CONSONANT, FAR_CONSONANT, ACROSS = 0.25, 0.6, 0.4, 1.0, 1.2
DROPPED_VOWEL, DROPPED_CONSONANT, DROPPED_BREATH = 0.6, 0.6, 0.2
"""What a sound costs that is another one, or is missing. Set on transcripts of spoken calls for help
(`benchmarks.distress`, its tuned half)."""


def unlikeness(first: str, second: str, *, at_most: float = math.inf) -> float:
    """0 for the same sounds (`korean_sounds`), about 1 for unrelated ones: the cheapest way to turn one row of sounds
    into the other, a sound of the longer one. Beyond `at_most` it is infinite, and found out sooner."""
    length = max(len(first), len(second), 1)
    most = at_most * length
    dropped = [_DROPPED.get(sound, DROPPED_CONSONANT) for sound in second]
    above = [0.0]
    for cost in dropped:
        above.append(above[-1] + cost)
    for wanted in first:
        lost, taken_for = _DROPPED.get(wanted, DROPPED_CONSONANT), _TAKEN_FOR.get(wanted, {})
        left = above[0] + lost
        current = [left]
        for column, heard in enumerate(second):
            left += dropped[column]
            if (taken := above[column] + taken_for.get(heard, wanted != heard)) < left:
                left = taken
            if (gone := above[column + 1] + lost) < left:
                left = gone
            current.append(left)
        if min(current) > most:
            return math.inf
        above = current
    return above[-1] / length if above[-1] <= most else math.inf


def _cost(one: str, other: str) -> float:
    if one == other:
        return 0.0
    vowels = (one in _VOWELS) + (other in _VOWELS)
    if vowels == 1:
        return ACROSS
    pair = frozenset((one, other))
    if vowels == 2:
        return NEAR_VOWEL if pair in _NEAR_VOWELS else FAR_VOWEL
    near = pair in _LIKE or (one in _NASALS and other in _NASALS)
    return NEAR_CONSONANT if near else FAR_CONSONANT


_ALL = _VOWELS + "".join(_PLACES)
_TAKEN_FOR = {one: {other: _cost(one, other) for other in _ALL} for one in _ALL}
_DROPPED = {**dict.fromkeys(_VOWELS, DROPPED_VOWEL), "ㅎ": DROPPED_BREATH}
