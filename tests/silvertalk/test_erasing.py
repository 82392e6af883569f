"""Who asks to be deleted is deleted, whatever happens meanwhile, and nobody else is touched."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.engine import make_url
from starlette.responses import Response

from silvertalk import audit, erasing
from silvertalk.belongings import BELONGINGS
from silvertalk.columns import Model
from silvertalk.database import Database, user_hash
from silvertalk.erasing import ask_to_erase, erase_person, receipt_of
from silvertalk.errors import AccountErased, KakaoAway
from silvertalk.generation_records import Generation, GenerationRecords, new_generation_id, outputs_prefix
from silvertalk.job_kinds import JobPostponed, WorkParts
from silvertalk.jobs import TRIES, JobRow, Jobs
from silvertalk.kept_answers import Answers, Kept
from silvertalk.keys import signing_secret
from silvertalk.media.store import open_media, user_prefix
from silvertalk.models import Job, Photo, User
from silvertalk.notices import Notices
from silvertalk.people import ensure_person, new_person
from silvertalk.revocations import Revocations
from silvertalk.setting_values import database_url
from silvertalk.settings import Settings
from silvertalk.standins.kakao import KakaoStandIn
from silvertalk.standins.serving import served
from silvertalk.tokens import AccessTokens
from streaming.bus import Bus, Journal
from streaming.messages import SessionOpened
from tests.postgres import Postgres
from tests.silvertalk.furnishing import furnish, rows_with
from tests.silvertalk.records import record
from tests.valkey import Valkey

ME, OTHER = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "0b7f3c9a-52a4-4d2e-9d1a-3f6c8f0e1d2b"
MARK, OTHERS = "canarymine", "canaryother"


@pytest.fixture(params=["sqlite", "postgresql"])
async def parts(request: pytest.FixtureRequest, tmp_path: Path, valkey: Valkey) -> AsyncIterator[WorkParts]:
    settings = Settings(data_dir=tmp_path / "var")
    url = settings.database
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(url))
        bus = await stack.enter_async_context(Bus.open([valkey.url], name="worker"))
        media = await stack.enter_async_context(open_media(settings))
        await database.wait_ready()
        yield WorkParts(
            settings=settings,
            bus=bus,
            database=database,
            media=media,
            jobs=Jobs(database),
            notices=Notices(bus, database),
            revocations=Revocations(bus, database),
        )


async def the_job(parts: WorkParts, receipt: str) -> JobRow:
    async with parts.database.transaction() as connection:
        job = select(Job.id).where(Job.subject_id == receipt)
        found = (await connection.execute(job)).scalar_one()
    held = await parts.jobs.claim(found, timedelta(0))
    assert held is not None
    return held


async def ask(parts: WorkParts, user: str = ME) -> str:
    return (await ask_to_erase(parts.database, parts.jobs, parts.revocations, user)).receipt


async def nothing_to_report(stage: str, progress: float) -> None:
    """Nobody listens."""


async def everything(parts: WorkParts, user: str, mark: str) -> str:
    """Rows in every table, two objects, a conversation's journal, notices, an answer; returns the conversation."""
    await furnish(parts.database, user, mark)
    for name in ("photos/1/original.jpg", "voice/2/1.flac"):
        await parts.media.put(f"{user_prefix(user)}{name}", mark.encode(), "image/jpeg")
    session = secrets.token_hex(16)
    journal = await Journal.own(parts.bus, session, gateway="g")
    await journal.append(SessionOpened(user=user, language="ko", reply_rate=24_000), number=1)
    await parts.bus.notices.publish(user, [mark.encode()])
    answers = Answers(parts.bus, signing_secret(parts.settings))
    await parts.bus.values.put(answers.known(user, "key-of-mine", b"").name, mark.encode(), 100)
    return session


def found_in_redis(valkey: Valkey, mark: str) -> list[str]:
    kinds: Any = {b"stream": valkey.client.xrange, b"string": valkey.client.get}
    keys: list[bytes] = list(valkey.client.scan_iter("*"))
    return [
        key.decode()
        for key in keys
        if mark in f"{key!r} {kinds.get(valkey.client.type(key), valkey.client.dump)(key)!r}"
    ]


def found_in_files(folder: Path, mark: str) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and mark.encode() in path.read_bytes()]


