"""One person's whole way through the product, and nothing left of them at its end.

Real sockets, real processes' parts: a gateway, a node, a worker, Valkey, a database of either kind, a practice Kakao,
photos with EXIF. What they said, are called, uploaded and planned carries canaries, which are searched for afterwards
wherever anything could be: rows, objects, Redis, logs, temporary files, the database's own file.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt
from silvertalk import erasing
from silvertalk.client import TalkClient
from silvertalk.job_running import JobRunner
from silvertalk.login import Disconnected, Guest, Refused
from silvertalk.standins.kakao import KakaoStandIn, PracticePerson
from silvertalk.standins.serving import served
from silvertalk.worker import JobWorker, work_parts
from streaming import logs
from streaming.protocol import FinalTranscript, ReplyEnded, SpeechBegan, TurnCommitted
from tests import product
from tests.caller import Caller, calling, calling_as
from tests.postgres import Postgres, either_database, postgres
from tests.silvertalk.furnishing import rows_with
from tests.streaming.voice import silence, vowels
from tests.tcp_proxy import tcp_proxy
from tests.valkey import Valkey

__all__ = ["either_database", "postgres"]

NICKNAME, TITLE, PLACE, SAID, ANSWERED = "카나리아순자", "카나리아생일", "카나리아통영", "카나리아바다", "카나리아파도"
EXIF = "canary-camera"
PERSON = PracticePerson(700_100_200, NICKNAME)
KAKAO: dict[str, object] = {
    "kakao_rest_key": "practice-rest-key",
    "kakao_app_id": 100_001,
    "kakao_admin_key": "practice-admin-key",
}
PHOTOS = 10
WAIT_SECONDS = 60


def photo(number: int) -> bytes:
    """A picture of noise, with a place and a camera in its EXIF."""
    pixels = np.random.default_rng(number).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010E] = EXIF
    exif[0x0110] = f"{EXIF}-{number}"
    exif.get_ifd(0x8825).update({1: "N", 2: (34.0, 51.0, 0.0), 3: "E", 4: (128.0, 26.0, 0.0)})
    exif.get_ifd(0x8769).update({0x9003: f"2019:05:{number + 1:02d} 10:00:00"})
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "JPEG", quality=90, exif=exif)
    return made.getvalue()


class Person:
    """Somebody with a phone: what they ask, and what they are told of their things."""

    def __init__(self, client: httpx.AsyncClient, told: dict[str, Any]) -> None:
        self.client = client
        self.told = told
        self.access_token: str = told["access_token"]
        self.bearer = {"Authorization": f"Bearer {self.access_token}"}
        self.notices: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Condition()
        self.ended = asyncio.Event()
        """The stream of notices is over."""

    async def ask(self, method: str, path: str, **more: Any) -> Any:
        answer = await self.client.request(method, path, headers=self.bearer, **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def listen(self) -> None:
        async with self.client.stream("GET", "/v1/me/events", headers=self.bearer, timeout=None) as stream:
            event = ""
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    async with self._news:
                        self.notices.append((event, json.loads(value)))
                        self._news.notify_all()
        self.ended.set()

    async def until(self, count: int, event: str, /, **fields: Any) -> None:
        """Wait until so many notices of a kind with these fields have come."""

        def came() -> bool:
            return count <= sum(
                told == event and all(data.get(name) == value for name, value in fields.items())
                for told, data in self.notices
            )

        async with asyncio.timeout(WAIT_SECONDS), self._news:
            await self._news.wait_for(came)


@asynccontextmanager
async def worker(settings: Any, **running: Any) -> AsyncIterator[None]:
    """A worker, as `silvertalk worker` runs it; `running`: of its JobRunner."""
    async with work_parts(settings) as parts:
        runner = JobRunner(parts, slots=2, lease_seconds=settings.job_lease_seconds, **running)
        at_work = JobWorker(parts, runner)
        working = asyncio.create_task(at_work.run(), name="worker")
        try:
            yield
        finally:
            at_work.stop()
            await asyncio.wait([working])
            working.result()


async def upload(person: Person, number: int) -> bytes:
    """By the presigned form, as the app does; returns what was uploaded."""
    data = photo(number)
    form = {"filename": f"{number}.jpg", "content_type": "image/jpeg", "size": len(data), "local_uri": f"ph://{number}"}
    allowed = await person.ask("POST", "/photos/presign", json=form)
    sent = await person.client.post(
        allowed["url"], data=allowed["fields"], files={"file": ("photo.jpg", data, "image/jpeg")}
    )
    assert sent.is_success, sent.text
    await person.ask("POST", f"/photos/{allowed['photo_id']}/complete")
    return data


async def settle_in(person: Person) -> list[bytes]:
    """Consent, ten photos, a calendar; returns the photos."""
    await person.ask("PATCH", "/users/me", json={"consents": {"keep_voice": True}})
    photos = [await upload(person, number) for number in range(PHOTOS)]
    await person.until(PHOTOS, "photo", status="ready")
    today = datetime.now(UTC).isoformat()
    events = [{"id": "p1", "title": TITLE, "start_time": today, "end_time": today, "location": PLACE}]
    assert (await person.ask("POST", "/calendars/sync", json={"events": events}))["count"] == 1
    return photos


async def talk(person: Person, url: str) -> str:
    """A turn by voice; returns the conversation's id."""
    async with calling(url, guest=Guest("", person.access_token), patience_seconds=WAIT_SECONDS) as caller:
        await caller.say(silence(300) + vowels(2000))
        assert SAID in (await caller.wait_for(FinalTranscript)).text
        await caller.wait_for(TurnCommitted, turn=1)
        return caller.client.ready.session


