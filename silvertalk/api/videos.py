"""`/videos`: memory videos, read and deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from silvertalk import videos
from silvertalk.api.ids import UUID_PATTERN
from silvertalk.api.lists import CONTINUED, USUAL_PAGE, After, Limit, tell_next
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.errors import DatabaseAway, MediaAway, NotFound, RequestInvalid
from silvertalk.models import Video

router = APIRouter(prefix="/videos", tags=["video"], dependencies=[Depends(our_origin)])

_ERRORS = (RequestInvalid, DatabaseAway, MediaAway)

VideoId = Annotated[str, Path(pattern=UUID_PATTERN, max_length=36)]


class VideoAnswer(BaseModel):
    """Links expire after five minutes; they are relative to this server where they have no host."""

    id: str
    session_id: str
    video_url: str | None
    thumbnail_url: str | None
    video_type: str = Field(examples=["slideshow"])
    duration_seconds: float
    status: str = Field(description="`pending`, `processing`, `completed` or `failed`", examples=["completed"])
    created_at: datetime
    completed_at: datetime | None


class StatusAnswer(BaseModel):
    video_id: str
    status: str = Field(examples=["completed"])
    video_url: str | None
    thumbnail_url: str | None
    duration_seconds: float
    created_at: datetime
    completed_at: datetime | None


class DeletedAnswer(BaseModel):
    message: str = Field(examples=["영상을 지웠어요."])


class VoiceAnswer(BaseModel):
    id: str = Field(examples=["warm_female"])
    name: str = Field(examples=["따뜻한 여성 목소리"])
    description: str
    is_default: bool


class VoicesAnswer(BaseModel):
    voices: list[VoiceAnswer]
    default: str = Field(examples=["warm_female"])


async def _links(services: Services, video: Video) -> tuple[str | None, str | None]:
    if video.status != "completed":
        return None, None
    keys = (video.object_key, video.thumbnail_key)
    film, still = [await services.media.link(key) if key else None for key in keys]
    return film, still


async def video_answer(services: Services, video: Video) -> VideoAnswer:
    film, still = await _links(services, video)
    return VideoAnswer(
        id=video.id,
        session_id=video.session_id,
        video_url=film,
        thumbnail_url=still,
        video_type=video.video_type,
        duration_seconds=video.duration_seconds,
        status=video.status,
        created_at=video.created_at,
        completed_at=video.completed_at,
    )


@router.get("/", summary="My videos, the newest first", responses={**documented(*_ERRORS), 200: {"headers": CONTINUED}})
async def listed(
    services: ServicesOf, identity: Asking, response: Response, after: After, limit: Limit = USUAL_PAGE
) -> list[VideoAnswer]:
    page = await videos.listed(services.database, identity.user, limit=limit, after=after)
    tell_next(response, page)
    return [await video_answer(services, video) for video in page.rows]


@router.get("/voices", summary="Voices that can tell a video's story")
async def voices(identity: Asking) -> VoicesAnswer:
    first = videos.NARRATORS[0].id
    told = [
        VoiceAnswer(id=each.id, name=each.name, description=each.description, is_default=each.id == first)
        for each in videos.NARRATORS
    ]
    return VoicesAnswer(voices=told, default=first)


@router.get("/{video_id}/status", summary="How far a video is", responses=documented(*_ERRORS, NotFound))
async def status(services: ServicesOf, identity: Asking, video_id: VideoId) -> StatusAnswer:
    async with services.database.transaction() as connection:
        video = await videos.one(connection, identity.user, video_id)
    film, still = await _links(services, video)
    return StatusAnswer(
        video_id=video.id,
        status=video.status,
        video_url=film,
        thumbnail_url=still,
        duration_seconds=video.duration_seconds,
        created_at=video.created_at,
        completed_at=video.completed_at,
    )


@router.delete("/{video_id}", summary="Delete a video", responses=documented(*_ERRORS, NotFound))
async def remove(services: ServicesOf, identity: Asking, video_id: VideoId) -> DeletedAnswer:
    await videos.remove(services.database, services.media, identity.user, video_id)
    return DeletedAnswer(message="영상을 지웠어요.")
