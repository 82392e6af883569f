"""Where speech really begins and ends in a recording: the yardstick of every latency.

Three witnesses, since each of them errs alone. A voice detector tells speech from applause and breath, but lags some
80 ms behind the end of a word. Energy ends with the word, but takes every noise for one. A manifest's annotated
silences are right about silence and say nothing of what sounds in between. So speech is what the detector hears,
outside the annotated silences, and each end is drawn back to where the energy falls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streaming.protocol import MICROPHONE_RATE

Pcm = npt.NDArray[np.int16]

WINDOW_SAMPLES = 512
"""What one probability of the voice detector stands for: 32 ms."""
SPEECH_PROBABILITY = 0.35
"""Below the usual 0.5: the detector hears the file at leisure, and a word's quiet end still belongs to it."""
HOP_SAMPLES = MICROPHONE_RATE // 100
BELOW_PEAK_DB = 30.0
"""A frame this far below the loud ones is no speech; annotated silences of recordings begin within 20 ms of there."""
ABOVE_FLOOR_DB = 8.0
QUIETEST_SPEECH_DBFS = -60.0
LOUD_PERCENTILE, FLOOR_PERCENTILE = 95, 5
JOINED_SECONDS = 0.2
"""Shorter gaps lie within words (a stop's closure) or between them."""
SHORTEST_SECONDS = 0.1
DETECTOR_LAG_SECONDS = 0.2
"""How far an end is drawn back towards the last loud frame, at most."""

Detector = Callable[[Pcm], npt.NDArray[np.float32]]
"""Speech probability of each window of `WINDOW_SAMPLES`, the last one padded with zeros."""


class Span(NamedTuple):
    """A stretch of samples, `end` not included."""

    start: int
    end: int


def speech_spans(
    pcm: Pcm, silences_s: Sequence[tuple[float, float]] = (), *, detector: Detector | None = None
) -> tuple[Span, ...]:
    """Where somebody speaks in `pcm` (16 kHz mono), in order.

    `silences_s`: annotated silences in seconds. Without a `detector` energy decides alone, which is right for a voice
    in a quiet room only.
    """
    if not len(pcm):
        return ()
    loud = loud_frames(pcm)
    if detector is None:
        spans = _runs(loud, HOP_SAMPLES, len(pcm))
    else:
        spans = _runs(detector(pcm) >= SPEECH_PROBABILITY, WINDOW_SAMPLES, len(pcm))
    spans = _without(_joined(spans), silences_s)
    return tuple(drawn for span in spans for drawn in [_drawn_back(span, loud)] if _seconds(drawn) >= SHORTEST_SECONDS)


def loud_frames(pcm: Pcm) -> npt.NDArray[np.bool_]:
    """For each 10 ms whether it is loud enough for speech, by the recording's own measure."""
    frames = -(-len(pcm) // HOP_SAMPLES)
    padded = np.pad(pcm.astype(np.float64) / 32768, (0, frames * HOP_SAMPLES - len(pcm)))
    level = 10 * np.log10(np.mean(padded.reshape(frames, HOP_SAMPLES) ** 2, axis=1) + 1e-10)
    floor, peak = np.percentile(level, (FLOOR_PERCENTILE, LOUD_PERCENTILE))
    # Where speech fills the file to its edges, or noise lies close below it, the floor says nothing: the peak decides.
    above_floor = min(floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB / 2)
    return np.asarray(level > max(peak - BELOW_PEAK_DB, above_floor, QUIETEST_SPEECH_DBFS))


def _runs(active: npt.NDArray[np.bool_], step: int, total: int) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    return [Span(int(start) * step, min(int(end) * step, total)) for start, end in edges.reshape(-1, 2)]


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and (span.start - joined[-1].end) / MICROPHONE_RATE < JOINED_SECONDS:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _without(spans: Sequence[Span], silences_s: Sequence[tuple[float, float]]) -> list[Span]:
    left = list(spans)
    for silence in silences_s:
        start, end = (round(edge * MICROPHONE_RATE) for edge in silence)
        left = [
            part
            for span in left
            for part in (Span(span.start, min(span.end, start)), Span(max(span.start, end), span.end))
            if part.start < part.end
        ]
    return left


def _drawn_back(span: Span, loud: npt.NDArray[np.bool_]) -> Span:
    """The same span, ended where its last loud frame does (within the detector's lag)."""
    first = max(span.start, span.end - round(DETECTOR_LAG_SECONDS * MICROPHONE_RATE)) // HOP_SAMPLES
    sounding = np.flatnonzero(loud[first : -(-span.end // HOP_SAMPLES)])
    if not len(sounding):
        return span
    return Span(span.start, min(span.end, (first + int(sounding[-1]) + 1) * HOP_SAMPLES))


def _seconds(span: Span) -> float:
    return (span.end - span.start) / MICROPHONE_RATE
