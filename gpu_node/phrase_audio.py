"""What a voice's raw audio needs before it is heard: even loudness, no long silences, no clicks, and a pause after it.

Every phrase leaves here the same way, so that phrases, and the sentences of a reply, may simply be joined end to end.
"""

from __future__ import annotations

import numpy as np

from gpu_node.engines import Samples

PAUSE_SECONDS = {",": 0.16, ".": 0.32, "!": 0.32, "?": 0.32, "…": 0.40, "": 0.06}
"""Silence after a phrase at speed 1, by the sign that ends it; "" where a long phrase had to be cut between words."""
PEAK = 0.8
MAX_GAIN = 8.0
"""A quiet phrase is brought to the peak of any other, but what is nearly silence is not blown up into hiss."""
FLOOR = 0.02
"""Of the phrase's peak: below it, at the ends, is silence."""
EDGE_SECONDS = 0.03
"""Kept of the silence at either end, so that a soft onset (s, h) is not cut; it fades, so that no join clicks."""


def finished(audio: Samples, *, end: str, rate: int, speed: float = 1.0) -> Samples:
    """One phrase at `rate` Hz, ready to be played: starts and ends at zero, peaks at `PEAK`, pause included.

    `end` is the sign after the phrase, a key of `PAUSE_SECONDS`. The pause stretches with slower speech. The array
    given is not changed.
    """
    pause = np.zeros(round(PAUSE_SECONDS[end] / speed * rate), dtype=np.float32)
    peak = float(np.max(np.abs(audio), initial=0.0))
    if not np.isfinite(peak) or peak == 0.0:
        return pause
    loud = np.flatnonzero(np.abs(audio) > FLOOR * peak)
    edge = round(EDGE_SECONDS * rate)
    kept = audio[max(0, loud[0] - edge) : loud[-1] + 1 + edge] * np.float32(min(PEAK / peak, MAX_GAIN))
    fade = min(edge // 2, len(kept) // 2)
    ramp = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
    kept[:fade] *= ramp
    kept[len(kept) - fade :] *= ramp[::-1]
    return np.concatenate([kept.astype(np.float32, copy=False), pause])
