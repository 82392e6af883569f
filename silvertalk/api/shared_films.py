"""A shared film on its way to whoever opened its page: sent by this gateway, a part at a time.

No link to the media store is given away. Its path would name an account, and it would be good for a while after the
share was taken back. So every request is held against the share, and an answer that takes long is held against it again
and again: what was taken back is seen no further than that.

A part is one short call to the store, so a slow reader holds no connection to it, only its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from silvertalk.api.until_gone import until_gone
from silvertalk.errors import MediaAway
from silvertalk.limits import network_of
from silvertalk.media.ranges import extent_of
from silvertalk.media.store import MediaStore, Stored
from streaming.logs import logger

log = logger("shares")

PART_BYTES = 512 * 1024
"""Read from the store at once: two seconds of a film."""
SLICE_BYTES = 64 * 1024
IDLE_SECONDS = 20.0
"""Who takes no slice for so long is gone, or has enough for now: a player asks anew from where it is."""
LOOK_AGAIN_SECONDS = 30.0
"""How often an answer under way is held against its share."""
MAX_FILMS = 32
"""At once: half a megabyte and a socket each. The next are asked to come again; talks have the gateway first."""
MAX_EACH = 8
"""Of these from one address. A player takes two or three."""

IsOpen = Callable[[], Awaitable[bool]]


class SharedFilms:
    """The films that this gateway sends; one of it."""

    def __init__(self, media: MediaStore) -> None:
        self._media = media
        self._sending: Counter[str] = Counter()

    def answer(self, stored: Stored, headers: dict[str, str], *, is_open: IsOpen, busy: Response) -> Response:
        """What of the film the request wants. `is_open`: whether it may still be seen; `busy` is answered in its place
        while too many are being sent."""
        return _Film(self, self._media, stored, headers, is_open, busy)

    @contextmanager
    def place(self, address: str) -> Iterator[bool]:
        """A place among those that are sent; False where there is none."""
        network = network_of(address)
        if self._sending.total() >= MAX_FILMS or self._sending[network] >= MAX_EACH:
            yield False
            return
        self._sending[network] += 1
        try:
            yield True
        finally:
            self._sending[network] -= 1
            if not self._sending[network]:
                del self._sending[network]


class _Film(Response):
    def __init__(
        self,
        films: SharedFilms,
        media: MediaStore,
        stored: Stored,
        headers: dict[str, str],
        is_open: IsOpen,
        busy: Response,
    ) -> None:
        super().__init__(headers={**headers, "Content-Type": stored.content_type, "Content-Disposition": "inline"})
        self._films = films
        self._media = media
        self._stored = stored
        self._is_open = is_open
        self._busy = busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extent = extent_of(Headers(scope=scope).get("range", ""), self._stored.size_bytes)
        self.status_code = extent.status
        self.headers.update(extent.headers)
        if scope["method"] == "HEAD" or extent.start == extent.end:
            await self._begin(send)
            await send({"type": "http.response.body", "body": b""})
            return
        with self._films.place(scope["client"][0] if scope.get("client") else "") as there:
            if there:
                await until_gone(self._tell(send, extent.start, extent.end), receive, name="shared-film")
            else:
                await self._busy(scope, receive, send)

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _tell(self, send: Send, start: int, end: int) -> None:
        """All of it, unless it may not be seen any more or is gone: the server then closes the connection in its
        middle, and a player that asks anew is told why."""
        loop = asyncio.get_running_loop()
        looked_at = loop.time()
        await self._begin(send)
        for at in range(start, end, PART_BYTES):
            try:
                part = await self._media.read_part(self._stored.key, at, min(at + PART_BYTES, end))
            except (KeyError, MediaAway) as error:
                log.info("shared_film_broke_off", reason=type(error).__name__)
                return
            for sent in range(0, len(part), SLICE_BYTES):
                if loop.time() - looked_at >= LOOK_AGAIN_SECONDS:
                    looked_at = loop.time()
                    if not await self._is_open():
                        log.info("shared_film_broke_off", reason="over")
                        return
                if not await _taken(send, part[sent : sent + SLICE_BYTES]):
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _taken(send: Send, data: bytes) -> bool:
    """False where nobody takes it in time."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            await send({"type": "http.response.body", "body": data, "more_body": True})
    except TimeoutError:
        return False
    return True
