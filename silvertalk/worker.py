"""`silvertalk worker`: does the jobs, sends the notices that stayed behind, sweeps.

Ids of jobs come through docket as they are asked for. Beside that the worker looks at the rows at a slow interval, and
as soon as the database is back: what is due there is done whether its id ever arrived or not, so a worker also works
where Redis is away or has lost everything.

SIGTERM or SIGINT drains: the jobs in hand may finish, then they are handed back.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from silvertalk.database import Database
from silvertalk.errors import SilverTalkError
from silvertalk.job_docket import JobDocket
from silvertalk.job_kinds import Work, WorkParts, work_of
from silvertalk.job_running import JobRunner
from silvertalk.jobs import Jobs
from silvertalk.media.store import open_media
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.scratch import scratch_of, sweep_scratch
from silvertalk.settings import Settings
from silvertalk.sweeping import sweep
from streaming import notify
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import logger

log = logger("worker")

LOOKS_A_LEASE = 1.5
"""How often the rows are looked at in the time of a lease: what a killed worker had in hand goes on within one lease
and one such interval."""
SWEEP_SECONDS = 3600.0


@asynccontextmanager
async def work_parts(settings: Settings) -> AsyncIterator[WorkParts]:
    """What jobs work with, opened; the database, Redis and the media store may be away and come later."""
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(
            Bus.open(
                settings.bus,
                name="worker",
                key=settings.bus_key.get_secret_value() or None,
                lease_ms=settings.lease_ms,
            )
        )
        database = await stack.enter_async_context(Database.of(settings))
        yield WorkParts(
            settings=settings,
            bus=bus,
            database=database,
            media=await stack.enter_async_context(open_media(settings)),
            jobs=await stack.enter_async_context(Jobs(database, settings.bus[0])),
            notices=Notices(bus, database),
            revocations=await stack.enter_async_context(Revocations(bus, database)),
        )


class JobWorker:
    """Runs jobs until `stop`."""

    def __init__(self, parts: WorkParts, runner: JobRunner) -> None:
        self._parts = parts
        self._runner = runner
        self._look_seconds = parts.settings.job_lease_seconds / LOOKS_A_LEASE
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Take no more; `run` returns once what is in hand is finished or handed back."""
        self._stop.set()

    async def run(self) -> None:
        settings = self._parts.settings
        await asyncio.to_thread(sweep_scratch, scratch_of(settings))
        async with JobDocket(settings.bus[0]) as docket:
            taking = asyncio.create_task(docket.work(self._runner.run, self._stop), name="take-ids")
            looking = asyncio.create_task(self._look_around(), name="look-around")
            stopping = asyncio.create_task(self._stop.wait(), name="stop")
            try:
                await asyncio.wait([taking, looking, stopping], return_when=asyncio.FIRST_COMPLETED)
                notify.stopping()
                self._stop.set()
                looking.cancel()
                await self._runner.drain(settings.drain_seconds)
            finally:
                for task in (taking, looking, stopping):
                    if task is not taking:
                        task.cancel()
                await asyncio.wait([taking, looking, stopping])
            if not taking.cancelled():
                taking.result()
            if not looking.cancelled():
                looking.result()

    async def _look_around(self) -> None:
        """Jobs whose ids did not come, notices that nobody sent, what is old."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            await self._parts.database.wait_ready()
            try:
                await self._look()
                if loop.time() >= sweep_at:
                    await sweep(self._parts)
                    sweep_at = loop.time() + SWEEP_SECONDS
            except (SilverTalkError, BusError) as error:
                log.info("look_failed", code=error.code)
            await asyncio.sleep(self._look_seconds)

    async def _look(self) -> None:
        if self._runner.free:
            for job in await self._parts.jobs.due(self._runner.free):
                self._runner.run_soon(job)
        await self._parts.notices.publish_left_behind()


async def work(settings: Settings, works: Callable[[str], Work] = work_of) -> None:
    """Work until told to stop. `works`: what does each kind of job."""
    async with work_parts(settings) as parts:
        runner = JobRunner(parts, slots=settings.worker_slots, lease_seconds=settings.job_lease_seconds, works=works)
        worker = JobWorker(parts, runner)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        notify.ready()
        log.info("worker_ready")
        await worker.run()
        log.info("drained")
