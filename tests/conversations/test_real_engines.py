"""A few conversations with the real engines: Whisper, Smart Turn and Kokoro, which speaks the person's part as well.

One after another, since they share one engine and what is measured elsewhere is not measured here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gpu_node.engines.kokoro import Kokoro
from gpu_node.engines.smart_turn import SmartTurn
from gpu_node.engines.whisper import WhisperEngine
from gpu_node.weights import Weights
from streaming.audio import Floats, float_to_pcm16, pcm16_to_float, resample
from tests import product
from tests.conversations.bench import run_case
from tests.conversations.case import FOLDER, Case, read_cases
from tests.conversations.coded_node import Script
from tests.conversations.engines import CaseLlm
from tests.conversations.person import Voice
from tests.conversations.stage import Node

pytestmark = pytest.mark.alone

CASES = read_cases(FOLDER / "real" / "real.toml")
SPEAKING_PEAK = 0.4


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    return Weights(models_root=None, cache=tmp_path_factory.mktemp("weights"), offline=True)


@pytest.fixture(scope="module")
def kokoro(weights: Weights) -> Kokoro:
    return Kokoro(weights)


@pytest.fixture(scope="module")
def node(weights: Weights, kokoro: Kokoro) -> Node:
    whisper, smart_turn = WhisperEngine(weights.folder("whisper-base")), SmartTurn(weights)

    @asynccontextmanager
    async def real_node(bus_url: str, script: Script) -> AsyncIterator[CaseLlm]:
        llm = CaseLlm(script.pace, script.replies, script.first_token_ms)
        async with product.node(bus_url, slots=8, stt=whisper, llm=llm, tts=kokoro, turn_end=smart_turn):
            yield llm

    return real_node


@pytest.fixture(scope="module")
def voice(kokoro: Kokoro) -> Voice:
    """Kokoro's, as loud as a person."""

    @cache
    def spoken(text: str) -> Floats:
        made = np.concatenate(list(kokoro.synthesize(text, language="ko", voice="", speed=1.0)))
        sound = pcm16_to_float(resample(float_to_pcm16(made), kokoro.sample_rate, 16_000))
        return sound * np.float32(SPEAKING_PEAK / np.abs(sound).max())

    def speak(text: str, *, finality: float, mumbled: bool) -> Floats:
        return spoken(text)

    return speak


@pytest.mark.timeout(400)
@pytest.mark.parametrize("case", CASES, ids=[case.name.removeprefix("real: ").replace(" ", "-") for case in CASES])
def test_conversation(case: Case, tmp_path: Path, node: Node, voice: Voice) -> None:
    for step in case.do:  # before the microphone runs: a voice takes as long as it speaks
        for phrase in step.phrases() if step.say else ():
            voice(phrase.text, finality=0.5, mumbled=False)
    verdict = asyncio.run(run_case(case, tmp_path, voice=voice, node=node))
    assert not verdict.failures, str(verdict)
