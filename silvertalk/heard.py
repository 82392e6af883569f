"""How much of a reply was heard: from samples played to words.

What enters the conversation's history is what the person heard, not what was written. A sentence whose audio was played
to its end counts whole; one that was cut counts up to the last word that had been spoken whole, by its share of the
sentence's audio. While that audio is still being made nobody knows how long it will be: then its length is reckoned
(`reckoned`) by the pace of the sentences before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streaming.messages import Language

CHARACTERS_PER_SECOND: dict[Language, float] = {"ko": 6.0, "en": 14.0}
"""How fast a voice reads, spaces included, where a reply has no whole sentence to measure it by."""


@dataclass(slots=True)
class SpokenSentence:
    """One sentence of a reply and where its audio lies, in samples of the turn's reply audio."""

    text: str
    first_sample: int
    samples: int = 0


def heard_text(sentences: Sequence[SpokenSentence], played_samples: int) -> str:
    """The words of `sentences` that were played within `played_samples`."""
    parts: list[str] = []
    for sentence in sentences:
        if played_samples <= sentence.first_sample:
            break
        if not sentence.samples:
            continue  # its node died before voicing it; the next one says it anew
        if played_samples >= sentence.first_sample + sentence.samples:
            parts.append(sentence.text)
            continue
        share = (played_samples - sentence.first_sample) / sentence.samples
        parts.append(_whole_words(sentence.text, share))
        break
    return " ".join(part for part in parts if part)


def reckoned(sentences: Sequence[SpokenSentence], rate: int, language: Language) -> Sequence[SpokenSentence]:
    """The same sentences, the last of which is still being voiced: as long as it will be, as far as can be reckoned.

    It always is a little longer than what has come of it, so that its last word is never among those heard.
    """
    if not sentences or not sentences[-1].samples:
        return sentences
    *whole, last = sentences
    voiced = [sentence for sentence in whole if sentence.text and sentence.samples]
    length = len(last.text) / _pace(voiced, sum(sentence.samples for sentence in voiced), rate, language)
    return [*whole, replace(last, samples=max(last.samples + 1, round(length)))]


def spoken_text(
    whole: Sequence[SpokenSentence], last: SpokenSentence, released_samples: int, rate: int, language: Language
) -> str:
    """The words of `last` that were voiced, when its voicing broke off at `released_samples` of the reply's audio.

    How long the whole sentence would have been nobody knows any more: reckoned by the pace of the `whole` ones before.
    """
    samples = released_samples - last.first_sample
    ends = [*(sentence.first_sample for sentence in whole[1:]), last.first_sample][: len(whole)]
    voiced = sum(end - sentence.first_sample for sentence, end in zip(whole, ends, strict=True) if sentence.text)
    pace = _pace(whole, voiced, rate, language)
    return _whole_words(last.text, min(1.0, samples * pace / max(1, len(last.text))))


def _pace(whole: Sequence[SpokenSentence], voiced_samples: int, rate: int, language: Language) -> float:
    """Characters a sample: that of the `whole` sentences, which were voiced in so many, or else the language's."""
    if not voiced_samples:
        return CHARACTERS_PER_SECOND[language] / rate
    return sum(len(sentence.text) for sentence in whole) / voiced_samples


def _whole_words(text: str, share: float) -> str:
    """The words of `text` that end within `share` of its characters."""
    limit = share * len(text)
    position, kept = 0, ""
    for word in text.split():
        position = text.index(word, position) + len(word)
        if position > limit:
            break
        kept = text[:position]
    return kept.strip()
