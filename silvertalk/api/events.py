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

from silvertalk.api.event_streams import EventStream
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.errors import (
    BusAway,
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
        "description": "Events `job`, `photo`, `memory`, `reminder`, `safety`, `video` and `generation`, their `data` "
        "an object; "
        "`resync` where what was missed is not known any more; `end` with the reason before the server closes.",
        "content": {"text/event-stream": {"example": _EXAMPLE}},
    }
}

LastId = Annotated[str | None, Query(pattern=_ID, max_length=37, description="as the header Last-Event-ID")]
LastIdHeader = Annotated[str | None, Header(alias="Last-Event-ID", pattern=_ID, max_length=37)]


class _Notices:
    """A feed, as a stream tells it, until its token's life is over."""

    def __init__(self, feed: Feed, expires_at: float) -> None:
        """`expires_at`: Unix seconds."""
        self._feed = feed
        seconds = expires_at - time.time()
        self._expiry = asyncio.get_running_loop().call_later(seconds, feed.end, "token_expired")

    def opening(self) -> str:
        # An event without data is not shown to anybody, but its id is what a browser comes back with.
        return f"retry: {RETRY_MS}\nid: {self._feed.last}\n\n"

    async def next(self) -> str | None:
        item = await self._feed.next()
        if item is None:
            return None
        return f"id: {item.id}\nevent: {item.kind}\ndata: {msgspec.json.encode(item.data).decode()}\n\n"

    def closing(self) -> str:
        return f'event: end\ndata: {{"reason":"{self._feed.ended}"}}\n\n'

    def leave(self) -> None:
        self._expiry.cancel()
        self._feed.end("left")


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
    source = _Notices(feed, identity.expires_at)
    return EventStream(source, send_seconds=services.settings.send_timeout_seconds)
