"""Silero over a whole recording at leisure: every window in order, no gate before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from silvertalk.replay.speech_ends import WINDOW_SAMPLES, Detector, Pcm
from streaming.vad import CONTEXT_SAMPLES, SileroMemory, SileroModel, Window, find_silero


def load_detector() -> Detector | None:
    """Silero, or None where its model is not installed: energy then decides alone."""
    try:
        model = SileroModel(find_silero())
    except FileNotFoundError:
        return None

    def detect(pcm: Pcm) -> npt.NDArray[np.float32]:
        windows = -(-len(pcm) // WINDOW_SAMPLES)
        sound = np.pad(pcm, (CONTEXT_SAMPLES, windows * WINDOW_SAMPLES - len(pcm)))
        memory = SileroMemory()
        probabilities = [
            model.score([(memory, Window(first, _cut(sound, first), restart=first == 0, counts=True))])[0]
            for first in range(0, windows * WINDOW_SAMPLES, WINDOW_SAMPLES)
        ]
        return np.array(probabilities, np.float32)

    return detect


def _cut(sound: Pcm, first_sample: int) -> bytes:
    """A window with the context before it; `sound` begins with one context's length of silence."""
    return sound[first_sample : first_sample + CONTEXT_SAMPLES + WINDOW_SAMPLES].astype("<i2").tobytes()
