"""Shared videos: links that are made, listed, taken back and that expire; the page that anybody with one sees."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from silvertalk.erasing import ask_to_erase
from silvertalk.jobs import Jobs
from silvertalk.media.folder import FolderStore
from silvertalk.media.store import open_media
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from silvertalk.video_shares import MAX_SHARES, share_id, shares
from silvertalk.videos import videos
from streaming.bus import Bus
from tests.silvertalk.api import things
from tests.silvertalk.api.conftest import Serve
from tests.silvertalk.api.someone import Arrive, Someone, arrive, database, me, other
from tests.silvertalk.api.test_videos import STORY, conversation
from tests.valkey import Valkey

__all__ = ["Arrive", "arrive", "database", "me", "other"]

FILM = b"\x00\x00\x00\x18ftypisom" + bytes(5000)
STILL = b"\xff\xd8\xff\xe0 a still"


async def shareable(me: Someone, folder: Path, **known: Any) -> str:
    """A video that is ready, its objects in the store; its id."""
    session = await conversation(me)
    more = {"title": STORY.title, "story": STORY.as_kept()} | known
    video = await things.video(me.database, me.user, session, voice_id="", own_voice=False, job_id="", **more)
    async with open_media(Settings(data_dir=folder / "var")) as media:
        assert isinstance(media, FolderStore)
        prefix = f"u/{me.user}/videos/{video}/"
        await media.put(f"{prefix}film.mp4", FILM, "video/mp4")
        await media.put(f"{prefix}still.jpg", STILL, "image/jpeg")
    return video


def stranger(me: Someone) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=me.client.base_url, trust_env=False, timeout=30)


class Page(HTMLParser):
    """A page's tags, each with what it says of itself, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def meta(self, name: str) -> str | None:
        found = (of for tag, of in self.tags if tag == "meta" and name in (of.get("property"), of.get("name")))
        return next((of["content"] for of in found), None)


async def test_a_link_opens_the_page_the_film_and_the_still(me: Someone, tmp_path: Path) -> None:
    video = await shareable(me, tmp_path)
    shared = await me.ask("POST", f"/videos/{video}/share", json={"days": 7})
    assert shared["title"] == "할머니의 추억" and shared["description"] == "사진을 보며 나눈 이야기로 만든 영상이에요."
    path = httpx.URL(shared["share_url"]).path
    assert re.fullmatch(r"/v/[A-Za-z0-9_-]{43}", path), "256 bits"
    async with stranger(me) as somebody:
        answer = await somebody.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
        page = Page(answer.text)
        assert page.meta("og:title") == "할머니의 추억"
        assert page.meta("og:description") == shared["description"]
        told = [str(of.get("content")) for tag, of in page.tags if tag == "meta"]
        assert not any("조개" in one for one in told), "a chat shows these to all who are in it"
        assert page.meta("og:image") == shared["thumbnail_url"] == f"{shared['share_url']}/still.jpg"
        assert shared["thumbnail_url"].startswith("http"), "absolute, as KakaoTalk needs it"
        assert page.meta("robots") == "noindex, nofollow, noarchive"
        assert "조개를 캤지요." in page.text and "1987년, 통영에서" in page.text
        assert not [tag for tag, _ in page.tags if tag in ("script", "iframe", "form", "link")]
        video_tag = next(of for tag, of in page.tags if tag == "video")
        assert {"controls", "playsinline"} <= set(video_tag)
        assert not any(name.startswith("on") or name == "style" for _, of in page.tags for name in of)
        film = await somebody.get(str(video_tag["src"]), follow_redirects=False)
        assert (film.status_code, film.content) == (200, FILM)
        still = await somebody.get(str(page.meta("og:image")))
        assert (still.content, still.headers["content-type"]) == (STILL, "image/jpeg")
        head = await somebody.head(path)
        assert head.status_code == 200
    async with me.database.transaction() as connection:
        stored = [tuple(row) for row in await connection.execute(select(shares))]
    token = path.removeprefix("/v/")
    assert token not in repr(stored) and stored[0][0] == share_id(token) == shared["share_id"], "only its hash is kept"


async def test_the_policy_lets_in_the_one_style_sheet_and_nothing_inline(me: Someone, tmp_path: Path) -> None:
    video = await shareable(me, tmp_path, title='<script>alert("1")</script>&"')
    shared = await me.ask("POST", f"/videos/{video}/share")
    async with stranger(me) as somebody:
        answer = await somebody.get(httpx.URL(shared["share_url"]).path)
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    policy = answer.headers["content-security-policy"]
    assert f"'sha256-{base64.b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    for part in ("default-src 'none'", "media-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy and "script-src" not in policy
    assert answer.headers["x-robots-tag"].startswith("noindex")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"
    assert "<script>" not in answer.text
    assert Page(answer.text).meta("og:title") == '<script>alert("1")</script>&"'


