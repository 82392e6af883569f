"""What surrounds every request: its id, the limits of its body, and the last word when something breaks.

Pure ASGI, so that streamed answers pass through as they are written.
"""

from __future__ import annotations

import asyncio
import re
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from silvertalk.api.problems import problem_response
from silvertalk.errors import RequestTooLarge, SilverTalkError, TooSlow, translated
from streaming.logs import logger

log = logger("api")

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0
"""A body of this size that takes longer is not sent in earnest (uvicorn itself would wait for ever)."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


class Envelope:
    """Middleware around the whole API. The body is read before the application is asked, within its limits."""

    def __init__(
        self, app: ASGIApp, *, max_body_bytes: int = MAX_BODY_BYTES, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._body_seconds = body_seconds

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
                body = await self._body(Headers(scope=scope), receive)
                if body is not None:
                    await self._app(scope, _replay(body, receive), send_with_headers)
            except Exception as error:
                known = translated(error)
                if not isinstance(error, SilverTalkError):
                    log.error("request_broke", method=str(scope["method"]), code=known.code, exc_info=True)
                if started:
                    raise  # half an answer is out: only closing the connection still tells the client
                await problem_response(known, request_id)(scope, receive, send_with_headers)

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; None when the client has gone. Raises RequestTooLarge or TooSlow."""
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared[:20]) > self._max_body_bytes:
            raise RequestTooLarge
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self._max_body_bytes:
                        raise RequestTooLarge
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise TooSlow from None


def _request_id(headers: Headers) -> str:
    """The client's own, where it is harmless in a log, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` with the body already read put back in front of it."""
    unread = True

    async def replayed() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
