"""The closed turns of one session on their way to the database, until it is known what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from silvertalk.committer import Committer
from streaming.messages import TurnRecord


class Unwritten:
    """Gives each to the committer, and tells of each that is written once."""

    def __init__(
        self, committer: Committer, committed: Iterable[int], on_committed: Callable[[TurnRecord], None]
    ) -> None:
        """`committed`: turns of which has been told already."""
        self._committer = committer
        self._on_committed = on_committed
        # Both bounded by the turns of a session's longest life.
        self._committed = set(committed)
        self._waiting: set[int] = set()
        self._changed = asyncio.Event()

    async def submit(self, record: TurnRecord) -> None:
        """Have a closed turn written to the database."""
        self._waiting.add(record.turn)
        await self._committer.submit(record)

    def committed(self, record: TurnRecord) -> None:
        """The database has a turn."""
        if record.turn in self._committed:
            return  # the session came back to this gateway while an earlier copy of the record still waited
        self._committed.add(record.turn)
        self.refused(record)
        self._on_committed(record)

    def refused(self, record: TurnRecord) -> None:
        """The database will never have a turn: it is waited for no more."""
        self._waiting.discard(record.turn)
        self._changed.set()

    async def none_left(self, seconds: float) -> bool:
        """Whether the database has every turn, within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting:
                    self._changed.clear()
                    await self._changed.wait()
        return not self._waiting
