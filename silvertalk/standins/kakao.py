"""A Kakao on this machine, to practise with: authorize, token, profile, keys, and every way in which they say no.

As https://developers.kakao.com/docs/latest/ko/kakaologin/rest-api describes it, on one address instead of two (kauth
and kapi). Its people do not exist, it keeps nothing, and its page says what it is. `mode` decides what the authorize
page does: "page" asks whom to be, "approve" and "deny" answer at once for `person`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from silvertalk.standins import kakao_pages as pages
from silvertalk.standins.kakao_keys import ISSUER, LIFE_SECONDS, SigningKeys, claims_of

Mode = Literal["page", "approve", "deny"]
Answer = Callable[[Request], Awaitable[Response]]

REFRESH_SECONDS = 5_183_999
ROTATES_BELOW_SECONDS = 30 * 86_400
"""A refresh gives a new refresh token only where the old one has less than a month left."""
CODE_SECONDS = 600

NICKNAME, IMAGE, EMAIL = "profile_nickname", "profile_image", "account_email"


@dataclass(frozen=True)
class PracticePerson:
    """Somebody who does not exist, and what they agreed to tell."""

    id: int
    nickname: str
    agreed: frozenset[str] = frozenset({NICKNAME, IMAGE, EMAIL})
    email: str = "practice@example.com"


PEOPLE = (
    PracticePerson(1001, "김순자"),
    PracticePerson(1002, "이영수"),
    PracticePerson(1003, "박말순", agreed=frozenset()),
)


@dataclass
class _Code:
    person: PracticePerson
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str
    made_at: float = field(default_factory=time.monotonic)


@dataclass
class _Token:
    person: PracticePerson
    app_id: int
    scope: str
    ends_at: float

    @property
    def left(self) -> int:
        return int(self.ends_at - time.monotonic())


@dataclass(frozen=True)
class Failure:
    """What the next request gets instead of its answer. `after_ms`: how long that takes."""

    status: int
    body: dict[str, Any]
    after_ms: float = 0.0


TEMPORARY = Failure(500, {"msg": "server error", "code": -1})
BAD_PARAMETER = Failure(400, {"msg": "bad parameter", "code": -2})
QUOTA = Failure(429, {"msg": "API limit has been exceeded.", "code": -10})
TOO_OFTEN = Failure(
    429,
    {"error": "too_many_requests", "error_description": "token request rate limit exceeded", "error_code": "KOE237"},
)


class KakaoStandIn:
    """`app` is the server; `asked` the paths that reached it, the oldest first."""

    def __init__(
        self,
        *,
        app_id: int = 100_001,
        rest_key: str = "practice-rest-key",
        client_secret: str = "",
        admin_key: str = "practice-admin-key",
        redirect_uris: Collection[str] = (),
        people: Collection[PracticePerson] = PEOPLE,
        mode: Mode = "approve",
    ) -> None:
        self.app_id, self.rest_key, self.admin_key = app_id, rest_key, admin_key
        self.client_secret = client_secret
        self.redirect_uris = set(redirect_uris)
        self.people = {person.id: person for person in people}
        self.person = next(iter(people))
        self.mode: Mode = mode
        self.keys = SigningKeys()
        self.unlinked: list[int] = []
        self.asked: deque[str] = deque(maxlen=10_000)
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}
        self._failures: deque[Failure] = deque()
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/", lambda request: HTMLResponse(pages.about())),
                Route("/oauth/authorize", self._asked(self._authorize)),
                Route("/oauth/token", self._asked(self._exchange), methods=["POST"]),
                Route("/oauth/logout", self._asked(self._leave)),
                Route("/v2/user/me", self._asked(self._me), methods=["GET", "POST"]),
                Route("/v1/user/access_token_info", self._asked(self._info)),
                Route("/v1/user/logout", self._asked(self._log_out), methods=["POST"]),
                Route("/v1/user/unlink", self._asked(self._unlink), methods=["POST"]),
                Route("/v2/user/scopes", self._asked(self._scopes)),
                Route("/v1/oidc/userinfo", self._asked(self._userinfo)),
                Route("/.well-known/jwks.json", self._asked(self._key_set)),
                Route("/.well-known/openid-configuration", self._asked(self._discovery)),
            ]
        )

    # --- what a test does --------------------------------------------------------------------------------------------

    def fail_next(self, *failures: Failure) -> None:
        """What the next requests get, whatever they ask."""
        self._failures.extend(failures)

    def access_token(self, person: PracticePerson | None = None, *, app_id: int = 0, scope: str = "") -> str:
        """An access token as the phone's SDK has it; another `app_id` makes it one of another app."""
        token = secrets.token_urlsafe(32)
        ends_at = time.monotonic() + LIFE_SECONDS
        self._access[token] = _Token(person or self.person, app_id or self.app_id, scope, ends_at)
        return token

    def id_token(self, person: PracticePerson | None = None, *, nonce: str, aud: str = "", **changes: Any) -> str:
        """An id_token as the phone's SDK has it."""
        who = person or self.person
        told = {"nickname": who.nickname} if NICKNAME in who.agreed else {}
        return self.keys.current.signed(claims_of(str(who.id), aud or self.rest_key, nonce, **told, **changes))

    def expire(self, token: str) -> None:
        """An access or refresh token is over."""
        (self._access.get(token) or self._refresh[token]).ends_at = time.monotonic() - 1

    def age(self, refresh_token: str, days_left: int) -> None:
        self._refresh[refresh_token].ends_at = time.monotonic() + days_left * 86_400

    async def send_unlink(
        self, url: str, user_id: int, *, method: str = "POST", authorization: str = "", app_id: int = 0
    ) -> httpx.Response:
        """The webhook that Kakao sends when somebody takes the app out of their account."""
        fields = {"app_id": str(app_id or self.app_id), "user_id": str(user_id), "referrer_type": "UNLINK_FROM_APPS"}
        headers = {"Authorization": authorization or f"KakaoAK {self.admin_key}"}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            if method == "GET":
                return await client.get(url, params=fields, headers=headers)
            return await client.post(url, data=fields, headers=headers)

    # --- kauth -------------------------------------------------------------------------------------------------------

    def _asked(self, answer: Answer) -> Answer:
        async def endpoint(request: Request) -> Response:
            self.asked.append(request.url.path)
            if self._failures:
                failure = self._failures.popleft()
                await asyncio.sleep(failure.after_ms / 1000)
                return JSONResponse(failure.body, failure.status)
            return await answer(request)

        return endpoint

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("client_id") != self.rest_key:
            return HTMLResponse(pages.mistake("KOE101", "client_id"), 400)
        if asked.get("redirect_uri") not in self.redirect_uris:
            return HTMLResponse(pages.mistake("KOE006", "redirect_uri"), 400)
        if asked.get("response_type") != "code":
            return HTMLResponse(pages.mistake("KOE033", "response_type"), 400)
        chosen = asked.get("practice", {"approve": str(self.person.id)}.get(self.mode, self.mode))
        if chosen == "page":
            return HTMLResponse(pages.choice(self.people.values(), asked))
        state = {"state": asked["state"]} if "state" in asked else {}
        if chosen == "deny":
            answer = {"error": "access_denied", "error_description": "User denied access"}
        elif chosen.isdecimal() and int(chosen) in self.people:
            answer = {"code": self._code(self.people[int(chosen)], asked)}
        else:
            return HTMLResponse(pages.mistake("KOE001", "practice"), 400)
        separator = "&" if "?" in asked["redirect_uri"] else "?"
        return RedirectResponse(f"{asked['redirect_uri']}{separator}{urlencode(answer | state)}", 302)

    def _code(self, person: PracticePerson, asked: Mapping[str, str]) -> str:
        code = secrets.token_urlsafe(40)
        challenge = asked.get("code_challenge", "") if asked.get("code_challenge_method") == "S256" else ""
        extra = asked.get("scope", "").replace(",", " ").split()
        scope = " ".join(sorted({*person.agreed, *(["openid"] if not extra or "openid" in extra else [])}))
        self._codes[code] = _Code(person, asked["redirect_uri"], challenge, asked.get("nonce", ""), scope)
        return code

    async def _exchange(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        if form.get("client_id") != self.rest_key:
            return _refused(401, "invalid_client", "Not exist client_id", "KOE101")
        if self.client_secret and not hmac.compare_digest(form.get("client_secret", ""), self.client_secret):
            return _refused(401, "invalid_client", "Bad client credentials", "KOE010")
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form)
            case "refresh_token":
                return self._rotate(form)
        return _refused(400, "unsupported_grant_type", "unsupported grant type", "KOE033")

    def _redeem(self, form: dict[str, str]) -> Response:
        code = self._codes.pop(form.get("code", ""), None)  # single use, whatever comes of it
        if code is None or time.monotonic() - code.made_at > CODE_SECONDS:
            told = f"authorization code not found for code={form.get('code', '')}"
            return _refused(400, "invalid_grant", told, "KOE320")
        if form.get("redirect_uri") != code.redirect_uri:
            return _refused(400, "invalid_grant", "Redirect URI mismatch.", "KOE303")
        if code.challenge and not hmac.compare_digest(_challenge_of(form.get("code_verifier", "")), code.challenge):
            return _refused(400, "invalid_grant", "code verifier mismatch", "KOE320")
        given = self._tokens(code.person, code.scope) | self._new_refresh(code.person, code.scope)
        if "openid" in code.scope.split():
            given["id_token"] = self.id_token(code.person, nonce=code.nonce)
        return JSONResponse(given)

    def _rotate(self, form: dict[str, str]) -> Response:
        kept = self._refresh.get(form.get("refresh_token", ""))
        if kept is None or kept.left <= 0:
            return _refused(400, "invalid_grant", "expired_or_invalid_refresh_token", "KOE322")
        told = self._tokens(kept.person, kept.scope)
        if kept.left < ROTATES_BELOW_SECONDS:
            del self._refresh[form["refresh_token"]]
            told |= self._new_refresh(kept.person, kept.scope)
        return JSONResponse(told)

    def _tokens(self, person: PracticePerson, scope: str) -> dict[str, Any]:
        token = self.access_token(person, scope=scope)
        return {"token_type": "bearer", "access_token": token, "expires_in": LIFE_SECONDS, "scope": scope}

    def _new_refresh(self, person: PracticePerson, scope: str) -> dict[str, Any]:
        token = secrets.token_urlsafe(32)
        self._refresh[token] = _Token(person, self.app_id, scope, time.monotonic() + REFRESH_SECONDS)
        return {"refresh_token": token, "refresh_token_expires_in": REFRESH_SECONDS}

    async def _leave(self, request: Request) -> Response:
        target = request.query_params.get("logout_redirect_uri", "")
        if target not in self.redirect_uris:
            return HTMLResponse(pages.mistake("KOE006", "logout_redirect_uri"), 400)
        state = request.query_params.get("state")
        return RedirectResponse(f"{target}?{urlencode({'state': state})}" if state else target, 302)

    async def _key_set(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self.keys.key_set))

    async def _discovery(self, request: Request) -> Response:
        here = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "issuer": ISSUER,
                "authorization_endpoint": f"{here}/oauth/authorize",
                "token_endpoint": f"{here}/oauth/token",
                "userinfo_endpoint": f"{here}/v1/oidc/userinfo",
                "jwks_uri": f"{here}/.well-known/jwks.json",
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    # --- kapi --------------------------------------------------------------------------------------------------------

    async def _me(self, request: Request) -> Response:
        who = await self._who(request)
        return who if isinstance(who, Response) else JSONResponse(_profile(who.person))

    async def _info(self, request: Request) -> Response:
        """Of any app's token: it is for the asker to look at `app_id`."""
        who = self._bearer(request)
        if who is None:
            return _no_such_token()
        return JSONResponse({"id": who.person.id, "expires_in": who.left, "app_id": who.app_id})

    async def _log_out(self, request: Request) -> Response:
        who = await self._who(request)
        if isinstance(who, Response):
            return who
        self._access.pop(_credentials(request), None)
        return JSONResponse({"id": who.person.id})

    async def _unlink(self, request: Request) -> Response:
        who = await self._who(request)
        if isinstance(who, Response):
            return who
        self.unlinked.append(who.person.id)
        for tokens in (self._access, self._refresh):
            for token in [token for token, kept in tokens.items() if kept.person.id == who.person.id]:
                del tokens[token]
        return JSONResponse({"id": who.person.id})

    async def _scopes(self, request: Request) -> Response:
        who = await self._who(request)
        if isinstance(who, Response):
            return who
        asked = [{"id": name, "agreed": name in who.person.agreed, "using": True} for name in (NICKNAME, IMAGE, EMAIL)]
        return JSONResponse({"id": who.person.id, "scopes": asked})

    async def _userinfo(self, request: Request) -> Response:
        who = self._bearer(request)
        if who is None:
            return _no_such_token()
        if "openid" not in who.scope.split():
            told = {"msg": "insufficient scopes.", "code": -402, "required_scopes": ["openid"]}
            return JSONResponse(told, 403)
        told = {"nickname": who.person.nickname} if NICKNAME in who.person.agreed else {}
        return JSONResponse({"sub": str(who.person.id), **told})

    async def _who(self, request: Request) -> _Token | Response:
        """Whom a request is about: the bearer of a token, or whom the admin key names."""
        if request.headers.get("authorization", "").startswith("KakaoAK "):
            if not hmac.compare_digest(_credentials(request), self.admin_key):
                return JSONResponse({"msg": "wrong appKey", "code": -401}, 401)
            asked = request.query_params if request.method == "GET" else await request.form()
            target = str(asked.get("target_id", ""))
            if asked.get("target_id_type") != "user_id" or not target.isdecimal():
                return JSONResponse({"msg": "bad parameter", "code": -2}, 400)
            if int(target) not in self.people or int(target) in self.unlinked:
                return JSONResponse({"msg": "NotRegisteredUserException", "code": -101}, 400)
            return _Token(self.people[int(target)], self.app_id, "", time.monotonic() + 1)
        return self._bearer(request) or _no_such_token()

    def _bearer(self, request: Request) -> _Token | None:
        kept = self._access.get(_credentials(request))
        return kept if kept is not None and kept.left > 0 else None


