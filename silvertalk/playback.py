"""What a loudspeaker does with reply audio, without the loudspeaker: it plays in real time, runs dry, and is flushed.

Time is passed in (seconds on any one clock), so that a test plays an hour in no time. The audio itself is not kept
here: only how much of which turn is still to be played.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from streaming.protocol import Playhead

REMEMBERED_TURNS = 64
"""Turns of which is known how far they came; the server asks about the current one only."""


@dataclass(slots=True)
class _Stretch:
    turn: int
    position: int
    """The next sample to be played, counted within the turn's audio."""
    end: int


class VirtualPlayer:
    """Plays stretches of reply audio one after another at `rate` samples a second, in the order they came."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        # Stretches that follow each other are merged, so this holds about one entry a turn that is still to be played.
        self._waiting: deque[_Stretch] = deque()
        self._playheads: OrderedDict[int, int] = OrderedDict()
        self._ends: OrderedDict[int, int] = OrderedDict()
        """Per turn, the next sample to be taken: what lies before it came, or was flushed."""
        self._since = 0.0

    def has(self, turn: int, first_sample: int, samples: int) -> bool:
        """Whether none of this is to be played: it came before, or was flushed. A turn's pieces come in their order."""
        return first_sample + samples <= self._ends.get(turn, 0)

    def add(self, turn: int, first_sample: int, samples: int, now: float) -> int:
        """Append `samples` of `turn`, which start at `first_sample` of its audio, but for what came or was flushed.

        Returns how many of them, from the first on, that is.
        """
        self.advance(now)
        had = min(max(self._ends.get(turn, 0) - first_sample, 0), samples)
        first_sample, samples = first_sample + had, samples - had
        if samples <= 0:
            return had
        _remember(self._ends, turn, first_sample + samples)
        if not self._waiting:
            self._since = now
        last = self._waiting[-1] if self._waiting else None
        if last is not None and last.turn == turn and last.end == first_sample:
            last.end += samples
        else:
            self._waiting.append(_Stretch(turn, first_sample, first_sample + samples))
        return had

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
            _remember(self._playheads, stretch.turn, stretch.position)
            if stretch.position == stretch.end:
                self._waiting.popleft()

    def flush(self, turn: int, upto_sample: int, now: float) -> None:
        """Stop this turn's reply at `now` and drop what was not played of it.

        Audio of the turn from `upto_sample` on is another reply to it, and is played.
        """
        self.advance(now)
        self._waiting = deque(stretch for stretch in self._waiting if stretch.turn != turn)
        _remember(self._ends, turn, upto_sample)

    def playhead(self, turn: int) -> int:
        """How far this turn's audio was played by the last `advance`, in samples from its first."""
        return self._playheads.get(turn, 0)

    @property
    def last_playhead(self) -> Playhead | None:
        """How far the turn that was played last was played by the last `advance`; None before the first."""
        turn = next(reversed(self._playheads), None)
        return None if turn is None else Playhead(turn=turn, samples=self._playheads[turn])

    @property
    def playing(self) -> int | None:
        """The turn that is being played, None when there is nothing to play."""
        return self._waiting[0].turn if self._waiting else None

    @property
    def seconds_left(self) -> float:
        """How long what is buffered still lasts, as of the last `advance`."""
        return sum(stretch.end - stretch.position for stretch in self._waiting) / self._rate


def _remember(places: OrderedDict[int, int], turn: int, sample: int) -> None:
    places[turn] = sample
    places.move_to_end(turn)
    if len(places) > REMEMBERED_TURNS:
        places.popitem(last=False)
