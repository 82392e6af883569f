"""The database: where every turn ends, exactly once.

`open()` never fails and never waits: a keeper task connects, migrates, and after every loss comes back with growing,
jittered waits. Until then each call raises `DatabaseAway` at once, so that talk goes on while the database does not.
No call takes longer than the time-out: the pool, the connection, the server and the call as a whole each have their
limit.

What the database raises is sorted in one place: a row that it will never take (a constraint, an impossible value) is
`DatabaseRefused`; everything else is `DatabaseAway`, and trying again is right. Not every such failure is a loss: a
call that finds all connections taken or a row locked, or that is the victim of a deadlock, says nothing about the
others, and the database stays `ready` for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import asyncpg
from sqlalchemy import Connection, Table, case, delete, event, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from silvertalk.backoff import Backoff
from silvertalk.columns import ID_CHARACTERS, UUID_CHARACTERS, clean
from silvertalk.errors import AccountErased, DatabaseAway, DatabaseRefused
from silvertalk.metrics import DATABASE_UP
from silvertalk.migrating import migrate
from silvertalk.models import DISTRESS_CHARACTERS, Erasure, Habit, Session, Turn
from silvertalk.settings import Settings
from silvertalk.standing_task import StandingTask
from streaming.logs import logger
from streaming.messages import TurnRecord, Witness

log = logger("database")

SAMPLES_PER_MS = 16
MAX_UNIX_MS = 253_402_300_799_000
"""The end of the year 9999, where datetime ends."""
MAX_INTEGER = 2**31 - 1

_sessions: Table = Session.__table__  # type: ignore[assignment]
_turns: Table = Turn.__table__  # type: ignore[assignment]
_habits: Table = Habit.__table__  # type: ignore[assignment]
_erasures: Table = Erasure.__table__  # type: ignore[assignment]


LESS_SURE: dict[Witness, tuple[Witness, ...]] = {
    "journal": ("gateway", "remnant"),
    "gateway": ("remnant",),
    "remnant": (),
}
"""What a record of each kind puts right where two of a session's owners wrote the same turn."""


CONTENTION = frozenset({"40001", "40P01", "55P03", "57014"})
"""SQLSTATEs of a call that met others: could not serialize, deadlock, lock not available, statement took too long."""
SQLITE_CONTENTION = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
WIPE_WAIT_MS = 100


