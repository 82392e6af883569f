"""The way from the loudspeaker to the microphone, for phones without echo cancellation."""

from __future__ import annotations

import numpy as np

from silvertalk.playback import VirtualPlayer
from streaming.audio import (
    FRAME_SAMPLES,
    MICROPHONE_RATE,
    Floats,
    ResampleStream,
    float_to_pcm16,
    ms_to_samples,
    pcm16_to_float,
)
from streaming.protocol import Duck, Event, Flush, SpokenAudio
from tests.conversations.case import Echo

DUCKED = 0.25
"""What a player makes of a ducked reply's level: 12 dB less."""

LONGEST_LAG_SAMPLES = ms_to_samples(200)
"""Where a busy machine stops the microphone the player runs on: what it missed of the echo it never hears."""


class Loudspeaker:
    """The sound of the replies as it comes back to the microphone: what is played, later and quieter."""

    def __init__(self, rate: int, echo: Echo) -> None:
        self._level = np.float32(10 ** (echo.db / 20))
        self._frame_samples = FRAME_SAMPLES * rate // MICROPHONE_RATE
        self._resample = ResampleStream(rate, MICROPHONE_RATE)
        self._delay_samples = ms_to_samples(echo.delay_ms)
        self._air = [np.zeros(self._delay_samples, dtype=np.float32)]
        self._replies: dict[int, bytearray] = {}
        self._played: dict[int, int] = {}
        self._ducked: set[int] = set()

    def take(self, event: Event, pcm: bytes) -> None:
        """Whatever the server says."""
        match event:
            case SpokenAudio():
                reply = self._replies.setdefault(event.turn, bytearray())
                reply.extend(bytes(max(0, 2 * event.first_sample - len(reply))))
                reply[2 * event.first_sample :] = pcm
            case Flush() if event.turn in self._replies:
                self._played[event.turn] = max(self._played.get(event.turn, 0), event.upto_sample)
            case Duck():
                (self._ducked.add if event.ducked else self._ducked.discard)(event.turn)

    def play(self, player: VirtualPlayer) -> None:
        """As far as `player` has played."""
        ends = {turn: player.playhead(turn) for turn in self._replies}
        fresh = [turn for turn, end in ends.items() if end > self._played.get(turn, 0)]
        if not fresh and player.playing is None:
            self._radiate(bytes(2 * self._frame_samples))
        for turn in fresh:
            start = self._played.get(turn, 0)
            self._played[turn] = ends[turn]
            sound = pcm16_to_float(bytes(self._replies[turn][2 * start : 2 * ends[turn]]))
            self._radiate(float_to_pcm16(sound * (DUCKED if turn in self._ducked else 1.0)))

    def give_back(self) -> Floats:
        """The next frame that the microphone hears of it."""
        air = np.concatenate(self._air)
        if len(air) > self._delay_samples + LONGEST_LAG_SAMPLES:
            air = air[-self._delay_samples - FRAME_SAMPLES :]
        frame, self._air = air[:FRAME_SAMPLES], [air[FRAME_SAMPLES:]]
        return np.pad(frame, (0, FRAME_SAMPLES - len(frame))) * self._level

    def _radiate(self, pcm: bytes) -> None:
        self._air.append(pcm16_to_float(self._resample.feed(pcm)))
