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


def ipa(pronounced: str) -> str:
    """Phonemes of Hangul as it is spoken (`gpu_node.hangul.pronounce`); spaces and punctuation stay as they are."""
    out: list[str] = []
    before = None
    for block in pronounced:
        if not is_hangul(block):
            out.append(block)
            continue
        onset, vowel, coda = decompose(block)
        out.append(ONSETS[onset] + VOWELS[vowel] + CODAS[coda])
    return "".join(out)
