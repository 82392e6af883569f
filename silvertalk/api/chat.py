"""`/chat`: a person's conversations, before, while and after they are talked."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ConfigDict, Field

from silvertalk import conversations, videos
from silvertalk.api.event_streams import EventStream
from silvertalk.api.ids import SESSION_PATTERN
from silvertalk.api.lists import CONTINUED, USUAL_PAGE, After, Limit, tell_next
from silvertalk.api.photo_links import PhotoLink, photo_link, picture
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, address_of, our_origin
from silvertalk.conversations import CAN_FINISH_TURNS, Listed, status_of
from silvertalk.errors import (
    AccountErased,
    AddressFull,
    BusAway,
    ConversationTaken,
    DatabaseAway,
    Draining,
    FloorTaken,
    MediaAway,
    NoNode,
    NotFound,
    NothingTold,
    NothingToShow,
    RateLimited,
    RequestInvalid,
    ServerFull,
)
from silvertalk.greetings import conversation_greeting
from silvertalk.looking import ask_to_look, facts_of
from silvertalk.models import Session, Turn
from silvertalk.paging import MAX_PAGE
from silvertalk.reading_along import Reader
from silvertalk.remembering import ask_for_rest
from silvertalk.treatment import treatment_of
from silvertalk.videos import VideoType
from streaming.messages import Language
from streaming.protocol import MAX_TEXT_CHARACTERS

router = APIRouter(prefix="/chat", tags=["chat"], dependencies=[Depends(our_origin)])

SESSION = "63584d075f3a9a68cf62801bb803718f"
RELATED_PHOTOS = 3
NEXT_PHOTOS = 4
_ERRORS = (RequestInvalid, DatabaseAway)

SessionId = Annotated[str, Path(pattern=SESSION_PATTERN, max_length=32, examples=[SESSION])]
OfSession = Annotated[str, Query(pattern=SESSION_PATTERN, max_length=32, examples=[SESSION])]
OfPhoto = Annotated[str, Query(min_length=1, max_length=512, description="our id, or the phone's")]


class NewSession(BaseModel):
    """What else the app sends is not read: who asks is in the token."""

    photo_id: str | None = Field(default=None, min_length=1, max_length=512, description="our id, or the phone's")
    language: Language = "ko"


class NewSessionAnswer(BaseModel):
    """Name `session_id` when you ask for the voice socket's ticket, or type into it: it is opened once.

    `ai_reply` is for the screen, and counts as said to nobody: where there is a photo, 복실이 says the like of it once
    somebody has connected.
    """

    session_id: str = Field(examples=[SESSION])
    greeting_task_id: None = None
    ai_reply: str = Field(examples=["좋은 아침이에요. 오늘은 어떤 이야기를 들려주시겠어요?"])
    turn_count: int = 0
    related_photos: list[PhotoLink] = Field(description="taken within a week of it, three at most")


class SessionAnswer(BaseModel):
    id: str = Field(examples=[SESSION])
    main_photo_id: str | None
    main_photo_url: str | None = Field(description="expires after five minutes")
    turn_count: int = Field(examples=[7])
    is_completed: bool
    status: Literal["active", "completed", "abandoned"]
    created_at: datetime
    summary: str | None


class LogAnswer(BaseModel):
    """One line of what was said, as it was understood and as it was heard. `id` counts within the conversation."""

    id: int
    role: Literal["user", "assistant"]
    content: str
    voice_url: str | None = Field(description="the person's own voice, where they agreed to its being kept")
    created_at: datetime


class TurnAnswer(BaseModel):
    """`reply` is what was made, `heard` the part of it that was played."""

    number: int
    transcript: str
    reply: str
    heard: str
    outcome: str = Field(description="`answered` or `failed`")
    interrupted: bool
    typed: bool
    source: str = Field(description="which engine wrote the reply, or what fixed answer it is")
    distress: str | None = Field(description="`emergency` or `despair`, where the words called for help")
    voice_url: str | None
    started_at: datetime
    closed_at: datetime
    speech_ms: int
    timings_ms: dict[str, float]


class TurnsAnswer(BaseModel):
    session_id: str
    turn_count: int
    can_finish: bool = Field(description=f"{CAN_FINISH_TURNS} turns make a story")
    turns: list[TurnAnswer]
    next_cursor: str | None


class FinishAnswer(BaseModel):
    success: Literal[True] = True
    message: str = Field(examples=["들려주신 이야기를 잘 간직할게요."])
    session_id: str
    video_id: str | None = Field(
        default=None, description="of the memory video, where one was asked for and can be made"
    )
    video_task_id: str | None = Field(default=None, description="the job that makes it")


class DeletedAnswer(BaseModel):
    message: str = Field(examples=["이야기를 지웠어요."])


class AttachedAnswer(BaseModel):
    message: str = Field(examples=["사진을 더했어요."])
    session_id: str
    photo_id: str
    display_order: int


class SessionPhoto(BaseModel):
    id: str
    display_order: int
    local_uri: str | None
    s3_url: str | None
    taken_at: datetime | None
    added_at: datetime


class SessionPhotosAnswer(BaseModel):
    session_id: str
    photo_count: int
    photos: list[SessionPhoto]


class AnimationAnswer(BaseModel):
    type: Literal["tail_wag", "tilt_head", "roll", "sit"]
    message: str


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(
        min_length=1, max_length=MAX_TEXT_CHARACTERS, pattern=r"\S", examples=["오늘은 바다에 다녀왔어요."]
    )
    session_id: str | None = Field(None, pattern=SESSION_PATTERN, max_length=32)
    language: Language = Field("ko", description="of a conversation that is begun for it")


_ANIMATIONS = (
    AnimationAnswer(type="tail_wag", message="꼬리를 살랑살랑 흔들어요."),
    AnimationAnswer(type="tilt_head", message="고개를 갸웃하고 귀를 기울여요."),
    AnimationAnswer(type="roll", message="데굴데굴 굴러요."),
    AnimationAnswer(type="sit", message="얌전히 앉아서 기다려요."),
)
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The turn's events as on the voice socket, without its audio: `turn.ended`, `reply.text`, "
        "`reply.done`, `turn.committed`; `distress` and `error` where they are called for.",
        "content": {
            "text/event-stream": {
                "example": 'event: session\ndata: {"session_id":"63584d075f3a9a68cf62801bb803718f","turn":1}\n\n',
            }
        },
    }
}


# --- conversations ---------------------------------------------------------------------------------------------------


@router.post(
    "/sessions",
    status_code=200,
    summary="Reserve a conversation, about a photo or about nothing yet",
    responses=documented(*_ERRORS, NotFound, AccountErased, MediaAway),
)
async def reserve(services: ServicesOf, identity: Asking, body: NewSession | None = None) -> NewSessionAnswer:
    asked = body or NewSession()
    made = await conversations.reserve(services.database, identity.user, language=asked.language, photo=asked.photo_id)
    async with services.database.transaction() as connection:
        treatment = await treatment_of(connection, identity.user, services.settings.time_zone)
        related, about, looking = [], None, ""
        if made.photo is not None:
            related = await conversations.near(connection, identity.user, made.photo, RELATED_PHOTOS)
            about = await facts_of(connection, made.photo, treatment)
            # A head start: by the time somebody has connected, it may be known what is on it.
            allowed = services.settings.outside_services_allowed
            looking = await ask_to_look(services.jobs, connection, made.photo, operator_answers=allowed)
    if looking:
        await services.jobs.start(looking)
    return NewSessionAnswer(
        session_id=made.session.id,
        ai_reply=conversation_greeting(treatment, treatment.now(), about, asked.language),
        related_photos=[await photo_link(services, photo) for photo in related],
    )


@router.get(
    "/sessions",
    summary="My conversations, the newest first",
    responses={**documented(*_ERRORS, MediaAway), 200: {"headers": CONTINUED}},
)
async def listed(
    services: ServicesOf, identity: Asking, response: Response, after: After, limit: Limit = USUAL_PAGE
) -> list[SessionAnswer]:
    page = await conversations.listed(services.database, identity.user, limit=limit, after=after)
    tell_next(response, page)
    return [await session_answer(services, one) for one in page.rows]


@router.get(
    "/sessions/next-photos",
    summary="Photos to talk about next",
    responses=documented(*_ERRORS, NotFound, MediaAway),
)
async def next_photos(services: ServicesOf, identity: Asking, session_id: OfSession) -> list[PhotoLink]:
    found = await conversations.next_photos(services.database, identity.user, session_id, NEXT_PHOTOS)
    return [await photo_link(services, photo) for photo in found]


@router.get(
    "/sessions/{session_id}",
    summary="What was said in a conversation, line by line",
    responses={**documented(*_ERRORS, NotFound, MediaAway), 200: {"headers": CONTINUED}},
)
async def logs(
    services: ServicesOf,
    identity: Asking,
    response: Response,
    after: After,
    session_id: SessionId,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="turns, of two lines each")] = MAX_PAGE,
) -> list[LogAnswer]:
    _, page = await conversations.turns_of(services.database, identity.user, session_id, limit=limit, after=after)
    tell_next(response, page)
    return [line for turn in page.rows for line in await _lines(services, turn)]


@router.get(
    "/sessions/{session_id}/turns",
    summary="A conversation's turns, with all that is kept of them",
    responses=documented(*_ERRORS, NotFound, MediaAway),
)
async def turns(
    services: ServicesOf, identity: Asking, after: After, session_id: SessionId, limit: Limit = USUAL_PAGE
) -> TurnsAnswer:
    session, page = await conversations.turns_of(services.database, identity.user, session_id, limit=limit, after=after)
    return TurnsAnswer(
        session_id=session.id,
        turn_count=session.turn_count,
        can_finish=session.turn_count >= CAN_FINISH_TURNS,
        turns=[await _turn(services, turn) for turn in page.rows],
        next_cursor=page.next_cursor,
    )


@router.patch(
    "/sessions/{session_id}/finish",
    summary="The story is told",
    responses=documented(*_ERRORS, NotFound, NothingTold),
)
async def finish(
    services: ServicesOf,
    identity: Asking,
    session_id: SessionId,
    create_video: Annotated[bool, Query(description="make a memory video of it, too")] = False,
    video_type: Annotated[VideoType, Query(description="of that video")] = "slideshow",
) -> FinishAnswer:
    await conversations.finish(services.database, identity.user, session_id)
    async with services.database.transaction() as connection:
        asked = await ask_for_rest(connection, services.jobs, identity.user, session_id)
    for job in asked:
        await services.jobs.start(job)
    message = "들려주신 이야기를 잘 간직할게요."
    if not create_video:
        return FinishAnswer(message=message, session_id=session_id)
    try:
        video = await videos.generate(
            services.database, services.jobs, services.notices, identity.user, session_id, video_type=video_type
        )
    except (NothingToShow, RateLimited) as error:  # the story is told all the same
        return FinishAnswer(message=f"{message} {error.message_ko}", session_id=session_id)
    return FinishAnswer(
        message=f"{message} 영상도 만들어 드릴게요.",
        session_id=session_id,
        video_id=video.id,
        video_task_id=video.job_id,
    )


@router.delete(
    "/sessions/{session_id}",
    summary="Delete a conversation; one that goes on is ended first",
    responses=documented(*_ERRORS, NotFound, MediaAway),
)
async def remove(services: ServicesOf, identity: Asking, session_id: SessionId) -> DeletedAnswer:
    await conversations.check(services.database, identity.user, session_id)
    if services.talk is not None:
        await services.talk.end(identity.user, session_id)
    await conversations.remove(services.database, services.media, identity.user, session_id)
    return DeletedAnswer(message="이야기를 지웠어요.")


@router.post(
    "/sessions/{session_id}/photos",
    summary="Add a photo to a conversation, once",
    responses=documented(*_ERRORS, NotFound),
)
async def attach(services: ServicesOf, identity: Asking, session_id: SessionId, photo_id: OfPhoto) -> AttachedAnswer:
    photo, place = await conversations.add_photo(services.database, identity.user, session_id, photo_id)
    return AttachedAnswer(message="사진을 더했어요.", session_id=session_id, photo_id=photo.id, display_order=place)


@router.get(
    "/sessions/{session_id}/photos",
    summary="A conversation's photos, in their order",
    responses=documented(*_ERRORS, NotFound, MediaAway),
)
async def attached(services: ServicesOf, identity: Asking, session_id: SessionId) -> SessionPhotosAnswer:
    found = await conversations.photos_of(services.database, identity.user, session_id)
    shown = [
        SessionPhoto(
            id=one.photo.id,
            display_order=one.display_order,
            local_uri=one.photo.local_uri,
            s3_url=await picture(services, one.photo),
            taken_at=one.photo.taken_at,
            added_at=one.added_at,
        )
        for one in found
    ]
    return SessionPhotosAnswer(session_id=session_id, photo_count=len(shown), photos=shown)


@router.get("/animations", summary="What 복실이 does just now")
async def animation(identity: Asking) -> AnimationAnswer:
    return random.choice(_ANIMATIONS)


# --- typing ----------------------------------------------------------------------------------------------------------


@router.post(
    "/messages",
    status_code=200,
    summary="Say something in writing, and read the answer as it is made",
    response_class=EventStream,
    responses={
        **documented(
            *_ERRORS, NotFound, ConversationTaken, FloorTaken, ServerFull, AddressFull, Draining, BusAway, NoNode
        ),
        **_STREAM,
    },
)
async def message(request: Request, services: ServicesOf, identity: Asking, body: Message) -> Response:
    """Into the person's conversation, if one goes on at this gateway, where their voice client sees the same turn;
    into a new one otherwise. Who closes the stream early loses nothing of the turn."""
    if services.talk is None:
        raise NoNode
    said = await services.talk.say(
        identity, body.text, session=body.session_id, language=body.language, address=address_of(request)
    )
    return EventStream(_Said(said), send_seconds=services.settings.send_timeout_seconds)


class _Said:
    """A typed turn, as a stream tells it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def opening(self) -> str:
        return ""

    async def next(self) -> str | None:
        event = await self._reader.next()
        return None if event is None else format_sse_event(event=event.type, data_str=event.data).decode()

    def closing(self) -> str:
        return ""

    def leave(self) -> None:
        """The turn goes on, and is read along to its end by whoever plays it."""


