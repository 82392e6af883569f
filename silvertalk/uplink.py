"""What goes up, in its order, kept until the gateway has it: ten seconds of microphone, and what was typed or pressed.

Pure: no socket, no clock. A sample has two numbers: its place among all that was ever captured here, which never
changes, and its number in the session, which is what the gateway counts. They are one distance apart; the distance
grows where audio is gone for good, since the gateway numbers what it receives without a gap.

A `text` or a `commit` belongs between two samples, and this tells what became of it when a connection was lost: it went
up before the samples that follow it, so a gateway that has those has it too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from streaming.audio import AudioTail
from streaming.protocol import (
    MAX_AUDIO_MESSAGE_BYTES,
    MICROPHONE_RATE,
    Cancel,
    Commit,
    Event,
    Problem,
    Text,
    TurnEnded,
)

KEPT_SAMPLES = 10 * MICROPHONE_RATE
"""At the bound the oldest samples go: whoever was away for longer than that has lost them."""
KEPT_MESSAGES = 16
"""Typed texts and pressed buttons kept for a gateway that is away; at the bound the oldest goes."""
SAMPLES_PER_MESSAGE = MAX_AUDIO_MESSAGE_BYTES // 2
REFUSALS = frozenset({"wrong_order", "text_too_long", "bad_field"})
"""Faults that answer a `text` or a `commit`: it came, and will not be obeyed."""

Pressed = Commit | Text | Cancel


@dataclass(frozen=True, slots=True)
class _Said:
    at: int
    """How many samples had been captured when it was said."""
    message: Pressed


class Uplink:
    """Takes what a person says and gives it out again in order, from wherever the gateway wants it.

    `first_number`: the number in the session of the first sample captured. Numbers are samples throughout.
    """

    def __init__(self, first_number: int = 0, *, kept_samples: int = KEPT_SAMPLES) -> None:
        self._tail = AudioTail(kept_samples)
        self._kept_samples = kept_samples
        self._distance = -first_number
        """Place among the captured less number in the session."""
        self._moves = [(0, self._distance)]
        """Every distance, with the number from which on it held."""
        self._next = 0
        """The place of the next sample to be sent."""
        self._to_say: deque[_Said] = deque()
        self._said: deque[_Said] = deque()
        """Sent over this connection, and nothing tells yet that it came."""
        self.received_samples = first_number
        """What the gateway last said that it has."""

    # --- what a person says ------------------------------------------------------------------------------------------

    def speak(self, pcm: bytes) -> None:
        """Microphone audio, whole samples. The oldest goes where there is no room, sent or not: see `room_for`."""
        self._tail.append(pcm)

    def say(self, message: Pressed) -> None:
        """Something typed or pressed; it keeps its place among the samples."""
        if len(self._to_say) == KEPT_MESSAGES:
            self._to_say.popleft()
        self._to_say.append(_Said(self.captured_samples, message))

    @property
    def captured_samples(self) -> int:
        """All that was ever captured here."""
        return self._tail.end_sample

    @property
    def next_number(self) -> int:
        """The number in the session of the next sample to be captured."""
        return self._tail.end_sample - self._distance

    def captured_at(self, number: int) -> int:
        """The place among all that was captured of the sample with this number in the session."""
        for first_number, distance in reversed(self._moves):
            if number >= first_number:
                return number + distance
        return number + self._moves[0][1]

    # --- what is sent ------------------------------------------------------------------------------------------------

    def room_for(self, samples: int) -> bool:
        """Whether `speak` would drop nothing that has not been sent."""
        return self._tail.end_sample - self._next + samples <= self._kept_samples

    @property
    def empty(self) -> bool:
        """Whether all is sent."""
        return not self._to_say and self._next == self._tail.end_sample

    def take(self) -> bytes | Pressed | None:
        """The next thing to be sent (audio in messages of the protocol's size), None where all is sent."""
        end = min(self._tail.end_sample, self._next + SAMPLES_PER_MESSAGE)
        if self._to_say:
            if self._to_say[0].at <= self._next:
                return self._take_message()
            end = min(end, self._to_say[0].at)
        if end == self._next:
            return None
        pcm = self._tail.read(self._next, end)
        self._next = end
        return pcm

    def _take_message(self) -> Pressed:
        said = self._to_say.popleft()
        if not isinstance(said.message, Cancel):  # Said again later it would stop another reply than the one meant.
            if len(self._said) == KEPT_MESSAGES:
                self._said.popleft()
            self._said.append(said)
        return said.message

    # --- what the gateway has ----------------------------------------------------------------------------------------

    def take_in(self, event: Event) -> None:
        """An event may answer something said: that came, then, and need not be said again."""
        match event:
            case TurnEnded(reason="typed"):
                self._answered(Text)
            case TurnEnded(reason="commit"):
                self._answered(Commit)
            case Problem(code=code) if code in REFUSALS:
                self._answered(Text, Commit)

    def acknowledge(self, number: int) -> None:
        """The gateway has every sample before this number, and what was said before that."""
        self.received_samples = max(self.received_samples, number)
        self._forget_said(number + self._distance)

    def go_on(self, number: int) -> None:
        """The same session over another connection: send from this number on, or from the oldest sample kept."""
        wanted = number + self._distance
        self._forget_said(wanted)
        self._send_from(wanted, number)

    def begin_again(self, number: int) -> None:
        """Another session: what the old one never acknowledged is sent again, its first sample as `number`."""
        wanted = self.received_samples + self._distance
        self._forget_said(wanted)
        self._to_say = deque(said for said in self._to_say if not isinstance(said.message, Cancel))
        self._moves.clear()
        self._send_from(wanted, number)

    def _send_from(self, place: int, number: int) -> None:
        self._next = min(max(place, self._tail.first_sample), self._tail.end_sample)
        self._distance = self._next - number
        if not self._moves or self._moves[-1][1] != self._distance:
            self._moves.append((number, self._distance))
        self.received_samples = number
        self._to_say.extendleft(reversed(self._said))
        self._said.clear()

    def _forget_said(self, place: int) -> None:
        """What stood before the sample at `place - 1` has come, since that sample has."""
        while self._said and self._said[0].at < place:
            self._said.popleft()

    def _answered(self, *kinds: type[Pressed]) -> None:
        for said in self._said:
            if isinstance(said.message, kinds):
                self._said.remove(said)
                return
