"""`/auth`: how a person becomes somebody here, stays it, and leaves."""

from __future__ import annotations

import re
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import RedirectResponse, Response

from silvertalk import people
from silvertalk.accounts import KakaoPerson
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.errors import (
    AccountErased,
    BusAway,
    DatabaseAway,
    GuestRefused,
    GuestsClosed,
    KakaoAway,
    KakaoNotConfigured,
    KakaoRefused,
    OriginRefused,
    RefreshRefused,
    RefreshReused,
    RequestInvalid,
)
from silvertalk.models import User
from silvertalk.services.kakao_id_tokens import spend_id_token
from silvertalk.tokens import IssuedToken

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[Depends(our_origin)])

TOKEN = r"^[!-~]+$"
_OAUTH_CODE = re.compile(r"[A-Za-z0-9._~-]{1,512}", re.ASCII)
_STATE = re.compile(r"[ -~]{1,512}", re.ASCII)
_OAUTH_ERROR = re.compile(r"[a-z_]{1,64}", re.ASCII)
_DESCRIPTION = re.compile(r"[ -~]{1,200}", re.ASCII)


# --- guests ----------------------------------------------------------------------------------------------------------


class GuestRequest(BaseModel):
    """`guest_id` as this server gave it earlier: the same guest again, with everything that is theirs."""

    guest_id: str | None = Field(None, max_length=100)


class GuestAnswer(BaseModel):
    """Keep `guest_id` as one keeps a password: whoever has it is this guest."""

    guest_id: str
    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int = Field(description="seconds", examples=[1800])


@router.post(
    "/guest",
    summary="Become a guest, or the same guest again",
    responses=documented(GuestRefused, GuestsClosed, OriginRefused, RequestInvalid),
)
async def become_guest(services: ServicesOf, asked: GuestRequest | None = None) -> GuestAnswer:
    if not services.settings.guests_allowed:
        raise GuestsClosed
    given = asked.guest_id if asked is not None else None
    guest_id = given or services.guests.new()
    user, after = services.guests.user_of(guest_id), 0
    if given:
        after = await services.revocations.revoked_until(user)
        await services.accounts.check_guest(user)  # last: who becomes an account after this revokes what is issued now
    issued = services.tokens.issue(user, "guest", after=after)
    return GuestAnswer(guest_id=guest_id, access_token=issued.access_token, expires_in=issued.expires_in)


# --- Kakao -----------------------------------------------------------------------------------------------------------


class KakaoWays(BaseModel):
    """What a page needs for Kakao's authorize page. `pretended`: it is the practice Kakao of this machine."""

    available: bool
    authorize_url: str = Field(default="", examples=["https://kauth.kakao.com/oauth/authorize"])
    client_id: str = ""
    redirect_uris: list[str] = []
    pretended: bool = False


class KakaoRequest(BaseModel):
    """One of three: `kakao_access_token`; `code` with its `redirect_uri` and PKCE `code_verifier`; `id_token` with its
    `nonce`, within an hour and once. `guest_id`: the guest one has been so far, whose things are kept."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kakao_access_token": "an access token of Kakao's"}]}
    )

    kakao_access_token: str | None = Field(None, min_length=1, max_length=2048, pattern=TOKEN)
    code: str | None = Field(None, min_length=1, max_length=512, pattern=TOKEN)
    redirect_uri: str | None = Field(None, min_length=1, max_length=2048)
    code_verifier: str | None = Field(None, min_length=43, max_length=128, pattern=r"^[A-Za-z0-9._~-]+$")
    id_token: str | None = Field(None, min_length=1, max_length=4096, pattern=TOKEN)
    nonce: str | None = Field(None, min_length=8, max_length=256)
    guest_id: str | None = Field(None, max_length=100)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.kakao_access_token, self.code, self.id_token]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("send one of kakao_access_token, code and id_token")
        if (self.code is None) != (self.redirect_uri is None) or (self.code is None and self.code_verifier):
            raise ValueError("redirect_uri and code_verifier go with code")
        if (self.id_token is None) != (self.nonce is None):
            raise ValueError("nonce goes with id_token")
        return self


class AccountAnswer(BaseModel):
    """Somebody, as the app has always shown them."""

    id: str = Field(examples=["5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10"])
    kakao_id: str | None = Field(description="null for a guest", examples=["1234567890"])
    nickname: str = Field(examples=["순자"])
    profile_image: str
    pet_name: str = Field(examples=["복실이"])
    is_active: bool = Field(True, description="whoever is deleted is not there at all")


class TokensAnswer(BaseModel):
    """`refresh_token` works once, at `/auth/refresh`: keep its successor in its place."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int = Field(description="seconds", examples=[1800])
    refresh_token: str
    refresh_expires_in: int = Field(description="seconds, from its last use", examples=[5_184_000])


class LoginAnswer(TokensAnswer):
    user: AccountAnswer
    is_new_user: bool


@router.get("/kakao", summary="Whether and how one logs in with Kakao here", responses=documented(OriginRefused))
async def kakao_ways(services: ServicesOf) -> KakaoWays:
    settings = services.settings
    if not settings.kakao_rest_key:
        return KakaoWays(available=False)
    return KakaoWays(
        available=True,
        authorize_url=f"{settings.kakao_auth_url}/oauth/authorize",
        client_id=settings.kakao_rest_key,
        redirect_uris=list(settings.kakao_redirect_uris),
        pretended=settings.kakao_is_pretended,
    )


