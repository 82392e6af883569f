"""Is what the microphone hears the reply that is being played, somebody, or both? Told from the sound alone.

The reply's own sound is known, and roughly where the player is. What a loudspeaker, a room and a canceller leave of it
has lost its waveform, but not its course: when which bands are loud. So both are cut into rows of 20 ms, 14 bands of
speech each, in decibels, and compared:

    played     ──────▌▌▌▌──▌▌▌▌▌▌──▌▌────▌▌▌──          its lag, 0 to 0.8 s: the one at which the courses agree best
    heard      ─────────▌▌▌▌──▌▌▌▌▌▌██▌▌██████          each band's gain: low among what heard lies above played
                          echo    somebody             what lies above played + gain is somebody's

The lag is that at which the courses agree best from a second and a half before the voice on. Two figures then decide,
weighed by a logistic regression: how well they agree since it began, and how much of its third of a second that fits
worst the echo does not explain. Of each band its mean is taken off, so that neither the loudspeaker's colour nor the
microphone's gain is anything to them.

A reply that is played softly for a while (`Played.soften`) is looked for both ways, since not every player does it.
Pure; numpy takes about a millisecond for one look at a voice, and 10 µs for each 20 ms of sound.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import cache
from statistics import median

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from streaming.audio import FRAME_SAMPLES, MICROPHONE_RATE, Pcm, pcm16_to_float

Rows = npt.NDArray[np.float32]
"""Levels in dB, one row each 20 ms, one column a band."""

BANDS = 14
LOWEST_HZ, HIGHEST_HZ = 220.0, 5600.0
"""Below, small loudspeakers are silent; above, speech has little."""
ROWS_A_SECOND = MICROPHONE_RATE // FRAME_SAMPLES
SILENT_DB = -120.0
LONGEST_LAG = 42
"""Rows, 840 ms: what players, loudspeakers, rooms and microphones take together."""
BEFORE, LONGEST = 75, 175
"""Rows looked at from before the voice began, and altogether: 1.5 s and 3.5 s."""

ROOM_DECAY = 0.55
"""What is left of a band's power after 20 ms in a room: a reverberation time of half a second."""
NOISE_PERCENTILE, ABOVE_NOISE_DB, DEEPEST_DB = 8, 4.0, 45.0
"""What is quieter than the noise, or than so much below the loudest, has no course."""
PLAYED_RANGE_DB, LOUD_RANGE_DB = 35.0, 32.0
"""Of what is played, what may be heard at all, and what surely is where there is an echo."""
GAIN_PERCENTILE, LEAST_ROWS = 35, 5
"""Low among the differences: a voice adds to some of them. Of fewer rows nothing is known of a band's gain."""
HALF_INTERVAL = MICROPHONE_RATE // 10
"""A player says every 200 ms where it is."""
NOWHERE = -(1 << 40)
REMEMBERED = 32
"""Places where the player jumped, and stretches that were played softly: more than a few seconds have."""
NO_ECHO_DB = -160.0
UNEXPLAINED_DB, HEARD_DB, LEAST_BANDS = 9.0, 9.0, 3
"""A band is somebody's that is louder than the echo by so much, and than the noise; a row has a voice in it where so
many bands are heard."""
WORST_ROWS = 16
SOMEBODYS, BLURRED_ROWS = 0.3, 5
"""Part of the bands heard that no echo explains, over so many rows, where a row is somebody's."""
SOFTER_DB = 12.0
"""What players of this project take off a reply into which somebody may be speaking."""

KEEPS_TO_LAG, LAG_ROWS = 0.5, 3
"""A lag that was found before is preferred by so much, within so many rows."""
KNOWN_AGREEMENT = 0.7
"""Agreement at which a lag counts as found, where nobody else is heard; below, no voice is said to be an echo. Two who
speak at one pace agree by up to 0.6, and to swallow somebody is worse than to play a reply softly for nobody."""

SILENT_ROWS, SURELY_LOUD_DB = 30, 20.0
"""A reply that was so little below its loudest for half of so many rows would have been heard."""

LEAST_COURSE_DB, LEAST_COURSES, UNKNOWN = 3.0, 7, 0.5
"""A reply by whose course an echo can be known rises and falls by so much in so many bands: any speech does. Of a hum,
which any steady sound resembles, nobody can say that it is the echo."""

