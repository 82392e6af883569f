"""The node's side of turns: which turns this process has claimed, on all servers.

A process takes a new consumer name each time it starts, so it never has pending entries from an earlier life, and never
claims from itself: a lease of its own that ran out means that its engine is stuck, and then it reads no offers either.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from streaming.bus import names
from streaming.bus.desk import Desk
from streaming.bus.leases import ClaimedTurn
from streaming.bus.server import Server
from streaming.errors import BusUnavailable


class Claims:
    """The turns this process claims. One task at a time calls `next`; anybody may call `wake`."""

    def __init__(self, servers: Sequence[Server], offers: str = names.OFFERS) -> None:
        self._desks = [
            Desk(server, wanted=self._wanted, alone=lambda: self._alone, found=self._found, offers=offers)
            for server in servers
        ]
        # Bounded by the slots asked for, once per server: a desk reads no more offers than that.
        self._ready: deque[ClaimedTurn] = deque()
        self._slots = 0
        self._alone = True
        self._news = asyncio.Event()
        self._woken = False
        self._closed = False

    async def next(self, free_slots: int, *, alone: bool = True) -> list[ClaimedTurn]:
        """Up to `free_slots` newly claimed turns, as soon as there is one; [] after `wake`.

        `alone`: the caller serves nothing else, so a turn that has to be served alone may be had at once; otherwise
        such a turn is left to others at first. It comes by itself, in a list of one.

        With no free slot it waits for `wake` alone. Cancelling loses nothing: what was claimed is returned by the next
        call, or handed back when none comes. A turn is the caller's from here on: its first entry on `down` must be
        `Claimed`. Raises BusUnavailable when the bus is closed; servers that are away are waited for.
        """
        self._slots = free_slots
        self._alone = alone
        given = False
        try:
            while not self._closed:
                if self._woken:
                    self._woken = False
                    return []
                if self._ready and free_slots > 0:
                    given = True
                    return self._give(free_slots)
                self._news.clear()
                for desk in self._desks:
                    desk.reconsider()
                await self._news.wait()
            raise BusUnavailable("the bus is closed")
        finally:
            self._slots = 0
            if not given:
                # The caller may not come back, and an offer read now would wait in vain. With a turn in hand it does
                # come back, and the read goes on meanwhile.
                self._stop_reading()

    def _give(self, free_slots: int) -> list[ClaimedTurn]:
        given = [self._ready.popleft()]
        while self._ready and len(given) < free_slots and not (given[0].is_suspect or self._ready[0].is_suspect):
            given.append(self._ready.popleft())
        return given

    def wake(self) -> None:
        """Let `next` return [] soon, and read no offers until it is called again."""
        self._woken = True
        self._slots = 0
        self._news.set()
        self._stop_reading()

    async def close(self) -> None:
        """Read no more, and hand back what is still held."""
        self._closed = True
        self.wake()
        for desk in self._desks:
            await desk.close()

    # --- for the desks -----------------------------------------------------------------------------------------------

    def _wanted(self) -> int:
        """Free slots for which nothing is ready yet."""
        return max(0, self._slots - len(self._ready))

    def _found(self, turn: ClaimedTurn) -> None:
        self._ready.append(turn)
        self._news.set()
        if turn.is_suspect:
            self._slots = 0
        if not self._wanted():
            self._stop_reading()
        asyncio.get_running_loop().call_later(turn.lease_seconds / 2, self._take_back, turn)

    def _take_back(self, turn: ClaimedTurn) -> None:
        """Nobody asked for the turn while its lease was good: let another node have it."""
        if turn in self._ready:
            self._ready.remove(turn)
            turn.hand_back_soon()

    def _stop_reading(self) -> None:
        for desk in self._desks:
            desk.stop_reading()
