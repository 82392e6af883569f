"""A person's conversations: asked for ahead of their talk, read back, finished, deleted.

What was said is written by the committer alone; here it is read. A conversation may be reserved before anybody talks,
so that it has an id and a photo; whoever opens it first has it. One that is deleted leaves an empty row, so that a turn
which is still on its way to the database finds its conversation gone.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit, videos
from silvertalk.columns import clean
from silvertalk.consents import has_agreed
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import ConversationTaken, DatabaseAway, NotFound, NothingTold, RequestInvalid
from silvertalk.media.store import MediaStore, user_prefix
from silvertalk.memories import memories
from silvertalk.models import Photo, Session, SessionPhoto, Turn, Video
from silvertalk.paging import Cursor, Page, page_of
from streaming.logs import logger
from streaming.messages import Language

log = logger("conversations")

Status = Literal["active", "completed", "abandoned"]

CAN_FINISH_TURNS = 3
"""A story that may be told: so many turns make one."""
MAX_PHOTOS = 100
"""Of one conversation."""
RESERVED_HOURS = 24
"""A conversation in which nothing was said within this is forgotten with the next that is reserved."""
NEAR_DAYS = 7
"""Photos so near in time belong to the same story."""
_NEAR_LOOKED_AT = 200
SHOWN = ("known", "ready")
"""States of a photo that can be talked about."""
GONE = ("deleting", "deleted")
"""States of a photo that nothing shows any more."""
UNFINISHED_DAYS = 7
"""How long somebody is reminded of a conversation they left."""

sessions: Table = Session.__table__  # type: ignore[assignment]
turns: Table = Turn.__table__  # type: ignore[assignment]
photos: Table = Photo.__table__  # type: ignore[assignment]
session_photos: Table = SessionPhoto.__table__  # type: ignore[assignment]


class Listed(NamedTuple):
    """A conversation with the photo it began with, if it is still there."""

    session: Session
    photo: Photo | None


class Attached(NamedTuple):
    """A photo of a conversation's."""

    photo: Photo
    display_order: int
    added_at: datetime


# --- before the talk -------------------------------------------------------------------------------------------------


async def reserve(database: Database, user: str, *, language: Language, photo: str | None) -> Listed:
    """A conversation to be opened later, about a photo of theirs (its id, or the phone's). Raises NotFound."""
    now = datetime.now(UTC)
    session = secrets.token_hex(16)
    row = {
        "id": session,
        "user_id": user,
        "language": language,
        "started_at": now,
        "turn_count": 0,
        "photo_id": "",
        "summary": "",
    }
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        await _forget_reserved(connection, user, now)
        about = None
        if photo is not None:
            about = await photo_of(connection, user, photo)
            row["photo_id"] = about.id
        made = (await connection.execute(database.insert(sessions).values(row).returning(sessions))).one()
        if about is not None:
            await _attach(database, connection, session, about.id, 0)
        return Listed(Session(**made._mapping), about)


async def check_free(database: Database, user: str, session: str) -> None:
    """Raises NotFound unless it is theirs, and ConversationTaken unless it can still be opened."""
    async with database.transaction() as connection:
        found = await one(connection, user, session)
    if found.opened_at is not None or found.finished_at is not None:
        raise ConversationTaken


@asynccontextmanager
async def taken_up(database: Database, user: str, session: str) -> AsyncIterator[Session]:
    """Of all who take it up at once one does, and opens it within; where that fails it is reserved again.

    Raises NotFound, and ConversationTaken for one that was opened.
    """
    reserved = await take_up(database, user, session)
    try:
        yield reserved
    except BaseException:
        try:
            await put_back(database, user, session)
        except DatabaseAway:
            log.warning("conversation_not_put_back", session=session)
        raise


async def take_up(database: Database, user: str, session: str) -> Session:
    """A reserved conversation is opened, once. Raises NotFound, and ConversationTaken for one that was opened."""
    opened = (
        update(sessions)
        .where(*_mine(user, session), sessions.c.opened_at.is_(None), sessions.c.finished_at.is_(None))
        .values(opened_at=datetime.now(UTC))
        .returning(sessions)
    )
    async with database.transaction() as connection:
        row = (await connection.execute(opened)).one_or_none()
        if row is None:
            await one(connection, user, session)
            raise ConversationTaken
        about = update(photos).where(photos.c.id == row.photo_id, photos.c.user_id == user)
        await connection.execute(about.values(last_session_id=session))
        return Session(**row._mapping)


