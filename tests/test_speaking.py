"""The same journey with the real engines: Whisper hears, Kokoro speaks, and what was spoken is heard again.

Speech comes from the recordings where they are at hand, otherwise from Kokoro itself. The reply's audio, as the client
received it, is transcribed by Whisper and compared with the reply's text.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from gpu_node.engines import Hypothesis, SpeechToText
from gpu_node.engines.kokoro import Kokoro
from gpu_node.engines.reflective import ReflectiveListener
from gpu_node.engines.smart_turn import SmartTurn
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.weights import Weights
from streaming.audio import float_to_pcm16, pcm16_to_float, read_wav, resample
from streaming.messages import FILLER, Language
from streaming.protocol import EndpointWait, FinalTranscript, PartialTranscript, SpokenText, TurnCommitted
from streaming.text import character_error_rate
from tests import product
from tests.caller import Caller, calling
from tests.recordings import recordings
from tests.valkey import Valkey

pytestmark = pytest.mark.alone

SAID: dict[Language, str] = {
    "ko": "어제는 오랜만에 손주들이 집에 와서 같이 저녁을 먹었어요.",
    "en": "My grandchildren came to see me yesterday and we had dinner together.",
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return Weights(models_root=None, cache=tmp_path_factory.mktemp("weights"), offline=True)


@pytest.fixture(scope="module")
def whisper(weights: Weights) -> WhisperEngine:
    return WhisperEngine(weights.folder("whisper-base"))


@pytest.fixture(scope="module")
def kokoro(weights: Weights) -> Kokoro:
    return Kokoro(weights)


def speech(kokoro: Kokoro, language: Language) -> tuple[bytes, str]:
    """PCM16 at 16 kHz and what it says: a recording of 3 to 6 s that Whisper understands well, or synthesised."""
    for recording in recordings(language):
        if 3 < recording.seconds < 6 and recording.asr_cer is not None and recording.asr_cer < 0.05:
            return read_wav(recording.path), recording.transcript
    chunks = list(kokoro.synthesize(SAID[language], language=language, voice="", speed=1.0))
    return resample(float_to_pcm16(np.concatenate(chunks)), kokoro.sample_rate, 16_000), SAID[language]


def heard_again(whisper: SpeechToText, pcm: bytes, rate: int, language: Language) -> str:
    steps: Iterator[Hypothesis | None] = whisper.transcribe(
        pcm16_to_float(resample(pcm, rate, 16_000)), language=language, final=True
    )
    hypotheses = [step for step in steps if step is not None]
    return hypotheses[-1].text


@asynccontextmanager
async def conversation(
    valkey: Valkey, tmp_path: Path, weights: Weights, whisper: WhisperEngine, kokoro: Kokoro, language: Language
) -> AsyncIterator[Caller]:
    node = product.node(
        valkey.url, stt=whisper, llm=ReflectiveListener(), tts=kokoro, turn_end=SmartTurn(weights), filler_after_ms=1000
    )
    async with product.gateway(product.settings(valkey.url, tmp_path, endpoint_wait_ms=0)) as served, node:
        async with calling(served.url, language=language, patience_seconds=90) as caller:
            yield caller


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_what_is_said_is_understood_and_the_answer_can_be_understood(
    valkey: Valkey, tmp_path: Path, weights: Weights, whisper: WhisperEngine, kokoro: Kokoro, language: Language
) -> None:
    pcm, said = speech(kokoro, language)
    async with conversation(valkey, tmp_path, weights, whisper, kokoro, language) as caller:
        await caller.say(pcm)
        final = await caller.wait_for(FinalTranscript, turn=1)
        committed = await caller.wait_for(TurnCommitted, turn=1)
    assert character_error_rate(said, final.text) < 0.2, f"heard: {final.text}"
    assert caller.all(PartialTranscript), "captions while the words were spoken"
    assert any(wait.end_probability is not None for wait in caller.all(EndpointWait)), "the sound was evidence"
    assert committed.outcome == "answered"
    replied = " ".join(text.text for text in caller.all(SpokenText, turn=1))
    again = heard_again(whisper, caller.audio(1), caller.client.ready.output_rate, language)
    assert character_error_rate(replied, again) < 0.35, f"said {replied!r}, heard {again!r}"
    assert {text.source for text in caller.all(SpokenText)} <= {"reflective", FILLER}
