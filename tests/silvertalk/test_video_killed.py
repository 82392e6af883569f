"""Making a video outlives its worker: killed with SIGKILL at every stage, another worker makes the same film once.

A real worker process, a real node, a real film.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from silvertalk import videos
from silvertalk.job_kinds import WorkParts
from silvertalk.jobs import JobRow
from silvertalk.media.store import user_prefix
from silvertalk.models import Video
from silvertalk.scratch import scratch_of, sweep_scratch
from tests import product
from tests.processes import Process, started, until_gone
from tests.silvertalk.telling import ME, Told, left_of, parts_at, told, video_row
from tests.valkey import Valkey

MADE_SECONDS = 240.0
"""Generous: a film of ten seconds, on a machine that does much else."""
STAGES = ("writing", "speaking", "rendering", "storing")


def environment(parts: WorkParts) -> dict[str, str]:
    return {
        "DATA_DIR": str(parts.settings.data_dir),
        "BUS_URLS": parts.settings.bus[0],
        "JOB_LEASE_SECONDS": "2",
        "DRAIN_SECONDS": "1",
        "LOG_LEVEL": "info",
    }


async def seen(parts: WorkParts, job: str, stage: str) -> JobRow:
    """The job's row, once it is at this stage, or done."""
    async with asyncio.timeout(MADE_SECONDS):
        while True:
            row = await parts.jobs.of(ME, job)
            assert row is not None and row.status != "failed", row
            if row.status == "done" or (row.status == "running" and row.stage == stage):
                return row
            await asyncio.sleep(0.02)  # another process sets no event


async def kill(worker: Process) -> None:
    """The worker alone; what it started must end by itself."""
    children = worker.children()
    worker.signal(signal.SIGKILL)
    await worker.gone()
    await until_gone(children)


async def begun(parts: WorkParts) -> tuple[Told, Video]:
    talk = await told(parts.database, parts.media, said=("민준이랑 조개를 캤지요.",))
    return talk, await videos.generate(parts.database, parts.jobs, parts.notices, talk.user, talk.session)


@pytest.mark.parametrize("stage", STAGES)
async def test_killed_at_a_stage_it_is_made_by_another(own_valkey: Valkey, tmp_path: Path, stage: str) -> None:
    slow = ScriptedTts(rtf=0.5)
    async with (
        parts_at(own_valkey.url, tmp_path / "var") as parts,
        product.node(own_valkey.url, tts=slow, llm=ScriptedLlm(first_token_ms=1500)),
    ):
        _, video = await begun(parts)
        async with started("silvertalk", "worker", **environment(parts)) as first:
            await seen(parts, video.job_id, stage)
            await kill(first)
        before = await video_row(parts.database, video.id)
        async with started("silvertalk", "worker", **environment(parts)):
            row = await seen(parts, video.job_id, "done")
        after = await video_row(parts.database, video.id)
        assert before is not None and after is not None
        assert (after.status, row.attempts) == ("completed", 2) or before.status == "completed"
        if before.story is not None:
            assert after.story == before.story, "the same words"
        assert await left_of(parts.media, ME) == sorted([after.object_key, after.thumbnail_key])
        film = await parts.media.read(after.object_key, 100_000_000)
        assert film[4:8] == b"ftyp"
        root = scratch_of(parts.settings)
        sweep_scratch(root)
        assert [path for path in root.iterdir() if path.is_dir()] == [], "no folder that nobody holds stays"


async def test_killed_and_deleted_meanwhile_it_leaves_nothing(own_valkey: Valkey, tmp_path: Path) -> None:
    """The film lies in the store already, and no row names it, when its worker dies and its video is deleted."""
    async with parts_at(own_valkey.url, tmp_path / "var") as parts, product.node(own_valkey.url):
        _, video = await begun(parts)
        prefix = f"{user_prefix(ME)}videos/{video.id}/{video.job_id}/"
        async with started("silvertalk", "worker", **environment(parts)) as first:
            await seen(parts, video.job_id, "speaking")
            await kill(first)
        await parts.media.put(f"{prefix}film.mp4", b"what it had put", "video/mp4")
        async with parts.database.transaction() as connection:
            await connection.execute(videos.videos.delete().where(videos.videos.c.id == video.id))
        async with started("silvertalk", "worker", **environment(parts)):
            row = await seen(parts, video.job_id, "done")
        assert row.result == {"status": "unwanted"}
        assert await left_of(parts.media, ME) == []
