"""`/auth/kakao/unlink-webhook`: Kakao says that somebody has taken the app out of their account."""

from __future__ import annotations

import asyncio
import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import BaseModel, Field

from silvertalk.api.problems import documented
from silvertalk.api.services import Services, ServicesOf, our_origin, services_of
from silvertalk.erasing import ask_to_erase
from silvertalk.errors import DatabaseAway, KakaoNotConfigured, OriginRefused, RequestInvalid, WebhookRefused

router = APIRouter(prefix="/auth/kakao/unlink-webhook", tags=["auth"], dependencies=[Depends(our_origin)])

WEBHOOK_SECONDS = 2.5
"""Kakao waits 3 s."""


class Unlinked(BaseModel):
    """What Kakao sends when somebody takes the app out of their account."""

    app_id: int = Field(ge=1, lt=2**63)
    user_id: int = Field(ge=1, lt=2**63)
    referrer_type: str = Field("", max_length=64, examples=["UNLINK_FROM_APPS"])


def kakao_itself(request: Request) -> None:
    """Whoever sends a webhook knows the admin key."""
    services = services_of(request)
    services.kakao.check_configured()
    key = services.settings.kakao_admin_key.get_secret_value()
    if not key:
        raise KakaoNotConfigured
    sent = request.headers.getlist("authorization")
    if len(sent) != 1 or not hmac.compare_digest(sent[0].encode("utf-8", "replace"), f"KakaoAK {key}".encode()):
        raise WebhookRefused


_WEBHOOK: dict[str, Any] = {
    "dependencies": [Depends(kakao_itself)],
    "responses": documented(WebhookRefused, OriginRefused, RequestInvalid, KakaoNotConfigured, DatabaseAway),
}


@router.get("", summary="Kakao: somebody has left", **_WEBHOOK)
async def unlinked_by_get(services: ServicesOf, told: Annotated[Unlinked, Query()]) -> dict[str, str]:
    return await _unlinked(services, told)


@router.post("", summary="Kakao: somebody has left", **_WEBHOOK)
async def unlinked_by_post(services: ServicesOf, told: Annotated[Unlinked, Form()]) -> dict[str, str]:
    return await _unlinked(services, told)


async def _unlinked(services: Services, told: Unlinked) -> dict[str, str]:
    """Who takes the app out of their account is deleted here. Said twice, it is done once."""
    if told.app_id != services.settings.kakao_app_id:
        raise WebhookRefused("about another app")
    try:
        async with asyncio.timeout(WEBHOOK_SECONDS):
            user = await services.accounts.user_with(str(told.user_id))
            if user is not None:
                await ask_to_erase(services.database, services.jobs, services.revocations, user)
    except TimeoutError:
        raise DatabaseAway("too slow for Kakao") from None
    return {}
