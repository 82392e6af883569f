"""Ending a blocked read without cancelling it.

A read that is cancelled while blocked loses what Redis had already sent (a group's entries then lie in its pending
list, seen by nobody). So each blocking reader also reads a small stream of its own, and whoever wants the reader's
attention writes there. The stream holds one entry and expires; CLIENT UNBLOCK would do the same but is an
administrator's command, which a node's credentials need not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.exceptions import RedisError

from streaming.bus.limits import Limits
from streaming.bus.link import Command, Link, Reply
from streaming.errors import BusError


class Bell:
    """The wake stream of one reader. `asking` carries the rings, `heard` is the last one heard."""

    def __init__(self, key: str, asking: Link, limits: Limits) -> None:
        self.key = key
        self.heard = "0-0"
        self._asking = asking
        self._limits = limits
        self._listening = False
        self._rung = False

    def ring(self) -> None:
        """End the read under way, if there is one; at most one entry is written per read."""
        if self._listening and not self._rung:
            self._rung = True
            self._asking.mark(self)

    def listening(self) -> None:
        """The reader's next read has been sent."""
        self._listening = True
        self._rung = False

    def returned(self) -> None:
        """The read has ended; what is to be heard now is heard before the next."""
        self._listening = False

    def rang(self, entry_id: str) -> None:
        """The reader's read brought the entry `entry_id`."""
        self.heard = entry_id

    # --- a source of the link ----------------------------------------------------------------------------------------

    def pull(self) -> Sequence[Command]:
        return (
            ("XADD", self.key, "MAXLEN", 1, "*", "ring", ""),
            # Outlives the read it ends; a reader that is gone leaves nothing behind.
            ("PEXPIRE", self.key, 2 * self._limits.block_ms),
        )

    def replied(self, replies: Sequence[Reply]) -> None:
        if isinstance(replies[0], RedisError):  # Out of memory, say: somebody is waiting to be heard, so try again.
            self._rung = False
            asyncio.get_running_loop().call_later(self._limits.retry_seconds, self.ring)

    def broke(self) -> None:
        if self._rung:
            self._asking.mark(self)

    def closed(self, reason: BusError) -> None:
        """The reader is ending too."""