async def put_back(database: Database, user: str, session: str) -> None:
    """It was taken up, and could not be opened: it is reserved again."""
    async with database.transaction() as connection:
        unopened = (*_mine(user, session), sessions.c.turn_count == 0)
        await connection.execute(update(sessions).where(*unopened).values(opened_at=None))


async def _forget_reserved(connection: AsyncConnection, user: str, now: datetime) -> None:
    """Those in which nothing was ever said; one that goes on is younger."""
    await connection.execute(
        delete(sessions).where(
            sessions.c.user_id == user,
            sessions.c.finished_at.is_(None),
            sessions.c.deleted_at.is_(None),
            sessions.c.turn_count == 0,
            sessions.c.started_at < now - timedelta(hours=RESERVED_HOURS),
        )
    )


# --- reading it back -------------------------------------------------------------------------------------------------


def _mine(user: str, session: str) -> tuple[ColumnElement[bool], ...]:
    return sessions.c.id == session, sessions.c.user_id == user, sessions.c.deleted_at.is_(None)


async def one(connection: AsyncConnection, user: str, session: str) -> Session:
    """Raises NotFound."""
    row = (await connection.execute(select(sessions).where(*_mine(user, session)))).one_or_none()
    if row is None:
        raise NotFound
    return Session(**row._mapping)


async def listed(database: Database, user: str, *, limit: int, after: Cursor | None) -> Page[Listed]:
    """A person's conversations, the newest first; those in which nothing was said are not among them."""
    asked = select(sessions).where(
        sessions.c.user_id == user,
        sessions.c.deleted_at.is_(None),
        or_(sessions.c.turn_count > 0, sessions.c.finished_at.is_not(None)),
    )
    if after is not None:
        asked = asked.where(after.before(sessions.c.started_at, sessions.c.id))
    asked = asked.order_by(sessions.c.started_at.desc(), sessions.c.id.desc()).limit(limit + 1)
    async with database.transaction() as connection:
        rows = [Session(**row._mapping) for row in await connection.execute(asked)]
        page = page_of(rows, limit, lambda session: Cursor(session.started_at, session.id))
        about = await _photos_by_id(connection, user, [session.photo_id for session in page.rows])
    return Page([Listed(session, about.get(session.photo_id)) for session in page.rows], page.next_cursor)


async def turns_of(
    database: Database, user: str, session: str, *, limit: int, after: Cursor | None
) -> tuple[Session, Page[Turn]]:
    """What was said, as it was said; their voice only while they agree to its being kept. Raises NotFound."""
    asked = select(turns).where(turns.c.session_id == session, turns.c.user_id == user)
    if after is not None:
        if not (after.id.isascii() and after.id.isdecimal() and len(after.id) <= 9):
            raise RequestInvalid(fields=(("query.cursor", "not a cursor of this list"),))
        asked = asked.where(turns.c.number > int(after.id))
    async with database.transaction() as connection:
        found = await one(connection, user, session)
        rows = await connection.execute(asked.order_by(turns.c.number).limit(limit + 1))
        said = [Turn(**row._mapping) for row in rows]
        if any(turn.voice_key for turn in said) and not await has_agreed(connection, user, "keep_voice"):
            for turn in said:
                turn.voice_key = ""
        page = page_of(said, limit, lambda turn: Cursor(turn.started_at, str(turn.number)))
        if any(turn.voice_key for turn in page.rows):
            await audit.note(connection, user, "voice_links_given", session)
    return found, page


async def unfinished(connection: AsyncConnection, user: str) -> Listed | None:
    """The conversation that was left last, if it was lately."""
    asked = (
        select(sessions)
        .where(
            sessions.c.user_id == user,
            sessions.c.deleted_at.is_(None),
            sessions.c.finished_at.is_(None),
            sessions.c.turn_count > 0,
            sessions.c.started_at > datetime.now(UTC) - timedelta(days=UNFINISHED_DAYS),
        )
        .order_by(sessions.c.started_at.desc(), sessions.c.id.desc())
        .limit(1)
    )
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        return None
    session = Session(**row._mapping)
    about = await _photos_by_id(connection, user, [session.photo_id])
    return Listed(session, about.get(session.photo_id))