async def read_back(person: Person, session: str) -> None:
    assert TITLE in json.dumps(await person.ask("GET", "/home"), ensure_ascii=False)
    assert [one["id"] for one in await person.ask("GET", "/chat/sessions")] == [session]
    lines = await person.ask("GET", f"/chat/sessions/{session}")
    assert [line["role"] for line in lines] == ["user", "assistant"]
    assert SAID in lines[0]["content"] and ANSWERED in lines[1]["content"]
    photos = await person.ask("GET", "/photos")
    items = photos["items"] if isinstance(photos, dict) else photos
    assert len(items) == PHOTOS
    shared = await person.client.get(items[0]["s3_url"])
    assert shared.is_success and EXIF.encode() not in shared.content, "nothing in it but the picture"


async def export(person: Person, photos: list[bytes]) -> None:
    await person.ask("POST", "/users/me/export")
    await person.until(1, "job", kind="export", status="done")
    ready = await person.ask("GET", "/users/me/export")
    assert ready["state"] == "ready"
    packed = zipfile.ZipFile(io.BytesIO((await person.client.get(ready["url"])).content))
    given = {name: packed.read(name) for name in packed.namelist()}
    text = b"".join(data for name, data in given.items() if name.endswith(".json")).decode()
    for canary in (NICKNAME, TITLE, PLACE, SAID, ANSWERED):
        assert canary in text, canary
    assert sorted(data for name, data in given.items() if name.startswith("photos/")) == sorted(photos)
    assert any(name.startswith("voices/") for name in given), "the voice that was kept"


class Leaving(Caller):
    """Knows with what code its connection was closed."""

    def __init__(self, client: TalkClient, patience_seconds: float) -> None:
        super().__init__(client, patience_seconds)
        self.refused: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def _listen(self) -> None:
        try:
            await super()._listen()
        except Refused as refused:
            self.refused.set_result(refused.close_code)
        except Disconnected as gone:
            self.refused.set_result(gone.close_code)


