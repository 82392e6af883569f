"""One person's pauses, learned: how long they are silent inside an utterance, and how often we took the floor too soon.

The pauses are taken as log-normal (what endpointing reckons with) and learned as sums of ln(pause) in three layers:

    everybody's     a prior worth `PRIOR_WEIGHT` pauses: the first few of a person move little
    former days     what is remembered: at most `MEMORY_WEIGHT` pauses, halved every `HALF_LIFE_DAYS`
    today           at most `NEW_DAY_WEIGHT` pauses of somebody new, falling to `KNOWN_DAY_WEIGHT` of somebody we know
                    well: a bad day (a cold, a noisy room) is one voice among several

and kept from running away:

* An observation further than `CLIP` standard deviations from what was believed this morning counts as one at that
  distance (Huber's proposal 2), so that no day can talk itself into more and more; silences over `LONGEST_MS` are
  absences (a telephone rang) and count for nothing.
* Pauses longer than the wait we chose cut the person off, and leaving them out would teach us to wait less and less.
  They are learned when the person goes on all the same. About half, it is supposed, say nothing more and are never
  known of, so each that is known stands for `FALSE_END_WEIGHT`. (Taking them as censored, that long at least, was
  tried on simulated people, half of them falling silent and none: it believes pauses up to half longer than they are.)
* What is learned stays within `MEDIAN_MS` and `SIGMA` whatever is observed.

Beside the distribution there is `caution`, which asks only how often we were wrong: each false end raises it, each turn
that was over lowers it, in proportions that balance at one false end in `1 / TARGET` turns, whatever shape the pauses
really have (adaptive conformal inference: Gibbs & Candès 2021, arXiv:2106.00170). It multiplies the patience set by
hand, by `MAX_CAUTION` at most, and is forgotten within weeks.

Pure: whoever keeps a profile says which day it is (`on_day`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from streaming.endpointing import Pauses
from streaming.protocol import MAX_PATIENCE, MIN_PATIENCE

VERSION = 1

EVERYBODY = Pauses()
"""Who nothing is known of."""
PRIOR_WEIGHT = 20.0
MEMORY_WEIGHT = 200.0
NEW_DAY_WEIGHT, KNOWN_DAY_WEIGHT = 60.0, 30.0
"""A conversation and a half makes somebody known; later a day is at most an eighth of the whole."""
HALF_LIFE_DAYS = 30.0
CAUTION_HALF_LIFE_DAYS = 7.0
FALSE_END_WEIGHT = 2.0

MEDIAN_MS = (250.0, 1500.0)
SIGMA = (0.4, 1.1)
SHORTEST_MS, LONGEST_MS = 100.0, 6000.0
"""Silences that may be somebody's pause: shorter ones belong to consonants, after longer ones they were away. Of 169
pauses in Korean recordings from 96 ms up, and of 149 in English ones, the share above 300 ms that also outlasts 1 s is
0.13 and 0.17; by the log-normal fitted to them it is 0.13 both times."""

CLIP = 2.0
_CLIPPED_SQUARE = 0.920537
"""E[min(z², CLIP²)] of a standard normal z: what clipping takes from the variance is put back."""

_MOST_LOG = math.log(MEDIAN_MS[1]) + CLIP * SIGMA[1]
_MOST_SQUARE = (_MOST_LOG + SIGMA[1]) ** 2
"""What one observation adds at most."""

TARGET = 0.02
"""False ends per turn that are aimed at."""
CAUTION_STEP = 0.1
MAX_CAUTION = 1.5

MAX_UNKEPT = 1000
"""Observations that wait to be kept: two hours of talk. The oldest are lost: others have taught as much."""

Kind = Literal["inner_pause", "false_end", "turn_ended"]


class Observation(NamedTuple):
    """One thing that was observed; `ms` is the silence, where there was one."""

    kind: Kind
    ms: float = 0.0


@dataclass(slots=True)
class _Sums:
    """So many pauses (weights need not be whole), the sum of their logarithms and of the squares of these."""

    weight: float = 0.0
    logs: float = 0.0
    squares: float = 0.0

    def add(self, weight: float, log: float, square: float) -> None:
        self.weight += weight
        self.logs += weight * log
        self.squares += weight * square

    def scale(self, factor: float) -> None:
        self.weight *= factor
        self.logs *= factor
        self.squares *= factor

    def limit(self, weight: float) -> None:
        """Weigh at most so much, the newest as much as the older: what is added next weighs more than what was."""
        if self.weight > weight:
            self.scale(weight / self.weight)

    def take(self, other: _Sums) -> None:
        self.weight += other.weight
        self.logs += other.logs
        self.squares += other.squares


class PauseProfile:
    """What is known of one person's pauses; see the module. Nothing it is told makes it raise."""

    def __init__(self, *, patience: float = 1.0) -> None:
        self._memory = _Sums()
        self._today = _Sums()
        self._day: int | None = None
        self._caution = 0.0  # its logarithm
        self._patience = 1.0
        self.patience = patience
        self._unkept: deque[Observation] = deque(maxlen=MAX_UNKEPT)

    # --- what is observed --------------------------------------------------------------------------------------------

    def inner_pause(self, ms: float) -> None:
        """They were silent for so long and went on before the endpoint."""
        self.observe(Observation("inner_pause", ms))

    def false_end(self, ms: float) -> None:
        """They went on after we had taken the floor, so long after the end of speech: we should have waited."""
        self.observe(Observation("false_end", ms))

    def turn_ended(self) -> None:
        """A turn was over when we took it to be."""
        self.observe(Observation("turn_ended"))

    def observe(self, seen: Observation) -> None:
        """Learn from an observation, and hold it for `take_unkept`. What cannot be a pause is passed over."""
        if seen.kind != "turn_ended" and not SHORTEST_MS <= seen.ms <= LONGEST_MS:  # not a number is neither
            return
        self._unkept.append(seen)
        if seen.kind == "turn_ended":
            self._be_careful(-TARGET)
            return
        if seen.kind == "false_end":
            self._be_careful(1 - TARGET)
        self._learn(seen)

    @property
    def has_unkept(self) -> bool:
        return bool(self._unkept)

    def take_unkept(self) -> tuple[Observation, ...]:
        """What was observed since this was last asked, in its order, for whoever keeps the profile."""
        taken = tuple(self._unkept)
        self._unkept.clear()
        return taken

    def on_day(self, day: int) -> None:
        """It is this day, numbered from any beginning: former days fade. Yesterday, by another host's clock, is today;
        a day further back means that a clock was wrong, and only sets it right.
        """
        passed = 0 if self._day is None else day - self._day
        if self._day is None or passed < -1:
            self._day = day
        if passed <= 0:
            return
        self._day = day
        self._memory.take(self._today)
        self._today = _Sums()
        self._memory.scale(0.5 ** (passed / HALF_LIFE_DAYS))
        self._memory.limit(MEMORY_WEIGHT)
        self._caution *= 0.5 ** (passed / CAUTION_HALF_LIFE_DAYS)

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def patience(self) -> float:
        """Set by hand: every wait is multiplied by it. Kept within what the protocol allows."""
        return self._patience

    @patience.setter
    def patience(self, factor: float) -> None:
        if math.isfinite(factor):
            self._patience = min(max(factor, MIN_PATIENCE), MAX_PATIENCE)

    @property
    def caution(self) -> float:
        """What experience multiplies the patience by, 1 to `MAX_CAUTION`."""
        return math.exp(self._caution)

    @property
    def observed(self) -> float:
        """How many pauses the estimate stands on, those faded or crowded out left out."""
        return self._memory.weight + self._today.weight

    def pauses(self) -> Pauses:
        """This person's pauses, as endpointing wants them."""
        mean, sigma = self._estimate(self._memory, self._today)
        return Pauses(math.exp(mean), sigma, min(self._patience * self.caution, MAX_PATIENCE))

    def _estimate(self, *layers: _Sums) -> tuple[float, float]:
        """Mean and standard deviation of ln(pause) by these layers and everybody's, within their bounds."""
        mean = math.log(EVERYBODY.median_ms)
        everything = _Sums()
        everything.add(PRIOR_WEIGHT, mean, mean**2 + EVERYBODY.sigma**2)
        for layer in layers:
            everything.take(layer)
        mean = everything.logs / everything.weight
        variance = max(everything.squares / everything.weight - mean**2, 0.0)
        mean = min(max(mean, math.log(MEDIAN_MS[0])), math.log(MEDIAN_MS[1]))
        return mean, min(max(math.sqrt(variance), SIGMA[0]), SIGMA[1])

    def _learn(self, seen: Observation) -> None:
        mean, sigma = self._estimate(self._memory)
        z = min(max((math.log(seen.ms) - mean) / sigma, -CLIP), CLIP)
        weight = FALSE_END_WEIGHT if seen.kind == "false_end" else 1.0
        self._today.add(weight, mean + sigma * z, mean**2 + sigma * z * (2 * mean + sigma * z / _CLIPPED_SQUARE))
        known = self._memory.weight / MEMORY_WEIGHT
        self._today.limit(NEW_DAY_WEIGHT + (KNOWN_DAY_WEIGHT - NEW_DAY_WEIGHT) * known)

    def _be_careful(self, share: float) -> None:
        self._caution = min(max(self._caution + CAUTION_STEP * share, 0.0), math.log(MAX_CAUTION))

    # --- kept --------------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` takes, as JSON can hold it."""
        return {
            "version": VERSION,
            "patience": self._patience,
            "caution": self._caution,
            "day": self._day,
            "today": [self._today.weight, self._today.logs, self._today.squares],
            "memory": [self._memory.weight, self._memory.logs, self._memory.squares],
        }

    @classmethod
    def from_dict(cls, kept: object) -> PauseProfile:
        """The profile that was kept; a fresh one where it cannot be read, with the patience if that can be."""
        profile = cls()
        if not isinstance(kept, Mapping):
            return profile
        profile.patience = _number(kept.get("patience"), 1.0)
        day = kept.get("day")
        if kept.get("version") != VERSION or not (day is None or type(day) is int):
            return profile
        today, memory = _sums(kept.get("today"), NEW_DAY_WEIGHT), _sums(kept.get("memory"), MEMORY_WEIGHT)
        if today is not None and memory is not None:
            profile._day, profile._today, profile._memory = day, today, memory
            profile._caution = min(max(_number(kept.get("caution"), 0.0), 0.0), math.log(MAX_CAUTION))
        return profile


def _number(kept: object, otherwise: float) -> float:
    """A number as JSON has it, where it is one that floats can hold."""
    if not isinstance(kept, (int, float)):
        return otherwise
    try:
        number = float(kept)
    except OverflowError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def _sums(kept: object, limit: float) -> _Sums | None:
    """Sums as they were kept; None where no pauses within our bounds can have given them."""
    if not isinstance(kept, list) or len(kept) != 3:
        return None
    weight, logs, squares = (_number(one, -1.0) for one in kept)
    slack = 1e-6
    if not 0 <= weight <= limit + slack or not 0 <= logs <= weight * _MOST_LOG + slack:
        return None
    return _Sums(weight, logs, squares) if 0 <= squares <= weight * _MOST_SQUARE + slack else None
