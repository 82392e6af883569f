"""Tokens that are worth nothing before their time is over: after a logout, a stolen refresh token, a deletion.

Redis keeps what is revoked for as long as an access token may live, and every gateway hears of it at once and ends the
sockets that such a token opened. While Redis is away the database is asked instead.
"""

from __future__ import annotations

from silvertalk.database import Database
from silvertalk.tokens import Identity
from streaming.bus import Bus


class Revocations:
    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database

    async def revoke(self, user: str, login: str = "") -> None:
        """All tokens of this person, or of one login, are worth nothing from now on; their sockets are closed."""
        raise NotImplementedError

    async def check(self, identity: Identity) -> None:
        """Raises TokenRefused (AccountErased for a deleted person) where the token was revoked."""
        raise NotImplementedError
