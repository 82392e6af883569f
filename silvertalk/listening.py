"""The ears of a gateway: one thread that runs the VAD model for all its microphones.

The event loop cuts and gates the sound (`VoiceActivity`, a few microseconds a frame); what passes the gate waits for
the thread, which takes one window of every waiting microphone, scores them as one batch, and hands the answers back to
the loop. The busier the gateway, the larger the batches and the cheaper the window. In quiet rooms the thread sleeps.

    async with VadService(model) as vad:
        stream = vad.open(on_windows)     # on_windows(list[ScoredWindow]), on the loop, in order
        stream.feed(pcm)
        stream.close()
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from streaming.audio import Pcm
from streaming.vad import GateSettings, ScoredWindow, SileroMemory, SileroModel, VoiceActivity, Window

WAITING_WINDOWS = 400
"""How much of one microphone may wait for the model: 12.8 s, more than the ten seconds that a returning client sends at
once. At the limit the machine is overloaded, and the oldest waiting window is given up: it is reported as the window
before it was, so that overload delays an endpoint rather than cutting somebody off."""

BATCH_WINDOWS = 64
"""The gain of a batch is had by 16; beyond 64 it would only hold up the first of the answers."""

GATHER_SECONDS = 0.003
"""The thread waits so long for company after the first window. Waking thread and loop costs more than the model does:
with 16 and 64 microphones in noise the wait saves a third of the CPU, and 3 ms are little to windows of 32."""

OnWindows = Callable[[list[ScoredWindow]], None]


class VadStream:
    """One microphone. Used on the event loop only."""

    def __init__(self, service: VadService, on_windows: OnWindows, voice: VoiceActivity) -> None:
        self._service = service
        self._on_windows = on_windows
        self._voice = voice
        self._closed = False
        # Of the thread: `waiting` under the service's lock, `memory` while it scores.
        self.waiting: deque[Window] = deque()
        self.memory = SileroMemory()

    def feed(self, pcm: Pcm) -> None:
        """Takes the next samples. Windows that need no model are reported before this returns.

        Raises AudioError for half a sample, RuntimeError if the stream is closed or the thread has died.
        """
        if self._closed:
            raise RuntimeError("this microphone is closed")
        windows = self._voice.feed(pcm)
        if windows:
            for lost in self._service.submit(self, windows):
                self._voice.scored(lost, None)
        self._report()

    def close(self) -> None:
        """Nothing is reported any more. Closing twice is harmless."""
        if not self._closed:
            self._closed = True
            self._service.forget(self)

    def deliver(self, window: Window, probability: float) -> None:
        """The service's: an answer of the model."""
        if not self._closed:
            self._voice.scored(window, probability)
            self._report()

    def _report(self) -> None:
        reports = self._voice.reports()
        if reports:
            self._on_windows(reports)


class VadService:
    """The thread and what waits for it; entered and left on the event loop it serves."""

    def __init__(self, model: SileroModel, gate: GateSettings | None = None) -> None:
        self._model = model
        self._gate = gate
        self._condition = threading.Condition()
        self._ready: dict[VadStream, None] = {}  # an ordered set: whoever waits longest is scored first
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="vad", daemon=True)
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
        # Blocks the loop for one batch at most (4 ms), which a wait that could be cancelled is not worth.
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    async def watch(self) -> None:
        """Returns when the service has stopped, raises what killed its thread: for a task of the gateway's group."""
        await asyncio.shield(self._finished)

    def open(self, on_windows: OnWindows, first_sample: int = 0) -> VadStream:
        """A microphone whose next sample has the number `first_sample`."""
        return VadStream(self, on_windows, VoiceActivity(first_sample, self._gate))

    def submit(self, stream: VadStream, windows: list[Window]) -> list[Window]:
        """A stream's: windows for the model. Returns those given up for them."""
        if self._failure is not None:
            raise RuntimeError("the thread of the VAD has died") from self._failure
        with self._condition:
            stream.waiting.extend(windows)
            lost = _shed(stream.waiting)
            idle = not self._ready
            self._ready.setdefault(stream)
            if idle:
                self._condition.notify()
        return lost

    def forget(self, stream: VadStream) -> None:
        """A stream's: it is closed."""
        with self._condition:
            self._ready.pop(stream, None)
            stream.waiting.clear()

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            while (batch := self._next_batch()) is not None:
                if batch:  # none left if those that woke the thread were closed while it waited
                    probabilities = self._model.score([(stream.memory, window) for stream, window in batch])
                    self._loop.call_soon_threadsafe(self._deliver, batch, probabilities)
        except BaseException as error:  # to the loop with it: a thread has nobody to raise it to
            failure = error
        self._failure = failure
        self._loop.call_soon_threadsafe(self._finish)

    def _next_batch(self) -> list[tuple[VadStream, Window]] | None:
        """One window each of the microphones that have waited longest; None when the service stops."""
        with self._condition:
            self._condition.wait_for(lambda: self._ready or self._stopping)
        time.sleep(GATHER_SECONDS)
        with self._condition:
            if self._stopping:
                return None
            batch = []
            for stream in list(self._ready)[:BATCH_WINDOWS]:
                del self._ready[stream]
                batch.append((stream, stream.waiting.popleft()))
                if stream.waiting:
                    self._ready[stream] = None  # behind the others
            return batch

    def _deliver(self, batch: list[tuple[VadStream, Window]], probabilities: list[float]) -> None:
        for (stream, window), probability in zip(batch, probabilities, strict=True):
            try:
                stream.deliver(window, probability)
            except Exception as error:  # one session's mistake must not cost the others of its batch their windows
                stream.close()
                self._loop.call_exception_handler({"message": "a microphone's windows failed", "exception": error})

    def _finish(self) -> None:
        if self._finished.done():
            return
        if self._failure is None:
            self._finished.set_result(None)
        else:
            self._finished.set_exception(self._failure)
            self._finished.exception()  # seen: `feed` and leaving the service tell of it too


def _shed(waiting: deque[Window]) -> list[Window]:
    """Takes what is over the limit off the front, and keeps a restart that was among it."""
    lost = [waiting.popleft() for _ in range(len(waiting) - WAITING_WINDOWS)]
    if any(window.restart for window in lost):
        waiting[0] = replace(waiting[0], restart=True)
    return lost
