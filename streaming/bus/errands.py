"""Errands: what a worker or a gateway asks of the nodes beside the turns (text of a recording, speech of a text …).

An errand is claimed as a turn is: one stream up with what is asked and its material, one down with the result, both
sealed and expiring, an offer in a stream of its own so that errands never stand in a turn's way, leases, redelivery,
the poison rule, fencing by the lease's number. What is new is only who waits, and that each holder begins anew: what an
earlier one sent counts for nothing once another has claimed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from streaming.bus import names
from streaming.bus.entries import Entry
from streaming.bus.server import Server
from streaming.bus.turns import OpenTurn
from streaming.errors import BusError, ErrandError, StreamGone, StreamingError
from streaming.logs import logger
from streaming.messages import (
    MAX_PIECE_BYTES,
    Claimed,
    ErrandDone,
    ErrandFailed,
    ErrandMaterial,
    ErrandOpened,
    ErrandPiece,
)

log = logger("bus.errands")

MAX_MATERIAL_BYTES = 2 * 1024 * 1024
"""A minute of speech; a picture is held smaller. What all errands under way have unsent is bounded by their writers."""
MAX_RESULT_BYTES = 16 * 1024 * 1024
"""Five minutes of speech at 24 kHz."""
OFFERS = 3
"""So often an errand is offered where Redis lost it."""


class Result(NamedTuple):
    """What a node made: text as UTF-8, JSON, or PCM16; and the engine that made it."""

    data: bytes
    source: str

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


class Errands:
    """What this process asks of the nodes."""

    def __init__(self, server_for: Callable[[str], Server]) -> None:
        self._server_for = server_for

    async def ask(self, wanted: ErrandOpened, material: bytes = b"", *, within: float) -> Result:
        """The result, within so many seconds. `errand` and `material_bytes` of `wanted` are filled in here.

        Raises ErrandError, BusUnavailable where it could not be offered, ValueError for too much material. Cancelled,
        the node is told so.
        """
        if len(material) > MAX_MATERIAL_BYTES:
            raise ValueError(f"{len(material)} bytes of material, at most {MAX_MATERIAL_BYTES}")
        errand = secrets.token_hex(16)
        opened = msgspec.structs.replace(wanted, errand=errand, material_bytes=len(material))
        asking = _Asking(self._server_for(errand), opened, material)
        try:
            async with asyncio.timeout(within) as deadline:
                return await asking.result()
        except TimeoutError:
            if deadline.expired():
                raise ErrandError("deadline", f"no result within {within:g} s") from None
            raise


class _Asking:
    """One errand, from its offer to its result."""

    def __init__(self, server: Server, opened: ErrandOpened, material: bytes) -> None:
        self._turn = OpenTurn(server, opened, epoch=1, offers=names.ERRANDS)
        self._quiet_seconds = server.limits.errand_quiet_seconds
        self._material = material
        self._pieces = bytearray()
        self._lost: StreamingError | None = None
        self._result: Result | ErrandError | None = None
        self._news = asyncio.Event()

    async def result(self) -> Result:
        await self._turn.begin(self._hear, self._on_lost)
        offers = 1
        try:
            await self._send_material()
            while self._result is None:
                lost, self._lost = self._lost, None
                if lost is None:
                    await self._wait()
                    continue
                if not isinstance(lost, StreamGone) or offers >= OFFERS:
                    raise ErrandError("engine", f"the errand was lost: {lost.code}")
                offers += 1
                await self._turn.reoffer()
                await self._send_material()
        finally:
            await self._turn.close("done" if self._result is not None else "cancelled")
        if isinstance(self._result, ErrandError):
            raise self._result
        return self._result

    async def _send_material(self) -> None:
        for at in range(0, len(self._material), MAX_PIECE_BYTES):
            self._turn.up.append_soon(ErrandMaterial(data=self._material[at : at + MAX_PIECE_BYTES]))

    async def _wait(self) -> None:
        """For news; where there are none for long, the lease of whoever has it may have run out."""
        self._news.clear()
        if self._result is not None or self._lost is not None:
            return
        try:
            async with asyncio.timeout(self._quiet_seconds):
                await self._news.wait()
        except TimeoutError:
            try:
                await self._turn.hint_reclaim()
            except BusError as error:
                log.info("errand_lease_unseen", error=type(error).__name__)

    def _hear(self, found: Sequence[Entry]) -> None:
        for _, message in found:
            if self._result is not None:
                return
            match message:
                case Claimed():
                    self._pieces.clear()  # another has it now, and begins anew
                case ErrandPiece(data=data):
                    self._pieces += data
                    if len(self._pieces) > MAX_RESULT_BYTES:
                        self._result = ErrandError("too_large", f"more than {MAX_RESULT_BYTES} bytes")
                case ErrandDone(size=size, source=source):
                    whole = size == len(self._pieces)
                    self._result = (
                        Result(bytes(self._pieces), source) if whole else ErrandError("engine", "a piece is missing")
                    )
                case ErrandFailed(reason=reason, detail=detail, retry_after_seconds=seconds):
                    self._result = ErrandError(reason, detail, retry_after_seconds=seconds)
        self._news.set()

    def _on_lost(self, reason: StreamingError) -> None:
        self._lost = reason
        self._news.set()
