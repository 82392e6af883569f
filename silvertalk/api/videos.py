"""`/videos`: memory videos: asked for, watched as they are made, read, tried again, stopped and deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from silvertalk import videos
from silvertalk.api.ids import SESSION_PATTERN, UUID_PATTERN
from silvertalk.api.lists import CONTINUED, USUAL_PAGE, After, Limit, tell_next
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.errors import (
    DatabaseAway,
    MediaAway,
    NotFound,
    NothingToShow,
    RateLimited,
    RequestInvalid,
    StoryNotFinished,
    VideoSettled,
)
from silvertalk.models import Video
from silvertalk.story import story_of
from silvertalk.videos import Progress, VideoType
from streaming.voices import VoiceName

router = APIRouter(prefix="/videos", tags=["video"], dependencies=[Depends(our_origin)])

_ERRORS = (RequestInvalid, DatabaseAway, MediaAway)

VideoId = Annotated[str, Path(pattern=UUID_PATTERN, max_length=36)]

FAILURES = {
    "nothing_to_show": "영상에 담을 사진이 없어요. 사진을 더해 주시면 다시 만들어 드릴게요.",
    "film_no_pictures": "사진을 열 수 없어서 영상을 만들지 못했어요. 다른 사진으로 다시 해 주세요.",
    "deadline": "만드는 데 너무 오래 걸려서 멈췄어요. 다시 만들어 드릴까요?",
}
"""What the person reads; for any other reason `OTHER_FAILURE`."""
OTHER_FAILURE = "영상을 만들다가 문제가 생겼어요. 다시 만들어 드릴까요?"


class NewVideo(BaseModel):
    model_config = ConfigDict(extra="ignore")

    session_id: str = Field(pattern=SESSION_PATTERN, max_length=32, description="a finished conversation")
    video_type: VideoType = Field(
        default="slideshow", description="`ai_animated`: slides move, where this server can have that made"
    )
    voice_id: VoiceName | None = Field(default=None, description="of `/videos/voices`")
    own_voice: bool = Field(
        default=True, description="the person's own recorded sentences are heard, where they agreed to keep their voice"
    )


class GenerateAnswer(BaseModel):
    message: str = Field(examples=["영상을 만들고 있어요. 다 되면 알려 드릴게요."])
    video_id: str
    video_type: VideoType
    task_id: str = Field(description="the job that makes it")
    status: str = Field(examples=["pending"])


class VideoAnswer(BaseModel):
    """Links expire after five minutes; they are relative to this server where they have no host."""

    id: str
    session_id: str
    title: str = Field(examples=["순자 할머니의 추억"])
    video_url: str | None
    thumbnail_url: str | None
    video_type: str = Field(examples=["slideshow"])
    duration_seconds: float
    status: str = Field(
        description="`pending`, `processing`, `completed`, `failed` or `cancelled`", examples=["completed"]
    )
    error_code: str | None
    own_voice: bool = Field(description="the person's own voice is heard in it, or will be where it can")
    created_at: datetime
    completed_at: datetime | None
    seen_at: datetime | None


class ToldAnswer(BaseModel):
    """One sentence of the story."""

    text: str
    photo_id: str
    turns: list[int] = Field(description="the turns in which that was said")
    own_words: bool
    own_voice: bool


class DetailAnswer(VideoAnswer):
    subtitle: str
    source: str | None = Field(description="the engine that wrote the story, or `words`, the person's own")
    story: list[ToldAnswer]


class StatusAnswer(BaseModel):
    video_id: str
    status: str = Field(examples=["processing"])
    stage: str = Field(
        description="`waiting`, `gathering`, `writing`, `animating`, `speaking`, `rendering`, `storing`, `done`; empty "
        "where it failed or was cancelled",
        examples=["rendering"],
    )
    progress: float = Field(ge=0, le=1, examples=[0.62])
    video_url: str | None
    thumbnail_url: str | None
    duration_seconds: float
    error_code: str | None
    error_message: str | None = Field(description="for the person")
    created_at: datetime
    completed_at: datetime | None


class SeenAnswer(BaseModel):
    video_id: str
    seen_at: datetime | None


class DeletedAnswer(BaseModel):
    message: str = Field(examples=["영상을 지웠어요."])


class VoiceAnswer(BaseModel):
    id: VoiceName
    name: str = Field(examples=["따뜻한 여성 목소리"])
    description: str
    is_default: bool


class VoicesAnswer(BaseModel):
    voices: list[VoiceAnswer]
    default: VoiceName


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
        title=video.title,
        video_url=film,
        thumbnail_url=still,
        video_type=video.video_type,
        duration_seconds=video.duration_seconds,
        status=video.status,
        error_code=video.error_code or None,
        own_voice=video.own_voice,
        created_at=video.created_at,
        completed_at=video.completed_at,
        seen_at=video.seen_at,
    )


async def _detail(services: Services, video: Video) -> DetailAnswer:
    story = story_of(video.story)
    told = [
        ToldAnswer(
            text=said.text,
            photo_id=slide.photo,
            turns=list(said.turns),
            own_words=said.quoted,
            own_voice=said.own_voice,
        )
        for slide in (story.slides if story else ())
        for said in slide.sentences
    ]
    known = (await video_answer(services, video)).model_dump()
    return DetailAnswer(
        **known, subtitle=story.subtitle if story else "", source=story.source if story else None, story=told
    )


async def _status(services: Services, video: Video, progress: Progress) -> StatusAnswer:
    film, still = await _links(services, video)
    return StatusAnswer(
        video_id=video.id,
        status=video.status,
        stage=progress.stage,
        progress=progress.progress,
        video_url=film,
        thumbnail_url=still,
        duration_seconds=video.duration_seconds,
        error_code=video.error_code or None,
        error_message=FAILURES.get(video.error_code, OTHER_FAILURE) if video.status == "failed" else None,
        created_at=video.created_at,
        completed_at=video.completed_at,
    )


def _asked(video: Video) -> GenerateAnswer:
    return GenerateAnswer(
        message="영상을 만들고 있어요. 다 되면 알려 드릴게요.",
        video_id=video.id,
        video_type="ai_animated" if video.video_type == "ai_animated" else "slideshow",
        task_id=video.job_id,
        status=video.status,
    )


@router.post(
    "/generate",
    summary="Have a memory video made of a conversation",
    responses=documented(RequestInvalid, DatabaseAway, NotFound, StoryNotFinished, NothingToShow, RateLimited),
)
async def generate(services: ServicesOf, identity: Asking, body: NewVideo) -> GenerateAnswer:
    """One that is being made of the same conversation is that one."""
    video = await videos.generate(
        services.database,
        services.jobs,
        services.notices,
        identity.user,
        body.session_id,
        video_type=body.video_type,
        voice_id=body.voice_id,
        own_voice=body.own_voice,
    )
    return _asked(video)


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


@router.get("/{video_id}", summary="A video and its story", responses=documented(*_ERRORS, NotFound))
async def detail(services: ServicesOf, identity: Asking, video_id: VideoId) -> DetailAnswer:
    async with services.database.transaction() as connection:
        video = await videos.one(connection, identity.user, video_id)
    return await _detail(services, video)


@router.get("/{video_id}/status", summary="How far a video is", responses=documented(*_ERRORS, NotFound))
async def status(services: ServicesOf, identity: Asking, video_id: VideoId) -> StatusAnswer:
    async with services.database.transaction() as connection:
        video = await videos.one(connection, identity.user, video_id)
        progress = await videos.progress_of(connection, video)
    return await _status(services, video, progress)


@router.post("/{video_id}/seen", summary="I have looked at this video", responses=documented(*_ERRORS, NotFound))
async def seen(services: ServicesOf, identity: Asking, video_id: VideoId) -> SeenAnswer:
    """From now on it is not announced as new. Said again, it stays as it was."""
    await videos.mark_seen(services.database, identity.user, video_id)
    async with services.database.transaction() as connection:
        video = await videos.one(connection, identity.user, video_id)
    return SeenAnswer(video_id=video.id, seen_at=video.seen_at)


@router.post(
    "/{video_id}/retry",
    summary="Make a video anew that failed or was cancelled",
    responses=documented(*_ERRORS, NotFound, VideoSettled, RateLimited),
)
async def retry(services: ServicesOf, identity: Asking, video_id: VideoId) -> GenerateAnswer:
    return _asked(await videos.retry(services.database, services.jobs, services.notices, identity.user, video_id))


@router.post(
    "/{video_id}/cancel",
    summary="Do not make this video",
    responses=documented(*_ERRORS, NotFound, VideoSettled),
)
async def cancel(services: ServicesOf, identity: Asking, video_id: VideoId) -> StatusAnswer:
    video = await videos.cancel(services.database, services.jobs, services.notices, identity.user, video_id)
    return await _status(services, video, Progress())


@router.delete("/{video_id}", summary="Delete a video", responses=documented(*_ERRORS, NotFound))
async def remove(services: ServicesOf, identity: Asking, video_id: VideoId) -> DeletedAnswer:
    await videos.remove(services.database, services.media, identity.user, video_id)
    return DeletedAnswer(message="영상을 지웠어요.")
