"""Which reply the gateway wants now, after all that it has said so far. Pure.

A turn that comes from another node begins with everything that was ever said of it: only what holds at the end counts.
"""

from __future__ import annotations

from streaming.messages import CancelReply, ConfirmReply, SpeechResumed, StartReply

Command = StartReply | ConfirmReply | CancelReply | SpeechResumed


class Asked:
    """The commands of one turn, as they come."""

    def __init__(self) -> None:
        self._start: StartReply | None = None
        self._confirmed_attempt = 0
        self._cancelled_attempt = 0

    def take(self, command: Command) -> None:
        match command:
            case StartReply():
                if self._start is None or command.attempt > self._start.attempt:
                    self._start = command
            case ConfirmReply():
                self._confirmed_attempt = max(self._confirmed_attempt, command.attempt)
            case CancelReply():
                self._cancelled_attempt = max(self._cancelled_attempt, command.attempt)
            case SpeechResumed():
                # Who was only supposed to have finished has not: what was begun for that is for nothing.
                if self._start is not None and not self.is_confirmed:
                    self._cancelled_attempt = max(self._cancelled_attempt, self._start.attempt)

    @property
    def reply(self) -> StartReply | None:
        """The reply to be made; None while there is none."""
        wanted = self._start is not None and self._start.attempt > self._cancelled_attempt
        return self._start if wanted else None

    @property
    def is_confirmed(self) -> bool:
        """The utterance of the last reply asked for has ended."""
        start = self._start
        return start is not None and (not start.speculative or self._confirmed_attempt == start.attempt)
