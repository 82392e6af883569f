"""Notices from the transaction that writes them to every connection of their person. On both databases."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Table, func, select, update

from silvertalk import notices as notices_module
from silvertalk.database import Database, user_hash
from silvertalk.errors import AccountErased
from silvertalk.jobs import moment_of
from silvertalk.models import Erasure, Outgoing
from silvertalk.notice_feeds import MAX_FEEDS_PER_PERSON, MAX_WAITING, Feed, FeedItem
from silvertalk.notices import Notices
from silvertalk.setting_values import database_url
from streaming.bus import Bus, Limits
from streaming.errors import BusUnavailable
from tests.postgres import Postgres
from tests.valkey import Valkey

USER = "5b2b8f0e-5f0c-4d7a-9d61-0f1f7f3c2a10"
OTHER = "9d3f0a52-12d0-4d39-8b0c-6f1a1f3a9a01"
KEY = base64.b64encode(bytes(range(32))).decode()
outbox = cast(Table, Outgoing.__table__)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'silvertalk.sqlite3'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as opened:
        await opened.wait_ready()
        yield opened


@asynccontextmanager
async def notices_on(valkey: Valkey, database: Database, **options: Any) -> AsyncIterator[Notices]:
    async with Bus.open([valkey.url], name="gateway", **options) as bus:
        yield Notices(bus, database)


async def record(notices: Notices, database: Database, *numbers: int, user: str = USER) -> None:
    async with database.transaction() as connection:
        for number in numbers:
            await notices.record(connection, user, "photo", {"id": str(number), "status": "ready"})


async def take(feed: Feed, count: int) -> list[FeedItem]:
    async with asyncio.timeout(10):
        return [item for _ in range(count) if (item := await feed.next()) is not None]


def numbers_of(items: list[FeedItem]) -> list[str]:
    return [item.data["id"] for item in items]


async def left(database: Database) -> int:
    async with database.transaction() as connection:
        return int((await connection.execute(select(func.count()).select_from(outbox))).scalar_one())


async def test_what_was_written_is_told_once_and_in_order(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices, await notices.feeds.open(USER) as feed:
        await record(notices, database, *range(5))
        await asyncio.gather(*(notices.publish(USER) for _ in range(6)))
        await record(notices, database, 5)
        await notices.publish(USER)
        items = await take(feed, 6)
        assert numbers_of(items) == [str(number) for number in range(6)]
        assert {item.kind for item in items} == {"photo"}
        assert await left(database) == 0


async def test_a_transaction_that_fails_tells_nothing(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices, await notices.feeds.open(USER) as feed:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as connection:
                await notices.record(connection, USER, "photo", {"id": "never"})
                raise ZeroDivisionError
        await record(notices, database, 1)
        await notices.publish(USER)
        assert numbers_of(await take(feed, 1)) == ["1"]


async def test_many_are_published_in_lots(valkey: Valkey, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "PUBLISHED_AT_ONCE", 7)
    async with notices_on(valkey, database) as notices, await notices.feeds.open(USER) as feed:
        await record(notices, database, *range(30))
        await notices.publish(USER)
        assert numbers_of(await take(feed, 30)) == [str(number) for number in range(30)]


async def test_nobody_else_is_told(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices, await notices.feeds.open(OTHER) as feed:
        await record(notices, database, 1)
        await record(notices, database, 2, user=OTHER)
        await notices.publish(USER)
        await notices.publish(OTHER)
        assert numbers_of(await take(feed, 1)) == ["2"]


async def test_all_of_a_persons_connections_are_told_on_every_gateway(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as here, notices_on(valkey, database) as there:
        feeds = [await notices.feeds.open(USER) for notices in (here, here, there)]
        await record(here, database, 1, 2)
        await here.publish(USER)
        for feed in feeds:
            assert numbers_of(await take(feed, 2)) == ["1", "2"]
            feed.end("left")


async def test_a_device_that_comes_back_gets_what_it_missed(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices:
        async with await notices.feeds.open(USER) as feed:
            begun_at = feed.last
            await record(notices, database, 1, 2)
            await notices.publish(USER)
            first, second = await take(feed, 2)
        await record(notices, database, 3)
        await notices.publish(USER)
        async with await notices.feeds.open(USER, after=first.id) as feed:
            assert numbers_of(await take(feed, 2)) == ["2", "3"]
            await record(notices, database, 4)
            await notices.publish(USER)
            assert numbers_of(await take(feed, 1)) == ["4"]
        async with await notices.feeds.open(USER, after=begun_at) as feed:
            assert numbers_of(await take(feed, 4)) == ["1", "2", "3", "4"]
        async with await notices.feeds.open(USER, after=second.id) as feed:
            assert numbers_of(await take(feed, 2)) == ["3", "4"]


async def test_an_id_that_is_not_known_any_more_calls_for_everything_anew(valkey: Valkey, database: Database) -> None:
    limits = Limits(notice_entries=3)
    async with notices_on(valkey, database, limits=limits) as notices:
        async with await notices.feeds.open(USER) as feed:
            await record(notices, database, *range(3))
            await notices.publish(USER)
            first = (await take(feed, 3))[0]
        await record(notices, database, 3)
        await notices.publish(USER)
        assert valkey.length(f"silvertalk:notices:{USER}") == 3
        for unknown in (first.id, "5-5", "0-0", "9999999999999-0"):
            async with await notices.feeds.open(USER, after=unknown) as feed:
                (told,) = await take(feed, 1)
                assert (told.kind, told.data) == ("resync", {})
                await record(notices, database, 9)
                await notices.publish(USER)
                assert numbers_of(await take(feed, 1)) == ["9"]
        with pytest.raises(ValueError):
            await notices.feeds.open(USER, after="nonsense")


async def test_a_persons_fifth_connection_ends_the_first(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices:
        voice = await notices.feeds.open(USER, counted=False)
        feeds = [await notices.feeds.open(USER) for _ in range(MAX_FEEDS_PER_PERSON + 1)]
        assert [feed.ended for feed in feeds] == ["replaced"] + [""] * MAX_FEEDS_PER_PERSON
        assert await feeds[0].next() is None
        assert not voice.ended


async def test_who_takes_nothing_is_ended_and_may_come_back(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database, limits=Limits(notice_entries=10)) as notices:
        slow, quick = await notices.feeds.open(USER), await notices.feeds.open(USER)
        for first in range(0, MAX_WAITING + 20, 20):
            await record(notices, database, *range(first, first + 20))
            await notices.publish(USER)
            # The stream holds ten: a lot is fetched before the next overtakes it.
            await take(quick, 10)
        async with asyncio.timeout(10):
            while not slow.ended and slow._waiting:  # noqa: ASYNC110 - it sets no event for a bystander
                await record(notices, database, 0)
                await notices.publish(USER)
                await take(quick, 1)
        assert (slow.ended, quick.ended) == ("slow", "")
        assert await slow.next() is None


async def test_a_revoked_login_is_told_no_more(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices:
        one, two = await notices.feeds.open(USER, login="a"), await notices.feeds.open(USER, login="b")
        notices.feeds.end(USER, "a")
        assert (one.ended, two.ended) == ("token_refused", "")
        notices.feeds.end(USER)
        assert two.ended == "token_refused"


async def test_what_could_not_be_sent_stays_and_goes_with_a_workers_round(
    own_valkey: Valkey, database: Database
) -> None:
    limits = Limits(patience_seconds=0.2)
    async with notices_on(own_valkey, database, limits=limits) as notices:
        own_valkey.kill()
        await record(notices, database, 1)
        await notices.publish(USER)
        assert await left(database) == 1
        with pytest.raises(BusUnavailable):
            await notices.feeds.open(USER)
        own_valkey.start()
        assert await notices.publish_left_behind() == 0, "its writer may be about to send it"
        async with database.transaction() as connection:
            earlier = (await moment_of(connection)) - notices_module.LEFT_BEHIND * 2
            await connection.execute(update(outbox).values(created_at=earlier))
        async with asyncio.timeout(20):
            while await left(database):
                await notices.publish_left_behind()
                await asyncio.sleep(0.05)
        async with await notices.feeds.open(USER, after="0-0") as feed:
            assert numbers_of(await take(feed, 1)) == ["1"]


async def test_what_is_told_lies_sealed_and_expires(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database, key=KEY) as notices, await notices.feeds.open(USER) as feed:
        await record(notices, database, 1)
        await notices.publish(USER)
        assert numbers_of(await take(feed, 1)) == ["1"]
        key = f"silvertalk:notices:{USER}"
        assert "ready" not in repr(valkey.entries(key))
        assert 0 < valkey.ttl_ms(key) <= Limits().notice_ttl_ms


async def test_nothing_is_written_for_somebody_who_is_deleted(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices:
        async with database.transaction() as connection:
            row = {"receipt": str(uuid.uuid4()), "user_hash": user_hash(USER), "asked_at": await moment_of(connection)}
            erasure = database.insert(cast(Table, Erasure.__table__)).values(**row, completed_at=None, counts={})
            await connection.execute(erasure)
        with pytest.raises(AccountErased):
            await record(notices, database, 1)
        assert await left(database) == 0


async def test_a_notice_is_no_place_for_much(valkey: Valkey, database: Database) -> None:
    async with notices_on(valkey, database) as notices:
        with pytest.raises(ValueError, match="too many"):
            async with database.transaction() as connection:
                await notices.record(connection, USER, "photo", {"id": "x" * 5_000})


async def test_a_redis_that_is_slow_holds_up_nobody_who_writes(
    own_valkey: Valkey, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "SEND_SECONDS", 60)
    async with notices_on(own_valkey, database, limits=Limits(patience_seconds=60)) as notices:
        await record(notices, database, 1)
        own_valkey.client.client_pause(60_000, all=False)
        publishing = asyncio.create_task(notices.publish(USER))
        await asyncio.sleep(0.5)  # until it waits for Redis
        await record(notices, database, 2)
        assert not publishing.done()
        own_valkey.client.client_unpause()
        await publishing
        await notices.publish(USER)
        assert await left(database) == 0
        async with await notices.feeds.open(USER, after="0-0") as feed:
            assert numbers_of(await take(feed, 2)) == ["1", "2"]


async def test_a_redis_that_does_not_answer_says_nothing_about_the_database(
    own_valkey: Valkey, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "SEND_SECONDS", 0.1)
    async with notices_on(own_valkey, database) as notices:
        await record(notices, database, 1)
        own_valkey.client.client_pause(60_000, all=False)
        await notices.publish(USER)
        assert database.ready
        assert await left(database) == 1
        own_valkey.client.client_unpause()


async def test_who_was_deleted_while_they_were_told_has_no_stream(
    own_valkey: Valkey, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices_module, "SEND_SECONDS", 60)
    async with notices_on(own_valkey, database, limits=Limits(patience_seconds=60)) as notices:
        await record(notices, database, 1)
        own_valkey.client.client_pause(60_000, all=False)
        publishing = asyncio.create_task(notices.publish(USER))
        await asyncio.sleep(0.5)  # until it waits for Redis
        async with database.transaction() as connection:
            row = {"receipt": str(uuid.uuid4()), "user_hash": user_hash(USER), "asked_at": await moment_of(connection)}
            erasure = database.insert(cast(Table, Erasure.__table__)).values(**row, completed_at=None, counts={})
            await connection.execute(erasure)
        own_valkey.client.client_unpause()
        await publishing
        assert own_valkey.length(f"silvertalk:notices:{USER}") == 0
