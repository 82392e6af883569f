"""What tables are made of: the root of the models, and the types that clean what is stored, whichever way it comes."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

ID_CHARACTERS = 64
UUID_CHARACTERS = 36


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


def new_id() -> str:
    """A row's id: a random UUID in its canonical spelling, so that nobody guesses a neighbour's."""
    return str(uuid.uuid4())
