"""Logins: one for each device, kept alive by refresh tokens that are used once.

A refresh token is 256 bits, given once and stored as its hash alone. Using it gives its successor, which is made from
it (HMAC under a key of ours), so that the same token shown again within `GRACE` gets the same successor: an answer that
was lost on its way, or fifty requests at once, cost nobody their login and rotate it once.

A token shown again later, or after its successor was used, is in two hands. Which of them is the thief's cannot be
known, so the whole login ends (RFC 9700, 4.14.2).
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Row, Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database, refuse_erased
from silvertalk.errors import RefreshRefused, RefreshReused
from silvertalk.keys import derived_key
from silvertalk.models import Login, RefreshToken
from silvertalk.revocations import KEPT_SECONDS, Revocations, mark_revoked

LIFE = timedelta(days=60)
"""From the last use."""
GRACE = timedelta(seconds=10)
"""For a lost answer."""
MAX_LOGINS = 10
"""Devices of one person; the login that was used longest ago goes."""
REFRESH_CHARACTERS = 43

_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{REFRESH_CHARACTERS}}}", re.ASCII)
_logins: Table = Login.__table__  # type: ignore[assignment]
_tokens: Table = RefreshToken.__table__  # type: ignore[assignment]


class Begun(NamedTuple):
    """A new login. `crowded_out`: logins that had to go for it, to be announced once the transaction is committed."""

    login: str
    refresh_token: str
    crowded_out: tuple[str, ...]


class Rotated(NamedTuple):
    """A login that goes on with another refresh token."""

    user: str
    login: str
    refresh_token: str
    expires_in: int
    """Seconds the refresh token has left."""


class Logins:
    """Begins logins and rotates their refresh tokens."""

    def __init__(self, database: Database, revocations: Revocations, secret: bytes) -> None:
        self._database = database
        self._revocations = revocations
        self._key = derived_key(secret, "refresh tokens")

    async def begin(self, connection: AsyncConnection, user: str) -> Begun:
        """A login for `user`, who has a row, within the caller's transaction; what has run out is swept."""
        now = datetime.now(UTC)
        await _sweep(connection, user, now)
        crowded_out = await _make_room(connection, user)
        login, token = uuid.uuid4().hex, secrets.token_urlsafe(32)
        await connection.execute(
            insert(_logins).values(
                id=login, user_id=user, created_at=now, expires_at=now + LIFE, revoked_at=None, revoked_for=""
            )
        )
        await _keep(connection, login, token, now)
        return Begun(login, token, crowded_out)

    async def rotate(self, token: str) -> Rotated:
        """The successor of a refresh token.

        Raises RefreshRefused, RefreshReused (the login is revoked, and so are its access tokens), AccountErased,
        DatabaseAway.
        """
        if not _TOKEN.fullmatch(token):
            raise RefreshRefused("not a token's shape")
        now = datetime.now(UTC)
        async with self._database.transaction() as connection:
            owner = select(_logins.c.user_id).join(_tokens, _tokens.c.login_id == _logins.c.id)
            owner = owner.where(_tokens.c.hash == _hash(token), _logins.c.revoked_at.is_(None))
            user = (await connection.execute(owner)).scalar_one_or_none()
            if user is None:
                raise RefreshRefused("unknown or revoked")
            await refuse_erased(connection, user)  # before the row is held: a deletion takes the two in this order
            # It writes before it reads: whoever shows a token of the same login waits here until this one is through.
            family = await connection.execute(
                update(_logins)
                .where(_logins.c.id.in_(select(_tokens.c.login_id).where(_tokens.c.hash == _hash(token))))
                .values(expires_at=_logins.c.expires_at)
                .returning(_logins.c.id, _logins.c.user_id, _logins.c.revoked_at)
            )
            login = family.one_or_none()
            if login is None or login.revoked_at is not None:
                raise RefreshRefused("unknown or revoked")
            rotated = await self._next(connection, login, token, now)
            if rotated is None:
                await mark_revoked(connection, login.user_id, login.id, "reuse")
        if rotated is None:
            await self._revocations.announce(login.user_id, login.id)
            raise RefreshReused
        return rotated

    async def owner_of(self, token: str) -> tuple[str, str] | None:
        """The person and the login a refresh token belongs to; None for one that is unknown."""
        if not _TOKEN.fullmatch(token):
            return None
        found = select(_logins.c.user_id, _logins.c.id).join(_tokens, _tokens.c.login_id == _logins.c.id)
        async with self._database.transaction() as connection:
            row = (await connection.execute(found.where(_tokens.c.hash == _hash(token)))).one_or_none()
        return None if row is None else (row.user_id, row.id)

    async def _next(
        self, connection: AsyncConnection, login: Row[tuple[str, str]], token: str, now: datetime
    ) -> Rotated | None:
        """None where the token is in two hands."""
        shown = await _token(connection, token)
        if shown is None or shown.expires_at <= now:
            raise RefreshRefused("expired")
        successor = self._successor(token)
        if shown.used_at is None:
            await connection.execute(update(_tokens).where(_tokens.c.hash == _hash(token)).values(used_at=now))
            await _keep(connection, login.id, successor, now)
            await connection.execute(update(_logins).where(_logins.c.id == login.id).values(expires_at=now + LIFE))
            return Rotated(login.user_id, login.id, successor, int(LIFE.total_seconds()))
        following = await _token(connection, successor)
        if following is None or following.used_at is not None or now - shown.used_at > GRACE:
            return None
        left = int((following.expires_at - now).total_seconds())
        return Rotated(login.user_id, login.id, successor, left)

    def _successor(self, token: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, token.encode(), sha256)).rstrip(b"=").decode()


def _hash(token: str) -> str:
    """Of 256 random bits: a plain hash is enough, there is nothing to guess."""
    return sha256(token.encode()).hexdigest()


async def _token(connection: AsyncConnection, token: str) -> Row[tuple[datetime, datetime | None]] | None:
    row = select(_tokens.c.expires_at, _tokens.c.used_at).where(_tokens.c.hash == _hash(token))
    return (await connection.execute(row)).one_or_none()


async def _keep(connection: AsyncConnection, login: str, token: str, now: datetime) -> None:
    await connection.execute(
        insert(_tokens).values(hash=_hash(token), login_id=login, issued_at=now, expires_at=now + LIFE, used_at=None)
    )


async def _sweep(connection: AsyncConnection, user: str, now: datetime) -> None:
    """Delete what has run out. A revoked login stays for as long as an access token of it might be shown."""
    theirs = select(_logins.c.id).where(_logins.c.user_id == user)
    over = (_logins.c.expires_at <= now) | (_logins.c.revoked_at <= now - timedelta(seconds=KEPT_SECONDS))
    await connection.execute(delete(_logins).where(_logins.c.user_id == user, over))
    await connection.execute(delete(_tokens).where(_tokens.c.login_id.in_(theirs), _tokens.c.expires_at <= now))


async def _make_room(connection: AsyncConnection, user: str) -> tuple[str, ...]:
    """Revoke the logins that one more would be too many with."""
    good = select(_logins.c.id).where(_logins.c.user_id == user, _logins.c.revoked_at.is_(None))
    newest = await connection.execute(good.order_by(_logins.c.expires_at.desc(), _logins.c.id))
    too_many = tuple(newest.scalars().all()[MAX_LOGINS - 1 :])
    for login in too_many:
        await mark_revoked(connection, user, login, "crowded")
    return too_many
