"""The gateway's ears: the real model on its real thread."""

import asyncio
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from silvertalk.listening import WAITING_WINDOWS, VadService, VadStream
from streaming.errors import AudioError
from streaming.vad import WINDOW_SAMPLES, ScoredWindow, SileroMemory, SileroModel, VoiceActivity, Window, find_silero
from tests.streaming.voice import hiss, silence, vowels

SECOND = 16_000


@cache
def model() -> SileroModel:
    return SileroModel(find_silero())


class HeldModel(SileroModel):
    """The model, made to wait for the test, and writing down whom it scored together."""

    def __init__(self) -> None:
        super().__init__(find_silero())
        self.go = threading.Event()
        self.batches: list[list[tuple[SileroMemory, Window]]] = []

    def score(self, batch: Sequence[tuple[SileroMemory, Window]]) -> list[float]:
        self.go.wait()
        self.batches.append(list(batch))
        return super().score(batch)


class BrokenModel(SileroModel):
    """The model on the day the machine has no memory left."""

    def score(self, batch: Sequence[tuple[SileroMemory, Window]]) -> list[float]:
        raise MemoryError


class Listener:
    """Collects what one microphone is told."""

    def __init__(self, vad: VadService, first_sample: int = 0) -> None:
        self.heard: list[ScoredWindow] = []
        self._news = asyncio.Event()
        self.stream: VadStream = vad.open(self._on_windows, first_sample)

    def _on_windows(self, windows: list[ScoredWindow]) -> None:
        self.heard += windows
        self._news.set()

    async def until(self, samples: int) -> list[ScoredWindow]:
        """All whole windows of so many samples."""
        async with asyncio.timeout(60):
            while len(self.heard) < samples // WINDOW_SAMPLES:
                self._news.clear()
                await self._news.wait()
        return self.heard


def alone(pcm: bytes) -> list[ScoredWindow]:
    voice, memory = VoiceActivity(), SileroMemory()
    for window in voice.feed(pcm):
        voice.scored(window, model().score([(memory, window)])[0])
    return voice.reports()


async def test_every_microphone_hears_what_it_would_hear_alone() -> None:
    sounds = [
        silence(300) + vowels(1200) + silence(500),
        hiss(2000),
        silence(2000),
        vowels(2000, seed=2, pitch_hz=210),
        silence(1000) + hiss(300) + vowels(700, seed=3),
    ]
    async with VadService(model()) as vad:
        listeners = [Listener(vad) for _ in sounds]
        for at in range(0, 4 * SECOND, 640):
            for listener, sound in zip(listeners, sounds, strict=True):
                listener.stream.feed(sound[at : at + 640])
            await asyncio.sleep(0)
        heard = [await listener.until(2 * SECOND) for listener in listeners]
    for ours, sound in zip(heard, sounds, strict=True):
        expected = alone(sound)
        assert [(w.first_sample, w.gate_open) for w in ours] == [(w.first_sample, w.gate_open) for w in expected]
        assert [w.probability for w in ours] == pytest.approx([w.probability for w in expected], abs=1e-3)


async def test_silence_is_reported_at_once_and_never_reaches_the_thread() -> None:
    held = HeldModel()
    async with VadService(held) as vad:
        listener = Listener(vad, first_sample=800)
        listener.stream.feed(silence(1000))
        assert [w.first_sample for w in listener.heard] == list(range(800, 800 + SECOND - 511, WINDOW_SAMPLES))
        held.go.set()
    assert held.batches == []


async def test_what_gathered_while_the_thread_was_busy_is_one_batch() -> None:
    held = HeldModel()
    async with VadService(held) as vad:
        listeners = [Listener(vad) for _ in range(5)]
        for listener in listeners:
            listener.stream.feed(vowels(640))
        held.go.set()
        for listener in listeners:
            await listener.until(640 * 16)
    sizes = [len(batch) for batch in held.batches]
    assert sizes.count(5) > len(sizes) / 2
    for batch in held.batches:
        assert len({id(memory) for memory, _ in batch}) == len(batch), "a microphone twice in one batch"
    for listener in listeners:
        scored = [w.first_sample for batch in held.batches for memory, w in batch if memory is listener.stream.memory]
        assert scored == sorted(scored)


