"""A worker's parts on either database, a conversation with turns in it, and a node in this process to be asked."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.scripted import ScriptedLlm
from silvertalk.consents import ConsentName, decide
from silvertalk.database import Database
from silvertalk.job_kinds import WorkParts
from silvertalk.job_running import JobRunner
from silvertalk.jobs import JobKind, JobRow, Jobs, jobs
from silvertalk.media.store import open_media
from silvertalk.memories import memories
from silvertalk.models import Session
from silvertalk.notices import Notices
from silvertalk.people import ensure_person
from silvertalk.remembering import ask_for_rest
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from streaming.bus import Bus, Limits
from tests import product
from tests.silvertalk.records import record
from tests.valkey import Valkey

QUICK = Limits(errand_quiet_seconds=0.5)


class Writes(ScriptedLlm):
    """Answers each errand with the next of `answers`, the last one again and again; notes what it was asked."""

    def __init__(self, *answers: str, name: str = "writer", outside: bool = False) -> None:
        super().__init__(name=name, outside=outside)
        self._answers = list(answers)
        self.asked: list[ReplyRequest] = []

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        yield Token(answer, self.name)


@dataclass
class Bench:
    """One person, `user`, and their conversation, `session`."""

    parts: WorkParts
    user: str = field(default_factory=lambda: str(uuid.uuid4()))
    session: str = field(default_factory=lambda: secrets.token_hex(16))
    said: int = 0

    @property
    def database(self) -> Database:
        return self.parts.database

    async def agrees(self, **decisions: bool) -> None:
        async with self.database.transaction() as connection:
            await ensure_person(self.database, connection, self.user)
            await decide(self.database, connection, self.user, cast(dict[ConsentName, bool], decisions))

    async def says(self, *transcripts: str, session: str = "", **changes: Any) -> int:
        """Turns, now; the last one's number."""
        for transcript in transcripts:
            self.said += 1
            now = int(datetime.now(UTC).timestamp() * 1000) + 1
            known = {"session": session or self.session, "user": self.user, "distress": "", "heard": "그러셨군요."}
            closed = record(self.said, transcript=transcript, started_at_ms=now, closed_at_ms=now, **(known | changes))
            await self.database.commit_turn(closed)
        return self.said

    async def does(self, kind: JobKind, session: str = "") -> JobRow:
        """Ask for the job and do it, to its end."""
        async with self.database.transaction() as connection:
            job = await self.parts.jobs.record(connection, kind, self.user, session or self.session)
        return await self.works_off(job)

    def runner(self) -> JobRunner:
        return JobRunner(self.parts, slots=2, lease_seconds=30, waits_seconds=(0.05, 0.05), away_seconds=(0.05, 0.2))

    async def works_off(self, job: str) -> JobRow:
        runner = self.runner()
        while True:
            await runner.run(job)
            row = await self.parts.jobs.of(self.user, job)
            assert row is not None
            if row.status not in ("pending", "running"):
                return row

    async def ends(self, session: str = "") -> list[str]:
        """The conversation is over; the jobs that are asked for."""
        session = session or self.session
        await self.database.end_session(session, datetime.now(UTC))
        async with self.database.transaction() as connection:
            return await ask_for_rest(connection, self.parts.jobs, self.user, session)

    async def row(self, session: str = "") -> Session:
        found = await self.database.session(session or self.session)
        assert found is not None
        return found

    async def memories(self) -> list[Any]:
        """Their rows, the oldest first."""
        mine = select(memories).where(memories.c.user_id == self.user)
        async with self.database.transaction() as connection:
            rows = (await connection.execute(mine)).all()
        return sorted(rows, key=lambda row: (row.created_at, row.turn_number or 0))

    async def facts(self) -> list[str]:
        return [row.fact for row in await self.memories()]

    async def jobs_of(self, kind: JobKind) -> list[Any]:
        asked = select(jobs).where(jobs.c.user_id == self.user, jobs.c.kind == kind)
        async with self.database.transaction() as connection:
            return list((await connection.execute(asked)).all())


@asynccontextmanager
async def bench_on(valkey: Valkey, folder: Path, key: str | None = None, **changes: str) -> AsyncIterator[Bench]:
    """With settings that are the tests' own, but for `changes`."""
    settings = Settings.model_validate(
        {"data_dir": folder, "bus_urls": valkey.url, "outside_services": "ask", **changes}
    )
    async with (
        Bus.open([valkey.url], name="worker", limits=QUICK, key=key) as bus,
        Database(settings.database) as database,
        open_media(settings) as media,
    ):
        await database.wait_ready()
        notices = Notices(bus, database)
        yield Bench(WorkParts(settings, bus, database, media, Jobs(database), notices, Revocations(bus, database)))


__all__ = ["Bench", "Writes", "bench_on", "product"]