async def test_links_are_listed_and_taken_back(me: Someone, other: Someone, tmp_path: Path) -> None:
    video = await shareable(me, tmp_path)
    first, second, third = [await me.ask("POST", f"/videos/{video}/share") for _ in range(3)]
    listed = await me.ask("GET", f"/videos/{video}/shares")
    assert {one["share_id"] for one in listed} == {one["share_id"] for one in (first, second, third)}
    await other.ask("POST", f"/videos/{video}/share", 404)
    await other.ask("GET", f"/videos/{video}/shares", 404)
    await other.ask("DELETE", f"/videos/{video}/shares/{first['share_id']}", 404)
    await other.ask("DELETE", f"/videos/{video}/shares", 404)
    async with stranger(me) as somebody:

        async def status(shared: dict[str, Any]) -> set[int]:
            path = httpx.URL(shared["share_url"]).path
            return {(await somebody.get(f"{path}{below}")).status_code for below in ("", "/film", "/still.jpg")}

        assert await status(first) == {200}
        assert (await me.ask("DELETE", f"/videos/{video}/shares/{first['share_id']}"))["revoked"] == 1
        assert await status(first) == {410} and await status(second) == {200}
        await me.ask("DELETE", f"/videos/{video}/shares/{first['share_id']}", 404)
        assert (await me.ask("DELETE", f"/videos/{video}/shares"))["revoked"] == 2
        assert await status(third) == {410}
        assert await me.ask("GET", f"/videos/{video}/shares") == []


@pytest.mark.parametrize("end", ["expired", "deleted", "conversation", "erased", "remade"])
async def test_a_link_that_is_over_says_so_kindly(me: Someone, valkey: Valkey, tmp_path: Path, end: str) -> None:
    video = await shareable(me, tmp_path)
    shared = await me.ask("POST", f"/videos/{video}/share")
    async with me.database.transaction() as connection:
        if end == "expired":
            past = datetime.now(UTC) - timedelta(seconds=1)
            await connection.execute(update(shares).values(expires_at=past))
        elif end == "remade":
            await connection.execute(update(videos).values(status="processing"))
        session = (await connection.execute(select(videos.c.session_id).where(videos.c.id == video))).scalar_one()
    if end == "deleted":
        await me.ask("DELETE", f"/videos/{video}")
    elif end == "conversation":
        await me.ask("DELETE", f"/chat/sessions/{session}")
    elif end == "erased":
        async with Bus.open([valkey.url], name="test") as bus:
            await ask_to_erase(me.database, Jobs(me.database), Revocations(bus, me.database), me.user)
    async with stranger(me) as somebody:
        path = httpx.URL(shared["share_url"]).path
        for below in ("", "/film", "/still.jpg"):
            answer = await somebody.get(f"{path}{below}")
            assert answer.status_code == (404 if end in ("deleted", "conversation") else 410)
            page = Page(answer.text)
            assert "보내 주신 분께 다시" in page.text and "할머니" not in answer.text
            assert page.meta("robots") == "noindex, nofollow, noarchive"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not [one async for one in _objects(tmp_path, me.user)] or end in ("expired", "erased", "remade")


async def _objects(folder: Path, user: str) -> Any:
    async with open_media(Settings(data_dir=folder / "var")) as media:
        for key in await media.some_below(f"u/{user}/videos/"):
            yield key


@pytest.mark.parametrize("token", ["x" * 43, "short", "x" * 44, "%00" * 43, "é" * 43, "x" * 2000])
async def test_what_is_no_link_is_not_there(me: Someone, token: str) -> None:
    async with stranger(me) as somebody:
        answer = await somebody.get(f"/v/{token}")
        assert answer.status_code == 404 and "주소가 조금 다른 것 같아요" in answer.text
        assert "<svg" in answer.text and "🐾" not in answer.text, "no box where no font has a paw"


async def test_only_a_finished_video_is_shared_and_not_without_end(me: Someone, tmp_path: Path) -> None:
    video = await shareable(me, tmp_path, status="processing")
    assert (await me.ask("POST", f"/videos/{video}/share", 409))["code"] == "video_not_ready"
    await me.ask("POST", f"/videos/{video}/share", 422, json={"days": 0})
    await me.ask("POST", f"/videos/{video}/share", 422, json={"days": 366})
    async with me.database.transaction() as connection:
        await connection.execute(update(videos).values(status="completed"))
    for _ in range(MAX_SHARES):
        await me.ask("POST", f"/videos/{video}/share")
    await me.ask("POST", f"/videos/{video}/share", 429)
    async with me.database.transaction() as connection:
        await connection.execute(delete(shares))
    await me.ask("POST", f"/videos/{video}/share")


async def test_who_tries_links_without_end_is_slowed_down(serve: Serve) -> None:
    client = await serve({"shares_per_minute": 2, "people_per_address": 2})
    statuses = [(await client.get(f"/v/{'x' * 43}")).status_code for _ in range(5)]
    assert statuses == [503] * 4 + [429], "no database here; the limit comes before it"


async def test_while_the_database_is_away_the_page_asks_to_come_again(serve: Serve) -> None:
    client = await serve()
    answer = await client.get(f"/v/{'x' * 43}")
    assert answer.status_code == 503 and "조금 뒤에 다시" in answer.text and answer.headers["retry-after"] == "5"
