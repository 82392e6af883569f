"""`GET /v1/me/events`: what happens to a person's things, told as it happens (Server-Sent Events).

The connection stays open until the token that opened it has expired or was revoked, the client leaves or takes nothing
any more, or this gateway goes away. A client comes back with the last id it saw and gets what it missed; where nobody
knows what that was it is told `resync` and asks for its things anew.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.errors import (
    BusAway,
    ClientTooSlow,
    OriginRefused,
    RequestInvalid,
    RequestTooLarge,
    ServerFull,
    TokenExpired,
    TokenMissing,
    TokenRefused,
)
from silvertalk.notice_feeds import Feed

router = APIRouter(prefix="/v1/me/events", tags=["me"], dependencies=[Depends(our_origin)])

HEARTBEAT_SECONDS = 15.0
"""Silence after which a comment is sent: proxies and carriers cut what says nothing for half a minute or a whole."""
RETRY_MS = 3_000
"""How long a client waits before it comes back."""

_ID = r"^[0-9]{1,18}-[0-9]{1,18}$"
_EXAMPLE = """retry: 3000
id: 1763769600000-0

id: 1763769603512-0
event: photo
data: {"photo_id":"3f0f0c1e-6d0c-4a57-9f5e-0d3c1c0e9a11","status":"ready","refusal":""}

: still here

"""
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `job`, `photo`, `memory`, `reminder`, `safety` and `video`, their `data` an object; "
        "`resync` where what was missed is not known any more; `end` with the reason before the server closes.",
        "content": {"text/event-stream": {"example": _EXAMPLE}},
    }
}

LastId = Annotated[str | None, Query(pattern=_ID, max_length=37, description="as the header Last-Event-ID")]
LastIdHeader = Annotated[str | None, Header(alias="Last-Event-ID", pattern=_ID, max_length=37)]


class EventStream(Response):
    """A feed as Server-Sent Events, for as long as it lasts."""

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, *, expires_at: float, send_seconds: float) -> None:
        """`expires_at`: Unix seconds. A client that takes nothing for `send_seconds` is cut off."""
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store, no-transform"
        self.headers["x-accel-buffering"] = "no"
        self._feed = feed
        self._seconds = expires_at - time.time()
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        expiry = asyncio.get_running_loop().call_later(self._seconds, self._feed.end, "token_expired")
        async with self._feed:
            telling = asyncio.create_task(self._tell(send), name="events")
            leaving = asyncio.create_task(_until_gone(receive), name="events-left")
            try:
                await asyncio.wait([telling, leaving], return_when=asyncio.FIRST_COMPLETED)
            finally:
                expiry.cancel()
                for task in (telling, leaving):
                    task.cancel()
                await asyncio.wait([telling, leaving])
        if not telling.cancelled() and (error := telling.exception()) is not None:
            raise error

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        # An event without data is not shown to anybody, but its id is what a browser comes back with.
        await self._write(send, f"retry: {RETRY_MS}\nid: {self._feed.last}\n\n")
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    item = await self._feed.next()
            except TimeoutError:
                await self._write(send, ": still here\n\n")
                continue
            if item is None:
                break
            data = msgspec.json.encode(item.data).decode()
            await self._write(send, f"id: {item.id}\nevent: {item.kind}\ndata: {data}\n\n")
        await self._write(send, f'event: end\ndata: {{"reason":"{self._feed.ended}"}}\n\n', last=True)

    async def _write(self, send: Send, text: str, *, last: bool = False) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})
        except TimeoutError:
            raise ClientTooSlow(f"nothing taken in {self._send_seconds} s") from None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@router.get(
    "",
    summary="What happens to my things, as it happens",
    status_code=200,
    response_class=EventStream,
    responses=_ANSWER
    | documented(
        *(TokenMissing, TokenRefused, TokenExpired, OriginRefused),
        *(RequestInvalid, RequestTooLarge, ServerFull, BusAway),
    ),
)
async def events(
    services: ServicesOf,
    identity: Asking,
    last_event_id: LastId = None,
    last_event_id_header: LastIdHeader = None,
) -> Response:
    feed = await services.notices.feeds.open(
        identity.user, login=identity.login, after=last_event_id_header or last_event_id or ""
    )
    return EventStream(feed, expires_at=identity.expires_at, send_seconds=services.settings.send_timeout_seconds)
