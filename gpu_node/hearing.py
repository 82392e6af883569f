"""Transcribing one turn while it is spoken: which pass over the audio is worth running now.

There is one ear a turn and one pass at a time. While the person speaks, a pass starts as soon as the engine is free and
at least `partial_interval` of new audio has come; each yields a caption. At a pause the pass that matters is the final
one: a caption pass still running is dropped at its next step, and the final pass goes to the head of the engine's
queue, so that the words are ready before the endpoint is decided. If the person goes on, that pass was only a good
caption. A pass that breaks costs a caption, and no story: the next one hears all of it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from gpu_node.engines import Hypothesis, SpeechToText
from gpu_node.errors import EngineError
from gpu_node.threads import EngineQueue, Priority
from gpu_node.transcript import Caption, FinalTranscript, IncrementalTranscript, PassRequest
from streaming.logs import logger
from streaming.messages import Language

BROKEN_PASSES = 2
"""One after another; then the engine is taken to be gone."""

log = logger("hearing")


@dataclass(frozen=True, slots=True)
class Heard:
    """The words of an utterance, and how long the pass over it took on this node's clock."""

    transcript: FinalTranscript
    pass_ms: float


class Ear:
    """The listening side of a turn. `listen` runs until it is cancelled; everything else is called from the event
    loop."""

    def __init__(
        self,
        engine: SpeechToText,
        queue: EngineQueue,
        language: Language,
        *,
        caption: Callable[[Caption], None],
        partial_samples: int | None,
    ) -> None:
        """`partial_samples`: new audio that makes a caption pass worth while; None turns captions off."""
        self._engine = engine
        self._queue = queue
        self._transcript = IncrementalTranscript(language)
        self._language = language
        self._caption = caption
        self._partial_samples = partial_samples
        self._pause: int | None = None
        self._heard: Heard | None = None
        self._changed = asyncio.Event()
        self._answered = asyncio.Event()
        self._broken = 0
        self._failure: Exception | None = None

    def add(self, first_sample: int, pcm: bytes) -> None:
        self._transcript.add(first_sample, pcm)
        if self._heard is not None and self._transcript.end_sample > self._heard.transcript.upto_sample:
            self._forget()
        self._changed.set()

    def paused(self, sample: int) -> None:
        """The person fell silent after `sample`: the final pass may start."""
        self._pause = sample
        self._changed.set()

    def resumed(self) -> None:
        """The person went on."""
        self._pause = None
        self._forget()
        self._changed.set()

    async def final(self, end_sample: int) -> Heard:
        """The words of the utterance that ended at `end_sample`; waits for the pass that is under way, or starts
        one. Raises what the last pass broke with, where several did one after another."""
        self.paused(end_sample)
        while self._heard is None:  # late audio may undo an answer before whoever waits has seen it
            if self._failure is not None:
                raise self._failure
            await self._answered.wait()
        return self._heard

    async def listen(self) -> None:
        """Run the passes, one after another, as they become worth while."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                while await self._one_pass():
                    pass
            except Exception as error:
                self._broken += 1
                if self._broken >= BROKEN_PASSES:  # nobody will hear the rest: whoever waits is told
                    self._failure = error
                    self._answered.set()
                    raise
                log.warning("pass_broken", final=self._pause is not None, error=repr(error))
                if self._pause is not None:
                    self._changed.set()

    def _forget(self) -> None:
        self._heard = None
        self._answered.clear()

    async def _one_pass(self) -> bool:
        """Run the pass that is due; False when none is."""
        if self._pause is not None:
            if self._heard is not None:
                return False
            return await self._final_pass()
        if self._partial_samples is None:
            return False
        if self._transcript.unheard_samples < self._partial_samples:
            return False
        return await self._caption_pass()

    async def _final_pass(self) -> bool:
        began = time.monotonic()
        request = self._transcript.request()
        hypothesis = await self._hear(request, final=True)
        if hypothesis is None:
            return True
        self._caption(self._transcript.partial(request, hypothesis))
        if self._pause is None or request.upto_sample < self._transcript.end_sample:
            return True  # they went on meanwhile: it was only a caption
        self._heard = Heard(self._transcript.final(request, hypothesis), (time.monotonic() - began) * 1000)
        self._answered.set()
        return False

    async def _caption_pass(self) -> bool:
        request = self._transcript.request()
        hypothesis = await self._hear(request, final=False)
        if hypothesis is not None:
            self._caption(self._transcript.partial(request, hypothesis))
        return True

    async def _hear(self, request: PassRequest, *, final: bool) -> Hypothesis | None:
        """One pass; None when it was dropped between two steps: a pause made it useless, or the person went on."""
        steps = self._engine.transcribe(request.audio, language=self._language, final=final)
        async with self._queue.run(steps, Priority.FINAL if final else Priority.PARTIAL) as work:
            async for hypothesis in work:
                if hypothesis is not None:
                    self._broken = 0
                    return hypothesis
                if final != (self._pause is not None):
                    return None
        raise EngineError(f"{self._engine.name} ended without a hypothesis")
