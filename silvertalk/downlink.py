"""What comes down, once: events told apart by their number, reply audio by what the player has had of it already.

Pure: messages and times in, what is new out.
"""

from __future__ import annotations

from typing import NamedTuple

from silvertalk.playback import VirtualPlayer
from streaming.audio import BYTES_PER_SAMPLE
from streaming.errors import ProtocolError
from streaming.protocol import (
    Duck,
    EndpointWait,
    Event,
    FloorMoved,
    Flush,
    NoticeTold,
    PartialTranscript,
    Ready,
    ReceivedSamples,
    Reconnect,
    ServerEvent,
    Speculation,
    SpokenAudio,
    decode_audio,
    decode_event,
)

MAX_RECORDED_BYTES = 64 * 1024 * 1024
"""Reply audio kept in `recorded`; beyond it the oldest turn's audio is dropped."""

PASSING = (Duck, EndpointWait, FloorMoved, NoticeTold, PartialTranscript, ReceivedSamples, Reconnect, Speculation)
"""Told to whoever is there, and not again to who was away: always news, and no position to come back to."""


class ConnectionLost(Event, frozen=True, tag="client.connection_lost"):
    """Said by the client itself: the connection is gone, and it is coming back. `ready` tells when it has.

    `playing` is the turn whose reply was being played then, with `seconds_to_play` of it still to come.
    """

    close_code: int
    reason: str
    playing: int | None
    seconds_to_play: float


class Received(NamedTuple):
    """One event as it arrived, with the samples it announced if it is `reply.audio`."""

    event: ServerEvent | ConnectionLost
    at: float
    """On the event loop's clock."""
    pcm: bytes = b""


class Downlink:
    """Reads what one session says, over however many connections; plays its replies and records them."""

    def __init__(self, ready: Ready) -> None:
        self.position = (ready.epoch, ready.event)
        """Epoch and number of the last event that would be told again. It only grows."""
        self.player = VirtualPlayer(ready.output_rate)
        self.recorded: dict[int, bytearray] = {}
        """Per turn, the audio of its last reply: PCM16 mono at `ready.output_rate`."""
        self._flushed: set[int] = set()
        """Turns whose reply was stopped: what comes of them now is another one."""
        self._announced: SpokenAudio | None = None

    def take(self, message: str | bytes, now: float) -> Received | None:
        """What is new in a message: None for what was told before, and for an announcement until its audio is here.

        Raises ProtocolError.
        """
        if isinstance(message, bytes):
            return self._take_audio(message, now)
        event = decode_event(message)
        if isinstance(event, SpokenAudio):
            self._announced = event
            return None
        if not self._is_news(event):
            return None
        if isinstance(event, Flush):
            self.player.flush(event.turn, event.upto_sample, now)
            self._flushed.add(event.turn)
        return Received(event, now)

    def connect(self) -> None:
        """Another connection: what the last one announced and did not bring will be announced anew."""
        self._announced = None

    def begin_again(self, ready: Ready) -> None:
        """Another session, with its own turns: what was still to be played and what was recorded are dropped."""
        self.position = (ready.epoch, ready.event)
        self.player = VirtualPlayer(ready.output_rate)
        self.recorded.clear()
        self._flushed.clear()
        self._announced = None

    def _is_news(self, event: ServerEvent) -> bool:
        if isinstance(event, PASSING) or not event.epoch:  # Epoch 0: said by no session, such as why it closes.
            return True
        number = (event.epoch, event.event)
        if number <= self.position:
            return False
        self.position = number
        return True

    def _take_audio(self, message: bytes, now: float) -> Received | None:
        announced, self._announced = self._announced, None
        if announced is None:
            raise ProtocolError("bad_audio", "audio that no reply.audio announced")
        header, pcm = decode_audio(message)
        samples = len(pcm) // BYTES_PER_SAMPLE
        if (header.turn, header.sequence, header.first_sample, samples) != (
            announced.turn,
            announced.sequence,
            announced.first_sample,
            announced.samples,
        ):
            raise ProtocolError("bad_audio", f"{header} with {len(pcm)} bytes is not what was announced: {announced}")
        self._is_news(announced)  # It moves the position, but what counts is whether the player has it.
        if self.player.has(header.turn, header.first_sample, samples):
            return None
        had = self.player.add(header.turn, header.first_sample, samples, now)
        self._record(header.turn, pcm[had * BYTES_PER_SAMPLE :])
        return Received(announced, now, pcm[had * BYTES_PER_SAMPLE :])

    def _record(self, turn: int, pcm: bytes) -> None:
        if turn in self._flushed:
            self._flushed.discard(turn)
            self.recorded.pop(turn, None)
        self.recorded.setdefault(turn, bytearray()).extend(pcm)
        while len(self.recorded) > 1 and sum(map(len, self.recorded.values())) > MAX_RECORDED_BYTES:
            del self.recorded[next(iter(self.recorded))]
