"""Hearing when somebody speaks: webrtcvad as the gate, Silero behind it.

`VoiceActivity` is one microphone: it cuts whatever arrives into windows of 32 ms, and says which of them are worth a
model's time. `SileroModel` scores such windows, of as many microphones as there are at once; what it remembers of each
is a `SileroMemory`, which the caller keeps. Neither knows of threads: `silvertalk.listening` joins the two.

    feed(pcm) -> [Window, …] -> SileroModel.score -> scored(window, probability) -> [ScoredWindow, …]

The gate costs 4 us for 20 ms where Silero costs 60 to 140 us for 32 ms, and in a quiet room it stays shut. It is no
judge of speech (it opens for typing, dishes and traffic), so it is set to open easily: over 110 recordings of speech
it hides 0.3 % of the windows that Silero alone calls speech, 0.6 % when they are 20 dB quieter.
Silero: https://github.com/snakers4/silero-vad (MIT); 16 kHz, 512 samples a call after 64 of context.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import webrtcvad

from streaming.audio import BYTES_PER_SAMPLE, FRAME_BYTES, FRAME_SAMPLES, MICROPHONE_RATE, Floats, Pcm, sample_count
from streaming.onnx import hush

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64
MEMORY_SHAPE = (2, 1, 128)

MODEL_FILE = "silero_vad.onnx"
MODEL_SHA256 = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"
"""The file in the wheel silero-vad 6.2.3. Of the variants in it the fastest: 140 us a window alone, 60 in a batch."""

INPUT_GAIN = 2.0
"""6 dB before the model, which hears worse what is quiet: of 110 recordings turned down by 20 dB, those whose start was
lost fell from 14 to 5, and no recording of noise opened a turn that did not before."""


# --- the model -------------------------------------------------------------------------------------------------------


def find_silero(models_root: Path | None = None) -> Path:
    """The model's file: `models_root` first, then the silero-vad wheel, whose code is never imported (it wants torch).

    Raises FileNotFoundError, or ValueError where the wheel's file is not the one measured here.
    """
    if models_root is not None and (configured := models_root / MODEL_FILE).is_file():
        return configured
    spec = find_spec("silero_vad")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "data" / MODEL_FILE
        if path.is_file():
            if hashlib.sha256(path.read_bytes()).hexdigest() != MODEL_SHA256:
                raise ValueError(f"{path} is not the model of silero-vad 6.2.3")
            return path
    raise FileNotFoundError(f"{MODEL_FILE} is neither under the models' folder nor in an installed silero-vad wheel")


class SileroMemory:
    """What the model remembers of one microphone between two windows."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: Floats = np.zeros(MEMORY_SHAPE, dtype=np.float32)


class SileroModel:
    """Silero's ONNX on one thread of the CPU; it holds no microphone's state, and one thread at a time may use it."""

    def __init__(self, path: Path) -> None:
        hush()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # One thread: the model is too small to share out, and onnxruntime's idle threads spin.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._rate = np.array(MICROPHONE_RATE, dtype=np.int64)

    def score(self, batch: Sequence[tuple[SileroMemory, Window]]) -> list[float]:
        """The probability of speech in each window, 0 to 1; no microphone's memory may occur twice in a batch."""
        sound = np.frombuffer(b"".join([window.pcm for _, window in batch]), dtype="<i2")
        floats = sound.reshape(len(batch), -1).astype(np.float32) * np.float32(INPUT_GAIN / 32768)
        for memory, window in batch:
            if window.restart:
                memory.state = np.zeros(MEMORY_SHAPE, dtype=np.float32)
        states = np.concatenate([memory.state for memory, _ in batch], axis=1)
        probabilities, states = self._session.run(None, {"input": floats, "state": states, "sr": self._rate})
        for index, (memory, _) in enumerate(batch):
            memory.state = states[:, index : index + 1]
        return [float(probability) for probability in probabilities[:, 0]]


# --- one microphone --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When webrtcvad's opinion of 20 ms frames opens and shuts the gate."""

    mode: int = 1
    """webrtcvad's 0 (opens easily) to 3. From 2 on it misses quiet voices."""
    open_frames: int = 2
    open_span_frames: int = 3
    """Two frames of the last three: a single click does not wake the model."""
    hang_frames: int = 15
    """300 ms without a voiced frame shut it: longer than a stop consonant, shorter than the wait after an utterance."""
    history_windows: int = 10
    """Windows from before the opening that the model hears first, so that it does not start from nothing: 320 ms."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window for the model."""

    first_sample: int
    pcm: bytes
    """CONTEXT_SAMPLES from before the window, then its WINDOW_SAMPLES."""
    restart: bool
    """The model has not heard what came before: it forgets this microphone first."""
    counts: bool
    """False for history: the window was reported as silence long ago, only the model's memory is wanted."""


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """What is known of WINDOW_SAMPLES of a microphone, reported in order and without gaps."""

    first_sample: int
    probability: float
    """Of speech; 0 where the gate was shut."""
    gate_open: bool

    @property
    def end_sample(self) -> int:
        return self.first_sample + WINDOW_SAMPLES


