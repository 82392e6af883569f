"""A microphone that never stops: 20 ms frames on an absolute schedule, a recording or the quiet of a room."""

from __future__ import annotations

import asyncio
from array import array

import numpy as np
import numpy.typing as npt

from silvertalk.client import TalkClient
from streaming.protocol import MICROPHONE_RATE

FRAME_SAMPLES = MICROPHONE_RATE // 50
FRAME_SECONDS = FRAME_SAMPLES / MICROPHONE_RATE
LOUDEST_ROOM_DBFS = -50.0
"""A clip without a pause has no floor of its own to go on with; nothing louder than this passes for a quiet room."""

Pcm = npt.NDArray[np.int16]


def room_tone(pcm: Pcm) -> Pcm:
    """Two seconds of quiet to follow `pcm`: noise as loud as its quietest tenth, the same noise every time.

    Live microphones give no zeros: a step from a room to digital silence would tell any detector that speech is over.
    What is silent digitally stays so. The file's own pauses are not looped: a remnant of a word would be heard again.
    """
    frames = pcm[: len(pcm) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES).astype(np.float64)
    levels = np.sqrt(np.mean(frames**2, axis=1)) if len(frames) else np.zeros(1)
    floor = min(float(np.percentile(levels, 10)), 32768 * 10 ** (LOUDEST_ROOM_DBFS / 20))
    noise = np.random.default_rng(0).normal(0.0, floor, 2 * MICROPHONE_RATE)
    return np.round(noise).astype(np.int16)


class Microphone:
    """Feeds one client. `run` is a task of its owner's."""

    def __init__(self, client: TalkClient) -> None:
        self._client = client
        self._clock = asyncio.get_running_loop().time
        self._first_sample = client.captured_samples
        self._frames = 0
        self._recording: Pcm = np.zeros(0, np.int16)
        self._position = 0
        self._tone: Pcm = np.zeros(2 * MICROPHONE_RATE, np.int16)
        self._said = asyncio.Event()
        self._sent_at = array("d")  # 8 bytes a frame: 1.4 MB an hour.
        self.lateness_ms = array("d")
        """How late each frame left: what this machine adds to every figure."""

    async def run(self) -> None:
        """Send frames for ever; a frame leaves when its last sample would have been captured."""
        began = self._clock()
        while True:
            due = began + (self._frames + 1) * FRAME_SECONDS
            await asyncio.sleep(max(0.0, due - self._clock()))
            await self._client.send_audio(self._next_frame().tobytes())
            now = self._clock()
            self._sent_at.append(now)
            self.lateness_ms.append((now - due) * 1000)
            if self._position >= len(self._recording):
                self._said.set()

    def say(self, pcm: Pcm) -> int:
        """Begin a recording with the next frame; returns which of all captured samples it starts at."""
        self._recording, self._position, self._tone = pcm, 0, room_tone(pcm)
        self._said.clear()
        return self._first_sample + self._frames * FRAME_SAMPLES

    async def said(self) -> None:
        """Wait until the recording has been sent to its end."""
        await self._said.wait()

    def sent_at(self, sample: int) -> float | None:
        """When the frame with this one of all captured samples was, on the event loop's clock; None if none was.

        While the connection is lost that is when it was spoken, not when the gateway came to hear of it.
        """
        frame = (sample - self._first_sample) // FRAME_SAMPLES
        return self._sent_at[frame] if 0 <= frame < len(self._sent_at) else None

    def _next_frame(self) -> Pcm:
        frame = self._recording[self._position : self._position + FRAME_SAMPLES]
        self._position += len(frame)
        self._frames += 1
        missing = FRAME_SAMPLES - len(frame)
        if not missing:
            return frame
        start = self._frames * FRAME_SAMPLES % (len(self._tone) - FRAME_SAMPLES)
        return np.concatenate((frame, self._tone[start : start + missing]))
