"""Words become final while they are spoken: LocalAgreement-2 on a growing buffer. Pure: no engine, no clock.

    add ──> buffer ──> request ──> (an engine's pass) ──> partial: words two passes agree on become stable
                                                     └──> final: the stable words, then the rest of the buffer

What is kept true
- Stable text is a promise: every caption's `stable`, and every final text, begins with the one before it.
- A pass hears the buffer, not the utterance. When the buffer grows long it is cut at a pause inside the stable words,
  so that a pass never costs more than about `trim_seconds` of audio, however long somebody speaks.
- `final` promises nothing by itself: if the person goes on after it, later captions and finals take the longer audio's
  word for everything that was not stable.

The agreement is over whitespace units (어절), compared without case and punctuation; a mark at the end of a word may
still come or go until the word is stable. Source: Macháček et al. 2023, arXiv 2307.14743.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

import numpy as np

from gpu_node.engines import Hypothesis, Samples
from gpu_node.invention_guards import Reason, refuse, without_loops
from streaming.audio import BYTES_PER_SAMPLE, MICROPHONE_RATE, Pcm, ms_to_samples, pcm16_to_float, sample_count
from streaming.messages import Language
from streaming.text import edits_to_prefixes, normalized

TRIM_SECONDS = 10.0
"""The buffer is cut once it is longer than this, and at least a third of it goes.

On 75 s of reading without a stop: at 15 s CER .043 and 1.05 s of CPU a second, at 10 s .043 and .82, at 8 s .065.
"""

OLDEST_TENTATIVE_SAMPLES = 20 * MICROPHONE_RATE
"""What was spoken this long ago becomes stable without a second opinion: the buffer must not grow for want of one."""

LONGEST_BUFFER_SAMPLES = 28 * MICROPHONE_RATE
"""Older audio goes even where no pass understood a word of it: it is noise, and one window of Whisper is full."""

HOLD_SAMPLES = ms_to_samples(400)
"""A word that ends this close to the end of the audio may not be whole: not stable yet, whoever agrees."""

SURE_PROBABILITY = 0.6
"""Passes over the same audio repeat each other's mistakes; a word is only made stable when the model is sure of it too.

On 94 Korean clips: without it 79 % of the text is stable before the final pass and its character error rate is .126; at
0.5 66 % and .121; at 0.6 56 % and .115; at 0.7 39 % and .114.
"""

LONGEST_GAP_SAMPLES = ms_to_samples(600)
"""A longer silence between two batches of audio is heard as this long: a pause to the model, and cheap."""

QUIET = 2
"""Amplitude (of 32768) of what fills a gap."""

EDITS_PER_SECOND = 1.0
"""What a second between where a word should end and where it does is worth, in letters, when passes disagree."""

SAME_PLACE_SAMPLES = ms_to_samples(250)
SENTENCE_MARKS = (".", "?", "!", "…", "。")
MARKS = ".,?!…。、，:;~-"


@dataclass(frozen=True, slots=True)
class PassRequest:
    """What an engine should hear now: `audio`, which ends at the session's sample `upto_sample`.

    `start` is where the audio begins on the transcript's own clock (samples without the long silences).
    """

    audio: Samples
    start: int
    upto_sample: int

    @property
    def seconds(self) -> float:
        return len(self.audio) / MICROPHONE_RATE


@dataclass(frozen=True, slots=True)
class Caption:
    """What to show: `stable` only ever grows, `tentative` may change. With both there, a space goes between them."""

    stable: str
    tentative: str
    upto_sample: int


@dataclass(frozen=True, slots=True)
class FinalTranscript:
    """The words of the utterance so far. `rejected` names the guard that refused them; `text` is then empty.

    `confidence` is the mean log-probability of the last pass.
    """

    text: str
    language: Language
    upto_sample: int
    confidence: float
    rejected: Reason = ""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A word on the transcript's clock."""

    text: str
    start: int
    end: int
    probability: float

    @property
    def key(self) -> str:
        return normalized(self.text)


