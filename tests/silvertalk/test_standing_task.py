"""A task that lives for as long as what owns it."""

from __future__ import annotations

import asyncio

from silvertalk.standing_task import StandingTask


async def test_it_is_begun_once_and_has_ended_when_it_is_stopped() -> None:
    happened: list[str] = []

    async def work() -> None:
        happened.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            happened.append("ended")

    task = StandingTask(work, "work")
    await task.stop()
    task.start()
    task.start()
    await asyncio.sleep(0)
    assert happened == ["begun"]
    await task.stop()
    await task.stop()
    assert happened == ["begun", "ended"]


async def test_whoever_stops_it_can_be_cancelled_meanwhile() -> None:
    let_go = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await let_go.wait()

    task = StandingTask(work, "work")
    task.start()
    await asyncio.sleep(0)
    stopping = asyncio.create_task(task.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait([stopping])
    assert stopping.cancelled()
    let_go.set()
