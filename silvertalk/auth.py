"""Who is at the door: the bearer token of a request, and the origin a socket is opened from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from silvertalk.errors import OriginRefused, TokenMissing, TokenRefused
from silvertalk.tokens import AccessTokens, Identity


def identify(tokens: AccessTokens, authorization: Sequence[str]) -> Identity:
    """The identity behind a request's Authorization headers; raises TokenMissing, TokenRefused or TokenExpired."""
    if not authorization:
        raise TokenMissing
    if len(authorization) > 1:
        raise TokenRefused("more than one Authorization header")  # two readers would believe two different ones
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing
    return tokens.verify(token)


def check_origin(origins: Sequence[str], allowed: Collection[str]) -> None:
    """Refuse a page of another site (cross-site WebSocket hijacking); raises OriginRefused.

    `origins`: the request's Origin headers. None at all is an app, which has no origin and needs a ticket all the same.
    A browser writes the origin in one way (RFC 6454, 6.2: lower case, no default port, no slash at the end), so
    the comparison is of whole strings: "null", a sub-domain, a longer host, another port or case are all other origins.
    """
    if not origins:
        return
    if len(origins) > 1 or origins[0] not in allowed:
        raise OriginRefused(f"{len(origins)} Origin header(s)")
