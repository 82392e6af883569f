"""Is this what somebody said, or what Whisper made up?

On silence and noise Whisper writes text all the same: loops, farewells of video channels, interjections. About one
segment in a hundred of real speech with long pauses is invented too (Koenecke et al. 2024, "Careless Whisper"). The
guards here read one finished hypothesis and name the first reason for which it should not be answered.

Confidence comes first, words second. Over the recordings these thresholds were set on (94 Korean and 16 English clips
longer than a second, 21 noises heard as Korean without a VAD before them), every genuine clip has a mean
log-probability above -0.8 and repeats nothing; every noise is below -1.0 or repeats itself. A phrase that people do say
is therefore refused only when the model was unsure of it.

Stock phrases: those of the Bag of Hallucinations (Barański et al. 2025, arXiv 2501.11378) and their Korean kin.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Literal

from gpu_node.engines import Hypothesis, Word
from streaming.messages import Language
from streaming.text import normalized

Reason = Literal[
    "", "silence", "improbable", "loop", "no_words", "stock_phrase", "interjection", "too_fast", "foreign_script"
]
"""Why a text is refused; empty: it is not."""

IMPROBABLE_LOGPROB = -1.2
"""Below this nothing is believed."""

UNSURE_LOGPROB = -0.8
"""Below this only words that carry a meaning of their own are believed."""

SILENT_NO_SPEECH_PROB = 0.6
SILENT_LOGPROB = -1.0

LOOP_COMPRESSION_RATIO = 2.4
"""Of what is left when plain repetitions are gone; faster-whisper's own limit."""

MOST_REPEATS = 3
"""As often may a phrase be said in a row; more is a loop. ("아니 아니 아니" is emphasis.)"""

LONGEST_REPEATED_WORDS = 8
LONGEST_REPEATED_CHARACTERS = 4
MOST_CHARACTER_REPEATS = 5

SYLLABLES_PER_SECOND = 12
FREE_SYLLABLES = 4
"""Quick Korean is 8 a second. A breath of audio may hold a short word, so the first few syllables are not timed."""

LETTERS_PER_SYLLABLE = 2.5
"""Of English; Hangul is one."""

LONGEST_FOREIGN_LETTERS = 12
"""A Korean may answer "Okay" or "TV"; a whole foreign sentence comes from a television."""

BROADCAST = tuple(
    re.compile(pattern)
    for pattern in (
        r"((끝까지|오늘도|지금까지) )?시청해 ?주셔서 (대단히 )?감사(합니다|드립니다)",
        r"시청해 ?주신 (모든 |여러 ?)?분(들)?(께|에게)? 감사(합니다|드립니다)",
        r"구독 ?(과|이랑|하고|도)? ?(좋아요|알림 ?설정).*",
        r"좋아요 ?(와|랑|하고|도)? ?(구독|알림 ?설정).*",
        r"구독 ?(과|을)? ?((꼭|꾹|한번|버튼) )*(부탁|눌러).*",
        r"(그럼 )?((우리는|저는|저희는) )?다음 (영상|비디오)(에서|에)? (또 )?(만나|봐요|뵐게|뵙겠).*",
        r"(지금까지 )?(mbc|kbs|sbs|ytn|jtbc|연합) ?뉴스( \S{1,8}(이었습니다|입니다)?)?",
        r"(한글 ?)?자막 ?(제공|제작|by)( 및)?.*",
        r"(한글 ?)?자막을 사용하였습니다",
        r"이 영상은 (유료 ?광고|한글 ?자막).*",
        r"(thanks|thank you)( (so|very) much)? for (watching|viewing)( (the|this|my) video)?",
        r"(please )?(like and )?subscribe( to (my|our|the) channel)?",
        r"(ill )?see you in the next (video|one)",
        r"(subtitles|subtitled|transcription|transcribed|captions|captioned)( provided)? by .*",
    )
)
"""Nobody says these to a puppy: refused however sure the model is, when nothing else was said."""

POLITE = frozenset(
    normalized(phrase).replace(" ", "")
    for phrase in """
    감사합니다 / 고맙습니다 / 네 감사합니다 / 대단히 감사합니다 / 수고하셨습니다 / 수고하셨어요 / 안녕하세요
    / 안녕히 계세요 / 안녕히 가세요 / 안녕 / 다음에 만나요 / 다음 시간에 만나요
    / 다음 시간에 뵙겠습니다 / 여러분 / 이상입니다 / 아멘 / 박수 / 음악 / 웃음 / 한숨 / 뉴스 / 기자입니다
    / Thank you / Thank you very much / Thank you for listening / Thanks / See you next time / Bye / Bye bye / Goodbye
    / You / Okay / So / Amen / The end / Applause / Music / Laughter / Silence
    """.split("/")
)
"""People do say these, and Whisper invents them as readily: refused when the model was unsure."""

INTERJECTION = re.compile(r"[아어오우으이야유하허호후흐히헉흑컥흠음응앗엇윽악큭크푸쉿쉬ahouemn]+")

