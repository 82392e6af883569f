"""Which passes an ear runs, and what it answers: with a scripted engine on a real queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from gpu_node.engines import Hypothesis, Samples, Word
from gpu_node.engines.scripted import ScriptedStt
from gpu_node.errors import EngineError
from gpu_node.hearing import Ear
from gpu_node.threads import EngineQueue
from gpu_node.transcript import Caption
from streaming.messages import Language
from tests.streaming.voice import vowels

SECOND = 16_000


class NotingStt(ScriptedStt):
    """Notes each pass: whether it was a final one, over how many samples, and whether it was heard to its end."""

    def __init__(self, *, pass_ms: float = 1, fails_at: Collection[int] = ()) -> None:
        super().__init__(pass_ms=pass_ms)
        self.passes: list[tuple[bool, int]] = []
        self.given_up = 0
        self._fails_at = fails_at

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        self.passes.append((final, len(audio)))
        if len(self.passes) in self._fails_at:
            raise EngineError("the model is gone")
        try:
            yield from super().transcribe(audio, language=language, final=final)
        except GeneratorExit:
            self.given_up += 1
            raise


class Listening:
    """An ear at work, and the captions it showed."""

    def __init__(self, ear: Ear, captions: list[Caption], task: asyncio.Task[None]) -> None:
        self.ear, self.captions, self.task = ear, captions, task

    def hear(self, start_second: float, seconds: float) -> None:
        """The samples of this stretch of one long utterance."""
        pcm = vowels(int((start_second + seconds) * 1000))
        first = int(start_second * SECOND)
        self.ear.add(first, pcm[2 * first :])

    async def until(self, passes: int, engine: NotingStt) -> None:
        async with asyncio.timeout(20):
            while len(engine.passes) < passes:  # noqa: ASYNC110 - counted on the engine's thread
                await asyncio.sleep(0.002)


@asynccontextmanager
async def listening(engine: ScriptedStt, *, partial_seconds: float | None = 0.5) -> AsyncIterator[Listening]:
    captions: list[Caption] = []
    samples = None if partial_seconds is None else int(partial_seconds * SECOND)
    async with EngineQueue("engine") as queue:
        ear = Ear(engine, queue, "ko", caption=captions.append, partial_samples=samples)
        task = asyncio.create_task(ear.listen(), name="listen")
        try:
            yield Listening(ear, captions, task)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_captions_grow_and_the_final_covers_all_of_it() -> None:
    engine = NotingStt()
    async with listening(engine) as heard:
        for half in range(6):
            heard.hear(half * 0.5, 0.5)
            await heard.until(half + 1, engine)
        final = await heard.ear.final(3 * SECOND)
    assert [kind for kind, _ in engine.passes] == [False] * 6 + [True]
    assert engine.passes[-1][1] == 3 * SECOND
    for earlier, later in zip(heard.captions, heard.captions[1:], strict=False):
        assert later.stable.startswith(earlier.stable)
    assert final.transcript.upto_sample == 3 * SECOND
    assert len(final.transcript.text.split()) == 7, "2.5 words a second"


async def test_without_captions_the_only_pass_is_the_final_one() -> None:
    engine = NotingStt()
    async with listening(engine, partial_seconds=None) as heard:
        for half in range(4):
            heard.hear(half * 0.5, 0.5)
            await asyncio.sleep(0)
        final = await heard.ear.final(2 * SECOND)
    assert engine.passes == [(True, 2 * SECOND)]
    assert final.transcript.text


async def test_the_final_pass_is_ready_before_it_is_asked_for() -> None:
    engine = NotingStt()
    async with listening(engine, partial_seconds=None) as heard:
        heard.hear(0, 2)
        heard.ear.paused(2 * SECOND)
        await heard.until(1, engine)
        first = await heard.ear.final(2 * SECOND)
        second = await heard.ear.final(2 * SECOND)
    assert engine.passes == [(True, 2 * SECOND)], "asked twice, heard once"
    assert first == second


async def test_a_pause_gives_up_the_caption_pass_that_is_under_way() -> None:
    engine = NotingStt(pass_ms=60_000)
    async with listening(engine) as heard:
        heard.hear(0, 1)
        await heard.until(1, engine)
        heard.ear.paused(SECOND)
        await heard.until(2, engine)
    assert [kind for kind, _ in engine.passes] == [False, True]
    assert engine.given_up == 2, "the caption at the pause, the final as the ear was stopped"


async def test_who_goes_on_makes_the_final_pass_a_caption() -> None:
    engine = NotingStt()
    async with listening(engine, partial_seconds=10) as heard:
        heard.hear(0, 1)
        first = await heard.ear.final(SECOND)
        heard.ear.resumed()
        heard.hear(1, 2)
        second = await heard.ear.final(3 * SECOND)
    assert second.transcript.upto_sample == 3 * SECOND
    assert second.transcript.text.startswith(first.transcript.text)
    assert len(second.transcript.text) > len(first.transcript.text)


async def test_audio_that_comes_late_is_heard_too() -> None:
    engine = NotingStt()
    async with listening(engine, partial_seconds=None) as heard:
        heard.hear(0, 1)
        await heard.ear.final(SECOND)
        heard.hear(1, 1)
        late = await heard.ear.final(2 * SECOND)
    assert late.transcript.upto_sample == 2 * SECOND


async def test_silence_is_no_transcript() -> None:
    def nobody(audio: Samples, language: Language) -> Sequence[Word]:
        return []

    async with listening(ScriptedStt(pass_ms=1, text_of_audio=nobody)) as heard:
        heard.hear(0, 1)
        final = await heard.ear.final(SECOND)
    assert final.transcript.text == "" and final.transcript.rejected


@pytest.mark.parametrize("fails_at", [1, 2])
async def test_a_pass_that_breaks_costs_no_words(fails_at: int) -> None:
    engine = NotingStt(fails_at=(fails_at,))
    async with listening(engine) as heard:
        heard.hear(0, 1)
        await heard.until(1, engine)
        heard.hear(1, 1)
        final = await heard.ear.final(2 * SECOND)
    assert final.transcript.text and final.transcript.upto_sample == 2 * SECOND


@pytest.mark.parametrize("before", [0, 1])
async def test_an_engine_that_is_gone_is_told_to_whoever_waits(before: int) -> None:
    engine = NotingStt(fails_at=range(before + 1, 10))
    async with listening(engine) as heard:
        heard.hear(0, 1)
        await heard.until(1, engine)
        with pytest.raises(EngineError):
            await heard.ear.final(SECOND)
        await asyncio.wait([heard.task])
        assert isinstance(heard.task.exception(), EngineError)


async def test_an_ear_that_is_stopped_frees_the_engine() -> None:
    engine = NotingStt(pass_ms=60_000)
    async with EngineQueue("engine") as queue:
        ear = Ear(engine, queue, "ko", caption=lambda _: None, partial_samples=8000)
        task = asyncio.create_task(ear.listen(), name="listen")
        heard = Listening(ear, [], task)
        heard.hear(0, 1)
        await heard.until(1, engine)
        task.cancel()
        await asyncio.wait([task])
        other = ScriptedStt(pass_ms=1)
        second = Ear(other, queue, "ko", caption=lambda _: None, partial_samples=None)
        listening_on = asyncio.create_task(second.listen(), name="listen-on")
        second.add(0, vowels(1000))
        async with asyncio.timeout(20):
            final = await second.final(SECOND)
        listening_on.cancel()
        await asyncio.wait([listening_on])
    assert final.transcript.text
    assert engine.given_up == 1
