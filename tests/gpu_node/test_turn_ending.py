"""The evidence of the sound: which pauses are scored and told of, with a scripted model on a real bus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from gpu_node.engines import Samples
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTurnEnd
from gpu_node.errors import EngineError
from gpu_node.threads import EngineQueue
from gpu_node.turn_ending import HEARD_SAMPLES, PauseListener, TurnEndModel
from streaming.audio import float_to_pcm16
from streaming.bus import Bus
from streaming.errors import AudioError
from streaming.messages import Claimed, TranscriptPartial, TurnEndScored
from tests import product
from tests.gpu_node.person import deaths, person
from tests.streaming.bus.parts import until
from tests.valkey import Valkey


class Gate:
    """A model that does not answer until it is let."""

    def __init__(self) -> None:
        self.entered = 0
        self._open = threading.Event()

    def __call__(self, audio: Samples) -> float:
        self.entered += 1
        assert self._open.wait(20)
        return 0.25

    def open(self) -> None:
        self._open.set()


def model(of_audio: Callable[[Samples], float] | None = None) -> ScriptedTurnEnd:
    return ScriptedTurnEnd(ms=0, of_audio=of_audio)


async def test_each_pause_is_scored_over_what_was_said_up_to_it(valkey: Valkey) -> None:
    """The score speaks of the pause's own sample; the words of the final pass reach at least as far."""
    seconds = model(lambda audio: len(audio) / 16_000 / 10)
    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, turn_end=seconds):
        somebody = await person(gateway, text=None)
        await somebody.gets(Claimed)
        first = somebody.speak(1.0)
        scored = await somebody.gets(TurnEndScored)
        assert scored == TurnEndScored(sample=first, probability=0.1, model="scripted")
        second = somebody.speak(2.0)
        scored = await somebody.gets(TurnEndScored, lambda score: score.sample == second)
        assert scored.probability == pytest.approx(0.3)
        await somebody.gets(TranscriptPartial, lambda caption: caption.upto_sample >= second)
        await somebody.turn.close("done")


async def test_a_score_that_was_overtaken_is_not_told(valkey: Valkey) -> None:
    gate = Gate()
    async with Bus.open([valkey.url], name="gateway") as gateway:
        async with product.node(valkey.url, turn_end=model(gate), stt=ScriptedStt(pass_ms=1)):
            somebody = await person(gateway, text=None)
            await somebody.gets(Claimed)
            somebody.speak(1.0)
            await until(lambda: gate.entered == 1)
            second = somebody.speak(1.0)
            await somebody.gets(TranscriptPartial, lambda caption: caption.upto_sample == second)
            gate.open()
            assert (await somebody.gets(TurnEndScored)).sample == second
            await somebody.turn.close("done")


async def test_a_model_that_fails_is_gone_and_costs_no_turn(valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    asked = []

    def broken(audio: Samples) -> float:
        asked.append(len(audio))
        raise EngineError("the model is gone")

    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, turn_end=model(broken)):
        for _ in range(2):
            somebody = await person(gateway, text=None)
            await somebody.gets(Claimed)
            somebody.speak(1.0)
            await somebody.gets(TranscriptPartial)
            somebody.ask()
            assert (await somebody.done()).reason == "completed"
            assert not somebody.all(TurnEndScored)
            await somebody.turn.close("done")
    assert len(asked) == 1
    assert caplog.text.count("turn_end_model_failed") == 1


async def test_evidence_does_not_wait_for_the_engine_nor_the_engine_for_it(valkey: Valkey) -> None:
    """The final pass is over while the model still thinks; and a model is heard while a voice is at work."""
    gate = Gate()
    async with Bus.open([valkey.url], name="gateway") as gateway:
        async with product.node(valkey.url, turn_end=model(gate), llm=ScriptedLlm(first_token_ms=0)):
            somebody = await person(gateway, text=None)
            await somebody.gets(Claimed)
            somebody.speak(1.0)
            somebody.ask()
            assert (await somebody.done()).reason == "completed"
            assert not somebody.all(TurnEndScored)
            gate.open()
            await somebody.turn.close("done")


async def test_another_node_scores_the_pause_that_still_lasts(valkey: Valkey) -> None:
    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, turn_end=model()):
        somebody = await person(gateway, text=None)
        await somebody.gets(Claimed)
        somebody.speak(1.0)
        second = somebody.speak(1.0)
        await somebody.gets(TurnEndScored, lambda score: score.sample == second)
        deaths(valkey, somebody, 1)
        assert await somebody.turn.hint_reclaim()
        await until(lambda: len(somebody.all(TurnEndScored, lambda score: score.sample == second)) == 2)
        await somebody.turn.close("done")


# --- the audio that is kept ------------------------------------------------------------------------------------------


def ramp(first: int, count: int) -> bytes:
    """Samples that tell their own number, as long as they are few."""
    return float_to_pcm16(np.arange(first, first + count, dtype=np.float32) / 32768)


async def heard(add: Callable[[PauseListener], None]) -> Samples:
    """What a model is given at a pause after `add`."""
    given: list[Samples] = []

    def listening(audio: Samples) -> float:
        given.append(audio)
        return 0.5

    sent: list[TurnEndScored] = []
    async with EngineQueue("test") as queue:
        listener = PauseListener(TurnEndModel(model(listening), queue), sent.append)
        add(listener)
        listener.paused(1)
        task = asyncio.create_task(listener.listen())
        await until(lambda: sent)
        task.cancel()
        await asyncio.wait([task])
    return given[0]


async def test_silence_that_was_not_sent_is_there_and_what_came_twice_is_not() -> None:
    def add(listener: PauseListener) -> None:
        listener.add(100, ramp(100, 50))
        listener.add(120, ramp(120, 40))  # 30 of them known
        listener.add(170, ramp(170, 10))  # after 10 of silence
        listener.add(100, ramp(100, 50))  # a turn told again

    numbers = np.rint(await heard(add) * 32768).astype(int).tolist()
    assert numbers == [*range(100, 160), *[0] * 10, *range(170, 180)]


async def test_no_more_is_kept_than_is_scored() -> None:
    def add(listener: PauseListener) -> None:
        for second in range(12):
            listener.add(second * 16_000, ramp(0, 16_000))
        listener.add(10**9, ramp(1, 100))  # after hours of silence

    audio = await heard(add)
    assert len(audio) == HEARD_SAMPLES
    assert np.count_nonzero(audio) == 100 and np.rint(audio[-1] * 32768) == 100


async def test_half_a_sample_is_refused() -> None:
    async with EngineQueue("test") as queue:
        with pytest.raises(AudioError):
            PauseListener(TurnEndModel(model(), queue), lambda _: None).add(0, b"\x00")
