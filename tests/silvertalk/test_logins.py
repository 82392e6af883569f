"""Refresh tokens on SQLite and on PostgreSQL, with a real Valkey for what is revoked."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import select, update

from silvertalk.columns import new_id
from silvertalk.database import Database, no_writer_of, user_hash
from silvertalk.errors import AccountErased, DatabaseAway, RefreshRefused, RefreshReused, TokenRefused
from silvertalk.logins import GRACE, LIFE, MAX_LOGINS, Logins, _logins, _tokens
from silvertalk.models import Erasure
from silvertalk.people import ensure_person
from silvertalk.revocations import KEPT_SECONDS, Revocations
from silvertalk.setting_values import database_url
from silvertalk.tokens import AccessTokens, Identity
from streaming.bus import Bus
from tests.postgres import Postgres
from tests.valkey import Valkey

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
HOUR = timedelta(hours=1)


class House(NamedTuple):
    database: Database
    revocations: Revocations
    logins: Logins
    tokens: AccessTokens

    async def person(self) -> str:
        user = new_id()
        async with self.database.transaction() as connection:
            await ensure_person(self.database, connection, user)
        return user

    async def begin(self, user: str) -> tuple[str, str]:
        async with self.database.transaction() as connection:
            begun = await self.logins.begin(connection, user)
        for login in begun.crowded_out:
            await self.revocations.announce(user, login)
        return begun.login, begun.refresh_token

    def access(self, user: str, login: str) -> Identity:
        return self.tokens.issue(user, "account", login=login).identity

    async def backdate(self, *, used: timedelta = timedelta(0), expires: timedelta = timedelta(0)) -> None:
        """All refresh tokens were used, or run out, so much earlier."""
        async with self.database.transaction() as connection:
            for row in (await connection.execute(select(_tokens))).all():
                used_at = row.used_at and row.used_at - used
                changed = update(_tokens).where(_tokens.c.hash == row.hash)
                await connection.execute(changed.values(used_at=used_at, expires_at=row.expires_at - expires))

    async def rows(self) -> tuple[int, int]:
        async with self.database.transaction() as connection:
            counts = [len((await connection.execute(select(table))).all()) for table in (_logins, _tokens)]
        return counts[0], counts[1]


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path, valkey: Valkey) -> AsyncIterator[House]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'silvertalk.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url, timeout_seconds=30) as database, Bus.open([valkey.url], name="logins") as bus:
        await database.wait_ready()
        revocations = Revocations(bus, database)
        yield House(database, revocations, Logins(database, revocations, SECRET), AccessTokens(SECRET))


async def test_a_refresh_token_is_used_once_and_gives_another(house: House) -> None:
    user = await house.person()
    login, first = await house.begin(user)
    second = await house.logins.rotate(first)
    third = await house.logins.rotate(second.refresh_token)
    assert len({first, second.refresh_token, third.refresh_token}) == 3
    assert {(one.user, one.login) for one in (second, third)} == {(user, login)}
    assert third.expires_in == int(LIFE.total_seconds())
    assert len(base64.urlsafe_b64decode(first + "=")) == 32
    assert await house.rows() == (1, 3)


async def test_the_database_has_no_token(house: House) -> None:
    _, first = await house.begin(await house.person())
    second = (await house.logins.rotate(first)).refresh_token
    async with house.database.transaction() as connection:
        everything = str((await connection.execute(select(_tokens))).all())
    for token in (first, second):
        assert token not in everything
        assert base64.urlsafe_b64decode(token + "=").hex() not in everything


async def test_fifty_at_once_rotate_once_and_get_the_same_successor(house: House) -> None:
    _, first = await house.begin(await house.person())
    rotated = await asyncio.gather(*(house.logins.rotate(first) for _ in range(50)))
    assert len({one.refresh_token for one in rotated}) == 1
    assert await house.rows() == (1, 2)
    assert (await house.logins.rotate(rotated[0].refresh_token)).refresh_token != first


async def test_a_lost_answer_is_given_again_within_the_grace_and_costs_the_login_after_it(house: House) -> None:
    user = await house.person()
    login, first = await house.begin(user)
    second = await house.logins.rotate(first)
    await house.backdate(used=GRACE - timedelta(seconds=4))
    assert (await house.logins.rotate(first)).refresh_token == second.refresh_token
    await house.backdate(used=timedelta(seconds=5))
    with pytest.raises(RefreshReused):
        await house.logins.rotate(first)
    with pytest.raises(RefreshRefused):
        await house.logins.rotate(second.refresh_token)
    with pytest.raises(TokenRefused):
        await house.revocations.check(house.access(user, login))
    async with house.database.transaction() as connection:
        row = (await connection.execute(select(_logins))).one()
    assert (row.revoked_for, row.revoked_at is None) == ("reuse", False)


async def test_a_token_whose_successor_was_used_costs_the_login_also_within_the_grace(house: House) -> None:
    user = await house.person()
    (login, first), (other, others) = await house.begin(user), await house.begin(user)
    third = await house.logins.rotate((await house.logins.rotate(first)).refresh_token)
    with pytest.raises(RefreshReused):
        await house.logins.rotate(first)
    with pytest.raises(RefreshRefused):
        await house.logins.rotate(third.refresh_token)
    with pytest.raises(TokenRefused):
        await house.revocations.check(house.access(user, login))
    await house.revocations.check(house.access(user, other))
    assert (await house.logins.rotate(others)).login == other, "another device's login is not touched"


async def test_of_a_thief_and_its_owner_nobody_keeps_the_login(house: House) -> None:
    _, stolen = await house.begin(await house.person())
    thiefs = (await house.logins.rotate(stolen)).refresh_token
    await house.backdate(used=HOUR)
    answers = await asyncio.gather(
        *(house.logins.rotate(token) for token in (stolen, stolen, stolen)), return_exceptions=True
    )
    assert all(isinstance(answer, RefreshRefused | RefreshReused) for answer in answers)
    with pytest.raises(RefreshRefused):
        await house.logins.rotate(thiefs)


@pytest.mark.parametrize("token", ["", "a" * 42, "a" * 44, "a" * 42 + "\n", "a" * 42 + "*", "é" * 43, "A" * 43])
async def test_what_is_no_token_is_refused(house: House, token: str) -> None:
    await house.begin(await house.person())
    with pytest.raises(RefreshRefused):
        await house.logins.rotate(token)
    assert await house.logins.owner_of(token) is None


async def test_a_token_of_another_server_is_refused(house: House) -> None:
    _, token = await house.begin(await house.person())
    elsewhere = Logins(house.database, house.revocations, SECRET + b"!")
    assert (await elsewhere.rotate(token)).refresh_token != (
        Logins(house.database, house.revocations, SECRET)._successor(token)
    )


async def test_use_lengthens_its_life_and_disuse_ends_it(house: House) -> None:
    user = await house.person()
    _, first = await house.begin(user)
    await house.backdate(expires=LIFE - HOUR)
    second = await house.logins.rotate(first)
    assert second.expires_in == int(LIFE.total_seconds())
    await house.backdate(expires=LIFE + HOUR)
    with pytest.raises(RefreshRefused) as refusal:
        await house.logins.rotate(second.refresh_token)
    assert type(refusal.value) is RefreshRefused
    await house.begin(user)
    assert (await house.rows())[1] == 1, "what has run out is swept as the person logs in"


async def test_the_login_used_longest_ago_goes_when_there_are_too_many(house: House) -> None:
    user = await house.person()
    begun = [await house.begin(user) for _ in range(MAX_LOGINS)]
    kept = await house.logins.rotate(begun[0][1])
    await house.begin(user)
    assert (await house.logins.rotate(kept.refresh_token)).login == begun[0][0]
    with pytest.raises(RefreshRefused):
        await house.logins.rotate(begun[1][1])
    with pytest.raises(TokenRefused):
        await house.revocations.check(house.access(user, begun[1][0]))


async def test_revoked_logins_are_forgotten_once_no_token_of_theirs_can_live(house: House) -> None:
    user = await house.person()
    login, _ = await house.begin(user)
    await house.revocations.revoke(user, login)
    await house.begin(user)
    assert (await house.rows())[0] == 2
    async with house.database.transaction() as connection:
        long_ago = datetime.now(UTC) - timedelta(seconds=KEPT_SECONDS + 60)
        await connection.execute(update(_logins).where(_logins.c.id == login).values(revoked_at=long_ago))
    await house.begin(user)
    assert (await house.rows())[0] == 2


async def test_whoever_is_being_deleted_gets_no_token(house: House) -> None:
    user = await house.person()
    _, token = await house.begin(user)
    async with house.database.transaction() as connection:
        await connection.execute(
            house.database.insert(Erasure.__table__).values(
                receipt=str(uuid.uuid4()), user_hash=user_hash(user), asked_at=datetime.now(UTC), counts={}
            )
        )
    with pytest.raises(AccountErased):
        await house.logins.rotate(token)


async def test_while_the_database_is_away_that_is_said(valkey: Valkey, tmp_path: Path) -> None:
    async with Bus.open([valkey.url], name="logins") as bus:
        away = Database(f"sqlite+aiosqlite:///{tmp_path / 'nothing.sqlite3'}")
        logins = Logins(away, Revocations(bus, away), SECRET)
        with pytest.raises(DatabaseAway):
            await logins.rotate("A" * 43)


async def test_a_refresh_and_a_deletion_do_not_wait_for_each_other(house: House) -> None:
    """Both ask for the person first and for the login then."""
    user = await house.person()
    login, token = await house.begin(user)
    async with house.database.transaction() as connection:
        await no_writer_of(connection, user)
        rotating = asyncio.create_task(house.logins.rotate(token))
        await asyncio.wait([rotating], timeout=0.3)
        await connection.execute(update(_logins).where(_logins.c.id == login).values(revoked_for=""))
    assert (await rotating).login == login
