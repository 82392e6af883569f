"""Words over music, as one file: the music steps back before somebody speaks and comes again when they have done.

When words sound is known exactly, so nothing has to listen for them: the music's level is a line through known points.
It is written bar by bar, and one sentence is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from silvertalk.film.music import RATE, Samples, music

DUCKED_DB = -11.0
STEPS_BACK_SECONDS = 0.5
COMES_AGAIN_SECONDS = 1.1
SHORT_GAP_SECONDS = 1.8
"""Between two sentences so near to each other the music stays where it is: coming and going would be felt."""
FADE_IN_SECONDS, FADE_OUT_SECONDS = 1.2, 3.0
SPEECH_DB = -21.0
"""What the loud parts of every sentence are brought to, whoever speaks (RMS under full scale)."""
MOST_RAISED_DB = 24.0
"""More would raise mostly noise."""
LONGEST_SECONDS = 90.0
"""Of one sentence; the rest is cut."""
_EDGE_SECONDS = 0.015

Mono = npt.NDArray[np.float32]


class SoundUnreadable(Exception):
    """Not a sound, or a broken or an empty one."""


def seconds_of(path: Path) -> float:
    """How long a sound is. Raises SoundUnreadable."""
    try:
        known = soundfile.info(str(path))
    except (OSError, RuntimeError, TypeError) as error:  # soundfile's own errors are RuntimeErrors
        raise SoundUnreadable(type(error).__name__) from None
    # A FLAC that was never finished says 2**63 - 1, and libsndfile refuses to read it.
    if not 0 < known.frames < 2**48 or not 4000 <= known.samplerate <= 192_000 or known.channels > 8:
        raise SoundUnreadable("shape")
    return min(float(known.frames / known.samplerate), LONGEST_SECONDS)


def sentence(path: Path) -> Mono:
    """One channel at 48 kHz, its loud parts at SPEECH_DB. Raises SoundUnreadable."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            sound = file.read(round(LONGEST_SECONDS * file.samplerate), dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (OSError, RuntimeError) as error:
        raise SoundUnreadable(type(error).__name__) from None
    if not len(sound) or not np.isfinite(sound).all():
        raise SoundUnreadable("samples")
    if rate != RATE:
        sound = soxr.resample(sound, rate, RATE, quality="HQ")
    return _levelled(np.asarray(sound, np.float32))


def mix(
    path: Path, samples: int, spoken: Sequence[tuple[int, Path]], told: Callable[[float], None] = lambda done: None
) -> tuple[int, ...]:
    """Write `samples` of stereo FLAC: music, and each of `spoken` from its sample on, in their order.

    `told` hears after each bar what share is done. Returns which of `spoken` could not be read.
    """
    unreadable: list[int] = []
    said = [(at, at + round(seconds_of(sound) * RATE)) for at, sound in spoken]
    waiting = list(enumerate(spoken))
    sounding: list[tuple[int, Mono]] = []
    with soundfile.SoundFile(str(path), "w", RATE, 2, "PCM_24", format="FLAC") as file:
        at = 0
        for bar in music(samples):
            ends = at + len(bar)
            while waiting and waiting[0][1][0] < ends:
                number, (begins, sound) = waiting.pop(0)
                try:
                    sounding.append((begins, sentence(sound)))
                except SoundUnreadable:
                    unreadable.append(number)
            mixed = bar * _level(np.arange(at, ends), said, samples)[:, None]
            for begins, words in sounding:
                _lay(mixed, at, begins, words)
            sounding = [(begins, words) for begins, words in sounding if begins + len(words) > ends]
            # Peaks over full scale keep their shape: the limiter comes after.
            file.write(mixed * np.float32(0.5))
            at = ends
            told(at / samples)
    return tuple(unreadable)


def _levelled(sound: Mono) -> Mono:
    """By the RMS of what is no pause, its edges faded so that they do not click."""
    block = RATE // 20
    padded = np.pad(sound, (0, -len(sound) % block))
    power = np.mean(np.square(padded.reshape(-1, block), dtype=np.float64), axis=1)
    loud = power[power >= power.max() * 0.01]  # within 20 dB of the loudest
    level = float(10 * np.log10(loud.mean() + 1e-12))
    raised = sound * np.float32(10 ** (min(SPEECH_DB - level, MOST_RAISED_DB) / 20))
    edge = min(len(sound) // 2, round(_EDGE_SECONDS * RATE))
    if edge:
        ramp = np.linspace(0, 1, edge, dtype=np.float32)
        raised[:edge] *= ramp
        raised[-edge:] *= ramp[::-1]
    return np.asarray(raised, np.float32)


def _level(at: npt.NDArray[np.int64], said: Sequence[tuple[int, int]], samples: int) -> Mono:
    """The music's, at each of these samples of the film."""
    points, decibels = [-1.0 - STEPS_BACK_SECONDS], [0.0]
    for begins, ends in _together(said):
        points += [begins - STEPS_BACK_SECONDS, begins, ends, ends + COMES_AGAIN_SECONDS]
        decibels += [0.0, DUCKED_DB, DUCKED_DB, 0.0]
    seconds = at / RATE
    level = 10 ** (np.interp(seconds, points, decibels) / 20)
    fades = np.minimum(seconds / FADE_IN_SECONDS, (samples / RATE - seconds) / FADE_OUT_SECONDS)
    return np.asarray(level * np.sin(np.clip(fades, 0, 1) * np.pi / 2) ** 2, np.float32)


def _together(said: Sequence[tuple[int, int]]) -> list[tuple[float, float]]:
    """Stretches of speech in seconds, sentences that are near to each other as one."""
    stretches: list[tuple[float, float]] = []
    for begins, ends in ((begins / RATE, ends / RATE) for begins, ends in said):
        if stretches and begins - stretches[-1][1] < SHORT_GAP_SECONDS:
            stretches[-1] = (stretches[-1][0], max(ends, stretches[-1][1]))
        else:
            stretches.append((begins, ends))
    return stretches


def _lay(onto: Samples, at: int, begins: int, words: Mono) -> None:
    """What of `words`, which begin at `begins`, falls into `onto`, which begins at `at`."""
    first, last = max(at, begins), min(at + len(onto), begins + len(words))
    if last > first:
        onto[first - at : last - at] += words[first - begins : last - begins, None]