class VoiceActivity:
    """One microphone's windows. The same PCM gives the same windows however it is cut into pieces."""

    def __init__(self, first_sample: int = 0, gate: GateSettings | None = None) -> None:
        self._gate = gate or GateSettings()
        self._webrtc = webrtcvad.Vad(self._gate.mode)
        self._frame_at = self._window_at = self._end = first_sample
        # The newest samples, as far back as the history goes; the first window's context is silence.
        self._audio = bytearray(CONTEXT_SAMPLES * BYTES_PER_SAMPLE)
        self._audio_at = first_sample - CONTEXT_SAMPLES
        self._open = False
        self._voiced: deque[bool] = deque(maxlen=self._gate.open_span_frames)
        self._unvoiced_frames = 0
        self._modelled_to: int | None = None
        self._earliest = first_sample
        self._unreported: deque[_Slot] = deque()
        self._slots: dict[int, _Slot] = {}
        self._last_probability = 0.0

    def feed(self, pcm: Pcm) -> list[Window]:
        """Takes the next samples; returns what the model should hear, in order. AudioError for half a sample."""
        self._end += sample_count(pcm)
        self._audio += pcm
        wanted: list[Window] = []
        while True:
            frame_end, window_end = self._frame_at + FRAME_SAMPLES, self._window_at + WINDOW_SAMPLES
            # In the order of their ends, never of their arrival: so no cut of the PCM can change the outcome.
            if frame_end <= min(window_end, self._end):
                self._hear_frame()
            elif window_end <= self._end:
                wanted += self._hear_window()
            else:
                break
        self._forget()
        return wanted

    def scored(self, window: Window, probability: float | None) -> None:
        """The model's answer for a window of `feed`; None if it was never asked, being too busy."""
        if window.counts:
            slot = self._slots.pop(window.first_sample)
            slot.probability = probability
            slot.answered = True

    def reports(self) -> list[ScoredWindow]:
        """The windows that are settled and not yet reported, up to the first whose answer is still to come.

        A window the model never heard is taken to be as the one before: silence must not be invented in the middle of
        somebody's sentence because the machine is overloaded.
        """
        settled: list[ScoredWindow] = []
        while self._unreported and self._unreported[0].answered:
            slot = self._unreported.popleft()
            if slot.probability is not None:
                self._last_probability = slot.probability
            settled.append(ScoredWindow(slot.first_sample, self._last_probability, slot.gate_open))
        return settled

    def _hear_frame(self) -> None:
        start = (self._frame_at - self._audio_at) * BYTES_PER_SAMPLE
        voiced = self._webrtc.is_speech(bytes(self._audio[start : start + FRAME_BYTES]), MICROPHONE_RATE)
        self._frame_at += FRAME_SAMPLES
        self._voiced.append(voiced)
        self._unvoiced_frames = 0 if voiced else self._unvoiced_frames + 1
        if self._open:
            self._open = self._unvoiced_frames < self._gate.hang_frames
        else:
            self._open = sum(self._voiced) >= self._gate.open_frames

    def _hear_window(self) -> list[Window]:
        first_sample = self._window_at
        self._window_at += WINDOW_SAMPLES
        slot = _Slot(first_sample, gate_open=self._open)
        self._unreported.append(slot)
        if not self._open:
            slot.probability, slot.answered = 0.0, True
            return []
        self._slots[first_sample] = slot
        history = first_sample - self._gate.history_windows * WINDOW_SAMPLES
        start = max(history, self._earliest if self._modelled_to is None else self._modelled_to)
        restart = start != self._modelled_to
        self._modelled_to = self._window_at
        return [
            Window(at, self._cut(at), restart=restart and at == start, counts=at == first_sample)
            for at in range(start, self._window_at, WINDOW_SAMPLES)
        ]

    def _cut(self, first_sample: int) -> bytes:
        start = (first_sample - CONTEXT_SAMPLES - self._audio_at) * BYTES_PER_SAMPLE
        return bytes(self._audio[start : start + (CONTEXT_SAMPLES + WINDOW_SAMPLES) * BYTES_PER_SAMPLE])

    def _forget(self) -> None:
        wanted_from = self._window_at - self._gate.history_windows * WINDOW_SAMPLES - CONTEXT_SAMPLES
        if wanted_from > self._audio_at:
            del self._audio[: (wanted_from - self._audio_at) * BYTES_PER_SAMPLE]
            self._audio_at = wanted_from


@dataclass(slots=True)
class _Slot:
    """A window on its way to being reported."""

    first_sample: int
    gate_open: bool
    probability: float | None = None
    answered: bool = False
