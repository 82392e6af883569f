"""What is mine, to take along or to have deleted: DELETE `/users/me`, `/users/me/export`, `/v1/erasures/{receipt}`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from silvertalk.api.ids import UUID_PATTERN
from silvertalk.api.problems import documented
from silvertalk.api.services import Asking, ServicesOf, our_origin
from silvertalk.erasing import Receipt, ask_to_erase, receipt_of
from silvertalk.errors import AccountErased, DatabaseAway, MediaAway, NotFound, RequestInvalid
from silvertalk.exporting import Export, State, ask_for_export, export_of

router = APIRouter(tags=["users"], dependencies=[Depends(our_origin)])

RECEIPT = "5f0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10"


class ErasureAnswer(BaseModel):
    """Keep `receipt`: it says how far the deletion is, without a login. It says nothing about whom it was."""

    receipt: str = Field(examples=[RECEIPT])
    message: str = Field(examples=["모두 지우고 있어요. 그동안 함께해 주셔서 고맙습니다."])
    state: str = Field(description="`erasing` or `erased`", examples=["erasing"])
    asked_at: datetime
    completed_at: datetime | None = None
    counts: dict[str, int] = Field(description="how much of each kind was deleted", examples=[{"photos": 10}])


class ExportAnswer(BaseModel):
    """`url` is good for five minutes, and can be had anew until `expires_at`."""

    state: State = Field(examples=["ready"])
    job_id: str | None = Field(None, description="as the notices of `/v1/me/events` call it")
    progress: float = Field(description="0 to 1", examples=[1.0])
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    size_bytes: int | None = None
    url: str | None = Field(None, description="a ZIP; relative to this server where it has no host")


@router.delete(
    "/users/me",
    status_code=202,
    summary="Delete me and everything that is mine",
    responses=documented(AccountErased, DatabaseAway),
)
async def erase_me(services: ServicesOf, identity: Asking) -> ErasureAnswer:
    """Final with the answer: all tokens are worth nothing, conversations end, nothing is written any more. A worker
    then deletes photos, voices, conversations and all the rest, and takes the app out of the Kakao account."""
    return _erasure(await ask_to_erase(services.database, services.jobs, services.revocations, identity.user))


@router.get(
    "/v1/erasures/{receipt}",
    summary="How far a deletion is",
    responses=documented(NotFound, RequestInvalid, DatabaseAway),
)
async def erasure(
    services: ServicesOf, receipt: Annotated[str, Path(pattern=UUID_PATTERN, max_length=36, examples=[RECEIPT])]
) -> ErasureAnswer:
    found = await receipt_of(services.database, receipt)
    if found is None:
        raise NotFound
    return _erasure(found)


@router.post(
    "/users/me/export",
    status_code=202,
    summary="Have everything that is mine put together",
    responses=documented(AccountErased, DatabaseAway),
)
async def export_me(services: ServicesOf, identity: Asking) -> ExportAnswer:
    """A worker makes it, and tells when it is done (`/v1/me/events`). One that is being made already is that one."""
    return _export(await ask_for_export(services.database, services.jobs, identity.user))


@router.get(
    "/users/me/export",
    summary="My export, and a link to it once it is ready",
    responses=documented(DatabaseAway, MediaAway),
)
async def my_export(services: ServicesOf, identity: Asking) -> ExportAnswer:
    return _export(await export_of(services.database, services.media, identity.user))


def _erasure(receipt: Receipt) -> ErasureAnswer:
    erased = receipt.completed_at is not None
    return ErasureAnswer(
        receipt=receipt.receipt,
        message="모두 지웠어요. 그동안 함께해 주셔서 고맙습니다."
        if erased
        else "모두 지우고 있어요. 그동안 함께해 주셔서 고맙습니다.",
        state="erased" if erased else "erasing",
        asked_at=receipt.asked_at,
        completed_at=receipt.completed_at,
        counts=receipt.counts,
    )


def _export(export: Export) -> ExportAnswer:
    return ExportAnswer(
        state=export.state,
        job_id=export.job or None,
        progress=export.progress,
        asked_at=export.asked_at,
        expires_at=export.expires_at,
        size_bytes=export.size_bytes or None,
        url=export.link or None,
    )
