"""Tokens that are worth nothing before their time is over: after a logout, a stolen refresh token, a deletion.

Redis keeps what is revoked for as long as an access token may live, and every gateway hears of it at once and ends the
sockets that such a token opened. While Redis is away the database is asked instead; what was revoked meanwhile reaches
Redis with the first question after it is back. A Redis that lost its memory is told what it had known, in the
background, and the database decides until then.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Literal, Self

from sqlalchemy import ColumnElement, Select, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database, is_erased, user_hash
from silvertalk.errors import AccountErased, BusAway, DatabaseAway, TokenRefused
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
DECIDE_SECONDS = 1.0
"""Longest wait for the database where Redis has answered but knows nothing."""
RESTORE_SECONDS = 1.0
"""How long after one try to tell Redis all again the next may begin."""
MAX_OWED = 10_000
"""Revocations that wait in memory for Redis; beyond it the oldest is dropped, and its access token lives to its end."""
MAX_RESTORED = 20_000
PAGE = 1000
"""Rows that are taken from the database at once: so that nothing else in this process waits for long."""
MARK = "revoked"
"""Says of a Redis server that it knows what was revoked. Without it it has just come up, or lost its memory."""
MARK_SECONDS = 30 * 86_400

_logins: Table = Login.__table__  # type: ignore[assignment]
_users: Table = User.__table__  # type: ignore[assignment]
_erasures: Table = Erasure.__table__  # type: ignore[assignment]


class Revocations:
    """`async with` it: it owns the task "restore-revocations", which is begun when it is first needed."""

    def __init__(self, bus: Bus, database: Database) -> None:
        self._bus = bus
        self._database = database
        self._owed: dict[str, int] = {}
        """By key: the moment of a revocation that Redis was not there for."""
        self._owed_words: list[tuple[str, str]] = []
        self._restoring: asyncio.Task[None] | None = None
        self._restore_after = -math.inf

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._restoring = self._restoring, None
        if task is not None:
            task.cancel("revocations closed")
            await asyncio.wait([task])

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

        One round trip to Redis; the database where Redis is away or lost its memory; BusAway where Redis is away and
        the database, too.
        """
        values = self._bus.values
        try:
            async with asyncio.timeout(ASK_SECONDS):
                if self._owed or self._owed_words:
                    await self._pay()
                asked = [_user_key(identity.user), _login_key(identity.login)]
                if identity.kind == "guest":
                    asked.append(former_guest_key(identity.user))
                (person, _), (login, _), *former = found = await asyncio.gather(
                    *(values.get_marked(key, MARK) for key in asked)
                )
        except (StreamingError, TimeoutError):
            await self._ask_database(identity)
            return
        is_former = any(kept is not None for kept, _ in former)
        if is_former or login is not None or (person is not None and identity.issued_at <= int(person)):
            raise TokenRefused("revoked")
        if all(told for _, told in found):
            return
        self._restore_soon()
        try:
            async with asyncio.timeout(DECIDE_SECONDS):
                await self._ask_database(identity)
        except (BusAway, TimeoutError):
            return  # Redis is there and refuses nothing that it knows: talk goes on without the database

    async def _ask_database(self, identity: Identity) -> None:
        good = (_logins.c.id == identity.login, _logins.c.user_id == identity.user, _logins.c.revoked_at.is_(None))
        try:
            async with self._database.transaction() as connection:
                if await is_erased(connection, identity.user):
                    raise AccountErased
                if identity.kind == "account":
                    refused = (await connection.execute(select(_logins.c.id).where(*good))).one_or_none() is None
                else:  # a guest who became an account is a guest no more
                    account = select(_users.c.id).where(_users.c.id == identity.user, _users.c.kakao_id.is_not(None))
                    refused = (await connection.execute(account)).one_or_none() is not None
        except DatabaseAway:
            raise BusAway("nobody can be asked whether the token was revoked") from None
        if refused:
            raise TokenRefused("revoked")

    # --- telling Redis again -----------------------------------------------------------------------------------------

    def _restore_soon(self) -> None:
        """One at a time, whoever asks; the next begins no sooner than RESTORE_SECONDS after the last ended."""
        if self._restoring is None and time.monotonic() >= self._restore_after:
            self._restoring = asyncio.create_task(self._restore(), name="restore-revocations")

    async def _restore(self) -> None:
        """Tell each Redis server that knows nothing what was revoked of late."""
        try:
            kept = await self._lately_revoked()
            await self._bus.values.refill(kept, KEPT_SECONDS, MARK, MARK_SECONDS)
            log.info("revocations_restored", count=len(kept))
        except (DatabaseAway, StreamingError) as error:
            log.warning("revocations_not_restored", error=type(error).__name__)
        except Exception:  # the next who asks begins anew; until then the database decides
            log.error("restoring_broke", exc_info=True)
        finally:
            self._restore_after = time.monotonic() + RESTORE_SECONDS
            self._restoring = None

    async def _lately_revoked(self) -> dict[str, bytes]:
        """What Redis would have, by key; of more than MAX_RESTORED of a kind the newest."""
        since = datetime.now(UTC) - timedelta(seconds=KEPT_SECONDS)
        revoked = select(_logins.c.id, _logins.c.revoked_at).where(_logins.c.revoked_at > since)
        erased = select(_erasures.c.user_hash, _erasures.c.asked_at).where(_erasures.c.asked_at > since)
        # Whoever has come in of late may have been a guest of that id; who was not has no guest's token to be refused.
        arrived = select(_logins.c.user_id, _logins.c.created_at).join(_users, _users.c.id == _logins.c.user_id)
        arrived = arrived.where(_users.c.kakao_id.is_not(None), _logins.c.created_at > since)
        asked: tuple[tuple[Select[tuple[str, datetime]], Callable[[str], str]], ...] = (
            (revoked.order_by(_logins.c.revoked_at.desc()), _login_key),
            (erased.order_by(_erasures.c.asked_at.desc()), _hash_key),
            (arrived.order_by(_logins.c.created_at.desc()), former_guest_key),
        )
        kept: dict[str, bytes] = {}
        async with self._database.transaction() as connection:
            for query, key in asked:
                async with connection.stream(query.limit(MAX_RESTORED)) as rows:
                    async for page in rows.partitions(PAGE):
                        kept |= {key(which): str(int(moment.timestamp())).encode() for which, moment in page}
        return kept


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


def former_guest_key(user: str) -> str:
    """Of somebody who was a guest under this id and is none any more: no guest's token of theirs is good."""
    return f"former-guest:{user_hash(user)}"


def _hash_key(hashed: str) -> str:
    """By the hash that `erasures` has, so that a Redis that lost its memory can be told of the deleted too."""
    return f"revoked-user:{hashed}"
