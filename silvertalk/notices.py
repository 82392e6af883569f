"""Notices: what happens to a person's things is told to all their devices, at once and without polling.

A notice is written to the outbox in the transaction of what it tells of, then published into the person's own stream on
Redis, from which every connected client (`GET /v1/me/events`, the voice socket) is served, and gets again what it
missed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database
from streaming.bus import Bus

NoticeKind = Literal["job", "photo", "memory", "reminder", "safety", "video"]


class Notice(NamedTuple):
    """`id` is the stream's: later ones are greater. `data` names things by id and holds nothing that was said."""

    id: str
    kind: NoticeKind
    data: dict[str, Any]


class Notices:
    """Publishes and serves notices; one a process."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database

    async def record(self, connection: AsyncConnection, user: str, kind: NoticeKind, data: dict[str, Any]) -> None:
        """Write the notice into the caller's transaction."""
        raise NotImplementedError

    async def publish(self, user: str) -> None:
        """The transaction is committed: send out what the outbox has for this person. Never fails: what cannot go now
        goes with the next, or with a worker's round."""
        raise NotImplementedError

    def follow(self, user: str, after: str = "") -> AsyncIterator[Notice]:
        """Everything after the notice `after` (empty: from now on), as it comes."""
        raise NotImplementedError
