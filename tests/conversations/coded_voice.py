"""A voice that carries its own words: made vowels, under which quiet tones spell what is said.

Silero takes the vowels for speech, as it would a person's. `hear` reads the tones back, syllable by syllable, from
whatever part of the sound it is given: so a scripted recogniser knows as much as a real one could, and no more. It
needs no list of what may be said, and reads in another process as well as in this one. A voice without words (a cough,
a murmur) carries no tones; of two voices at once the louder is read.

    3600 Hz  |16 tones|16 tones|16 tones|16 tones|16 tones|16 tones|  7056 Hz
              `------ the letter, a hex digit each ------' manner   finality

manner: bit 0 alternates, so that "네네" are two; bit 1 opens a word; bit 2 is a mumble.
finality: how finished the sound of the syllable is, in fifteenths: what an acoustic end-of-turn model would score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from streaming.audio import MICROPHONE_RATE, Floats, ms_to_samples, pcm16_to_float
from tests.streaming.voice import vowels

LOWEST_HZ, SPACING_HZ, DIGITS, BASE = 3600.0, 36.0, 6, 16
CARRIER_PEAK, TONE_PEAK = 0.4, 0.018
"""Of the vowels, and of each of the six tones. Loud enough to be read 20 dB down, as an echo is."""
SYLLABLE_MS = 200
LONE_SYLLABLE_MS = 400
"""A word of one syllable said by itself is drawn out: "네-"."""
EDGE_MS = 24
"""The tones swell and fade at a syllable's ends, so that no reading straddles two."""
PERSONS, PUPPYS, STRANGERS = 7, 12, 28
"""Whose vowels they are: nobody says the same ones as somebody else, or the sound could not tell an echo from them.
Of the made voices tried, those that Silero does not tire of: no pause of their own in 9 s, nor 18 dB down."""
CARRIER_MS = 12_000

WINDOW, HOP = 1024, 256
"""64 ms a reading, 16 ms apart: a syllable is read some eight times."""
CLEAREST = 2.5
"""How far a tone must stand above the loudest but one of its band to be read."""
FAINTEST = 2e-4
"""Peak of the faintest tone that is read: 36 dB below `TONE_PEAK`."""
FEWEST_READINGS = 4
"""Of a syllable: where two meet, a mixture may be read once or twice."""

Readings = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Syllable:
    """One letter as it was heard, and where (samples from the start of the audio)."""

    letter: str
    opens_word: bool
    mumbled: bool
    finality: float
    start: int
    end: int


def speak(
    text: str,
    *,
    finality: float = 0.5,
    mumbled: bool = False,
    pitch_hz: float = 140.0,
    peak: float = 0.4,
    speed: float = 1.0,
    vowels_of: int = PERSONS,
) -> Floats:
    """`text` at 16 kHz. Marks and spaces take no time; `finality` is that of its last syllable (those before: 0)."""
    words = [word for word in ("".join(filter(str.isalnum, part)) for part in text.split()) if word]
    letters = [(letter, place == 0) for word in words for place, letter in enumerate(word)]
    size = int(ms_to_samples(LONE_SYLLABLE_MS if len(letters) == 1 else SYLLABLE_MS) / speed)
    sound = _carrier(size * len(letters), pitch_hz, vowels_of).copy()
    for place, (letter, opens) in enumerate(letters):
        digits = _digits(letter, place, opens, mumbled, finality if place + 1 == len(letters) else 0.0)
        sound[place * size : (place + 1) * size] += _tones(digits, size)
    return sound * np.float32(peak / CARRIER_PEAK)


def murmur(ms: int, *, pitch_hz: float = 110.0, peak: float = 0.4) -> Floats:
    """A voice without words: to Silero it is speech, to the recogniser nothing. What a cough is at its worst."""
    return _carrier(ms_to_samples(ms), pitch_hz, PERSONS) * np.float32(peak / CARRIER_PEAK)


