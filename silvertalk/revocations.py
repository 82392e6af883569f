"""Tokens that are worth nothing before their time is over: after a logout, a stolen refresh token, a deletion.

Redis keeps what is revoked for as long as an access token may live, and every gateway hears of it at once and ends the
sockets that such a token opened. While Redis is away the database is asked instead; what was revoked meanwhile reaches
Redis with the first question after it is back, and so does what a Redis that lost its memory had known.
"""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database, refuse_erased, user_hash
from silvertalk.errors import BusAway, DatabaseAway, TokenRefused
from silvertalk.models import Erasure, Login, User
from silvertalk.tokens import LEEWAY_SECONDS, MAX_LIFE_SECONDS, Identity
from streaming.bus import Bus
from streaming.errors import StreamingError
from streaming.logs import logger

log = logger("revocations")

Why = Literal["logout", "reuse", "crowded", "unlinked"]
"""Asked for; a refresh token in two hands; too many logins; their account at Kakao is none of ours any more."""

KEPT_SECONDS = MAX_LIFE_SECONDS + 2 * LEEWAY_SECONDS
"""No access token lives longer, whichever gateway's clock it was made by."""
ASK_SECONDS = 2.0
"""Longest wait for Redis, which answers within a millisecond: then the database is asked."""
RESTORE_SECONDS = 1.0
"""Longest wait for the database where Redis has answered, and how long it is then left alone."""
MAX_OWED = 10_000
"""Revocations that wait in memory for Redis; beyond it the oldest is dropped, and its access token lives to its end."""
MAX_RESTORED = 20_000
MARK = "revoked"
"""A key that says: this Redis knows what was revoked. Without it it has just come up, or lost its memory."""
MARK_SECONDS = 30 * 86_400

_logins: Table = Login.__table__  # type: ignore[assignment]
_users: Table = User.__table__  # type: ignore[assignment]
_erasures: Table = Erasure.__table__  # type: ignore[assignment]


