"""Words that call for help, found by fixed rules: no language model stands between them and the answer. Pure.

A missed emergency is grave, and a puppy that shouts for an ambulance into a memory is unbearable; what tells them apart
is grammar. So words are looked for in the forms that say "now" and "I", each in a small table (`distress_korean`,
`distress_english`), and what was found is then held against its sentence (`distress_korean_context`): other people,
other times, quotations, films. Only where no known words were found are short Korean utterances held against the
commonest calls by ear (`distress_korean_likeness`). Nothing here judges how somebody feels; it knows words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from silvertalk import distress_english, distress_korean, distress_korean_likeness
from silvertalk.distress_calls import Kind as Kind
from silvertalk.distress_english_context import is_call as is_english_call
from silvertalk.distress_korean_context import is_call as is_korean_call
from silvertalk.korean_sounds import sounds
from streaming.messages import Language
from streaming.text import normalized

NUMBERS: dict[Kind, str] = {"emergency": "119", "despair": "109"}
"""South Korea's ambulance and fire service, and its line for people who think of suicide (1393 until 2024)."""


@dataclass(frozen=True, slots=True)
class Distress:
    """`phrase`: the words as they were transcribed. `number`: whom to call."""

    kind: Kind
    phrase: str
    number: str


def distress_in(text: str, language: Language) -> Distress | None:
    """What in `text`, one utterance as it was transcribed, calls for help here and now; None where nothing does.

    An emergency goes before despair. Takes a millisecond or two.
    """
    return _in_korean(text) if language == "ko" else _in_english(text)


_SENTENCE_ENDS = re.compile(r"(?<=[.?!…])\s+|\n+")


def _in_korean(text: str) -> Distress | None:
    sentences = [sounds(sentence) for sentence in _SENTENCE_ENDS.split(text) if sentence.strip()]
    refused = False
    for call in (*distress_korean.EMERGENCIES, *distress_korean.DESPAIRS):
        for sentence in sentences:
            for found in call.pattern.finditer(sentence.sounds):
                start, end = sentence.places[found.start()], sentence.places[found.end() - 1] + 1
                if not sentence.is_whole(found.start(), found.end()):
                    continue
                if is_korean_call(call, sentence.text, start, end, text):
                    return _distress(call.kind, sentence.words(found.start(), found.end()))
                refused = True
    # What was understood and judged to be no call is not one by its sound either.
    misheard = None if refused else distress_korean_likeness.find(text)
    return _distress(*misheard) if misheard else None


def _in_english(text: str) -> Distress | None:
    sentences = [(sentence, normalized(sentence)) for sentence in _SENTENCE_ENDS.split(text) if sentence.strip()]
    for call in (*distress_english.EMERGENCIES, *distress_english.DESPAIRS):
        for written, sentence in sentences:
            found = call.pattern.search(sentence)
            if found and is_english_call(call, sentence, found.start(), found.end()):
                return _distress(call.kind, written.strip(" .!?…"))
    return None


def _distress(kind: Kind, phrase: str) -> Distress:
    return Distress(kind, phrase.strip(" ,.!?…"), NUMBERS[kind])
