"""What a client gets when something is wrong: RFC 9457 problem bodies, in one shape for every error.

`message` is for the person (polite Korean), `message_en` and `code` are for the developer. Nothing of the request is
quoted and nothing of the inside is told.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from silvertalk.errors import QuotaReached, RateLimited, ReplicateAway, RequestInvalid, SilverTalkError

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One thing that is wrong with the request."""

    field: str = Field(examples=["body.guest_id"])
    reason: str = Field(examples=["String should have at most 100 characters"])


class Problem(BaseModel):
    """RFC 9457, with our own members beside the standard ones."""

    type: str = Field(examples=["urn:problem-type:silvertalk:token_expired"])
    title: str = Field(examples=["Unauthorized"])
    status: int = Field(examples=[401])
    detail: str = Field(examples=["The access token has expired: ask for a new one."])
    code: str = Field(description="stable; for programs", examples=["token_expired"])
    message: str = Field(description="for the person", examples=["로그인한 지 오래되었어요. 다시 로그인해 주세요."])
    message_en: str = Field(description="for the developer")
    retryable: bool = Field(description="the same request may succeed later")
    request_id: str = Field(description="as in the X-Request-Id header")
    fields: list[FieldProblem] | None = None


def problem_response(
    error: SilverTalkError, request_id: str, *, status: int | None = None, code: str | None = None
) -> JSONResponse:
    """The answer for an error. `status` and `code` stand in where a framework's own status must be kept."""
    number = error.http_status if status is None else status
    name = error.code if code is None else code
    body = Problem(
        type=f"urn:problem-type:silvertalk:{name}",
        title=HTTPStatus(number).phrase,
        status=number,
        detail=error.message_en,
        code=name,
        message=error.message_ko,
        message_en=error.message_en,
        retryable=error.retryable,
        request_id=request_id,
    )
    if isinstance(error, RequestInvalid) and error.fields:
        body.fields = [FieldProblem(field=field, reason=reason) for field, reason in error.fields]
    return JSONResponse(
        body.model_dump(exclude_none=True), status_code=number, media_type=MEDIA_TYPE, headers=_headers(error, number)
    )


def documented(*errors: type[SilverTalkError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may raise these, for OpenAPI."""
    answers: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        answer = answers.setdefault(
            error.http_status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema(), "examples": {}}}},
        )
        answer["description"] = " ".join(filter(None, [answer["description"], f"`{error.code}`: {error.message_en}"]))
    for answer in answers.values():
        schema = answer["content"][MEDIA_TYPE]["schema"]
        schema["properties"]["fields"] = {"type": "array", "items": schema.pop("$defs")["FieldProblem"]}
        del answer["content"][MEDIA_TYPE]["examples"]
    return answers


def _headers(error: SilverTalkError, status: int) -> dict[str, str]:
    if isinstance(error, (RateLimited, QuotaReached, ReplicateAway)):
        return {"Retry-After": str(error.retry_after_seconds)}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="silvertalk"'}
    return {"Retry-After": "5"} if status == 503 else {}
