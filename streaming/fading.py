"""How a voice died away before a pause: evidence of an end that needs no model, and is there when the pause is.

Whoever comes to the end of what they say has grown quieter on the way, and lets the last syllable fade; whoever only
stops for breath or for a word is as loud as before, and breaks off. So two levels are taken of the last 3 s: how far
the last half second lies below what was loud in them, and how far the last tenth of a second lies below the fifth
before it. Both are differences of decibels, so the microphone's gain is nothing to them. Of noise, the first silence of
the pause tells how much there is: it is taken off, and nothing counts as more than 20 dB below the loud.

The pitch told nothing that these did not. How long somebody has spoken is left out on purpose: it says much where turns
are made by joining recordings, and nothing of people. Pure; numpy takes a quarter of a millisecond a pause, in the
gateway.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from streaming.audio import FRAME_SAMPLES, MICROPHONE_RATE, Floats, Pcm, pcm16_to_float

HEARD_SAMPLES = 3 * MICROPHONE_RATE
"""As much speech is looked at: 2 s hold too little that was loud, and 6 s tell no more."""
LEAST_SAMPLES = MICROPHONE_RATE
"""Of less, half is the half second itself: an "응" is no evidence of anything."""

LOUD_PERCENTILE = 90
DEEPEST_DB = 20.0
SILENT_POWER = 1e-12
"""Of digital silence, which has no level."""
LAST_FRAMES, BEFORE_FRAMES, HALF_SECOND_FRAMES = 5, 10, 25

PER_DB_LOW, PER_DB_FALLEN, NEUTRAL = 0.12, 0.07, 1.3
"""What was low speaks for an end, what broke off against it: a logistic regression over the pauses of 300 ms and more
of `benchmarks/turns.py`, on the half it tunes on, beside the acoustic model's score. `NEUTRAL` lets the evidence say no
more than it is worth: its exponential has the mean 1 over the pauses, and the inverse over the ends, to within a tenth
without noise and with noise 20, 12 and 6 dB below the speech."""


def faded(speech: Pcm, silence: Pcm) -> float | None:
    """How much this sounds like an end, 0 to 1, 0.5 for neither. PCM16 mono, 16 kHz.

    `speech` ends where the voice did; `silence`: what followed, as far as it was heard. None for less speech than
    `LEAST_SAMPLES`. Raises AudioError for half a sample.
    """
    sound = pcm16_to_float(speech)[-HEARD_SAMPLES:]
    if len(sound) < LEAST_SAMPLES:
        return None
    level_db = _levels_db(sound, pcm16_to_float(silence))
    low_db = -float(level_db[-HALF_SECOND_FRAMES:].mean())
    before_db = level_db[-LAST_FRAMES - BEFORE_FRAMES : -LAST_FRAMES].mean()
    fallen_db = float(before_db - level_db[-LAST_FRAMES:].mean())
    return 1 / (1 + math.exp(NEUTRAL - PER_DB_LOW * low_db + PER_DB_FALLEN * fallen_db))


def _levels_db(sound: Floats, silence: Floats) -> npt.NDArray[np.float64]:
    """Of each 20 ms, against what was loud: less the power of the silence, and `DEEPEST_DB` down at most."""
    frames = sound[len(sound) % FRAME_SAMPLES :].reshape(-1, FRAME_SAMPLES)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    noise = np.mean(np.square(silence, dtype=np.float64)) if len(silence) else 0.0
    level_db = 10 * np.log10(np.maximum(power - noise, SILENT_POWER))
    return np.asarray(np.maximum(level_db - np.percentile(level_db, LOUD_PERCENTILE), -DEEPEST_DB))
