"""The voices of an XTTS folder: the speakers stored beside the model, and recordings of people who agreed to it.

A voice is two tensors, its latents. Those of `speakers_xtts.pth` are ready; those of a recording (`voices/NAME.wav`)
are computed once, which on a CPU takes seconds, and kept in the cache. They are read with soundfile: torchaudio's own
reading needs torchcodec, FFmpeg and, on a machine without a GPU, CUDA's libraries all the same.

A voice's latents are as personal as the recording: the cache's files are readable by this user alone.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch

from gpu_node.errors import WeightsMissing
from streaming.logs import logger

log = logger("voice")

RECORDINGS = "voices"
"""The folder inside the model's in which recordings stand."""
REFERENCE_RATE = 22_050
"""Of the spectrograms XTTS was conditioned on."""
SHORTEST_SECONDS = 3.0
"""Less gives a voice that changes from sentence to sentence; 6 to 12 s of calm speech are best."""
LONGEST_SECONDS = 120.0
"""XTTS listens to the first seconds only (`max_ref_len`); a file this long was put there by mistake."""
QUIETEST_PEAK = 0.01
"""A microphone that was off."""
KEPT_VOICES = 32
"""Latents in memory, 130 KB each; the least recently used is read from the cache again."""
FORMAT = 1
"""Of the cache's files; raise it when what they hold is computed in another way."""
_EDGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Latents:
    """`gpt_cond_latent` [1, frames, channels] sets how it is said, `speaker_embedding` [1, 512, 1] who says it."""

    gpt_cond_latent: Any
    speaker_embedding: Any


class Voices:
    """Latents by name. `house` speaks where a name is not known here: people keep a voice's name of another engine."""

    def __init__(self, model: Any, folder: Path, cache: Path, *, house: str = "") -> None:
        """Raises WeightsMissing where there is no voice at all, or none called `house`."""
        self._model = model
        self._recordings = folder / RECORDINGS
        self._cache = cache / "xtts-voices"
        self._identity = _identity(folder / "model.pth")
        manager = getattr(model, "speaker_manager", None)
        self._stored: dict[str, Any] = dict(manager.speakers) if manager is not None else {}
        self._known: OrderedDict[str, Latents] = OrderedDict()
        if not self.names:
            raise WeightsMissing(
                f"{folder} has no voice. To mend it: put speakers_xtts.pth there, or a recording into {RECORDINGS}/."
            )
        if house and not self._is_known(house):
            raise WeightsMissing(
                f"TTS_VOICE names {house}, which {folder} does not have. It has {', '.join(self.names[:12])}"
                f"{' and others' if len(self.names) > 12 else ''}."
            )
        self.house = house or self.names[0]
        self.latents(self.house)  # a recording that cannot serve is told at the start

    @property
    def names(self) -> tuple[str, ...]:
        """The stored speakers in their own order, then the recordings."""
        return (*self._stored, *sorted(path.name for path in self._recordings.glob("*.wav")))

    def latents(self, name: str) -> Latents:
        """Of `name`, or of the house's voice. Raises WeightsMissing for a recording that cannot serve.

        A recording is known without its suffix as well: `warm_female.wav` is whoever shall speak under that name
        (`streaming.voices`). Which of the stored speakers would, nobody has listened for."""
        if not self._is_known(name):
            name = f"{name}.wav" if self._is_known(f"{name}.wav") else self.house
        if (known := self._known.get(name)) is not None:
            self._known.move_to_end(name)
            return known
        stored = self._stored.get(name)
        found = _latents(stored) if stored is not None else self._of_recording(self._recordings / name)
        self._known[name] = found
        if len(self._known) > KEPT_VOICES:
            self._known.popitem(last=False)
        return found

    def _is_known(self, name: str) -> bool:
        # The name may be a client's: it is compared with the folder's content, never made into a path.
        return name in self._stored or name in self.names

    def _of_recording(self, path: Path) -> Latents:
        config = self._model.config
        key = hashlib.sha256(
            f"{FORMAT} {self._identity} {_sha256(path)} {config.gpt_cond_len} {config.gpt_cond_chunk_len}".encode()
        ).hexdigest()
        file = self._cache / f"{key[:32]}.pt"
        if (kept := _read(file)) is not None:
            return kept
        audio = torch.from_numpy(_reference(path, config.max_ref_len)[None, :])
        computed = Latents(
            self._model.get_gpt_cond_latents(
                audio, REFERENCE_RATE, length=config.gpt_cond_len, chunk_length=config.gpt_cond_chunk_len
            ),
            self._model.get_speaker_embedding(audio, REFERENCE_RATE),
        )
        _write(file, computed)
        log.info("voice_computed", size=file.stat().st_size)
        return computed


def _latents(stored: dict[str, Any]) -> Latents:
    return Latents(stored["gpt_cond_latent"], stored["speaker_embedding"])


# --- recordings ------------------------------------------------------------------------------------------------------


def _reference(path: Path, longest_seconds: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A recording as XTTS wants to hear it: mono, 22.05 kHz, its first `longest_seconds`."""
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise WeightsMissing(f"{path} cannot be read as a WAV: {error}") from error
    seconds = len(audio) / rate
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise WeightsMissing(
            f"{path} lasts {seconds:.1f} s. To mend it: give {SHORTEST_SECONDS:.0f} to {LONGEST_SECONDS:.0f} s, "
            "best 6 to 12 s of one person speaking calmly."
        )
    mono = audio.mean(axis=1)
    if not np.isfinite(mono).all() or np.max(np.abs(mono)) < QUIETEST_PEAK:
        raise WeightsMissing(f"{path} holds no sound")
    resampled = soxr.resample(mono[: longest_seconds * rate], rate, REFERENCE_RATE, quality="HQ")
    reference: np.ndarray[Any, np.dtype[np.float32]] = np.clip(resampled, -1.0, 1.0).astype(np.float32, copy=False)
    return reference


def _identity(model: Path) -> str:
    """Tells one checkpoint from another without reading two gigabytes: its size and both ends. The end of a torch file
    is a directory with a checksum of every tensor."""
    digest = hashlib.sha256()
    with model.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest.update(str(size).encode())
        for start in (0, max(0, size - _EDGE_BYTES)):
            file.seek(start)
            digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the cache -------------------------------------------------------------------------------------------------------


def _read(file: Path) -> Latents | None:
    """What the cache holds under this name; None where that is nothing, or not whole."""
    try:
        # weights_only: whoever can write into the cache must not be able to run code here.
        held = torch.load(file, map_location="cpu", weights_only=True)
        latents = _latents(held)
        assert latents.gpt_cond_latent.ndim == latents.speaker_embedding.ndim == 3
        return latents
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged file fails in pickle, in zip or in torch, each in its own way
        log.warning("voice_cache_damaged", exc_info=error)
        return None


def _write(file: Path, latents: Latents) -> None:
    """Whole or not at all: two processes may compute the same voice at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, building = tempfile.mkstemp(dir=file.parent, prefix=".building-")  # readable by this user alone
    try:
        with os.fdopen(handle, "wb") as out:
            torch.save(
                {
                    "gpt_cond_latent": latents.gpt_cond_latent.cpu(),
                    "speaker_embedding": latents.speaker_embedding.cpu(),
                },
                out,
            )
            out.flush()
            os.fsync(out.fileno())
        os.replace(building, file)
    except BaseException:
        with suppress(OSError):
            os.unlink(building)
        raise