async def leave_while_talking(person: Person, url: str) -> dict[str, Any]:
    """Delete everything in the middle of a conversation; returns the receipt once all is done."""
    async with calling_as(Leaving, url, guest=Guest("", person.access_token), resume=False) as caller:
        saying = asyncio.create_task(caller.say(vowels(3000)))
        await caller.wait_for(SpeechBegan)
        receipt = await person.ask("DELETE", "/users/me")
        assert await asyncio.wait_for(caller.refused, 5) == 4401
        saying.cancel()
    await asyncio.wait_for(person.ended.wait(), 10)
    refused = await person.client.get("/users/me", headers=person.bearer)
    assert refused.status_code == 401
    renewed = await person.client.post("/auth/refresh", json={"refresh_token": person.told["refresh_token"]})
    assert renewed.status_code == 401
    async with asyncio.timeout(WAIT_SECONDS):
        return await receipt_of_all(person.client, receipt["receipt"])


async def receipt_of_all(client: httpx.AsyncClient, receipt: str) -> dict[str, Any]:
    """The receipt once it says that all is done. Nobody is left to be told, so a client asks."""
    told: dict[str, Any] = {}
    while told.get("state") != "erased":
        await asyncio.sleep(0.2)
        told = (await client.get(f"/v1/erasures/{receipt}")).json()
    return told


def found_in_files(folder: Path, canaries: list[bytes]) -> list[str]:
    return [
        f"{path.name}: {canary[:20]!r}"
        for path in folder.rglob("*")
        if path.is_file()
        for canary in canaries
        if canary in path.read_bytes()
    ]


def found_in_redis(valkey: Valkey, canaries: list[bytes]) -> list[str]:
    """In names and in what Redis would write to a disk; nothing of it is compressed or encrypted here."""
    valkey.client.config_set("rdbcompression", "no")
    keys: Any = valkey.client.keys("*")
    contents: list[tuple[bytes, bytes]] = [(key, valkey.client.dump(key) or b"") for key in keys]
    return [
        f"{key!r}: {canary[:20]!r}" for key, dump in contents for canary in canaries if canary in key or canary in dump
    ]


