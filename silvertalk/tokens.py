"""Access tokens: short-lived JWTs that only we issue and only we read.

python-jose accepts more than it should (no `aud`, unknown `crit`, junk after the signature, one-byte keys, whatever
`alg` a header names when none is fixed) and trips over a claim that is null, so it is given only what has passed two
gates of our own. Since nobody else issues these tokens, whatever differs from what `issue` writes is refused, however
well it may be signed.

1. Shape: size, three canonical base64url parts (encoded again they are the same, so no two strings are one token),
   and exactly the header that we write: no other `alg`, no `crit`, `kid`, `jku`, `jwk`, `x5u`, no `zip`.
2. Claims: no JSON key twice, exactly our set, each of its exact type and range, a life within bounds.
3. jose: the signature with HS256 and a key of full length, `exp`, `nbf`, `iss`, `aud`.
"""

from __future__ import annotations

import base64
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from jose import jwk, jwt
from jose.exceptions import ExpiredSignatureError, JOSEError

from silvertalk.compact_tokens import Malformed, bytes_of, object_of, parts_of
from silvertalk.errors import TokenExpired, TokenRefused
from silvertalk.keys import derived_key
from silvertalk.settings import MAX_TOKEN_MINUTES

ISSUER = "silvertalk"
AUDIENCE = "silvertalk-api"
LEEWAY_SECONDS = 60
"""Clocks of two gateways may differ by this much."""
MAX_LIFE_SECONDS = MAX_TOKEN_MINUTES * 60
"""Not the configured life: a gateway with an older setting must take a newer one's tokens."""
MAX_TOKEN_CHARACTERS = 1024
"""Ours have about 400."""
HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
CLAIMS = frozenset({"iss", "aud", "sub", "kind", "login", "jti", "iat", "nbf", "exp"})

Kind = Literal["guest", "account"]

_HEX_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_OPTIONS = {
    **{f"require_{claim}": True for claim in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")},
    "leeway": LEEWAY_SECONDS,
}


@dataclass(frozen=True)
class Identity:
    """Who is asking. It comes from a verified token (or a ticket that one of them bought), never from a parameter."""

    user: str
    """UUID in its canonical spelling."""
    kind: Kind
    login: str
    """The login it was given for, 32 hex characters: what a logout revokes."""
    token_id: str
    expires_at: int
    """Unix seconds at which the token's life ends."""
    issued_at: int = 0
    """Unix seconds at which it began: a revocation of all of a person's tokens is about those from before it."""


@dataclass(frozen=True)
class IssuedToken:
    """An access token as it is handed out."""

    access_token: str
    expires_in: int
    identity: Identity


class AccessTokens:
    """Issues and verifies access tokens with the key made from `secret`."""

    def __init__(self, secret: bytes, *, minutes: int = 30) -> None:
        self._key = jwk.construct(derived_key(secret, "access tokens"), "HS256")
        self._seconds = min(minutes, MAX_TOKEN_MINUTES) * 60

    def issue(self, user: str, kind: Kind, *, login: str = "", after: int = 0) -> IssuedToken:
        """A token for `user`, a canonical UUID (ValueError otherwise); a guest has a new `login` each time.

        `after`: the moment up to which this person's tokens are revoked, by the clock of whoever revoked them. This one
        is later, also where that clock was ahead of ours, or the second is still the same.
        """
        login = login or uuid.uuid4().hex
        if not is_user_id(user) or not _HEX_ID.fullmatch(login):
            raise ValueError("a user id is a UUID in its canonical spelling, a login 32 hex characters")
        now = int(time.time())
        now = max(now, min(after + 1, now + LEEWAY_SECONDS))
        identity = Identity(user, kind, login, uuid.uuid4().hex, expires_at=now + self._seconds, issued_at=now)
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user,
            "kind": kind,
            "login": login,
            "jti": identity.token_id,
            "iat": now,
            "nbf": now,
            "exp": identity.expires_at,
        }
        return IssuedToken(jwt.encode(claims, self._key, algorithm="HS256"), self._seconds, identity)

    def verify(self, token: str) -> Identity:
        """The identity a token stands for; raises TokenRefused or TokenExpired, whose text never holds the token."""
        try:
            identity = _identity_of(_claims_of(_payload_of(token)))
        except Malformed as error:
            raise TokenRefused(str(error)) from None
        try:
            jwt.decode(token, self._key, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS)
        except ExpiredSignatureError:
            raise TokenExpired from None
        except JOSEError as error:
            raise TokenRefused(type(error).__name__) from None
        return identity


def is_user_id(text: str) -> bool:
    """Whether `text` is a UUID as we spell it, which also keeps `*`, `:` and line ends out of Redis keys and logs."""
    try:
        return str(uuid.UUID(text)) == text
    except (ValueError, AttributeError, TypeError):
        return False


def _refuse(why: str) -> NoReturn:
    raise TokenRefused(why)


def _payload_of(token: str) -> bytes:
    """First gate. Returns the bytes of the claims, not yet believed."""
    header, payload, signature = parts_of(token, MAX_TOKEN_CHARACTERS)
    if header != HEADER:
        _refuse("not our header")
    bytes_of(signature)
    return bytes_of(payload)


def _claims_of(payload: bytes) -> dict[str, Any]:
    """Second gate, first half: JSON that can be read in one way only."""
    claims = object_of(payload)
    if claims.keys() != CLAIMS:
        _refuse("not our claims")
    return claims


def _identity_of(claims: dict[str, Any]) -> Identity:
    """Second gate, second half. What it returns may be believed once jose has checked the signature."""
    for name in ("iss", "aud", "sub", "kind", "login", "jti"):
        if type(claims[name]) is not str:
            _refuse(f"{name} is not text")
    for name in ("iat", "nbf", "exp"):
        if type(claims[name]) is not int or not 0 < claims[name] < 2**53:
            _refuse(f"{name} is not a time")
    if claims["iss"] != ISSUER or claims["aud"] != AUDIENCE:
        _refuse("not for us")
    if claims["kind"] not in ("guest", "account"):
        _refuse("not a kind of user")
    if not is_user_id(claims["sub"]) or not all(_HEX_ID.fullmatch(claims[name]) for name in ("login", "jti")):
        _refuse("not an id")
    if claims["nbf"] != claims["iat"] or claims["iat"] > time.time() + LEEWAY_SECONDS:
        _refuse("issued in the future")
    if not 0 < claims["exp"] - claims["iat"] <= MAX_LIFE_SECONDS:
        _refuse("an impossible life")
    return Identity(
        user=claims["sub"],
        kind=claims["kind"],
        login=claims["login"],
        token_id=claims["jti"],
        expires_at=claims["exp"],
        issued_at=claims["iat"],
    )
