"""Deciding that an utterance has ended. First version: so much silence and no more.

Counted in the samples that were heard, not by a clock: when the radio stalls nothing is heard, and nobody is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streaming.audio import ms_to_samples, samples_to_ms


@dataclass(frozen=True, slots=True)
class EndpointDecision:
    """The utterance has ended at `end_sample`, one past the last sample of speech."""

    end_sample: int
    wait_ms: float
    """Silence between the end of speech and the decision."""
    reason: Literal["silence", "commit", "limit"]


class Endpointing:
    """The endpoint of one utterance after another; all positions are sample numbers of the microphone."""

    def __init__(self, wait_ms: float = 700) -> None:
        """`wait_ms`: the mean pause inside Korean read speech is 481 ms (Yoo & Shin 2019); 700 outlasts most."""
        self._wait_samples = ms_to_samples(wait_ms)
        self._speech_end: int | None = None

    def on_pause(self, speech_end_sample: int) -> None:
        self._speech_end = speech_end_sample

    def on_resume(self) -> None:
        self._speech_end = None

    def due_sample(self) -> int | None:
        """The microphone's sample at which the utterance ends if nothing more is heard; None while somebody speaks."""
        return None if self._speech_end is None else self._speech_end + self._wait_samples

    def decide(self, heard_sample: int) -> EndpointDecision | None:
        """The decision, once, if it is due. `heard_sample`: up to where the segmenter has heard, not what was received:
        a resumption may wait in the samples between."""
        due = self.due_sample()
        if due is None or heard_sample < due:
            return None
        return self._end(heard_sample, "silence")

    def commit(self, heard_sample: int) -> EndpointDecision:
        """The person says that they have finished: the utterance ends at once, where speech ended or right here."""
        return self._end(heard_sample, "commit")

    def limit(self, heard_sample: int) -> EndpointDecision:
        """Nobody speaks for so long without a pause (a television does): it is cut where it is, and rolls on."""
        return self._end(heard_sample, "limit")

    def _end(self, heard_sample: int, reason: Literal["silence", "commit", "limit"]) -> EndpointDecision:
        end_sample = heard_sample if self._speech_end is None else self._speech_end
        self._speech_end = None
        return EndpointDecision(end_sample, samples_to_ms(heard_sample - end_sample), reason)
