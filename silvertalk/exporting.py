"""Giving somebody everything that is theirs: one ZIP of JSON, photos, voices, films and pictures, made by a worker and
fetched by a link.

It is written to a file page by page and object by object, so that whoever has talked for years costs no more memory
than whoever came today, and lies in the media store among the person's own things until it expires.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Row, Table, and_, or_, select, update
from sqlalchemy.sql import ColumnElement

from silvertalk.audit import note
from silvertalk.belongings import BELONGINGS, Belonging
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import AccountErased, MediaTooLarge
from silvertalk.generation_records import Generation, GenerationRecords, asked_at, outputs_prefix
from silvertalk.job_kinds import Report, WorkParts
from silvertalk.jobs import JobRow, Jobs
from silvertalk.keys import signing_secret
from silvertalk.media.store import MediaStore, user_prefix
from silvertalk.models import Job
from silvertalk.scratch import scratch_folder, scratch_of
from streaming.logs import logger

log = logger("exporting")

KEPT = timedelta(days=3)
PAGE_ROWS = 500
MAX_OBJECT_BYTES = 128 * 1024 * 1024
"""A larger one is named in the export and left out; nothing that this server makes or takes is."""
FILENAME = "실버톡-내-기록.zip"
READ_ME = """실버톡에 남아 있는 내 기록이에요.

users.json          나에 대한 것
sessions.json       나눈 이야기
turns.json          이야기의 한 마디 한 마디 (transcript: 내가 한 말, heard: 복실이에게서 들은 말)
memories.json       복실이가 기억하는 것
photos.json         사진의 때와 곳, photos/ 에 사진
calendar_events.json 달력
videos.json         추억 영상, videos/ 에 영상
generated.json      만들어 달라고 하신 그림과 영상, generated/ 에 그 그림과 영상
voices/             간직하기로 하신 내 목소리
나머지              설정, 동의, 로그인, 기기, 지난 작업

시각은 모두 UTC예요.
"""

_jobs: Table = Job.__table__  # type: ignore[assignment]

State = Literal["none", "preparing", "ready", "failed", "expired"]


class Export(NamedTuple):
    """A person's newest export. `link` is there while it is ready, and good for some minutes."""

    state: State
    job: str = ""
    progress: float = 0.0
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    size_bytes: int = 0
    link: str = ""


# --- asking ----------------------------------------------------------------------------------------------------------


async def ask_for_export(database: Database, jobs: Jobs, user: str) -> Export:
    """Have one made; one that is being made is that one."""
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        job = await jobs.record(connection, "export", user, user)
        await note(connection, user, "export_asked", job)
    await jobs.start(job)
    return await export_of(database, None, user)


async def export_of(database: Database, media: MediaStore | None, user: str) -> Export:
    """How far the newest is; with a link where it is ready and `media` is given, which is audited."""
    newest = (
        select(_jobs)
        .where(_jobs.c.user_id == user, _jobs.c.kind == "export")
        .order_by(_jobs.c.created_at.desc(), _jobs.c.id)
        .limit(1)
    )
    async with database.transaction() as connection:
        row = (await connection.execute(newest)).one_or_none()
        if row is None:
            return Export("none")
        state = _state(row)
        if state == "ready" and media is not None:
            await note(connection, user, "export_link_given", row.id)
    expires_at = _expiry(row)
    ready = state == "ready"
    return Export(
        state,
        job=row.id,
        progress=row.progress,
        asked_at=row.created_at,
        expires_at=expires_at,
        size_bytes=row.result.get("size_bytes", 0) if ready else 0,
        link=await media.link(row.result["key"], filename=FILENAME) if ready and media is not None else "",
    )


def _state(row: Row[Any]) -> State:
    if row.status in ("pending", "running"):
        return "preparing"
    if row.status != "done" or "key" not in row.result:
        return "expired" if row.status == "done" else "failed"
    expires_at = _expiry(row)
    return "ready" if expires_at is not None and expires_at > datetime.now(UTC) else "expired"


def _expiry(row: Row[Any]) -> datetime | None:
    moment = row.result.get("expires_at")
    return None if moment is None else datetime.fromisoformat(moment)


async def sweep_exports(database: Database, media: MediaStore, limit: int = 100) -> int:
    """A worker's round: delete what has expired; how many there were. Raises DatabaseAway, MediaAway."""
    old = datetime.now(UTC) - KEPT
    done = select(_jobs.c.id, _jobs.c.result).where(
        _jobs.c.kind == "export", _jobs.c.status == "done", _jobs.c.updated_at < old
    )
    async with database.transaction() as connection:
        rows = [row for row in await connection.execute(done.limit(limit)) if "key" in row.result]
    for row in rows:
        await media.delete(row.result["key"])
        async with database.transaction() as connection:
            await connection.execute(update(_jobs).where(_jobs.c.id == row.id).values(result={}))
    return len(rows)


# --- the job ---------------------------------------------------------------------------------------------------------


