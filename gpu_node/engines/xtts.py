"""XTTS v2: Korean and English in the voice of a speaker or of a recording, streamed in chunks. Wants a GPU.

The model runs in a process of its own (`gpu_node.xtts`); here its text is made ready and its licence is asked about. A
step waits for the next chunk for a moment only and yields nothing where none came, since the engine's thread serves
others too. Texts are spoken piece by piece; the next piece is asked for when the last one was taken, so that the model
does not work for somebody who has stopped listening.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np

from gpu_node import english_text, korean_text
from gpu_node.engines import Samples
from gpu_node.errors import BadSettings, UnsupportedLanguage
from gpu_node.phrase_audio import PAUSE_SECONDS
from gpu_node.weights import Weights
from gpu_node.xtts import frames, keeper
from gpu_node.xtts.text import pieces
from streaming.logs import logger
from streaming.messages import Language

log = logger("xtts")

SAMPLE_RATE = 24_000
LICENCE = "CPML 1.0.0: neither the weights nor what they speak may be used commercially"


class Xtts:
    """TextToSpeech. Raises BadSettings where nobody agreed to the weights' licence, WeightsMissing where they are not
    there; `warm_up` raises what loading them may: WeightsMissing, EngineError."""

    name = "xtts"
    sample_rate = SAMPLE_RATE
    languages: frozenset[Language] = frozenset({"ko", "en"})

    def __init__(
        self,
        weights: Weights,
        *,
        licence_accepted: bool,
        cache: Path,
        model: str = "xtts-v2",
        voice: str = "",
        device: str = "auto",
        threads: int = 2,
        chunk_tokens: int = 10,
        stall_seconds: float = 10.0,
        log_level: str = "info",
        command: Sequence[str] = keeper.COMMAND,
    ) -> None:
        if not licence_accepted:
            raise BadSettings(
                "TTS_ENGINE names xtts, whose weights are under the Coqui Public Model License: neither they nor what "
                "they speak may be used commercially. COQUI_TOS_AGREED=1 says that you agree to it."
            )
        folder = weights.folder(model, like="xtts-v2")
        log.warning("voice_licence", name=model, reason=LICENCE)
        self._keeper = keeper.VoiceKeeper(
            frames.Prepare(
                folder=str(folder),
                cache=str(cache),
                voice=voice,
                device=device,
                threads=threads,
                chunk_tokens=chunk_tokens,
                log_level=log_level,
            ),
            stall_seconds=stall_seconds,
            command=command,
        )

    @property
    def pid(self) -> int | None:
        """Of the process that speaks, while there is one."""
        return self._keeper.pid

    @property
    def voices(self) -> tuple[str, ...]:
        """The names a person may choose from; loads the model if it was not."""
        return self._keeper.start().voices

    def warm_up(self) -> None:
        """Wait until the process has loaded the model and spoken a sentence to itself."""
        self._keeper.start()

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Generator[Samples]:
        """Yields chunks as they come, empty ones while they do not, and after each piece its pause.

        One of `streaming.voices` is the recording of that name; a voice that this engine lacks is replaced by the
        house's. Text without a word yields nothing. Raises EngineError when the process dies over it.
        """
        if language not in self.languages:
            raise UnsupportedLanguage(f"xtts speaks {sorted(self.languages)}, not {language}")
        said = korean_text.spoken(text) if language == "ko" else english_text.spoken(text)
        speed = min(max(speed, 0.5), 2.0)
        for piece in pieces(said, language):
            yield from self._keeper.speak(piece.text, language=language, voice=voice, speed=speed)
            yield np.zeros(round(PAUSE_SECONDS[piece.end] / speed * SAMPLE_RATE), dtype=np.float32)

    def close(self) -> None:
        """End the process."""
        self._keeper.close()
