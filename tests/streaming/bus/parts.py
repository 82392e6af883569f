"""What the bus's tests are made of."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

from streaming.bus import Bus, ClaimedTurn, Limits, OpenTurn
from streaming.bus.entries import Entry
from streaming.errors import StreamingError
from streaming.messages import AnyMessage, AudioBatch, Claimed, TurnOpened

QUICK = Limits(
    lease_ms=500,
    reply_seconds=0.5,
    backoff_min_seconds=0.01,
    backoff_max_seconds=0.05,
    retry_seconds=0.02,
    full_seconds=0.2,
)
"""The real numbers but for those a test would have to sit through."""


def a_session() -> str:
    return secrets.token_hex(16)


def opened(session: str, turn: int = 1) -> TurnOpened:
    return TurnOpened(session=session, turn=turn, language="ko", reply_rate=24_000)


def batch(number: int, size: int = 640) -> AudioBatch:
    return AudioBatch(first_sample=number * 320, pcm=b"\x01" * size)


def claimed_by(node: str, delivery: int = 1) -> Claimed:
    return Claimed(node=node, delivery=delivery, stt="s", tts="t", llm="l")


class Receiver:
    """What a stream delivered, and why it was lost."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.losses: list[StreamingError] = []

    def deliver(self, found: Sequence[Entry]) -> None:
        self.entries.extend(found)

    def lose(self, reason: StreamingError) -> None:
        self.losses.append(reason)

    @property
    def messages(self) -> list[AnyMessage]:
        return [message for _, message in self.entries]

    @property
    def ids(self) -> list[str]:
        return [entry_id for entry_id, _ in self.entries]


async def until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Return as soon as `condition` holds; the bound is for a test that would otherwise hang, never a measurement."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - much of it is the state of Redis, which tells nobody
            await asyncio.sleep(0.002)


async def open_turn(gateway: Bus, receiver: Receiver, session: str, turn: int = 1, *, epoch: int = 1) -> OpenTurn:
    return await gateway.turns(session).open(
        opened(session, turn), epoch=epoch, deliver=receiver.deliver, on_lost=receiver.lose
    )


async def claim(node: Bus) -> ClaimedTurn:
    """The next turn the node gets, its claim announced."""
    async with asyncio.timeout(20):
        while not (found := await node.claims.next(1)):
            pass
    claimed = found[0]
    await claimed.down.append(claimed_by("node", claimed.delivery))
    return claimed
