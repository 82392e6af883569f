"""What the tuning half says of the figures in `streaming.endpointing.Rule`. For `benchmarks.turns`.

A logistic regression of "this pause is the end" on what is known there gives the weight of the sound, of the fading and
of each ending side by side, so that two witnesses who say the same thing are not both believed in full. Its ridge draws
every weight towards nothing: some endings occur a dozen times. What is printed is read by a person, who rounds it and
puts it in order where so few pauses cannot (a filler holds at least as much as a connective).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.turns_trial import HeardTurn
from streaming.endings import Ending, ending_of
from streaming.endpointing import RULE, fading_evidence, sound_evidence

RIDGE = 1.0
ROUNDS = 50

Matrix = npt.NDArray[np.float64]


def fitted(turns: Sequence[HeardTurn]) -> str:
    """The weights, a line each, beside those that the rule has."""
    endings = list(Ending)
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
            rows.append([1.0, *heard, *(float(ending is one) for one in endings)])
            ends.append(float(pause.kind == "end"))
    weights = _logistic(np.array(rows), np.array(ends))
    lines = [f"of {len(ends)} pauses {np.mean(ends):.0%} are ends; log-odds of an end {weights[0]:+.2f}"]
    for name, weight in zip(("sound", "fading"), weights[1:3], strict=True):
        lines.append(f"{name:10} {weight:+.2f} times what the rule believes of it")
    lines += [
        f"{ending:10} {weight:+.2f}   the rule: {RULE.words[ending]:+.2f}"
        for ending, weight in zip(endings, weights[3:], strict=True)
    ]
    return "\n".join(lines)


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
