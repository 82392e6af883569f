"""What every media store does: one suite over the folder and over S3, each on a real socket."""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import request_response

from silvertalk.errors import MediaAway, MediaTooLarge
from silvertalk.media import s3
from silvertalk.media.store import open_media, user_prefix
from silvertalk.settings import Settings
from silvertalk.standins.s3_signatures import S3Error
from tests.silvertalk.media.stores import KINDS, Kind, Served, s3_settings, serving_store

KEY = "u/0b0e3c9c-6a8e-4a0e-9d0a-3b8a57b7d0aa/photos/1/original.jpg"
DATA = bytes(range(256)) * 40


@pytest.fixture(params=KINDS)
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    kind: Kind = request.param
    async with serving_store(kind, tmp_path / "var") as served:
        yield served


def with_query(link: str, **changes: str) -> str:
    parts = urlsplit(link)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **changes})))


# --- objects ---------------------------------------------------------------------------------------------------------


async def test_what_is_put_is_there(at: Served) -> None:
    stored = await at.store.put(KEY, DATA, "image/jpeg")
    assert stored == (KEY, len(DATA), "image/jpeg")
    assert await at.store.head(KEY) == stored
    assert await at.store.read(KEY, len(DATA)) == DATA


async def test_a_file_is_put_as_bytes_are(at: Served, tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(DATA)
    assert await at.store.put(KEY, tmp_path / "photo", "image/jpeg") == (KEY, len(DATA), "image/jpeg")
    assert await at.store.read(KEY, len(DATA)) == DATA


async def test_the_newer_takes_the_place_of_the_older(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    await at.store.put(KEY, b"new", "image/png")
    assert await at.store.head(KEY) == (KEY, 3, "image/png")
    assert await at.store.read(KEY, 100) == b"new"


async def test_what_is_not_there(at: Served) -> None:
    assert await at.store.head(KEY) is None
    with pytest.raises(KeyError):
        await at.store.read(KEY, 100)
    assert (await at.get(await at.store.link(KEY))).status_code == 404
    await at.store.delete(KEY)
    assert await at.store.delete_below("u/nobody/") == 0


async def test_no_more_is_read_than_was_asked_for(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    with pytest.raises(MediaTooLarge):
        await at.store.read(KEY, len(DATA) - 1)


async def test_a_part_is_read_by_itself(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    assert await at.store.read_part(KEY, 0, 1) == DATA[:1]
    assert await at.store.read_part(KEY, 1000, len(DATA)) == DATA[1000:]
    with pytest.raises(KeyError):
        await at.store.read_part(KEY + "2", 0, 1)


async def test_what_is_deleted_is_gone(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    await at.store.put(KEY + "2", DATA, "image/jpeg")
    await at.store.delete(KEY, KEY + "3")
    assert await at.store.head(KEY) is None
    assert await at.store.head(KEY + "2") is not None


async def test_all_of_somebodys_goes_and_nothing_of_anybody_elses(at: Served) -> None:
    mine, other = user_prefix("one"), user_prefix("one-more")
    for number in range(10):
        await at.store.put(f"{mine}photos/{number}/original.jpg", DATA, "image/jpeg")
    await at.store.put(f"{other}photos/0/original.jpg", DATA, "image/jpeg")
    some = await at.store.some_below(mine)
    assert some
    assert set(some) <= {f"{mine}photos/{number}/original.jpg" for number in range(10)}
    assert await at.store.delete_below(mine) == 10
    assert await at.store.some_below(mine) == []
    assert await at.store.head(f"{mine}photos/0/original.jpg") is None
    assert await at.store.head(f"{other}photos/0/original.jpg") is not None
    assert await at.store.delete_below(mine) == 0


@pytest.mark.parametrize(
    "key",
    ["", "/u/1", "u/../1", "u//1", "u/.hidden", "u/1/", "u\\1", "u/\n", "u/a b", "u/한", "a" * 201, "..", "u/%2e"],
)
async def test_what_is_no_key_is_refused(at: Served, key: str) -> None:
    for call in (
        at.store.put(key, b"", "image/jpeg"),
        at.store.head(key),
        at.store.read(key, 1),
        at.store.link(key),
        at.store.delete(key),
        at.store.upload_form(key, content_type="image/jpeg", max_bytes=1),
    ):
        with pytest.raises(ValueError, match="not a key"):
            await call


@pytest.mark.parametrize("prefix", ["", "/", "u", "u/../", "./"])
async def test_what_is_no_prefix_deletes_nothing(at: Served, prefix: str) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    with pytest.raises(ValueError, match="prefix|key"):
        await at.store.delete_below(prefix)
    assert await at.store.head(KEY) is not None


@pytest.mark.parametrize("content_type", ["", "jpeg", "image/jpeg; charset=x", "image/jpeg\r\nX: y", "Image/JPEG"])
async def test_what_is_no_type_is_refused(at: Served, content_type: str) -> None:
    with pytest.raises(ValueError, match="content type"):
        await at.store.put(KEY, b"", content_type)
    with pytest.raises(ValueError, match="content type"):
        await at.store.upload_form(KEY, content_type=content_type, max_bytes=1)


# --- links -----------------------------------------------------------------------------------------------------------


async def test_a_link_gives_the_object(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    answer = await at.get(await at.store.link(KEY))
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == "inline"


async def test_a_link_may_be_a_download(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    answer = await at.get(await at.store.link(KEY, filename='사진 "1".jpg'))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == ("attachment; filename*=UTF-8''%EC%82%AC%EC%A7%84%20%221%22.jpg")


async def test_what_no_browser_should_show_is_a_download(at: Served) -> None:
    await at.store.put("u/one/exports/all.zip", b"PK", "application/zip")
    answer = await at.get(await at.store.link("u/one/exports/all.zip"))
    assert answer.headers["content-disposition"] == "attachment"


@pytest.mark.parametrize(
    ("asked", "status", "got"),
    [
        ("bytes=0-9", 206, DATA[:10]),
        ("bytes=10-", 206, DATA[10:]),
        ("bytes=-7", 206, DATA[-7:]),
        ("bytes=5-999999999", 206, DATA[5:]),
        (f"bytes={len(DATA)}-", 416, None),
    ],
)
async def test_a_part_of_a_recording(at: Served, asked: str, status: int, got: bytes | None) -> None:
    await at.store.put("u/one/voice/s/1.flac", DATA, "audio/flac")
    answer = await at.get(await at.store.link("u/one/voice/s/1.flac"), range=asked)
    assert answer.status_code == status
    if got is not None:
        assert answer.content == got
        start = DATA.index(got) if asked != "bytes=-7" else len(DATA) - 7
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(got) - 1}/{len(DATA)}"


async def test_a_link_ends(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    assert (await at.get(await at.store.link(KEY, seconds=-1))).status_code in (400, 403)


async def test_a_link_is_for_one_object_and_one_time(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    await at.store.put(KEY + "2", b"another's", "image/jpeg")
    link = await at.store.link(KEY)
    longer = {"folder": {"until": "9999999999"}, "s3": {"X-Amz-Expires": "600000"}}[at.kind]
    renamed = {"folder": {"name": "x.html"}, "s3": {"response-content-type": "text/html"}}[at.kind]
    signature = {"folder": "signature", "s3": "X-Amz-Signature"}[at.kind]
    for changed in (
        link.replace("original.jpg", "original.jpg2"),
        with_query(link, **longer),
        with_query(link, **renamed),
        with_query(link, **{signature: "0" * 64}),
        with_query(link, **{signature: ""}),
        link.partition("?")[0],
    ):
        answer = await at.get(changed)
        assert answer.status_code in (400, 403), changed
        assert b"another's" not in answer.content


async def test_a_link_only_reads(at: Served) -> None:
    await at.store.put(KEY, DATA, "image/jpeg")
    link = await at.store.link(KEY)
    for method in ("PUT", "DELETE", "POST", "PATCH"):
        assert (await at.client.request(method, link)).status_code >= 400
    assert await at.store.read(KEY, len(DATA)) == DATA


# --- uploads ---------------------------------------------------------------------------------------------------------


async def test_a_form_uploads_one_object(at: Served) -> None:
    upload = await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA))
    answer = await at.post(upload, DATA)
    assert (upload.method, answer.status_code) == ("POST", 204)
    assert await at.store.head(KEY) == (KEY, len(DATA), "image/jpeg")
    assert await at.store.read(KEY, len(DATA)) == DATA


async def test_a_form_allows_no_more_than_it_says(at: Served) -> None:
    upload = await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA) - 1)
    assert (await at.post(upload, DATA)).status_code in (400, 413)
    assert (await at.post(upload, b"")).status_code == 400
    assert await at.store.head(KEY) is None


async def test_a_form_is_for_one_key_and_one_type(at: Served) -> None:
    upload = await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA))
    signature = {"folder": "signature", "s3": "x-amz-signature"}[at.kind]
    other = await at.store.upload_form(KEY + "2", content_type="image/jpeg", max_bytes=len(DATA))
    for changes in (
        {"key": "u/somebody-else/photos/1/original.jpg"},
        {"key": "../../etc/passwd"},
        {"Content-Type": "text/html"},
        {"Content-Type": ""},
        {"key": ""},
        {"policy": ""},
        {"policy": other.fields["policy"]},
        {signature: ""},
        {signature: "0" * 64},
        {signature: other.fields[signature]},
    ):
        assert (await at.post(upload, DATA, **changes)).status_code in (400, 403), changes
    assert await at.store.delete_below("u/") == 0, "nothing came in"


async def test_a_form_ends(at: Served) -> None:
    upload = await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA), seconds=-1)
    assert (await at.post(upload, DATA)).status_code in (400, 403)
    assert await at.store.head(KEY) is None


