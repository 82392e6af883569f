"""The tables, and the types that make what is stored clean whichever way it comes in.

The same definitions serve PostgreSQL and SQLite; `migrations/` builds them, and a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ID_CHARACTERS = 64
DISTRESS_CHARACTERS = 32


def clean(text: str) -> str:
    """Text that every database takes: no NUL (PostgreSQL refuses it) and no lone surrogate (which has no UTF-8)."""
    return text.replace("\x00", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class CleanText(TypeDecorator[str]):
    """Text of any length, cleaned on its way in: one character of a transcript must not cost the turn."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


class Moment(TypeDecorator[datetime]):
    """An instant: aware, kept in UTC. A naive one raises ValueError. SQLite forgets the zone, so it is put back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Model(DeclarativeBase):
    """Root of the tables; constraints are named alike on both databases, so that a migration can address them."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class Session(Model):
    """One conversation. `turn_count` counts the committed turns."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(ID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(ID_CHARACTERS), index=True)
    language: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    turn_count: Mapped[int]


class Turn(Model):
    """One utterance of the user and the reply to it, as the journal's `Closed` record has it.

    `heard` is the part of `reply` that was played; the rest was never said. `merges` and `distress` came later: rows
    from before them, and those that an older gateway still writes, have the server's defaults.
    """

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("session_id", "number"), Index(None, "user_id", "closed_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    number: Mapped[int]
    user_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    language: Mapped[str] = mapped_column(String(8))
    outcome: Mapped[str] = mapped_column(String(32))
    transcript: Mapped[str] = mapped_column(CleanText)
    reply: Mapped[str] = mapped_column(CleanText)
    heard: Mapped[str] = mapped_column(CleanText)
    interrupted: Mapped[bool]
    typed: Mapped[bool]
    continuation: Mapped[bool]
    merges: Mapped[int] = mapped_column(server_default="0")
    distress: Mapped[str] = mapped_column(String(DISTRESS_CHARACTERS), server_default="")
    witness: Mapped[str] = mapped_column(String(16), server_default="journal")
    source: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    started_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime] = mapped_column(Moment)
    speech_ms: Mapped[int]
    timings: Mapped[dict[str, Any]] = mapped_column(JSON)


class Habit(Model):
    """How one person talks and wants to be talked to, as far as it was learned or asked for: see `silvertalk.habits`.

    `pauses` is a `PauseProfile`, as it keeps itself; whoever has no row is as everybody.
    """

    __tablename__ = "habits"

    user_id: Mapped[str] = mapped_column(String(ID_CHARACTERS), primary_key=True)
    pauses: Mapped[dict[str, Any]] = mapped_column(JSON)
    speech_rate: Mapped[float] = mapped_column(Float)
    loudness: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[datetime] = mapped_column(Moment)
