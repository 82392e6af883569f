"""A shared film is sent by the gateway itself, from either store: whole or in ranges, to whoever the share is open for
and no longer, with nobody's id in sight, and not to too many at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from silvertalk.api import shared_films
from silvertalk.database import Database
from tests.silvertalk.api import things
from tests.silvertalk.api.conftest import Serve
from tests.silvertalk.api.someone import Someone, guest_of
from tests.silvertalk.api.test_videos import STORY, conversation
from tests.silvertalk.media.stores import KINDS, Kind, Served, serving_store

FILM = bytes(range(256)) * 8192  # two megabytes, four parts
LONG = bytes(32 * 1024 * 1024)
"""More than the sockets between the two take in."""


@dataclass(frozen=True)
class Shared:
    """A film that is shared. `somebody` has its link and nothing else."""

    me: Someone
    somebody: httpx.AsyncClient
    at: Served
    video: str
    path: str

    @property
    def key(self) -> str:
        return f"u/{self.me.user}/videos/{self.video}/film.mp4"

    async def film(self, *, status: int = 200, **headers: str) -> httpx.Response:
        answer = await self.somebody.get(f"{self.path}/film", headers=headers)
        assert answer.status_code == status, answer.text[:200]
        return answer


@pytest.fixture(params=KINDS)
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    kind: Kind = request.param
    async with serving_store(kind, tmp_path / "var") as served:
        yield served


@pytest.fixture
async def shared(at: Served, serve: Serve, tmp_path: Path) -> AsyncIterator[Shared]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}") as database:
        await database.wait_ready()
        served = await serve({"allow_guests": True}, database=database, media=at.store)
        async with guest_of(served, database) as me:
            session = await conversation(me)
            story = {"title": STORY.title, "story": STORY.as_kept()}
            video = await things.video(database, me.user, session, voice_id="", own_voice=False, job_id="", **story)
            await at.store.put(f"u/{me.user}/videos/{video}/film.mp4", FILM, "video/mp4")
            told = await me.ask("POST", f"/videos/{video}/share")
            async with httpx.AsyncClient(base_url=served.base_url, trust_env=False, timeout=30) as somebody:
                yield Shared(me, somebody, at, video, httpx.URL(told["share_url"]).path)


async def test_a_player_gets_the_film_and_its_ranges_and_learns_nobodys_id(shared: Shared) -> None:
    whole = await shared.film()
    assert whole.content == FILM and not whole.history
    assert whole.headers["content-type"] == "video/mp4" and whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "private, no-store" and "noindex" in whole.headers["x-robots-tag"]
    for asked, start, end in (("bytes=0-1", 0, 2), ("bytes=1500000-", 1_500_000, len(FILM)), ("bytes=-5", -5, None)):
        part = await shared.film(status=206, range=asked)
        assert part.content == FILM[start:end]
        start %= len(FILM)
        assert part.headers["content-range"] == f"bytes {start}-{start + len(part.content) - 1}/{len(FILM)}"
    beyond = await shared.film(status=416, range=f"bytes={len(FILM)}-")
    assert beyond.headers["content-range"] == f"bytes */{len(FILM)}" and not beyond.content
    head = await shared.somebody.head(f"{shared.path}/film")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(FILM)), b"")
    page = await shared.somebody.get(shared.path)
    for answer in (whole, head, page, beyond):
        assert shared.me.user not in answer.text[:20_000] + str(answer.url) + str(answer.headers)
    assert re.search(rf'<meta property="og:video" content="http[^"]+{shared.path}/film">', page.text)


async def test_no_byte_more_once_a_link_was_taken_back(shared: Shared) -> None:
    await shared.film(status=206, range="bytes=0-99")
    await shared.me.ask("DELETE", f"/videos/{shared.video}/shares")
    assert "이제는 볼 수 없는" in (await shared.film(status=410, range="bytes=100-199")).text


async def test_a_film_that_is_gone_says_so_kindly(shared: Shared) -> None:
    await shared.at.store.delete(shared.key)
    assert "이제는 볼 수 없는" in (await shared.film(status=410)).text


async def begun(answer: httpx.Response) -> AsyncIterator[bytes]:
    """What is left of it after the first piece; letting go of it closes the connection."""
    assert answer.status_code == 200
    pieces = answer.aiter_raw()
    await anext(pieces)
    return pieces


async def test_a_film_under_way_breaks_off_when_its_link_is_taken_back(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_films, "LOOK_AGAIN_SECONDS", 0.0)
    await shared.at.store.put(shared.key, LONG, "video/mp4")
    async with shared.somebody.stream("GET", f"{shared.path}/film") as answer:
        pieces = await begun(answer)
        await shared.me.ask("DELETE", f"/videos/{shared.video}/shares")
        received = 0
        with pytest.raises(httpx.RemoteProtocolError):
            async for piece in pieces:
                received += len(piece)
        assert received < len(LONG)
    await shared.film(status=410)


async def test_while_the_database_is_away_a_film_under_way_goes_on(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_films, "LOOK_AGAIN_SECONDS", 0.0)
    async with shared.somebody.stream("GET", f"{shared.path}/film") as answer:
        pieces = await begun(answer)
        await shared.me.database.close()
        assert sum([len(piece) async for piece in pieces]) > len(FILM) // 2


async def there_is_a_place(shared: Shared) -> None:
    """Waits for one, as a page would that is told to come again."""
    for _ in range(400):
        answer = await shared.somebody.get(f"{shared.path}/film", headers={"range": "bytes=0-9"})
        if answer.status_code == 206:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("all places are still taken")


async def test_one_address_takes_no_more_places_than_its_own_and_gives_them_back(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_films, "MAX_EACH", 2)
    await shared.at.store.put(shared.key, LONG, "video/mp4")
    streams: list[Any] = [shared.somebody.stream("GET", f"{shared.path}/film") for _ in range(2)]
    left = [await begun(await stream.__aenter__()) for stream in streams]
    refused = await shared.film(status=503)
    assert refused.headers["retry-after"] and "조금 뒤에 다시" in refused.text
    for pieces, stream in zip(left, streams, strict=True):
        assert await anext(pieces), "the two go on"
        await stream.__aexit__(None, None, None)
    await there_is_a_place(shared)


async def test_who_takes_nothing_holds_no_place(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_films, "MAX_FILMS", 1)
    monkeypatch.setattr(shared_films, "IDLE_SECONDS", 0.3)
    await shared.at.store.put(shared.key, LONG, "video/mp4")
    async with shared.somebody.stream("GET", f"{shared.path}/film") as answer:
        pieces = await begun(answer)
        await there_is_a_place(shared)
        with pytest.raises(httpx.RemoteProtocolError):
            async for _ in pieces:
                pass
