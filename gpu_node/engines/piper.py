"""Piper: English, fast and light (a tenth of real time on one core). An optional extra, because its engine is GPL.

Nothing of it is imported until the engine is made. The voice comes from `gpu_node.weights` (`piper-en`); a folder of
another Piper voice may stand in its place, whose rate is then this engine's.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_node.engines import Samples
from gpu_node.english_text import spoken
from gpu_node.errors import EngineError, UnsupportedLanguage, WeightsMissing
from gpu_node.phrase_audio import PAUSE_SECONDS, finished
from gpu_node.weights import Weights
from streaming.messages import Language
from streaming.onnx import hush

if TYPE_CHECKING:
    from piper import PiperVoice


class Piper:
    """TextToSpeech. Raises WeightsMissing where the `piper` extra or its voice is absent."""

    name = "piper"
    languages: frozenset[Language] = frozenset({"en"})

    def __init__(self, weights: Weights, *, threads: int = 2) -> None:
        if importlib.util.find_spec("piper") is None:
            raise WeightsMissing(
                "piper-tts is not installed. To mend it: install the `piper` extra (its engine is GPL)."
            )
        folder = weights.folder("piper-en")
        self._voice = _load(folder, threads)
        self.sample_rate: int = self._voice.config.sample_rate

    def warm_up(self) -> None:
        """Speak once at a usual length; the first call also loads the phonemiser's tables."""
        for _ in self.synthesize("It is good to hear your voice today.", language="en", voice="", speed=1.0):
            pass

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Generator[Samples]:
        """Yields one sentence after another with the pause that follows it. There is one voice, a man's,
        whichever is asked for."""
        from piper import SynthesisConfig

        if language not in self.languages:
            raise UnsupportedLanguage(f"piper speaks English, not {language}")
        speed = min(max(speed, 0.5), 2.0)
        settings = SynthesisConfig(length_scale=self._voice.config.length_scale / speed, normalize_audio=False)
        said = spoken(text)
        if not re.search("[A-Za-z]", said):
            return
        # Piper's own sentence splitting asks espeak; cut at the same signs here, so that each pause is known.
        for sentence, sign in re.findall(r"([^.!?…]+)([.!?…]?)[.!?…]*", said):
            if not sentence.strip():
                continue
            try:
                pieces = [
                    piece.audio_float_array for piece in self._voice.synthesize(sentence.strip() + sign, settings)
                ]
            except (RuntimeError, ValueError) as error:
                raise EngineError(f"piper failed: {error}") from error
            if pieces:
                end = sign if sign in PAUSE_SECONDS and sign else ","
                yield finished(np.concatenate(pieces), end=end, rate=self.sample_rate, speed=speed)


def _load(folder: Any, threads: int) -> PiperVoice:
    """The voice over a session of our own: Piper's would take every core there is."""
    hush()
    import onnxruntime
    from piper import PiperConfig, PiperVoice

    model = min(folder.glob("*.onnx"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        config = PiperConfig.from_dict(json.loads(model.with_suffix(".onnx.json").read_text(encoding="utf-8")))
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsMissing(f"{model} cannot be loaded: {error}") from error
    return PiperVoice(session=session, config=config)