ANNOTATION = re.compile(r"\[[^\]]*\]?|\([^)]*\)?|【[^】]*】?|[♩♪♫♬♭♮♯]")


def refuse(hypothesis: Hypothesis, *, language: Language, seconds: float) -> Reason:
    """Why `hypothesis`, heard in `seconds` of audio, is not an utterance; empty if it is."""
    said = normalized(ANNOTATION.sub(" ", hypothesis.text))
    kept = normalized(ANNOTATION.sub(" ", " ".join(word.text for word in without_loops(hypothesis.words))))
    if not hypothesis.words:
        return "silence"
    if hypothesis.no_speech_prob > SILENT_NO_SPEECH_PROB and hypothesis.avg_logprob < SILENT_LOGPROB:
        return "silence"
    if hypothesis.avg_logprob < IMPROBABLE_LOGPROB:
        return "improbable"
    if not any(_is_word_character(character) for character in said):
        return "no_words"
    if len(kept) < len(said) / 2 or compression_ratio(kept) > LOOP_COMPRESSION_RATIO:
        return "loop"
    if _is_broadcast(kept):
        return "stock_phrase"
    if hypothesis.avg_logprob < UNSURE_LOGPROB:
        compact = kept.replace(" ", "")
        if compact in POLITE:
            return "stock_phrase"
        if INTERJECTION.fullmatch(compact):
            return "interjection"
        if not any(character.isalpha() for character in compact):
            return "no_words"  # it counts: "1, 2, 3"
        if _repeats_itself(kept):
            return "loop"
    if _syllables(said) > FREE_SYLLABLES + SYLLABLES_PER_SECOND * seconds:
        return "too_fast"
    if _is_foreign(kept, language):
        return "foreign_script"
    return ""


def compression_ratio(text: str) -> float:
    """How much zlib makes of the text: above 2 it repeats itself (30 s of real speech reach 1.8). 0 for no text."""
    encoded = text.strip().encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0


def without_loops(words: Sequence[Word]) -> tuple[Word, ...]:
    """`words` with every phrase that is repeated more than MOST_REPEATS times in a row said once."""
    kept = [_without_stutter(word) for word in words]
    counted = 0
    while len(kept) != counted:  # without a long loop, what stood around it may be a short one
        counted = len(kept)
        for length in range(1, LONGEST_REPEATED_WORDS + 1):
            kept = _collapse(kept, length)
    return tuple(kept)


def _collapse(words: list[Word], length: int) -> list[Word]:
    keys = [normalized(word.text) for word in words]
    kept: list[Word] = []
    position = 0
    while position < len(words):
        phrase = keys[position : position + length]
        end = position + length
        while keys[end : end + length] == phrase:
            end += length
        repeats = (end - position) // length
        if repeats > MOST_REPEATS:
            # A loop that runs into the token limit breaks off inside its phrase.
            while end < len(words) and keys[end] == phrase[(end - position) % length]:
                end += 1
            kept += words[position : position + length]
            position = end
        else:
            kept.append(words[position])
            position += 1
    return kept


_STUTTER = re.compile(rf"(.{{1,{LONGEST_REPEATED_CHARACTERS}}}?)\1{{{MOST_CHARACTER_REPEATS},}}")


def _without_stutter(word: Word) -> Word:
    """ "흐흐흐흐흐흐흐" said once: a run inside one word."""
    text = _STUTTER.sub(r"\1", word.text)
    return word if text == word.text else Word(text, word.start_seconds, word.end_seconds, word.probability)


def _is_word_character(character: str) -> bool:
    """A letter or a digit; a lone jamo ("ㅋㅋㅋ") is written, never spoken."""
    return character.isalnum() and not "\u3130" <= character <= "\u318f"


def _is_broadcast(text: str) -> bool:
    rest = text
    for pattern in BROADCAST:
        rest = pattern.sub(" ", rest)
    return rest != text and not any(character.isalnum() for character in rest)


def _repeats_itself(text: str) -> bool:
    """The whole text is one phrase, two times or more."""
    words = text.split()
    return any(words == words[:length] * (len(words) // length) for length in range(1, len(words) // 2 + 1))


def _syllables(text: str) -> float:
    letters = [character for character in text if character.isalnum()]
    hangul = sum(_is_hangul(character) for character in letters)
    return hangul + (len(letters) - hangul) / LETTERS_PER_SYLLABLE


def _is_hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"


def _is_foreign(text: str, language: Language) -> bool:
    """More of the text, in syllables, is written in another script."""
    letters = [character for character in text if character.isalpha()]
    hangul = sum(_is_hangul(character) for character in letters)
    latin = sum(unicodedata.name(character, "").startswith("LATIN") for character in letters)
    other = len(letters) - hangul - latin
    if len(letters) <= LONGEST_FOREIGN_LETTERS and not other:
        return False
    syllables = {"ko": float(hangul), "en": latin / LETTERS_PER_SYLLABLE}
    own = syllables.pop(language)
    return own < other + sum(syllables.values())
