"""The folder's door: what only it has to see to, since S3 sees to its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from silvertalk.media import door, folder
from silvertalk.media.folder import HEAD_BYTES, FolderStore
from silvertalk.media.store import open_media
from silvertalk.settings import Settings
from tests.silvertalk.media.stores import Served, serving_store

KEY = "u/one/photos/1/original.jpg"
DATA = bytes(range(256)) * 1000


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_store("folder", tmp_path / "var") as served:
        yield served


def files_below(path: Path) -> list[str]:
    return sorted(str(Path(parent, name).relative_to(path)) for parent, _, names in os.walk(path) for name in names)


async def form_of(at: Served, max_bytes: int = len(DATA)) -> dict[str, str]:
    return (await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=max_bytes)).fields


async def raw(at: Served, body: bytes, boundary: str = "x") -> httpx.Response:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return await at.client.post("/media/upload", content=body, headers=headers)


def part(name: str, value: bytes, filename: str = "") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + value + b"\r\n"


# --- fetching --------------------------------------------------------------------------------------------------------


async def test_what_is_served_never_runs(at: Served) -> None:
    await at.store.put(KEY, b"<html><script>alert(1)</script>", "image/jpeg")
    answer = await at.get(await at.store.link(KEY))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path", ["/media/../../etc/passwd", "/media/%2e%2e/%2e%2e/etc/passwd", "/media//etc/passwd", "/media/", "/media/u"]
)
async def test_no_path_leads_out_of_the_folder(at: Served, path: str) -> None:
    """As it is, and with a signature for another."""
    query = (await at.store.link(KEY)).partition("?")[2]
    for asked in (path, f"{path}?{query}"):
        answer = await at.client.get(httpx.URL(str(at.client.base_url)).copy_with(raw_path=asked.encode()))
        assert answer.status_code in (403, 404, 405)
        assert b"root:" not in answer.content


async def test_what_is_no_object_of_ours_is_not_there(at: Served) -> None:
    """A file that somebody laid into the folder, a folder, an object cut short."""
    place = at.folder / "media" / "objects" / KEY
    place.parent.mkdir(parents=True)
    for data in (b"", b"short", b"x" * 500):
        place.write_bytes(data)
        assert await at.store.head(KEY) is None
        assert (await at.get(await at.store.link(KEY))).status_code == 404
    assert await at.store.head("u/one/photos") is None


async def test_a_head_has_everything_but_the_body(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    answer = await at.client.head(await at.store.link(KEY))
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(DATA)), b"")


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=9-1", "bytes=0-1,5-6", "lines=1-2", "bytes=" + "9" * 40 + "-"])
async def test_a_range_that_is_none_gets_the_whole(at: Served, asked: str) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    answer = await at.get(await at.store.link(KEY), range=asked)
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=0-18446744073709551615", f"bytes={len(DATA)}-", "bytes=-0"])
async def test_a_range_beyond_the_end(at: Served, asked: str) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    answer = await at.get(await at.store.link(KEY), range=asked)
    if answer.status_code == 416:
        assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    assert answer.status_code in (200, 416) and answer.content in (DATA, answer.content[:0])


@pytest.mark.parametrize("ours", [True, False])
async def test_only_pages_of_our_origins_may_use_it(at: Served, ours: bool) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    origin = at.origin if ours else "https://evil.example"
    answer = await at.get(await at.store.link(KEY), origin=origin)
    assert answer.headers.get("access-control-allow-origin") == (origin if ours else None)
    asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert (await at.client.options("/media/upload", headers=asking)).status_code == (200 if ours else 400)


# --- uploading -------------------------------------------------------------------------------------------------------


async def test_the_file_is_the_last_field(at: Served) -> None:
    """What the form allows must be known before its first byte is written."""
    fields = b"".join(part(name, value.encode()) for name, value in (await form_of(at)).items())
    file = part("file", DATA, "a.jpg")
    assert (await raw(at, file + fields + b"--x--\r\n")).status_code == 403
    assert (await raw(at, fields + file + part("more", b"1") + b"--x--\r\n")).status_code == 400
    assert (await raw(at, fields + fields + file + b"--x--\r\n")).status_code == 400
    assert files_below(at.folder / "media") == []
    assert (await raw(at, fields + file + b"--x--\r\n")).status_code == 204


@pytest.mark.parametrize("left", [1, 5, 400, 100_000])
async def test_an_upload_that_breaks_off_leaves_nothing(at: Served, left: int) -> None:
    fields = b"".join(part(name, value.encode()) for name, value in (await form_of(at)).items())
    body = fields + part("file", DATA, "a.jpg") + b"--x--"
    assert (await raw(at, body[:-left])).status_code == 400
    assert files_below(at.folder / "media") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x--",
        part("key", b"1" * 5000) + b"--x--",
        b"".join(part(str(number), b"1") for number in range(20)) + b"--x--",
        b"--x\r\n" + b"A: b\r\n" * 50 + b"\r\n",
        b"--x\r\nA: " + b"b" * 10_000,
        b"--x\r\nContent-Disposition: attachment\r\n\r\n1\r\n--x--",
    ],
)
async def test_what_is_no_form_is_refused(at: Served, body: bytes) -> None:
    assert (await raw(at, body)).status_code == 400
    assert (await at.client.post("/media/upload", content=body)).status_code == 400


@asynccontextmanager
async def half_sent(at: Served, begun: bytes, rest: bytes = b"") -> AsyncIterator[Awaitable[httpx.Response]]:
    """An upload of which this much has been sent, and the rest comes with the end."""
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield begun
        sent.set()
        await go_on.wait()
        yield rest

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = asyncio.create_task(at.client.post("/media/upload", content=slowly(), headers=headers))
    await sent.wait()
    try:
        yield _going_on(go_on, answer)
    finally:
        go_on.set()
        await answer


async def _going_on(go_on: asyncio.Event, answer: asyncio.Task[httpx.Response]) -> httpx.Response:
    go_on.set()
    return await answer


async def answers(at: Served, body: bytes, status: int) -> httpx.Response:
    """What the door says once it has seen what was sent before."""
    async with asyncio.timeout(10):
        while (answer := await raw(at, body)).status_code != status:
            continue
    return answer


def of_form(fields: dict[str, str]) -> bytes:
    return b"".join(part(name, value.encode()) for name, value in fields.items())


FILE = part("file", DATA, "a.jpg") + b"--x--\r\n"


async def test_only_so_many_upload_at_once(at: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_UPLOADS", 1)
    body = of_form(await form_of(at)) + FILE
    async with half_sent(at, body[:-1000], body[-1000:]) as end:
        answer = await answers(at, body, 503)
        assert answer.headers["retry-after"] == "5"
        assert (await end).status_code == 204
    assert (await raw(at, body)).status_code == 204


async def test_whoever_has_no_form_of_ours_takes_nobodys_place(at: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_UPLOADS", 1)
    body = of_form(await form_of(at)) + FILE
    async with AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(half_sent(at, part("key", b"1"))) for _ in range(3)]
        await asyncio.sleep(0.2)  # they have reached the server; whether they have shows in nothing
        assert (await raw(at, body)).status_code == 204
        for end in ends:
            assert (await end).status_code == 400


async def test_one_address_begins_only_so_many_forms_at_once(at: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_FORMS_EACH", 1)
    body = of_form(await form_of(at)) + FILE
    async with half_sent(at, part("key", b"1")) as end:
        assert (await answers(at, body, 503)).headers["retry-after"] == "5"
        assert (await end).status_code == 400
    assert (await raw(at, body)).status_code == 204


async def test_fields_must_come_soon_and_end(at: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_FORM_BYTES", 64 * 1024)
    assert (await raw(at, b"\r\n" * 64 * 1024 + of_form(await form_of(at)) + FILE)).status_code == 400
    monkeypatch.setattr(door, "FORM_SECONDS", 0.3)

    async def a_bit_at_a_time() -> AsyncIterator[bytes]:
        yield part("key", b"")[:-2]
        for _ in range(50):
            yield b"1"
            await asyncio.sleep(0.1)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await at.client.post("/media/upload", content=a_bit_at_a_time(), headers=headers)).status_code == 408


async def test_an_upload_whose_form_runs_out_meanwhile_is_not_kept(at: Served) -> None:
    upload = await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA), seconds=2)
    body = of_form(upload.fields) + FILE
    async with half_sent(at, body[:-1000], body[-1000:]) as end:
        while time.time() < upload.expires_at:  # noqa: ASYNC110 - the form's own clock
            await asyncio.sleep(0.05)
        assert (await end).status_code == 403
    assert files_below(at.folder / "media") == []


async def test_an_upload_takes_only_so_long(at: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "UPLOAD_SECONDS", 0.3)
    body = of_form(await form_of(at)) + FILE

    async def a_bit_at_a_time() -> AsyncIterator[bytes]:
        yield body[:1500]
        for place in range(1500, 1550):
            yield body[place : place + 1]
            await asyncio.sleep(0.1)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await at.client.post("/media/upload", content=a_bit_at_a_time(), headers=headers)).status_code == 408
    assert files_below(at.folder / "media") == []


async def test_who_sends_nothing_more_is_let_go(at: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "IDLE_SECONDS", 0.3)
    fields = b"".join(part(name, value.encode()) for name, value in (await form_of(at)).items())

    async def stuck() -> AsyncIterator[bytes]:
        yield fields + part("file", DATA, "a.jpg")[:1000]
        await asyncio.sleep(5)
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await at.client.post("/media/upload", content=stuck(), headers=headers)
    assert answer.status_code == 408
    assert files_below(at.folder / "media") == []


# --- the folder ------------------------------------------------------------------------------------------------------


async def test_only_its_owner_reads_the_folder(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    root = at.folder / "media"
    (name,) = files_below(root)
    assert name == f"objects/{KEY}"
    assert (root / name).stat().st_mode & 0o077 == 0
    assert (root / "objects").stat().st_mode & 0o077 == 0
    assert (root / name).stat().st_size == HEAD_BYTES + len(DATA)
    await at.store.delete(KEY)
    assert [path.name for path in (root / "objects").iterdir()] == [], "empty folders go with what was in them"


async def test_drafts_of_a_process_that_died_are_swept(tmp_path: Path) -> None:
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    for name, age in (("old", folder.STALE_SECONDS + 60), ("new", 60)):
        (drafts / name).write_bytes(b"half")
        os.utime(drafts / name, (time.time() - age, time.time() - age))
    await FolderStore(tmp_path, bytes(32)).put(KEY, DATA, "image/jpeg")
    assert files_below(drafts) == ["new"]


async def test_writing_and_deleting_at_once_breaks_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, bytes(32))
    await asyncio.gather(
        *(store.put(f"u/one/{number % 3}/{number}", DATA, "image/jpeg") for number in range(60)),
        *(store.delete_below("u/one/") for _ in range(20)),
    )
    await store.delete_below("u/one/")
    assert files_below(tmp_path) == []


async def test_links_of_another_secret_are_none(at: Served, tmp_path: Path) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    stranger = FolderStore(at.folder / "media", bytes(32))
    assert (await at.get(await stranger.link(KEY))).status_code == 403
    upload = await stranger.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA))
    assert (await at.post(upload, DATA)).status_code == 403


async def test_links_name_the_gateway_where_its_address_is_known(tmp_path: Path) -> None:
    async with open_media(Settings(data_dir=tmp_path, public_url="https://talk.example.org")) as store:
        assert (await store.link(KEY)).startswith(f"https://talk.example.org/media/{KEY}?")
        upload = await store.upload_form(KEY, content_type="image/jpeg", max_bytes=1)
        assert upload.url == "https://talk.example.org/media/upload"
