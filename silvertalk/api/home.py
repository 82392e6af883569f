"""`/home`: the first screen, in one call."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from silvertalk import home
from silvertalk.api.calendars import EventAnswer, event_answer
from silvertalk.api.chat import SessionAnswer, session_answer
from silvertalk.api.photo_links import PhotoLink, photo_link
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.api.videos import VideoAnswer, video_answer
from silvertalk.errors import DatabaseAway, MediaAway

router = APIRouter(prefix="/home", tags=["home"], dependencies=[Depends(our_origin)])


class GreetingAnswer(BaseModel):
    pet_name: str = Field(examples=["복실이"])
    message: str = Field(examples=["좋은 아침이에요. 저 복실이 왔어요. 오늘은 11월 22일 일요일이에요."])
    voice_url: None = None


class PetAnswer(BaseModel):
    name: str = Field(examples=["복실이"])


class SuggestedPhoto(PhotoLink):
    why: Literal["anniversary", "least_talked"]


class HomeAnswer(BaseModel):
    """Everything as of `local_time`, the person's own clock. In their quiet hours (`quiet`) do not disturb them."""

    greeting: str
    pet: PetAnswer
    local_time: datetime
    quiet: bool
    today_events: list[EventAnswer]
    suggested_photos: list[SuggestedPhoto]
    unfinished_session: SessionAnswer | None
    new_videos: list[VideoAnswer]


@router.get("", summary="All of the first screen", responses=documented(DatabaseAway, MediaAway))
async def all_of_it(services: ServicesOf, identity: Asking) -> HomeAnswer:
    found = await home.home_of(services.database, identity.user, services.settings.time_zone)
    photos = []
    for photo, why in found.photos:
        link = await photo_link(services, photo)
        photos.append(SuggestedPhoto(**link.model_dump(), why=why))
    return HomeAnswer(
        greeting=found.greeting,
        pet=PetAnswer(name=found.treatment.pet_name),
        local_time=found.now,
        quiet=found.treatment.is_quiet(found.now),
        today_events=[event_answer(event) for event in found.events],
        suggested_photos=photos,
        unfinished_session=None if found.unfinished is None else await session_answer(services, found.unfinished),
        new_videos=[await video_answer(services, video) for video in found.videos],
    )


@router.get("/greeting", summary="The greeting alone", responses=documented(DatabaseAway))
async def greeting(services: ServicesOf, identity: Asking) -> GreetingAnswer:
    treatment, message = await home.greeting_for(services.database, identity.user, services.settings.time_zone)
    return GreetingAnswer(pet_name=treatment.pet_name, message=message)