def status_of(session: Session) -> Status:
    """ "completed" where the person said that the story is told, "abandoned" where they only left."""
    if session.finished_at is not None:
        return "completed"
    return "active" if session.ended_at is None else "abandoned"


# --- finishing and deleting ------------------------------------------------------------------------------------------


async def finish(database: Database, user: str, session: str) -> Session:
    """The story is told. Said again, it stays as it was. Raises NotFound, and NothingTold where nothing was said and
    no photo chosen."""
    told = (
        update(sessions)
        .where(
            *_mine(user, session),
            or_(
                sessions.c.turn_count > 0,
                sessions.c.photo_id != "",
                exists().where(session_photos.c.session_id == session),
            ),
        )
        .values(finished_at=func.coalesce(sessions.c.finished_at, datetime.now(UTC)))
        .returning(sessions)
    )
    async with database.transaction() as connection:
        row = (await connection.execute(told)).one_or_none()
        if row is None:
            await one(connection, user, session)
            raise NothingTold
        return Session(**row._mapping)


async def check(database: Database, user: str, session: str) -> None:
    """Raises NotFound unless there is such a conversation of theirs."""
    async with database.transaction() as connection:
        await one(connection, user, session)


async def remove(database: Database, media: MediaStore, user: str, session: str) -> None:
    """Everything that was said and kept of it goes; what was remembered stays, and is not said to be from it any more.

    The objects go first: while the media store is away, nothing is lost sight of. Voice and videos go once more at the
    end, since the last turn's, or a worker's, may have been on its way; where the store is away just then, asking again
    takes it.
    Raises NotFound, MediaAway.
    """
    async with database.transaction() as connection:
        empty = (sessions.c.id == session, sessions.c.user_id == user, sessions.c.deleted_at.is_not(None))
        deleted = (await connection.execute(select(sessions.c.id).where(*empty))).first() is not None
    if deleted:
        await media.delete_below(voice_prefix(user, session))
        raise NotFound
    async with database.transaction() as connection:
        await one(connection, user, session)
        made = select(videos.videos).where(videos.videos.c.session_id == session, videos.videos.c.user_id == user)
        shown = [Video(**row._mapping) for row in await connection.execute(made)]
    await media.delete_below(voice_prefix(user, session))
    await videos.delete_objects(media, shown)
    now = datetime.now(UTC)
    emptied: dict[str, Any] = {
        "language": "",
        "started_at": now,
        "opened_at": None,
        "ended_at": now,
        "finished_at": None,
        "turn_count": 0,
        "photo_id": "",
        "summary": "",
        "deleted_at": now,
    }
    async with database.transaction() as connection:
        # The row first: a turn that is being written waits for it, or is there to be deleted below.
        gone = await connection.execute(update(sessions).where(*_mine(user, session)).values(emptied))
        if gone.rowcount != 1:
            raise NotFound
        for table in (turns, session_photos, videos.videos):
            await connection.execute(delete(table).where(table.c.session_id == session))
        from_it = update(memories).where(memories.c.user_id == user, memories.c.session_id == session)
        await connection.execute(from_it.values(session_id="", turn_number=None))
        about = update(photos).where(photos.c.user_id == user, photos.c.last_session_id == session)
        await connection.execute(about.values(last_session_id=""))
        await audit.note(connection, user, "conversation_deleted", session)
    await media.delete_below(voice_prefix(user, session))
    await videos.delete_objects(media, shown)


def voice_prefix(user: str, session: str) -> str:
    """Where the kept voice of a conversation lies in the media store."""
    return f"{user_prefix(user)}voice/{session}/"


# --- its photos ------------------------------------------------------------------------------------------------------


async def photo_of(connection: AsyncConnection, user: str, photo: str) -> Photo:
    """A person's photo by our id or the phone's. Raises NotFound."""
    wanted = clean(photo)
    named = or_(photos.c.id == wanted, photos.c.local_uri == wanted)
    asked = select(photos).where(photos.c.user_id == user, named, photos.c.status.not_in(GONE))
    row = (await connection.execute(asked.order_by(photos.c.id == wanted).limit(1))).one_or_none()
    if row is None:
        raise NotFound
    return Photo(**row._mapping)