class IncrementalTranscript:
    """One turn's words. Calls come one at a time; a request's hypothesis may come back after more audio was added."""

    def __init__(self, language: Language, *, trim_seconds: float = TRIM_SECONDS) -> None:
        self._language = language
        self._trim = int(trim_seconds * MICROPHONE_RATE)
        self._pcm = bytearray()
        self._start = 0
        self._end_sample: int | None = None
        self._requested = 0
        self._stable: list[_Placed] = []
        self._stable_text = ""
        self._tentative: list[_Placed] = []
        self._caption = Caption("", "", 0)

    # --- audio -------------------------------------------------------------------------------------------------------

    def add(self, first_sample: int, pcm: Pcm) -> None:
        """Take PCM16 mono 16 kHz. A jump forward is silence; what was added before is ignored. Raises AudioError."""
        end_sample = first_sample + sample_count(pcm)
        if self._end_sample is None:
            self._end_sample = first_sample
        if end_sample <= self._end_sample:
            return
        gap = first_sample - self._end_sample
        if gap > 0:
            self._pcm += _quiet(min(gap, LONGEST_GAP_SAMPLES))
        self._pcm += pcm[max(0, -gap) * BYTES_PER_SAMPLE :]
        self._end_sample = end_sample

    @property
    def end_sample(self) -> int:
        """One past the last sample added, on the session's count; 0 before any."""
        return self._end_sample or 0

    @property
    def unheard_samples(self) -> int:
        """Audio that no request has covered yet: what makes another pass worth its cost."""
        return self._end - self._requested

    def request(self) -> PassRequest:
        """The audio of the next pass."""
        self._requested = self._end
        return PassRequest(pcm16_to_float(bytes(self._pcm)), self._start, self.end_sample)

    @property
    def _end(self) -> int:
        return self._start + len(self._pcm) // BYTES_PER_SAMPLE

    # --- words -------------------------------------------------------------------------------------------------------

    def partial(self, request: PassRequest, hypothesis: Hypothesis) -> Caption:
        """What to show after a pass. One that was overtaken, or that invented its words, changes nothing."""
        if request.upto_sample < self._caption.upto_sample:
            return self._caption
        if not refuse(hypothesis, language=self._language, seconds=request.seconds):
            self._agree(request, hypothesis)
        self._trim_buffer(request, hypothesis)
        self._caption = Caption(self._stable_text, _joined(self._tentative), request.upto_sample)
        return self._caption

    def final(self, request: PassRequest, hypothesis: Hypothesis) -> FinalTranscript:
        """The utterance up to the request's end: what is stable, then the rest of what this pass heard.

        Where stable text was shown, a pass that invented its words takes nothing back: the last caption stands.
        """
        rejected = refuse(hypothesis, language=self._language, seconds=request.seconds)
        text = self._stable_text
        if not rejected:
            ending, tail = self._beyond_stable(request, hypothesis)
            text = _spaced(text + ending, _joined(tail))
        elif text:
            text, rejected = _spaced(text, _joined(self._tentative)), ""
        return FinalTranscript(text, self._language, request.upto_sample, hypothesis.avg_logprob, rejected)

    def _agree(self, request: PassRequest, hypothesis: Hypothesis) -> None:
        """Make stable what this pass and the one before it have in common."""
        ending, tail = self._beyond_stable(request, hypothesis)
        if ending:
            self._stable[-1] = replace(self._stable[-1], text=self._stable[-1].text + ending)
            self._stable_text += ending
        agreed = self._agreed(tail, request.start + len(request.audio))
        for index, word in enumerate(tail[:agreed]):
            # A mark at the very end of what was heard is there because the audio ends there.
            text = word.text if index + 1 < len(tail) else word.text.rstrip(MARKS)
            self._stable.append(replace(word, text=text))
            self._stable_text = _spaced(self._stable_text, text)
        self._tentative = tail[agreed:]

    def _agreed(self, tail: Sequence[_Placed], end: int) -> int:
        """How many words of `tail`, heard in audio that ends at `end`, are settled."""
        count = 0
        for word, before in zip_longest(tail, self._tentative):
            if word is None or word.end > end - HOLD_SAMPLES:
                break
            repeated = before is not None and before.key == word.key and word.probability >= SURE_PROBABILITY
            if not repeated and word.end >= end - OLDEST_TENTATIVE_SAMPLES:
                break
            count += 1
        return count

    def _beyond_stable(self, request: PassRequest, hypothesis: Hypothesis) -> tuple[str, list[_Placed]]:
        """What `hypothesis` has after the stable words: an ending for the last of them, and the words that follow."""
        heard = [
            _Placed(
                word.text,
                request.start + int(word.start_seconds * MICROPHONE_RATE),
                request.start + int(word.end_seconds * MICROPHONE_RATE),
                word.probability,
            )
            for word in without_loops(hypothesis.words)
            if normalized(word.text)
        ]
        known = [word for word in self._stable if word.start + word.end > 2 * request.start]
        if not known:
            return "", heard
        consumed = _align(known, heard)
        ending = _ending(known[-1].text, heard[consumed - 1].text) if consumed else ""
        return ending, heard[consumed:]

    # --- the buffer's length -----------------------------------------------------------------------------------------

    def _trim_buffer(self, request: PassRequest, hypothesis: Hypothesis) -> None:
        if self._end - self._start <= self._trim:
            return
        segment_ends = [request.start + int(end * MICROPHONE_RATE) for end in hypothesis.segment_ends_seconds]
        cut = max(self._best_cut(segment_ends), self._end - LONGEST_BUFFER_SAMPLES)
        del self._pcm[: (cut - self._start) * BYTES_PER_SAMPLE]
        self._start = cut

    def _best_cut(self, segment_ends: Sequence[int]) -> int:
        """A place between two words, the first of them stable: the last end of a sentence, else the longest pause."""
        words = [word for word in self._stable if word.end > self._start] + self._tentative[:1]
        best = (False, 0, self._start)
        for word, following in pairwise(words):
            middle = (word.end + max(word.end, following.start)) // 2
            if middle < self._start + self._trim // 3:
                continue
            ends_sentence = word.text.endswith(SENTENCE_MARKS) or any(
                abs(end - word.end) < SAME_PLACE_SAMPLES for end in segment_ends
            )
            best = max(best, (ends_sentence, word.end if ends_sentence else following.start - word.end, middle))
        return best[2]


