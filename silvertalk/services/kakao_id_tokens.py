"""Kakao's id_tokens (OpenID Connect): read strictly, and believed only with a key that Kakao publishes.

python-jose would take the key's type and the algorithm from the token itself. So the header is looked at first: RS256
and nothing else, no key or address brought along; the claims are checked for their exact types, and only then does jose
check the signature, with the one algorithm written out.

Keys change. They are kept for an hour and fetched anew for a key id that is not among them, at most once a minute,
however many tokens with invented ids come.

A token carries its own nonce, so whoever finds one could show both. It is good for one login, within an hour.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import re
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from jose import jwk, jwt
from jose.exceptions import JOSEError

from silvertalk.compact_tokens import Malformed, bytes_of, object_of, parts_of
from silvertalk.errors import BusAway, KakaoAway, KakaoRefused
from streaming.bus import Bus
from streaming.errors import StreamingError

ISSUER = "https://kauth.kakao.com"
LEEWAY_SECONDS = 60
MAX_ID_TOKEN_CHARACTERS = 4096
MAX_LIFE_SECONDS = 2 * 86_400
"""Kakao's live as long as its access tokens, 12 hours at most."""
MAX_AGE_SECONDS = 3600
"""A phone logs in with the token that it has just been given."""
SPENT_SECONDS = MAX_AGE_SECONDS + 3 * LEEWAY_SECONDS
"""Longer than it is good for, whichever gateway's clock is asked."""
KEEP_KEYS_SECONDS = 3600.0
REFETCH_SECONDS = 60.0
MAX_KEYS = 20
MIN_KEY_BYTES = 256
"""2048 bits."""
MAX_KAKAO_ID = 2**63 - 1

_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})
_KAKAO_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_OPTIONS = {"verify_aud": False, "verify_at_hash": False, "leeway": LEEWAY_SECONDS}
"""The audience was compared before: jose takes a token without one."""


def is_kakao_id(text: str) -> bool:
    return _KAKAO_ID.fullmatch(text) is not None and int(text) <= MAX_KAKAO_ID


async def spend_id_token(bus: Bus, token: str) -> None:
    """A verified token is shown: raises KakaoRefused for one that was shown before, BusAway where nobody can say.

    Known by what is signed alone: the signature's last character can be written in several ways.
    """
    spoken = sha256(token.rpartition(".")[0].encode()).hexdigest()
    try:
        first = await bus.values.put_new(f"spent-id-token:{spoken}", b"1", SPENT_SECONDS)
    except StreamingError:
        raise BusAway("nobody can be asked whether the id_token was used") from None
    if not first:
        raise KakaoRefused("used before")


class IdTokens:
    """Verifies id_tokens meant for one of `audiences`; `fetch` gets Kakao's key set."""

    def __init__(
        self,
        audiences: frozenset[str],
        fetch: Callable[[], Awaitable[dict[str, Any]]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audiences = audiences - {""}
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Any] = {}
        self._fetched_at = -math.inf
        self._failed = False
        """The last fetch did not come through: a key that is not known may exist."""
        self._lock = asyncio.Lock()

    async def verify(self, token: str, nonce: str) -> dict[str, Any]:
        """The claims of a token made for our app and this `nonce`; raises KakaoRefused or KakaoAway."""
        try:
            header, payload, signature = parts_of(token, MAX_ID_TOKEN_CHARACTERS)
            kid = _key_id(object_of(bytes_of(header)))
            bytes_of(signature)
            claims = object_of(bytes_of(payload))
        except Malformed as error:
            raise KakaoRefused(str(error)) from None
        self._check(claims, nonce)
        key = await self._key(kid)
        try:
            jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, options=_OPTIONS)
        except JOSEError as error:
            raise KakaoRefused(type(error).__name__) from None
        return claims

    def _check(self, claims: dict[str, Any], nonce: str) -> None:
        if claims.get("iss") != ISSUER:
            raise KakaoRefused("another issuer")
        if type(claims.get("aud")) is not str or claims["aud"] not in self._audiences:
            raise KakaoRefused("made for another app")
        times = [claims.get(name) for name in ("iat", "exp")]
        if not all(type(one) is int and 0 < one < 2**53 for one in times):
            raise KakaoRefused("without its times")
        now, issued, ends = time.time(), claims["iat"], claims["exp"]
        if issued > now + LEEWAY_SECONDS or ends < now - LEEWAY_SECONDS or not 0 < ends - issued <= MAX_LIFE_SECONDS:
            raise KakaoRefused("out of its time")
        if issued < now - MAX_AGE_SECONDS - LEEWAY_SECONDS:
            raise KakaoRefused("of a login long ago")
        if type(claims.get("sub")) is not str or not is_kakao_id(claims["sub"]):
            raise KakaoRefused("about nobody")
        given = claims.get("nonce")
        if type(given) is not str or not nonce or not hmac.compare_digest(_bytes(given), _bytes(nonce)):
            raise KakaoRefused("of another login")

    async def _key(self, kid: str) -> Any:
        async with self._lock:  # many tokens with one new key are one fetch
            age = self._clock() - self._fetched_at
            if age >= (REFETCH_SECONDS if kid not in self._keys else KEEP_KEYS_SECONDS):
                await self._refetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._failed:
            raise KakaoAway("its keys cannot be fetched")
        raise KakaoRefused("an unknown key")

    async def _refetch(self) -> None:
        """Where it fails the keys that are known stay: the best there is. Without any it is tried with every token."""
        try:
            self._keys = _usable(await self._fetch())
            self._failed = False
        except (KakaoAway, KakaoRefused):
            self._failed = True
            if not self._keys:
                return
        self._fetched_at = self._clock()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON can spell what has no UTF-8


def _key_id(header: dict[str, Any]) -> str:
    """RS256 by a key that is named; a key or an address brought along would be somebody else's."""
    if header.get("alg") != "RS256" or header.keys() - _HEADER_MEMBERS or header.get("typ", "JWT") != "JWT":
        raise KakaoRefused("not a header of Kakao's")
    kid = header.get("kid")
    if type(kid) is not str or not 0 < len(kid) <= 128:
        raise KakaoRefused("no key named")
    return kid


def _usable(key_set: dict[str, Any]) -> dict[str, Any]:
    """The RSA keys of a key set that are meant for signatures, by id."""
    listed = key_set.get("keys")
    if not isinstance(listed, list):
        raise KakaoAway("no key set")
    keys = {}
    for one in listed[:MAX_KEYS]:
        if not isinstance(one, dict) or one.get("kty") != "RSA" or one.get("alg", "RS256") != "RS256":
            continue
        if one.get("use", "sig") != "sig" or type(one.get("kid")) is not str:
            continue
        try:
            if len(bytes_of(str(one.get("n")))) >= MIN_KEY_BYTES:
                keys[one["kid"]] = jwk.construct({name: one[name] for name in ("kty", "n", "e")}, "RS256")
        except (Malformed, JOSEError, KeyError, ValueError):
            continue  # one that cannot be read is one that signs nothing
    return keys