# --- answers ---------------------------------------------------------------------------------------------------------


async def session_answer(services: Services, one: Listed) -> SessionAnswer:
    session: Session = one.session
    return SessionAnswer(
        id=session.id,
        main_photo_id=session.photo_id or None,
        main_photo_url=None if one.photo is None else await picture(services, one.photo),
        turn_count=session.turn_count,
        is_completed=session.finished_at is not None,
        status=status_of(session),
        created_at=session.started_at,
        summary=session.summary or None,
    )


async def _voice(services: Services, turn: Turn) -> str | None:
    return await services.media.link(turn.voice_key) if turn.voice_key else None


async def _lines(services: Services, turn: Turn) -> list[LogAnswer]:
    voice = await _voice(services, turn)
    lines = []
    if turn.transcript:
        said = LogAnswer(
            id=2 * turn.number - 1,
            role="user",
            content=turn.transcript,
            voice_url=voice,
            created_at=turn.started_at,
        )
        lines.append(said)
    if turn.heard:
        heard = LogAnswer(
            id=2 * turn.number, role="assistant", content=turn.heard, voice_url=None, created_at=turn.closed_at
        )
        lines.append(heard)
    return lines


async def _turn(services: Services, turn: Turn) -> TurnAnswer:
    return TurnAnswer(
        number=turn.number,
        transcript=turn.transcript,
        reply=turn.reply,
        heard=turn.heard,
        outcome=turn.outcome,
        interrupted=turn.interrupted,
        typed=turn.typed,
        source=turn.source,
        distress=turn.distress or None,
        voice_url=await _voice(services, turn),
        started_at=turn.started_at,
        closed_at=turn.closed_at,
        speech_ms=turn.speech_ms,
        timings_ms=turn.timings,
    )
