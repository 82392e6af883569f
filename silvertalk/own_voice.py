"""A person's recorded sentence, ready for a film: without the silence around it, and about as loud as the narrator.

Nothing else is done to it. A recording that is mostly room, or of an hour, is refused, and its words are read by the
narrator instead. Pure but for the file that it reads and the one that it writes; it takes a thread's time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

FRAME_SECONDS = 0.02
MARGIN_SECONDS = 0.15
"""Kept before the first word and after the last: a breath."""
FADE_SECONDS = 0.01
LEVEL_DBFS = -20.0
"""Mean power of what is spoken; the film levels the whole afterwards."""
PEAK = 0.89
MAX_GAIN_DB = 24.0
"""A whisper from the next room stays one."""
SPEECH_BELOW_LOUDEST_DB = 30.0
"""Quieter than this below the loudest frames is room, not voice."""
MIN_SECONDS, MAX_SECONDS = 0.6, 45.0
MIN_LOUDEST_DBFS = -55.0

Samples = npt.NDArray[np.float32]


class NoVoice(Exception):
    """Nothing in it that could be played to a family."""


def prepare(source: Path, target: Path) -> float:
    """Write the recording's speech to `target` (WAV, its own rate, mono); its length in seconds. Raises NoVoice."""
    try:
        sound, rate = soundfile.read(source, dtype="float32", always_2d=True, frames=int(MAX_SECONDS * 4 * 48_000))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise NoVoice(type(error).__name__) from error
    speech = _levelled(_trimmed(sound.mean(axis=1, dtype=np.float32), rate), rate)
    soundfile.write(target, speech, rate, subtype="PCM_16", format="WAV")
    return float(len(speech) / rate)


def _powers(sound: Samples, rate: int) -> npt.NDArray[np.float64]:
    """Of each frame, in dBFS."""
    size = int(rate * FRAME_SECONDS)
    frames = sound[: len(sound) // size * size].reshape(-1, size).astype(np.float64)
    return np.asarray(10 * np.log10(np.mean(frames**2, axis=1) + 1e-12))


def _trimmed(sound: Samples, rate: int) -> Samples:
    powers = _powers(sound, rate)
    if len(powers) * FRAME_SECONDS < MIN_SECONDS:
        raise NoVoice("too short")
    loudest = float(np.percentile(powers, 95))
    if loudest < MIN_LOUDEST_DBFS:
        raise NoVoice("silence")
    spoken = np.flatnonzero(powers > loudest - SPEECH_BELOW_LOUDEST_DB)
    size, margin = int(rate * FRAME_SECONDS), int(rate * MARGIN_SECONDS)
    begin = max(0, int(spoken[0]) * size - margin)
    end = min(len(sound), (int(spoken[-1]) + 1) * size + margin)
    if not MIN_SECONDS <= (end - begin) / rate <= MAX_SECONDS:
        raise NoVoice("too short or too long")
    return sound[begin:end]


def _levelled(sound: Samples, rate: int) -> Samples:
    powers = _powers(sound, rate)
    loudest = float(np.percentile(powers, 95))
    spoken = powers[powers > loudest - SPEECH_BELOW_LOUDEST_DB]
    level = 10 * float(np.log10(np.mean(10 ** (spoken / 10))))
    gain = 10 ** (min(LEVEL_DBFS - level, MAX_GAIN_DB) / 20)
    gain = min(gain, PEAK / max(float(np.max(np.abs(sound))), 1e-6))
    fade = np.minimum(1.0, np.arange(len(sound), dtype=np.float32) / (rate * FADE_SECONDS))
    return np.asarray(sound * np.float32(gain) * fade * fade[::-1], dtype=np.float32)
