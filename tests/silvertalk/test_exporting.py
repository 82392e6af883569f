"""All that is somebody's in one ZIP, and nothing that is another's or the server's own."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select, update

from silvertalk import exporting
from silvertalk.belongings import BELONGINGS
from silvertalk.errors import AccountErased
from silvertalk.exporting import ask_for_export, export_of, make_export, sweep_exports
from silvertalk.generation_records import Generation, GenerationRecords, new_generation_id, output_prefix
from silvertalk.job_kinds import WorkParts
from silvertalk.keys import signing_secret
from silvertalk.media.store import user_prefix
from silvertalk.models import Audit, Job, Memory, Photo, Turn
from tests.silvertalk.furnishing import furnish
from tests.silvertalk.test_erasing import ME, OTHER, ask, nothing_to_report, parts

__all__ = ["parts"]
MARK, OTHERS = "canarymine", "canaryother"


async def made(parts: WorkParts, folder: Path, user: str = ME) -> tuple[dict[str, Any], zipfile.ZipFile]:
    """The job's result, and what lies in the store then."""
    asked = await ask_for_export(parts.database, parts.jobs, user)
    held = await parts.jobs.claim(asked.job, timedelta(0))
    assert held is not None
    result = await make_export(parts, held, nothing_to_report)
    async with parts.database.transaction() as connection:
        await connection.execute(update(Job).where(Job.id == asked.job).values(status="done", result=result))
    path = folder / "export.zip"
    path.write_bytes(await parts.media.read(result["key"], 10_000_000))
    return result, zipfile.ZipFile(path)


def rows(packed: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(packed.read(f"{name}.json"))
    return found


async def test_everything_that_is_mine_and_nothing_else(parts: WorkParts, tmp_path: Path) -> None:
    mine = await furnish(parts.database, ME, MARK, skip=frozenset({"jobs"}))
    await furnish(parts.database, OTHER, OTHERS, skip=frozenset({"jobs"}))
    for user, mark in ((ME, MARK), (OTHER, OTHERS)):
        for name in ("photos/1.jpg", "voice/1.flac"):
            await parts.media.put(f"{user_prefix(user)}{name}", f"{mark} {name}".encode(), "image/jpeg")
    async with parts.database.transaction() as connection:
        for user in (ME, OTHER):
            await connection.execute(
                update(Photo).where(Photo.user_id == user).values(object_key=f"{user_prefix(user)}photos/1.jpg")
            )
            await connection.execute(
                update(Turn).where(Turn.user_id == user).values(voice_key=f"{user_prefix(user)}voice/1.flac")
            )
    _, packed = await made(parts, tmp_path)
    given = {belonging.table.name for belonging in BELONGINGS if belonging.given}
    assert {f"{name}.json" for name in given} < set(packed.namelist())
    assert all(len(rows(packed, name)) == 1 for name in given - {"audit"})
    photo, turn = mine["photos"]["id"], mine["turns"]
    assert packed.read(f"photos/{photo}.jpg") == f"{MARK} photos/1.jpg".encode()
    assert packed.read(f"voices/{turn['session_id']}-1.flac") == f"{MARK} voice/1.flac".encode()
    assert rows(packed, "turns")[0]["transcript"] == f"{MARK} transcript"
    assert rows(packed, "turns")[0]["started_at"] == "2026-11-03T09:30:00+00:00"
    everything = b"".join(packed.read(name) for name in packed.namelist())
    assert OTHERS.encode() not in everything
    assert OTHER.encode() not in everything
    for secret in (mine["refresh_tokens"]["hash"], mine["devices"]["push_token"], user_prefix(ME)):
        assert secret.encode() not in everything


async def test_what_a_model_made_is_given_with_the_words_it_was_made_of(parts: WorkParts, tmp_path: Path) -> None:
    records = GenerationRecords(parts.bus, signing_secret(parts.settings), days=parts.settings.generated_days)
    mine: list[Generation] = []
    for user, mark in ((ME, MARK), (OTHER, OTHERS)):
        made_so = Generation(
            id=new_generation_id(), user=user, kind="full", prompt=f"{mark} 강아지", status="succeeded"
        )
        below = output_prefix(user, made_so.id)
        for name in ("0.jpg", "film.mp4"):
            await parts.media.put(f"{below}{name}", f"{mark} {name}".encode(), "image/jpeg")
        made_so = msgspec.structs.replace(made_so, keys=(f"{below}0.jpg", f"{below}film.mp4"), source=f"{below}0.jpg")
        await records.add(made_so)
        await records.wait(made_so, 60)
        await records.remember_consent(user, True)
        mine.append(made_so)
    lost = output_prefix(ME, new_generation_id())
    await parts.media.put(f"{lost}0.jpg", b"Redis knows nothing of it", "image/jpeg")
    _, packed = await made(parts, tmp_path)
    told = rows(packed, "generated")
    assert [(one["id"], one["prompt"], one["status"]) for one in told] == [(mine[0].id, f"{MARK} 강아지", "succeeded")]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(told[0]["asked_at"])) < timedelta(minutes=5)
    assert packed.read(f"generated/{mine[0].id}-0.jpg") == f"{MARK} 0.jpg".encode()
    assert packed.read(f"generated/{mine[0].id}-film.mp4") == f"{MARK} film.mp4".encode()
    assert packed.read(f"generated/{lost.split('/')[-2]}-0.jpg") == b"Redis knows nothing of it"
    assert len([name for name in packed.namelist() if name.startswith("generated/")]) == 3
    everything = b"".join(packed.read(name) for name in packed.namelist())
    assert OTHERS.encode() not in everything and ME.encode() not in packed.read("generated.json")