def _align(known: Sequence[_Placed], heard: Sequence[_Placed]) -> int:
    """How many of the words `heard` say again what is `known`: by spelling first, then by time.

    Spelling is compared over letters, not words, since a pass may put its spaces elsewhere ("계속 할", "계속할").
    """
    expected = "".join(word.key.replace(" ", "") for word in known)
    spoken = "".join(word.key.replace(" ", "") for word in heard)
    distances = edits_to_prefixes(expected, spoken)
    costs = []
    letters = 0
    for consumed in range(len(heard) + 1):
        edge = heard[consumed - 1].end if consumed else heard[0].start if heard else known[-1].end
        costs.append(distances[letters] + EDITS_PER_SECOND * abs(edge - known[-1].end) / MICROPHONE_RATE)
        if consumed < len(heard):
            letters += len(heard[consumed].key.replace(" ", ""))
    return min(range(len(costs)), key=costs.__getitem__)


def _ending(known: str, heard: str) -> str:
    """What `heard` adds to the end of the same word: a mark, or a particle that was not spoken yet."""
    bare = known.rstrip(MARKS)
    return heard[len(known) :] if bare == known and heard.startswith(known) else ""


def _joined(words: Sequence[_Placed]) -> str:
    return " ".join(word.text for word in words)


def _spaced(text: str, more: str) -> str:
    return f"{text} {more}" if text and more else text or more


def _quiet(samples: int) -> bytes:
    """Silence as a microphone gives it."""
    noise = np.random.default_rng(samples).integers(-QUIET, QUIET + 1, samples, dtype=np.int16)
    return noise.astype("<i2").tobytes()
