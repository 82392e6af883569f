"""`/generate`: pictures of words and films of pictures, made by models at Replicate.

Answered at once: 202 with an `id`, by which `/generate/status/{id}` is asked, and which the notices of
`/v1/me/events` (kind `generation`) name as it goes on. With `?wait=` an answer is held until it is finished, so that a
client of the old service, which waited, goes on to work.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from silvertalk.api.ids import UUID_PATTERN
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.columns import clean
from silvertalk.errors import (
    BusAway,
    ConsentMissing,
    DatabaseAway,
    GenerateNotConfigured,
    MediaAway,
    MediaTooLarge,
    NotFound,
    PictureRefused,
    QuotaReached,
    ReplicateAway,
    ReplicateRefused,
    RequestInvalid,
)
from silvertalk.generation_outputs import MAX_SENT_BYTES, picture_in
from silvertalk.generation_records import Generation
from silvertalk.generation_requests import FilmShape, ImageShape
from silvertalk.generation_waiting import MAX_WAIT_SECONDS
from silvertalk.media.multipart import End, Event, Part, Piece, read_multipart
from silvertalk.media.store import checked_key, user_prefix

router = APIRouter(prefix="/generate", tags=["generate"], dependencies=[Depends(our_origin)])

GENERATION = "0193a5c2-7d10-7a4e-9f0c-2b1d6c8e4a11"
MAX_PROMPT_CHARACTERS = 2_000
MAX_URL_CHARACTERS = 1024 * 1024
MAX_FIELD_BYTES = 8_192
FILM_PROMPT = "gentle, slow camera movement, natural and warm"
SHAPES_OF_FILMS = TypeAdapter(FilmShape)

_ASKED = (RequestInvalid, BusAway, MediaAway)
_BEGUN = (
    *_ASKED,
    *(GenerateNotConfigured, ConsentMissing, QuotaReached, ReplicateAway, ReplicateRefused, DatabaseAway),
)
_PICTURED = (*_BEGUN, PictureRefused, MediaTooLarge)


def _told(text: str) -> str:
    """A prompt without what no model reads. Raises ValueError for one that says nothing."""
    text = " ".join(clean(text).split())
    if not text:
        raise ValueError("says nothing")
    return text


Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS), AfterValidator(_told)]
FilmPrompt = Annotated[
    str,
    Field(max_length=MAX_PROMPT_CHARACTERS),
    AfterValidator(lambda text: _told(text) if text.strip() else FILM_PROMPT),
]
GenerationId = Annotated[str, Path(pattern=UUID_PATTERN, max_length=36, examples=[GENERATION])]
Wait = Annotated[int, Query(ge=0, le=MAX_WAIT_SECONDS, description="seconds the answer may be held until it is done")]


class ImageRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: Prompt = Field(examples=["바닷가에서 손을 흔드는 강아지, 수채화"])
    aspect_ratio: ImageShape = "1:1"
    num_outputs: int = Field(1, ge=1, le=4)


class VideoRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    image_url: str = Field(
        min_length=1,
        max_length=MAX_URL_CHARACTERS,
        description="an address that this server gave of a picture of theirs, or a `data:` address (`/preprocess`)",
    )
    prompt: FilmPrompt = Field(FILM_PROMPT, examples=["강아지가 천천히 고개를 든다"])
    aspect_ratio: FilmShape = "1:1"
    loop: bool = False


class FullRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    image_prompt: Prompt = Field(examples=["고향 집 마당의 감나무"])
    video_prompt: FilmPrompt = FILM_PROMPT
    aspect_ratio: FilmShape = "1:1"
    loop: bool = False


class GenerationAnswer(BaseModel):
    """Addresses are good for five minutes, and are had anew by `/generate/status/{id}`."""

    success: bool = Field(description="false where it has failed or was canceled")
    id: str = Field(examples=[GENERATION])
    status: str = Field(
        description="`starting`, `processing`, `succeeded`, `failed`, `canceled` or `aborted`", examples=["starting"]
    )
    message: str = Field(examples=["만들고 있어요. 다 되면 알려 드릴게요."])
    prompt: str
    image_url: str | None = Field(description="of the first picture, once it is there")
    image_urls: list[str]
    video_url: str | None
    source_image_url: str | None = Field(description="what a film was made of")
    error: str | None = Field(description="why it failed: a word for programs", examples=["not_allowed"])


class StatusAnswer(BaseModel):
    id: str = Field(examples=[GENERATION])
    status: str = Field(examples=["succeeded"])
    output: str | list[str] | None = Field(description="the film's address, or a list of the pictures'")
    error: str | None
    kind: Literal["image", "video", "full", "clip"]
    making: Literal["image", "video"] = Field(description="what is being made, or was made last")


class PreprocessAnswer(BaseModel):
    original_size_kb: float = Field(examples=[2412.5])
    processed_size_kb: float = Field(examples=[187.3])
    data_uri: str = Field(description="a JPEG of 1024 by 1024 pixels", examples=["data:image/jpeg;base64,/9j/4AAQ…"])


def _form(*fields: str) -> dict[str, Any]:
    """The OpenAPI of a form with a picture in it."""
    properties: dict[str, Any] = {"file": {"type": "string", "format": "binary"}}
    properties |= {name: {"type": "string", "maxLength": MAX_PROMPT_CHARACTERS} for name in fields}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_HELD: dict[int | str, dict[str, Any]] = {
    200: {"description": "It is finished, within `wait`.", "model": GenerationAnswer},
    202: {"description": "It was begun.", "model": GenerationAnswer},
}


# --- beginning -------------------------------------------------------------------------------------------------------


@router.post("/image", status_code=202, summary="Have pictures made of words", responses=_HELD | documented(*_BEGUN))
async def image(
    services: ServicesOf, identity: Asking, response: Response, body: ImageRequest, wait: Wait = 0
) -> GenerationAnswer:
    begun = await services.generations.begin_images(
        identity.user, body.prompt, aspect_ratio=body.aspect_ratio, num_outputs=body.num_outputs
    )
    return await _held(services, begun, wait, response)


@router.post(
    "/video",
    status_code=202,
    summary="Have a film made of a picture",
    responses=_HELD | documented(*_PICTURED, NotFound),
)
async def video(
    services: ServicesOf, identity: Asking, response: Response, body: VideoRequest, wait: Wait = 0
) -> GenerationAnswer:
    picture = picture_in(body.image_url)
    if picture is not None:
        begun = await services.generations.begin_film_of(
            identity.user, body.prompt, picture, aspect_ratio=body.aspect_ratio, loop=body.loop
        )
    else:
        services.replicate.check_configured()
        key = await _key_of(services, identity.user, body.image_url)
        begun = await services.generations.begin_film(
            identity.user, body.prompt, key, aspect_ratio=body.aspect_ratio, loop=body.loop
        )
    return await _held(services, begun, wait, response)


@router.post(
    "/video/upload",
    status_code=202,
    summary="Have a film made of a picture that is sent along",
    description="A form: `file` (JPEG, PNG, WEBP, GIF or BMP, 20 MiB), and `prompt`, `aspect_ratio`, `loop`.",
    responses=_HELD | documented(*_PICTURED),
    openapi_extra=_form("prompt", "aspect_ratio", "loop"),
)
async def video_upload(
    services: ServicesOf, identity: Asking, request: Request, response: Response, wait: Wait = 0
) -> GenerationAnswer:
    fields, picture = await _sent(request)
    asked = _film_fields(fields)
    begun = await services.generations.begin_film_of(
        identity.user, asked.prompt, picture, aspect_ratio=asked.aspect_ratio, loop=asked.loop
    )
    return await _held(services, begun, wait, response)


@router.post(
    "/preprocess",
    summary="A picture as models take it",
    description="A form with a `file`: its middle on white, 1024 by 1024 pixels, as a JPEG in a `data:` address.",
    responses=documented(RequestInvalid, PictureRefused, MediaTooLarge),
    openapi_extra=_form(),
)
async def preprocess(services: ServicesOf, identity: Asking, request: Request) -> PreprocessAnswer:
    _, picture = await _sent(request)
    jpeg = await services.generations.outputs.squared(picture)
    return PreprocessAnswer(
        original_size_kb=round(len(picture) / 1024, 1),
        processed_size_kb=round(len(jpeg) / 1024, 1),
        data_uri=f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}",
    )


@router.post(
    "/full",
    status_code=202,
    summary="Have a picture made of words, and a film of the picture",
    responses=_HELD | documented(*_BEGUN),
)
async def full(
    services: ServicesOf, identity: Asking, response: Response, body: FullRequest, wait: Wait = 0
) -> GenerationAnswer:
    begun = await services.generations.begin_both(
        identity.user, body.image_prompt, body.video_prompt, aspect_ratio=body.aspect_ratio, loop=body.loop
    )
    return await _held(services, begun, wait, response)


# --- following -------------------------------------------------------------------------------------------------------


@router.get(
    "/status/{generation_id}",
    summary="How far it is",
    responses=documented(*_ASKED, NotFound),
)
async def status(services: ServicesOf, identity: Asking, generation_id: GenerationId, wait: Wait = 0) -> StatusAnswer:
    found = await services.generations.of(identity.user, generation_id)
    return await _status(services, await services.generation_waits.until_finished(found, wait))


@router.post(
    "/cancel/{generation_id}",
    summary="Have it made no more",
    responses=documented(*_ASKED, NotFound, GenerateNotConfigured, ReplicateAway, ReplicateRefused),
)
async def cancel(services: ServicesOf, identity: Asking, generation_id: GenerationId) -> StatusAnswer:
    return await _status(services, await services.generations.cancel(identity.user, generation_id))


# --- answering -------------------------------------------------------------------------------------------------------

_MESSAGES = {
    "succeeded": "다 만들었어요.",
    "failed": "이번에는 만들지 못했어요. 조금 바꿔서 다시 해 주세요.",
    "aborted": "이번에는 만들지 못했어요. 다시 해 주세요.",
    "canceled": "만들기를 그만두었어요.",
}
_MAKING = "만들고 있어요. 다 되면 알려 드릴게요."
_NOT_ALLOWED = "이 내용으로는 만들 수 없어요. 다른 말로 다시 해 주세요."


async def _held(services: Services, begun: Generation, wait: int, response: Response) -> GenerationAnswer:
    now = await services.generation_waits.until_finished(begun, wait)
    if now.finished:
        response.status_code = 200
    pictures, film = await _links(services, now)
    source = now.source if now.making == "video" and now.source not in now.keys else ""
    return GenerationAnswer(
        success=now.status in ("starting", "processing", "succeeded"),
        id=now.id,
        status=now.status,
        message=_NOT_ALLOWED if now.error_code == "not_allowed" else _MESSAGES.get(now.status, _MAKING),
        prompt=now.prompt,
        image_url=pictures[0] if pictures else None,
        image_urls=pictures,
        video_url=film,
        source_image_url=await services.media.link(source) if source else (pictures[0] if film and pictures else None),
        error=now.error_code or None,
    )


async def _status(services: Services, now: Generation) -> StatusAnswer:
    pictures, film = await _links(services, now)
    made = film or (pictures if now.making == "image" and pictures else None)
    return StatusAnswer(
        id=now.id,
        status=now.status,
        output=made,
        error=now.error_code or None,
        kind=now.kind,
        making=now.making,
    )


async def _links(services: Services, now: Generation) -> tuple[list[str], str | None]:
    films = [await services.media.link(key) for key in now.keys if key.endswith(".mp4")]
    pictures = [await services.media.link(key) for key in now.keys if key.endswith(".jpg")]
    return pictures, films[0] if films else None


# --- what is sent ----------------------------------------------------------------------------------------------------


async def _key_of(services: Services, user: str, url: str) -> str:
    """The key of a picture of theirs, from an address that this server gave. It is only read, never asked for: nothing
    but what lies in our own store is ever shown to anybody. Raises RequestInvalid, NotFound."""
    theirs = user_prefix(user)
    ours = urlsplit(await services.media.link(f"{theirs}x"))
    refused = RequestInvalid(fields=(("body.image_url", "an address that this server gave, or data:image/…;base64,"),))
    try:
        given = urlsplit(url)
        below = ours.path.removesuffix("x")
        if (given.scheme, given.netloc) != (ours.scheme, ours.netloc) or not given.path.startswith(below):
            raise refused
        key = checked_key(theirs + unquote(given.path.removeprefix(below)))
    except ValueError:
        raise refused from None
    stored = await services.media.head(key)
    if stored is None or not stored.content_type.startswith("image/"):
        raise NotFound
    return key


def _film_fields(fields: dict[str, str]) -> VideoRequest:
    """Raises RequestInvalid."""
    unknown = [name for name in fields if name not in ("prompt", "aspect_ratio", "loop")]
    try:
        if unknown:
            raise RequestInvalid(fields=(("body", "a field that is not known"),))
        return VideoRequest.model_validate({**fields, "image_url": "data:"})
    except ValidationError as error:
        wrong = tuple((".".join(map(str, ("body", *one["loc"]))), str(one["msg"])) for one in error.errors()[:20])
        raise RequestInvalid(fields=wrong) from None


async def _sent(request: Request) -> tuple[dict[str, str], bytes]:
    """A form's fields and its one picture. Raises RequestInvalid, MediaTooLarge."""
    fields: dict[str, str] = {}
    pictures: list[bytes] = []
    async for part, data in _parts(request):
        if part.filename or part.name == "file":
            pictures.append(data)
        else:
            fields[part.name] = data.decode("utf-8", "replace")
        if len(pictures) > 1:
            raise RequestInvalid(fields=(("body.file", "one file"),))
    if not pictures:
        raise RequestInvalid(fields=(("body.file", "no file"),))
    return fields, pictures[0]


async def _parts(request: Request) -> AsyncIterator[tuple[Part, bytes]]:
    events: AsyncIterator[Event] = read_multipart(request.headers.get("content-type", ""), request.stream())
    part, data = Part("", "", ""), bytearray()
    async for event in events:
        match event:
            case Part():
                part, data = event, bytearray()
            case Piece():
                data += event.data
                if len(data) > (MAX_SENT_BYTES if part.filename or part.name == "file" else MAX_FIELD_BYTES):
                    raise MediaTooLarge
            case End():
                yield part, bytes(data)
