"""`/calendars`: what a person's calendar holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from silvertalk import calendars
from silvertalk.api.ids import UUID_PATTERN
from silvertalk.api.lists import CONTINUED, USUAL_PAGE, After, Limit, tell_next
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.calendars import FIRST_YEAR, LAST_YEAR, MAX_SYNCED, Days, Event, EventGiven
from silvertalk.errors import AccountErased, DatabaseAway, NotFound, RequestInvalid
from silvertalk.treatment import treatment_of

router = APIRouter(prefix="/calendars", tags=["calendar"], dependencies=[Depends(our_origin)])

EVENT = "3f0f0c1e-6d0c-4a57-9f5e-0d3c1c0e9a11"
_ERRORS = (RequestInvalid, DatabaseAway, AccountErased)

Text = Annotated[str, Field(max_length=500)]
Day = Annotated[date, Query(ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31))]
EventId = Annotated[str, Path(pattern=UUID_PATTERN, max_length=36, examples=[EVENT])]


async def person_zone(services: ServicesOf, identity: Asking) -> ZoneInfo:
    """The person's own clock."""
    async with services.database.transaction() as connection:
        return (await treatment_of(connection, identity.user, services.settings.time_zone)).zone


Zone = Annotated[ZoneInfo, Depends(person_zone)]


class EventBody(BaseModel):
    """Moments without an offset are on the person's own clock. Of an all-day event they name days, and an end at
    midnight names the day before."""

    title: Text = Field(examples=["손주 생일"])
    start_time: datetime = Field(examples=["2026-11-22T15:00:00+09:00"])
    end_time: datetime | None = Field(None, examples=["2026-11-22T16:00:00+09:00"])
    location: Text | None = Field(None, examples=["서울"])
    is_all_day: bool = False

    def given(self, external_id: str | None = None) -> EventGiven:
        return EventGiven(self.title, self.start_time, self.end_time, self.location or "", self.is_all_day, external_id)


class NewEvent(EventBody):
    model_config = ConfigDict(extra="forbid")


class SyncedEvent(EventBody):
    """As the phone has it; what else the phone says of it is not read."""

    id: str | None = Field(
        None,
        max_length=256,
        description="the phone's, and another one for each occurrence of what repeats; without, an event is known by "
        "its title and beginning",
    )


class Sync(BaseModel):
    """`complete`: there is nothing else on the days from `start_date` to `end_date` (on all days, where they are left
    out), so what an earlier synchronisation brought there and this one does not is deleted."""

    events: list[SyncedEvent] = Field(max_length=MAX_SYNCED)
    complete: bool = False
    start_date: date | None = Field(None, ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31))
    end_date: date | None = Field(None, ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31))


class SyncAnswer(BaseModel):
    message: str = Field(examples=["일정 12개를 맞추었어요."])
    count: int = Field(description="events that were sent, each counted once", examples=[12])
    removed: int = Field(examples=[0])


class EventChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: Text | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    location: Text | None = None
    is_all_day: bool | None = None


class EventAnswer(BaseModel):
    """`first_day` and `last_day` are on the person's own clock; an all-day event's times are their midnights there."""

    id: str = Field(examples=[EVENT])
    external_id: str | None = Field(description="the phone's")
    title: str
    start_time: datetime
    end_time: datetime
    location: str
    is_all_day: bool
    first_day: date
    last_day: date


def event_answer(event: Event) -> EventAnswer:
    return EventAnswer(
        id=event.id,
        external_id=event.external_id,
        title=event.title,
        start_time=event.starts_at,
        end_time=event.ends_at,
        location=event.location,
        is_all_day=event.is_all_day,
        first_day=event.days[0],
        last_day=event.days[1],
    )


@router.post("/sync", summary="Have the phone's events known", responses=documented(*_ERRORS))
async def sync(services: ServicesOf, identity: Asking, zone: Zone, body: Sync) -> SyncAnswer:
    complete = Days(body.start_date, body.end_date) if body.complete else None
    given = [event.given(event.id) for event in body.events]
    done = await calendars.sync(services.database, identity.user, given, zone, complete=complete)
    return SyncAnswer(message=f"일정 {done.kept}개를 맞추었어요.", count=done.kept, removed=done.removed)


@router.get(
    "/",
    summary="My events that touch these days, the latest first",
    responses={**documented(*_ERRORS), 200: {"headers": CONTINUED}},
)
async def listed(
    services: ServicesOf,
    identity: Asking,
    zone: Zone,
    response: Response,
    after: After,
    start_date: Day | None = None,
    end_date: Day | None = None,
    limit: Limit = USUAL_PAGE,
) -> list[EventAnswer]:
    days = Days(start_date, end_date)
    page = await calendars.listed(services.database, identity.user, zone, days, limit=limit, after=after)
    tell_next(response, page)
    return [event_answer(event) for event in page.rows]


@router.post("/", status_code=201, summary="Write an event down", responses=documented(*_ERRORS))
async def add(services: ServicesOf, identity: Asking, zone: Zone, body: NewEvent) -> EventAnswer:
    return event_answer(await calendars.add(services.database, identity.user, body.given(), zone))


@router.get("/{event_id}", summary="One event", responses=documented(*_ERRORS, NotFound))
async def one(services: ServicesOf, identity: Asking, zone: Zone, event_id: EventId) -> EventAnswer:
    return event_answer(await calendars.one(services.database, identity.user, event_id, zone))


@router.patch("/{event_id}", summary="Change an event", responses=documented(*_ERRORS, NotFound))
async def change(
    services: ServicesOf, identity: Asking, zone: Zone, event_id: EventId, body: EventChange
) -> EventAnswer:
    names = {"start_time": "starts", "end_time": "ends"}
    changes: dict[str, Any] = {
        names.get(name, name): value for name, value in body.model_dump(exclude_none=True).items()
    }
    return event_answer(await calendars.change(services.database, identity.user, event_id, changes, zone))


@router.delete("/{event_id}", status_code=204, summary="Delete an event", responses=documented(*_ERRORS, NotFound))
async def remove(services: ServicesOf, identity: Asking, event_id: EventId) -> Response:
    async with services.database.transaction() as connection:
        await calendars.remove(connection, identity.user, event_id)
    return Response(status_code=204)
