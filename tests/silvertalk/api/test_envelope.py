"""A long body takes the memory that it needs, comes at a pace, and shuts nobody out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from silvertalk.api import envelope
from silvertalk.api.envelope import MIB, PACE, Envelope, Pace
from tests.silvertalk.api.conftest import serving

PHOTOS, CALENDAR = "/photos/batch-upload", "/calendars/sync"


class Sender:
    """Somebody's request, as slow as a test likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def begin(self, path: str, *lines: str) -> None:
        """`lines`: who asks, and how long the body is."""
        head = (f"POST {path} HTTP/1.1", "Host: here", "Connection: close", *lines)
        await self.send("\r\n".join((*head, "", "")).encode())

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def status(self) -> int:
        async with asyncio.timeout(20):
            return int((await self._reader.readline()).split()[1])


class House:
    """A server and whoever comes to it. `waiting` counts the bodies that are being read."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self._port = urlsplit(url).port
        self._stack = stack

    async def sender(self) -> Sender:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._stack.callback(writer.close)
        return Sender(reader, writer)

    async def whole(self, path: str, user: str, size: int) -> int:
        """The answer to a body that comes at once."""
        sender = await self.sender()
        await sender.begin(path, f"X-User: {user}", f"Content-Length: {size}")
        await sender.send(bytes(size))
        return await sender.status()


@asynccontextmanager
async def house(pace: Pace = PACE) -> AsyncIterator[tuple[House, asyncio.Queue[str]]]:
    """With it: the names of who was admitted, in turn."""
    admitted: asyncio.Queue[str] = asyncio.Queue()

    async def who(scope: Scope) -> str:
        admitted.put_nowait(user := Headers(scope=scope)["x-user"])
        return user

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        size = len(await Request(scope, receive).body())
        await PlainTextResponse(str(size))(scope, receive, send)

    async with serving(lambda port: Envelope(answer, admit=who, pace=pace)) as url, AsyncExitStack() as stack:
        yield House(url, stack), admitted


@pytest.mark.parametrize("declared", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
async def test_who_sends_little_by_little_shuts_nobody_out(declared: str) -> None:
    async with house() as (server, admitted):
        for number in range(8):
            await (await server.sender()).begin(PHOTOS, f"X-User: slow-{number}", declared)
            await admitted.get()
        assert await server.whole(PHOTOS, "quick", MIB) == 200
        assert await server.whole(CALENDAR, "quick", MIB) == 200


async def test_who_declares_much_leaves_room_for_the_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_LONG_BODIES_BYTES", 40 * MIB)
    async with house() as (server, admitted):
        await (await server.sender()).begin(PHOTOS, "X-User: greedy", f"Content-Length: {8 * MIB}")
        await admitted.get()
        assert await server.whole(PHOTOS, "next", 1000) == 429
        assert await server.whole(CALENDAR, "next", MIB) == 200


async def test_what_was_not_declared_is_counted_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_LONG_BODIES_BYTES", 40 * MIB)
    async with house() as (server, _):
        sender = await server.sender()
        await sender.begin(PHOTOS, "X-User: endless", "Transfer-Encoding: chunked")
        chunk = b"%x\r\n%b\r\n" % (MIB, bytes(MIB))
        for _ in range(9):
            await sender.send(chunk)
        assert await sender.status() == 429
        assert await server.whole(PHOTOS, "next", 8 * MIB) == 200, "and it is given back"


async def test_one_long_body_at_a_time() -> None:
    async with house() as (server, admitted):
        await (await server.sender()).begin(PHOTOS, "X-User: twice", "Content-Length: 100000")
        await admitted.get()
        assert await server.whole(CALENDAR, "twice", 1000) == 429


@pytest.mark.parametrize("declared", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
async def test_a_long_body_has_to_come_at_a_pace(declared: str) -> None:
    async with house(Pace(0.05, 16 * 1024)) as (server, _):
        sender = await server.sender()
        await sender.begin(PHOTOS, "X-User: slow", declared)
        assert await sender.status() == 408
        assert await server.whole(PHOTOS, "slow", 1000) == 200


async def test_who_declared_much_has_to_come_faster() -> None:
    """Sixteen MiB come in the two minutes they have, or they keep their room from others in vain."""
    async with house(Pace(0.05, 1)) as (server, _):
        sender = await server.sender()
        await sender.begin(PHOTOS, "X-User: greedy", f"Content-Length: {16 * MIB}")
        await sender.send(bytes(1000))
        assert await sender.status() == 408