async def test_a_file_without_a_form_is_refused(at: Served) -> None:
    upload = await at.store.upload_form(KEY, content_type="image/jpeg", max_bytes=len(DATA))
    answer = await at.client.post(upload.url, files={"file": ("a.jpg", DATA, "image/jpeg")})
    assert answer.status_code in (400, 403)
    assert (await at.client.post(upload.url, data=upload.fields)).status_code in (400, 403)
    assert await at.store.head(KEY) is None


# --- large files -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """One to which a file goes in parts of 1000 bytes."""
    monkeypatch.setattr(s3, "PART_BYTES", 1000)
    async with serving_store("s3", tmp_path / "var") as served:
        served.standin.min_part_bytes = 1000
        yield served


async def test_a_large_file_goes_up_in_parts(bucket: Served, tmp_path: Path) -> None:
    (tmp_path / "export").write_bytes(DATA)
    stored = await bucket.store.put(KEY, tmp_path / "export", "application/zip")
    assert stored == (KEY, len(DATA), "application/zip")
    assert await bucket.store.head(KEY) == stored
    assert await bucket.store.read(KEY, len(DATA)) == DATA
    assert len([one for one in bucket.standin.requests if one.startswith("PUT ")]) == math.ceil(len(DATA) / 1000)
    assert bucket.standin.uploads == {}


