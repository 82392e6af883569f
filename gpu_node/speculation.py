"""How many replies a node begins before it is known whether they are wanted.

Such a reply saves a person a second of waiting, or it was for nothing: an LLM was paid, and an engine's step cannot be
taken back from under a turn that needs it. So there are at most so many a minute, and none on a node that is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable

BURST_SECONDS = 15.0
"""Several people may pause at once: what the bucket holds is a quarter of a minute's worth, and one at least."""


class Speculations:
    """A token bucket of speculative replies, shared by a node's turns. `clock`: seconds, monotonic."""

    def __init__(
        self,
        per_minute: int,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`per_minute` 0: never. `is_busy`: whether others want the engine now."""
        self._per_second = per_minute / 60
        self._room = max(1.0, self._per_second * BURST_SECONDS)
        self._is_busy = is_busy
        self._clock = clock
        self._tokens = self._room
        self._filled_at = clock()

    def declined(self) -> str:
        """Take one; or why not: `off`, `busy` or `too_many`. Empty where it may be."""
        if not self._per_second:
            return "off"
        if self._is_busy():
            return "busy"
        now = self._clock()
        self._tokens = min(self._room, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1.0:
            return "too_many"
        self._tokens -= 1.0
        return ""
