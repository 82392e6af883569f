"""Soft music under a film, composed and played here: nobody's recording, and the same for the same length each time.

A felt piano over strings in F major, slow: two phrases of eight bars that answer each other, with a melody that leaves
room for words. As many bars are played as the film is long, the tempo bent by a few percent to come out even, and the
last bar is at home whatever came before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""(samples, 2): left and right."""

RATE = 48_000
BEATS = 4
BAR_SECONDS = 3.7
"""65 beats a minute, as a heart at rest."""
RING_SECONDS = 4.0
"""How long what begins in a bar may sound after it, its echo in the room included."""
LEVEL = 0.16
"""Brings the whole to about -25 LUFS, some 5 dB under somebody who speaks."""


class Bar(NamedTuple):
    """Notes as MIDI numbers. `melody`: (beat, note)."""

    bass: int
    chord: tuple[int, ...]
    melody: tuple[tuple[float, int], ...] = ()


_F, _BB, _C, _DM, _GM, _AM = (
    (65, 69, 72, 77),
    (65, 70, 74, 77),
    (64, 67, 72, 76),
    (65, 69, 74, 77),
    (65, 70, 74, 79),
    (64, 69, 72, 76),
)
PHRASES: tuple[Bar, ...] = (
    Bar(41, _F, ((0, 81), (2, 84))),
    Bar(40, _C, ((0, 79), (3, 77))),
    Bar(50, _DM, ((0, 77), (2, 81))),
    Bar(46, _BB, ((0, 74),)),
    Bar(45, _F, ((1, 77), (2, 79), (3, 81))),
    Bar(46, _BB, ((0, 82), (2, 81))),
    Bar(43, _GM, ((0, 79), (2, 77))),
    Bar(48, _C, ((0, 79),)),
    Bar(41, _F, ((0, 84), (2, 81))),
    Bar(45, _AM, ((0, 79), (2, 76))),
    Bar(46, _BB, ((0, 77), (2, 74))),
    Bar(41, _F, ((0, 72),)),
    Bar(43, _GM, ((1, 77), (2, 79), (3, 82))),
    Bar(45, _AM, ((0, 81), (2, 79))),
    Bar(46, _BB, ((0, 77), (2, 79))),
    Bar(48, _C, ((0, 76),)),
)
HOME = Bar(41, (65, 69, 72, 77))
LEADING_HOME = Bar(48, (64, 67, 70, 76), ((0, 79),))
_UP_AND_DOWN = ((0, 1, 2, 3, 2, 1, 2, 1), (0, 2, 1, 3, 2, 3, 1, 2))
_ALTO, _BASS = 0.5, 0.6


