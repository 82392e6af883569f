"""What a loudspeaker does with reply audio, without the loudspeaker: it plays in real time, runs dry, and is flushed.

Time is passed in (seconds on any one clock), so that a test plays an hour in no time. The audio itself is not kept
here: only how much of which turn is still to be played.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

REMEMBERED_TURNS = 64
"""Playheads kept after playing; the server asks about the current turn only."""


@dataclass(slots=True)
class _Stretch:
    turn: int
    position: int
    """The next sample to be played, counted within the turn's reply."""
    end: int


class VirtualPlayer:
    """Plays stretches of reply audio one after another at `rate` samples a second, in the order they came."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        # Stretches that follow each other are merged, so this holds about one entry a turn that is still to be played.
        self._waiting: deque[_Stretch] = deque()
        self._playheads: OrderedDict[int, int] = OrderedDict()
        self._since = 0.0

    def add(self, turn: int, first_sample: int, samples: int, now: float) -> None:
        """Append `samples` of `turn`, which start at `first_sample` of its reply."""
        self.advance(now)
        if samples <= 0:
            return
        if not self._waiting:
            self._since = now
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.turn == turn and last.end == first_sample:
            last.end += samples
        else:
            self._waiting.append(_Stretch(turn, first_sample, first_sample + samples))

    def advance(self, now: float) -> None:
        """Play up to `now`."""
        # A thousandth of a sample for what floats lose: whoever sleeps to a sample's end finds it played.
        budget = int((now - self._since) * self._rate + 1e-3)
        if not self._waiting or budget <= 0:
            return
        self._since += budget / self._rate
        while self._waiting and budget > 0:
            stretch = self._waiting[0]
            played = min(budget, stretch.end - stretch.position)
            stretch.position += played
            budget -= played
            self._remember(stretch.turn, stretch.position)
            if stretch.position == stretch.end:
                self._waiting.popleft()

    def flush(self, now: float) -> None:
        """Stop at `now` and drop whatever was not played."""
        self.advance(now)
        self._waiting.clear()

    def playhead(self, turn: int) -> int:
        """Samples of this turn's reply that were played by the last `advance`."""
        return self._playheads.get(turn, 0)

    @property
    def playing(self) -> int | None:
        """The turn that is being played, None when there is nothing to play."""
        return self._waiting[0].turn if self._waiting else None

    @property
    def seconds_left(self) -> float:
        """How long what is buffered still lasts, as of the last `advance`."""
        return sum(stretch.end - stretch.position for stretch in self._waiting) / self._rate

    def _remember(self, turn: int, position: int) -> None:
        self._playheads[turn] = position
        self._playheads.move_to_end(turn)
        if len(self._playheads) > REMEMBERED_TURNS:
            self._playheads.popitem(last=False)