async def test_a_microphone_too_far_behind_loses_its_oldest_windows_but_no_time() -> None:
    held = HeldModel()
    seconds = 20
    async with VadService(held) as vad:
        listener = Listener(vad)
        for seed in range(seconds):
            listener.stream.feed(vowels(1000, seed=seed % 3))
            assert len(listener.stream.waiting) <= WAITING_WINDOWS
        held.go.set()
        heard = await listener.until(seconds * SECOND)
    assert [w.first_sample for w in heard] == list(range(0, seconds * SECOND - 511, WINDOW_SAMPLES))
    assert sum(len(batch) for batch in held.batches) <= WAITING_WINDOWS + 1
    lost = heard[1 : seconds * SECOND // WINDOW_SAMPLES - WAITING_WINDOWS]
    assert len({w.probability for w in lost}) <= 2, "each as the window before it, but for one that was being scored"


async def test_a_closed_microphone_is_told_nothing_more() -> None:
    held = HeldModel()
    async with VadService(held) as vad:
        closed, open_ = Listener(vad), Listener(vad)
        for listener in (closed, open_):
            listener.stream.feed(vowels(320))
        told = len(closed.heard)
        closed.stream.close()
        closed.stream.close()
        held.go.set()
        assert told < len(await open_.until(320 * 16))
        assert len(closed.heard) == told
        with pytest.raises(RuntimeError):
            closed.stream.feed(silence(20))


async def test_half_a_sample_is_the_clients_fault_alone() -> None:
    async with VadService(model()) as vad:
        listener = Listener(vad)
        with pytest.raises(AudioError):
            listener.stream.feed(bytes(641))
        listener.stream.feed(vowels(640))
        await listener.until(640 * 16)


async def test_one_sessions_mistake_does_not_cost_the_others_their_windows() -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    held = HeldModel()

    def mistaken(windows: list[ScoredWindow]) -> None:
        if windows[-1].gate_open:
            raise ValueError("a mistake of this session")

    async with VadService(held) as vad:
        wrong, right = vad.open(mistaken), Listener(vad)
        wrong.feed(vowels(320))
        right.stream.feed(vowels(320))
        held.go.set()
        await right.until(320 * 16)
        with pytest.raises(RuntimeError):
            wrong.feed(silence(20))
    assert [str(report["exception"]) for report in reports] == ["a mistake of this session"]


async def test_a_dead_thread_is_known_to_everyone() -> None:
    with pytest.raises(MemoryError):
        async with VadService(BrokenModel(find_silero())) as vad:
            listener = Listener(vad)
            listener.stream.feed(vowels(640))
            with pytest.raises(MemoryError):
                await vad.watch()
            with pytest.raises(RuntimeError, match="died"):
                listener.stream.feed(vowels(100))


async def test_the_thread_is_named_and_ends_with_the_service() -> None:
    async with VadService(model()) as vad:
        assert "vad" in {thread.name for thread in threading.enumerate()}
        watch = asyncio.create_task(vad.watch(), name="watch")
    assert "vad" not in {thread.name for thread in threading.enumerate()}
    await watch


async def test_the_service_ends_when_its_owner_is_cancelled() -> None:
    entered = asyncio.Event()

    async def own() -> None:
        async with VadService(model()) as vad:
            Listener(vad).stream.feed(vowels(2000))
            entered.set()
            await asyncio.Event().wait()

    owner = asyncio.create_task(own(), name="owner")
    await entered.wait()
    owner.cancel()
    await asyncio.wait([owner])
    assert owner.cancelled()
    assert "vad" not in {thread.name for thread in threading.enumerate()}
