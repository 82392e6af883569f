"""Engines off the event loop: one thread, one queue, one step at a time.

An engine's work is a synchronous generator. `EngineQueue` pulls it a step at a time on the engine's own thread, and
between steps the most urgent work in the queue goes first: a final transcript before the first clause of somebody's
reply, that before a caption, that before the rest of a reply, and that before a reply of which nobody knows yet whether
it will be wanted. A generator is closed on the thread that ran it. A step itself is never interrupted, so the longest
one bounds how fast a cancelled turn frees its engine.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from typing import Any, Generic, TypeVar

from gpu_node.errors import EngineError
from streaming.logs import logger

log = logger("engine")

T = TypeVar("T")

MAX_WAITING = 256
"""Steps waiting for the engine. Every turn waits for at most one or two, so this many means a leak: refused, loudly."""


class Priority(IntEnum):
    """Who goes first; the lower, the sooner.

    A speculative clause comes after everything that somebody is really waiting for, the rest of a reply included: that
    is made a few seconds ahead of its playing, but where it comes too late somebody hears a gap. An errand is nobody's
    who listens.
    """

    FINAL = 0
    FIRST_CLAUSE = 1
    PARTIAL = 2
    LATER_CLAUSE = 3
    SPECULATIVE_CLAUSE = 4
    ERRAND = 5


class EngineQueue:
    """The thread on which engines work. `async with` it; `stuck_seconds` tells a watchdog how long one step has run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._condition = threading.Condition()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stopping = False
        self._step_began: float | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    async def __aenter__(self) -> EngineQueue:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with self._condition:
            self._stopping = True
            self._condition.notify()
        await asyncio.to_thread(self._thread.join)

    def run(self, steps: Iterator[T], priority: Priority) -> EngineWork[T]:
        """Work to be pulled with `async for`; use it as an async context manager, so that it is closed."""
        return EngineWork(self, steps, priority)

    async def call(self, function: Callable[[], T], priority: Priority) -> T:
        """Run one function as a single step."""

        def steps() -> Iterator[T]:
            yield function()

        async with self.run(steps(), priority) as work:
            async for result in work:
                return result
        raise EngineError("the step returned nothing")

    @property
    def stuck_seconds(self) -> float:
        """How long the step at work has been running; 0 when the engine is idle."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    @property
    def waiting(self) -> int:
        """Steps that wait for the one at work; what only wants to be closed is none."""
        return sum(priority >= 0 for priority, _, _ in tuple(self._waiting))

    def _submit(self, priority: int, step: Callable[[], None]) -> None:
        with self._condition:
            if self._stopping:
                raise EngineError(f"{self._name} is stopping")
            if len(self._waiting) >= MAX_WAITING:
                raise EngineError(f"{self._name} has {MAX_WAITING} steps waiting")
            heapq.heappush(self._waiting, (priority, next(self._order), step))
            self._condition.notify()

    def _submit_close(self, close: Callable[[], None]) -> None:
        """Before everything else that waits, and never refused: it frees what the engine holds."""
        with self._condition:
            heapq.heappush(self._waiting, (-1, next(self._order), close))
            self._condition.notify()

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._stopping:
                    self._condition.wait()
                if not self._waiting:
                    return
                _, _, step = heapq.heappop(self._waiting)
            self._step_began = time.monotonic()
            try:
                step()
            except Exception as error:  # of a generator's own clean-up; the thread serves the others
                log.error("engine_close_failed", exc_info=error)
            finally:
                self._step_began = None


class EngineWork(Generic[T], AsyncIterator[T]):
    """One generator being pulled. A step runs only when the consumer asks for it: that is the back-pressure."""

    def __init__(self, queue: EngineQueue, steps: Iterator[T], priority: Priority) -> None:
        self._queue = queue
        self._steps = steps
        self.priority = priority
        self._finished = False
        self._step: Callable[[], None] | None = None
        """The step that was asked for last; it runs once, however often it was submitted."""

    def hurry(self, priority: Priority) -> None:
        """Be more urgent from now on, with the step that waits already too."""
        if priority >= self.priority:
            return
        self.priority = priority
        if self._step is not None:
            with suppress(EngineError):  # no room for a second place: it keeps the one it has
                self._queue._submit(priority, self._step)

    async def __aenter__(self) -> EngineWork[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._finished:
            return
        self._finished = True
        self._step = None  # nobody waits for it any more
        close = getattr(self._steps, "close", None)
        if close is not None:
            # On the engine's thread, and behind a step that is still running. Not awaited: a cancelled turn need not
            # wait for it, and the queue runs it before it stops.
            self._queue._submit_close(close)

    async def __anext__(self) -> T:
        if self._finished:
            raise StopAsyncIteration
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()

        def resolve(result: object, error: BaseException | None) -> None:
            if answer.cancelled():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        def step() -> None:
            if self._step is not step:
                return  # it ran already: it was hurried, and this is its old place in the queue
            self._step = None
            result: object = None
            error: BaseException | None = None
            try:
                result = next(self._steps)
            except StopIteration:
                error = StopAsyncIteration()
            except BaseException as raised:  # carried to the task that waits, which raises it there
                error = raised
            with suppress(RuntimeError):  # the loop is gone: nobody waits for this step any more
                loop.call_soon_threadsafe(resolve, result, error)

        self._step = step
        self._queue._submit(self.priority, step)
        try:
            return await answer  # type: ignore[no-any-return]
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._finished = True
            raise
