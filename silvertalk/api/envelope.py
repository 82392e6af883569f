"""What surrounds every request: its id, the limits of its body, and the last word when something breaks.

Pure ASGI, so that streamed answers pass through as they are written.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from silvertalk.api.problems import problem_response
from silvertalk.errors import RateLimited, Refused, RequestTooLarge, SilverTalkError, TooSlow, translated
from silvertalk.metrics import REFUSED
from streaming.logs import logger

log = logger("api")

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
"""A body of this size that takes longer is not sent in earnest (uvicorn itself would wait for ever)."""

MIB = 1024 * 1024


class BodyLimit(NamedTuple):
    """The longest body, and the longest that it may take to come."""

    max_bytes: int
    seconds: float


USUAL = BodyLimit(MAX_BODY_BYTES, BODY_SECONDS)

BODY_LIMITS: dict[str, BodyLimit] = {
    "/photos/sync-metadata": BodyLimit(MIB, 30),  # a thousand photos, described
    "/calendars/sync": BodyLimit(MIB, 30),
    "/photos/batch-upload": BodyLimit(64 * MIB, 120),  # eleven photos of a phone
    "/generate/video": BodyLimit(MIB, 30),  # a picture as a `data:` address
    "/generate/video/upload": BodyLimit(21 * MIB, 60),  # a picture, and words about it
    "/generate/preprocess": BodyLimit(21 * MIB, 60),
}
"""The paths whose bodies may be longer, where a known person sends them; a stranger's are read within `USUAL`."""

MAX_LONG_BODIES_BYTES = 256 * MIB
"""What all bodies above the usual may take together in this process. At the bound the next has to come again later."""
SHORTER_BYTES = MIB
KEPT_FOR_SHORTER_BYTES = 32 * MIB
"""The last of that room is for the paths whose bodies are no longer than `SHORTER_BYTES`: photos shut nobody out."""
BUSY_SECONDS = 5
"""When "later" is."""


class Pace(NamedTuple):
    """How fast a long body has to come: after the first `seconds`, so many bytes for each second."""

    seconds: float
    bytes_per_second: float


PACE = Pace(5.0, 16 * 1024)
"""As slow as a phone on the edge of its network. Who declared more has to keep half the pace that it needs in time."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)

Admit = Callable[[Scope], Awaitable[str]]
"""Raises why this request may not come in now; returns who asks, "" for a stranger."""


async def admit_all(scope: Scope) -> str:
    return ""


class Envelope:
    """Middleware around the whole API. The body is read before the application is asked, within its limits."""

    def __init__(self, app: ASGIApp, *, admit: Admit = admit_all, usual: BodyLimit = USUAL, pace: Pace = PACE) -> None:
        self._app = app
        self._admit = admit
        self._usual = usual
        self._pace = pace
        self._long = _LongBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._serve(scope, receive, send_with_headers)
            except Exception as error:
                known = translated(error)
                if isinstance(known, Refused):
                    REFUSED.labels(known.code).inc()
                if not isinstance(error, SilverTalkError):
                    log.error("request_broke", method=str(scope["method"]), code=known.code, exc_info=True)
                if started:
                    raise  # half an answer is out: only closing the connection still tells the client
                await problem_response(known, request_id)(scope, receive, send_with_headers)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = await self._admit(scope)
        limit = BODY_LIMITS.get(scope["path"], self._usual) if user else self._usual
        declared = _declared(Headers(scope=scope), limit)
        if limit.max_bytes <= self._usual.max_bytes:
            await self._answer(await _body(receive, limit, _in_time(limit)), scope, receive, send)
            return
        with self._long.room(user, limit, declared) as room:
            body = await _body(receive, limit, _at_pace(limit, self._pace, declared), room)
            await self._answer(body, scope, receive, send)

    async def _answer(self, body: bytes | None, scope: Scope, receive: Receive, send: Send) -> None:
        if body is not None:
            await self._app(scope, with_body(body, receive), send)


class _LongBodies:
    """The memory that long bodies take, each until it was answered."""

    def __init__(self) -> None:
        self._sending: set[str] = set()
        """Who sends one; one at a time for each."""
        self._bytes = 0

    @contextmanager
    def room(self, user: str, limit: BodyLimit, declared: int) -> Iterator[Room]:
        """Room for as much as was declared, and for what comes beyond it. Raises RateLimited where there is none."""
        if user in self._sending:
            raise RateLimited("one long body at a time", retry_after_seconds=BUSY_SECONDS)
        bound = MAX_LONG_BODIES_BYTES - (KEPT_FOR_SHORTER_BYTES if limit.max_bytes > SHORTER_BYTES else 0)
        taken = 0

        def hold(size: int) -> None:
            nonlocal taken
            more = max(0, size - taken)
            if more and self._bytes + more > bound:
                raise RateLimited("no room for another long body", retry_after_seconds=BUSY_SECONDS)
            taken += more
            self._bytes += more

        hold(declared)
        self._sending.add(user)
        try:
            yield hold
        finally:
            self._sending.discard(user)
            self._bytes -= taken


Room = Callable[[int], None]
"""Told how long the body is by now; raises RateLimited where there is no room for that much."""
Due = Callable[[int], float]
"""How many seconds after its beginning a body of which so much has come may be waited for."""


def _in_time(limit: BodyLimit) -> Due:
    return lambda size: limit.seconds


def _at_pace(limit: BodyLimit, pace: Pace, declared: int) -> Due:
    rate = max(pace.bytes_per_second, declared / limit.seconds / 2)
    return lambda size: min(limit.seconds, pace.seconds + size / rate)


def _declared(headers: Headers, limit: BodyLimit) -> int:
    """The body's length as its sender says, 0 where they say nothing. Raises RequestTooLarge."""
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or (length := int(declared[:20])) > limit.max_bytes:
        raise RequestTooLarge
    return length


async def _body(receive: Receive, limit: BodyLimit, due: Due, room: Room = lambda size: None) -> bytes | None:
    """The whole body; None when the client has gone. Raises RequestTooLarge, RateLimited or TooSlow."""
    begun = asyncio.get_running_loop().time()
    body = bytearray()
    try:
        async with asyncio.timeout(due(0)) as waiting:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > limit.max_bytes:
                    raise RequestTooLarge
                room(len(body))
                if not message.get("more_body", False):
                    return bytes(body)
                waiting.reschedule(begun + due(len(body)))
    except TimeoutError:
        raise TooSlow from None


def _request_id(headers: Headers) -> str:
    """The client's own, where it is harmless in a log, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def with_body(body: bytes, receive: Receive) -> Receive:
    """`receive` with the body already read put back in front of it."""
    unread = True

    async def replayed() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
