"""`/photos`: a person's photos, those on their phone and those they uploaded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from silvertalk import conversations, photos
from silvertalk.api.ids import SESSION_PATTERN, UUID_PATTERN
from silvertalk.api.lists import USUAL_PAGE, After, Limit
from silvertalk.api.photo_links import picture
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.errors import (
    DatabaseAway,
    GalleryFull,
    MediaAway,
    MediaTooLarge,
    NotFound,
    PictureTypeRefused,
    RequestInvalid,
    UploadMissing,
)
from silvertalk.media.images import picture_type
from silvertalk.media.multipart import End, Part, Piece, read_multipart
from silvertalk.media.store import UPLOAD_SECONDS
from silvertalk.models import Photo
from silvertalk.photo_uploads import PhotoUploads, check_session
from silvertalk.photos import MAX_SYNCED, Told

router = APIRouter(prefix="/photos", tags=["photos"], dependencies=[Depends(our_origin)])

PHOTO = "3f0f0c1e-6d0c-4a57-9f5e-0d3c1c0e9a11"
BATCH = 11
"""The chosen photo and five on each side of it."""
CHOSEN = 5
SUGGESTIONS = 20
SAME_TYPE = {"image/jpg": "image/jpeg", "image/heif": "image/heic"}
"""Other names that phones give."""

_OWN = (RequestInvalid, DatabaseAway)
_SHOWN = (*_OWN, MediaAway)

PhotoId = Annotated[str, Path(pattern=UUID_PATTERN, max_length=36, examples=[PHOTO])]
PhotoAsked = Annotated[str | None, Query(pattern=UUID_PATTERN, max_length=36)]
SessionAsked = Annotated[str | None, Query(pattern=SESSION_PATTERN, max_length=32)]
SessionId = Annotated[str, Query(pattern=SESSION_PATTERN, max_length=32)]
Suggestions = Annotated[int, Query(ge=1, le=SUGGESTIONS, description="how many at most")]
LocalUri = Annotated[str, Field(min_length=1, max_length=512, examples=["ph://CC95F08C-88C3-4012-9D6D-64A413D254B3"])]
PlaceName = Annotated[str, Field(max_length=200, examples=["제주 성산일출봉"])]
Status = Literal["known", "awaited", "processing", "ready", "refused"]


# --- what is sent ----------------------------------------------------------------------------------------------------


class ToldBody(BaseModel):
    """What the phone knows of a photo. A `taken_at` without an offset is on the person's own clock."""

    taken_at: datetime | None = Field(None, examples=["1987-05-10T14:30:00+09:00"])
    location_name: PlaceName | None = None
    latitude: Annotated[float | None, Field(ge=-90, le=90, allow_inf_nan=False)] = None
    longitude: Annotated[float | None, Field(ge=-180, le=180, allow_inf_nan=False)] = None

    def told(self, local_uri: str | None) -> Told:
        return Told(local_uri, self.taken_at, self.location_name or "", self.latitude, self.longitude)


class UploadRequest(ToldBody):
    model_config = ConfigDict(extra="forbid")

    filename: str = Field(max_length=255, description="the server chooses its own name", examples=["IMG_0142.jpg"])
    content_type: str = Field(
        max_length=100,
        description="image/jpeg, image/png, image/webp or image/heic",
        examples=["image/jpeg"],
    )
    size: int = Field(ge=1, le=2**31 - 1, description="bytes", examples=[2_400_000])
    local_uri: LocalUri | None = None


class SyncedPhoto(ToldBody):
    """As the phone has it; what else the phone says of it is not read."""

    local_uri: LocalUri


class SyncRequest(BaseModel):
    """`removed`: what is not on the phone any more. It goes where it was never uploaded nor talked about."""

    photos: list[SyncedPhoto] = Field(max_length=MAX_SYNCED)
    removed: list[LocalUri] = Field([], max_length=MAX_SYNCED)


class PhotoChange(BaseModel):
    """What is left out stays as it is; null forgets it."""

    model_config = ConfigDict(extra="forbid")

    location_name: PlaceName | None = None
    taken_at: datetime | None = Field(None, examples=["1987-05-10T14:30:00+09:00"])


# --- what is answered ------------------------------------------------------------------------------------------------


class PhotoAnswer(BaseModel):
    """`s3_url` and `thumbnail_url` expire after five minutes, and are null until the photo is "ready"."""

    id: str = Field(examples=[PHOTO])
    local_uri: str | None
    s3_url: str | None = Field(description="upright, 2048 pixels at most, nothing in it but the picture")
    thumbnail_url: str | None = Field(description="640 pixels wide at most")
    taken_at: datetime | None
    location_name: str
    latitude: float | None
    longitude: float | None
    ai_analysis: dict[str, Any] | None
    view_count: int
    status: str = Field(description="known, awaited, processing, ready or refused", examples=["ready"])
    refusal: str | None = Field(description="why an upload was refused", examples=["too_many_pixels"])
    width: int = Field(description="pixels of the original, upright; 0 until it is ready")
    height: int
    last_chat_session_id: str | None
    created_at: datetime


