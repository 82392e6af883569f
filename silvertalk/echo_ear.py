"""Listens to one voice that speaks into a reply: is it the reply's own echo? By its sound, without a word.

What `streaming.echo_witness` says of the last seconds is kept for the whole of the voice: who was heard once beside the
echo has spoken, however long the echo goes on alone afterwards.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from silvertalk.overlap import SOMEBODY_ABOVE, SURE_ECHO_BELOW, Witnessed
from streaming.audio import FRAME_SAMPLES, MICROPHONE_RATE, ms_to_samples
from streaming.echo_witness import BANDS, BEFORE, LONGEST, ROWS_A_SECOND, Bands, EchoWitness, Heard, Played

LOOK_SAMPLES = ms_to_samples(100)
"""The sound is looked at so often: a look takes about a millisecond."""
ECHO_LOOKS = 2
"""A voice of which two looks said that it is surely an echo alone began as one; once it is chance, where somebody began
when the echo would."""
LEAST_MS = 300
"""Of a shorter voice nothing is said: its first consonant may be all that was heard of it."""
PART_ROWS = LONGEST - 25
"""A voice longer than is looked at is heard in parts, each of which is remembered."""


class Sound(Protocol):
    """The part of `silvertalk.microphone` that still knows what was just heard."""

    @property
    def received_samples(self) -> int: ...

    def sound(self, first_sample: int, end_sample: int) -> bytes:
        """What of this is still held, to its end."""
        ...


class EchoEar:
    """One voice over one reply."""

    def __init__(self, witness: EchoWitness, played: Played, microphone: Sound, onset_sample: int) -> None:
        self._witness = witness
        self._played = played
        self._microphone = microphone
        self._bands = Bands(MICROPHONE_RATE)
        self._rows = np.zeros((0, BANDS), np.float32)
        self._began_row = onset_sample // FRAME_SAMPLES
        self._first_row = max(0, self._began_row - BEFORE)
        self._part_row = self._began_row
        self._heard_to: int | None = None
        self._looked_to = 0
        self._before = 0.0
        """How surely somebody was heard in the parts that are over."""
        self._rows_before = self._rows_now = 0
        """How many rows are somebody's, of the parts that are over and of the one that is not."""
        self._sure_looks = 0
        """How often it was surely an echo."""
        self._alone = False
        """As it was found first: later there is a voice before."""
        self.heard: Heard | None = None
        """What was made of it last; None before it was long enough."""

    def listen(self) -> bool:
        """Hear what has come, and look at it if enough has; whether there is something new to be known."""
        end = self._microphone.received_samples
        if end - self._looked_to < LOOK_SAMPLES:
            return False
        self._looked_to = end
        self._hear(end)
        began = self._part_row - self._first_row
        if len(self._rows) - began < LEAST_MS * MICROPHONE_RATE // FRAME_SAMPLES // 1000:
            return False
        first = self.heard is None
        self.heard = self._witness.look(self._rows, began, self._played, self._first_row)
        self._alone = self.heard.alone if first else self._alone
        self._sure_looks += self.heard.somebody < SURE_ECHO_BELOW
        self._rows_now = self.heard.somebodys_rows
        if len(self._rows) - began >= PART_ROWS:
            self._before = max(self._before, self.heard.somebody)
            self._rows_before, self._rows_now = self._rows_before + self._rows_now, 0
            self._part_row = self._first_row + len(self._rows)
        return True

    @property
    def somebody(self) -> float | None:
        """How surely somebody has spoken, beside the echo or without one, since the voice began; None: not known."""
        return None if self.heard is None else max(self._before, self.heard.somebody)

    @property
    def is_surely_echo(self) -> bool:
        return self.somebody is not None and self.somebody < SURE_ECHO_BELOW

    @property
    def is_somebody(self) -> bool:
        """With an echo or without."""
        return self.somebody is not None and self.somebody > SOMEBODY_ABOVE

    def testimony(self, voiced_ms: float) -> Witnessed | None:
        """For whoever judges the words of a voice that has sounded so long; None where nothing is known."""
        somebody = self.somebody
        if somebody is None:
            return None
        return Witnessed(
            somebody=somebody,
            alone=self._alone,
            voiced_ms=voiced_ms,
            beside_echo=self._sure_looks >= ECHO_LOOKS,
            own_ms=(self._rows_before + self._rows_now) * 1000.0 / ROWS_A_SECOND,
        )

    def _hear(self, end: int) -> None:
        if self._heard_to is None:
            self._heard_to = self._first_row * FRAME_SAMPLES
            sound = self._microphone.sound(self._heard_to, end)
            # Of a microphone that was not there so early the beginning is silence.
            missing = (end - self._heard_to) * 2 - len(sound)
            sound = bytes(missing) + sound
        else:
            sound = self._microphone.sound(self._heard_to, end)
        self._heard_to = end
        self._rows = np.concatenate([self._rows, self._bands.feed(sound)])
        surplus = len(self._rows) - LONGEST - BEFORE
        if surplus > 0:
            self._rows, self._first_row = self._rows[surplus:], self._first_row + surplus
