"""Notices: what happens to a person's things is told to all their devices, at once and without polling.

A notice is written to the outbox in the transaction of what it tells of, then published into the person's own stream on
Redis, from which every connected client is served (`silvertalk.notice_feeds`). A publisher reads the oldest rows,
sends them with no transaction open (Redis may be slow, and nobody who writes shall wait for it), then deletes them:
nobody sends a later one before an earlier one was sent. Within a process one at a time publishes for a person; two
processes at once, or one that dies in between, send some twice. A client knows a duplicate by its `kind` and `data`,
which name things by their ids and states.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database, is_erased, refuse_erased
from silvertalk.errors import SilverTalkError
from silvertalk.models import Outgoing
from silvertalk.notice_feeds import Feeds
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import logger

log = logger("notices")

NoticeKind = Literal["job", "photo", "memory", "reminder", "safety", "video", "generation"]

MAX_DATA_BYTES = 4096
PUBLISHED_AT_ONCE = 100
SEND_SECONDS = 1.0
"""Redis has so long to take a lot of notices."""
LEFT_BEHIND = timedelta(seconds=10)
"""A notice that lies in the outbox for longer has nobody any more who is about to publish it."""

_outbox: Table = Outgoing.__table__  # type: ignore[assignment]


class Notices:
    """Publishes notices; one a process. `feeds` serves them to those who are connected here."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database
        self._publishing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By person; one that nobody holds or waits for is gone."""
        self.feeds = Feeds(bus)

    async def record(self, connection: AsyncConnection, user: str, kind: NoticeKind, data: dict[str, Any]) -> None:
        """Write the notice into the caller's transaction. `data` names things by their ids and holds nothing that was
        said. Raises AccountErased for somebody who is deleted."""
        size = len(msgspec.json.encode(data))
        if size > MAX_DATA_BYTES:
            raise ValueError(f"a notice names things: {size} bytes are too many")
        await refuse_erased(connection, user)
        row = {"user_id": user, "kind": kind, "data": data, "created_at": datetime.now(UTC)}
        await connection.execute(self._database.insert(_outbox).values(row))

    async def publish(self, user: str) -> None:
        """The transaction is committed: send out what the outbox has for this person. Never fails: what cannot go now
        goes with the next, or with a worker's round."""
        try:
            async with self._publishing.setdefault(user, asyncio.Lock()):
                while await self._publish(user) == PUBLISHED_AT_ONCE:
                    pass
        except (SilverTalkError, BusError, TimeoutError) as error:
            log.info("notices_wait", error=type(error).__name__)

    async def publish_left_behind(self, limit: int = 100) -> int:
        """A worker's round: send what whoever wrote it did not; for how many people that was. Raises DatabaseAway."""
        async with self._database.transaction() as connection:
            waiting = select(_outbox.c.user_id).where(_outbox.c.created_at < datetime.now(UTC) - LEFT_BEHIND).distinct()
            users = list((await connection.execute(waiting.limit(limit))).scalars())
        for user in users:
            await self.publish(user)
        return len(users)

    async def _publish(self, user: str) -> int:
        oldest = select(_outbox.c.id, _outbox.c.kind, _outbox.c.data).where(_outbox.c.user_id == user)
        oldest = oldest.order_by(_outbox.c.id).limit(PUBLISHED_AT_ONCE)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(oldest)).all()
        if not rows:
            return 0
        encoded = [msgspec.json.encode({"kind": row.kind, "data": row.data}) for row in rows]
        async with asyncio.timeout(SEND_SECONDS):
            await self._bus.notices.publish(user, encoded)
        # Those of a guest who joined an account meanwhile are the account's, which was not sent them.
        sent = delete(_outbox).where(_outbox.c.id.in_([row.id for row in rows]), _outbox.c.user_id == user)
        async with self._database.transaction() as connection:
            await connection.execute(sent)
            erased = await is_erased(connection, user)
        if erased:  # since the rows were read: the deletion may have emptied the stream before they were sent
            async with asyncio.timeout(SEND_SECONDS):
                await self._bus.notices.forget(user)
        return len(rows)