def music(samples: int, seed: int = 7) -> Iterator[Samples]:
    """Exactly so many samples, bar by bar: what is in memory does not depend on the length."""
    bars = _bars(max(2, round(samples / RATE / BAR_SECONDS)))
    ring = round(RING_SECONDS * RATE)
    after, room = np.zeros((ring, 2), np.float32), _room(seed)
    hand = np.random.default_rng(seed)
    for number, bar in enumerate(bars):
        begins, ends = (samples * at // len(bars) for at in (number, number + 1))
        length = ends - begins
        dry = _played(bar, length, length + ring, number, hand, last=number == len(bars) - 1)
        sounding = 0.8 * dry + 0.3 * _in_room(dry, room)
        sounding[:ring] += after
        after = sounding[length:].copy()
        yield (LEVEL * sounding[:length]).astype(np.float32)


def _bars(count: int) -> list[Bar]:
    bars = [PHRASES[number % len(PHRASES)] for number in range(count - 2)]
    return [*bars, LEADING_HOME if count > 2 else PHRASES[0], HOME]


def _played(bar: Bar, length: int, total: int, number: int, hand: np.random.Generator, *, last: bool) -> Samples:
    sound = np.zeros((total, 2), np.float32)
    for note in bar.chord[:3]:
        _add(sound, _strings(note - 12, length), 0, 0.13, 0.35 if note % 2 else 0.65)
    _add(sound, _piano(bar.bass), 0, _BASS, 0.5)
    eighth = length / (2 * BEATS)
    steps = (0, 1, 2, 3) if last else _UP_AND_DOWN[number // 4 % 2]
    for step, index in enumerate(steps):
        late, strength = hand.uniform(0, 0.012), hand.uniform(0.8, 1.0) * (1 if step % 4 == 0 else 0.75)
        at = round(step * eighth * (1.25 if last else 1) + late * RATE)
        _add(sound, _piano(bar.chord[index]), at, _ALTO * strength, 0.35 + 0.1 * index)
    for beat, note in bar.melody:
        at = round(beat * 2 * eighth + hand.uniform(0, 0.015) * RATE)
        _add(sound, _piano(note), at, 0.62 * hand.uniform(0.9, 1.0), 0.58)
    return sound


def _add(sound: Samples, tone: npt.NDArray[np.float32], at: int, level: float, side: float) -> None:
    """`side`: 0 left, 1 right; equally loud wherever it stands."""
    tone = tone[: len(sound) - at]
    sound[at : at + len(tone), 0] += tone * np.float32(level * np.cos(side * np.pi / 2))
    sound[at : at + len(tone), 1] += tone * np.float32(level * np.sin(side * np.pi / 2))


@lru_cache(maxsize=64)
def _piano(note: int) -> npt.NDArray[np.float32]:
    """Felt between hammer and string: few overtones, the higher ones gone first, and no hard beginning."""
    pitch = _hertz(note)
    time = np.arange(round(3.4 * RATE), dtype=np.float32) / RATE
    tone = np.zeros_like(time)
    for partial in range(1, 7):
        # A string is a little stiff: its overtones are a little sharp.
        over = pitch * partial * np.sqrt(1 + 0.0004 * partial**2)
        fades = 0.9 + 0.0016 * pitch + 0.75 * (partial - 1)
        tone += np.sin(2 * np.pi * over * time) * np.exp(-fades * time) / partial**2.1
    begins = np.minimum(1, time / 0.012)
    ends = np.minimum(1, (time[-1] - time) / 0.4)
    return np.asarray(tone * np.sin(begins * np.pi / 2) ** 2 * ends, np.float32)


@lru_cache(maxsize=16)
def _strings(note: int, length: int) -> npt.NDArray[np.float32]:
    """They swell through the bar and are still leaving when the next begins."""
    pitch, leaving = _hertz(note), round(1.6 * RATE)
    time = np.arange(length + leaving, dtype=np.float32) / RATE
    tone = np.zeros_like(time)
    for cents in (-5, 0, 6):
        tuned = 2 * np.pi * pitch * 2 ** (cents / 1200) * time
        tone += np.sin(tuned) + 0.35 * np.sin(2 * tuned) + 0.12 * np.sin(3 * tuned)
    comes = np.minimum(1, time / 1.3)
    goes = np.clip((time[-1] - time) / 1.6, 0, 1)
    return np.asarray(tone / 3 * np.sin(comes * np.pi / 2) ** 2 * np.sin(goes * np.pi / 2) ** 2, np.float32)


def _room(seed: int) -> Samples:
    """How a room answers a click: noise that dies away within two seconds, its high notes first."""
    length = round(1.8 * RATE)
    time = np.arange(length) / RATE
    noise = np.random.default_rng(seed).standard_normal((length, 2)) * np.exp(-3.2 * time)[:, None]
    spectrum = np.fft.rfft(noise, axis=0)
    hertz = np.fft.rfftfreq(length, 1 / RATE)[:, None]
    soft = np.fft.irfft(spectrum * (hertz / (hertz + 150)) / (1 + (hertz / 2500) ** 2), length, axis=0)
    soft *= np.minimum(1, time / 0.02)[:, None]
    return np.asarray(soft / np.sqrt(np.sum(soft**2, axis=0)), np.float32)


def _in_room(sound: Samples, room: Samples) -> Samples:
    size = 1 << (len(sound) + len(room) - 1).bit_length()
    heard = np.fft.irfft(np.fft.rfft(sound, size, axis=0) * np.fft.rfft(room, size, axis=0), size, axis=0)
    return np.asarray(heard[: len(sound)], np.float32)


def _hertz(note: int) -> float:
    return float(440 * 2 ** ((note - 69) / 12))
