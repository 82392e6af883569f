"""What is revoked stays revoked, whichever of Redis and the database is away."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from silvertalk.columns import new_id
from silvertalk.database import Database, user_hash
from silvertalk.errors import AccountErased, BusAway, DatabaseAway, TokenRefused
from silvertalk.logins import Logins, _logins
from silvertalk.models import Erasure
from silvertalk.people import ensure_person, users
from silvertalk.revocations import Revocations
from silvertalk.tokens import AccessTokens, Identity
from streaming.bus import Bus
from tests.valkey import Valkey, leaked_keys, running_valkey

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
USER = "5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10"
TOKENS = AccessTokens(SECRET)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'silvertalk.sqlite3'}") as opened:
        await opened.wait_ready()
        async with opened.transaction() as connection:
            await ensure_person(opened, connection, USER)
        yield opened


@pytest.fixture
def redis() -> Iterator[Valkey]:
    """One of the test's own, to be killed."""
    with running_valkey() as server:
        yield server


@pytest.fixture
async def bus(redis: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([redis.url], name="revocations") as opened:
        yield opened


@pytest.fixture
def revocations(bus: Bus, database: Database) -> Revocations:
    return Revocations(bus, database)


async def login_of(database: Database, revocations: Revocations) -> Identity:
    """The identity of an account's access token."""
    async with database.transaction() as connection:
        begun = await Logins(database, revocations, SECRET).begin(connection, USER)
    return TOKENS.issue(USER, "account", login=begun.login, after=await revocations.revoked_until(USER)).identity


async def refused(revocations: Revocations, identity: Identity) -> bool:
    try:
        await revocations.check(identity)
    except TokenRefused:
        return True
    return False


async def restored(revocations: Revocations) -> None:
    if revocations._restoring is not None:
        await asyncio.wait([revocations._restoring])


async def test_one_login_is_revoked_and_the_others_are_not(
    database: Database, revocations: Revocations, redis: Valkey
) -> None:
    first, second = [await login_of(database, revocations) for _ in range(2)]
    await revocations.revoke(USER, first.login)
    assert await refused(revocations, first)
    assert not await refused(revocations, second)
    assert leaked_keys(redis.client) == []


async def test_all_of_a_person_are_revoked_and_later_ones_are_good(
    database: Database, revocations: Revocations
) -> None:
    before = [await login_of(database, revocations) for _ in range(2)]
    guest = TOKENS.issue(USER, "guest").identity
    stranger = TOKENS.issue(new_id(), "guest").identity
    await revocations.revoke(USER, why="unlinked")
    assert all([await refused(revocations, one) for one in (*before, guest)])
    assert not await refused(revocations, stranger)
    after = await login_of(database, revocations)
    assert not await refused(revocations, after), "also within the same second"
    async with database.transaction() as connection:
        whys = [row.revoked_for for row in await connection.execute(select(_logins).order_by(_logins.c.created_at))]
    assert whys == ["unlinked", "unlinked", ""]


async def test_every_gateway_hears_of_it(bus: Bus, redis: Valkey, database: Database) -> None:
    async with Bus.open([redis.url], name="another") as another:
        heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        another.on_revoked = lambda user, login: heard.put_nowait((user, login))
        await another.listen()
        revocations = Revocations(bus, database)
        await revocations.revoke(USER, "1" * 32)
        await revocations.revoke(USER)
        async with asyncio.timeout(5):
            assert [await heard.get(), await heard.get()] == [(USER, "1" * 32), (USER, "")]


async def test_while_redis_is_away_the_database_knows(
    database: Database, revocations: Revocations, redis: Valkey
) -> None:
    revoked, good = [await login_of(database, revocations) for _ in range(2)]
    guest = TOKENS.issue(new_id(), "guest").identity
    redis.kill()
    await revocations.revoke(USER, revoked.login)
    assert await refused(revocations, revoked)
    assert not await refused(revocations, good)
    assert not await refused(revocations, guest)
    redis.start()
    fresh = Revocations(revocations._bus, database)
    await fresh._bus.values.put("awake", b"1", 5)  # which waits for the connection
    assert not await refused(revocations, good)  # and with this question Redis is told what it missed
    assert await refused(fresh, revoked)
    assert redis.client.get(f"silvertalk:value:revoked-login:{revoked.login}") is not None


async def test_a_redis_that_lost_its_memory_is_told_again(
    database: Database, revocations: Revocations, redis: Valkey
) -> None:
    revoked, good = [await login_of(database, revocations) for _ in range(2)]
    await revocations.revoke(USER, revoked.login)
    gone = new_id()
    async with database.transaction() as connection:
        await connection.execute(
            database.insert(Erasure.__table__).values(
                receipt=new_id(), user_hash=user_hash(gone), asked_at=datetime.now(UTC), counts={}
            )
        )
    redis.client.flushall()
    afresh = Revocations(revocations._bus, database)
    assert await refused(afresh, revoked), "with the first question already"
    with pytest.raises((AccountErased, TokenRefused)):  # the database decides, or Redis, should it know again already
        await afresh.check(TOKENS.issue(gone, "guest").identity)
    assert not await refused(afresh, good)
    await restored(afresh)
    assert await refused(afresh, TOKENS.issue(gone, "guest").identity), "and then Redis knows"
    assert leaked_keys(redis.client) == []


async def test_each_server_is_known_to_know_by_itself(database: Database) -> None:
    """What one server remembers says nothing of what another forgot."""
    with running_valkey() as one, running_valkey() as another:
        async with Bus.open([one.url, another.url], name="revocations") as bus, Revocations(bus, database) as all_told:
            revoked = [await login_of(database, all_told) for _ in range(9)]
            await refused(all_told, revoked[0])  # both come up knowing nothing
            await restored(all_told)
            for identity in revoked:
                await all_told.revoke(USER, identity.login)
            places = {bus.server_for(f"revoked-login:{identity.login}").name for identity in revoked}
            assert len(places) == 2
            for server in (one, another):
                server.flush()
                async with Revocations(bus, database) as afresh:
                    assert all([await refused(afresh, identity) for identity in revoked])
                    await restored(afresh)
            await database.close()
            async with Revocations(bus, database) as afresh:
                assert all([await refused(afresh, identity) for identity in revoked]), "the servers know it all again"


async def test_where_a_server_is_left_out_its_keys_have_moved(database: Database) -> None:
    """The servers that stay were told everything, but of their own share."""
    with running_valkey() as one, running_valkey() as another:
        async with Bus.open([one.url, another.url], name="both") as bus, Revocations(bus, database) as both:
            revoked = [await login_of(database, both) for _ in range(9)]
            await both.revoke(USER, revoked[0].login)
            assert await refused(both, revoked[0])
            await refused(both, revoked[1])
            await restored(both)
            for identity in revoked:
                await both.revoke(USER, identity.login)
        for left in (one, another):
            async with Bus.open([left.url], name="left") as bus, Revocations(bus, database) as alone:
                assert all([await refused(alone, identity) for identity in revoked])


async def test_redis_is_told_again_once_however_many_ask(
    database: Database, revocations: Revocations, redis: Valkey
) -> None:
    *revoked, good = [await login_of(database, revocations) for _ in range(8)]
    async with database.transaction() as connection:
        which = _logins.c.id.in_([identity.login for identity in revoked])
        await connection.execute(_logins.update().where(which).values(revoked_at=datetime.now(UTC)))
    redis.flush()
    async with Revocations(revocations._bus, database) as afresh:
        answers = await asyncio.gather(*(refused(afresh, identity) for identity in (good, *revoked)))
        assert answers == [False] + 7 * [True], "the database decides"
        await restored(afresh)
        calls: dict[str, dict[str, int]] = redis.client.info("commandstats")
        assert calls["cmdstat_set"]["calls"] == len(revoked) + 1, "each login and the mark"
        await database.close()
        assert await asyncio.gather(*(refused(afresh, identity) for identity in (good, *revoked))) == answers
    assert leaked_keys(redis.client) == []


async def test_where_neither_answers_nobody_comes_in(
    revocations: Revocations, redis: Valkey, database: Database
) -> None:
    guest = TOKENS.issue(USER, "guest").identity
    redis.kill()
    await database.close()
    with pytest.raises(BusAway):
        await revocations.check(guest)
    with pytest.raises(DatabaseAway):
        await revocations.revoke(USER)


async def test_while_the_database_is_away_redis_alone_refuses(database: Database, revocations: Revocations) -> None:
    first, second = [await login_of(database, revocations) for _ in range(2)]
    await database.close()
    with pytest.raises(DatabaseAway):  # the refresh token is still good: whoever logged out tries again
        await revocations.revoke(USER, first.login)
    assert await refused(revocations, first)
    assert not await refused(revocations, second)


async def test_a_deleted_person_and_a_former_guest_are_refused_without_redis(
    database: Database, revocations: Revocations, redis: Valkey
) -> None:
    deleted = new_id()
    async with database.transaction() as connection:
        await connection.execute(
            database.insert(Erasure.__table__).values(
                receipt=new_id(), user_hash=user_hash(deleted), asked_at=datetime.now(UTC), counts={}
            )
        )
        await connection.execute(users.update().where(users.c.id == USER).values(kakao_id="1"))
    redis.kill()
    with pytest.raises(AccountErased):
        await revocations.check(TOKENS.issue(deleted, "guest").identity)
    with pytest.raises(TokenRefused):
        await revocations.check(TOKENS.issue(USER, "guest").identity)


async def test_a_guest_who_became_an_account_stays_refused_after_redis_lost_its_memory(
    database: Database, revocations: Revocations, redis: Valkey
) -> None:
    """Under one id: it stands in no list of what was revoked."""
    guest, stranger = TOKENS.issue(USER, "guest").identity, TOKENS.issue(new_id(), "guest").identity
    async with database.transaction() as connection:
        await connection.execute(users.update().where(users.c.id == USER).values(kakao_id="1"))
    account = await login_of(database, revocations)
    redis.flush()
    async with Revocations(revocations._bus, database) as afresh:
        everybody = (guest, guest, guest, account, stranger)
        answers = await asyncio.gather(*(refused(afresh, identity) for identity in everybody))
        assert answers == [True, True, True, False, False], "the database decides, for all who ask at once"
        await restored(afresh)
        await database.close()
        answers = await asyncio.gather(*(refused(afresh, identity) for identity in everybody))
        assert answers == [True, True, True, False, False], "and then Redis knows"


async def test_redis_sees_no_persons_id(database: Database, revocations: Revocations, redis: Valkey) -> None:
    await revocations.revoke(USER)
    assert not [key for key in redis.client.scan_iter("*value*") if USER.encode() in key]


async def test_the_database_is_asked_while_somebody_writes_into_it(
    tmp_path: Path, database: Database, revocations: Revocations, redis: Valkey
) -> None:
    good = await login_of(database, revocations)
    redis.kill()
    with closing(sqlite3.connect(tmp_path / "silvertalk.sqlite3", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert not await refused(revocations, good)
        gone = {"receipt": new_id(), "user_hash": user_hash(USER), "asked_at": "2026-01-01 00:00:00", "counts": "{}"}
        writer.execute("INSERT INTO erasures VALUES (:receipt, :user_hash, :asked_at, NULL, :counts)", gone)
        writer.execute("COMMIT")
    with pytest.raises(AccountErased):
        await revocations.check(good)
