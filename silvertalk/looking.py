"""The job "look": a photo is looked at once, and what is seen on it is kept with it (`silvertalk.seeing`).

A node is asked, as an errand, and only where a service outside the operator's own machines may be shown the picture:
whatever looks at pictures today is one. Otherwise, and where no node can, what is kept is what follows from when the
photo was taken; a conversation about it asks again (`wants_look`), since the person may have agreed meanwhile.

Done twice it comes to the same: what was looked at is not looked at again, and what is kept is kept of the picture that
was looked at, not of one that has taken its place since.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import calendars
from silvertalk.consents import has_agreed
from silvertalk.conversations import SHOWN, photos
from silvertalk.database import refuse_erased
from silvertalk.errors import JobFailed, MediaTooLarge, NotFound
from silvertalk.job_kinds import JobPostponed, Report, WorkParts
from silvertalk.jobs import TRIES, JobRow, Jobs
from silvertalk.media.images import SHARED_TYPE
from silvertalk.models import Photo
from silvertalk.photo_words import PhotoFacts, short
from silvertalk.photos import mine, photo_of
from silvertalk.seeing import ITEM_CHARACTERS, LOOK, Seen, season_of, seen_of, understood
from silvertalk.treatment import Treatment, treatment_of
from streaming.errors import ErrandError
from streaming.logs import logger
from streaming.messages import ErrandOpened

log = logger("looking")

NODES_SECONDS = 60.0
"""Between two looks for a node, where there is none."""
LOOK_SECONDS = 60.0
"""For one look: a node gives the service 30 s for its first word."""
MAX_PICTURE_BYTES = 1024 * 1024
"""What a node takes. A larger one is looked at in its small copy, which shows who and where as well."""
REPLACED_AT_MOST = 3
"""So often in one job another picture may take the place of the one that was looked at."""
FOR_GOOD = frozenset({"unable", "bad_errand", "too_large"})
"""Reasons of an errand that another try would meet again."""


def wants_look(photo: Photo, *, outside: bool) -> bool:
    """Whether there is something to find out about it. `outside`: services outside may be shown the picture."""
    seen = seen_of(photo.analysis)
    return seen is None or (outside and photo.status == "ready" and not seen.was_looked_at)


async def ask_to_look(jobs: Jobs, connection: AsyncConnection, photo: Photo, *, operator_answers: bool) -> str:
    """The job's id, to be started after the transaction; empty where there is nothing to find out."""
    outside = await outside_allowed(connection, photo.user_id, operator_answers)
    wanted = photo.status in SHOWN and wants_look(photo, outside=outside)
    return await jobs.record(connection, "look", photo.user_id, photo.id) if wanted else ""


async def look_at_photo(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    """The job's work: `job.subject_id` is the photo's. Raises MediaAway, DatabaseAway, BusUnavailable and, while it may
    help to try again, ErrandError."""
    for _ in range(REPLACED_AT_MOST):
        try:
            photo = await photo_of(parts.database, job.user_id, job.subject_id)
        except NotFound:
            return {"source": "gone"}
        async with parts.database.transaction() as connection:
            outside = await outside_allowed(connection, job.user_id, parts.settings.outside_services_allowed)
        if photo.status not in SHOWN or not wants_look(photo, outside=outside):
            return {"source": "as before"}
        asks = outside and photo.status == "ready"
        if asks and not await parts.bus.warm_nodes():
            raise JobPostponed(NODES_SECONDS)  # whoever waited here would keep a worker's place from other jobs
        await report("look", 0.2)
        seen = await _look(parts, photo, job.attempts) if asks else None
        async with parts.database.transaction() as connection:
            await refuse_erased(connection, job.user_id)
            seen = seen or await _from_camera(parts, connection, photo)
            if await _keep(connection, photo, seen):
                return {"source": seen.source}
    raise JobFailed("photo_changes")


async def outside_allowed(connection: AsyncConnection, user: str, operator_answers: bool) -> bool:
    """Whether services outside the operator's own machines may be shown this person's pictures."""
    return operator_answers or await has_agreed(connection, user, "outside_services")


async def facts_of(connection: AsyncConnection, photo: Photo, treatment: Treatment) -> PhotoFacts:
    """What may be said of it."""
    return PhotoFacts(
        taken_at=photo.taken_at,
        location_name=photo.location_name,
        seen=seen_of(photo.analysis),
        occasion=await occasion_of(connection, photo, treatment),
    )


async def occasion_of(connection: AsyncConnection, photo: Photo, treatment: Treatment) -> str:
    """What the calendar has for the day the photo was taken, if only one thing: of several nobody knows which."""
    if photo.taken_at is None:
        return ""
    day = photo.taken_at.astimezone(treatment.zone).date()
    found = await calendars.of_day(connection, photo.user_id, treatment.zone, day, 2)
    return short(found[0].title, ITEM_CHARACTERS) if len(found) == 1 else ""


async def give_up_look(parts: WorkParts, connection: AsyncConnection, job: JobRow) -> None:
    """The job is a dead letter: what follows from the camera is known all the same."""
    asked = select(photos).where(*mine(job.user_id, job.subject_id), photos.c.status.in_(SHOWN))
    row = (await connection.execute(asked)).one_or_none()
    if row is not None and seen_of(row.analysis) is None:
        photo = Photo(**row._mapping)
        await _keep(connection, photo, await _from_camera(parts, connection, photo))


async def _from_camera(parts: WorkParts, connection: AsyncConnection, photo: Photo) -> Seen:
    """What is known of a picture that nobody has looked at."""
    treatment = await treatment_of(connection, photo.user_id, parts.settings.time_zone)
    occasion = await occasion_of(connection, photo, treatment)
    season = (
        "" if photo.taken_at is None else season_of(photo.taken_at.astimezone(treatment.zone).month, photo.latitude)
    )
    return Seen(source="camera", season=season, occasion=occasion)


async def _look(parts: WorkParts, photo: Photo, attempt: int) -> Seen | None:
    """What a node sees on it; None where none can."""
    picture = await _picture(parts, photo)
    if picture is None:
        return None
    wanted = ErrandOpened(errand="", kind="look", text=LOOK, content_type=SHARED_TYPE, outside_services=True)
    try:
        result = await parts.bus.errands.ask(wanted, picture, within=LOOK_SECONDS)
        return understood(result.data, "gemini")
    except ErrandError as error:
        log.info("photo_not_seen", photo=photo.id, reason=error.reason)
        if error.reason in FOR_GOOD or attempt >= TRIES:
            return None
        raise
    except ValueError:
        log.warning("photo_not_understood", photo=photo.id)
        return None


async def _picture(parts: WorkParts, photo: Photo) -> bytes | None:
    """The copy that may be shown, of a size that a node takes; None where there is none."""
    for key in (photo.shared_key, photo.thumbnail_key):
        try:
            return await parts.media.read(key, MAX_PICTURE_BYTES)
        except MediaTooLarge:
            continue
        except (KeyError, ValueError):
            return None
    return None


async def _keep(connection: AsyncConnection, photo: Photo, seen: Seen) -> bool:
    """False where it is another picture by now, or gone."""
    kept = await connection.execute(
        update(photos)
        .where(*mine(photo.user_id, photo.id))
        .where(photos.c.status == photo.status, photos.c.object_key == photo.object_key)
        .values(analysis=seen.as_kept(), updated_at=datetime.now(UTC))
    )
    return kept.rowcount == 1
