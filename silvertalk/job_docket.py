"""Job ids on their way to a worker: docket, on the same Redis as the bus.

Only ids travel here. docket pickles its arguments and encrypts nothing, so whoever could write to its keys could run
what they like in a worker: they lie beside the bus's, under a prefix that a node's credentials do not open, and a
worker takes an id for nothing but a question to the database.

docket is asked for as little as can be, since hosted Redis bills every command: no schedules (a worker keeps its own
timers, and finds rows that are due), no perpetual tasks, rare heartbeats and sweeps. What a killed worker had taken is
found by its row long before docket delivers the id again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from docket import Docket, Worker
from redis.exceptions import RedisError

from silvertalk.jobs import WORK_GROUP, WORK_STREAM
from streaming.logs import logger

log = logger("docket")

NAME = "silvertalk-jobs"
TASK = "job"
NEVER_EXPIRE = frozenset({WORK_STREAM, f"{NAME}:workers", f"{NAME}:task-workers:{TASK}"})
"""docket's keys without a time to live. The stream holds its consumer group, and its entries are deleted one by one;
the other two list the workers, who prune each other's names."""

RECORD_SECONDS = 24 * 3600
"""Life of docket's record of an id; past it the id counts as done, and the row is found by the workers."""
BLOCK = timedelta(seconds=25)
"""One blocking read: rarer is cheaper, and what lies between cuts a connection that is silent for a minute."""
REDELIVERY = timedelta(minutes=10)
HEARTBEAT = timedelta(minutes=5)
DELIVERED = 32
"""Ids that a worker holds at most. Above its slots, since docket sleeps for a whole block where it holds that many."""
DELIVERED_AT_ONCE = 4
"""Few, so that several workers share what comes at once."""
FORGET_CONSUMER_MS = 24 * 3600_000

Run = Callable[[str], Awaitable[None]]


async def job(job_id: str) -> None:
    """The task that ids are sent to; in a worker another takes its place."""
    raise RuntimeError("only a worker does jobs")


class JobDocket:
    """One process's end of it. `async with` opens and closes it; Redis may be away meanwhile."""

    def __init__(self, redis_url: str) -> None:
        for name in ("docket", "docket.worker", "docket.docket", "docket.strikelist"):
            logging.getLogger(name).setLevel(logging.ERROR)  # it logs what tasks are called with
        self._docket = Docket(
            name=NAME, url=redis_url, heartbeat_interval=HEARTBEAT, execution_ttl=timedelta(minutes=1)
        )
        self._docket.tasks.clear()
        self._docket.register(job)
        self._name = f"{socket.gethostname()[:32]}.{secrets.token_hex(4)}"

    async def __aenter__(self) -> Self:
        await self._docket.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._docket.__aexit__(kind, error, trace)

    async def send(self, job_id: str) -> None:
        """Have some worker run it; an id that is on its way already is not sent twice. Raises redis-py's errors."""
        await self._docket.add(TASK, key=job_id)(job_id)
        async with self._docket.redis() as redis:
            await redis.expire(self._docket.runs_key(job_id), RECORD_SECONDS)

    async def work(self, run: Run, stop: asyncio.Event) -> None:
        """Give ids to `run` as they come, until `stop`; then wait for those in hand. Redis may come and go."""

        async def taken(job_id: str) -> None:
            async with self._docket.redis() as redis:
                await redis.expire(f"{NAME}:progress:{job_id}", RECORD_SECONDS)
            await run(job_id)

        self._docket.register(taken, names=[TASK])
        worker = Worker(
            self._docket,
            name=self._name,
            concurrency=DELIVERED,
            message_batch=DELIVERED_AT_ONCE,
            redelivery_timeout=REDELIVERY,
            minimum_check_interval=BLOCK,
            scheduling_resolution=timedelta(days=1),
            schedule_automatic_tasks=False,
        )
        async with worker:
            working = asyncio.create_task(worker.run_forever(), name="docket")
            stopping = asyncio.create_task(stop.wait(), name="docket-stop")
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            # Entries that Redis hands to the read that ends here lie with this consumer; their rows are found.
            working.cancel("draining")
            await asyncio.wait([working])
        await self._leave()
        if not working.cancelled() and (error := working.exception()) is not None:
            raise error

    async def _leave(self) -> None:
        """Strike this consumer, and those that ended without, off the group's list."""
        try:
            async with self._docket.redis() as redis:
                found: list[dict[str, Any]] = await redis.xinfo_consumers(WORK_STREAM, WORK_GROUP)
                for consumer in found:
                    name = consumer["name"].decode()
                    gone = name == self._name or consumer["idle"] > FORGET_CONSUMER_MS
                    if gone and not consumer["pending"]:
                        await redis.xgroup_delconsumer(WORK_STREAM, WORK_GROUP, name)  # type: ignore[attr-defined]
        except RedisError as error:
            log.info("consumer_stays", error=type(error).__name__)
