"""`/videos/{id}/share…`: links to one video for the family; `/v/{token}`: what such a link opens, for anybody.

The public page is HTML whatever becomes of it: who has an old link reads a kind sentence, not a problem body.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from silvertalk import video_shares
from silvertalk.api.ids import UUID_PATTERN
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.errors import (
    BusAway,
    DatabaseAway,
    MediaAway,
    MediaTooLarge,
    NotFound,
    RateLimited,
    RequestInvalid,
    VideoNotReady,
)
from silvertalk.share_page import Missing, SharedFilm, description_of, headers, missing_page, share_page
from silvertalk.story import story_of
from silvertalk.treatment import zone_named
from silvertalk.video_shares import DAYS, MAX_DAYS, Found

router = APIRouter(prefix="/videos", tags=["video"], dependencies=[Depends(our_origin)])
public = APIRouter(prefix="/v", tags=["shared"])

MAX_STILL_BYTES = 4 * 1024 * 1024

_ERRORS = (RequestInvalid, NotFound, RateLimited, DatabaseAway)
_STATUS: dict[Missing, HTTPStatus] = {
    "unknown": HTTPStatus.NOT_FOUND,
    "over": HTTPStatus.GONE,
    "away": HTTPStatus.SERVICE_UNAVAILABLE,
}
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_FILM = {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}
_SORRY = {
    404: {"description": "No such link.", "content": _PAGE},
    410: {"description": "The link has expired or was revoked.", "content": _PAGE},
    503: {"description": "A part of the service is away.", "content": _PAGE},
    **documented(RateLimited),
}

VideoId = Annotated[str, Path(pattern=UUID_PATTERN, max_length=36)]
ShareId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Token = Annotated[str, Path(description="of the link", examples=["x" * 43])]


class NewShare(BaseModel):
    model_config = ConfigDict(extra="ignore")

    days: int = Field(default=DAYS, ge=1, le=MAX_DAYS, description="how long the link is good")


class ShareAnswer(BaseModel):
    """What a KakaoTalk message needs. `share_url` is told this once: keep it, or ask for another."""

    share_id: str
    title: str = Field(examples=["순자 할머니의 추억"])
    description: str
    thumbnail_url: str
    video_url: str = Field(description="the page, as `share_url`: a link to the film itself would expire")
    share_url: str
    expires_at: datetime


class ShareLine(BaseModel):
    share_id: str
    created_at: datetime
    expires_at: datetime


class RevokedAnswer(BaseModel):
    message: str = Field(examples=["이제 이 주소로는 볼 수 없어요."])
    revoked: int


# --- the owner's -----------------------------------------------------------------------------------------------------


@router.post(
    "/{video_id}/share",
    summary="A link to a video, for the family",
    responses=documented(*_ERRORS, VideoNotReady, BusAway),
)
async def share(
    request: Request, services: ServicesOf, identity: Asking, video_id: VideoId, body: NewShare | None = None
) -> ShareAnswer:
    made = await video_shares.share(services.database, identity.user, video_id, days=(body or NewShare()).days)
    film = _film(request, services, made.token, Found("open", made.video, made.share.expires_at))
    return ShareAnswer(
        share_id=made.share.token_hash,
        title=film.title,
        description=description_of(film),
        thumbnail_url=f"{film.address}/still.jpg",
        video_url=film.address,
        share_url=film.address,
        expires_at=made.share.expires_at,
    )


@router.get("/{video_id}/shares", summary="A video's links that are good", responses=documented(*_ERRORS))
async def listed(services: ServicesOf, identity: Asking, video_id: VideoId) -> list[ShareLine]:
    async with services.database.transaction() as connection:
        found = await video_shares.listed(connection, identity.user, video_id)
    return [ShareLine(share_id=one.token_hash, created_at=one.created_at, expires_at=one.expires_at) for one in found]


@router.delete("/{video_id}/shares", summary="Take back all links to a video", responses=documented(*_ERRORS))
async def revoke_all(services: ServicesOf, identity: Asking, video_id: VideoId) -> RevokedAnswer:
    count = await video_shares.revoke(services.database, identity.user, video_id)
    return RevokedAnswer(message="이제 이 주소로는 볼 수 없어요.", revoked=count)


@router.delete("/{video_id}/shares/{share_id}", summary="Take back one link to a video", responses=documented(*_ERRORS))
async def revoke(services: ServicesOf, identity: Asking, video_id: VideoId, share_id: ShareId) -> RevokedAnswer:
    count = await video_shares.revoke(services.database, identity.user, video_id, share_id)
    if not count:
        raise NotFound
    return RevokedAnswer(message="이제 이 주소로는 볼 수 없어요.", revoked=count)


# --- anybody's -------------------------------------------------------------------------------------------------------


@public.head("/{token}", include_in_schema=False)
@public.get(
    "/{token}",
    summary="The page of a shared video",
    response_class=HTMLResponse,
    responses={200: {"content": _PAGE}, **_SORRY},
)
async def page(request: Request, services: ServicesOf, token: Token) -> Response:
    found = await _opened(services, token)
    if isinstance(found, Response):
        return found
    return HTMLResponse(share_page(_film(request, services, token, found)), headers=headers())


@public.head("/{token}/film", include_in_schema=False)
@public.get(
    "/{token}/film",
    summary="A shared video's film",
    response_class=Response,
    responses={
        200: {"content": _FILM},
        206: {"description": "The range asked for.", "content": _FILM},
        416: {"description": "It has no such range; no body."},
        **_SORRY,
    },
)
async def film(services: ServicesOf, token: Token) -> Response:
    """The film itself, or one range of its bytes. It ends within a minute of its link's being taken back."""
    found = await _opened(services, token)
    if isinstance(found, Response):
        return found
    try:
        stored = await services.media.head(found.video.object_key if found.video else "")
    except ValueError:
        return _sorry("over")
    except MediaAway:
        return _sorry("away")
    if stored is None:
        return _sorry("over")

    async def is_open() -> bool:
        try:
            return (await video_shares.opened(services.database, token)).state == "open"
        except DatabaseAway:
            return True  # nor could anybody take it back meanwhile

    return services.films.answer(stored, headers(), is_open=is_open, busy=_sorry("away"))


