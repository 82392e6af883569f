"""Feeds: the connections of this process that are told a person's notices, each from where it stands.

All connections of a person share one followed stream, and all streams one blocking read. A connection first gets what
it missed, then what comes; at the seam a notice is known by its id. One that takes nothing is ended, as are all when
the token behind them is revoked; its client comes back with the last id it saw.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from silvertalk.errors import ServerFull
from streaming.bus import Bus
from streaming.bus.entries import parse_id
from streaming.bus.notices import NOTHING_YET, Told
from streaming.logs import logger

log = logger("feeds")

MAX_WAITING = 256
"""Notices a connection may have waiting: more than a stream holds, so that what was missed always fits."""
MAX_FEEDS_PER_PERSON = 4
"""Phones and pages of one person on this gateway; the fifth ends the first."""
MAX_FEEDS = 1_000
"""Of all people together; voice sockets, which the gateway admits, are not counted."""

End = Literal["", "slow", "replaced", "token_refused", "token_expired", "draining", "left"]


class FeedItem(msgspec.Struct, frozen=True):
    """What a connection is told next: a notice, or, of kind `resync`, that what was missed is not known any more."""

    id: str
    kind: str
    data: dict[str, Any]


class _Payload(msgspec.Struct):
    kind: str
    data: dict[str, Any]


_decoder = msgspec.json.Decoder(_Payload)


class Feed:
    """One connection's notices, in order. Use it as an async context manager, and `next` until it says None."""

    def __init__(self, user: str, login: str, leave: Callable[[Feed], None], *, counted: bool) -> None:
        self.user = user
        self.login = login
        self.counted = counted
        self.ended: End = ""
        """Why there is no more."""
        self.last = NOTHING_YET
        """The id to come back with, also where nothing was told yet."""
        self._leave = leave
        self._waiting: deque[FeedItem] = deque()
        self._live: list[Told] | None = []
        """What came while it was still asked what was missed."""
        self._news = asyncio.Event()

    async def __aenter__(self) -> Feed:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end("left")

    async def next(self) -> FeedItem | None:
        """The next thing to tell, as soon as there is one; None when there will be no more."""
        while not self._waiting:
            if self.ended:
                return None
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def end(self, why: End) -> None:
        """No more, and what waits is dropped."""
        if not self.ended:
            self.ended = why
            self._waiting.clear()
            self._news.set()
            self._leave(self)

    # --- for the feeds -----------------------------------------------------------------------------------------------

    def begin(self, at: str, missed: Sequence[Told] | None) -> None:
        """It stands at `at`, and was told in time of all but what is `missed` (None: nobody knows of what)."""
        self.last = at
        live, self._live = self._live or [], None
        if missed is None:
            self._waiting.append(FeedItem(at, "resync", {}))
            self._news.set()
        self.told([*(missed or ()), *live])

    def told(self, news: Sequence[Told]) -> None:
        if self._live is not None:
            self._live.extend(news)  # bounded by what a stream holds: the answer it waits for has its own time-out
            return
        for each in news:
            if self.ended or parse_id(each.id) <= parse_id(self.last):
                continue
            self.last = each.id
            try:
                payload = _decoder.decode(each.data)
            except msgspec.MsgspecError:
                continue  # of another version of ours
            self._waiting.append(FeedItem(each.id, payload.kind, payload.data))
            self._news.set()
            if len(self._waiting) > MAX_WAITING:
                log.info("feed_too_slow")
                self.end("slow")


class Feeds:
    """The feeds of one process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._of: dict[str, list[Feed]] = {}
        self._followed: set[str] = set()
        self._closed = False

    async def open(self, user: str, *, login: str = "", after: str = "", counted: bool = True) -> Feed:
        """A feed of what comes from now on, or of everything after the notice `after`.

        A person's fifth counted feed ends the first. Raises ServerFull, BusUnavailable; ValueError where `after` is no
        id.
        """
        if after:
            parse_id(after)
        others = [feed for feed in self._of.get(user, ()) if feed.counted]
        if counted and sum(feed.counted for feeds in self._of.values() for feed in feeds) >= MAX_FEEDS:
            raise ServerFull("too many feeds")
        if counted and len(others) >= MAX_FEEDS_PER_PERSON:
            others[0].end("replaced")
        feed = Feed(user, login, self._left, counted=counted)
        feeds = self._of.setdefault(user, [])
        feeds.append(feed)
        try:
            # Asked in this order on one connection: what a later feed missed reaches up to where the first one follows.
            top = await self._bus.notices.top(user)
            if user not in self._followed:
                self._followed.add(user)
                self._bus.notices.follow(user, top, lambda news: self._deliver(user, news))
            missed = await self._bus.notices.after(user, after) if after else []
        except BaseException:
            feed.end("left")
            raise
        if after and missed is not None:
            feed.begin(after, missed)
        else:
            feed.begin(top, missed)
        if self._closed:
            feed.end("draining")
        return feed

    def end(self, user: str, login: str = "") -> None:
        """The person's tokens are worth nothing any more; those of one login alone, where it is named."""
        for feed in list(self._of.get(user, ())):
            if feed.counted and login in ("", feed.login):
                feed.end("token_refused")

    def close(self) -> None:
        """The process is going away: whoever is connected comes back elsewhere."""
        self._closed = True
        for feeds in list(self._of.values()):
            for feed in list(feeds):
                feed.end("draining")

    def _deliver(self, user: str, news: Sequence[Told]) -> None:
        for feed in list(self._of.get(user, ())):
            feed.told(news)

    def _left(self, feed: Feed) -> None:
        feeds = self._of.get(feed.user, [])
        if feed in feeds:
            feeds.remove(feed)
            if not feeds:
                del self._of[feed.user]
                self._followed.discard(feed.user)
                self._bus.notices.unfollow(feed.user)
