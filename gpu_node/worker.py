"""The node's life: warm the engines, claim turns, keep their leases while work progresses, drain.

A node reads only as many offers as it has free slots. Each claimed turn runs in a task of its own; a lease is renewed
from the event loop, which holds no engine's lock, and only while the engine thread is not stuck in a step: a node that
hangs loses its turns to another as surely as one that died.

A turn with which nodes have died is suspected of having killed them. The last node that may have it serves nothing
else meanwhile, so that it takes nobody with it; if that one dies too, the next only apologises for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gpu_node.errands import Errands
from gpu_node.pipeline import Engines, TurnPipeline
from gpu_node.speculation import Speculations
from gpu_node.spoken_beforehand import speak_beforehand
from gpu_node.threads import Priority
from streaming import notify
from streaming.bus import Bus, ClaimedTurn, Claims
from streaming.errors import BusError, BusUnavailable, Fenced, StreamGone
from streaming.logs import logger

log = logger("worker")

MAX_HELD = 8
"""Turns held for each slot, those included whose person only listens to the reply."""

ERRAND_SECONDS = 2.0
"""A drain waits so long for an errand to be handed back."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A turn in hand. `may_begin` is set once the node is as empty as the turn wants it."""

    claimed: ClaimedTurn
    pipeline: TurnPipeline
    may_begin: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def wants_to_be_alone(self) -> bool:
        return self.claimed.is_suspect and not self.pipeline.resting


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
        speculations_per_minute: int,
    ) -> None:
        self._bus = bus
        self._claims: Claims = bus.claims
        self._engines = engines
        self._name = name
        self._slots = slots
        self._lease_ms = lease_ms
        self._engine_stall_ms = engine_stall_ms
        self._drain_seconds = drain_seconds
        self._speculations = Speculations(speculations_per_minute, is_busy=self._others_want_the_engine)
        # Bounded by MAX_HELD for each slot: no more is claimed.
        self._turns: dict[asyncio.Task[None], _Held] = {}
        self._draining = asyncio.Event()
        self._slot_freed = asyncio.Event()
        self._errands = Errands(
            bus.errand_claims,
            lambda: self._engines,
            node=name,
            lease_ms=lease_ms,
            engine_stall_ms=engine_stall_ms,
            turns_in_hand=lambda: self._busy,
            slots=slots,
        )

    async def warm_up(self) -> None:
        """Run every engine once at real shapes, and have ready what is spoken beforehand. A node is not offered to
        anyone before."""
        began = time.monotonic()
        engines = self._engines
        ends = ["turn_ends"] if engines.turn_end is not None else []
        parts = ["hearing", "speaking", "replying", *ends, "phrases"]

        def begin(part: str) -> None:
            notify.status(f"warming up {parts.index(part) + 1}/{len(parts)}: {part}")

        begin("hearing")
        await engines.queue.call(engines.stt.warm_up, Priority.FINAL)
        begin("speaking")
        for tts in {id(tts): tts for tts in engines.tts.values()}.values():
            await engines.queue.call(tts.warm_up, Priority.FINAL)
        begin("replying")
        await engines.llm.warm_up()
        if engines.turn_end is not None:
            begin("turn_ends")
            await engines.turn_end.warm_up()
        begin("phrases")
        beforehand = {
            language: await speak_beforehand(tts, language, engines.queue, fillers=engines.filler_seconds > 0)
            for language, tts in engines.tts.items()
        }
        self._engines = replace(engines, beforehand=beforehand)
        log.info("node_warm", node=self._name, seconds=round(time.monotonic() - began, 2))

    def drain(self) -> None:
        """Claim no more; `run` returns once the turns in hand are over, or after the grace."""
        self._draining.set()
        self._claims.wake()
        self._slot_freed.set()
        self._errands.drain()

    async def run(self) -> None:
        """Claim and serve; returns when drained."""
        renewing = asyncio.create_task(self._renew_leases(), name="renew-leases")
        errands = asyncio.create_task(self._errands.run(), name="errands")
        errands.add_done_callback(_tell_end)
        try:
            await self._claim_turns()
            await self._finish_turns()
        finally:
            self._errands.drain()
            await asyncio.wait([errands], timeout=ERRAND_SECONDS)
            for task in (renewing, errands):
                task.cancel()
            await asyncio.wait([renewing, errands])

    async def _claim_turns(self) -> None:
        while not self._draining.is_set():
            solitary = next((task for task, held in self._turns.items() if held.wants_to_be_alone), None)
            free = min(self._slots - self._busy, MAX_HELD * self._slots - len(self._turns))
            if solitary is not None or free <= 0:
                self._slot_freed.clear()
                if solitary is not None:
                    await self._make_room(solitary)
                await self._slot_freed.wait()
                continue
            for claimed in await self._claims.next(free, alone=self._busy == 0):
                self._begin(claimed)

    def _begin(self, claimed: ClaimedTurn) -> None:
        given_up = f"poison: delivered {claimed.delivery} times" if claimed.is_hopeless else ""
        pipeline = TurnPipeline(
            claimed,
            self._engines,
            self._name,
            self._slot_changed,
            speculations=self._speculations,
            given_up=given_up,
        )
        held = _Held(claimed, pipeline)
        if not claimed.is_suspect:
            held.may_begin.set()
        task = asyncio.create_task(self._serve(held), name=f"turn:{pipeline.name}")
        self._turns[task] = held
        self._errands.reconsider()
        task.add_done_callback(self._forget)

    async def _make_room(self, task: asyncio.Task[None]) -> None:
        """Hand back every turn but this one: another node goes on with them at once, and where there is none they are
        nobody's until this one is over. Their nodes have not died, so it does not count as a delivery."""
        held = self._turns[task]
        others = self._turns.keys() - {task}
        if others:
            log.warning("alone_with_suspect", turn=held.pipeline.name, turns=len(others))
        await self._hand_back(others)
        held.may_begin.set()

    async def _serve(self, held: _Held) -> None:
        claimed, pipeline = held.claimed, held.pipeline
        log.info("turn_claimed", turn=pipeline.name, lease=claimed.lease, delivery=claimed.delivery)
        await held.may_begin.wait()
        try:
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
        return sum(not held.pipeline.resting for held in self._turns.values())

    def _others_want_the_engine(self) -> bool:
        """Asked for a turn of ours: half of the slots are somebody else's, or a step waits that may be theirs. A
        speculative clause yields to all of them, but a step of it that has begun does not."""
        others = self._busy - 1
        return others > 0 and (2 * others >= self._slots or self._engines.queue.waiting > 0)

    def _slot_changed(self) -> None:
        self._slot_freed.set()
        self._errands.reconsider()
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
            turns = list(self._turns.items())
            await asyncio.gather(*(self._renew(task, held.claimed) for task, held in turns))

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
        """The drain: turns in hand may finish; what is left after the grace, and what was not begun, is handed to
        another node at once."""
        await self._hand_back([task for task, held in self._turns.items() if not held.may_begin.is_set()])
        if self._turns:
            await asyncio.wait(self._turns, timeout=self._drain_seconds)
        await self._hand_back(list(self._turns))

    async def _hand_back(self, tasks: Collection[asyncio.Task[None]]) -> None:
        """Stop these turns and let another node go on with them."""
        turns = [self._turns[task].claimed for task in tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(*(claimed.hand_back() for claimed in turns))


def _tell_end(errands: asyncio.Task[None]) -> None:
    """Turns go on without errands, but somebody has to know."""
    if not errands.cancelled() and (error := errands.exception()) is not None:
        log.error("errands_ended", exc_info=error)
