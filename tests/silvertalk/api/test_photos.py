"""`/photos`, from the phone's word to the picture that may be shown: on both databases, over both stores."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from PIL import Image
from sqlalchemy import select, update

from silvertalk import photo_work
from silvertalk.api.photos import BATCH
from silvertalk.columns import Model
from silvertalk.database import Database
from silvertalk.job_kinds import WorkParts
from silvertalk.job_running import JobRunner
from silvertalk.jobs import Jobs, jobs
from silvertalk.media import images
from silvertalk.media.store import LATE_UPLOAD, MediaStore, open_media
from silvertalk.models import Audit, Photo
from silvertalk.notices import Notices
from silvertalk.photo_work import NOT_MADE, PhotoWork
from silvertalk.photos import photo_prefix
from silvertalk.revocations import Revocations
from silvertalk.scratch import scratch_of
from silvertalk.seeing import Seen
from silvertalk.setting_values import database_url
from silvertalk.settings import Settings
from silvertalk.standins.s3 import S3StandIn
from silvertalk.standins.serving import served
from silvertalk.sweeping import UPLOADS_LIVE, sweep
from streaming.bus import Bus
from tests.postgres import Postgres
from tests.silvertalk.api import things
from tests.silvertalk.api.conftest import Serve
from tests.silvertalk.api.someone import Someone
from tests.silvertalk.media.pictures import CANARY, HEIC, SEOUL, exif, phone_jpeg, picture, png, saved
from tests.silvertalk.media.stores import s3_settings
from tests.valkey import Valkey

TAKEN = "1987-05-10T05:30:00Z"


@dataclass(frozen=True)
class Gallery:
    """Two people, and a worker for what they upload."""

    me: Someone
    other: Someone
    media: MediaStore
    parts: WorkParts

    async def work(self) -> list[str]:
        """Do what there is to do; the kinds of jobs that were done."""
        async with self.parts.database.transaction() as connection:
            asked = select(jobs.c.id, jobs.c.kind).where(jobs.c.status == "pending")
            waiting = list(await connection.execute(asked))
        runner = JobRunner(self.parts, slots=2, lease_seconds=60)
        for job in waiting:
            await runner.run(job.id)
        return [job.kind for job in waiting]

    async def uploaded(self, data: bytes, content_type: str = "image/jpeg", **told: Any) -> str:
        """A photo that a phone has uploaded and told of; its id."""
        asked = {"filename": "IMG_1.jpg", "content_type": content_type, "size": len(data), **told}
        form = await self.me.ask("POST", "/photos/presign", json=asked)
        assert (await self.send(form, data)).status_code == 204
        await self.me.ask("POST", f"/photos/{form['photo_id']}/complete")
        return str(form["photo_id"])

    async def send(self, form: dict[str, Any], data: bytes) -> httpx.Response:
        """As somebody without a token: the form is all that is needed."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as nobody:
            url = urljoin(str(self.me.client.base_url), form["url"])
            return await nobody.post(url, data=form["fields"], files={"file": ("a.jpg", data, "image/jpeg")})

    async def fetched(self, link: str) -> bytes:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as nobody:
            answer = await nobody.get(urljoin(str(self.me.client.base_url), link))
        assert answer.status_code == 200, answer.text
        return answer.content

    async def keys(self, photo: str) -> list[str]:
        """What lies in the store of it."""
        prefix = photo_prefix(self.me.user, photo)
        names = [f"{prefix}{name}" for name in ("original.jpg", "original.heic", "shared.jpg", "thumbnail.jpg")]
        return [name.removeprefix(prefix) for name in names if await self.media.head(name) is not None]