@public.head("/{token}/still.jpg", include_in_schema=False)
@public.get(
    "/{token}/still.jpg",
    summary="A shared video's picture",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, **_SORRY},
)
async def still(services: ServicesOf, token: Token) -> Response:
    """The picture itself, which a chat's server fetches once."""
    found = await _opened(services, token)
    if isinstance(found, Response):
        return found
    try:
        data = await services.media.read(found.video.thumbnail_key if found.video else "", MAX_STILL_BYTES)
    except (KeyError, ValueError, MediaTooLarge):
        return _sorry("over")
    except MediaAway:
        return _sorry("away")
    return Response(data, media_type="image/jpeg", headers=headers() | {"Cache-Control": "private, max-age=300"})


async def _opened(services: Services, token: str) -> Found | Response:
    try:
        found = await video_shares.opened(services.database, token)
    except DatabaseAway:
        return _sorry("away")
    return found if found.state == "open" else _sorry(found.state)


def _sorry(why: Missing) -> Response:
    more = {"Retry-After": "5"} if why == "away" else {}
    return HTMLResponse(missing_page(why), _STATUS[why], headers=headers() | more)


def _film(request: Request, services: Services, token: str, found: Found) -> SharedFilm:
    assert found.video is not None and found.expires_at is not None
    story = story_of(found.video.story)
    here = services.settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return SharedFilm(
        address=f"{here}/v/{token}",
        title=found.video.title or "소중한 추억",
        subtitle=story.subtitle if story else "",
        sentences=tuple(sentence.shown for sentence in story.sentences) if story else (),
        language=story.language if story else "ko",
        expires_at=found.expires_at.astimezone(zone_named(services.settings.time_zone)),
    )
