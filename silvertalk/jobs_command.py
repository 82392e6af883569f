"""`silvertalk jobs`: the dead letters, and what is still to do; `silvertalk jobs retry ID` has one done after all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from silvertalk.database import Database
from silvertalk.errors import ConfigurationError, SilverTalkError
from silvertalk.jobs import JobRow, Jobs
from silvertalk.settings import Settings

READY_SECONDS = 10.0
SHOWN = 100
PIPE_COLUMNS = 200

jobs_app = typer.Typer(help="Background work: what was given up, and what is still to do.")
_errors = Console(stderr=True)


@jobs_app.callback(invoke_without_command=True)
def jobs_command(
    context: typer.Context,
    pending: Annotated[bool, typer.Option("--pending", help="also what is still to do or being done")] = False,
) -> None:
    """List the jobs that were given up, the newest first."""
    if context.invoked_subcommand is None:
        _run(_list(pending))


@jobs_app.command()
def retry(job: Annotated[str, typer.Argument(help="the job's id, as `silvertalk jobs` shows it")]) -> None:
    """Have a job that was given up done after all."""
    _run(_retry(job))


def _console() -> Console:
    """What is not read on a terminal (a file, `grep`) is not cut to one's width."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_COLUMNS)


def _run(main: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(main)
    except (ConfigurationError, SilverTalkError, TimeoutError) as error:
        said = "the database cannot be reached" if isinstance(error, TimeoutError) else str(error)
        _errors.print(f"[bold red]silvertalk:[/] {said}")
        raise typer.Exit(2) from None


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    async with Database(settings.database, timeout_seconds=settings.database_timeout_seconds, pool_size=1) as database:
        async with asyncio.timeout(READY_SECONDS):
            await database.wait_ready()
        yield database


async def _list(pending: bool) -> None:
    async with _database(Settings.read()) as database:
        jobs = Jobs(database)
        rows = await jobs.dead_letters(SHOWN)
        if pending:
            rows += await jobs.unfinished(SHOWN)
    if rows:
        _console().print(_table(rows))
    else:
        _console().print("No job was given up." if not pending else "No job was given up, and none waits.")


def _table(rows: list[JobRow]) -> Table:
    table = Table()
    for title in ("id", "kind", "state", "tries", "reason", "since"):
        table.add_column(title, no_wrap=title == "id", overflow="fold")
    for row in rows:
        since = row.updated_at.isoformat(sep=" ", timespec="seconds")
        table.add_row(row.id, row.kind, row.status, str(row.attempts), row.error_code or "-", since)
    return table


async def _retry(job: str) -> None:
    settings = Settings.read()
    async with _database(settings) as database:
        if not await Jobs(database).retry(job):
            _errors.print(f"[bold red]silvertalk:[/] {job} is no job that was given up, or it is being done anew.")
            raise typer.Exit(1)
    _console().print("It will be done.")  # a worker's next look finds it: no Redis is needed here
