"""Tickets: what opens the voice socket, once and within 30 seconds.

An access token would stand in the socket's address or its first message for as long as it lives; a ticket is worthless
as soon as it was used. Redis keeps only its hash, so whoever reads Redis cannot come in with what is read there.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

import msgspec

from silvertalk.errors import TicketRefused
from silvertalk.tokens import Identity

TICKET_SECONDS = 30
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class OneTimeStore(Protocol):
    """What tickets need of the bus: two calls. Both raise `streaming.errors.BusUnavailable` while Redis is away."""

    async def put_once(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep `value` for so long."""

    async def take_once(self, key: str) -> bytes | None:
        """Give `value` to the first who asks and to nobody after; None when it is gone or never was."""


@dataclass(frozen=True)
class Ticket:
    """What a ticket stands for: who bought it, and the conversation that was reserved for them, if one was."""

    identity: Identity
    session: str = ""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    version: int
    identity: Identity
    session: str = ""


async def issue_ticket(store: OneTimeStore, identity: Identity, *, session: str = "") -> str:
    """A new ticket for this identity: 43 characters, 256 bits. `session`: the conversation that it opens."""
    ticket = secrets.token_urlsafe(32)
    kept = msgspec.msgpack.encode(_Kept(1, identity, session))
    await store.put_once(_key(ticket), kept, TICKET_SECONDS)
    return ticket


async def redeem_ticket(store: OneTimeStore, ticket: str) -> Ticket:
    """What the ticket stands for; raises TicketRefused for one that is unknown, used or too old."""
    if not _TICKET.fullmatch(ticket):
        raise TicketRefused
    kept = await store.take_once(_key(ticket))
    if kept is None:
        raise TicketRefused
    try:
        found = msgspec.msgpack.decode(kept, type=_Kept)
    except msgspec.MsgspecError as error:  # written by another version of ours: the client asks for a new one
        raise TicketRefused(str(error)) from None
    return Ticket(found.identity, found.session)


def _key(ticket: str) -> str:
    return f"ticket:{sha256(ticket.encode()).hexdigest()}"
