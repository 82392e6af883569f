"""`/v1/talk/ticket`: the way from an access token to the voice socket."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from silvertalk.api.ids import SESSION_PATTERN
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.conversations import check_free
from silvertalk.errors import (
    BusAway,
    ConversationTaken,
    DatabaseAway,
    Draining,
    NotFound,
    OriginRefused,
    RequestInvalid,
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


class TicketRequest(BaseModel):
    """What else is sent is not read: who asks is in the token."""

    session_id: str | None = Field(
        None,
        pattern=SESSION_PATTERN,
        max_length=32,
        description="a conversation that `POST /chat/sessions` reserved: the first socket to come with it opens it",
        examples=["63584d075f3a9a68cf62801bb803718f"],
    )


class TicketAnswer(BaseModel):
    """Send `ticket` in the first message on the socket at `path`, on this server, before it expires. It works once."""

    ticket: str
    expires_in: int = Field(description="seconds", examples=[TICKET_SECONDS])
    path: str = Field(examples=[SOCKET_PATH])


@router.post(
    "/ticket",
    summary="Get a one-use ticket for the voice socket",
    responses=documented(
        TokenMissing,
        TokenRefused,
        TokenExpired,
        OriginRefused,
        RequestTooLarge,
        RequestInvalid,
        ServerFull,
        Draining,
        BusAway,
        DatabaseAway,
        NotFound,
        ConversationTaken,
    ),
)
async def new_ticket(services: ServicesOf, identity: Asking, asked: TicketRequest | None = None) -> TicketAnswer:
    services.door()
    session = (asked.session_id if asked is not None else None) or ""
    if session:  # it is taken up by the socket: of a ticket that is never used nothing is lost
        await check_free(services.database, identity.user, session)
    try:
        async with asyncio.timeout(STORE_SECONDS):
            ticket = await issue_ticket(services.bus, identity, session=session)
    except TimeoutError:
        raise BusAway from None
    return TicketAnswer(ticket=ticket, expires_in=TICKET_SECONDS, path=SOCKET_PATH)
