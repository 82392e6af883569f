"""`/auth`: how a person without an account becomes somebody."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from silvertalk.api.problems import documented
from silvertalk.api.services import ServicesOf, address_of, our_origin
from silvertalk.errors import GuestRefused, GuestsClosed, OriginRefused, RateLimited, RequestInvalid, RequestTooLarge

router = APIRouter(prefix="/auth", tags=["auth"], dependencies=[Depends(our_origin)])


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
    responses=documented(GuestRefused, GuestsClosed, OriginRefused, RateLimited, RequestInvalid, RequestTooLarge),
)
async def become_guest(request: Request, services: ServicesOf, asked: GuestRequest | None = None) -> GuestAnswer:
    if not services.settings.guests_allowed:
        raise GuestsClosed
    services.guest_limit.take(address_of(request))
    guest_id = (asked.guest_id if asked is not None else None) or services.guests.new()
    issued = services.tokens.issue(services.guests.user_of(guest_id), "guest")
    return GuestAnswer(guest_id=guest_id, access_token=issued.access_token, expires_in=issued.expires_in)