@pytest.fixture
def written_log() -> Iterator[io.StringIO]:
    """What the product's processes write, at the level that says most."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = io.StringIO()
    logs.configure(level="debug", stream=written)
    try:
        yield written
    finally:
        root.handlers[:] = before
        root.setLevel(level)


async def test_a_whole_life_with_it_and_nothing_left(
    either_database: dict[str, str],
    valkey: Valkey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    written_log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(erasing, "LATE_UPLOAD", timedelta(seconds=3))  # a form's life: nobody waits for that here
    kakao = KakaoStandIn(people=[PERSON])
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(served(kakao.app))
        names = KAKAO | {"kakao_auth_url": address, "kakao_api_url": address, "log_level": "debug"}
        settings = product.settings(valkey.url, tmp_path / "var", **names, **either_database)
        server = await stack.enter_async_context(product.gateway(settings))
        await server.parts.database.wait_ready()
        hears, says = ScriptedStt(pass_ms=20, words=(SAID,)), ScriptedLlm([f"{ANSWERED} 소리가 그리우셨군요."])
        await stack.enter_async_context(product.node(valkey.url, stt=hears, llm=says))
        await stack.enter_async_context(worker(settings))
        client = httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30)
        client = await stack.enter_async_context(client)

        token = kakao.access_token()
        person = Person(client, (await client.post("/auth/kakao", json={"kakao_access_token": token})).json())
        assert person.told["user"]["nickname"] == NICKNAME
        listening = asyncio.create_task(person.listen())
        photos = await settle_in(person)
        session = await talk(person, server.url)
        await read_back(person, session)
        await export(person, photos)

        user = str(person.told["user"]["id"])
        words = [NICKNAME, TITLE, PLACE, SAID, ANSWERED, EXIF]
        secrets = [token, person.access_token, str(person.told["refresh_token"])]
        canaries = [text.encode() for text in (*words, *secrets)] + [one[len(one) // 2 :][:64] for one in photos]
        assert len(await rows_with(server.parts.database, *words)) >= 5, "the search finds what is there"
        assert len(found_in_files(tmp_path, canaries)) > PHOTOS
        assert found_in_redis(valkey, canaries)

        done = await leave_while_talking(person, server.url)
        listening.cancel()
        assert (done["counts"]["photos"], done["counts"]["calendar_events"]) == (PHOTOS, 1)
        assert done["counts"]["turns"] >= 1
        assert kakao.unlinked == [PERSON.id]
        assert await rows_with(server.parts.database, *words, *secrets, user, str(PERSON.id)) == []
        assert found_in_redis(valkey, canaries) == []
    assert found_in_files(tmp_path, canaries) == []
    logged = written_log.getvalue() + "".join(capfd.readouterr())
    assert "erased" in logged
    assert [canary for canary in (*words, *secrets) if canary in logged] == []


Gone = tuple[str, Callable[[], None]]


@asynccontextmanager
async def away(
    kind: str, request: pytest.FixtureRequest, folder: Path
) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """The address of a database that cannot be reached, and what brings it back."""
    if kind == "sqlite":
        in_the_way = folder / "database"
        in_the_way.write_text("a file where a folder should be")
        yield f"sqlite:///{in_the_way}/silvertalk.sqlite3", in_the_way.unlink
        return
    server: Postgres = request.getfixturevalue("postgres")
    address = await server.new_database()
    async with tcp_proxy(f"http://127.0.0.1:{server.port}") as proxy:
        proxy.refuse()
        yield address.replace(f":{server.port}/", f":{urlsplit(proxy.url).port}/"), proxy.accept


async def readiness(client: httpx.AsyncClient, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What `/readyz` tells once it is enough: its answer is a second old at most."""
    async with asyncio.timeout(20):
        while True:
            answer = await client.get("/readyz")
            told: dict[str, Any] = answer.json()
            assert answer.status_code == (200 if told["ready"] else 503)
            if enough(told):
                return told
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_without_its_database_it_talks_and_comes_back_by_itself(
    kind: str, request: pytest.FixtureRequest, valkey: Valkey, tmp_path: Path
) -> None:
    kakao = KakaoStandIn(people=[PERSON])
    async with AsyncExitStack() as stack:
        url, come_back = await stack.enter_async_context(away(kind, request, tmp_path))
        address = await stack.enter_async_context(served(kakao.app))
        names = KAKAO | {"kakao_auth_url": address, "kakao_api_url": address, "database_url": url}
        server = await stack.enter_async_context(
            product.gateway(product.settings(valkey.url, tmp_path / "var", **names))
        )
        await stack.enter_async_context(product.node(valkey.url))
        client = httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30)
        client = await stack.enter_async_context(client)
        ready = await readiness(client, lambda told: told["ready"])
        assert "database" in ready["degraded"]
        about = await client.get("/")
        assert (about.status_code, about.json()["parts"]["database"]) == (200, "away")
        refused = await client.post("/auth/kakao", json={"kakao_access_token": kakao.access_token()})
        assert (refused.status_code, refused.json()["code"]) == (503, "database_away")
        assert refused.json()["retryable"] and int(refused.headers["retry-after"]) > 0
        guest = (await client.post("/auth/guest")).json()
        bearer = {"Authorization": f"Bearer {guest['access_token']}"}
        for path in ("/users/me", "/chat/sessions", "/photos"):
            answer = await client.get(path, headers=bearer)
            assert (answer.status_code, answer.json()["code"]) == (503, "database_away"), path
        async with calling(server.url, guest=Guest(guest["guest_id"], guest["access_token"])) as caller:
            await caller.say(silence(300) + vowels(2000))
            await caller.wait_for(ReplyEnded, turn=1)
            assert caller.find(TurnCommitted) is None
            come_back()
            await caller.wait_for(TurnCommitted, turn=1)
        await readiness(client, lambda told: "database" not in told["degraded"])
        told = await client.post("/auth/kakao", json={"kakao_access_token": kakao.access_token()})
        assert told.status_code == 200
        assert len((await client.get("/chat/sessions", headers=bearer)).json()) == 1
