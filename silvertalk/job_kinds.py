"""What kinds of job there are, and what does each of them.

A job's work is `async def work(parts, job, report) -> dict | None`: what it returns is kept as the job's `result`, what
it raises decides whether it is tried again (`JobFailed`: never; `JobPostponed`: when it says; a part that is `AWAY`,
of a PERSISTENT kind: until its deadline). It may be run again after it was done in part or in full, since a worker can
be killed at any point, so whatever it does must come to the same when done twice.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database
from silvertalk.errors import BusAway, DatabaseAway, JobFailed, KakaoAway, MediaAway
from silvertalk.jobs import JobKind, JobRow, Jobs
from silvertalk.media.store import MediaStore
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from streaming.bus import Bus
from streaming.errors import BusFull, BusUnavailable

KINDS: dict[JobKind, str] = {
    "thumbnails": "silvertalk.photo_work:make_thumbnails",
    "look": "silvertalk.looking:look_at_photo",
    "summary": "silvertalk.summaries:write_summary",
    "insights": "silvertalk.insights:find_insights",
    "video": "silvertalk.video_work:make_video",
    "export": "silvertalk.exporting:make_export",
    "erase": "silvertalk.erasing:erase_person",
    "adopt": "silvertalk.adopting:adopt_objects",
}
"""`module:function`, loaded when the first job of the kind comes."""

SILENT: frozenset[str] = frozenset({"erase", "insights", "summary"})
"""Kinds of which nobody is told: of a deletion there is nobody left to tell, and a notice would be one more thing to
erase; and nobody waits for what is remembered of a talk, of which each memory that is kept has a notice of its own."""


PERSISTENT: frozenset[str] = frozenset({"adopt", "erase", "insights", "look", "summary", "thumbnails", "video"})
"""Kinds that are not given up for a part that is away: they are postponed, which is no try, until their deadline."""

AWAY: tuple[type[Exception], ...] = (MediaAway, DatabaseAway, KakaoAway, BusAway, BusUnavailable, BusFull)
"""What a work raises where a part of the service is away; nothing is wrong with the job."""

_GIVING_UP: dict[str, str] = {
    "look": "silvertalk.looking:give_up_look",
    "thumbnails": "silvertalk.photo_work:give_up_photo",
    "video": "silvertalk.video_work:give_up_video",
}


@dataclass(frozen=True)
class WorkParts:
    """What a job may work with."""

    settings: Settings
    bus: Bus
    database: Database
    media: MediaStore
    jobs: Jobs
    notices: Notices
    revocations: Revocations


class JobPostponed(Exception):
    """Nothing is wrong, but the rest can only be done in `seconds`: till then the job takes no worker's place."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"in {seconds:.0f} s")
        self.seconds = seconds


Report = Callable[[str, float], Awaitable[None]]
"""`await report(stage, progress)`, progress from 0 to 1: as often as one likes, it is told on now and then. Where the
job was cancelled meanwhile, or given to another worker, the task that asks is cancelled."""

Work = Callable[[WorkParts, JobRow, Report], Awaitable[dict[str, Any] | None]]


def work_of(kind: str) -> Work:
    """Raises JobFailed for a kind that this version does not know."""
    place: str | None = {str(known): place for known, place in KINDS.items()}.get(kind)
    if place is None:
        raise JobFailed("unknown_kind")
    work: Work = _loaded(place)
    return work


async def give_up(parts: WorkParts, connection: AsyncConnection, job: JobRow) -> None:
    """The job becomes a dead letter in this transaction: so does whatever waits for it learn."""
    if (place := _GIVING_UP.get(job.kind)) is not None:
        await _loaded(place)(parts, connection, job)


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
