"""The node's errands: claimed beside the turns, one at a time, and never in a turn's way.

An errand is claimed only while at least half of the node's slots are free, and its engine steps wait behind everything
that anybody's conversation wants, so what a turn may have to wait for is one step that had begun. Its lease is renewed
while it goes on: a node whose engine hangs, or whose LLM says nothing for long, loses it to another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from gpu_node.errand_work import WORKS, Made
from gpu_node.errors import EngineError, ErrandRefused, LlmRateLimited
from streaming.bus import ClaimedTurn, Claims
from streaming.errors import BusError, BusUnavailable, Fenced, StreamGone, StreamingError
from streaming.logs import logger
from streaming.messages import (
    MAX_PIECE_BYTES,
    AnyMessage,
    Claimed,
    CloseTurn,
    ErrandDone,
    ErrandFailed,
    ErrandMaterial,
    ErrandOpened,
    ErrandPiece,
)

if TYPE_CHECKING:
    from gpu_node.pipeline import Engines

log = logger("errands")

MATERIAL_SECONDS = 20.0
"""An errand whose material does not come in this time has nobody behind it any more."""
STILL_SECONDS = 60.0
"""Without a step's end or a token for so long an errand does not go on: its lease is renewed no more."""


class _Cancelled(Exception):
    """Nobody wants the result any more."""


