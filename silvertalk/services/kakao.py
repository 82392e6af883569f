"""Kakao: who is this person? Asked in three ways, and told only by a Kakao that speaks to our app.

    an access token          of the phone's SDK; `access_token_info` must say that it was made for our app
    a code                   of the authorize page, with its exact redirect URI and the PKCE verifier
    an id_token and a nonce  of either; checked here, against Kakao's keys (`silvertalk.services.kakao_id_tokens`)

Nothing of Kakao's is kept: its tokens are used once, here. https://developers.kakao.com/docs/latest/ko/kakaologin

What Kakao refuses is KakaoRefused (the person logs in again), what it cannot answer now KakaoAway (the same again may
work): no connection, 5xx, 429 and its own codes for trouble and quotas.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from silvertalk.accounts import KakaoPerson
from silvertalk.columns import clean
from silvertalk.errors import KakaoAway, KakaoNotConfigured, KakaoRefused
from silvertalk.services.kakao_id_tokens import IdTokens, is_kakao_id
from silvertalk.settings import Settings
from streaming.logs import logger

log = logger("kakao")

ANSWER_SECONDS = 5.0
"""For everything one login asks of Kakao, connecting included."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_NICKNAME_CHARACTERS = 50
MAX_ADDRESS_CHARACTERS = 2048
TROUBLE = frozenset({-1, -7, -10, -603, -9798})
"""Codes of kapi that are no answer: internal, maintenance, quota, time-out, maintenance."""
NOT_LINKED = -101
RATE_LIMITED = "KOE237"
MISCONFIGURED = frozenset({"KOE006", "KOE010", "KOE101", "KOE303"})
"""Redirect URI not registered, wrong secret, wrong key, redirect URIs that differ: ours to mend, not the person's."""


class Kakao:
    """One client a process; `async with` opens its connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # A proxy of the environment has no business between a machine and itself.
        self._http = httpx.AsyncClient(
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
            trust_env=not settings.kakao_is_pretended,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=10),  # more wait, within their time
            headers={"Accept": "application/json"},
        )
        audiences = frozenset({settings.kakao_rest_key, *settings.kakao_audiences})
        self._id_tokens = IdTokens(audiences, self._keys)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def check_configured(self) -> None:
        """Raises KakaoNotConfigured."""
        if not self._settings.kakao_rest_key:
            raise KakaoNotConfigured

    # --- three ways in -----------------------------------------------------------------------------------------------

    async def person_of_access_token(self, token: str) -> KakaoPerson:
        """Whose access token this is, if it was made for our app."""
        self.check_configured()
        async with _in_time():
            bearer = {"Authorization": f"Bearer {token}"}
            info = await self._api("GET", "/v1/user/access_token_info", bearer)
            if info.get("app_id") != self._settings.kakao_app_id:
                raise KakaoRefused("made for another app")
            person = _person(await self._api("GET", "/v2/user/me", bearer))
        if person.kakao_id != str(info.get("id")):
            raise KakaoRefused("two answers about two people")
        return person

    async def person_of_code(self, code: str, redirect_uri: str, verifier: str = "") -> KakaoPerson:
        """Who allowed this code, which works once."""
        self.check_configured()
        if redirect_uri not in self._settings.kakao_redirect_uris:
            raise KakaoRefused("not one of our redirect URIs")
        form = {
            "grant_type": "authorization_code",
            "client_id": self._settings.kakao_rest_key,
            "redirect_uri": redirect_uri,
            "code": code,
        }
        if verifier:
            form["code_verifier"] = verifier
        if secret := self._settings.kakao_client_secret.get_secret_value():
            form["client_secret"] = secret
        async with _in_time():
            url = f"{self._settings.kakao_auth_url}/oauth/token"
            given = await self._ask("POST", url, data=form)
        token = given.get("access_token")
        if not isinstance(token, str) or not _is_token(token):
            raise KakaoAway("a token that is none")
        return await self.person_of_access_token(token)

    async def person_of_id_token(self, id_token: str, nonce: str) -> KakaoPerson:
        """Whom an id_token is about, if it was made for our app and for this login."""
        self.check_configured()
        async with _in_time():
            claims = await self._id_tokens.verify(id_token, nonce)
        return KakaoPerson(str(claims["sub"]), _name(claims.get("nickname")), _address(claims.get("picture")))

    # --- going -------------------------------------------------------------------------------------------------------

    async def unlink(self, kakao_id: str) -> None:
        """Take our app out of a person's Kakao account; nothing happens where it is out already. Needs the admin key
        (KakaoNotConfigured)."""
        self.check_configured()
        key = self._settings.kakao_admin_key.get_secret_value()
        if not key:
            raise KakaoNotConfigured("no admin key")
        if not is_kakao_id(kakao_id):
            raise KakaoRefused("not a Kakao id")
        form = {"target_id_type": "user_id", "target_id": kakao_id}
        async with _in_time():
            await self._api("POST", "/v1/user/unlink", {"Authorization": f"KakaoAK {key}"}, form, fine=NOT_LINKED)

    # --- asking ------------------------------------------------------------------------------------------------------

    async def _api(
        self, method: str, path: str, headers: dict[str, str], form: dict[str, str] | None = None, *, fine: int = 0
    ) -> dict[str, Any]:
        url = f"{self._settings.kakao_api_url}{path}"
        return await self._ask(method, url, headers=headers, data=form, fine=fine)

    async def _keys(self) -> dict[str, Any]:
        return await self._ask("GET", f"{self._settings.kakao_auth_url}/.well-known/jwks.json")

    async def _ask(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        fine: int = 0,
    ) -> dict[str, Any]:
        """Kakao's answer; an error with the code `fine` is one too. Raises KakaoRefused or KakaoAway."""
        body = bytearray()
        try:
            async with self._http.stream(method, url, headers=headers, data=data) as answer:
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        raise KakaoAway("an answer without end")
        except httpx.HTTPError as error:
            log.warning("kakao_unreachable", error=type(error).__name__)
            raise KakaoAway(type(error).__name__) from None
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if answer.status_code == 200 and isinstance(told, dict):
            return told
        return _sorted(answer.status_code, told if isinstance(told, dict) else {}, fine)


