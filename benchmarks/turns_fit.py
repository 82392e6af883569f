"""What the tuning half says of the figures in `streaming.endpointing.Rule`. For `benchmarks.turns`.

A logistic regression of "this pause is the end" on what is known there gives the weight of the sound, of the fading and
of each ending side by side, so that two witnesses who say the same thing are not both believed in full. Its ridge draws
every weight towards nothing: some endings occur a dozen times. What is printed is read by a person, who rounds it; so
few pauses cannot order the endings (a filler holds at least as much as a connective, a question closes at least as much
as a statement), so that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from benchmarks.turns_trial import HeardTurn
from streaming.endings import Ending, ending_of
from streaming.endpointing import RULE, Rule, fading_evidence, sound_evidence

RIDGE = 1.0
ROUNDS = 50

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """`pauses` with words were looked at, of which `ends` were ends."""

    pauses: int
    ends: int
    log_odds: float
    """Of an end, with no evidence."""
    sound: float
    """How much of what the rule believes of it by itself is to be believed beside the words; likewise the fading."""
    fading: float
    words: Mapping[Ending, float]

    def __str__(self) -> str:
        return "\n".join(
            (
                f"of {self.pauses} pauses {self.ends / self.pauses:.0%} are ends, log-odds {self.log_odds:+.2f}",
                f"sound beside words  {self.sound:+.2f}   the rule: {RULE.sound_beside_words:+.2f}",
                f"fading beside words {self.fading:+.2f}   the rule: {RULE.fading_beside_words:+.2f}",
                *(
                    f"{ending:10} {weight:+.2f}   the rule: {RULE.words[ending]:+.2f}"
                    for ending, weight in self.words.items()
                ),
            )
        )

    def rule(self) -> Rule:
        """The rule with these figures as they are, in the order that is known beforehand."""
        words = dict(self.words)
        words[Ending.FILLER] = min(words[Ending.FILLER], words[Ending.HOLDS])
        words[Ending.ASKS] = max(words[Ending.ASKS], words[Ending.CLOSES])
        return replace(
            RULE,
            sound_beside_words=max(self.sound, 0.0),
            fading_beside_words=max(self.fading, 0.0),
            words=MappingProxyType(words),
        )


def fitted(turns: Sequence[HeardTurn]) -> Fit:
    rows, ends = [], []
    for turn in turns:
        for pause in turn.pauses:
            if pause.kind == "elsewhere" or pause.evidence.text is None:
                continue
            ending = ending_of(pause.evidence.text, turn.turn.language)
            # In units of the rule's own evidence: 1 means that its weight is right.
            heard = [
                sound_evidence(pause.evidence.sound),
                0.0 if pause.faded is None else fading_evidence(pause.faded),
            ]
            rows.append([1.0, *heard, *(float(ending is one) for one in Ending)])
            ends.append(float(pause.kind == "end"))
    log_odds, sound, fading, *words = map(float, _logistic(np.array(rows), np.array(ends)))
    return Fit(len(ends), int(sum(ends)), log_odds, sound, fading, dict(zip(Ending, words, strict=True)))


def _logistic(rows: Matrix, ends: Matrix) -> Matrix:
    """Newton's method; the intercept is not drawn towards nothing."""
    penalty = RIDGE * np.eye(rows.shape[1])
    penalty[0, 0] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(ROUNDS):
        probable = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (ends - probable) - penalty @ weights
        curvature = (rows * (probable * (1 - probable))[:, np.newaxis]).T @ rows + penalty
        weights = weights + np.linalg.solve(curvature, slope)
    return weights
