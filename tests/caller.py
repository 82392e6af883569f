"""A person on the phone, for journeys: speaks in real time, keeps what it is told, waits for what it expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from silvertalk.client import ConnectionLost, Received, TalkClient, talk
from silvertalk.login import Guest, log_in_as_guest
from streaming.protocol import Event, Ready

Told = TypeVar("Told", bound=Event)
AnyCaller = TypeVar("AnyCaller", bound="Caller")

FRAME_BYTES = 640
WAIT_SECONDS = 15.0


class Caller:
    """`events` grows as the server speaks; the microphone never stops, it hears silence between the things said."""

    def __init__(self, client: TalkClient, patience_seconds: float) -> None:
        self.client = client
        self._patience_seconds = patience_seconds
        self.events: list[Received] = []
        self._news = asyncio.Condition()
        self._speech = bytearray()
        self._said = asyncio.Event()

    async def say(self, pcm: bytes) -> None:
        """Speak; returns once the last frame was sent."""
        self._said.clear()
        self._speech += pcm
        await self._said.wait()

    async def wait_for(self, kind: type[Told], **fields: object) -> Told:
        """The first event of this kind with these fields, whether it came already or comes now."""
        async with asyncio.timeout(self._patience_seconds):
            async with self._news:
                while (found := self.find(kind, **fields)) is None:
                    await self._news.wait()
        return found

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when `condition` holds of what has come."""
        async with asyncio.timeout(self._patience_seconds), self._news:
            await self._news.wait_for(lambda: bool(condition()))

    def find(self, kind: type[Told], **fields: object) -> Told | None:
        return next(iter(self.all(kind, **fields)), None)

    def all(self, kind: type[Told], **fields: object) -> list[Told]:
        return [
            event
            for event in (received.event for received in self.events)
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
        ]

    @property
    def losses(self) -> list[ConnectionLost]:
        """Every time the connection was lost and sought again."""
        return self.all(ConnectionLost)

    async def back(self, times: int) -> Ready:
        """Wait until the connection was lost and found again so often; returns the last of these `ready`."""
        await self.until(lambda: len(self.all(Ready)) >= times)
        return self.all(Ready)[times - 1]

    def kinds(self) -> list[str]:
        return [type(received.event).__name__ for received in self.events]

    def audio(self, turn: int) -> bytes:
        """The reply's audio, in the order it came."""
        return b"".join(r.pcm for r in self.events if r.pcm and getattr(r.event, "turn", 0) == turn)

    async def _microphone(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            frame = bytes(self._speech[:FRAME_BYTES])
            del self._speech[:FRAME_BYTES]
            if not self._speech:
                self._said.set()
            await self.client.send_audio(frame.ljust(FRAME_BYTES, b"\0"))
            due += 0.02
            await asyncio.sleep(due - loop.time())

    async def _listen(self) -> None:
        async for received in self.client:
            async with self._news:
                self.events.append(received)
                self._news.notify_all()


@asynccontextmanager
async def calling(
    url: str,
    *,
    microphone: bool = True,
    patience_seconds: float = WAIT_SECONDS,
    guest: Guest | None = None,
    **options: Any,
) -> AsyncIterator[Caller]:
    """A guest in a conversation at `url`: a gateway's, or that of a `tcp_proxy` before it.

    `options` go to `talk`, which comes back by itself when the connection is lost unless `resume=False` is among them.
    """
    async with calling_as(
        Caller, url, microphone=microphone, patience_seconds=patience_seconds, guest=guest, **options
    ) as caller:
        yield caller


@asynccontextmanager
async def calling_as(
    kind: Callable[[TalkClient, float], AnyCaller],
    url: str,
    *,
    microphone: bool = True,
    patience_seconds: float = WAIT_SECONDS,
    guest: Guest | None = None,
    **options: Any,
) -> AsyncIterator[AnyCaller]:
    """The same, for another kind of caller."""
    async with talk(url, guest or await log_in_as_guest(url), **options) as client:
        caller = kind(client, patience_seconds)
        tasks = [asyncio.create_task(caller._listen(), name="listen")]
        if microphone:
            tasks.append(asyncio.create_task(caller._microphone(), name="microphone"))
        try:
            yield caller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