def _sorted(status: int, told: dict[str, Any], fine: int) -> dict[str, Any]:
    """An error of Kakao's as ours."""
    code = told.get("code", told.get("error_code"))
    if fine and code == fine:
        return {}
    known = code if isinstance(code, (int, str)) and len(str(code)) < 10 else ""
    say = log.error if known in MISCONFIGURED else log.info
    say("kakao_said_no", status=status, code=str(known))
    if status >= 500 or status == 429 or status < 400 or known in TROUBLE or known == RATE_LIMITED:
        raise KakaoAway(f"{status} {known}")
    raise KakaoRefused(f"{status} {known}")


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """As long as one login may ask of Kakao; raises KakaoAway after it."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise KakaoAway("too slow") from None


def _is_token(token: str) -> bool:
    return 0 < len(token) <= MAX_ADDRESS_CHARACTERS and token.isascii() and token.isprintable() and " " not in token


def _person(told: dict[str, Any]) -> KakaoPerson:
    """Nickname and picture stand in two places of the answer, in either or in none."""
    kakao_id = told.get("id")
    if type(kakao_id) is not int or not is_kakao_id(str(kakao_id)):
        raise KakaoAway("an id that is none")
    account = _object(_object(told.get("kakao_account")).get("profile"))
    properties = _object(told.get("properties"))
    return KakaoPerson(
        str(kakao_id),
        _name(account.get("nickname") or properties.get("nickname")),
        _address(account.get("profile_image_url") or properties.get("profile_image")),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: object) -> str:
    return clean(value)[:MAX_NICKNAME_CHARACTERS].strip() if isinstance(value, str) else ""


def _address(value: object) -> str:
    """A picture's address; Kakao gives some as http, which no page of ours would load."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS_CHARACTERS or not value.isascii():
        return ""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable() or " " in value:
        return ""
    return parts._replace(scheme="https").geturl()
