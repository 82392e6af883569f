"""A guest's things become an account's: everything, in the caller's transaction, and the guest is gone.

Where both have the same thing (a photo of one local uri, an event of one external id, habits, a consent) the account's
stays. A photo that only the guest has uploaded is still kept, under no local uri: a picture is never thrown away.

The guest leaves a tombstone, as somebody deleted does: nothing is written for them any more, however late it comes (a
turn that was still being spoken among it), since nobody could ever read it or have it deleted. What lies in the media
store is moved by a job (`silvertalk.adopting`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Table, delete, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.audit import note
from silvertalk.columns import new_id
from silvertalk.database import Database, no_writer_of, refuse_erased, user_hash
from silvertalk.errors import AccountErased
from silvertalk.jobs import moment_of
from silvertalk.models import (
    Audit,
    CalendarEvent,
    Consent,
    Device,
    Erasure,
    Habit,
    Job,
    Memory,
    Outgoing,
    Photo,
    Session,
    SessionPhoto,
    Turn,
    User,
    Video,
    VideoShare,
)


def _table(model: type) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


_users, _photos, _session_photos, _sessions, _jobs = map(_table, (User, Photo, SessionPhoto, Session, Job))
MOVED = tuple(
    map(_table, (Photo, CalendarEvent, Session, Turn, Memory, Video, VideoShare, Device, Job, Outgoing, Audit))
)
"""Tables whose rows go over as they are, once nothing is in the way."""
UNIQUE = ((_table(CalendarEvent), "external_id"), (_table(Consent), "name"), (_table(Habit), "user_id"))
"""Tables in which a person has one row of a kind, by the column that tells the kind."""
METADATA_ALONE = ("known", "awaited", "refused")
"""Photos without a picture: one row for it is enough."""


async def join_guest(database: Database, connection: AsyncConnection, guest: str, account: str) -> bool:
    """Give `account` all that is `guest`'s. False where there is nobody to join: they are deleted, or an account."""
    if guest == account:
        return False
    try:
        await no_writer_of(connection, guest)
        await refuse_erased(connection, guest)
    except AccountErased:
        return False
    is_account = select(_users.c.id).where(_users.c.id == guest, _users.c.kakao_id.is_not(None))
    if (await connection.execute(is_account)).one_or_none() is not None:
        return False
    await _make_way_for_photos(connection, guest, account)
    for table, kind in UNIQUE:
        await _drop_what_both_have(connection, table, kind, guest, account)
    await _hand_back_jobs(connection, guest)
    for table in (*MOVED, _table(Consent), _table(Habit)):
        await connection.execute(update(table).where(table.c.user_id == guest).values(user_id=account))
    await connection.execute(delete(_users).where(_users.c.id == guest))
    now = datetime.now(UTC)
    gone = {"receipt": new_id(), "user_hash": user_hash(guest), "asked_at": now, "completed_at": now, "counts": {}}
    await connection.execute(insert(_table(Erasure)).values(gone))
    await note(connection, account, "guest_joined", guest)
    return True


async def _hand_back_jobs(connection: AsyncConnection, guest: str) -> None:
    """What is being done for the guest finds nothing of theirs any more, and its end is refused: it is begun anew, for
    the account, at no try's cost."""
    now = await moment_of(connection)
    running = update(_jobs).where(_jobs.c.user_id == guest, _jobs.c.status == "running")
    await connection.execute(
        running.values(status="pending", holder="", due_at=now, updated_at=now, attempts=_jobs.c.attempts - 1)
    )


async def _drop_what_both_have(connection: AsyncConnection, table: Table, kind: str, guest: str, account: str) -> None:
    theirs = table.alias()
    both = exists().where(theirs.c.user_id == account)
    if kind != "user_id":
        both = both.where(theirs.c[kind] == table.c[kind])
    await connection.execute(delete(table).where(table.c.user_id == guest, both))


async def _make_way_for_photos(connection: AsyncConnection, guest: str, account: str) -> None:
    """Photos of the same local uri: conversations of the guest about them are about the account's from now on."""
    kept = _photos.alias()
    pairs = await connection.execute(
        select(_photos.c.id, _photos.c.status, kept.c.id.label("kept"))
        .join(kept, kept.c.local_uri == _photos.c.local_uri)
        .where(_photos.c.user_id == guest, kept.c.user_id == account)
    )
    for photo, status, kept_id in pairs.all():
        if status not in METADATA_ALONE:
            await connection.execute(update(_photos).where(_photos.c.id == photo).values(local_uri=None))
            continue
        there_already = select(_session_photos.c.session_id).where(_session_photos.c.photo_id == kept_id)
        await connection.execute(
            update(_session_photos)
            .where(_session_photos.c.photo_id == photo, _session_photos.c.session_id.not_in(there_already))
            .values(photo_id=kept_id)
        )
        about = update(_sessions).where(_sessions.c.user_id == guest, _sessions.c.photo_id == photo)
        await connection.execute(about.values(photo_id=kept_id))
        await connection.execute(delete(_photos).where(_photos.c.id == photo))
