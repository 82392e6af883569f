"""The whole way with XTTS: a client, a gateway, Valkey, and a node process that keeps a voice process."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from streaming.audio import pcm16_to_float
from streaming.messages import Language
from streaming.protocol import ReplyEnded, SpokenAudio, SpokenText, TurnCommitted
from tests import product
from tests.caller import Caller, calling
from tests.gpu.tiny_checkpoint import CHUNK_TOKENS, SECONDS
from tests.processes import SCRIPTED, Process, children_of, command_of, started, until_gone
from tests.valkey import Valkey

if importlib.util.find_spec("TTS") is None:
    pytest.skip("torch and coqui-tts are not installed here; `make test-gpu` has them", allow_module_level=True)

ASKED: dict[Language, str] = {"ko": "어제는 손주가 다녀갔어요.", "en": "My grandson came yesterday."}


def voice_process(node: Process) -> int:
    [pid] = [pid for pid in children_of(node.pid) if "gpu_node.xtts" in command_of(pid)]
    return pid


async def reply_to(caller: Caller, text: str, turn: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Type it and listen to the answer; float samples at the session's rate."""
    await caller.client.say_text(text)
    committed = await caller.wait_for(TurnCommitted, turn=turn)
    sentences = [event.text for event in caller.all(SpokenText, turn=turn)]
    assert committed.outcome == "answered" and committed.heard == " ".join(sentences)
    audio = pcm16_to_float(caller.audio(turn))
    seconds = len(audio) / caller.client.ready.output_rate
    assert 0.8 * SECONDS < seconds / len(sentences) < 2 * SECONDS, "a pause after each"
    return audio


async def test_a_client_hears_xtts_in_both_languages_and_again_after_its_process_was_killed(
    valkey: Valkey, models_root: Path, tmp_path: Path
) -> None:
    settings = SCRIPTED | {
        "BUS_URLS": valkey.url,
        "NODE_NAME": "xtts-node",
        "TTS_ENGINE": "xtts",
        "COQUI_TOS_AGREED": "1",
        "MODELS_ROOT": str(models_root),
        "CACHE_DIR": str(tmp_path / "cache"),
        "XTTS_CHUNK_TOKENS": str(CHUNK_TOKENS),
        "ENGINE_STALL_MS": "60000",
    }
    chosen = product.settings(valkey.url, tmp_path)
    async with product.gateway(chosen) as served, started("gpu_node", **settings) as node:
        await node.printed("voice_loaded")
        await node.printed("node_warm")
        for language, text in ASKED.items():
            async with calling(served.url, microphone=False, language=language, patience_seconds=90) as caller:
                audio = await reply_to(caller, text, turn=1)
                assert np.abs(audio).max() > 0.01

        first = voice_process(node)
        async with calling(served.url, microphone=False, language="ko", patience_seconds=90) as caller:
            await caller.client.say_text(ASKED["ko"])
            await caller.wait_for(SpokenAudio, turn=1)
            os.kill(first, signal.SIGKILL)
            await caller.wait_for(ReplyEnded, turn=1)
            await caller.wait_for(TurnCommitted, turn=1)
            await reply_to(caller, ASKED["ko"], turn=2)
        second = voice_process(node)
        assert second != first
        node.signal(signal.SIGTERM)
        assert await node.ended() == 0
        await until_gone([second])
    assert sum("voice_licence" in line for line in node.lines) == 1
    assert not [line for line in node.lines if "Traceback" in line]
