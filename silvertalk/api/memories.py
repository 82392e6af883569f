"""`/memories`: what a person told or their family knows, with where it came from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from silvertalk import conversations, memories
from silvertalk.api.ids import UUID_PATTERN
from silvertalk.api.lists import CONTINUED, USUAL_PAGE, After, Limit, tell_next
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, Services, ServicesOf, our_origin
from silvertalk.errors import AccountErased, DatabaseAway, NotFound, RequestInvalid
from silvertalk.memories import LEAST, MAX_FACT_CHARACTERS, MOST, Category
from silvertalk.models import Memory
from silvertalk.paging import Cursor
from silvertalk.remembering import ask_for_summaries

router = APIRouter(prefix="/memories", tags=["memory"], dependencies=[Depends(our_origin)])

MEMORY = "8d8f0e1c-9c2b-4f6a-8f11-2f3c5a6b7c8d"
_ERRORS = (RequestInvalid, DatabaseAway, AccountErased)

Fact = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_FACT_CHARACTERS)]
Importance = Annotated[int, Field(ge=LEAST, le=MOST)]
# One name in the path for both, so that the page of the API has one path: a list goes by its kind, a change by its id.
OfCategory = Annotated[Category, Path(alias="key", description="a category")]
OfMemory = Annotated[str, Path(alias="key", pattern=UUID_PATTERN, max_length=36, description="a memory's id")]


class MemoryAnswer(BaseModel):
    id: str = Field(examples=[MEMORY])
    category: str = Field(examples=["family"])
    fact: str = Field(examples=["손주 이름은 민준이다."])
    importance: int = Field(description="1 to 5", examples=[4])
    updated_at: datetime
    source: str = Field(description="`talk`, `person` (typed or corrected by them) or `family`", examples=["talk"])
    confidence: float = Field(description="0 to 1", examples=[0.8])
    session_id: str | None = Field(description="the conversation it was told in")
    turn_number: int | None = Field(description="and the turn")
    differs_from: str | None = Field(description="an earlier memory that says otherwise; both are kept")
    created_at: datetime


class NewMemory(BaseModel):
    model_config = ConfigDict(extra="forbid")

    category: Category = "other"
    fact: Fact = Field(examples=["고향은 통영이다."])
    importance: Importance = 3
    source: Literal["person", "family"] = "person"


class MemoryChange(BaseModel):
    """What is left out stays as it is. Whatever is changed, the memory is the person's own from then on."""

    model_config = ConfigDict(extra="forbid")

    category: Category | None = None
    fact: Fact | None = None
    importance: Importance | None = None


class AnalysisAnswer(BaseModel):
    photo_id: str
    taken_at: datetime | None
    location_name: str
    ai_analysis: dict[str, Any] | None
    view_count: int
    last_chat_session_id: str | None


def memory_answer(memory: Memory) -> MemoryAnswer:
    return MemoryAnswer(
        id=memory.id,
        category=memory.category,
        fact=memory.fact,
        importance=memory.importance,
        updated_at=memory.updated_at,
        source=memory.source,
        confidence=memory.confidence,
        session_id=memory.session_id or None,
        turn_number=memory.turn_number,
        differs_from=memory.differs_from or None,
        created_at=memory.created_at,
    )


@router.get(
    "/",
    summary="What is remembered of me, the most important first",
    responses={**documented(*_ERRORS), 200: {"headers": CONTINUED}},
)
async def listed(
    services: ServicesOf,
    identity: Asking,
    response: Response,
    after: After,
    category: Category | None = None,
    limit: Limit = USUAL_PAGE,
) -> list[MemoryAnswer]:
    return await _listed(services, identity.user, response, category, limit, after)


@router.get(
    "/{key}",
    summary="Of one category",
    responses={**documented(*_ERRORS), 200: {"headers": CONTINUED}},
)
async def of_category(
    services: ServicesOf,
    identity: Asking,
    response: Response,
    after: After,
    category: OfCategory,
    limit: Limit = USUAL_PAGE,
) -> list[MemoryAnswer]:
    return await _listed(services, identity.user, response, category, limit, after)


async def _listed(
    services: Services, user: str, response: Response, category: Category | None, limit: int, after: Cursor | None
) -> list[MemoryAnswer]:
    page = await memories.listed(services.database, user, category, limit=limit, after=after)
    tell_next(response, page)
    return [memory_answer(memory) for memory in page.rows]


@router.post("/", status_code=201, summary="Have something remembered", responses=documented(*_ERRORS))
async def add(services: ServicesOf, identity: Asking, body: NewMemory) -> MemoryAnswer:
    async with services.database.transaction() as connection:
        made = await memories.add(
            services.database,
            connection,
            identity.user,
            category=body.category,
            fact=body.fact,
            importance=body.importance,
            source=body.source,
        )
        await services.notices.record(connection, identity.user, "memory", {"id": made.id, "state": "added"})
    await services.notices.publish(identity.user)
    return memory_answer(made)


@router.patch("/{key}", summary="Correct a memory", responses=documented(*_ERRORS, NotFound))
async def correct(services: ServicesOf, identity: Asking, memory_id: OfMemory, body: MemoryChange) -> MemoryAnswer:
    changes = body.model_dump(exclude_none=True)
    async with services.database.transaction() as connection:
        changed, forgotten = await memories.correct(connection, identity.user, memory_id, changes)
        await services.notices.record(connection, identity.user, "memory", {"id": memory_id, "state": "changed"})
        asked = await ask_for_summaries(connection, services.jobs, identity.user, forgotten.sessions)
    await services.notices.publish(identity.user)
    for job in asked:
        await services.jobs.start(job)
    return memory_answer(changed)


@router.delete("/{key}", status_code=204, summary="Forget it", responses=documented(*_ERRORS, NotFound))
async def forget(services: ServicesOf, identity: Asking, memory_id: OfMemory) -> Response:
    async with services.database.transaction() as connection:
        forgotten = await memories.forget(connection, identity.user, memory_id)
        await services.notices.record(connection, identity.user, "memory", {"id": memory_id, "state": "deleted"})
        asked = await ask_for_summaries(connection, services.jobs, identity.user, forgotten.sessions)
    await services.notices.publish(identity.user)
    for job in asked:
        await services.jobs.start(job)
    return Response(status_code=204)


@router.get(
    "/photos/{photo_id}/analysis",
    summary="What is known of a photo",
    responses=documented(*_ERRORS, NotFound),
)
async def analysis(
    services: ServicesOf, identity: Asking, photo_id: Annotated[str, Path(pattern=UUID_PATTERN, max_length=36)]
) -> AnalysisAnswer:
    async with services.database.transaction() as connection:
        photo = await conversations.photo_of(connection, identity.user, photo_id)
    return AnalysisAnswer(
        photo_id=photo.id,
        taken_at=photo.taken_at,
        location_name=photo.location_name,
        ai_analysis=photo.analysis,
        view_count=photo.view_count,
        last_chat_session_id=photo.last_session_id or None,
    )
