"""Waits between tries, growing and jittered, so that many processes do not come back all in the same instant."""

from __future__ import annotations

import random


class Backoff:
    """`next()` gives the seconds to wait: doubling from `first` to at most `limit`, each drawn from its upper half."""

    def __init__(self, first: float = 0.1, limit: float = 3.0) -> None:
        self._first = first
        self._limit = limit
        self._step = first

    def next(self) -> float:
        step, self._step = self._step, min(self._step * 2, self._limit)
        return step * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._step = self._first