async def test_a_very_large_file_has_larger_parts(
    bucket: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MAX_PARTS", 3)
    (tmp_path / "export").write_bytes(DATA)
    await bucket.store.put(KEY, tmp_path / "export", "application/zip")
    assert await bucket.store.read(KEY, len(DATA)) == DATA
    assert len([one for one in bucket.standin.requests if one.startswith("PUT ")]) == 3


@pytest.mark.parametrize("failing", [1, 4, math.ceil(len(DATA) / 1000) + 1])
async def test_what_breaks_off_leaves_no_parts(bucket: Served, tmp_path: Path, failing: int) -> None:
    """The first part, one in the middle, and putting them together."""
    (tmp_path / "export").write_bytes(DATA)
    whole = bucket.standin._in_parts
    count = iter(range(1000))

    def in_parts(request: Request, key: str, body: bytes) -> Response:
        if next(count) == failing:
            raise S3Error(403, "AccessDenied", "Access Denied")
        return whole(request, key, body)

    bucket.standin._in_parts = in_parts  # type: ignore[method-assign]
    with pytest.raises(MediaAway):
        await bucket.store.put(KEY, tmp_path / "export", "application/zip")
    assert await bucket.store.head(KEY) is None
    assert bucket.standin.uploads == {}


async def test_one_that_is_stopped_leaves_no_parts(bucket: Served, tmp_path: Path) -> None:
    (tmp_path / "export").write_bytes(DATA)
    third = asyncio.Event()
    whole = bucket.standin._answer

    async def answer(request: Request) -> Response:
        if request.query_params.get("partNumber") == "3":
            third.set()
            await asyncio.sleep(3600)
        return await whole(request)

    bucket.standin.app.routes[0].app = request_response(answer)  # type: ignore[attr-defined]
    putting = asyncio.create_task(bucket.store.put(KEY, tmp_path / "export", "application/zip"))
    await third.wait()
    assert len(bucket.standin.uploads) == 1
    putting.cancel()
    await asyncio.wait([putting])
    assert putting.cancelled()
    assert bucket.standin.uploads == {}


async def test_parts_of_a_process_that_died_go_with_all_of_somebodys(bucket: Served) -> None:
    mine, other = user_prefix("one"), user_prefix("one-more")
    client: Any = bucket.store._client  # type: ignore[attr-defined]
    for prefix in (mine, mine, mine, mine, other):  # more than the stand-in lists at once
        named = {"Bucket": bucket.standin.bucket, "Key": f"{prefix}exports/1.zip"}
        upload = (await client.create_multipart_upload(**named))["UploadId"]
        await client.upload_part(**named, UploadId=upload, PartNumber=1, Body=DATA)
    assert await bucket.store.delete_below(mine) == 0
    assert [one.key for one in bucket.standin.uploads.values()] == [f"{other}exports/1.zip"]


# --- away ------------------------------------------------------------------------------------------------------------


async def test_a_store_that_is_there_is_ready(at: Served) -> None:
    assert await at.store.ready()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_store_that_is_away_says_so(kind: Kind, tmp_path: Path) -> None:
    """It opens all the same."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "media").write_text("a file where the folder should be")
    chosen = Settings(data_dir=tmp_path / "var")
    if kind == "s3":
        async with serving_store("s3", tmp_path / "other") as gone:
            chosen = s3_settings(tmp_path / "var", str(gone.client.base_url).rstrip("/"), gone.standin)
    async with open_media(chosen) as store:
        assert not await store.ready()
        for call in (store.put(KEY, DATA, "image/jpeg"), store.delete_below("u/one/")):
            with pytest.raises(MediaAway):
                await call
