"""How often one may ask: limits per person and per address, for each class of routes, kept in Redis for all gateways.

One bucket of tokens for each, taken before the body is read. The names of the buckets are keyed hashes: no address and
no person can be read out of Redis.

While Redis is away everything but a login is let through: what people read and write is theirs, and they are few beside
what the server can do. Guessing at logins never becomes free: each process then counts for itself.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Literal, NamedTuple

from starlette.datastructures import Headers
from starlette.types import Scope

from silvertalk.auth import identify
from silvertalk.errors import AuthError, RateLimited
from silvertalk.keys import derived_key
from silvertalk.limits import AddressLimit, network_of
from silvertalk.settings import Settings
from silvertalk.tokens import AccessTokens
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import logger

log = logger("api.limiting")

RouteClass = Literal["login", "read", "create", "upload", "talk", "share"]

ANSWER_SECONDS = 0.5
"""Longest wait for Redis: a limit must not cost more than what it guards."""
SILENT_SECONDS = 1.0
"""After Redis did not answer it is not asked for so long, so that each request does not wait anew."""


class Prefix(NamedTuple):
    """Requests whose path begins so, by any of these methods."""

    path: str
    methods: frozenset[str]
    route_class: RouteClass


_READS = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})

PREFIXES = (
    Prefix("/auth/", _POST, "login"),
    Prefix("/auth/kakao/", _READS, "login"),
    Prefix("/photos/presign", _POST, "upload"),
    Prefix("/photos/batch-upload", _POST, "upload"),
    Prefix("/photos/", _POST, "upload"),
    Prefix("/generate/video/upload", _POST, "upload"),
    Prefix("/generate/preprocess", _POST, "upload"),
    Prefix("/v1/talk/", _POST, "talk"),
    Prefix("/chat/messages", _POST, "talk"),
    Prefix("/v/", _READS, "share"),
)
"""The first that fits tells the class; where none does, the method: what only reads is "read", the rest "create"."""


def class_of(method: str, path: str) -> RouteClass:
    for prefix in PREFIXES:
        if method in prefix.methods and path.startswith(prefix.path):
            return prefix.route_class
    return "read" if method in _READS else "create"


class Limiter:
    """Counts requests; one a process. `clock` counts seconds."""

    def __init__(
        self,
        settings: Settings,
        tokens: AccessTokens,
        bus: Bus,
        secret: bytes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._bus = bus
        self._key = derived_key(secret, "limits")
        self._clock = clock
        self._silent_until = -math.inf
        self._per_minute: dict[RouteClass, int] = {
            "read": settings.reads_per_minute,
            "create": settings.changes_per_minute,
            "upload": settings.uploads_per_minute,
            "talk": settings.talks_per_minute,
            "share": settings.shares_per_minute,
        }
        self._people = settings.people_per_address
        self._logins_per_minute = settings.logins_per_minute
        self._own_logins = AddressLimit(settings.logins_per_minute)

    async def admit(self, scope: Scope) -> str:
        """Count this request, before anything of it is read. Returns who asks, "" where no good token says so.

        Raises RateLimited.
        """
        route_class = class_of(scope["method"], scope["path"])
        address = scope["client"][0] if scope.get("client") else ""
        if route_class == "login":
            await self._login(address)
            return ""
        user, per_minute = self._user(scope), self._per_minute[route_class]
        buckets = [(f"address:{network_of(address)}", per_minute * self._people)]
        if user:
            buckets.append((f"user:{user}", per_minute))
        try:
            await self._take(route_class, *buckets)
        except BusError:
            pass  # harmless: see above
        return user

    async def _login(self, address: str) -> None:
        try:
            await self._take("login", (f"address:{network_of(address)}", self._logins_per_minute))
        except BusError:
            self._own_logins.take(address)

    def _user(self, scope: Scope) -> str:
        """Of a token that is good by itself; whether it was revoked is asked later, by the route."""
        try:
            return identify(self._tokens, Headers(scope=scope).getlist("authorization")).user
        except AuthError:
            return ""

    async def _take(self, route_class: RouteClass, *buckets: tuple[str, int]) -> None:
        """One token out of each bucket. Raises RateLimited, or BusError where Redis does not answer."""
        if self._clock() < self._silent_until:
            raise BusError("Redis did not answer a moment ago")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                waits = await asyncio.gather(
                    *(
                        self._bus.values.take_token(self._name(route_class, whose), size=size, per_second=size / 60)
                        for whose, size in buckets
                    )
                )
        except (BusError, TimeoutError):
            if self._clock() >= self._silent_until:
                log.warning("limits_unknown", route_class=route_class)
            self._silent_until = self._clock() + SILENT_SECONDS
            raise BusError("Redis does not answer") from None
        if (wait_ms := max(waits)) > 0:
            raise RateLimited(retry_after_seconds=math.ceil(wait_ms / 1000))

    def _name(self, route_class: RouteClass, whose: str) -> str:
        return f"limit:{route_class}:{hmac.digest(self._key, whose.encode(), sha256).hex()[:32]}"