@router.post(
    "/kakao",
    summary="Log in with Kakao",
    responses=documented(
        KakaoRefused,
        GuestRefused,
        AccountErased,
        OriginRefused,
        RequestInvalid,
        KakaoAway,
        KakaoNotConfigured,
        BusAway,
        DatabaseAway,
    ),
)
async def log_in_with_kakao(services: ServicesOf, asked: KakaoRequest) -> LoginAnswer:
    services.kakao.check_configured()
    guest = services.guests.user_of(asked.guest_id) if asked.guest_id else ""
    if not services.database.ready:
        raise DatabaseAway  # before a code, which works once, is spent
    arrived = await services.accounts.log_in(await _vouched_for(services, asked), guest)
    issued = services.tokens.issue(arrived.user.id, "account", login=arrived.login, after=arrived.after)
    return LoginAnswer(
        **_access(issued),
        refresh_token=arrived.refresh_token,
        refresh_expires_in=arrived.refresh_expires_in,
        user=account_answer(arrived.user),
        is_new_user=arrived.is_new,
    )


async def _vouched_for(services: Services, asked: KakaoRequest) -> KakaoPerson:
    if asked.kakao_access_token is not None:
        return await services.kakao.person_of_access_token(asked.kakao_access_token)
    if asked.code is not None and asked.redirect_uri is not None:
        return await services.kakao.person_of_code(asked.code, asked.redirect_uri, asked.code_verifier or "")
    person = await services.kakao.person_of_id_token(asked.id_token or "", asked.nonce or "")
    await spend_id_token(services.bus, asked.id_token or "")
    return person


@router.get(
    "/kakao/callback",
    summary="Where Kakao sends a phone's browser, which goes on to the app",
    status_code=302,
    response_class=Response,
    responses=documented(OriginRefused, KakaoNotConfigured)
    | {302: {"description": "To the app's link, with `code` and `state`, or `error` and `error_description`."}},
)
async def kakao_callback(request: Request, services: ServicesOf) -> Response:
    """Nothing is passed on but what an authorize page may say, and nowhere but to the configured link."""
    services.kakao.check_configured()
    query = urlencode(_passed_on(request), quote_via=quote)
    return RedirectResponse(f"{services.settings.kakao_app_link}?{query}", 302)


def _passed_on(request: Request) -> dict[str, str]:
    asked: dict[str, str] = {}
    for name, pattern in (
        ("code", _OAUTH_CODE),
        ("state", _STATE),
        ("error", _OAUTH_ERROR),
        ("error_description", _DESCRIPTION),
    ):
        values = request.query_params.getlist(name)
        if len(values) == 1 and pattern.fullmatch(values[0]):
            asked[name] = values[0]
        elif values:
            return {"error": "invalid_request", "error_description": f"{name} is not as it should be"}
    if "state" not in asked:
        return {"error": "invalid_request", "error_description": "state is missing"}
    if "error" in asked:
        return {name: asked[name] for name in ("error", "error_description", "state") if name in asked}
    if "code" not in asked:
        return {"error": "invalid_request", "error_description": "code is missing", "state": asked["state"]}
    return {"code": asked["code"], "state": asked["state"]}


# --- staying and leaving ---------------------------------------------------------------------------------------------


class RefreshRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    refresh_token: str = Field(min_length=1, max_length=128)


class LogoutRequest(BaseModel):
    """`refresh_token`: of another login of one's own, to be ended with this one."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: str | None = Field(None, max_length=128)


class LogoutAnswer(BaseModel):
    message: str = Field(examples=["로그아웃하셨어요."])


@router.post(
    "/refresh",
    summary="A new access token for a refresh token, and the refresh token's successor",
    responses=documented(RefreshRefused, RefreshReused, AccountErased, OriginRefused, RequestInvalid, DatabaseAway),
)
async def refresh(services: ServicesOf, asked: RefreshRequest) -> TokensAnswer:
    """Asked again within ten seconds it answers with the same successor: an answer may get lost. Later, or once the
    successor was used, it ends the login, since then two have the token."""
    rotated = await services.logins.rotate(asked.refresh_token)
    after = await services.revocations.revoked_until(rotated.user)
    issued = services.tokens.issue(rotated.user, "account", login=rotated.login, after=after)
    return TokensAnswer(**_access(issued), refresh_token=rotated.refresh_token, refresh_expires_in=rotated.expires_in)


@router.post(
    "/logout",
    summary="End this login: its tokens are worth nothing, its conversations end",
    responses=documented(OriginRefused, RequestInvalid, DatabaseAway),
)
async def log_out(services: ServicesOf, identity: Asking, asked: LogoutRequest | None = None) -> LogoutAnswer:
    if identity.kind == "guest":
        await services.revocations.announce(identity.user, identity.login)
    else:
        await services.revocations.revoke(identity.user, identity.login)
        other = await services.logins.owner_of((asked and asked.refresh_token) or "")
        if other is not None and other[0] == identity.user and other[1] != identity.login:
            await services.revocations.revoke(*other)
    return LogoutAnswer(message="로그아웃하셨어요.")


@router.get("/me", summary="Who I am", responses=documented(OriginRefused, DatabaseAway))
async def me(services: ServicesOf, identity: Asking) -> AccountAnswer:
    return account_answer((await people.person_of(services.database, identity.user)).user)


# --- answers ---------------------------------------------------------------------------------------------------------


def account_answer(user: User) -> AccountAnswer:
    return AccountAnswer(
        id=user.id,
        kakao_id=user.kakao_id,
        nickname=user.nickname,
        profile_image=user.profile_image,
        pet_name=user.pet_name,
        is_active=True,
    )


def _access(issued: IssuedToken) -> dict[str, Any]:
    return {"access_token": issued.access_token, "expires_in": issued.expires_in}
