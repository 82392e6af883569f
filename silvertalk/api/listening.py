"""`/v1/me/listening`: how 복실이 listens and speaks to the person who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.errors import (
    DatabaseAway,
    OriginRefused,
    RequestInvalid,
    RequestTooLarge,
    TokenExpired,
    TokenMissing,
    TokenRefused,
)
from silvertalk.habits import (
    MAX_LOUDNESS,
    MAX_SPEECH_RATE,
    MIN_LOUDNESS,
    MIN_SPEECH_RATE,
    Changes,
    Habits,
    applying,
    habits_of,
    today,
)
from streaming.protocol import MAX_PATIENCE, MIN_PATIENCE

router = APIRouter(prefix="/v1/me/listening", tags=["me"], dependencies=[Depends(our_origin)])

_NOBODY_ELSE = (TokenMissing, TokenRefused, TokenExpired, OriginRefused, RequestTooLarge, DatabaseAway)

PATIENCE = "how long to wait before an utterance is taken to be over: 1 as learned, 2 twice as long"
SPEECH_RATE = "how fast 복실이 speaks: 1 is the voice's own pace"
LOUDNESS = "how many times as loud as the voice comes"


class LearnedPauses(BaseModel):
    """What was learned of the person's pauses; read only."""

    median_ms: int = Field(description="half of the pauses inside an utterance are shorter", examples=[820])
    caution: float = Field(description="what earlier false ends multiply the patience by, 1 to 1.5", examples=[1.1])
    observed: int = Field(description="how many pauses this stands on; older ones fade", examples=[140])


class ListeningAnswer(BaseModel):
    patience: float = Field(description=PATIENCE, examples=[1.0])
    speech_rate: float = Field(description=SPEECH_RATE, examples=[0.9])
    loudness: float = Field(description=LOUDNESS, examples=[1.25])
    learned: LearnedPauses


class ListeningChange(BaseModel):
    """What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    patience: Annotated[float | None, Field(ge=MIN_PATIENCE, le=MAX_PATIENCE, description=PATIENCE)] = None
    speech_rate: Annotated[float | None, Field(ge=MIN_SPEECH_RATE, le=MAX_SPEECH_RATE, description=SPEECH_RATE)] = None
    loudness: Annotated[float | None, Field(ge=MIN_LOUDNESS, le=MAX_LOUDNESS, description=LOUDNESS)] = None


@router.get("", summary="How 복실이 listens and speaks to me", responses=documented(*_NOBODY_ELSE))
async def listening(services: ServicesOf, identity: Asking) -> ListeningAnswer:
    return _answer(habits_of(await services.database.habits(identity.user), today()))


@router.patch(
    "",
    summary="Change it, from the next conversation on",
    responses=documented(*_NOBODY_ELSE, RequestInvalid),
)
async def change_listening(services: ServicesOf, identity: Asking, change: ListeningChange) -> ListeningAnswer:
    changes = Changes(patience=change.patience, speech_rate=change.speech_rate, loudness=change.loudness)
    row = await services.database.change_habits(identity.user, applying(changes, today()))
    return _answer(habits_of(row, today()))


@router.delete(
    "",
    status_code=204,
    summary="Forget what was learned and set: all as on the first day",
    responses=documented(*_NOBODY_ELSE),
)
async def forget_listening(services: ServicesOf, identity: Asking) -> Response:
    await services.database.forget_habits(identity.user)
    return Response(status_code=204)


def _answer(habits: Habits) -> ListeningAnswer:
    profile = habits.profile
    learned = LearnedPauses(
        median_ms=round(profile.pauses().median_ms),
        caution=round(profile.caution, 2),
        observed=round(profile.observed),
    )
    return ListeningAnswer(
        patience=profile.patience, speech_rate=habits.speech_rate, loudness=habits.loudness, learned=learned
    )