@pytest.fixture(params=["sqlite and a folder", "postgresql and s3"])
async def gallery(
    request: pytest.FixtureRequest, serve: Serve, valkey: Valkey, tmp_path: Path
) -> AsyncIterator[Gallery]:
    async with AsyncExitStack() as stack:
        in_the_cloud = request.param == "postgresql and s3"
        url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}"
        if in_the_cloud:
            server: Postgres = request.getfixturevalue("postgres")
            url = database_url(await server.new_database())
        database = await stack.enter_async_context(Database(url))
        await database.wait_ready()
        changes: dict[str, Any] = {"allow_guests": True, "data_dir": tmp_path / "var", "max_photo_mb": 1}
        changes["outside_services"] = "ask"
        if in_the_cloud:
            standin = S3StandIn()
            url = await stack.enter_async_context(served(standin.app))
            changes |= s3_settings(tmp_path / "var", url, standin).model_dump(
                include={"s3_bucket", "s3_endpoint", "s3_region", "s3_access_key_id", "s3_secret_access_key"}
            )
        settings = Settings.model_validate(changes)
        media = await stack.enter_async_context(open_media(settings))
        bus = await stack.enter_async_context(Bus.open([valkey.url], name="worker"))
        client = await serve({k: v for k, v in changes.items() if k != "data_dir"}, database=database, media=media)
        people = []
        for _ in range(2):
            answer = (await client.post("/auth/guest")).json()
            headers = {"Authorization": f"Bearer {answer['access_token']}"}
            own = await stack.enter_async_context(
                httpx.AsyncClient(base_url=client.base_url, headers=headers, trust_env=False, timeout=60)
            )
            people.append(Someone(answer["guest_id"].partition(".")[0], own, database))
        notices = Notices(bus, database)
        parts = WorkParts(settings, bus, database, media, Jobs(database), notices, Revocations(bus, database))
        yield Gallery(people[0], people[1], media, parts)


def shown(data: bytes) -> Image.Image:
    assert CANARY not in data
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    assert not image.getexif()
    return image


# --- uploading -------------------------------------------------------------------------------------------------------


async def test_a_photo_from_the_phone_to_what_may_be_shown(gallery: Gallery) -> None:
    data = phone_jpeg(6)
    asked = {"filename": "../../etc/passwd", "content_type": "image/jpg", "size": len(data), "local_uri": "ph://1"}
    form = await gallery.me.ask("POST", "/photos/presign", json=asked)
    assert (form["method"], form["presign_url"], form["expires_in"]) == ("POST", form["url"], 300)
    photo = form["photo_id"]
    assert form["fields"]["key"] == f"u/{gallery.me.user}/photos/{photo}/original.jpg"
    before = await gallery.me.ask("GET", f"/photos/{photo}")
    assert (before["status"], before["s3_url"], before["thumbnail_url"]) == ("awaited", None, None)

    assert (await gallery.send(form, data)).status_code == 204
    told = await gallery.me.ask("POST", f"/photos/{photo}/complete")
    assert (told["status"], told["s3_url"]) == ("processing", None)
    async with await gallery.parts.notices.feeds.open(gallery.me.user) as feed:
        assert await gallery.work() == ["thumbnails"]
        async with asyncio.timeout(20):
            while (item := await feed.next()) is not None and item.kind != "photo":
                pass
    assert item is not None and item.data == {"photo_id": photo, "status": "ready", "refusal": ""}

    after = await gallery.me.ask("GET", f"/photos/{photo}")
    assert (after["status"], after["width"], after["height"]) == ("ready", 64, 96)
    assert (after["taken_at"], after["local_uri"]) == (TAKEN, "ph://1")
    assert (after["latitude"], after["longitude"]) == pytest.approx(SEOUL, abs=1e-5)
    assert shown(await gallery.fetched(after["s3_url"])).size == (64, 96)
    assert shown(await gallery.fetched(after["thumbnail_url"])).size == (64, 96)


async def test_a_heic_photo_is_shown_as_a_jpeg(gallery: Gallery) -> None:
    photo = await gallery.uploaded(HEIC, "image/heic")
    await gallery.work()
    after = await gallery.me.ask("GET", f"/photos/{photo}")
    assert after["taken_at"] == TAKEN
    assert shown(await gallery.fetched(after["s3_url"])).size == (96, 64)


async def test_what_is_no_picture_is_refused_and_nothing_of_it_kept(gallery: Gallery) -> None:
    photo = await gallery.uploaded(b"<html><script>alert(1)</script></html>")
    await gallery.work()
    after = await gallery.me.ask("GET", f"/photos/{photo}")
    assert (after["status"], after["refusal"], after["s3_url"]) == ("refused", "not_a_picture", None)
    assert await gallery.keys(photo) == []


async def test_a_refused_photo_may_be_uploaded_again(gallery: Gallery) -> None:
    photo = await gallery.uploaded(png(12_000, 12_000), local_uri="ph://1")
    await gallery.work()
    assert (await gallery.me.ask("GET", f"/photos/{photo}"))["refusal"] == "too_many_pixels"
    assert await gallery.uploaded(phone_jpeg(), local_uri="ph://1") == photo
    await gallery.work()
    assert (await gallery.me.ask("GET", f"/photos/{photo}"))["status"] == "ready"


