"""The engine queue: order, back-pressure, closing, cancellation."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gpu_node.errors import EngineError
from gpu_node.threads import EngineQueue, Priority


class Steps:
    """A generator with a record of where and when it ran."""

    def __init__(self, name: str, log: list[str], count: int = 3) -> None:
        self.name = name
        self.log = log
        self.count = count
        self.threads: set[str] = set()
        self.closed_on = ""

    def __call__(self) -> Iterator[int]:
        try:
            for step in range(self.count):
                self.threads.add(threading.current_thread().name)
                self.log.append(f"{self.name}{step}")
                yield step
        finally:
            self.closed_on = threading.current_thread().name


class Gate:
    """Holds the engine's thread until opened, so that a test can fill the queue behind it."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def __call__(self) -> Iterator[None]:
        assert self._open.wait(10)
        yield None

    def open(self) -> None:
        self._open.set()


async def drain(queue: EngineQueue, steps: Iterator[object], priority: Priority) -> list[object]:
    async with queue.run(steps, priority) as work:
        return [item async for item in work]


async def test_steps_run_in_order_on_the_engines_thread() -> None:
    log: list[str] = []
    steps = Steps("a", log)
    async with EngineQueue("engine") as queue:
        assert await drain(queue, steps(), Priority.FINAL) == [0, 1, 2]
    assert steps.threads == {"engine"}
    assert steps.closed_on == "engine"


async def test_the_most_urgent_waiting_work_goes_first() -> None:
    log: list[str] = []
    gate = Gate()
    async with EngineQueue("engine") as queue:
        tasks = [asyncio.create_task(drain(queue, gate(), Priority.FINAL))]
        await asyncio.sleep(0.01)
        for name, priority in (
            ("speculative", Priority.SPECULATIVE_CLAUSE),
            ("later", Priority.LATER_CLAUSE),
            ("partial", Priority.PARTIAL),
            ("clause", Priority.FIRST_CLAUSE),
            ("final", Priority.FINAL),
        ):
            tasks.append(asyncio.create_task(drain(queue, Steps(name, log, count=1)(), priority)))
        await asyncio.sleep(0.01)
        gate.open()
        await asyncio.gather(*tasks)
    assert log == ["final0", "clause0", "partial0", "later0", "speculative0"]


async def test_a_step_that_waits_can_be_hurried_and_runs_once() -> None:
    log: list[str] = []
    gate = Gate()
    async with EngineQueue("engine") as queue:
        tasks = [asyncio.create_task(drain(queue, gate(), Priority.FINAL))]
        await asyncio.sleep(0.01)
        async with queue.run(Steps("wanted", log)(), Priority.SPECULATIVE_CLAUSE) as work:

            async def pull() -> list[int]:
                return [step async for step in work]

            pulling = asyncio.create_task(pull())
            await asyncio.sleep(0.01)
            tasks.append(asyncio.create_task(drain(queue, Steps("partial", log, count=2)(), Priority.PARTIAL)))
            await asyncio.sleep(0.01)
            assert queue.waiting == 2
            work.hurry(Priority.FIRST_CLAUSE)
            work.hurry(Priority.LATER_CLAUSE)  # it never becomes less urgent
            gate.open()
            assert await pulling == [0, 1, 2]
        await asyncio.gather(*tasks)
        assert work.priority == Priority.FIRST_CLAUSE
    assert log[0] == "wanted0" and sorted(log) == ["partial0", "partial1", "wanted0", "wanted1", "wanted2"]


async def test_urgent_work_goes_between_the_steps_of_other_work() -> None:
    log: list[str] = []
    async with EngineQueue("engine") as queue:
        async with queue.run(Steps("reply", log)(), Priority.LATER_CLAUSE) as reply:
            await anext(reply)
            await drain(queue, Steps("final", log, count=1)(), Priority.FINAL)
            await anext(reply)
    assert log == ["reply0", "final0", "reply1"]


async def test_no_step_runs_before_it_is_asked_for() -> None:
    log: list[str] = []
    async with EngineQueue("engine") as queue:
        async with queue.run(Steps("a", log)(), Priority.FINAL) as work:
            await anext(work)
            await drain(queue, Steps("b", log, count=1)(), Priority.LATER_CLAUSE)
            assert log == ["a0", "b0"]


async def test_leaving_early_closes_the_generator_on_its_thread() -> None:
    steps = Steps("a", [])
    async with EngineQueue("engine") as queue:
        async with queue.run(steps(), Priority.FINAL) as work:
            await anext(work)
    assert steps.closed_on == "engine"


async def test_a_cancelled_consumer_frees_the_engine_after_the_step_at_work() -> None:
    log: list[str] = []
    gate = Gate()
    closed: list[bool] = []

    def slow() -> Iterator[None]:
        try:
            yield from gate()
            log.append("second step")
            yield None
        finally:
            closed.append(True)

    async with EngineQueue("engine") as queue:
        task = asyncio.create_task(drain(queue, slow(), Priority.LATER_CLAUSE))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        gate.open()
        assert await drain(queue, Steps("next", log, count=1)(), Priority.LATER_CLAUSE) == [0]
    assert log == ["next0"]
    assert closed == [True]


async def test_what_a_step_raises_reaches_the_consumer() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise EngineError("the model is gone")

    async with EngineQueue("engine") as queue:
        async with queue.run(broken(), Priority.FINAL) as work:
            assert await anext(work) == 1
            with pytest.raises(EngineError, match="gone"):
                await anext(work)
        assert await drain(queue, Steps("next", [])(), Priority.FINAL) == [0, 1, 2]


async def test_a_running_step_shows_as_stuck_time() -> None:
    gate = Gate()
    async with EngineQueue("engine") as queue:
        assert queue.stuck_seconds == 0
        task = asyncio.create_task(drain(queue, gate(), Priority.FINAL))
        await asyncio.sleep(0.05)
        assert queue.stuck_seconds > 0
        gate.open()
        await task
    assert queue.stuck_seconds == 0


async def test_a_stopped_queue_refuses_work() -> None:
    async with EngineQueue("engine") as queue:
        pass
    with pytest.raises(EngineError, match="stopping"):
        await drain(queue, Steps("a", [])(), Priority.FINAL)
