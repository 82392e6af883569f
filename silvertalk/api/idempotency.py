"""`Idempotency-Key`: a POST that is sent twice is carried out once, and answered twice alike.

The first request with a key leaves a mark in Redis and, when it is done, its answer, sealed like everything there; it
is kept for a day. A later one with that key gets the same answer if it is the same request, and is refused if it is
another. Of an answer that repeats a conversation only that it was given is kept. Keys are a person's own: nobody gets
another's answer. Answers that say "try again" (5xx, too many requests, a token that is over) are not kept.

Without Redis the promise cannot be kept, so a request that asks for it is refused before anything is done (503, ask
again), but for the routes that end alike however often they are asked: these are simply carried out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from silvertalk.api.envelope import with_body
from silvertalk.errors import BusAway, RequestInvalid
from silvertalk.kept_answers import Answers, Kept, Known
from silvertalk.tokens import Identity
from streaming.errors import BusError

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

HEADER = "Idempotency-Key"
REPEATED_HEADER = "Idempotency-Replayed"
MAX_ANSWER_BYTES = 256 * 1024
"""Of a longer answer only that it was given is kept."""
HASHED_AT_ONCE_BYTES = 256 * 1024
"""A longer body is hashed on a thread: fifty MiB take a tenth of a second, and microphones are served meanwhile."""
HASH_PIECE_BYTES = 1024 * 1024
KEY = re.compile(r"[A-Za-z0-9._:@-]{8,128}", re.ASCII)

STRANGERS = ("/auth/",)
"""Whoever logs in is nobody yet, so a key there would be everybody's; what is handed out there is secret, too."""
ONCE = frozenset({"/v1/talk/ticket"})
"""What is good for one use within seconds is not given again."""
ALIKE = re.compile(r"/photos/sync-metadata|/calendars/sync|/photos/[^/]+/complete|/users/me/(devices|export)")
"""Upserts: asked twice they end as asked once."""

FACT_ALONE = frozenset({"/chat/messages"})
"""What somebody said and heard is kept with their conversation, where they can delete it, and nowhere else."""

_PASSING = frozenset({401, 403, 408, 425, 429})
_HEADERS = frozenset({"content-type", "location", "cache-control", "content-disposition"})
_BOUNDARY = re.compile(r"boundary=\"?([^\";,]{1,200})", re.IGNORECASE)


class Idempotency:
    """Middleware inside the envelope, which has read the body. `asking` says who asks, as it does for the routes."""

    def __init__(self, app: ASGIApp, *, answers: Answers, asking: Callable[[Scope], Awaitable[Identity]]) -> None:
        self._app = app
        self._answers = answers
        self._asking = asking

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not promised(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        keys = Headers(scope=scope).getlist(HEADER)
        if not keys:
            await self._app(scope, receive, send)
            return
        if len(keys) > 1 or not KEY.fullmatch(keys[0]):
            raise RequestInvalid(fields=((f"header.{HEADER}", "one key of 8 to 128 letters, digits or . _ : @ -"),))
        body = (await receive()).get("body", b"")
        identity = await self._asking(scope)
        known = self._answers.known(identity.user, keys[0], await request_hash(scope, body))
        again = with_body(body, receive)
        try:
            kept = await self._answers.begin(known)
        except BusError:
            if ALIKE.fullmatch(scope["path"]) is None:
                raise BusAway from None
            await self._app(scope, again, send)
            return
        if kept is not None:
            await _repeat(kept, send)
            return
        await self._carry_out(known, scope, again, send)

    async def _carry_out(self, known: Known, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer is kept before its last byte is sent: who lost it can ask for it again."""
        recording = _Recording()
        settled = False

        async def recorded(message: Message) -> None:
            nonlocal settled
            recording.add(message)
            if recording.complete and not settled:
                settled = True
                if recording.status >= 500 or recording.status in _PASSING:
                    await self._answers.forget(known)
                else:
                    fact_alone = scope["path"] in FACT_ALONE and recording.status < 400
                    await self._answers.keep(known, recording.kept(known.request, fact_alone=fact_alone))
            await send(message)

        try:
            await self._app(scope, receive, recorded)
        finally:
            if not settled:  # it broke, or its reader left in the middle: what was begun may go on to its end
                if 0 < recording.status < 500:
                    await self._answers.keep(known, Kept(known.request, "not_kept"))
                else:
                    await self._answers.forget(known)


class _Recording:
    """An answer as it goes out."""

    def __init__(self) -> None:
        self.status = 0
        self.complete = False
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._body = bytearray()
        self._too_long = False

    def add(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = tuple(
                (bytes(name), bytes(value))
                for name, value in message.get("headers", ())
                if name.decode("latin-1").lower() in _HEADERS or name.lower().startswith(b"x-next-")
            )
        elif message["type"] == "http.response.body":
            self._too_long = self._too_long or len(self._body) + len(message.get("body", b"")) > MAX_ANSWER_BYTES
            if not self._too_long:
                self._body += message.get("body", b"")
            self.complete = not message.get("more_body", False)

    def kept(self, request: bytes, *, fact_alone: bool = False) -> Kept:
        if fact_alone or self._too_long:
            return Kept(request, "not_kept")
        return Kept(request, "done", self.status, self._headers, bytes(self._body))


def promised(method: str, path: str) -> bool:
    """Whether a key counts here."""
    return method == "POST" and path not in ONCE and not path.startswith(STRANGERS)


async def request_hash(scope: Scope, body: bytes) -> bytes:
    """Of all that makes two requests the same. A form's boundary is drawn anew each time and says nothing."""
    content_type = Headers(scope=scope).get("content-type", "")
    drawn = b""
    if (boundary := _BOUNDARY.search(content_type)) is not None:
        drawn = boundary[1].strip().encode("latin-1")
        content_type = content_type.partition(";")[0]
    head = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], content_type.encode())
    hashed = sha256(b"".join(b"%d:%b" % (len(part), part) for part in head))
    if len(body) > HASHED_AT_ONCE_BYTES:
        await asyncio.to_thread(add_body, hashed, body, drawn)
    else:
        add_body(hashed, body, drawn)
    return hashed.digest()


def add_body(hashed: HASH, body: bytes, boundary: bytes, piece: int = HASH_PIECE_BYTES) -> None:
    """Hash `body` with each `boundary` in it replaced by one word, without a copy of it. It is looked through and
    hashed by the `piece`, between which other threads run."""
    view = memoryview(body)
    at = 0
    while at < len(body):
        found = body.find(boundary, at, at + piece + len(boundary) - 1) if boundary else -1
        if found < 0:
            hashed.update(view[at : at + piece])
            at += piece
        else:
            hashed.update(view[at:found])
            hashed.update(b"boundary")
            at = found + len(boundary)


async def _repeat(kept: Kept, send: Send) -> None:
    headers = [*kept.headers, (REPEATED_HEADER.lower().encode(), b"true")]
    headers.append((b"content-length", str(len(kept.body)).encode()))
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})
