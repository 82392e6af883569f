"""What one client's lost connections cost it, from its events as they come. Pure: times come with the events.

Everything is reckoned from when the client knew that the connection was gone.
"""

from __future__ import annotations

from dataclasses import dataclass

from silvertalk.client import ConnectionLost, Received
from streaming.protocol import Flush, Ready, ReplyEnded, SpokenAudio


@dataclass(slots=True)
class LossRow:
    """One lost connection. Times are null where the thing did not happen."""

    client: int
    close_code: int
    lost_at: float
    """Seconds since the replay began."""
    resumed: bool = False
    """The session went on; where it did not and `ready_ms` is known, another one began."""
    ready_ms: float | None = None
    """Until the next `ready`."""
    next_sample_ms: float | None = None
    """Where a reply was under way: until the next of its audio came."""
    silence_ms: float | None = None
    """How much of that was heard as silence: what the player had still to play is taken off."""


class LossLog:
    """The losses of one client, in their order. `began`: the replay's beginning, on the event loop's clock."""

    def __init__(self, client: int, began: float) -> None:
        self.rows: list[LossRow] = []
        self._client = client
        self._began = began
        self._lost_at = 0.0
        self._to_play = 0.0
        self._replying: int | None = None
        """The turn of which audio has come, and more may."""
        self._waiting = False

    def take(self, received: Received) -> None:
        """Note one event; most change nothing."""
        match received.event:
            case ConnectionLost() as lost:
                self._lost_at, self._to_play = received.at, lost.seconds_to_play
                self._waiting = self._replying is not None
                self.rows.append(LossRow(self._client, lost.close_code, round(received.at - self._began, 3)))
            case Ready(resumed=resumed) if self.rows:
                self.rows[-1].resumed = resumed
                self.rows[-1].ready_ms = self._since_loss(received.at)
                if not resumed:
                    self._over()
            case SpokenAudio(turn=turn):
                if self._waiting and turn == self._replying:
                    row, self._waiting = self.rows[-1], False
                    row.next_sample_ms = self._since_loss(received.at)
                    row.silence_ms = max(0.0, round(row.next_sample_ms - self._to_play * 1000, 1))
                self._replying = turn
            case ReplyEnded(turn=turn) | Flush(turn=turn) if turn == self._replying:
                self._over()

    def _over(self) -> None:
        self._replying, self._waiting = None, False

    def _since_loss(self, at: float) -> float:
        return round((at - self._lost_at) * 1000, 1)
