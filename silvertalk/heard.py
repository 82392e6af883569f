"""How much of a reply was heard: from samples played to words.

What enters the conversation's history is what the person heard, not what was written. A sentence whose audio was played
to its end counts whole; one that was cut counts up to the last word that had been spoken whole, by its share of the
sentence's audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streaming.messages import Language

CHARACTERS_PER_SECOND: dict[Language, float] = {"ko": 6.0, "en": 14.0}
"""How fast a voice reads, spaces included, where a reply has no whole sentence to measure it by."""


@dataclass(slots=True)
class SpokenSentence:
    """One sentence of a reply and where its audio lies, in samples of the turn's reply audio."""

    text: str
    first_sample: int
    samples: int = 0


def heard_text(sentences: list[SpokenSentence], played_samples: int) -> str:
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


def spoken_text(
    whole: Sequence[SpokenSentence], last: SpokenSentence, released_samples: int, rate: int, language: Language
) -> str:
    """The words of `last` that were voiced, when its voicing broke off at `released_samples` of the reply's audio.

    How long the whole sentence would have been nobody knows any more: reckoned by the pace of the `whole` ones before.
    """
    samples = released_samples - last.first_sample
    pace = CHARACTERS_PER_SECOND[language] / rate
    ends = [*(sentence.first_sample for sentence in whole[1:]), last.first_sample][: len(whole)]
    voiced = sum(end - sentence.first_sample for sentence, end in zip(whole, ends, strict=True) if sentence.text)
    if voiced:
        pace = sum(len(sentence.text) for sentence in whole) / voiced
    return _whole_words(last.text, min(1.0, samples * pace / max(1, len(last.text))))


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