async def test_what_was_not_uploaded_is_not_complete(gallery: Gallery) -> None:
    asked = {"filename": "a.jpg", "content_type": "image/jpeg", "size": 1000}
    form = await gallery.me.ask("POST", "/photos/presign", json=asked)
    answer = await gallery.me.ask("POST", f"/photos/{form['photo_id']}/complete", 409)
    assert answer["code"] == "upload_missing"
    assert (await gallery.send(form, bytes(1001))).status_code in (400, 413)
    await gallery.me.ask("POST", f"/photos/{form['photo_id']}/complete", 409)
    assert await gallery.work() == []


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"size": 2 * 1024 * 1024}, 413, "media_too_large"),
        ({"size": 0}, 422, "request_invalid"),
        ({"content_type": "text/html"}, 415, "picture_type_refused"),
        ({"content_type": "image/svg+xml"}, 415, "picture_type_refused"),
        ({"content_type": "image/jpeg\r\nX: y"}, 415, "picture_type_refused"),
        ({"local_uri": "x" * 513}, 422, "request_invalid"),
        ({"latitude": 91}, 422, "request_invalid"),
        ({"taken_at": "0001-01-01T00:00:00+14:00"}, 422, "request_invalid"),
        ({"taken_at": "9999-12-31T23:59:59-14:00"}, 422, "request_invalid"),
        ({"key": "u/somebody/else"}, 422, "request_invalid"),
    ],
)
async def test_what_is_not_allowed(gallery: Gallery, changed: dict[str, Any], status: int, code: str) -> None:
    asked = {"filename": "a.jpg", "content_type": "image/jpeg", "size": 1000, **changed}
    assert (await gallery.me.ask("POST", "/photos/presign", status, json=asked))["code"] == code
    assert (await gallery.me.ask("GET", "/photos"))["items"] == []