class Errands:
    """Claims and runs errands until told to drain."""

    def __init__(
        self,
        claims: Claims,
        engines: Callable[[], Engines],
        *,
        node: str,
        lease_ms: int,
        engine_stall_ms: int,
        turns_in_hand: Callable[[], int],
        slots: int,
    ) -> None:
        """`turns_in_hand`: turns that want an engine now, of `slots`."""
        self._claims = claims
        self._engines = engines
        self._node = node
        self._lease_seconds = lease_ms / 1000
        self._stall_seconds = engine_stall_ms / 1000
        self._turns_in_hand = turns_in_hand
        self._slots = slots
        self._draining = False
        self._changed = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def reconsider(self) -> None:
        """The turns in hand have changed."""
        self._changed.set()
        if not self._may_begin:
            self._claims.wake()

    def drain(self) -> None:
        """Claim no more, and hand back what is in hand: its asker waits anyway, and turns come first."""
        self._draining = True
        self._changed.set()
        self._claims.wake()
        if self._serving is not None:
            self._serving.cancel("draining")

    @property
    def _may_begin(self) -> bool:
        return 2 * self._turns_in_hand() <= self._slots - 1

    async def run(self) -> None:
        while not self._draining:
            self._changed.clear()
            if not self._may_begin:
                await self._changed.wait()
                continue
            for claimed in await self._claims.next(1, alone=self._turns_in_hand() == 0):
                self._serving = asyncio.create_task(self._serve(claimed), name=f"errand:{claimed.session[:8]}")
                await asyncio.wait([self._serving])
                self._serving = None

    # --- one errand --------------------------------------------------------------------------------------------------

    async def _serve(self, claimed: ClaimedTurn) -> None:
        errand = _Errand(claimed, self._engines(), self._node)
        log.info("errand_claimed", errand=claimed.session, lease=claimed.lease, delivery=claimed.delivery)
        if self._draining:
            await claimed.hand_back()
            return
        working = asyncio.create_task(errand.run(), name=f"errand-work:{claimed.session[:8]}")
        renewing = asyncio.create_task(self._renew(claimed, errand), name=f"errand-lease:{claimed.session[:8]}")
        try:
            await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _end(working, renewing)
            await asyncio.shield(claimed.hand_back())
            raise
        lost = not working.done()
        await _end(working, renewing)
        if lost:
            await claimed.abandon()
        elif isinstance(error := working.exception(), BusUnavailable):
            log.warning("errand_interrupted", errand=claimed.session, code=error.code)
            await claimed.hand_back()
        else:
            if isinstance(error, Fenced | StreamGone | _Cancelled):
                log.info("errand_left", errand=claimed.session, reason=type(error).__name__)
            elif error is not None:
                log.error("errand_broke", errand=claimed.session, exc_info=error)
            await claimed.release()

    async def _renew(self, claimed: ClaimedTurn, errand: _Errand) -> None:
        """Returns when it is ours no more, or may not be."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            stuck = self._engines().queue.stuck_seconds > self._stall_seconds
            if stuck or loop.time() - errand.moved_at > STILL_SECONDS:
                log.warning("errand_stands_still", errand=claimed.session)
                return
            try:
                await claimed.renew()
            except Fenced:
                log.warning("errand_lost", errand=claimed.session)
                return
            except BusError as error:
                log.warning("renewal_failed", errand=claimed.session, code=error.code)


class _Errand:
    """One claimed errand. `moved_at`: the loop's time at which it last went on."""

    def __init__(self, claimed: ClaimedTurn, engines: Engines, node: str) -> None:
        self._claimed = claimed
        self._engines = engines
        self._node = node
        self._opened: ErrandOpened | None = None
        self._material = bytearray()
        self._over: Exception | None = None
        self._news = asyncio.Event()
        self.moved_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Until its result, or why there is none, was sent. Raises Fenced, StreamGone, _Cancelled, BusError."""
        claimed, engines = self._claimed, self._engines
        await claimed.down.append(
            Claimed(node=self._node, delivery=claimed.delivery, stt=engines.stt.name, tts="", llm=engines.llm.name)
        )
        if claimed.is_hopeless:
            await self._say(ErrandFailed(reason="poison", detail=f"delivered {claimed.delivery} times"))
            return
        claimed.follow(self._deliver, self._lose)
        opened = await self._whole()
        working = asyncio.create_task(self._work(opened), name="errand-steps")
        try:
            while not working.done() and self._over is None:
                self._news.clear()
                watching = asyncio.create_task(self._news.wait(), name="errand-news")
                await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
                await _end(watching)
        finally:
            await _end(working)
        if not working.cancelled():
            working.result()
        elif self._over is not None:
            raise self._over

    async def _whole(self) -> ErrandOpened:
        """What is asked, once all of its material has come."""
        async with asyncio.timeout(MATERIAL_SECONDS):
            while self._opened is None or len(self._material) < self._opened.material_bytes:
                if self._over is not None:
                    raise self._over
                self._news.clear()
                await self._news.wait()
        self._moved()
        return self._opened

    async def _work(self, opened: ErrandOpened) -> None:
        made, size, waiting = Made(), 0, bytearray()
        try:
            async with aclosing(WORKS[opened.kind](self._engines, opened, bytes(self._material), made)) as pieces:
                async for piece in pieces:
                    self._moved()
                    waiting += piece
                    while len(waiting) >= MAX_PIECE_BYTES:
                        size += MAX_PIECE_BYTES
                        await self._say(ErrandPiece(data=bytes(waiting[:MAX_PIECE_BYTES])))
                        del waiting[:MAX_PIECE_BYTES]
        except ErrandRefused as refusal:
            seconds = refusal.retry_after_seconds
            await self._say(ErrandFailed(reason=refusal.reason, detail=refusal.detail, retry_after_seconds=seconds))
            return
        except EngineError as error:
            log.error("errand_failed", errand=opened.errand, kind=opened.kind, exc_info=error)
            seconds = (error.retry_after_seconds or 0.0) if isinstance(error, LlmRateLimited) else 0.0
            await self._say(ErrandFailed(reason="engine", detail=error.code, retry_after_seconds=seconds))
            return
        if waiting:
            await self._say(ErrandPiece(data=bytes(waiting)))
        await self._say(ErrandDone(size=size + len(waiting), source=made.source))

    async def _say(self, message: ErrandPiece | ErrandDone | ErrandFailed) -> None:
        await self._claimed.down.append(message)

    def _moved(self) -> None:
        self.moved_at = asyncio.get_running_loop().time()

    def _deliver(self, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        for _, message in entries:
            match message:
                case ErrandOpened():
                    self._opened = message
                case ErrandMaterial(data=data):
                    self._material += data
                case CloseTurn():
                    self._over = _Cancelled()
        self._news.set()

    def _lose(self, error: StreamingError) -> None:
        self._over = error
        self._news.set()


async def _end(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
