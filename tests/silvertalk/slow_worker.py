"""A worker whose jobs take as long as they are told, for tests that kill it: `python -m tests.silvertalk.slow_worker`.

Everything is the product's own but the work: it takes SLOW_SECONDS and leaves a line in the file SLOW_LOG for each
time it was begun and done.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from silvertalk.job_kinds import Report, WorkParts
from silvertalk.jobs import JobRow
from silvertalk.settings import Settings
from silvertalk.worker import work
from streaming.logs import configure


async def slow(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    note(f"begun {job.id}")
    await report("sleeping", 0.5)
    await asyncio.sleep(float(os.environ["SLOW_SECONDS"]))
    note(f"done {job.id}")
    return {"by": os.getpid()}


def note(line: str) -> None:
    with Path(os.environ["SLOW_LOG"]).open("a") as log:
        log.write(f"{line}\n")


if __name__ == "__main__":
    configure(level="info")
    asyncio.run(work(Settings.read(), works=lambda kind: slow))
