"""Smart Turn v3.2: does this sound as if the person has finished? One piece of evidence for the endpoint, at a pause.

The model is Whisper tiny's encoder with a classifier behind it (8 MB, int8), of 23 languages, Korean among them, and
hears melody and pace, not words. It wants the last 8 s of the turn at the end of its window and nothing before them:
audio, brought to mean 0 and variance 1 with the zeros that fill it up on the left, then Whisper's log-mel spectrogram
([1, 80, 800]), out of which comes one probability.

https://github.com/pipecat-ai/smart-turn (BSD-2-Clause). The spectrogram: Radford et al. 2022 (arXiv 2212.04356),
section 2.2, its mel scale Slaney's (Auditory Toolbox, 1998).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gpu_node.engines import Samples
from gpu_node.errors import EngineError, WeightsMissing
from gpu_node.weights import Weights
from streaming.audio import MICROPHONE_RATE
from streaming.onnx import hush

WINDOW_SAMPLES = 8 * MICROPHONE_RATE
MELS = 80
FFT_SAMPLES = 400
HOP_SAMPLES = 160
VARIANCE_FLOOR = 1e-7
POWER_FLOOR = 1e-10
SHAPE = [MELS, WINDOW_SAMPLES // HOP_SAMPLES]


class SmartTurn:
    """The model on the CPU. One thread at a time may use it; a score is one step of 50 to 100 ms."""

    name = "smart-turn-v3.2"

    def __init__(self, weights: Weights, *, threads: int = 1) -> None:
        """Raises WeightsMissing where the model is not to be found or is another one."""
        path = weights.file("smart-turn")
        hush()
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as native

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except (native.InvalidProtobuf, native.InvalidGraph, native.Fail) as error:
            raise WeightsMissing(f"{path} is no model that onnxruntime can load: {error}") from error
        wanted = [(port.name, port.shape[1:]) for port in self._session.get_inputs()]
        if wanted != [("input_features", SHAPE)]:
            raise WeightsMissing(f"{path} takes {wanted}: it is not Smart Turn v3")

    def warm_up(self) -> None:
        """Hear nothing once: the first run allocates."""
        self.score(np.zeros(MICROPHONE_RATE, dtype=np.float32))

    def score(self, audio: Samples) -> float:
        """How much `audio` (16 kHz, the turn so far with the first of the silence) sounds finished: 0 to 1.

        Raises EngineError.
        """
        features = spectrogram(last_window(audio))
        try:
            (answer,) = self._session.run(None, {"input_features": features[np.newaxis]})
        except RuntimeError as error:  # onnxruntime's own exceptions are RuntimeErrors or Exceptions of its native part
            raise EngineError(f"{self.name}: {error}") from error
        return float(np.asarray(answer).reshape(-1)[0])


def last_window(audio: Samples) -> Samples:
    """The last 8 s of `audio`, filled up with zeros before it."""
    heard = audio[-WINDOW_SAMPLES:]
    return np.pad(heard, (WINDOW_SAMPLES - len(heard), 0))


def spectrogram(window: Samples) -> Samples:
    """Whisper's log-mel features [80, 800] of 8 s, its level and offset taken out first."""
    level = (window - window.mean()) / np.sqrt(window.var() + VARIANCE_FLOOR)
    # Frames are centred, so the first and the last reach beyond the window: reflected there, and the last is dropped.
    padded = np.pad(level, FFT_SAMPLES // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[:-1:HOP_SAMPLES]
    power = np.square(np.abs(np.fft.rfft(frames * _hann(), axis=-1)))
    log_mel = np.log10(np.maximum(_mel_filters() @ power.T, POWER_FLOOR))
    # Whisper keeps 80 dB below the loudest point, and brings them to about -1 to 1.
    features: Samples = ((np.maximum(log_mel, log_mel.max() - 8) + 4) / 4).astype(np.float32)
    return features


@cache
def _hann() -> npt.NDArray[np.float64]:
    """Periodic, as torch.hann_window is."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES)


@cache
def _mel_filters() -> npt.NDArray[np.float64]:
    """[80, 201]: triangles between neighbouring points of the mel scale from 0 to 8 kHz, each of area one."""
    points = _hertz(np.linspace(0, _MEL_OF_8_KHZ, MELS + 2))
    left, centre, right = points[:-2, np.newaxis], points[1:-1, np.newaxis], points[2:, np.newaxis]
    bins = np.linspace(0, MICROPHONE_RATE / 2, FFT_SAMPLES // 2 + 1)
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.maximum(triangles, 0) * 2 / (right - left)


_MEL_HERTZ = 200 / 3
_LINEAR_MELS = 15.0
"""Slaney's scale: straight up to 1 kHz (15 mels), above it 27 mels for each factor of 6.4."""
_MEL_OF_8_KHZ = float(_LINEAR_MELS + np.log(8.0) * 27 / np.log(6.4))


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _LINEAR_MELS * _MEL_HERTZ * np.exp((mels - _LINEAR_MELS) * np.log(6.4) / 27)
    return np.where(mels < _LINEAR_MELS, mels * _MEL_HERTZ, above)