def test_every_table_is_somebodys_or_names_nobody() -> None:
    known = {belonging.table.name for belonging in BELONGINGS}
    assert known | {"erasures"} == {table.name for table in Model.metadata.sorted_tables}
    order = [belonging.table for belonging in BELONGINGS]
    for table in order:
        for key in table.foreign_keys:
            assert order.index(table) < order.index(key.column.table), "what hangs on something goes before it"


async def test_nothing_is_left_of_one_and_all_of_the_other(parts: WorkParts, valkey: Valkey) -> None:
    await everything(parts, ME, MARK)
    kept = await everything(parts, OTHER, OTHERS)
    before = await rows_with(parts.database, OTHERS, OTHER)
    receipt = await ask(parts)
    job = await the_job(parts, receipt)
    assert await rows_with(parts.database, MARK), "the mark can be found"
    assert found_in_files(parts.settings.media_folder, MARK)
    assert found_in_redis(valkey, MARK)
    await erase_person(parts, job, nothing_to_report)
    assert await rows_with(parts.database, MARK, ME) == []
    assert found_in_files(parts.settings.media_folder, MARK) == []
    assert found_in_redis(valkey, MARK) == []
    assert found_in_redis(valkey, ME) == ["silvertalk:control"], "for an hour: every gateway hears that they left"
    assert await rows_with(parts.database, OTHERS, OTHER) == before
    assert len(found_in_files(parts.settings.media_folder, OTHERS)) == 2
    assert len(await Journal.peek(parts.bus, kept)) == 1
    assert len(found_in_redis(valkey, OTHERS)) == 2, "a notice and an answer"
    done = await receipt_of(parts.database, receipt)
    assert done is not None
    assert done.completed_at is not None
    assert done.counts == {belonging.table.name: 1 for belonging in BELONGINGS} | {"objects": 2}


async def test_who_asks_twice_has_one_receipt(parts: WorkParts) -> None:
    assert await ask(parts) == await ask(parts)
    assert await ask(parts, OTHER) != await ask(parts)
    assert await receipt_of(parts.database, str(uuid.uuid4())) is None


@pytest.mark.parametrize("killed_at", ["media", "rows", "redis", "kakao", "late"])
async def test_it_is_killed_after_any_step_and_goes_on(parts: WorkParts, valkey: Valkey, killed_at: str) -> None:
    await everything(parts, ME, MARK)
    receipt = await ask(parts)

    async def killed(stage: str, progress: float) -> None:
        if stage == killed_at:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await erase_person(parts, await the_job(parts, receipt), killed)
    await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
    assert await rows_with(parts.database, MARK, ME) == []
    assert found_in_redis(valkey, MARK) == []
    done = await receipt_of(parts.database, receipt)
    assert done is not None
    assert done.completed_at is not None
    assert done.counts["turns"] == 1


async def test_what_comes_late_is_refused(parts: WorkParts) -> None:
    async with parts.database.transaction() as connection:
        await ensure_person(parts.database, connection, ME)
    receipt = await ask(parts)
    with pytest.raises(AccountErased):
        await parts.database.commit_turn(record(user=ME))
    await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
    with pytest.raises(AccountErased):
        await parts.database.commit_turn(record(user=ME))
    with pytest.raises(AccountErased):
        await parts.database.change_habits(ME, lambda habit: {"loudness": 2.0})
    with pytest.raises(AccountErased):
        async with parts.database.transaction() as connection:
            await ensure_person(parts.database, connection, ME)
    assert await rows_with(parts.database, ME) == []


async def test_an_answer_that_was_still_being_made_is_kept_nowhere(parts: WorkParts) -> None:
    answers = Answers(parts.bus, signing_secret(parts.settings))
    before, after = (answers.known(ME, f"key-of-mine-{number}", b"h" * 32) for number in (1, 2))

    async def meanwhile(stage: str, progress: float) -> None:
        """One request is at work all the time, another had shown its token just before it was worth nothing."""
        if stage == "kakao":
            await answers.keep(before, Kept(before.request, "done", 200, (), MARK.encode()))
            assert await answers.begin(after) is None
            await answers.keep(after, Kept(after.request, "done", 200, (), MARK.encode()))

    assert await answers.begin(before) is None
    receipt = await ask(parts)
    await erase_person(parts, await the_job(parts, receipt), meanwhile)
    assert [await parts.bus.values.get(known.name) for known in (before, after)] == [None, None]


