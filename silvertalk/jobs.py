"""Background work: what is asked for here is done by `silvertalk worker`.

A job is a row of `jobs`, written in the transaction of whatever calls for it; docket, on the same Redis, carries its id
to a worker and nothing else, since what crosses there is not encrypted. A job whose id got lost on the way (Redis away,
a process killed in between) is found again by its row.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.database import Database

JobKind = Literal["thumbnails", "export", "erase"]


class Jobs:
    """Asks for work; one a process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self,
        connection: AsyncConnection,
        kind: JobKind,
        user: str,
        subject_id: str,
        *,
        within: timedelta = timedelta(hours=1),
    ) -> str:
        """Write the job into the caller's transaction; returns its id. One that is still to do for the same subject is
        that job."""
        raise NotImplementedError

    async def start(self, job: str) -> None:
        """The transaction is committed: have a worker begin. Never fails: where Redis is away, a worker finds the row
        later."""
        raise NotImplementedError