async def add_photo(database: Database, user: str, session: str, photo: str) -> tuple[Photo, int]:
    """The photo and its place in the conversation; added once. Raises NotFound, RequestInvalid where it has enough."""
    async with database.transaction() as connection:
        # It writes before it reads, so that places are given one at a time on either database.
        held = update(sessions).where(*_mine(user, session)).values(turn_count=sessions.c.turn_count)
        if (await connection.execute(held)).rowcount != 1:
            raise NotFound
        found = await photo_of(connection, user, photo)
        there = select(session_photos.c.photo_id, session_photos.c.display_order).where(
            session_photos.c.session_id == session
        )
        places = {row.photo_id: row.display_order for row in await connection.execute(there)}
        if found.id in places:
            return found, places[found.id]
        if len(places) >= MAX_PHOTOS:
            raise RequestInvalid(fields=(("query.photo_id", f"the conversation has {MAX_PHOTOS} photos already"),))
        place = max(places.values(), default=-1) + 1
        await _attach(database, connection, session, found.id, place)
        return found, place


async def photos_of(database: Database, user: str, session: str) -> list[Attached]:
    """All photos of a conversation, in their order. Raises NotFound."""
    asked = (
        select(photos, session_photos.c.display_order, session_photos.c.added_at)
        .join(session_photos, session_photos.c.photo_id == photos.c.id)
        .where(session_photos.c.session_id == session, photos.c.user_id == user)
        .order_by(session_photos.c.display_order, session_photos.c.id)
        .limit(MAX_PHOTOS)
    )
    async with database.transaction() as connection:
        await one(connection, user, session)
        rows = (await connection.execute(asked)).mappings().all()
    names = [column.name for column in photos.c]
    return [
        Attached(Photo(**{name: row[name] for name in names}), row["display_order"], row["added_at"]) for row in rows
    ]


async def near(connection: AsyncConnection, user: str, photo: Photo, limit: int) -> list[Photo]:
    """Photos taken within days of this one, the nearest in time first."""
    if photo.taken_at is None:
        return []
    taken, days = photos.c.taken_at, timedelta(days=NEAR_DAYS)
    asked = (
        select(photos)
        .where(
            photos.c.user_id == user,
            photos.c.id != photo.id,
            photos.c.status.in_(SHOWN),
            taken.between(photo.taken_at - days, photo.taken_at + days),
        )
        .order_by(taken, photos.c.id)
        .limit(_NEAR_LOOKED_AT)
    )
    found = [Photo(**row._mapping) for row in await connection.execute(asked)]
    at = photo.taken_at
    return sorted(found, key=lambda one: abs(one.taken_at - at) if one.taken_at else days)[:limit]


async def next_photos(database: Database, user: str, session: str, limit: int) -> list[Photo]:
    """What to talk about next: photos from around the conversation's own, then any. Raises NotFound."""
    async with database.transaction() as connection:
        found = await one(connection, user, session)
        there = select(session_photos.c.photo_id).where(session_photos.c.session_id == session)
        used = {found.photo_id, *(await connection.execute(there)).scalars()}
        about = await _photos_by_id(connection, user, [found.photo_id])
        around = [
            photo
            for main in about.values()
            for photo in await near(connection, user, main, limit + len(used))
            if photo.id not in used
        ][:limit]
        used |= {photo.id for photo in around}
        anything = (
            select(photos)
            .where(photos.c.user_id == user, photos.c.status.in_(SHOWN), photos.c.id.not_in(used))
            .order_by(func.random())
            .limit(limit - len(around))
        )
        return around + [Photo(**row._mapping) for row in await connection.execute(anything)]


async def _attach(database: Database, connection: AsyncConnection, session: str, photo: str, place: int) -> None:
    row = {"session_id": session, "photo_id": photo, "display_order": place, "added_at": datetime.now(UTC)}
    added = database.insert(session_photos).values(row)
    await connection.execute(added.on_conflict_do_nothing(index_elements=["session_id", "photo_id"]))


async def _photos_by_id(connection: AsyncConnection, user: str, ids: Sequence[str]) -> dict[str, Photo]:
    wanted = {photo for photo in ids if photo}
    if not wanted:
        return {}
    asked: Select[Any] = select(photos).where(photos.c.user_id == user, photos.c.id.in_(wanted))
    return {row.id: Photo(**row._mapping) for row in await connection.execute(asked)}
