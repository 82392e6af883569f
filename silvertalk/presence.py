"""Whether anything comes from the client: only then does time pass for what it is believed to be playing.

A radio that has stalled and a phone that is locked are silent for a while, and nobody tells: what was sent meanwhile is
played, or told again, once they are back. A microphone is never silent, and a player says several times a second where
it is, so silence is soon noticed. Of a client from which neither ever came nothing can be known by it. Pure but for the
clock passed in.
"""

from __future__ import annotations

from collections.abc import Callable

SILENT_SECONDS = 1.0
"""Longer than microphones and players are silent, and shorter than any belief in what was played takes."""


class Presence:
    """Of one session's client."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds."""
        self._clock = clock
        self._is_connected = False
        self._heard_at: float | None = None
        self.acknowledges = False
        """It says how far it has played: what it has not said it played is not believed."""

    def came(self) -> None:
        """A client is connected. Whether anything comes from it will be seen."""
        self._is_connected = True

    def left(self) -> None:
        """Its connection is gone."""
        self._is_connected = False

    def heard(self, *, acknowledging: bool = False) -> bool:
        """Sound, or (`acknowledging`) how far it has played, has come from it. True where it had been silent."""
        was_silent = self._is_silent
        self._heard_at = self._clock()
        self.acknowledges = self.acknowledges or acknowledging
        return was_silent

    @property
    def is_away(self) -> bool:
        """Nobody is connected, or nothing comes from who is: nothing is known to be played."""
        return not self._is_connected or self._is_silent

    @property
    def _is_silent(self) -> bool:
        return self._heard_at is not None and self._clock() - self._heard_at > SILENT_SECONDS
