"""When what is seen and heard: pure arithmetic, in frames for the eye and in seconds for the ear.

frames   0        120       210                     n
title    |=======xx|
slide 0           |xx======xx|          x: one second in which one melts into the next
slide 1                     |xx===== …
words                ~~~~      ~~~~     begin when a slide stands, and end before it melts
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

FRAME_RATE = 30
CROSSFADE = FRAME_RATE
"""Frames: one second."""
SLIDE_SECONDS = 4.0
"""The shortest that a slide, or the title, is seen, both its crossfades included."""
LEAD_SECONDS = 1.0
"""From a slide's first frame to its first word: the crossfade is over."""
PAUSE_SECONDS = 0.5
TAIL_SECONDS = 0.3
"""From a slide's last word to the crossfade that ends it."""
ENDING_SECONDS = 2.0
"""The last slide is seen so much longer, and darkens in the last second."""
READING_SYLLABLES_A_SECOND = 5.0
"""How fast a subtitle that nobody says can be read at leisure."""
SHORTEST_READING_SECONDS = 2.0


@dataclass(frozen=True)
class Shot:
    """What is seen from frame `begins` on for `frames`. `slide` is -1 for the title."""

    slide: int
    begins: int
    frames: int

    @property
    def ends(self) -> int:
        return self.begins + self.frames


@dataclass(frozen=True)
class Words:
    """Sentence `sentence` of slide `slide`, from `begins` on for `seconds` of the film."""

    slide: int
    sentence: int
    begins: float
    seconds: float


@dataclass(frozen=True)
class Timeline:
    shots: tuple[Shot, ...]
    """Each begins a crossfade before the one before it ends."""
    words: tuple[Words, ...]
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames / FRAME_RATE


def timeline(slides: Sequence[Sequence[float]]) -> Timeline:
    """`slides`: for each, how many seconds each of its sentences takes."""
    title = Shot(-1, 0, round(SLIDE_SECONDS * FRAME_RATE))
    shots, words, begins = [title], list[Words](), title.ends - CROSSFADE
    for number, sentences in enumerate(slides):
        at = begins / FRAME_RATE + LEAD_SECONDS
        for sentence, seconds in enumerate(sentences):
            words.append(Words(number, sentence, at, seconds))
            at += seconds + (PAUSE_SECONDS if sentence < len(sentences) - 1 else TAIL_SECONDS)
        frames = round(SLIDE_SECONDS * FRAME_RATE)
        if sentences:
            frames = max(frames, ceil(at * FRAME_RATE - begins) + CROSSFADE)
        if number == len(slides) - 1:
            frames += round(ENDING_SECONDS * FRAME_RATE)
        shots.append(Shot(number, begins, frames))
        begins = shots[-1].ends - CROSSFADE
    return Timeline(tuple(shots), tuple(words), shots[-1].ends)


def reading_seconds(text: str) -> float:
    """How long a sentence is shown that does not sound."""
    return max(SHORTEST_READING_SECONDS, len("".join(text.split())) / READING_SYLLABLES_A_SECOND)


def shared_out(begins: float, seconds: float, pieces: Sequence[str]) -> Iterator[tuple[float, float]]:
    """(begin, end) of each piece of a sentence, by how much there is to say in it."""
    weights = [max(1, len("".join(piece.split()))) for piece in pieces]
    at = begins
    for weight in weights:
        until = at + seconds * weight / sum(weights)
        yield at, until
        at = until
