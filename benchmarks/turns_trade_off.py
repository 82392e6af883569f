"""What a design saves at a fixed timer's rate of false ends, and how sure that is. For `benchmarks.turns`.

A design's certainty is swept, and of all that cut no more pauses than the timer does the least mean wait counts. The
interval is a bootstrap's: as many speakers are drawn again and again with replacement, whole, since the turns of one
speaker are alike (several end in the same recording), and the middle 90 % of what comes out is what stands there. The
sweep is searched anew in each draw, as it was in the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.turns_trial import HeardTurn, Outcome, Policy, tried

CERTAINTIES = tuple(1 / (1 + np.exp(-odds)) for odds in np.arange(-4, 8.01, 0.1))
"""What the sweep tries, even steps of log-odds."""
DRAWS = 2000
SHARE = 90
"""Per cent of the draws that the interval holds."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """What some policies made of each speaker: [speakers, policies], but for the turns and the ends [speakers, 1]."""

    turns: Matrix
    cut: Matrix
    waited_ms: Matrix
    """All waits after true ends together."""
    ends: Matrix

    def rates(self, weights: Matrix) -> Matrix:
        """False ends a turn, [draws, policies]; `weights` [draws, speakers]: how often each speaker was drawn."""
        return (weights @ self.cut) / (weights @ self.turns)

    def waits_ms(self, weights: Matrix) -> Matrix:
        """Mean waits, [draws, policies]."""
        return (weights @ self.waited_ms) / (weights @ self.ends)


@dataclass(frozen=True)
class Saving:
    """The least mean wait at a timer's rate of false ends, and how much more than the timer's that is: -0.3 is less."""

    wait_ms: float
    change: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.wait_ms:.0f} ({self.change:+.0%}; {self.low:+.0%} to {self.high:+.0%})"


def savings(design: Policy, timers_ms: Sequence[float], turns: Sequence[HeardTurn]) -> list[Saving]:
    """One for each timer."""
    return savings_of([(design, turns)], timers_ms)


def savings_of(trials: Sequence[tuple[Policy, Sequence[HeardTurn]]], timers_ms: Sequence[float]) -> list[Saving]:
    """One for each timer, of all the turns together, each trial's decided by its own design; one certainty for all."""
    timers = _together([tallied([Policy("", fixed_wait_ms=ms) for ms in timers_ms], turns) for _, turns in trials])
    swept = _together([tallied(sweep_of(design), turns) for design, turns in trials])
    speakers = len(timers.turns)
    drawn = np.random.default_rng(6).multinomial(speakers, np.full(speakers, 1 / speakers), size=DRAWS).astype(float)
    sample = np.ones((1, speakers))
    (waits_ms,) = _least_ms(swept, timers, sample)
    (timers_waits_ms,) = timers.waits_ms(sample)
    spread = _least_ms(swept, timers, drawn) / timers.waits_ms(drawn) - 1
    low, high = np.percentile(spread, [50 - SHARE / 2, 50 + SHARE / 2], axis=0)
    return [Saving(*map(float, each)) for each in zip(waits_ms, waits_ms / timers_waits_ms - 1, low, high, strict=True)]


def _together(tallies: Sequence[Tally]) -> Tally:
    """Of other speakers each."""
    return Tally(*(np.concatenate(tables) for tables in zip(*map(astuple, tallies), strict=True)))


def sweep_of(design: Policy) -> list[Policy]:
    return [replace(design, rule=replace(design.rule, certainty=certainty)) for certainty in CERTAINTIES]


def tallied(policies: Sequence[Policy], turns: Sequence[HeardTurn]) -> Tally:
    by_speaker: dict[str, list[HeardTurn]] = {}
    for turn in turns:
        by_speaker.setdefault(turn.turn.speaker, []).append(turn)
    outcomes = [[tried(policy, some) for policy in policies] for some in by_speaker.values()]

    def table(measure: Callable[[Outcome], float]) -> Matrix:
        return np.array([[measure(outcome) for outcome in row] for row in outcomes], dtype=np.float64)

    # How many turns and ends there are is no policy's doing.
    return Tally(
        turns=table(lambda outcome: outcome.turns)[:, :1],
        cut=table(lambda outcome: len(outcome.cut)),
        waited_ms=table(lambda outcome: sum(outcome.waits_ms)),
        ends=table(lambda outcome: len(outcome.waits_ms))[:, :1],
    )


def _least_ms(swept: Tally, timers: Tally, weights: Matrix) -> Matrix:
    """[draws, timers]; infinite where even the most certain rule cuts more."""
    allowed = swept.rates(weights)[:, np.newaxis, :] <= timers.rates(weights)[:, :, np.newaxis] + 1e-9
    waits_ms = np.where(allowed, swept.waits_ms(weights)[:, np.newaxis, :], np.inf)
    return np.asarray(waits_ms.min(axis=2))
