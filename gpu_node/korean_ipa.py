"""Korean sounds in the phonemes of Kokoro, a model that was taught English, Japanese and others, but no Korean.

`ipa(pronounce("산책"))` is `"sanʨʰɛk"`. The signs are those of the model's vocabulary, chosen by ear of a machine: each
choice below is the one that whisper-base understood best when it transcribed the speech again (sentences of our own,
benchmarks/tts_round_trip.py). Where the choice is not what a phonetician would write, it says so.
"""

from __future__ import annotations

from gpu_node.hangul import decompose, is_hangul

ONSETS = {
    "ㄱ": "k",
    "ㄲ": "ʔk",
    "ㄴ": "n",
    "ㄷ": "t",
    "ㄸ": "ʔt",
    "ㄹ": "ɾ",
    "ㅁ": "m",
    "ㅂ": "p",
    "ㅃ": "ʔp",
    "ㅅ": "s",
    "ㅆ": "ʔs",
    "ㅇ": "",
    "ㅈ": "ʨ",
    "ㅉ": "ʔʨ",
    "ㅊ": "ʨʰ",
    "ㅋ": "kʰ",
    "ㅌ": "tʰ",
    "ㅍ": "pʰ",
    "ㅎ": "h",
}
VOICED = {"ㄱ": "ɡ", "ㄷ": "d", "ㅂ": "b", "ㅈ": "ʥ"}
VOWELS = {
    "ㅏ": "a",
    "ㅐ": "ɛ",
    "ㅑ": "ja",
    "ㅒ": "jɛ",
    "ㅓ": "ɔ",
    "ㅔ": "e",
    "ㅕ": "jɔ",
    "ㅖ": "je",
    "ㅗ": "o",
    "ㅘ": "wa",
    "ㅙ": "wɛ",
    "ㅚ": "we",
    "ㅛ": "jo",
    "ㅜ": "u",
    "ㅝ": "wɔ",
    "ㅞ": "we",
    "ㅟ": "wi",
    "ㅠ": "ju",
    "ㅡ": "ɯ",
    "ㅢ": "ɰi",
    "ㅣ": "i",
}
CODAS = {"": "", "ㄱ": "k", "ㄴ": "n", "ㄷ": "t", "ㄹ": "l", "ㅁ": "m", "ㅂ": "p", "ㅇ": "ŋ"}


VOICING = frozenset("ㄴㄹㅁㅇ")
PALATALISING = frozenset("ㅑㅕㅖㅒㅛㅠㅟㅣ")
"""Vowels before which ㅅ is [ɕ]."""


def ipa(pronounced: str) -> str:
    """Phonemes of Hangul as it is spoken (`gpu_node.hangul.pronounce`); spaces and punctuation stay as they are."""
    out: list[str] = []
    voiced = False  # whether the sound before is a vowel or a sonorant, which a space does not end
    lateral = False
    for sign in pronounced:
        if not is_hangul(sign):
            out.append(sign)
            voiced = voiced and sign == " "
            lateral = lateral and sign == " "
            continue
        onset, vowel, coda = decompose(sign)
        out.append(_onset(onset, vowel, voiced=voiced, lateral=lateral) + VOWELS[vowel] + CODAS[coda])
        voiced = not coda or coda in VOICING
        lateral = coda == "ㄹ"
    return "".join(out)


def _onset(onset: str, vowel: str, *, voiced: bool, lateral: bool) -> str:
    if voiced and onset in VOICED:
        return VOICED[onset]
    if lateral and onset == "ㄹ":
        return "l"
    if onset in "ㅅㅆ" and vowel in PALATALISING:
        return ONSETS[onset].replace("s", "ɕ")
    return ONSETS[onset]
