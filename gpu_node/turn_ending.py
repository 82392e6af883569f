"""The evidence of the sound: at every pause, how much the utterance sounds as if the person had finished.

One acoustic model serves the node, on a thread of its own: a score is due just when the final pass is, and behind that
(or behind a step of somebody's voice) it would come too late to shorten any wait. It is evidence and nothing more: a
model that fails is told of once and is absent from then on, and no turn is the worse for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gpu_node.engines import Samples, TurnEnd
from gpu_node.threads import EngineQueue, Priority
from streaming.audio import BYTES_PER_SAMPLE, MICROPHONE_RATE, Pcm, pcm16_to_float, sample_count
from streaming.logs import logger
from streaming.messages import TurnEndScored

log = logger("turn_ending")

T = TypeVar("T")

HEARD_SAMPLES = 8 * MICROPHONE_RATE
"""What a score is made from: the window of Smart Turn."""


class TurnEndModel:
    """The node's acoustic model at work; `None` for an answer once it has failed."""

    def __init__(self, model: TurnEnd, queue: EngineQueue) -> None:
        self.name = model.name
        self._model = model
        self._queue = queue
        self._failed = False

    async def warm_up(self) -> None:
        await self._work(self._model.warm_up)

    async def score(self, audio: Samples) -> float | None:
        """0 to 1; None where there is no answer."""
        return await self._work(lambda: self._model.score(audio))

    async def _work(self, step: Callable[[], T]) -> T | None:
        if self._failed:
            return None
        try:
            return await self._queue.call(step, Priority.FINAL)
        except Exception as error:  # whatever it was, the endpoint is decided without it
            if not self._failed:
                log.error("turn_end_model_failed", engine=self.name, exc_info=error)
            self._failed = True
            return None


class PauseListener:
    """Hears one turn's pauses. `listen` runs until it is cancelled; everything else is called from the event loop."""

    def __init__(self, model: TurnEndModel, send: Callable[[TurnEndScored], None]) -> None:
        self._model = model
        self._send = send
        self._pcm = bytearray()
        self._end_sample: int | None = None
        self._pause: int | None = None
        self._paused = asyncio.Event()

    def add(self, first_sample: int, pcm: Pcm) -> None:
        """PCM16 mono 16 kHz. A jump forward is silence; what was added before is ignored. Raises AudioError."""
        end_sample = first_sample + sample_count(pcm)
        known = first_sample if self._end_sample is None else self._end_sample
        if end_sample <= known:
            return
        self._pcm += bytes(min(max(0, first_sample - known), HEARD_SAMPLES) * BYTES_PER_SAMPLE)
        self._pcm += pcm[max(0, known - first_sample) * BYTES_PER_SAMPLE :]
        del self._pcm[: -HEARD_SAMPLES * BYTES_PER_SAMPLE]
        self._end_sample = end_sample

    def paused(self, sample: int) -> None:
        """The person fell silent after `sample`; what was added reaches a little into the silence."""
        self._pause = sample
        self._paused.set()

    def resumed(self) -> None:
        """The person went on: what is being scored says nothing any more."""
        self._pause = None

    async def listen(self) -> None:
        """Score each pause, as long as it lasts."""
        while True:
            await self._paused.wait()
            self._paused.clear()
            pause = self._pause
            if pause is None or not self._pcm:
                continue
            probability = await self._model.score(pcm16_to_float(bytes(self._pcm)))
            if probability is not None and pause == self._pause:
                self._send(TurnEndScored(sample=pause, probability=probability, model=self._model.name))
