"""A task that lives for as long as what owns it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class StandingTask:
    """For a class that is an async context: `start` it as that is entered, `stop` it as it is left."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """`work` goes on until it is cancelled."""
        self._work = work
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Nothing happens where it was started."""
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._name)

    async def stop(self) -> None:
        """Returns when it has ended; at once where it was never started."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel(f"{self._name} closed")
            await asyncio.wait([task])