async def test_a_long_life_is_written_page_by_page(
    parts: WorkParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE_ROWS", 7)
    made_rows = await furnish(parts.database, ME, MARK, skip=frozenset({"jobs"}))
    async with parts.database.transaction() as connection:
        for number in range(2, 31):
            await connection.execute(insert(Turn).values(made_rows["turns"] | {"number": number}))
            memory = made_rows["memories"] | {"id": f"memory-{number}"}
            await connection.execute(insert(Memory).values(memory))
    _, packed = await made(parts, tmp_path)
    assert sorted(row["number"] for row in rows(packed, "turns")) == list(range(1, 31))
    assert len({row["id"] for row in rows(packed, "memories")}) == 30


async def test_what_is_asked_for_twice_is_made_once_and_linked(parts: WorkParts, tmp_path: Path) -> None:
    assert (await export_of(parts.database, parts.media, ME)).state == "none"
    first = await ask_for_export(parts.database, parts.jobs, ME)
    assert (first.state, first.link) == ("preparing", "")
    result, _ = await made(parts, tmp_path)
    ready = await export_of(parts.database, parts.media, ME)
    assert (ready.state, ready.job) == ("ready", first.job)
    assert ready.size_bytes == result["size_bytes"]
    assert ready.link.startswith("/media/")
    assert (await export_of(parts.database, parts.media, OTHER)).state == "none"
    async with parts.database.transaction() as connection:
        actions = list((await connection.execute(select(Audit.action).order_by(Audit.id))).scalars())
    assert actions == ["export_asked", "export_asked", "export_link_given"]


async def test_it_expires(parts: WorkParts, tmp_path: Path) -> None:
    result, _ = await made(parts, tmp_path)
    assert await sweep_exports(parts.database, parts.media) == 0
    long_ago = datetime.now(UTC) - timedelta(days=4)
    async with parts.database.transaction() as connection:
        old = result | {"expires_at": (long_ago + exporting.KEPT).isoformat()}
        await connection.execute(update(Job).values(result=old, updated_at=long_ago))
    expired = await export_of(parts.database, parts.media, ME)
    assert (expired.state, expired.link) == ("expired", "")
    assert await sweep_exports(parts.database, parts.media) == 1
    assert await parts.media.head(result["key"]) is None
    assert (await export_of(parts.database, parts.media, ME)).state == "expired"
    assert await sweep_exports(parts.database, parts.media) == 0


async def test_who_is_deleted_meanwhile_leaves_no_export(parts: WorkParts) -> None:
    await furnish(parts.database, ME, MARK, skip=frozenset({"jobs"}))
    asked = await ask_for_export(parts.database, parts.jobs, ME)
    held = await parts.jobs.claim(asked.job, timedelta(0))
    assert held is not None

    async def deleted(stage: str, progress: float) -> None:
        if stage == "storing":
            await ask(parts)

    with pytest.raises(AccountErased):
        await make_export(parts, held, deleted)
    assert await parts.media.delete_below(user_prefix(ME)) == 0
    with pytest.raises(AccountErased):
        await ask_for_export(parts.database, parts.jobs, ME)