async def test_completing_twice_is_completing_once(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    await gallery.me.ask("POST", f"/photos/{photo}/complete")
    assert await gallery.work() == ["thumbnails"]
    assert (await gallery.me.ask("POST", f"/photos/{photo}/complete"))["status"] == "ready"
    assert await gallery.work() == []


async def test_work_done_twice_comes_to_the_same(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    work = PhotoWork(
        gallery.me.database,
        gallery.media,
        gallery.parts.jobs,
        gallery.parts.notices,
        scratch_of(gallery.parts.settings),
        max_bytes=2**20,
        default_zone="Asia/Seoul",
    )
    both = await asyncio.gather(work.do(gallery.me.user, photo), work.do(gallery.me.user, photo))
    assert "ready" in both
    assert await work.do(gallery.me.user, photo) == "ready"
    assert await gallery.keys(photo) == ["original.jpg", "shared.jpg", "thumbnail.jpg"]


async def test_a_picture_in_hand_lies_below_the_data_folder_and_nowhere_else(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    seen: list[str] = []
    whole = images.render

    async def looking(source: Path, shared: Path, thumbnail: Path) -> Any:
        seen.extend(path.relative_to(tmp_path).parts[1] for path in (source, shared, thumbnail))
        return await whole(source, shared, thumbnail)

    monkeypatch.setattr(photo_work, "render", looking)
    photo = await gallery.uploaded(phone_jpeg())
    await gallery.work()
    assert (await gallery.me.ask("GET", f"/photos/{photo}"))["status"] == "ready"
    assert seen == ["scratch"] * 3
    root = scratch_of(gallery.parts.settings)
    assert [path for path in root.iterdir() if not path.name.startswith(".")] == []
    assert list((tmp_path / "tmp").iterdir()) == []


async def given_up(gallery: Gallery) -> None:
    """The jobs' deadlines pass while the store is away."""
    async with gallery.me.database.transaction() as connection:
        await connection.execute(update(jobs).values(deadline_at=jobs.c.created_at))
    await gallery.work()


async def test_a_photo_that_is_given_up_is_refused_and_may_be_done_after_all(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    async with await gallery.parts.notices.feeds.open(gallery.me.user) as feed:
        await given_up(gallery)
        async with asyncio.timeout(20):
            while (item := await feed.next()) is not None and item.kind != "photo":
                pass
    assert item is not None and item.data == {"photo_id": photo, "status": "refused", "refusal": NOT_MADE}
    told = await gallery.me.ask("GET", f"/photos/{photo}")
    assert (told["status"], told["refusal"], told["s3_url"]) == ("refused", NOT_MADE, None)
    assert await gallery.keys(photo) == ["original.jpg"]
    (letter,) = await gallery.parts.jobs.dead_letters()
    assert await gallery.parts.jobs.retry(letter.id)
    assert await gallery.work() == ["thumbnails"]
    told = await gallery.me.ask("GET", f"/photos/{photo}")
    assert (told["status"], told["refusal"]) == ("ready", None)
    assert await gallery.keys(photo) == ["original.jpg", "shared.jpg", "thumbnail.jpg"]


async def test_a_photo_that_was_given_up_is_asked_for_anew(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    await given_up(gallery)
    assert (await gallery.me.ask("POST", f"/photos/{photo}/complete"))["status"] == "processing"
    assert await gallery.work() == ["thumbnails"]
    assert (await gallery.me.ask("GET", f"/photos/{photo}"))["status"] == "ready"


async def test_what_the_person_says_of_a_photo_is_believed_before_the_camera(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg(), taken_at="1975-08-15T12:00:00", location_name="통영")
    await gallery.work()
    after = await gallery.me.ask("GET", f"/photos/{photo}")
    assert (after["taken_at"], after["location_name"]) == ("1975-08-15T03:00:00Z", "통영")


# --- uploading again -------------------------------------------------------------------------------------------------


async def again(gallery: Gallery, content_type: str) -> dict[str, Any]:
    asked = {"filename": "a", "content_type": content_type, "size": len(HEIC) + 9000, "local_uri": "ph://1"}
    return dict(await gallery.me.ask("POST", "/photos/presign", json=asked))


async def status_of(gallery: Gallery, photo: str) -> str:
    return str((await gallery.me.ask("GET", f"/photos/{photo}"))["status"])


async def grow_old(gallery: Gallery, by: timedelta) -> None:
    async with gallery.me.database.transaction() as connection:
        await connection.execute(update(Photo).values(updated_at=datetime.now(UTC) - by - timedelta(minutes=1)))


async def test_a_shown_photo_stays_until_another_has_come(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg(), local_uri="ph://1")
    await gallery.work()
    form = await again(gallery, "image/heic")
    assert form["photo_id"] == photo
    await gallery.me.ask("POST", f"/photos/{photo}/complete", 409)
    there = await gallery.me.ask("GET", f"/photos/{photo}")
    assert there["status"] == "ready" and shown(await gallery.fetched(there["s3_url"]))
    async with gallery.me.database.transaction() as connection:
        row = (await connection.execute(select(Photo.object_key, Photo.content_type))).one()
    assert row.content_type == "image/jpeg"
    assert await gallery.media.head(row.object_key) is not None, "an export finds the original"

    assert (await gallery.send(form, HEIC)).status_code == 204
    assert await status_of(gallery, photo) == "ready"
    assert (await gallery.me.ask("POST", f"/photos/{photo}/complete"))["status"] == "processing"
    await gallery.work()
    assert (await gallery.me.ask("POST", f"/photos/{photo}/complete"))["status"] == "ready", "said again, it is so"
    assert await gallery.media.head(row.object_key) is None, "the old one goes"
    assert await gallery.media.head(form["fields"]["key"]) is not None


async def test_an_original_replaced_while_it_is_worked_on_is_not_taken_for_lost(gallery: Gallery) -> None:
    """What is shown in the end was made of the one that came last."""
    photo = await gallery.uploaded(phone_jpeg(), local_uri="ph://1")
    replaced = asyncio.Event()
    whole = gallery.media.read

    async def read(key: str, max_bytes: int) -> bytes:
        if not replaced.is_set():
            replaced.set()
            assert (await gallery.send(await again(gallery, "image/heic"), HEIC)).status_code == 204
            await gallery.me.ask("POST", f"/photos/{photo}/complete")
        return await whole(key, max_bytes)

    class Replacing:
        """The store, over which another upload comes in the middle."""

        def __getattr__(self, name: str) -> Any:
            return read if name == "read" else getattr(gallery.media, name)

    work = PhotoWork(
        gallery.me.database,
        Replacing(),
        gallery.parts.jobs,
        gallery.parts.notices,
        scratch_of(gallery.parts.settings),
        max_bytes=2**20,
        default_zone="Asia/Seoul",
    )
    assert await work.do(gallery.me.user, photo) == "ready"
    async with gallery.me.database.transaction() as connection:
        row = (await connection.execute(select(Photo.object_key, Photo.size_bytes))).one()
    assert row.object_key.endswith(".heic") and row.size_bytes == len(HEIC)


async def test_an_upload_beside_that_was_never_confirmed_is_swept(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg(), local_uri="ph://1")
    await gallery.work()
    form = await again(gallery, "image/jpeg")
    assert (await gallery.send(form, phone_jpeg())).status_code == 204
    await sweep(gallery.parts)
    assert await gallery.media.head(form["fields"]["key"]) is not None, "it is young"
    await grow_old(gallery, UPLOADS_LIVE)
    await sweep(gallery.parts)
    assert await gallery.media.head(form["fields"]["key"]) is None
    assert await gallery.keys(photo) == ["original.jpg", "shared.jpg", "thumbnail.jpg"]
    assert await status_of(gallery, photo) == "ready"


async def test_an_upload_that_was_never_confirmed_goes_whatever_its_type(gallery: Gallery) -> None:
    forms = [await again(gallery, content_type) for content_type in ("image/jpeg", "image/heic")]
    for form in forms:
        assert (await gallery.send(form, HEIC)).status_code == 204
    await grow_old(gallery, UPLOADS_LIVE)
    await sweep(gallery.parts)
    assert [await gallery.media.head(form["fields"]["key"]) for form in forms] == [None, None]
    assert await status_of(gallery, forms[0]["photo_id"]) == "known"


async def test_a_photo_is_looked_at_once_its_copies_are_made_where_its_person_agreed(gallery: Gallery) -> None:
    await gallery.uploaded(phone_jpeg(), local_uri="ph://1")
    assert await gallery.work() == ["thumbnails"]
    assert await gallery.work() == [], "nobody outside may see it, and nothing else looks"
    await gallery.me.ask("PATCH", "/users/me", json={"consents": {"outside_services": True}})
    photo = await gallery.uploaded(phone_jpeg(), local_uri="ph://2")
    await gallery.work()
    async with gallery.parts.database.transaction() as connection:
        waiting = (
            await connection.execute(select(jobs.c.kind, jobs.c.subject_id).where(jobs.c.status == "pending"))
        ).all()
    assert [tuple(row) for row in waiting] == [("look", photo)]


async def test_what_was_seen_goes_with_the_picture_it_was_seen_on(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg(), local_uri="ph://1")
    await gallery.work()
    async with gallery.parts.database.transaction() as connection:
        await connection.execute(update(Photo).values(analysis=Seen(source="gemini", place="바닷가").as_kept()))
    form = await again(gallery, "image/jpeg")
    assert (await gallery.send(form, phone_jpeg())).status_code == 204
    await gallery.me.ask("POST", f"/photos/{photo}/complete")
    await gallery.work()
    assert (await gallery.me.ask("GET", f"/memories/photos/{photo}/analysis"))["ai_analysis"] is None


# --- through the server ----------------------------------------------------------------------------------------------


async def a_session(someone: Someone) -> str:
    return str((await someone.ask("POST", "/chat/sessions", json={}))["session_id"])


def files(*data: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("files", (f"{index}.jpg", one, "image/jpeg")) for index, one in enumerate(data)]


async def test_a_chosen_photo_with_its_neighbours(gallery: Gallery) -> None:
    session = await a_session(gallery.me)
    sent = [saved(picture(size=(20 + number, 20)), "JPEG", exif=exif()) for number in range(BATCH)]
    answer = await gallery.me.ask("POST", f"/photos/batch-upload?session_id={session}", files=files(*sent))
    assert answer["status"] == "success"
    assert [photo["order"] for photo in answer["photos"]] == [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5]
    assert await gallery.work() == ["thumbnails"] * BATCH
    for number, photo in enumerate(answer["photos"]):
        assert shown(await gallery.fetched(photo["url"])).size == (20 + number, 20)
    there = await gallery.me.ask("GET", f"/chat/sessions/{session}/photos")
    assert [photo["display_order"] for photo in there["photos"]] == list(range(-5, 6))


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ([phone_jpeg(), b"<html>"], 415, "picture_type_refused"),
        ([phone_jpeg(), b"\xff\xd8\xff" + bytes(2**20)], 413, "media_too_large"),
        ([phone_jpeg()] * 12, 422, "request_invalid"),
        ([], 422, "request_invalid"),
    ],
)
async def test_a_batch_comes_in_whole_or_not_at_all(
    gallery: Gallery, sent: list[bytes], status: int, code: str
) -> None:
    session = await a_session(gallery.me)
    request: dict[str, Any] = {"files": files(*sent)} if sent else {"files": {"other": (None, b"a field")}}
    answer = await gallery.me.ask("POST", f"/photos/batch-upload?session_id={session}", status, **request)
    assert answer["code"] == code
    assert (await gallery.me.ask("GET", "/photos"))["items"] == []
    assert await gallery.media.delete_below(f"u/{gallery.me.user}/") == 0, "nothing was left behind"


@pytest.mark.parametrize(
    "body", [b"", b"--x--", b"--y\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--"]
)
async def test_what_is_no_form_is_refused(gallery: Gallery, body: bytes) -> None:
    session = await a_session(gallery.me)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    path = f"/photos/batch-upload?session_id={session}"
    await gallery.me.ask("POST", path, 422, content=body, headers=headers)
    await gallery.me.ask("POST", path, 422, json={"files": []})


# --- what the phone tells --------------------------------------------------------------------------------------------


async def test_a_phones_photos_are_known(gallery: Gallery) -> None:
    told = [
        {"local_uri": "ph://1", "taken_at": "2026-11-01T12:00:00", "location_name": "서울", "unknown": 1},
        {"local_uri": "ph://2", "latitude": 37.5, "longitude": 127.0},
        {"local_uri": "ph://1", "taken_at": "2026-11-02T12:00:00"},
    ]
    answer = await gallery.me.ask("POST", "/photos/sync-metadata", json={"photos": told})
    assert (answer["message"], answer["count"], answer["removed"]) == ("사진 2장을 맞추었어요.", 2, 0)
    assert datetime.fromisoformat(answer["sync_time"]).utcoffset() == timedelta(0)
    again = await gallery.me.ask("POST", "/photos/sync-metadata", json={"photos": told[:1]})
    assert again["count"] == 1
    items = {item["local_uri"]: item for item in (await gallery.me.ask("GET", "/photos"))["items"]}
    assert items.keys() == {"ph://1", "ph://2"}
    assert (items["ph://1"]["taken_at"], items["ph://1"]["location_name"]) == ("2026-11-02T03:00:00Z", "서울")
    assert (items["ph://2"]["latitude"], items["ph://2"]["status"]) == (37.5, "known")
    assert (await gallery.other.ask("GET", "/photos"))["items"] == []


async def test_two_people_have_the_same_names_for_different_photos(gallery: Gallery) -> None:
    for someone, place in ((gallery.me, "부산"), (gallery.other, "대구")):
        told = {"photos": [{"local_uri": "ph://1", "location_name": place}]}
        await someone.ask("POST", "/photos/sync-metadata", json=told)
    (mine,) = (await gallery.me.ask("GET", "/photos"))["items"]
    (theirs,) = (await gallery.other.ask("GET", "/photos"))["items"]
    assert (mine["location_name"], theirs["location_name"]) == ("부산", "대구")
    assert mine["id"] != theirs["id"]


async def test_a_thousand_photos_at_once(gallery: Gallery) -> None:
    told = [{"local_uri": f"ph://{number}", "taken_at": "2020-01-01T00:00:00Z"} for number in range(1000)]
    assert (await gallery.me.ask("POST", "/photos/sync-metadata", json={"photos": told}))["count"] == 1000
    await gallery.me.ask("POST", "/photos/sync-metadata", 422, json={"photos": [*told, told[0]]})
    seen, query = [], "limit=100"
    for _ in range(10):
        page = await gallery.me.ask("GET", f"/photos?{query}")
        seen += [item["id"] for item in page["items"]]
        query = f"limit=100&cursor={page['next_cursor']}"
    assert (len(set(seen)), page["next_cursor"]) == (1000, None)


async def test_what_is_gone_from_the_phone_goes_unless_it_was_used(gallery: Gallery) -> None:
    names = ["known", "uploaded", "talked", "chosen"]
    await gallery.me.ask("POST", "/photos/sync-metadata", json={"photos": [{"local_uri": name} for name in names]})
    await gallery.uploaded(phone_jpeg(), local_uri="uploaded")
    await gallery.me.ask("POST", "/chat/sessions", json={"photo_id": "chosen"})
    talked = await gallery.me.ask("POST", "/chat/sessions", json={})
    await gallery.me.ask("POST", f"/chat/sessions/{talked['session_id']}/photos?photo_id=talked")
    gone = {"photos": [], "removed": names}
    assert (await gallery.other.ask("POST", "/photos/sync-metadata", json=gone))["removed"] == 0
    assert (await gallery.me.ask("POST", "/photos/sync-metadata", json=gone))["removed"] == 1
    left = {item["local_uri"] for item in (await gallery.me.ask("GET", "/photos"))["items"]}
    assert left == set(names) - {"known"}


async def test_a_correction_outlives_the_next_synchronisation(gallery: Gallery) -> None:
    told = {"photos": [{"local_uri": "ph://1", "location_name": "서울", "taken_at": "2026-01-01T00:00:00Z"}]}
    await gallery.me.ask("POST", "/photos/sync-metadata", json=told)
    (item,) = (await gallery.me.ask("GET", "/photos"))["items"]
    changed = {"location_name": "통영 외갓집", "taken_at": "1968-05-05"}
    await gallery.me.ask("PATCH", f"/photos/{item['id']}", json=changed)
    await gallery.me.ask("POST", "/photos/sync-metadata", json=told)
    after = await gallery.me.ask("GET", f"/photos/{item['id']}")
    assert (after["location_name"], after["taken_at"]) == ("통영 외갓집", "1968-05-04T15:00:00Z")
    after = await gallery.me.ask("PATCH", f"/photos/{item['id']}", json={"taken_at": None})
    assert (after["location_name"], after["taken_at"]) == ("통영 외갓집", None)


# --- looking at them -------------------------------------------------------------------------------------------------


async def test_the_newest_come_first_and_leafing_loses_none(gallery: Gallery) -> None:
    user, store = gallery.me.user, gallery.me.database
    same = [await things.photo(store, user) for _ in range(3)]
    newer = await things.photo(store, user, taken_at=things.NOON + timedelta(days=1))
    untaken = await things.photo(store, user, taken_at=None, created_at=things.NOON - timedelta(days=1))
    seen, query = [], "limit=2"
    while query:
        page = await gallery.me.ask("GET", f"/photos?{query}")
        seen += [item["id"] for item in page["items"]]
        query = f"limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == [newer, *sorted(same, reverse=True), untaken]
    await gallery.me.ask("GET", "/photos?cursor=nonsense", 422)
    only = await gallery.me.ask("GET", "/photos?status=known")
    assert only["items"] == []


async def test_those_offered_least_come_first_and_are_counted(gallery: Gallery) -> None:
    ids = [await things.photo(gallery.me.database, gallery.me.user) for _ in range(6)]
    first = await gallery.me.ask("GET", "/photos/random?limit=4")
    assert [photo["view_count"] for photo in first] == [1, 1, 1, 1]
    second = await gallery.me.ask("GET", "/photos/refresh?limit=4")
    offered = {photo["id"] for photo in (*first, *second)}
    assert offered == set(ids), "whoever was not offered comes before who was"
    assert sorted(photo["view_count"] for photo in second) == [1, 1, 2, 2]
    assert set(first[0]) >= {"id", "local_uri", "s3_url", "taken_at", "location_name", "ai_analysis", "view_count"}


async def test_photos_around_one(gallery: Gallery) -> None:
    user, store = gallery.me.user, gallery.me.database
    main = await things.photo(store, user, latitude=34.85, longitude=128.43)
    day = await things.photo(store, user, taken_at=things.NOON + timedelta(days=1))
    week = await things.photo(store, user, taken_at=things.NOON - timedelta(days=7))
    place = await things.photo(store, user, taken_at=None, latitude=34.855, longitude=128.425)
    far = await things.photo(store, user, taken_at=None, latitude=35.2, longitude=129.0)
    theirs = await things.photo(store, gallery.other.user)
    for path in (f"/photos/related?photo_id={main}", f"/photos/{main}/related"):
        assert [photo["id"] for photo in await gallery.me.ask("GET", path)] == [day, week, place, far]
    session = (await gallery.me.ask("POST", "/chat/sessions", json={"photo_id": main}))["session_id"]
    around = await gallery.me.ask("GET", f"/photos/related?session_id={session}&limit=2")
    assert [photo["id"] for photo in around] == [day, week]
    await gallery.me.ask("GET", "/photos/related", 422)
    await gallery.me.ask("GET", f"/photos/related?photo_id={main}&session_id={session}", 422)
    await gallery.me.ask("GET", f"/photos/related?photo_id={theirs}", 404)


# --- deleting, and whose they are ------------------------------------------------------------------------------------


async def test_a_deleted_photo_is_gone_everywhere(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    await gallery.work()
    session = (await gallery.me.ask("POST", "/chat/sessions", json={"photo_id": photo}))["session_id"]
    link = (await gallery.me.ask("GET", f"/photos/{photo}"))["s3_url"]
    await gallery.me.ask("DELETE", f"/photos/{photo}", 204)
    await gallery.me.ask("GET", f"/photos/{photo}", 404)
    await gallery.me.ask("DELETE", f"/photos/{photo}", 404)
    assert await gallery.keys(photo) == []
    async with httpx.AsyncClient(trust_env=False) as nobody:
        assert (await nobody.get(urljoin(str(gallery.me.client.base_url), link))).status_code == 404
    there = await gallery.me.ask("GET", f"/chat/sessions/{session}/photos")
    assert there["photos"] == []
    audit = Model.metadata.tables[Audit.__tablename__]
    async with gallery.me.database.transaction() as connection:
        asked = select(audit.c.subject_id).where(audit.c.user_id == gallery.me.user, audit.c.action == "photo_deleted")
        assert list((await connection.execute(asked)).scalars()) == [photo]


async def test_what_a_form_brings_after_the_deletion_goes_too(gallery: Gallery) -> None:
    forms = [await again(gallery, content_type) for content_type in ("image/jpeg", "image/heic")]
    photo = forms[0]["photo_id"]
    session = await a_session(gallery.me)
    await gallery.me.ask("POST", f"/chat/sessions/{session}/photos?photo_id={photo}")
    await gallery.me.ask("DELETE", f"/photos/{photo}", 204)
    for form in forms:
        assert (await gallery.send(form, HEIC)).status_code == 204
    await gallery.me.ask("POST", f"/photos/{photo}/complete", 404)
    await gallery.me.ask("POST", "/chat/sessions", 404, json={"photo_id": photo})
    assert (await gallery.me.ask("GET", "/photos"))["items"] == []
    assert (await gallery.me.ask("GET", f"/chat/sessions/{session}/photos"))["photos"] == []
    assert (await again(gallery, "image/jpeg"))["photo_id"] != photo, "the phone's name is free again"
    await sweep(gallery.parts)
    assert await gallery.media.head(forms[0]["fields"]["key"]) is not None, "more may come"
    await grow_old(gallery, LATE_UPLOAD)
    await sweep(gallery.parts)
    assert [await gallery.media.head(form["fields"]["key"]) for form in forms] == [None, None]
    async with gallery.me.database.transaction() as connection:
        assert photo not in set((await connection.execute(select(Photo.id))).scalars())


async def test_a_photo_deleted_while_it_is_worked_on_leaves_nothing(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    deleted = asyncio.Event()
    whole = gallery.media.put

    async def put(key: str, data: bytes | Path, content_type: str) -> Any:
        if key.endswith("thumbnail.jpg") and not deleted.is_set():
            deleted.set()
            await gallery.me.ask("DELETE", f"/photos/{photo}", 204)
        return await whole(key, data, content_type)

    class Deleting:
        """The store, over which the person's own deletion comes in the middle."""

        def __getattr__(self, name: str) -> Any:
            return put if name == "put" else getattr(gallery.media, name)

    work = PhotoWork(
        gallery.me.database,
        Deleting(),
        gallery.parts.jobs,
        gallery.parts.notices,
        scratch_of(gallery.parts.settings),
        max_bytes=2**20,
        default_zone="Asia/Seoul",
    )
    assert await work.do(gallery.me.user, photo) == "gone"
    assert deleted.is_set() and await gallery.keys(photo) == []


async def test_nobody_reaches_anothers_photo(gallery: Gallery) -> None:
    photo = await gallery.uploaded(phone_jpeg())
    session = await a_session(gallery.me)
    other = gallery.other
    for method, path in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/complete"),
        ("GET", "/related"),
    ):
        body = {"json": {"location_name": "내 것"}} if method == "PATCH" else {}
        assert (await other.ask(method, f"/photos/{photo}{path}", 404, **body))["code"] == "not_found"
    await other.ask("POST", f"/photos/batch-upload?session_id={session}", 404, files=files(phone_jpeg()))
    await other.ask("GET", f"/photos/related?session_id={session}", 404)
    assert await gallery.keys(photo) == ["original.jpg"]
    photos = Model.metadata.tables[Photo.__tablename__]
    async with gallery.me.database.transaction() as connection:
        owners = set((await connection.execute(select(photos.c.user_id))).scalars())
    assert owners == {gallery.me.user}