async def test_a_writer_that_came_first_is_waited_for(parts: WorkParts) -> None:
    """What it writes is committed before the tombstone, and so before the job looks."""
    written = asyncio.Event()
    go_on = asyncio.Event()

    async def writer() -> None:
        async with parts.database.transaction() as connection:
            await ensure_person(parts.database, connection, ME)
            written.set()
            await go_on.wait()

    writing = asyncio.create_task(writer())
    await written.wait()
    asking = asyncio.create_task(ask(parts))
    done, _ = await asyncio.wait([asking], timeout=0.3)
    assert not done, "the writer has the person in hand"
    go_on.set()
    await writing
    await erase_person(parts, await the_job(parts, await asking), nothing_to_report)
    assert await rows_with(parts.database, ME) == []


async def test_tokens_are_worth_nothing_at_once(parts: WorkParts) -> None:
    identity = AccessTokens(signing_secret(parts.settings)).issue(ME, "guest").identity
    await parts.revocations.check(identity)
    await ask(parts)
    with pytest.raises(Exception, match=r"revoked|deleted"):
        await parts.revocations.check(identity)


async def test_a_guest_without_a_row_is_deleted_too(parts: WorkParts) -> None:
    await parts.database.commit_turn(record(user=ME))
    receipt = await ask(parts)
    await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
    assert await rows_with(parts.database, ME) == []
    done = await receipt_of(parts.database, receipt)
    assert done is not None
    assert done.counts == {"turns": 1, "sessions": 1}


async def test_what_a_model_made_for_the_guest_they_were_goes_too(parts: WorkParts) -> None:
    records = GenerationRecords(parts.bus, signing_secret(parts.settings), days=1)
    guest = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    for user in (ME, guest, OTHER):
        await records.add(Generation(id=new_generation_id(), user=user, kind="image", prompt=MARK))
        await parts.media.put(f"{outputs_prefix(user)}1/0.jpg", MARK.encode(), "image/jpeg")
    async with parts.database.transaction() as connection:
        await audit.note(connection, ME, "guest_joined", guest)
    receipt = await ask(parts)
    with suppress(JobPostponed):  # an upload of the guest's may still come
        await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
    left = {user: [one async for one in records.all_of(user)] for user in (ME, guest, OTHER)}
    assert {user: len(those) for user, those in left.items()} == {ME: 0, guest: 0, OTHER: 1}
    assert [await parts.media.some_below(outputs_prefix(user)) for user in (ME, guest)] == [[], []]
    assert await parts.media.some_below(outputs_prefix(OTHER)) == [f"{outputs_prefix(OTHER)}1/0.jpg"]