class PhotoPage(BaseModel):
    items: list[PhotoAnswer]
    next_cursor: str | None


class UploadAnswer(BaseModel):
    """Send `fields` in their order, then the picture as `file`, as multipart/form-data to `url`; then ask `complete`. A
    `url` without a host is on this server."""

    photo_id: str = Field(examples=[PHOTO])
    method: Literal["POST"] = "POST"
    url: str
    fields: dict[str, str]
    expires_at: int = Field(description="Unix seconds")
    presign_url: str = Field(description="the same as `url`")
    expires_in: int = Field(description="seconds", examples=[UPLOAD_SECONDS])


class SyncAnswer(BaseModel):
    message: str = Field(examples=["사진 120장을 맞추었어요."])
    count: int = Field(description="photos that were sent, each counted once", examples=[120])
    removed: int = Field(examples=[0])
    sync_time: datetime


class BatchPhoto(BaseModel):
    """`url` answers 404 until the photo is ready, some seconds later."""

    photo_id: str = Field(examples=[PHOTO])
    url: str
    order: int = Field(description="-5 for the first; the chosen one has 0", examples=[0])
    status: str = Field(examples=["processing"])


class BatchAnswer(BaseModel):
    status: Literal["success"] = "success"
    photos: list[BatchPhoto]


# --- bringing photos in ----------------------------------------------------------------------------------------------


def uploads(services: ServicesOf) -> PhotoUploads:
    return PhotoUploads(
        services.database,
        services.media,
        services.jobs,
        max_bytes=services.settings.max_photo_bytes,
        default_zone=services.settings.time_zone,
    )


Uploads = Annotated[PhotoUploads, Depends(uploads)]


@router.post(
    "/presign",
    summary="Have an upload allowed",
    responses=documented(*_SHOWN, MediaTooLarge, PictureTypeRefused, GalleryFull),
)
async def presign(identity: Asking, coming: Uploads, body: UploadRequest) -> UploadAnswer:
    content_type = body.content_type.strip().lower()
    photo, upload = await coming.allow(
        identity.user, SAME_TYPE.get(content_type, content_type), body.size, body.told(body.local_uri)
    )
    return UploadAnswer(
        photo_id=photo.id,
        url=upload.url,
        fields=upload.fields,
        expires_at=upload.expires_at,
        presign_url=upload.url,
        expires_in=UPLOAD_SECONDS,
    )


@router.post(
    "/batch-upload",
    summary="Upload a chosen photo and its neighbours through this server",
    description="Up to eleven pictures as `files`, in the phone's order, the chosen one the sixth.",
    responses=documented(*_SHOWN, NotFound, MediaTooLarge, PictureTypeRefused, GalleryFull),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {
                            "files": {
                                "type": "array",
                                "items": {"type": "string", "format": "binary"},
                                "minItems": 1,
                                "maxItems": BATCH,
                            }
                        },
                    }
                }
            },
        }
    },
)
async def batch_upload(
    request: Request, services: ServicesOf, identity: Asking, coming: Uploads, session_id: SessionId
) -> BatchAnswer:
    async with services.database.transaction() as connection:
        await check_session(connection, identity.user, session_id)
    rows: list[dict[str, Any]] = []
    try:
        async for data in _files(request, services.settings.max_photo_bytes):
            content_type = picture_type(data[:16])
            if content_type is None:
                raise PictureTypeRefused
            rows.append(await coming.put(identity.user, data, content_type))
        if not rows:
            raise RequestInvalid(fields=(("body.files", "no file"),))
        added = await coming.add(identity.user, session_id, rows, -CHOSEN)
    except BaseException:
        await coming.discard(rows)
        raise
    shown = []
    for order, photo in enumerate(added, start=-CHOSEN):
        url = await services.media.link(photos.shared_key(identity.user, photo.id))
        shown.append(BatchPhoto(photo_id=photo.id, url=url, order=order, status="processing"))
    return BatchAnswer(photos=shown)


