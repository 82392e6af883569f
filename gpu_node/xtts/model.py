"""XTTS v2 itself: coqui-tts's `Xtts`, loaded from a folder and streamed. Runs in the voice process only.

Sampling is set here, to the values of `Xtts.inference_stream` itself; a checkpoint's configuration has others (a
repetition penalty of 2 in place of 10), and the voice should not change with a file.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models import xtts as coqui

from gpu_node.engines import Samples
from gpu_node.errors import WeightsMissing
from gpu_node.xtts import frames
from gpu_node.xtts.voices import Voices

SAMPLE_RATE = 24_000
OVERLAP_SAMPLES = 1024
"""Cross-faded where two chunks meet: 43 ms. Each chunk but the last is that much shorter than its tokens."""
SAMPLING: dict[str, Any] = {
    "temperature": 0.75,
    "length_penalty": 1.0,
    "repetition_penalty": 10.0,
    "top_k": 50,
    "top_p": 0.85,
    "do_sample": True,
}
WARM_UP = "그 이야기를 조금 더 들려주세요."


class _Xtts(coqui.Xtts):  # type: ignore[misc]
    """`Xtts` that only reads its folder.

    coqui-tts saves the original checkpoint anew, over itself, when it first loads it: a folder that may not be written
    refuses that, and a process killed meanwhile leaves half a model.
    """

    def _load_checkpoint(self, model_path: Path) -> dict[str, Any]:
        with coqui._legacy_safe_globals():
            checkpoint: dict[str, Any] = torch.load(model_path, map_location="cpu", weights_only=True)
        return checkpoint["model"]  # type: ignore[no-any-return]


class XttsModel:
    """The Speaker of `gpu_node.xtts.server`. Raises WeightsMissing for a folder that does not hold XTTS v2."""

    def __init__(self, prepare: frames.Prepare) -> None:
        torch.set_num_threads(prepare.threads)
        self._chunk_tokens = prepare.chunk_tokens
        self._model = _load(Path(prepare.folder), _device(prepare.device))
        self._voices = Voices(self._model, Path(prepare.folder), Path(prepare.cache), house=prepare.voice)
        self.prepared = frames.Prepared(
            sample_rate=SAMPLE_RATE,
            device=str(self._model.device),
            voice=self._voices.house,
            voices=self._voices.names,
        )
        # Here, so that a process started after a death is as quick at its first sentence as the one before. It is the
        # model that is slow at first (a GPU compiles and picks its kernels), not the language.
        for _ in self.speak(frames.Speak(0, WARM_UP, "ko")):
            pass

    def speak(self, request: frames.Speak) -> Generator[Samples]:
        """Chunks of `chunk_tokens` audio tokens, 46 ms each. One chunk is the step that cannot be interrupted."""
        latents = self._voices.latents(request.voice)
        stream = self._model.inference_stream(
            request.text,
            request.language,
            latents.gpt_cond_latent,
            latents.speaker_embedding,
            stream_chunk_size=self._chunk_tokens,
            overlap_wav_len=OVERLAP_SAMPLES,
            speed=request.speed,
            enable_text_splitting=False,  # its own wants spaCy; `gpu_node.xtts.text` has cut already
            **SAMPLING,
        )
        try:
            for chunk in stream:
                yield np.clip(chunk.detach().to("cpu", torch.float32).numpy().reshape(-1), -1.0, 1.0)
        finally:
            stream.close()

    def is_broken_by(self, error: Exception) -> bool:
        """After an error of the device itself every later call on it fails too; being out of memory passes."""
        if isinstance(error, torch.OutOfMemoryError):
            torch.cuda.empty_cache()
            return False
        return isinstance(error, torch.AcceleratorError)


def _device(asked: str) -> str:
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if asked == "cuda" and not torch.cuda.is_available():
        raise WeightsMissing(
            f"TTS_DEVICE is cuda, but torch {torch.__version__} finds no GPU here. To mend it: install torch's CUDA "
            "build and the driver, or set TTS_DEVICE=cpu."
        )
    return asked


def _load(folder: Path, device: str) -> Any:
    config = XttsConfig()
    try:
        config.load_json(str(folder / "config.json"))
        model = _Xtts(config)
        model.load_checkpoint(config, checkpoint_dir=str(folder), eval=True, use_deepspeed=False)
    except Exception as error:  # a wrong file ends in any of a dozen classes of five libraries
        raise WeightsMissing(f"{folder} cannot be loaded as XTTS v2: {type(error).__name__}: {error}") from error
    if (rate := config.model_args.output_sample_rate) != SAMPLE_RATE:
        raise WeightsMissing(f"{folder} speaks at {rate} Hz; XTTS v2 does at {SAMPLE_RATE}")
    return model.to(device)