async def make_export(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    """The job "export"."""
    folder = f"{user_prefix(job.user_id)}exports/"
    await parts.media.delete_below(folder)  # an older one, and what an earlier try has left
    async with scratch_folder(scratch_of(parts.settings), "export") as scratch:
        path = scratch / "export.zip"
        await _Export(parts, job.user_id, path, report).write()
        await report("storing", 0.95)
        stored = await parts.media.put(f"{folder}{job.id}.zip", path, "application/zip")
    try:
        async with parts.database.transaction() as connection:
            await refuse_erased(connection, job.user_id)
    except AccountErased:  # while it was made, and all that was theirs is deleted already
        await parts.media.delete_below(folder)
        raise
    expires_at = datetime.now(UTC) + KEPT
    return {"key": stored.key, "size_bytes": stored.size_bytes, "expires_at": expires_at.isoformat()}


class _Export:
    """One ZIP as it is written. Rows and objects are fetched here and packed on a thread."""

    def __init__(self, parts: WorkParts, user: str, path: Path, report: Report) -> None:
        self._parts = parts
        self._user = user
        self._path = path
        self._report = report
        self._left_out: list[str] = []

    async def write(self) -> None:
        given = [belonging for belonging in BELONGINGS if belonging.given]
        with zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("읽어 주세요.txt", READ_ME)
            for number, belonging in enumerate(given):
                await self._report(belonging.table.name, 0.9 * number / len(given))
                objects = await self._rows(packed, belonging)
                for key, name in objects:
                    await self._object(packed, key, name)
            await self._generated(packed)
            packed.writestr("left_out.json", json.dumps(self._left_out))

    async def _rows(self, packed: zipfile.ZipFile, belonging: Belonging) -> list[tuple[str, str]]:
        """The table's rows as a JSON array; returns the objects they name, and what to call them."""
        objects: list[tuple[str, str]] = []
        with packed.open(f"{belonging.table.name}.json", "w", force_zip64=True) as entry:
            entry.write(b"[")
            between = b"\n"
            async for page in self._pages(belonging):
                for row in page:
                    objects += _objects(belonging, row)
                text = (between + b",\n".join(_line(belonging, row) for row in page)) if page else b""
                await asyncio.to_thread(entry.write, text)
                between = b",\n"
            entry.write(b"\n]\n")
        return objects

    async def _pages(self, belonging: Belonging) -> AsyncIterator[Sequence[Row[Any]]]:
        """In the order of the primary key, each page after the last row of the one before."""
        table, columns = belonging.table, list(belonging.table.primary_key.columns)
        after: ColumnElement[bool] | None = None
        while True:
            asked = select(table).where(belonging.of(self._user)).order_by(*columns).limit(PAGE_ROWS)
            async with self._parts.database.transaction() as connection:
                page = (await connection.execute(asked if after is None else asked.where(after))).all()
            yield page
            if len(page) < PAGE_ROWS:
                return
            last = page[-1]._mapping
            after = or_(
                *(
                    and_(*(earlier == last[earlier.name] for earlier in columns[:at]), column > last[column.name])
                    for at, column in enumerate(columns)
                )
            )

    async def _generated(self, packed: zipfile.ZipFile) -> None:
        """What a model made for them, which no table knows of: their words, and what came of them. Redis may have lost
        its memory; what lies in the store is given all the same. Raises BusUnavailable."""
        settings, below = self._parts.settings, outputs_prefix(self._user)
        records = GenerationRecords(self._parts.bus, signing_secret(settings), days=settings.generated_days)
        theirs = {generation.id: generation async for generation in records.all_of(self._user)}
        lines = [_told(theirs[generation]) for generation in sorted(theirs)]
        packed.writestr("generated.json", json.dumps(lines, ensure_ascii=False, indent=1, default=_plain))
        named = [key for one in theirs.values() for key in (*one.keys, one.source) if key.startswith(below)]
        for key in dict.fromkeys([*named, *await self._parts.media.some_below(below)]):
            await self._object(packed, key, f"generated/{_flat(key.removeprefix(below))}")

    async def _object(self, packed: zipfile.ZipFile, key: str, name: str) -> None:
        try:
            stored = await self._parts.media.head(key)
            if stored is None:
                return
            data = await self._parts.media.read(key, MAX_OBJECT_BYTES)
        except (KeyError, MediaTooLarge):
            self._left_out.append(name)
            return
        suffix = Path(key).suffix or mimetypes.guess_extension(stored.content_type) or ""
        # A photo is packed already; packing it again takes time and gains nothing.
        await asyncio.to_thread(packed.writestr, f"{name}{suffix}", data, zipfile.ZIP_STORED)


def _told(generation: Generation) -> dict[str, Any]:
    """A generation as its person knows it."""
    shown = ("id", "kind", "prompt", "video_prompt", "aspect_ratio", "status", "error_code")
    asked = {"asked_at": datetime.fromtimestamp(asked_at(generation.id), UTC)}
    return {name: getattr(generation, name) for name in shown} | asked


def _flat(name: str) -> str:
    """A key's name as a file's, without its suffix: "1d…/0.jpg" is "1d…-0"."""
    return name.removesuffix(Path(name).suffix).replace("/", "-")


def _objects(belonging: Belonging, row: Row[Any]) -> list[tuple[str, str]]:
    return [
        (row._mapping[column], f"{folder}/{_name(belonging, row)}")
        for column, folder in belonging.media
        if row._mapping[column]
    ]


def _name(belonging: Belonging, row: Row[Any]) -> str:
    """What an object is called: as its row can be found in the JSON."""
    known = row._mapping
    return f"{known['session_id']}-{known['number']}" if "number" in known else str(known["id"])


def _line(belonging: Belonging, row: Row[Any]) -> bytes:
    shown = {name: value for name, value in row._mapping.items() if name not in belonging.hidden}
    return json.dumps(shown, ensure_ascii=False, default=_plain).encode("utf-8", "replace")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
