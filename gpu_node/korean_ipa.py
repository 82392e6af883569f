"""Korean sounds in the phonemes of Kokoro, a model that was taught English, Japanese and others, but no Korean.

`ipa(pronounce("산책"))` is `"sˈanʨʰɛk"`. The signs are those of the model's vocabulary, chosen by a machine's ear:
no other choice that was tried made whisper-base surer of what was said (sentences of our own,
benchmarks/tts_sentences.py). That is why ㅓ is ɔ and a tense sound has a glottal stop before it.
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
HIGH = frozenset("ㄲㄸㅃㅆㅉㅊㅋㅌㅍㅎㅅ")
"""Onsets with which a word starts on a high tone in Seoul (Jun 1993, The Phonetics and Phonology of Korean Prosody):
by it listeners tell ㅊ from ㅈ as much as by the breath. The model's nearest sign is a stress mark."""


def ipa(pronounced: str) -> str:
    """Phonemes of Hangul as it is spoken (`gpu_node.hangul.pronounce`); spaces and punctuation stay as they are."""
    out: list[str] = []
    before = ""  # the sound before: "", a coda, or "V"; a space does not end its voice, a pause does
    starts_word = True
    for sign in pronounced:
        if not is_hangul(sign):
            out.append(sign)
            before = before if sign == " " else ""
            starts_word = True
            continue
        onset, vowel, coda = decompose(sign)
        glide, nucleus = VOWELS[vowel][:-1], VOWELS[vowel][-1]
        tone = "ˈ" if starts_word and onset in HIGH else ""
        out.append(_onset(onset, vowel, before) + glide + tone + nucleus + CODAS[coda])
        before = coda or "V"
        starts_word = False
    return "".join(out)


def _onset(onset: str, vowel: str, before: str) -> str:
    if onset in VOICED and (before == "V" or before in VOICING):
        return VOICED[onset]
    if onset == "ㄹ" and before == "ㄹ":
        return "l"
    if onset in "ㅅㅆ" and vowel in PALATALISING:
        return ONSETS[onset].replace("s", "ɕ")
    return ONSETS[onset]
