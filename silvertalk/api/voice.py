"""`/chat/sessions/{id}/turns/{n}/voice`: what I said, in my own voice, where I agreed to its being kept."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from silvertalk.api.ids import SESSION_PATTERN
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.errors import DatabaseAway, MediaAway, NotFound, RequestInvalid
from silvertalk.media.store import LINK_SECONDS
from silvertalk.voice_keeping import kept_voice

router = APIRouter(prefix="/chat", tags=["chat"], dependencies=[Depends(our_origin)])

OfSession = Annotated[str, Path(pattern=SESSION_PATTERN, max_length=32)]
OfTurn = Annotated[int, Path(ge=0, le=2**31 - 1, examples=[3])]


class VoiceAnswer(BaseModel):
    """A FLAC file, 16 kHz, mono. A `url` without a host is on this server."""

    url: str
    expires_at: int = Field(description="Unix seconds")


@router.get(
    "/sessions/{session_id}/turns/{number}/voice",
    summary="Listen to what I said",
    responses=documented(NotFound, RequestInvalid, DatabaseAway, MediaAway),
)
async def voice(services: ServicesOf, identity: Asking, session_id: OfSession, number: OfTurn) -> VoiceAnswer:
    key = await kept_voice(services.database, identity.user, session_id, number)
    expires_at = int(time.time()) + LINK_SECONDS
    return VoiceAnswer(url=await services.media.link(key), expires_at=expires_at)
