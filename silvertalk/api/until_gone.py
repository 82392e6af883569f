"""An answer that takes its time is worked at for as long as its client is there: uvicorn tells of one that left, and
otherwise takes what is sent to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive


async def until_gone(telling: Coroutine[Any, Any, None], receive: Receive, *, name: str) -> None:
    """Have this told to its end, or until the client has gone. Raises what `telling` does."""
    tasks = (
        asyncio.create_task(telling, name=name),
        asyncio.create_task(_gone(receive), name=f"{name}-left"),
    )
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled() and (error := tasks[0].exception()) is not None:
        raise error


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
