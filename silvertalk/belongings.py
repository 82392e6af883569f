"""What is somebody's: every table, which of its rows, and in what order they go.

One list for two duties, giving all of it and deleting all of it, so that a table cannot be in one and not in the other;
a test holds it against the models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, select

from silvertalk.columns import Model
from silvertalk.models import (
    Audit,
    CalendarEvent,
    Consent,
    Device,
    Habit,
    Job,
    Login,
    Memory,
    Outgoing,
    Photo,
    RefreshToken,
    Session,
    SessionPhoto,
    Turn,
    User,
    Video,
    VideoShare,
)


class Belonging(NamedTuple):
    """The rows of one table that are somebody's."""

    table: Table
    of: Callable[[str], ColumnElement[bool]]
    """The rows' predicate, for a person's id."""
    given: bool = True
    """Whether an export holds them. A refresh token's hash and what is on its way to somewhere tell nobody anything."""
    hidden: frozenset[str] = frozenset({"user_id"})
    """Columns that an export leaves out: the server's own names of things."""
    media: tuple[tuple[str, str], ...] = ()
    """Which column names an object of the media store, and the folder of the export it goes into."""


def _table(model: type[Model]) -> Table:
    table: Any = model.__table__
    found: Table = table
    return found


_sessions, _logins = _table(Session), _table(Login)


def _owned(model: type[Model], column: str = "user_id") -> Callable[[str], ColumnElement[bool]]:
    return lambda user: _table(model).c[column] == user


def _sessions_of(user: str) -> Any:
    return select(_sessions.c.id).where(_sessions.c.user_id == user)


BELONGINGS: tuple[Belonging, ...] = (
    Belonging(_table(SessionPhoto), lambda user: _table(SessionPhoto).c.session_id.in_(_sessions_of(user))),
    Belonging(_table(VideoShare), _owned(VideoShare), given=False),
    Belonging(
        _table(Video),
        _owned(Video),
        hidden=frozenset({"user_id", "object_key", "thumbnail_key", "job_id"}),
        media=(("object_key", "videos"),),
    ),
    Belonging(
        _table(Turn),
        _owned(Turn),
        hidden=frozenset({"id", "user_id", "source", "witness", "voice_key"}),
        media=(("voice_key", "voices"),),
    ),
    Belonging(_table(Memory), _owned(Memory)),
    Belonging(_table(CalendarEvent), _owned(CalendarEvent)),
    Belonging(
        _table(Photo),
        _owned(Photo),
        hidden=frozenset({"user_id", "object_key", "upload_name", "shared_key", "thumbnail_key"}),
        media=(("object_key", "photos"),),
    ),
    Belonging(_table(Session), _owned(Session)),
    Belonging(_table(Habit), _owned(Habit)),
    Belonging(_table(Device), _owned(Device), hidden=frozenset({"user_id", "push_token"})),
    Belonging(
        _table(RefreshToken),
        lambda user: _table(RefreshToken).c.login_id.in_(select(_logins.c.id).where(_logins.c.user_id == user)),
        given=False,
    ),
    Belonging(_table(Login), _owned(Login)),
    Belonging(_table(Consent), _owned(Consent)),
    Belonging(_table(Outgoing), _owned(Outgoing), given=False),
    Belonging(_table(Job), _owned(Job), hidden=frozenset({"user_id", "holder", "result", "due_at", "deadline_at"})),
    Belonging(_table(Audit), _owned(Audit)),
    Belonging(_table(User), _owned(User, "id")),
)
"""In the order in which they can be deleted: what hangs on something comes before it."""
