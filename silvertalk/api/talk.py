"""`/v1/talk/ticket`: the way from an access token to the voice socket."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.errors import (
    BusAway,
    Draining,
    OriginRefused,
    RequestTooLarge,
    ServerFull,
    TokenExpired,
    TokenMissing,
    TokenRefused,
)
from silvertalk.tickets import TICKET_SECONDS, issue_ticket

SOCKET_PATH = "/v1/talk"
STORE_SECONDS = 3.0
"""Longest wait for Redis: a client that hears nothing tries again anyway."""

router = APIRouter(prefix="/v1/talk", tags=["talk"], dependencies=[Depends(our_origin)])


class TicketAnswer(BaseModel):
    """Send `ticket` in the first message on the socket at `path`, on this server, before it expires. It works once."""

    ticket: str
    expires_in: int = Field(description="seconds", examples=[TICKET_SECONDS])
    path: str = Field(examples=[SOCKET_PATH])


@router.post(
    "/ticket",
    summary="Get a one-use ticket for the voice socket",
    responses=documented(
        TokenMissing, TokenRefused, TokenExpired, OriginRefused, RequestTooLarge, ServerFull, Draining, BusAway
    ),
)
async def new_ticket(services: ServicesOf, identity: Asking) -> TicketAnswer:
    services.door()
    try:
        async with asyncio.timeout(STORE_SECONDS):
            ticket = await issue_ticket(services.bus, identity)
    except TimeoutError:
        raise BusAway from None
    return TicketAnswer(ticket=ticket, expires_in=TICKET_SECONDS, path=SOCKET_PATH)
