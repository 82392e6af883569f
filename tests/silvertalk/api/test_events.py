"""`/v1/me/events` over a real server: told, resumed, kept open, ended; and the same notices on the voice socket."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from silvertalk.api import event_streams, events
from silvertalk.database import Database
from silvertalk.jobs import Jobs
from silvertalk.keys import signing_secret
from silvertalk.notice_feeds import MAX_FEEDS_PER_PERSON
from silvertalk.tokens import AccessTokens
from streaming.protocol import NoticeTold
from tests import product
from tests.caller import calling
from tests.valkey import Valkey


class Told(NamedTuple):
    id: str
    event: str
    data: str


class Stream:
    """An open connection, read event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def raw(self) -> dict[str, str]:
        """The fields of the next block; a comment stands under ""."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(20):
            async for line in self._lines:
                if not line:
                    return fields
                name, _, value = line.partition(":")
                fields[name] = value.lstrip()
        raise EOFError

    async def next(self) -> Told:
        while "event" not in (fields := await self.raw()):
            pass
        return Told(fields.get("id", ""), fields["event"], fields["data"])


class Stage:
    """A gateway, and somebody with a token."""

    def __init__(self, running: product.Product, user: str) -> None:
        self.url = running.url
        self.user = user
        self.parts = running.parts

    @asynccontextmanager
    async def open(
        self, *, login: str = "", after: str = "", query: str = "", seconds: int = 1800
    ) -> AsyncIterator[Stream]:
        tokens = AccessTokens(signing_secret(self.parts.settings))
        tokens._seconds = seconds  # a life shorter than any setting's
        token = tokens.issue(self.user, "guest", login=login or uuid.uuid4().hex).access_token
        headers = {"Authorization": f"Bearer {token}"} | ({"Last-Event-ID": after} if after else {})
        params = {"last_event_id": query} if query else {}
        async with (
            httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as client,
            client.stream("GET", "/v1/me/events", headers=headers, params=params) as response,
        ):
            yield Stream(response)

    async def tell(self, number: int, user: str = "") -> None:
        notices = self.parts.notices
        async with self.parts.database.transaction() as connection:
            await notices.record(connection, user or self.user, "photo", {"id": str(number), "status": "ready"})
        await notices.publish(user or self.user)


@pytest.fixture
async def stage(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Stage]:
    async with product.gateway(product.settings(valkey.url, tmp_path / "var", allow_guests=True)) as running:
        await running.parts.database.wait_ready()
        yield Stage(running, str(uuid.uuid4()))


async def test_what_happens_is_told_as_it_happens(stage: Stage) -> None:
    async with stage.open() as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in stream.response.headers["cache-control"]
        assert await stream.raw() == {"retry": str(events.RETRY_MS), "id": "0-0"}
        await stage.tell(1, user=str(uuid.uuid4()))
        await stage.tell(2)
        told = await stream.next()
        assert (told.event, json.loads(told.data)) == ("photo", {"id": "2", "status": "ready"})


async def test_who_comes_back_gets_what_they_missed(stage: Stage) -> None:
    async with stage.open() as stream:
        await stream.raw()
        await stage.tell(1)
        first = await stream.next()
    await stage.tell(2)
    for open_stream in (stage.open(after=first.id), stage.open(query=first.id)):
        async with open_stream as stream:
            assert json.loads((await stream.next()).data)["id"] == "2"
    async with stage.open(after="7-7") as stream:
        assert (await stream.next()).event == "resync"


@pytest.mark.parametrize("junk", ["x", "1", "1-1-1", "1" * 40 + "-0", "*", "1-1\u00e9"])
async def test_junk_for_an_id_is_refused(stage: Stage, junk: str) -> None:
    async with stage.open(query=junk) as stream:
        assert stream.response.status_code == 422


async def test_an_id_of_a_far_future_is_unknown(stage: Stage) -> None:
    async with stage.open(query=f"{10**18 - 1}-0") as stream:
        assert stream.response.status_code == 200
        assert (await stream.next()).event == "resync"


async def test_silence_is_broken_by_comments(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.2)
    async with stage.open() as stream:
        await stream.raw()
        assert await stream.raw() == {"": "still here"}
        await stage.tell(1)
        await stream.next()


async def test_a_persons_fifth_connection_closes_the_first(stage: Stage) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(stage.open())
        await first.raw()
        others = [await stack.enter_async_context(stage.open()) for _ in range(MAX_FEEDS_PER_PERSON)]
        for other in others:
            await other.raw()
        assert json.loads((await first.next()).data) == {"reason": "replaced"}
        with pytest.raises(EOFError):
            await first.raw()


async def test_a_revoked_login_hears_no_more(stage: Stage) -> None:
    await stage.parts.gateway._bus.listen()
    mine, others = uuid.uuid4().hex, uuid.uuid4().hex
    async with stage.open(login=mine) as revoked, stage.open(login=others) as kept:
        await revoked.raw()
        await kept.raw()
        await stage.parts.bus.announce_revocation(stage.user, mine)
        assert json.loads((await revoked.next()).data) == {"reason": "token_refused"}
        await stage.tell(1)
        assert (await kept.next()).event == "photo"


async def test_it_ends_with_its_token(stage: Stage) -> None:
    async with stage.open(seconds=2) as stream:
        assert json.loads((await stream.next()).data) == {"reason": "token_expired"}


async def test_a_stranger_hears_nothing(stage: Stage) -> None:
    async with httpx.AsyncClient(base_url=stage.url, trust_env=False) as client:
        assert (await client.get("/v1/me/events")).status_code == 401
        assert (await client.get("/v1/me/events", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_a_gateway_that_goes_away_says_so(stage: Stage) -> None:
    async with stage.open() as stream:
        await stream.raw()
        stage.parts.notices.feeds.close()
        assert json.loads((await stream.next()).data) == {"reason": "draining"}


async def test_without_redis_it_is_refused(own_valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(own_valkey.url, tmp_path / "var")) as running:
        stage = Stage(running, str(uuid.uuid4()))
        await running.parts.database.wait_ready()
        own_valkey.kill()
        async with stage.open() as stream:
            assert stream.response.status_code == 503


async def test_the_voice_socket_is_told_the_same(stage: Stage) -> None:
    async with calling(stage.url) as caller:
        [session] = stage.parts.gateway.sessions
        async with asyncio.timeout(10):
            while session.user not in stage.parts.notices.feeds._of:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0.01)
        async with stage.parts.database.transaction() as connection:
            jobs = Jobs(stage.parts.database)
            job = await jobs.record(connection, "export", session.user, session.user)
            await stage.parts.notices.record(connection, session.user, "job", {"id": job, "status": "done"})
        await stage.parts.notices.publish(session.user)
        told = await caller.wait_for(NoticeTold)
        assert (told.kind, told.data) == ("job", {"id": job, "status": "done"})
        assert told.id.count("-") == 1


async def test_a_database_that_is_away_keeps_nobody_from_listening(valkey: Valkey, tmp_path: Path) -> None:
    settings = product.settings(valkey.url, tmp_path / "var", database_url="postgresql://nobody@127.0.0.1:9/none")
    async with product.gateway(settings) as running:
        assert isinstance(running.parts.database, Database) and not running.parts.database.ready
        async with Stage(running, str(uuid.uuid4())).open() as stream:
            assert await stream.raw() == {"retry": str(events.RETRY_MS), "id": "0-0"}
