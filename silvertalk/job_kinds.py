"""What kinds of job there are, and what does each of them.

A job's work is `async def work(parts, job, report) -> dict | None`: what it returns is kept as the job's `result`, what
it raises decides whether it is tried again (`JobFailed`: never; `JobPostponed`: when it says). It may be run again after it was done in part or in
full, since a worker can be killed at any point, so whatever it does must come to the same when done twice.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from silvertalk.database import Database
from silvertalk.errors import JobFailed
from silvertalk.jobs import JobKind, JobRow, Jobs
from silvertalk.media.store import MediaStore
from silvertalk.notices import Notices
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from streaming.bus import Bus

KINDS: dict[JobKind, str] = {
    "thumbnails": "silvertalk.photo_work:make_thumbnails",
    "export": "silvertalk.exporting:make_export",
    "erase": "silvertalk.erasing:erase_person",
    "adopt": "silvertalk.adopting:adopt_objects",
}
"""`module:function`, loaded when the first job of the kind comes."""

SILENT: frozenset[str] = frozenset({"erase"})
"""Kinds of which nobody is told: there is nobody left, and a notice would be one more thing to erase."""


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
    module, _, name = place.partition(":")
    work: Work = getattr(importlib.import_module(module), name)
    return work
