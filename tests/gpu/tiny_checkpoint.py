"""`python -m tests.gpu.tiny_checkpoint DIR`: a folder like a user's XTTS v2, by the real classes, with random weights.

What it says is noise, but every step is the real one: the tokenizer with its romanised Korean, GPT with its cache, the
full decoder (not a small one: it cannot be configured, and product code is not to be changed for a test).
"""

from __future__ import annotations

import string
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

GPT_CHANNELS = 64
TOKENS = 20
"""Audio tokens of every utterance, 46 ms each."""
CHUNK_TOKENS = 5
"""What the tests ask for, to have several chunks of so few; a CPU needs a second for them, a busy one many."""
SECONDS = TOKENS * 1024 / 22_050
SHAPE: dict[str, Any] = {
    "gpt_layers": 2,
    "gpt_n_model_channels": GPT_CHANNELS,
    "gpt_n_heads": 2,
    "gpt_max_audio_tokens": TOKENS,
    "gpt_max_text_tokens": 402,
    "gpt_max_prompt_tokens": 70,
    "gpt_num_audio_tokens": 34,
    "gpt_start_audio_token": 32,
    "gpt_stop_audio_token": 33,
    "gpt_code_stride_len": 1024,
    "gpt_use_perceiver_resampler": True,  # what tells v2 from v1
    "decoder_input_dim": GPT_CHANNELS,
    "d_vector_dim": 512,
    "output_sample_rate": 24_000,
    "input_sample_rate": 22_050,
}
SPEAKERS = ("Tiny Speaker", "Other Speaker")
RECORDING = "reference.wav"


def build(folder: Path) -> None:
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models import xtts

    torch.manual_seed(0)
    config = XttsConfig()
    for name, value in SHAPE.items():
        setattr(config.model_args, name, value)
    folder.mkdir(parents=True, exist_ok=True)
    write_vocabulary(folder / "vocab.json", config.languages)
    model = xtts.Xtts(config)
    model.tokenizer = VoiceBpeTokenizer(vocab_file=str(folder / "vocab.json"))
    model.init_models()  # anew: the tokenizer decides the size of the text embedding
    with torch.no_grad():
        # Never the end by chance: every utterance is as long as it may be.
        model.gpt.mel_head.bias[SHAPE["gpt_stop_audio_token"]] = -40.0
    with xtts._legacy_safe_globals():
        # As the original checkpoint is: with its configuration pickled beside the weights, by its classes' old names.
        torch.save({"model": model.state_dict(), "config": config}, folder / "model.pth")
    torch.save({name: speaker(number) for number, name in enumerate(SPEAKERS)}, folder / "speakers_xtts.pth")
    config.save_json(str(folder / "config.json"))
    write_recording(folder / "voices" / RECORDING)


def speaker(seed: int) -> dict[str, Any]:
    import torch

    noise = torch.Generator().manual_seed(seed)
    embedding = torch.randn(1, 512, 1, generator=noise)
    return {
        "gpt_cond_latent": torch.randn(1, 32, GPT_CHANNELS, generator=noise) * 0.1,
        "speaker_embedding": torch.nn.functional.normalize(embedding, dim=1),
    }


def write_vocabulary(path: Path, languages: list[str]) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    signs = ["[STOP]", "[UNK]", "[SPACE]", "[START]", *(f"[{language}]" for language in languages)]
    letters = string.ascii_lowercase + string.digits + ".,!?'-:;\"()"
    numbers = {sign: number for number, sign in enumerate([*signs, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=[], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(signs)
    tokenizer.save(str(path))


def write_recording(path: Path, *, seconds: float = 4.0, rate: int = 22_050, level: float = 0.3) -> None:
    """A buzz that swells three times a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, level * np.sin(2 * np.pi * 140 * times) * (1 + np.sin(2 * np.pi * 3 * times)) / 2, rate)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