class Revocations:
    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database
        self._owed: dict[str, int] = {}
        """By key: the moment of a revocation that Redis was not there for."""
        self._owed_words: list[tuple[str, str]] = []
        self._restore_after = -math.inf

    # --- revoking ----------------------------------------------------------------------------------------------------

    async def revoke(self, user: str, login: str = "", *, why: Why = "logout") -> None:
        """All tokens of this person, or of one login, are worth nothing from now on; their sockets are closed.

        Tokens issued later are good. Redis may be away, the database must not: raises DatabaseAway where the refresh
        tokens could not be revoked, to be tried again.
        """
        try:
            async with self._database.transaction() as connection:
                await mark_revoked(connection, user, login, why)
        finally:
            await self.announce(user, login)

    async def announce(self, user: str, login: str = "") -> None:
        """The database has it already: tell Redis and every gateway. Never fails."""
        self._owed[_login_key(login) if login else _user_key(user)] = int(time.time())
        self._owed_words.append((user, login))
        for old in list(self._owed)[:-MAX_OWED]:
            del self._owed[old]
        del self._owed_words[:-MAX_OWED]
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self._pay()
        except (StreamingError, TimeoutError) as error:
            log.warning("revocation_waits_for_redis", error=type(error).__name__)

    async def revoked_until(self, user: str) -> int:
        """The moment up to which this person's tokens are revoked (Unix seconds); 0 where none is known."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                kept = await self._bus.values.get(_user_key(user))
        except (StreamingError, TimeoutError):
            return self._owed.get(_user_key(user), 0)
        return 0 if kept is None else int(kept)

    async def _pay(self) -> None:
        """Keep in Redis what it was not told yet, then have everybody hear of it. Done twice it is done once."""
        values = self._bus.values
        for key, moment in list(self._owed.items()):
            await values.put(key, str(moment).encode(), KEPT_SECONDS)
            if self._owed.get(key) == moment:
                del self._owed[key]
        while self._owed_words:
            user, login = self._owed_words[0]
            await self._bus.announce_revocation(user, login)
            if self._owed_words and self._owed_words[0] == (user, login):
                del self._owed_words[0]

    # --- asking ------------------------------------------------------------------------------------------------------

    async def check(self, identity: Identity) -> None:
        """Raises TokenRefused (AccountErased for a deleted person) where the token was revoked.

        One round trip to Redis; the database where Redis is away; BusAway where neither answers.
        """
        values = self._bus.values
        try:
            async with asyncio.timeout(ASK_SECONDS):
                if self._owed or self._owed_words:
                    await self._pay()
                known, person, login = await asyncio.gather(
                    values.get(MARK), values.get(_user_key(identity.user)), values.get(_login_key(identity.login))
                )
        except (StreamingError, TimeoutError):
            await self._ask_database(identity)
            return
        if login is not None or (person is not None and identity.issued_at <= int(person)):
            raise TokenRefused("revoked")
        if known is None and time.monotonic() >= self._restore_after:
            await self._restore(identity)

    async def _ask_database(self, identity: Identity) -> None:
        good = (_logins.c.id == identity.login, _logins.c.user_id == identity.user, _logins.c.revoked_at.is_(None))
        try:
            async with self._database.transaction() as connection:
                await refuse_erased(connection, identity.user)
                if identity.kind == "account":
                    refused = (await connection.execute(select(_logins.c.id).where(*good))).one_or_none() is None
                else:  # a guest who became an account is a guest no more
                    account = select(_users.c.id).where(_users.c.id == identity.user, _users.c.kakao_id.is_not(None))
                    refused = (await connection.execute(account)).one_or_none() is not None
        except DatabaseAway:
            raise BusAway("nobody can be asked whether the token was revoked") from None
        if refused:
            raise TokenRefused("revoked")

    async def _restore(self, identity: Identity) -> None:
        """Tell a Redis that knows nothing what was revoked of late, and decide by the database meanwhile."""
        since = datetime.now(UTC) - timedelta(seconds=KEPT_SECONDS)
        revoked = select(_logins.c.id, _logins.c.revoked_at).where(_logins.c.revoked_at > since)
        erased = select(_erasures.c.user_hash, _erasures.c.asked_at).where(_erasures.c.asked_at > since)
        self._restore_after = time.monotonic() + RESTORE_SECONDS
        try:
            async with asyncio.timeout(RESTORE_SECONDS), self._database.transaction() as connection:
                kept = {_login_key(row[0]): row[1] for row in await connection.execute(revoked.limit(MAX_RESTORED))}
                kept |= {_hash_key(row[0]): row[1] for row in await connection.execute(erased.limit(MAX_RESTORED))}
        except (DatabaseAway, TimeoutError):
            return  # asked again before long; talk goes on without the database
        try:
            for key, moment in kept.items():
                await self._bus.values.put_new(key, str(int(moment.timestamp())).encode(), KEPT_SECONDS)
            await self._bus.values.put(MARK, b"1", MARK_SECONDS)
        except StreamingError as error:
            log.warning("revocations_not_restored", error=type(error).__name__)
        if _login_key(identity.login) in kept or _user_key(identity.user) in kept:
            raise TokenRefused("revoked")


async def mark_revoked(connection: AsyncConnection, user: str, login: str, why: Why) -> None:
    """Within the caller's transaction: the refresh tokens of one login, or of all the person's, buy nothing more."""
    which: list[ColumnElement[bool]] = [_logins.c.user_id == user, _logins.c.revoked_at.is_(None)]
    if login:
        which.append(_logins.c.id == login)
    await connection.execute(update(_logins).where(*which).values(revoked_at=datetime.now(UTC), revoked_for=why))


def _login_key(login: str) -> str:
    return f"revoked-login:{login}"


def _user_key(user: str) -> str:
    return _hash_key(user_hash(user))


def _hash_key(hashed: str) -> str:
    """By the hash that `erasures` has, so that a Redis that lost its memory can be told of the deleted too."""
    return f"revoked-user:{hashed}"
