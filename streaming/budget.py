"""How often something may happen: a pure token bucket, fed with a clock from outside."""

from __future__ import annotations


class Bucket:
    """Fills at `rate` a second up to `burst`; `take` says whether an amount was there."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at: float | None = None

    def take(self, amount: float, now: float) -> bool:
        """Take `amount` at time `now` (seconds, any clock that does not go back)."""
        if self._at is not None:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if amount > self._level:
            return False
        self._level -= amount
        return True