class Database:
    """One database, shared by the process. `async with` opens and closes it.

    `url` is SQLAlchemy's (see `Settings.database`), `timeout_seconds` the longest that any call takes.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 5.0, pool_size: int = 10) -> None:
        self._url = url
        self._timeout = timeout_seconds
        self._engine = _engine(url, timeout_seconds, pool_size)
        self.insert: Callable[..., Any] = sqlite.insert if self._engine.name == "sqlite" else postgresql.insert
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._keeper = StandingTask(self._keep, "database-keeper")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The database of a process with these settings, not yet opened."""
        return cls(
            settings.database, timeout_seconds=settings.database_timeout_seconds, pool_size=settings.database_pool
        )

    # --- coming and going --------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start to connect. Never fails: see `ready` and `wait_ready`."""
        self._keeper.start()

    async def close(self) -> None:
        await self._keeper.stop()
        self._ready.clear()
        DATABASE_UP.set(0)
        with contextlib.suppress(SQLAlchemyError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):  # a frozen server does not answer a goodbye either
                await self._engine.dispose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def ready(self) -> bool:
        """Whether the database was there when last asked."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Return once the database is there and its tables are of the newest shape; bound it with a time-out."""
        await self._ready.wait()

    async def _keep(self) -> None:
        backoff, failures = Backoff(), 0
        while True:
            try:
                await self._connect()
            except Exception as error:  # away in whatever way: this task must outlive it
                say = log.debug if failures else log.warning  # once for each loss, not once for each try
                say("database_connect_failed", error=type(error).__name__)
                failures += 1
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            self._lost.clear()
            self._ready.set()
            DATABASE_UP.set(1)
            log.info("database_ready", attempts=failures + 1)
            failures = 0
            await self._lost.wait()
            log.warning("database_lost")
            await asyncio.sleep(backoff.next())

    async def _connect(self) -> None:
        """Migrations run after every loss: whoever comes back may be an older copy, or an empty file."""
        if self._engine.name == "sqlite":
            Path(make_url(self._url).database or "").parent.mkdir(parents=True, exist_ok=True)
        await migrate(self._url)
        async with asyncio.timeout(self._timeout), self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    # --- what it keeps -----------------------------------------------------------------------------------------------

    async def commit_turn(self, record: TurnRecord) -> bool:
        """Write a closed turn and its session, in one transaction. A row that knew less of it is replaced.

        True when the row is new, False when it was there already; either way it is there now. Raises DatabaseAway, or
        DatabaseRefused for a record that no try will bring in (another user's session, a deleted one, an id too long).
        """
        row = turn_row(record)
        async with self.transaction() as connection:
            await refuse_erased(connection, record.user)
            await connection.execute(
                self.insert(_sessions)
                .values(
                    id=row["session_id"],
                    user_id=row["user_id"],
                    language=row["language"],
                    started_at=row["started_at"],
                    opened_at=row["started_at"],
                    turn_count=0,
                )
                .on_conflict_do_nothing(index_elements=["id"])
            )
            written = await connection.execute(
                self.insert(_turns).values(row).on_conflict_do_nothing(index_elements=["session_id", "number"])
            )
            new = written.rowcount == 1
            if not new and LESS_SURE[record.witness]:
                await connection.execute(
                    update(_turns)
                    .where(
                        _turns.c.session_id == row["session_id"],
                        _turns.c.number == row["number"],
                        _turns.c.user_id == row["user_id"],
                        _turns.c.witness.in_(LESS_SURE[record.witness]),
                    )
                    .values(row)
                )
            earlier = _sessions.c.started_at > row["started_at"]
            counted = await connection.execute(
                update(_sessions)
                .where(
                    _sessions.c.id == row["session_id"],
                    _sessions.c.user_id == row["user_id"],
                    _sessions.c.deleted_at.is_(None),
                )
                .values(
                    turn_count=_sessions.c.turn_count + int(new and bool(record.transcript)),
                    started_at=case((earlier, row["started_at"]), else_=_sessions.c.started_at),
                )
            )
            if counted.rowcount != 1:
                raise DatabaseRefused("the session is another user's, or deleted")
        return new

    async def end_session(self, session: str, ended_at: datetime) -> bool:
        """Note the session's end, the first time only. False when it has no turn (and so no row), or had ended."""
        async with self.transaction() as connection:
            ended = await connection.execute(
                update(_sessions)
                .where(_sessions.c.id == session, _sessions.c.ended_at.is_(None))
                .values(ended_at=ended_at)
            )
        return ended.rowcount == 1

    async def session(self, session: str) -> Session | None:
        async with self.transaction() as connection:
            row = (await connection.execute(select(_sessions).where(_sessions.c.id == session))).one_or_none()
        return None if row is None else Session(**row._mapping)

    async def turns(self, session: str) -> list[Turn]:
        """A session's turns, in the order they were spoken."""
        async with self.transaction() as connection:
            rows = await connection.execute(
                select(_turns).where(_turns.c.session_id == session).order_by(_turns.c.number)
            )
            return [Turn(**row._mapping) for row in rows]

    async def recent_turns(self, user: str, limit: int) -> list[Turn]:
        """The newest `limit` turns of a person, over all sessions, oldest first."""
        newest = select(_turns).where(_turns.c.user_id == user).order_by(_turns.c.closed_at.desc(), _turns.c.id.desc())
        async with self.transaction() as connection:
            rows = (await connection.execute(newest.limit(limit))).all()
        return [Turn(**row._mapping) for row in reversed(rows)]

    async def habits(self, user: str) -> Habit | None:
        async with self.transaction() as connection:
            row = (await connection.execute(select(_habits).where(_habits.c.user_id == user))).one_or_none()
        return None if row is None else Habit(**row._mapping)

    async def change_habits(self, user: str, change: Callable[[Habit], dict[str, Any]]) -> Habit:
        """Give a person's row the values that `change` makes of it, with nobody writing in between; returns it so.

        Who has no row gets one, with no `pauses` and both numbers 1. What `change` raises is raised, and nothing is
        written. Raises DatabaseAway or DatabaseRefused.
        """
        now = datetime.now(UTC)
        fresh = {"user_id": user, "pauses": {}, "speech_rate": 1.0, "loudness": 1.0, "updated_at": now}
        # It writes before it reads: PostgreSQL then holds the row, and SQLite its one lock for writing, which it would
        # refuse to a transaction that had begun with reading.
        own = self.insert(_habits).values(fresh)
        own = own.on_conflict_do_update(index_elements=["user_id"], set_={"updated_at": now}).returning(_habits)
        async with self.transaction() as connection:
            await refuse_erased(connection, user)
            row = (await connection.execute(own)).one()
            changed = change(Habit(**row._mapping))
            await connection.execute(update(_habits).where(_habits.c.user_id == user).values(**changed))
        return Habit(**{**row._mapping, **changed})

    async def forget_habits(self, user: str) -> bool:
        """False when there was nothing to forget."""
        async with self.transaction() as connection:
            gone = await connection.execute(delete(_habits).where(_habits.c.user_id == user))
        return gone.rowcount == 1

    async def count_turns(self) -> int:
        async with self.transaction() as connection:
            return int((await connection.execute(select(func.count()).select_from(_turns))).scalar_one())

    async def wipe(self) -> bool:
        """See to it that what was deleted is not in the database's file any more, nor in the log beside it. SQLite does
        so only now and then; PostgreSQL by its own VACUUM. False where others read or wrote for as long as a call may
        take: to be tried again later. Raises DatabaseAway."""
        if self._engine.name != "sqlite":
            return True
        until, backoff = time.monotonic() + self._timeout, Backoff(limit=0.5)
        while not await self._truncate_log():
            wait = backoff.next()
            if time.monotonic() + wait > until:
                return False
            await asyncio.sleep(wait)
        return True

    async def _truncate_log(self) -> bool:
        """False where somebody still reads what stands in the log: SQLite says so in a row, and raises nothing."""
        async with self.transaction() as connection:
            # It holds the lock for writing while it waits for readers.
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={WIPE_WAIT_MS}")
            busy, _, _ = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).one()
        return not busy

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction within the time-out, its errors sorted."""
        if not self.ready:
            raise DatabaseAway
        callers_own = False
        try:
            async with asyncio.timeout(self._timeout) as limit, self._engine.begin() as connection:
                try:
                    yield connection
                except (TimeoutError, asyncio.CancelledError):
                    # Ours comes as a cancellation, and the caller may have been waiting for something else than an
                    # answer of the database; a TimeoutError here is of some other time-out within the caller's block.
                    callers_own = not (limit.expired() and _is_asked(connection))
                    raise
        except (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if _is_refusal(error):
                raise DatabaseRefused(type(error).__name__) from error
            if not callers_own and _is_loss(error):
                self._ready.clear()  # at once, so that whoever now waits for `ready` waits for the next one
                self._lost.set()
                DATABASE_UP.set(0)
            raise DatabaseAway(type(error).__name__) from error


def user_hash(user: str) -> str:
    """What stands for a deleted person in `erasures`."""
    return sha256(f"silvertalk erased {user}".encode()).hexdigest()


async def refuse_erased(connection: AsyncConnection, user: str) -> None:
    """Nothing is written for somebody who is deleted, however late it comes. Raises AccountErased.

    To be asked first in a transaction that writes for them: who deletes them waits for its end (`no_writer_of`).
    """
    if connection.dialect.name == "sqlite":
        await _write_alone(connection)
    else:
        await connection.execute(select(func.pg_advisory_xact_lock_shared(_lock_of(user))))
    if await is_erased(connection, user):
        raise AccountErased


async def is_erased(connection: AsyncConnection, user: str) -> bool:
    """Whether they are deleted. A plain read, for who writes nothing: the answer may be over with the next moment."""
    erased = select(_erasures.c.receipt).where(_erasures.c.user_hash == user_hash(user))
    return (await connection.execute(erased)).one_or_none() is not None


async def no_writer_of(connection: AsyncConnection, user: str) -> None:
    """Nobody else writes for this person until this transaction is over; whoever does, is waited for."""
    if connection.dialect.name == "sqlite":
        await _write_alone(connection)
    else:
        await connection.execute(select(func.pg_advisory_xact_lock(_lock_of(user))))


async def _write_alone(connection: AsyncConnection) -> None:
    """SQLite's one lock for writing, from now on: its driver would take it with the first row that is written, and what
    was read before could be over by then."""
    raw = (await connection.get_raw_connection()).driver_connection
    if not getattr(raw, "in_transaction", False):
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


def _lock_of(user: str) -> int:
    return int.from_bytes(bytes.fromhex(user_hash(user))[:8], signed=True)


def turn_row(record: TurnRecord) -> dict[str, Any]:
    """The row of a record. Values are bounded here, so that what the database raises is never about their range."""
    for name in (record.session, record.user, record.source):
        if len(name) > ID_CHARACTERS or clean(name) != name:
            raise DatabaseRefused("an id is no id")
    if not 0 <= record.turn <= MAX_INTEGER:
        raise DatabaseRefused("a turn's number is out of range")
    return {
        "session_id": record.session,
        "number": record.turn,
        "user_id": record.user,
        "language": record.language,
        "outcome": record.outcome,
        "transcript": record.transcript,
        "reply": record.reply,
        "heard": record.heard,
        "interrupted": record.interrupted,
        "typed": record.typed,
        "continuation": record.continuation,
        "merges": min(max(record.merges, 0), MAX_INTEGER),
        "distress": clean(record.distress)[:DISTRESS_CHARACTERS],
        "photo_id": record.photo[:UUID_CHARACTERS],
        "source": record.source,
        "started_at": _moment(record.started_at_ms),
        "closed_at": _moment(record.closed_at_ms),
        "speech_ms": min(max(record.speech_samples // SAMPLES_PER_MS, 0), MAX_INTEGER),
        "witness": record.witness,
        "timings": {clean(name): value for name, value in record.timings_ms.items() if math.isfinite(value)},
    }


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(unix_ms, 0), MAX_UNIX_MS) / 1000, UTC)


def _is_refusal(error: Exception) -> bool:
    """Whether the row itself is at fault. SQLSTATE classes: 22 is a value's, 23 a constraint's."""
    if isinstance(error, (IntegrityError, DataError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    cause = error.orig.__cause__ if error.orig is not None else None
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return isinstance(cause, asyncpg.DataError) or state[:2] in ("22", "23")


def _is_loss(error: Exception) -> bool:
    """Whether others' calls would fail as well. What one call met on a lock does not count, nor a mistake in how we
    asked; a missing table does: the file or the server is another than before."""
    if isinstance(error, SQLAlchemyError) and not isinstance(error, (DBAPIError, DisconnectionError)):
        return False  # its TimeoutError among others: all connections are taken
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF not in SQLITE_CONTENTION
    return getattr(cause, "sqlstate", None) not in CONTENTION


def _is_asked(connection: AsyncConnection) -> bool:
    """Whether its last statement was not answered yet."""
    return connection.sync_connection is None or bool(connection.sync_connection.info.get("asked"))


def _mark_asked(connection: Connection, *_: object) -> None:
    connection.info["asked"] = True


def _mark_answered(connection: Connection, *_: object) -> None:
    connection.info["asked"] = False


def _engine(url: str, timeout_seconds: float, pool_size: int) -> AsyncEngine:
    """Parameters never appear in an exception's text: they are what people said.

    Locks and the pool are waited for a little less long than a call may take, so that they give up before we do: what
    does not answer even then is lost.
    """
    patience = timeout_seconds * 0.8
    if url.startswith("sqlite"):
        # A connection is opened for each transaction: one held open would go on writing into a file that was deleted.
        engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": patience})
        _note_asking(engine)
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        return engine
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=patience,
        pool_pre_ping=True,
        pool_recycle=300,  # below the idle limits of the NATs and proxies between us
        connect_args={
            "timeout": timeout_seconds,
            "command_timeout": timeout_seconds,
            "server_settings": {
                "application_name": "silvertalk",
                "timezone": "UTC",
                "statement_timeout": str(int(patience * 1000)),
                "idle_in_transaction_session_timeout": str(int(timeout_seconds * 2000)),
            },
        },
    )
    _note_asking(engine)
    return engine


def _note_asking(engine: AsyncEngine) -> None:
    """See `_is_asked`."""
    event.listen(engine.sync_engine, "before_cursor_execute", _mark_asked)
    event.listen(engine.sync_engine, "after_cursor_execute", _mark_answered)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    # FULL: what was told as committed outlives a power cut. secure_delete: what is deleted is not left in the file.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
