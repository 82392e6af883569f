"""The real model in its own process: streamed, cancelled, killed."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpu_node.engines.xtts import Xtts
from gpu_node.errors import EngineError
from gpu_node.weights import Weights
from gpu_node.xtts import frames
from gpu_node.xtts.keeper import VoiceKeeper
from streaming.messages import Language
from tests.gpu.tiny_checkpoint import CHUNK_TOKENS, RECORDING, SECONDS, SPEAKERS

if importlib.util.find_spec("TTS") is None:
    pytest.skip("torch and coqui-tts are not installed here; `make test-gpu` has them", allow_module_level=True)

TEXTS: dict[Language, str] = {
    "ko": "안녕하세요, 오늘 날씨가 좋아서 산책을 다녀왔어요.",
    "en": "Hello, I went for a walk today.",
}


@pytest.fixture(scope="module")
def xtts(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Xtts]:
    engine = Xtts(
        weights,
        licence_accepted=True,
        cache=tmp_path_factory.mktemp("cache"),
        voice=RECORDING,
        chunk_tokens=CHUNK_TOKENS,
        stall_seconds=60,
    )
    engine.warm_up()
    yield engine
    engine.close()


@pytest.mark.parametrize("voice", ["", SPEAKERS[0]])
@pytest.mark.parametrize("language", ["ko", "en"])
def test_it_streams_a_sentence(xtts: Xtts, language: Language, voice: str) -> None:
    chunks = [
        chunk for chunk in xtts.synthesize(TEXTS[language], language=language, voice=voice, speed=1.0) if chunk.size
    ]
    *spoken, pause = chunks
    assert len(spoken) >= 3
    assert all(chunk.dtype == np.float32 and np.isfinite(chunk).all() and np.abs(chunk).max() <= 1 for chunk in spoken)
    assert all(chunk.any() for chunk in spoken) and not pause.any()
    seconds = sum(map(len, spoken)) / xtts.sample_rate
    assert 0.8 * SECONDS < seconds < 1.1 * SECONDS


def test_a_longer_text_is_spoken_in_pieces(xtts: Xtts) -> None:
    text = " ".join(f"{TEXTS['ko']}" for _ in range(4))
    chunks = [chunk for chunk in xtts.synthesize(text, language="ko", voice="", speed=1.0) if chunk.size]
    assert sum(not chunk.any() for chunk in chunks) == 2, "a pause after each piece"


class RecordingKeeper(VoiceKeeper):
    """Keeps every answer of the process."""

    def __init__(self, prepare: frames.Prepare) -> None:
        super().__init__(prepare, stall_seconds=60)
        self.answers: list[frames.Answer] = []

    def _receive(self, process: object, answer: frames.Answer, payload: bytes) -> None:
        self.answers.append(answer)
        super()._receive(process, answer, payload)  # type: ignore[arg-type]


def test_cancelling_frees_the_process_within_a_chunk_and_a_kill_costs_one_utterance(
    models_root: Path, tmp_path: Path
) -> None:
    folder = str(models_root / "xtts-v2")
    keeping = RecordingKeeper(frames.Prepare(folder=folder, cache=str(tmp_path), chunk_tokens=CHUNK_TOKENS))
    try:
        keeping.start()
        cancelled = keeping.speak(TEXTS["ko"], language="ko", voice="", speed=1.0)
        next(chunk for chunk in cancelled if chunk.size)
        sent = sum(isinstance(answer, frames.Chunk) for answer in keeping.answers)
        cancelled.close()
        whole = [chunk for chunk in keeping.speak(TEXTS["en"], language="en", voice="", speed=1.0) if chunk.size]
        of_cancelled = [answer for answer in keeping.answers if isinstance(answer, frames.Chunk) and answer.id == 1]
        assert len(whole) >= 3 > sent
        assert len(of_cancelled) <= sent + 1
        assert keeping.answers.index(frames.Spoken(1)) < keeping.answers.index(frames.Chunk(2))

        killed = keeping.speak(TEXTS["ko"], language="ko", voice="", speed=1.0)
        next(chunk for chunk in killed if chunk.size)
        assert keeping.pid is not None
        os.kill(keeping.pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="died of SIGKILL"):
            list(killed)
        again = [chunk for chunk in keeping.speak(TEXTS["ko"], language="ko", voice="", speed=1.0) if chunk.size]
        assert len(again) >= 3
    finally:
        keeping.close()