@pytest.mark.parametrize("status", ["awaited", "ready", "deleted"])
async def test_an_upload_that_is_still_allowed_is_waited_for(
    parts: WorkParts, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """A form given just before is good for a while, and what it brings goes with all the rest."""
    monkeypatch.setattr(erasing, "LATE_UPLOAD", timedelta(seconds=3))
    await furnish(parts.database, ME, MARK)
    async with parts.database.transaction() as connection:
        if status == "deleted":
            await connection.execute(delete(Photo))
            await audit.note(connection, ME, "photo_deleted", "1")
        else:
            await connection.execute(update(Photo).values(status=status, updated_at=datetime.now(UTC)))
    late = f"{user_prefix(ME)}photos/2/original.jpg"

    async def upload(stage: str, progress: float) -> None:
        if stage == "late":
            await parts.media.put(late, MARK.encode(), "image/jpeg")

    receipt = await ask(parts)
    with pytest.raises(JobPostponed) as postponed:
        await erase_person(parts, await the_job(parts, receipt), upload)
    await asyncio.sleep(postponed.value.seconds)
    await erase_person(parts, await the_job(parts, receipt), upload)
    assert await parts.media.head(late) is None
    done = await receipt_of(parts.database, receipt)
    assert done is not None
    assert done.counts["objects"] == 2, "it was brought twice"


async def test_the_tombstone_names_nobody(parts: WorkParts) -> None:
    receipt = await ask(parts)
    await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
    (found,) = await rows_with(parts.database, user_hash(ME))
    assert found.startswith("erasures")


@pytest.mark.parametrize("parts", ["sqlite"], indirect=True)
async def test_it_is_complete_once_the_databases_file_is_wiped(
    parts: WorkParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.database, "_timeout", 1.0)
    await everything(parts, ME, MARK)
    receipt = await ask(parts)
    path = Path(str(make_url(parts.settings.database).database))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM turns").fetchone()
        with pytest.raises(JobPostponed):
            await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
        waiting = await receipt_of(parts.database, receipt)
        assert waiting is not None
        assert waiting.completed_at is None
        reader.execute("ROLLBACK")
        await erase_person(parts, await the_job(parts, receipt), nothing_to_report)
        done = await receipt_of(parts.database, receipt)
        assert done is not None
        assert done.completed_at is not None
        assert done.counts == {belonging.table.name: 1 for belonging in BELONGINGS} | {"objects": 2}
        assert found_in_files(path.parent, MARK) == []
        assert found_in_files(path.parent, ME) == []


@pytest.mark.parametrize("near_its_end", [False, True])
async def test_kakao_is_waited_for_for_days_and_then_gone_without(parts: WorkParts, near_its_end: bool) -> None:
    """Nothing of ours is left by then; what it still waits for is in the job's row."""
    async with served(kakao_away) as address:
        kakao = {"kakao_api_url": address, "kakao_admin_key": "an-admin-key"}
        kakao |= {"kakao_rest_key": "a-key", "kakao_app_id": "1"}
        settings = Settings.model_validate({"data_dir": parts.settings.data_dir, **kakao})
        knowing_kakao = replace(parts, settings=settings)
        await furnish(parts.database, ME, MARK)
        async with parts.database.transaction() as connection:
            await connection.execute(update(User).where(User.id == ME).values(kakao_id="1234567"))
        receipt = await ask(parts)
        job = await the_job(parts, receipt)
        if near_its_end:
            await erase_person(knowing_kakao, job._replace(deadline_at=datetime.now(UTC)), nothing_to_report)
        else:
            with pytest.raises(KakaoAway):
                await erase_person(knowing_kakao, job._replace(attempts=TRIES), nothing_to_report)
    done = await receipt_of(parts.database, receipt)
    assert done is not None
    assert (done.completed_at is not None) is near_its_end


@pytest.mark.parametrize("back", ["after", "before"])
async def test_who_is_back_meanwhile_is_not_unlinked(
    parts: WorkParts, monkeypatch: pytest.MonkeyPatch, back: str
) -> None:
    """Kakao is asked once, however often the job is begun again, and not where there is a new account already."""
    monkeypatch.setattr(erasing, "LATE_UPLOAD", timedelta(seconds=3))
    kakao = KakaoStandIn()
    person = {"kakao_id": "1001"}
    async with served(kakao.app) as address:
        knowing = {"kakao_api_url": address, "kakao_auth_url": address, "kakao_admin_key": "practice-admin-key"}
        knowing |= {"kakao_rest_key": "practice-rest-key", "kakao_app_id": "100001"}
        settings = Settings.model_validate({"data_dir": parts.settings.data_dir, **knowing})
        knowing_kakao = replace(parts, settings=settings)
        await furnish(parts.database, ME, MARK)
        async with parts.database.transaction() as connection:
            await connection.execute(update(User).where(User.id == ME).values(person))
            await audit.note(connection, ME, "photo_deleted", "1")
        receipt = await ask(parts)
        if back == "before":
            with pytest.raises(asyncio.CancelledError):
                await erase_person(knowing_kakao, await the_job(parts, receipt), killed_before_kakao)
        else:
            with pytest.raises(JobPostponed):
                await erase_person(knowing_kakao, await the_job(parts, receipt), nothing_to_report)
        assert kakao.unlinked == ([] if back == "before" else [1001])
        async with parts.database.transaction() as connection:
            await connection.execute(parts.database.insert(User.__table__).values(new_person(OTHER, **person)))
            if back == "after":
                await connection.execute(update(User).where(User.id == OTHER).values(kakao_id=None))
        kakao.unlinked.clear()
        await asyncio.sleep(3)
        await erase_person(knowing_kakao, await the_job(parts, receipt), nothing_to_report)
        assert kakao.unlinked == []
    done = await receipt_of(parts.database, receipt)
    assert done is not None
    assert done.completed_at is not None
    assert ("kakao" in done.counts) is (back == "after")


async def killed_before_kakao(stage: str, progress: float) -> None:
    if stage == "kakao":
        raise asyncio.CancelledError


async def kakao_away(scope: Any, receive: Any, send: Any) -> None:
    await Response(status_code=503)(scope, receive, send)
