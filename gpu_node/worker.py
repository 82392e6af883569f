"""The node's life: warm the engines, claim turns, keep their leases while work progresses, drain.

A node reads only as many offers as it has free slots. Each claimed turn runs in a task of its own; a lease is renewed
from the event loop, which holds no engine's lock, and only while the engine thread is not stuck in a step: a node that
hangs loses its turns to another as surely as one that died.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from gpu_node.pipeline import Engines, TurnPipeline
from gpu_node.threads import Priority
from streaming.bus import Bus, ClaimedTurn, Claims
from streaming.errors import BusError, BusUnavailable, Fenced, StreamGone
from streaming.logs import logger

log = logger("worker")

MAX_DELIVERIES = 3
"""A turn that took its node down so often is given up, with an apology, rather than be allowed to take down the
rest."""


MAX_HELD = 8
"""Turns held for each slot, those included whose person only listens to the reply."""


class Worker:
    """Claims and runs turns until it is told to drain."""

    def __init__(
        self,
        bus: Bus,
        engines: Engines,
        *,
        name: str,
        slots: int,
        lease_ms: int,
        engine_stall_ms: int,
        drain_seconds: float,
    ) -> None:
        self._bus = bus
        self._claims: Claims = bus.claims
        self._engines = engines
        self._name = name
        self._slots = slots
        self._lease_ms = lease_ms
        self._engine_stall_ms = engine_stall_ms
        self._drain_seconds = drain_seconds
        # Bounded by MAX_HELD for each slot: no more is claimed.
        self._turns: dict[asyncio.Task[None], tuple[ClaimedTurn, TurnPipeline]] = {}
        self._draining = asyncio.Event()
        self._slot_freed = asyncio.Event()

    async def warm_up(self) -> None:
        """Run every engine once at real shapes. A node is not offered to anyone before."""
        began = time.monotonic()
        engines = self._engines
        await engines.queue.call(engines.stt.warm_up, Priority.FINAL)
        for tts in {id(tts): tts for tts in engines.tts.values()}.values():
            await engines.queue.call(tts.warm_up, Priority.FINAL)
        await engines.llm.warm_up()
        log.info("node_warm", node=self._name, seconds=round(time.monotonic() - began, 2))

    def drain(self) -> None:
        """Claim no more; `run` returns once the turns in hand are over, or after the grace."""
        self._draining.set()
        self._claims.wake()
        self._slot_freed.set()

    async def run(self) -> None:
        """Claim and serve; returns when drained."""
        renewing = asyncio.create_task(self._renew_leases(), name="renew-leases")
        try:
            await self._claim_turns()
            await self._finish_turns()
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _claim_turns(self) -> None:
        while not self._draining.is_set():
            free = min(self._slots - self._busy, MAX_HELD * self._slots - len(self._turns))
            if free <= 0:
                self._slot_freed.clear()
                await self._slot_freed.wait()
                continue
            for claimed in await self._claims.next(free):
                pipeline = TurnPipeline(claimed, self._engines, self._name, self._slot_changed)
                task = asyncio.create_task(self._serve(claimed, pipeline), name=f"turn:{pipeline.name}")
                self._turns[task] = claimed, pipeline
                task.add_done_callback(self._forget)

    async def _serve(self, claimed: ClaimedTurn, pipeline: TurnPipeline) -> None:
        log.info("turn_claimed", turn=pipeline.name, lease=claimed.lease, delivery=claimed.delivery)
        try:
            if claimed.delivery > MAX_DELIVERIES:
                await pipeline.give_up("poison", f"delivered {claimed.delivery} times")
            else:
                await pipeline.run()
        except (Fenced, StreamGone) as lost:
            log.warning("turn_lost", turn=pipeline.name, reason=lost.code)
        except BusUnavailable as error:
            log.warning("turn_interrupted", turn=pipeline.name, error=str(error))
            await claimed.hand_back()
            return
        except Exception as error:  # a mistake of ours, or a stream at its bound: the turn is told so
            log.error("turn_broke", turn=pipeline.name, exc_info=error)
            with suppress(BusError):
                await pipeline.give_up("engine", type(error).__name__)
        await claimed.release()
        log.info("turn_released", turn=pipeline.name)

    @property
    def _busy(self) -> int:
        """Turns that want an engine: those whose person only listens take no slot."""
        return sum(not pipeline.resting for _, pipeline in self._turns.values())

    def _slot_changed(self) -> None:
        self._slot_freed.set()
        self._claims.wake()  # it may be waiting for fewer offers than there are slots now

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._turns[task]
        self._slot_changed()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("turn_not_released", task=task.get_name(), exc_info=error)

    async def _renew_leases(self) -> None:
        """A third of the lease apart: two renewals may be lost before anyone else may claim."""
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            if self._engines.queue.stuck_seconds * 1000 > self._engine_stall_ms:
                log.error("engine_stuck", seconds=round(self._engines.queue.stuck_seconds, 1))
                continue
            held = list(self._turns.items())
            await asyncio.gather(*(self._renew(task, claimed) for task, (claimed, _) in held))

    async def _renew(self, task: asyncio.Task[None], claimed: ClaimedTurn) -> None:
        try:
            await claimed.renew()
        except Fenced:
            log.warning("lease_lost", session=claimed.session, turn=claimed.turn)
            task.cancel()
            await claimed.abandon()
        except BusError as error:
            log.warning("renewal_failed", error=str(error))

    async def _finish_turns(self) -> None:
        """The drain: turns in hand may finish; what is left after the grace is handed to another node at once."""
        if self._turns:
            await asyncio.wait(self._turns, timeout=self._drain_seconds)
        left = dict(self._turns)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        for claimed, _ in left.values():
            await claimed.hand_back()
