"""Words that call for help, found by fixed rules: no language model stands between them and the answer. Pure.

A missed emergency is grave, and a puppy that shouts for an ambulance into a memory is unbearable; what tells them apart
is grammar. So words are looked for in the forms that say "now" and "I", each in a small table (`distress_korean`,
`distress_english`), and what was found is then held against its sentence (`distress_korean_context`): other people,
other times, quotations, films. Only where no known words were found are short Korean utterances held against the
commonest calls by ear (`distress_korean_likeness`). Nothing here judges how somebody feels; it knows words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from silvertalk import distress_english, distress_korean, distress_korean_likeness
from silvertalk.distress_calls import Kind as Kind
from silvertalk.distress_english_context import is_call as is_english_call
from silvertalk.distress_english_context import reports
from silvertalk.distress_korean_context import Saying
from silvertalk.distress_korean_context import is_call as is_korean_call
from silvertalk.korean_sounds import Sounds, sounds
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


def distress_in(text: str, language: Language, *, by_ear: bool = True) -> Distress | None:
    """What in `text`, one utterance as it was transcribed, calls for help here and now; None where nothing does.

    An emergency goes before despair. Takes about a millisecond, and five for what somebody says in ten minutes.
    `by_ear`: what only sounds like a call counts, too; not where nothing can have been misheard, as in what was typed.
    """
    return _in_korean(text, by_ear) if language == "ko" else _in_english(text)


_SENTENCE_ENDS = re.compile(r"(?<=[.?!…])\s+|\n+")
MOST_FOUND = 20
"""Of one call in one sentence: who has told of something twenty times, and not called, tells a story. Each is held
against all of the sentence, so that the same words a thousand times over would take a tenth of a second."""


def _in_korean(text: str, by_ear: bool) -> Distress | None:
    sentences = [(sounds(sentence), Saying(sentence, text)) for sentence in _sentences(text)]
    said = "\n".join(sentence.sounds for sentence, _ in sentences)
    refused = False
    for call in (*distress_korean.EMERGENCIES, *distress_korean.DESPAIRS):
        if not call.is_in(said):
            continue
        for sentence, saying in sentences:
            for found in islice(_whole(call.pattern, sentence), MOST_FOUND):
                start, end = sentence.places[found.start()], sentence.places[found.end() - 1] + 1
                if is_korean_call(call, saying, start, end):
                    return _distress(call.kind, sentence.words(*found.span()))
                refused = True
    # What was understood and judged to be no call is not one by its sound either.
    misheard = distress_korean_likeness.find(text) if by_ear and not refused else None
    return _distress(*misheard) if misheard else None


def _whole(pattern: re.Pattern[str], sentence: Sounds) -> Iterator[re.Match[str]]:
    """Where the pattern is in whole words. One that begins in the middle of a word may have another begin within it:
    the last syllable of `아이고 피가` sounds like that of `코피가`."""
    place, tries = 0, MOST_FOUND * 4
    while tries and (found := pattern.search(sentence.sounds, place)):
        if sentence.is_whole(*found.span()):
            yield found
            place = found.end()
        else:
            place, tries = found.start() + 1, tries - 1


def _in_english(text: str) -> Distress | None:
    sentences = [(sentence, normalized(sentence)) for sentence in _sentences(text)]
    said = "\n".join(sentence for _, sentence in sentences)
    for call in (*distress_english.EMERGENCIES, *distress_english.DESPAIRS):
        if not call.is_in(said):
            continue
        for (written, sentence), (_, after) in zip(sentences, [*sentences[1:], ("", "")], strict=True):
            found = call.pattern.search(sentence)
            if found and not reports(after) and is_english_call(call, sentence, found.start(), found.end()):
                return _distress(call.kind, written.strip(" .!?…"))
    return None


def _sentences(text: str) -> list[str]:
    return [" ".join(sentence.split()) for sentence in _SENTENCE_ENDS.split(text) if sentence.strip()]


def _distress(kind: Kind, phrase: str) -> Distress:
    return Distress(kind, phrase.strip(" ,.!?…"), NUMBERS[kind])