def _no_such_token() -> Response:
    return JSONResponse({"msg": "this access token does not exist", "code": -401}, 401)


def _credentials(request: Request) -> str:
    return request.headers.get("authorization", "").partition(" ")[2]


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _refused(status: int, error: str, description: str, code: str) -> Response:
    return JSONResponse({"error": error, "error_description": description, "error_code": code}, status)


def _profile(person: PracticePerson) -> dict[str, Any]:
    """What they did not agree to tell is not there."""
    told, profile = {}, {}
    if NICKNAME in person.agreed:
        told["nickname"] = profile["nickname"] = person.nickname
    if IMAGE in person.agreed:
        told["profile_image"] = profile["profile_image_url"] = f"http://k.kakaocdn.net/dn/{person.id}/img_640x640.jpg"
        told["thumbnail_image"] = profile["thumbnail_image_url"] = told["profile_image"]
    account: dict[str, Any] = {
        "profile_nickname_needs_agreement": NICKNAME not in person.agreed,
        "profile_image_needs_agreement": IMAGE not in person.agreed,
        "email_needs_agreement": EMAIL not in person.agreed,
    }
    if profile:
        account["profile"] = profile | {"is_default_image": False, "is_default_nickname": False}
    if EMAIL in person.agreed:
        account |= {"is_email_valid": True, "is_email_verified": True, "email": person.email}
    body = {"id": person.id, "connected_at": "2026-11-22T00:00:00Z", "kakao_account": account}
    return body | ({"properties": told} if told else {})
