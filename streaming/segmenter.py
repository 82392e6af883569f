"""From windows with a probability to utterances: speech started, paused, resumed. Pure; time is a sample number.

              enough evidence                3 silent windows
    silent -------------------> speaking -------------------> paused
       ^                            ^                          |  |
       |                            '--------------------------'  |
       |                                  a voiced window         |
       '----------------------------------------------------------'
                       end_utterance(), whoever decides it

Two thresholds keep a wavering probability from flapping: a window is voiced from `enter` on, and silent only below
`leave`. An onset wants evidence, the summed probability of the voiced windows of the last half second: clear speech is
noticed after 192 ms, doubtful speech later, a click or a cup never. Going on after a pause wants a single voiced
window: asking for two doubled the utterances that noise of 5 or 10 dB cut in two, and cutting people off is the worse
mistake. The segmenter does not decide that an utterance has ended (`streaming.endpointing` does), and never cuts one
that goes on.

There is no gate on loudness, because it was measured: a level above the noise floor that keeps out a coffee shop's
babble (10 dB) also loses up to 9 of 110 utterances spoken in noise of 5 dB, and a television across the room is louder
than the quietest of the speakers. A voice is a voice here; whether it said anything to us is decided further on, for
which `certainty` is a hint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from streaming.audio import ms_to_samples
from streaming.vad import WINDOW_SAMPLES, ScoredWindow


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """Tuned with `benchmarks/vad.py`."""

    enter: float = 0.5
    leave: float = 0.3
    onset_evidence: float = 5.0
    """What the probabilities of the voiced windows must sum to: five windows (160 ms) of clear speech ..."""
    onset_span_windows: int = 16
    """... within 512 ms. A short "네" has eight or more."""
    pause_windows: int = 3
    """Silent windows in a row that make a pause: 96 ms, longer than the closure of a stop consonant."""
    preroll_ms: int = 300
    """Sound kept from before the onset: a soft first consonant stands there."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """An onset is confirmed: the utterance's audio begins at `start_sample`, which includes the pre-roll."""

    start_sample: int
    onset_sample: int
    """First sample of the first voiced window."""
    confirmed_sample: int
    """Where the microphone stood when the onset was confirmed."""


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Silence since `speech_end_sample`, one past the last voiced sample."""

    speech_end_sample: int
    paused_sample: int
    """Where the microphone stood when the pause was confirmed; the audio belongs to the utterance up to here."""


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The person goes on. `start_sample` includes the pre-roll as far as it lies behind the pause's `paused_sample`."""

    start_sample: int
    onset_sample: int


SegmenterEvent = SpeechStarted | SpeechPaused | SpeechResumed


class Segmenter:
    """One microphone's utterances."""

    def __init__(self, settings: SegmenterSettings | None = None, first_sample: int = 0) -> None:
        self._settings = settings or SegmenterSettings()
        self._preroll_samples = ms_to_samples(self._settings.preroll_ms)
        self.state: Literal["silent", "speaking", "paused"] = "silent"
        self.heard_sample = first_sample
        """One past the last window heard. An endpoint is counted here: what was received since may hold speech."""
        self.voiced_samples = 0
        """In the utterance that is open, or was the last."""
        self._recent: deque[ScoredWindow] = deque(maxlen=self._settings.onset_span_windows)
        self._certain = 0.0  # summed probability of those samples' windows
        self._taken_to = first_sample
        self._speech_end = first_sample
        self._silent_windows = 0

    @property
    def certainty(self) -> float:
        """Mean probability of the voiced windows of the utterance, 0 to 1; 0 before the first.

        Utterances in a quiet room: 0.97, 5 % below 0.91; in noise of 10 dB: 0.95, 5 % below 0.85. Babble of a coffee
        shop: 0.55. Three sneezes: 0.53, 0.71, 0.91. A television: 0.94, it does speak.
        """
        return self._certain * WINDOW_SAMPLES / self.voiced_samples if self.voiced_samples else 0.0

    def feed(self, windows: Iterable[ScoredWindow]) -> list[SegmenterEvent]:
        """Windows in order and without gaps."""
        hear = {"silent": self._hear_silent, "speaking": self._hear_speaking, "paused": self._hear_paused}
        events: list[SegmenterEvent] = []
        for window in windows:
            self.heard_sample = window.end_sample
            event = hear[self.state](window)
            if event is not None:
                events.append(event)
        return events

    def resume_paused(self) -> None:
        """An utterance is open that another segmenter has heard so far; nothing is known of what comes now."""
        self.state = "paused"

    def commit(self) -> SpeechStarted | None:
        """The person says that they have spoken: whatever was voiced lately opens an utterance, without more evidence.

        None if one is open already, or nothing was voiced.
        """
        return self._start() if self.state == "silent" and self._voiced() else None

    def end_utterance(self) -> None:
        """Whoever decides it has decided: the utterance is over, and more speech needs an onset of its own.

        The audio taken so far is not taken again as the next one's pre-roll.
        """
        if self.state == "speaking":
            self._taken_to = self.heard_sample
        self.state = "silent"

    def _hear_silent(self, window: ScoredWindow) -> SpeechStarted | None:
        self._recent.append(window)
        if window.probability < self._settings.enter:
            return None
        evidence = sum(voiced.probability for voiced in self._voiced())
        return self._start() if evidence >= self._settings.onset_evidence else None

    def _hear_speaking(self, window: ScoredWindow) -> SpeechPaused | None:
        if window.probability >= self._settings.leave:
            self._hear_voice(window)
            return None
        self._silent_windows += 1
        if self._silent_windows < self._settings.pause_windows:
            return None
        self.state = "paused"
        self._taken_to = self.heard_sample
        return SpeechPaused(self._speech_end, self.heard_sample)

    def _hear_paused(self, window: ScoredWindow) -> SpeechResumed | None:
        if window.probability < self._settings.enter:
            return None
        self.state = "speaking"
        self._hear_voice(window)
        return SpeechResumed(self._start_sample(window.first_sample), window.first_sample)

    def _voiced(self) -> list[ScoredWindow]:
        return [window for window in self._recent if window.probability >= self._settings.enter]

    def _start(self) -> SpeechStarted:
        voiced = self._voiced()
        self._recent.clear()
        self.state = "speaking"
        self.voiced_samples, self._certain = 0, 0.0
        for window in voiced:
            self._hear_voice(window)
        self._silent_windows = (self.heard_sample - self._speech_end) // WINDOW_SAMPLES
        onset = voiced[0].first_sample
        return SpeechStarted(self._start_sample(onset), onset, self.heard_sample)

    def _hear_voice(self, window: ScoredWindow) -> None:
        self._speech_end = window.end_sample
        self._silent_windows = 0
        self._certain += window.probability
        self.voiced_samples += WINDOW_SAMPLES

    def _start_sample(self, onset_sample: int) -> int:
        return max(onset_sample - self._preroll_samples, self._taken_to)
