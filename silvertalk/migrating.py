"""Brings a database's tables to the newest shape, once, however many processes start at the same time.

Alembic is synchronous and keeps its state in globals of the process, so it runs on a thread with an event loop of its
own: the server's loop never waits for it. Every run holds the database's own lock (an advisory lock on PostgreSQL, the
file's write lock on SQLite) for the length of one transaction: whoever comes second finds nothing left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

LOCK_NUMBER = 0x51_1E_A7_A1
"""Any number that no other user of the same PostgreSQL database takes for its advisory locks."""
LOCK_SECONDS = 10
"""Longest wait for another process's migration."""

_one_at_a_time = threading.Lock()


def migrations_folder() -> Path:
    """Inside the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


async def migrate(url: str) -> None:
    """Bring the database at `url` to the newest shape; raises what the driver raises when it is away.

    Cancelling it stops the thread's work as well, so that a server that hangs cannot hold up the end of the process.
    """
    stopped = threading.Event()
    tasks: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def upgrade() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append((asyncio.get_running_loop(), task))
        if not stopped.is_set():
            await _upgrade(url)

    def on_thread() -> None:
        with _one_at_a_time:
            asyncio.run(upgrade())

    try:
        await asyncio.to_thread(on_thread)
    except asyncio.CancelledError:
        stopped.set()
        for loop, task in tasks:
            with contextlib.suppress(RuntimeError):  # its loop has just ended by itself
                loop.call_soon_threadsafe(task.cancel)
        raise


def migration_engine(url: str) -> AsyncEngine:
    """An engine whose every transaction holds the lock of migrations."""
    if url.startswith("sqlite"):
        engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": LOCK_SECONDS})
        event.listen(engine.sync_engine, "connect", _no_implicit_transactions)
        event.listen(engine.sync_engine, "begin", _begin_as_only_writer)
    else:
        engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 5, "command_timeout": 60})
        event.listen(engine.sync_engine, "begin", _take_advisory_lock)
    return engine


async def _upgrade(url: str) -> None:
    engine = migration_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_run_alembic)
    finally:
        await engine.dispose()


def _run_alembic(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _no_implicit_transactions(dbapi_connection: object, _record: object) -> None:
    """sqlite3 would commit before each CREATE TABLE; with this, only what we begin is begun."""
    dbapi_connection.isolation_level = None  # type: ignore[attr-defined]


def _begin_as_only_writer(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _take_advisory_lock(connection: Connection) -> None:
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_NUMBER})"))