BIAS, AGREEMENT, UNEXPLAINED = -0.1, -6.0, 29.8
"""A logistic regression over 720 simulated scenes in rooms that are not those the results are reported of."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard of a voice so far."""

    somebody: float
    """How surely there is more than an echo, 0 to 1."""
    agreement: float
    """Of the courses, from a second and a half before the voice on, -1 to 1."""
    agreement_since: float
    """The same since the voice began."""
    unexplained: float
    """Part of the bands heard that no echo explains, in the third of a second of which it explains least, 0 to 1."""
    somebodys_rows: int
    """So many of the rows since the voice began are more than an echo: somebody's syllables, without the gaps."""
    alone: bool
    """Before the voice began there was no echo, though the reply was loud."""
    lag_rows: int
    rows: int
    """Since the voice began."""


class Bands:
    """Cuts a sound into rows, however it arrives."""

    def __init__(self, rate: int) -> None:
        self.hop_samples = rate // ROWS_A_SECOND
        self._window, self._filters = _filters(rate)
        self._rest = np.zeros(0, np.float32)

    def feed(self, pcm: Pcm) -> Rows:
        """The rows that are complete now: row n is heard over 40 ms, from n * 20 ms on."""
        sound = np.concatenate([self._rest, pcm16_to_float(pcm)])
        count = max(0, len(sound) // self.hop_samples - 1)
        self._rest = sound[count * self.hop_samples :]
        if not count:
            return np.zeros((0, BANDS), np.float32)
        frames = sliding_window_view(sound, len(self._window))[:: self.hop_samples][:count]
        power = np.square(np.abs(np.fft.rfft(frames * self._window, axis=1)))
        return np.asarray(10 * np.log10(power @ self._filters + 1e-12), np.float32)


class Played:
    """A reply as it is played, on the microphone's clock: its sound, and what is known of the playhead.

    Positions in the reply are samples at `rate`, those of the microphone are its sample numbers.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._bands = Bands(rate)
        self._begins: int | None = None
        self._end = 0
        self._rows: list[Rows] = []
        # How far ahead of the microphone's clock the player is; the last second of acknowledgements, told 5 a second.
        self._leads: deque[int] = deque(maxlen=5)
        self._guessed = False
        self._told_at = 0
        # Of a client that says it is now here, now there, the oldest are forgotten.
        self._stretches: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        """From which sample of the microphone on the player was so far ahead."""
        self._soft: deque[tuple[int, int | None]] = deque(maxlen=REMEMBERED)
        """Between which samples of the microphone it was played softly."""

    def add(self, first_sample: int, pcm: Pcm) -> None:
        """More of the reply's sound; what was not told of is taken for silence, what was is not heard again."""
        if self._begins is None:
            self._begins = self._end = first_sample
        late = max(0, self._end - first_sample)
        fresh = memoryview(pcm)[2 * late :]
        if not len(fresh):
            return
        gap = bytes(2 * max(0, first_sample - self._end))
        self._end = max(self._end, first_sample + len(pcm) // 2)
        self._rows.append(self._bands.feed(gap + bytes(fresh)))

    @property
    def is_placed(self) -> bool:
        """Something is known of the playhead."""
        return bool(self._stretches)

    def is_at(self, sample: int, microphone_sample: int, *, guessed: bool = False) -> None:
        """The player had come so far when the microphone had. A guess is forgotten once the player has said so."""
        lead = sample - microphone_sample * self._rate // MICROPHONE_RATE
        if self._guessed:
            self._leads.clear()
            self._stretches.clear()
        self._guessed = guessed
        if self._leads and abs(lead - median(self._leads)) > self._rate // 10:
            # It ran dry, or was stopped, somewhere between two acknowledgements.
            self._leads.clear()
            self._stretches.append((self._told_at + HALF_INTERVAL, NOWHERE))
            self._stretches.append((max(microphone_sample - HALF_INTERVAL, self._told_at + HALF_INTERVAL), lead))
        self._leads.append(lead)
        self._told_at = microphone_sample
        steady = int(median(self._leads))
        if self._stretches:
            self._stretches[-1] = (self._stretches[-1][0], steady)
        else:
            self._stretches.append((microphone_sample, steady))

    def soften(self, microphone_sample: int, *, soft: bool) -> None:
        """It is played softly from here on, or no more."""
        if soft:
            self._soft.append((microphone_sample, None))
        elif self._soft and self._soft[-1][1] is None:
            self._soft[-1] = (self._soft[-1][0], microphone_sample)

    def rows(self, first_row: int, count: int, *, softened: bool) -> Rows:
        """What was played in these rows of the microphone's, as a room leaves it."""
        sound = np.concatenate(self._rows) if self._rows else np.zeros((0, BANDS), np.float32)
        times = (first_row + np.arange(count)) * FRAME_SAMPLES
        places = self._places(times)
        known = (places >= 0) & (places < len(sound))
        level = np.full((count, BANDS), SILENT_DB, np.float32)
        level[known] = sound[places[known]]
        for begins, ends in self._soft if softened else ():
            level[(times >= begins) & (times < (ends if ends is not None else times[-1] + 1))] -= SOFTER_DB
        return _in_a_room(level)

    @property
    def was_softened(self) -> bool:
        return bool(self._soft)

    def _places(self, times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Which row of the reply's was played at each of these samples of the microphone's."""
        if not self._stretches or self._begins is None:
            return np.full(len(times), -1)
        begins = np.array([begin for begin, _ in self._stretches])
        leads = np.array([lead for _, lead in self._stretches])
        lead = leads[np.maximum(np.searchsorted(begins, times, side="right") - 1, 0)]
        return np.asarray((times * self._rate // MICROPHONE_RATE + lead - self._begins) // self._bands.hop_samples)


class EchoWitness:
    """One conversation's: it remembers by how much the echo lags."""

    def __init__(self) -> None:
        self.lag: int | None = None
        """Rows by which the echo comes late; None before one was heard."""

    def look(self, heard: Rows, began: int, played: Played, first_row: int) -> Heard:
        """What the voice is that began at row `began` of `heard`, whose first is `first_row` of the microphone's."""
        heard, first_row, began = _last(heard, first_row, began)
        scene = _Scene(heard, began, _lagged(played, first_row, len(heard), softened=False))
        if played.was_softened:
            softly = _Scene(heard, began, _lagged(played, first_row, len(heard), softened=True))
            scene = max(scene, softly, key=lambda way: float(way.agreements.max()))
        lag = scene.lag(self.lag)
        agreement, parts = scene.agreement_since(lag), scene.unexplained(lag, scene.gain(lag))
        worst = min(WORST_ROWS, len(parts))
        unexplained = float(np.convolve(parts, np.ones(worst) / max(worst, WORST_ROWS // 2), "valid").max())
        somebody = 1 / (1 + math.exp(-(BIAS + AGREEMENT * agreement + UNEXPLAINED * unexplained)))
        if not scene.has_course(lag) or min(agreement, scene.agreements[lag]) < KNOWN_AGREEMENT:
            somebody = max(somebody, UNKNOWN)
        if somebody < UNKNOWN:
            self.lag = lag
        return Heard(
            somebody=somebody,
            agreement=float(scene.agreements[lag]),
            agreement_since=agreement,
            unexplained=unexplained,
            somebodys_rows=int((np.convolve(parts, np.ones(BLURRED_ROWS) / BLURRED_ROWS, "same") > SOMEBODYS).sum()),
            alone=scene.was_silent_before,
            lag_rows=lag,
            rows=len(parts),
        )


class _Scene:
    """What was heard beside what was played, at each lag; in decibels above what nobody could hear of it."""

    def __init__(self, heard: Rows, began: int, played: Rows) -> None:
        noise = np.maximum(np.percentile(heard, NOISE_PERCENTILE, axis=0), heard.max() - DEEPEST_DB)
        self._noise = noise
        self._course = np.maximum(heard, noise + ABOVE_NOISE_DB)
        self._is_heard = heard > noise + HEARD_DB
        self._since = max(0, began - 2)
        self.lowest_db = float(np.percentile(played.max(axis=1), 97)) - PLAYED_RANGE_DB
        level = np.maximum(played - self.lowest_db, 0)
        self._lagged = sliding_window_view(level, (len(heard), BANDS))[::-1, 0]
        self.agreements = _agreements(self._course, self._lagged)

    def lag(self, known: int | None) -> int:
        preferred = self.agreements.copy()
        if known is not None:
            preferred[max(0, known - LAG_ROWS) : known + LAG_ROWS + 1] += KEEPS_TO_LAG
        return int(preferred.argmax())

    def agreement_since(self, lag: int) -> float:
        return float(_agreements(self._course[self._since :], self._lagged[lag : lag + 1, self._since :])[0])

    def has_course(self, lag: int) -> bool:
        """Whether what is played changes enough to be known again."""
        return bool((self._lagged[lag].std(axis=0) > LEAST_COURSE_DB).sum() >= LEAST_COURSES)

    def gain(self, lag: int) -> Rows:
        """Of each band, how much louder the echo is than what is played; the others' where nothing loud was played."""
        level = self._lagged[lag]
        loud = level > PLAYED_RANGE_DB - LOUD_RANGE_DB
        counts = loud.sum(axis=0)
        ordered = np.sort(np.where(loud, self._course - level, np.inf), axis=0)
        low = ordered[(counts * GAIN_PERCENTILE // 100).clip(0, len(ordered) - 1), np.arange(BANDS)]
        enough = counts >= LEAST_ROWS
        return np.where(enough, low, np.median(low[enough]) if enough.any() else NO_ECHO_DB)

    def unexplained(self, lag: int, gain: Rows) -> npt.NDArray[np.float64]:
        """Of each row since the voice began, the part of the bands heard that is louder than the echo."""
        since = self._since
        around = self._lagged[max(0, lag - 1) : lag + 2, since:].max(axis=0)
        echo = np.logaddexp((around + gain) * _NEPERS, (self._noise + 3) * _NEPERS) / _NEPERS
        is_heard = self._is_heard[since:]
        bands = is_heard.sum(axis=1)
        more = (is_heard & (self._course[since:] > echo + UNEXPLAINED_DB)).sum(axis=1)
        return np.where(bands >= LEAST_BANDS, more / np.maximum(bands, 1), 0.0)

    @property
    def was_silent_before(self) -> bool:
        """For half a second and more before the voice began the reply was loud, whatever its lag, and not heard."""
        if self._since < SILENT_ROWS:
            return False
        before = slice(self._since - SILENT_ROWS, self._since)
        loud = (self._lagged[:, before].max(axis=2) > PLAYED_RANGE_DB - SURELY_LOUD_DB).mean(axis=1).min()
        heard = (self._is_heard[before].sum(axis=1) >= LEAST_BANDS).mean()
        return bool(loud > 0.5 and heard < 0.1)


def _last(heard: Rows, first_row: int, began: int) -> tuple[Rows, int, int]:
    """No more than is looked at."""
    late = max(0, began - BEFORE, len(heard) - LONGEST)
    return heard[late:], first_row + late, max(0, began - late)


def _lagged(played: Played, first_row: int, count: int, *, softened: bool) -> Rows:
    return played.rows(first_row - LONGEST_LAG, LONGEST_LAG + count, softened=softened)


def _agreements(course: Rows, lagged: Rows) -> npt.NDArray[np.float64]:
    """Correlation of the two courses at each lag, over all bands, of each its mean taken off."""
    level = course - course.mean(axis=0)
    both = np.einsum("ltb,tb->l", lagged, level)
    spread = np.einsum("ltb,ltb->l", lagged, lagged) - lagged.shape[1] * np.square(lagged.mean(axis=1)).sum(axis=1)
    least = float(course.size)  # a decibel of each: less is no course
    return np.asarray(both / np.sqrt(np.maximum(spread, least) * max(float(np.square(level).sum()), least)))


def _in_a_room(level: Rows) -> Rows:
    """What is played dies away slowly where it is heard."""
    fall = np.float32(10 * math.log10(ROOM_DECAY))
    falling = fall * np.arange(len(level), dtype=np.float32)[:, None]
    return np.asarray(np.maximum.accumulate(level - falling, axis=0) + falling)


@cache
def _filters(rate: int) -> tuple[Rows, Rows]:
    """The window, and triangles evenly spread over the mel scale, a column each."""
    window = np.hanning(2 * (rate // ROWS_A_SECOND) + 1)[:-1].astype(np.float32)
    lowest, highest = (math.log10(1 + hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** np.linspace(lowest, highest, BANDS + 2) - 1)
    hertz = np.fft.rfftfreq(len(window), 1 / rate)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    triangles = np.clip(np.minimum(rise, fall), 0, None)
    scale = np.maximum(triangles.sum(axis=0), 1e-6) * np.square(window).sum()
    return window, np.asarray(triangles / scale, np.float32)


_NEPERS = math.log(10) / 10
