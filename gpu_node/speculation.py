"""How many replies a node begins before it is known whether they are wanted.

Such a reply saves a person a second of waiting, or it was for nothing: an LLM was paid, and an engine's step cannot be
taken back from under a turn that needs it. So there are at most so many a minute, and none on a node that is busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from streaming.budget import Bucket

BURST_SECONDS = 15.0
"""Several people may pause at once: what the bucket holds is a quarter of a minute's worth, and one at least."""


class Speculations:
    """The budget of speculative replies, shared by a node's turns. `clock`: seconds, monotonic."""

    def __init__(
        self,
        per_minute: int,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`per_minute` 0: never. `is_busy`: whether others want the engine now."""
        self._is_off = not per_minute
        self._is_busy = is_busy
        self._clock = clock
        self._bucket = Bucket(per_minute / 60, max(1.0, per_minute / 60 * BURST_SECONDS))

    def declined(self) -> str:
        """Take one; or why not: `off`, `busy` or `too_many`. Empty where it may be."""
        if self._is_off:
            return "off"
        if self._is_busy():
            return "busy"
        return "" if self._bucket.take(1, self._clock()) else "too_many"