async def _files(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The files of a form, one at a time. Raises RequestInvalid, MediaTooLarge."""
    count = 0
    data: bytearray | None = None
    async for event in read_multipart(request.headers.get("content-type", ""), request.stream()):
        if isinstance(event, Part):
            data = bytearray() if event.filename else None
            count += data is not None
            if count > BATCH:
                raise RequestInvalid(fields=(("body.files", f"more than {BATCH} files"),))
        elif data is None:
            continue  # a field, of which there are none here
        elif isinstance(event, Piece):
            data += event.data
            if len(data) > max_bytes:
                raise MediaTooLarge
        elif isinstance(event, End):
            yield bytes(data)


@router.post(
    "/sync-metadata",
    summary="Have the phone's photos known",
    responses=documented(*_OWN, GalleryFull),
)
async def sync_metadata(services: ServicesOf, identity: Asking, body: SyncRequest) -> SyncAnswer:
    told = [photo.told(photo.local_uri) for photo in body.photos]
    done = await photos.sync(services.database, identity.user, told, body.removed, services.settings.time_zone)
    return SyncAnswer(
        message=f"사진 {done.kept}장을 맞추었어요.",
        count=done.kept,
        removed=done.removed,
        sync_time=done.at,
    )


@router.post(
    "/{photo_id}/complete",
    summary="Say that a photo is uploaded",
    responses=documented(*_SHOWN, NotFound, UploadMissing),
)
async def complete(services: ServicesOf, identity: Asking, coming: Uploads, photo_id: PhotoId) -> PhotoAnswer:
    return await _answer(services, await coming.complete(identity.user, photo_id))


# --- looking at them -------------------------------------------------------------------------------------------------


@router.get("", summary="My photos, the newest first", responses=documented(*_SHOWN))
async def listed(
    services: ServicesOf, identity: Asking, after: After, limit: Limit = USUAL_PAGE, status: Status | None = None
) -> PhotoPage:
    page = await photos.listed(services.database, identity.user, limit=limit, after=after, status=status)
    return PhotoPage(items=await _answers(services, page.rows), next_cursor=page.next_cursor)


@router.get("/random", summary="Photos to talk about, those offered least first", responses=documented(*_SHOWN))
async def random(services: ServicesOf, identity: Asking, limit: Suggestions = 4) -> list[PhotoAnswer]:
    return await _answers(services, await photos.least_viewed(services.database, identity.user, limit))


@router.get("/refresh", summary="Others to talk about", responses=documented(*_SHOWN))
async def refresh(services: ServicesOf, identity: Asking, limit: Suggestions = 4) -> list[PhotoAnswer]:
    return await _answers(services, await photos.least_viewed(services.database, identity.user, limit))


@router.get(
    "/related",
    summary="Photos around one, or around a conversation's",
    description="Of the same days, then of the same place, then any. Name a photo or a conversation.",
    responses=documented(*_SHOWN, NotFound),
)
async def related(
    services: ServicesOf,
    identity: Asking,
    photo_id: PhotoAsked = None,
    session_id: SessionAsked = None,
    limit: Suggestions = 10,
) -> list[PhotoAnswer]:
    if (photo_id is None) == (session_id is None):
        raise RequestInvalid(fields=(("query", "one of photo_id and session_id"),))
    if session_id is not None:
        found = await conversations.next_photos(services.database, identity.user, session_id, limit)
    else:
        found = await photos.related(services.database, identity.user, photo_id or "", limit)
    return await _answers(services, found)


@router.get("/{photo_id}", summary="One photo", responses=documented(*_SHOWN, NotFound))
async def one(services: ServicesOf, identity: Asking, photo_id: PhotoId) -> PhotoAnswer:
    return await _answer(services, await photos.photo_of(services.database, identity.user, photo_id))


@router.get("/{photo_id}/related", summary="Photos around this one", responses=documented(*_SHOWN, NotFound))
async def related_to(
    services: ServicesOf, identity: Asking, photo_id: PhotoId, limit: Suggestions = 10
) -> list[PhotoAnswer]:
    return await _answers(services, await photos.related(services.database, identity.user, photo_id, limit))


# --- changing them ---------------------------------------------------------------------------------------------------


@router.patch("/{photo_id}", summary="Correct where or when it was taken", responses=documented(*_SHOWN, NotFound))
async def change(services: ServicesOf, identity: Asking, photo_id: PhotoId, body: PhotoChange) -> PhotoAnswer:
    changes = body.model_dump(exclude_unset=True)
    return await _answer(
        services,
        await photos.change(services.database, identity.user, photo_id, changes, services.settings.time_zone),
    )


@router.delete(
    "/{photo_id}",
    status_code=204,
    summary="Delete a photo and all that was made of it",
    responses=documented(*_SHOWN, NotFound),
)
async def remove(services: ServicesOf, identity: Asking, photo_id: PhotoId) -> Response:
    await photos.remove(services.database, services.media, identity.user, photo_id)
    return Response(status_code=204)


async def _answers(services: Services, found: Sequence[Photo]) -> list[PhotoAnswer]:
    return [await _answer(services, photo) for photo in found]


async def _answer(services: Services, photo: Photo) -> PhotoAnswer:
    ready = photo.status == "ready" and bool(photo.thumbnail_key)
    return PhotoAnswer.model_validate(
        {
            "id": photo.id,
            "local_uri": photo.local_uri,
            "s3_url": await picture(services, photo),
            "thumbnail_url": await services.media.link(photo.thumbnail_key) if ready else None,
            "taken_at": photo.taken_at,
            "location_name": photo.location_name,
            "latitude": photo.latitude,
            "longitude": photo.longitude,
            "ai_analysis": photo.analysis,
            "view_count": photo.view_count,
            "status": photo.status,
            "refusal": photo.refusal or None,
            "width": photo.width,
            "height": photo.height,
            "last_chat_session_id": photo.last_session_id or None,
            "created_at": photo.created_at,
        }
    )