def hear(audio: Floats) -> list[Syllable]:
    """The syllables in `audio` (16 kHz), also where it begins or ends in the middle of one."""
    read = [_read(magnitudes) for magnitudes in _spectra(audio)]
    found: list[Syllable] = []
    start = 0
    for place in range(1, len(read) + 1):
        if place < len(read) and read[place] == read[start]:
            continue
        code = read[start]
        if code is not None and place - start >= FEWEST_READINGS:
            found.append(_syllable(code, start * HOP, (place - 1) * HOP + WINDOW))
        start = place
    return found


def words_of(syllables: Sequence[Syllable]) -> list[list[Syllable]]:
    """Syllables by the word; one whose beginning was cut away is a word as well."""
    words: list[list[Syllable]] = []
    for syllable in syllables:
        if syllable.opens_word or not words:
            words.append([])
        words[-1].append(syllable)
    return words


# --- making it -------------------------------------------------------------------------------------------------------


def _carrier(size: int, pitch_hz: float, vowels_of: int) -> Floats:
    start = ms_to_samples(SYLLABLE_MS)  # the first syllable of this carrier opens hesitantly
    ms = max(CARRIER_MS, int((start + size) * 1000 / MICROPHONE_RATE) + 1)
    return _vowels(ms, pitch_hz, vowels_of)[start : start + size]


@cache
def _vowels(ms: int, pitch_hz: float, vowels_of: int) -> Floats:
    return pcm16_to_float(vowels(ms, seed=vowels_of, pitch_hz=pitch_hz, peak=CARRIER_PEAK))


@cache
def _tones(digits: tuple[int, ...], size: int) -> Floats:
    seconds = np.arange(size) / MICROPHONE_RATE
    edge = ms_to_samples(EDGE_MS)
    envelope = np.minimum(1.0, np.minimum(np.arange(size), np.arange(size)[::-1]) / edge)
    sound = sum(np.sin(2 * np.pi * _tone_hz(band, digit) * seconds + band) for band, digit in enumerate(digits))
    return (TONE_PEAK * envelope * sound).astype(np.float32)


def _tone_hz(band: int, digit: int) -> float:
    return LOWEST_HZ + SPACING_HZ * (BASE * band + digit)


def _digits(letter: str, place: int, opens: bool, mumbled: bool, finality: float) -> tuple[int, ...]:
    code = ord(letter)
    manner = place % 2 + 2 * opens + 4 * mumbled
    return (code >> 12 & 15, code >> 8 & 15, code >> 4 & 15, code & 15, manner, round(finality * (BASE - 1)))


# --- reading it ------------------------------------------------------------------------------------------------------


def _spectra(audio: Floats) -> Readings:
    """Per reading the magnitude of each of the tones, in units of a tone's peak."""
    if len(audio) < WINDOW:
        return np.zeros((0, DIGITS * BASE))
    frames = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP] * np.hanning(WINDOW)
    magnitudes: Readings = np.abs(frames @ _probes()) * 4 / WINDOW
    return magnitudes


@cache
def _probes() -> npt.NDArray[np.complex128]:
    """One column a tone: the frequencies are not a Fourier transform's."""
    hertz = LOWEST_HZ + SPACING_HZ * np.arange(DIGITS * BASE)
    probes: npt.NDArray[np.complex128] = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW) / MICROPHONE_RATE, hertz))
    return probes


def _read(magnitudes: npt.NDArray[np.float64]) -> tuple[int, ...] | None:
    """The six digits, None where no band, or not every band, has one clear tone."""
    bands = magnitudes.reshape(DIGITS, BASE)
    ranked = np.sort(bands, axis=1)
    if (ranked[:, -1] < FAINTEST).any() or (ranked[:, -1] < CLEAREST * ranked[:, -2]).any():
        return None
    return tuple(int(digit) for digit in bands.argmax(axis=1))


def _syllable(code: tuple[int, ...], start: int, end: int) -> Syllable:
    letter = chr(code[0] << 12 | code[1] << 8 | code[2] << 4 | code[3])
    return Syllable(letter, bool(code[4] & 2), bool(code[4] & 4), code[5] / (BASE - 1), start, end)
