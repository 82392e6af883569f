"""`/openapi.json`: what the routes say of themselves, and the answers of all that stands before them.

A route documents what it can raise itself. What the envelope, the limits, the token and the idempotency key can
answer is the same everywhere and is added here, once.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from silvertalk.api.idempotency import HEADER, KEY, REPEATED_HEADER, promised
from silvertalk.api.problems import MEDIA_TYPE, documented
from silvertalk.errors import (
    AccountErased,
    AnswerNotKept,
    BusAway,
    DatabaseAway,
    KeyReused,
    OriginRefused,
    RateLimited,
    RequestError,
    RequestInvalid,
    RequestTooLarge,
    SilverTalkError,
    StillAnswering,
    TokenExpired,
    TokenMissing,
    TokenRefused,
    TooSlow,
)

Errors = tuple[type[SilverTalkError], ...]

EVERYWHERE: Errors = (OriginRefused, TooSlow, RequestTooLarge, RateLimited)
WITH_A_TOKEN: Errors = (TokenMissing, TokenRefused, TokenExpired, AccountErased, DatabaseAway, BusAway)
WITH_A_KEY: Errors = (RequestInvalid, KeyReused, StillAnswering, AnswerNotKept, BusAway)
WITH_A_BODY: Errors = (RequestError, RequestInvalid)
PATH = "/openapi.json"
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})

KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same request with the same key is carried out once, and answered alike for a day "
    f"(`{REPEATED_HEADER}: true`).",
    "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
}


def describe(app: FastAPI) -> None:
    """Have `app.openapi()` tell the whole, and `/openapi.json` as well."""
    routes_alone = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = routes_alone()
            for path, operations in page["paths"].items():
                for method, operation in operations.items():
                    if method in _METHODS:
                        _add(method, path, operation)
            app.openapi_schema = page
        return app.openapi_schema

    app.openapi = whole  # type: ignore[method-assign]
    app.add_route(PATH, _Page(app).answer, include_in_schema=False)


class _Page:
    """The page, made where somebody first asks for it: a second of work, beside whoever talks at this gateway."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._making = asyncio.Lock()
        self._page = b""

    async def answer(self, request: Request) -> Response:
        async with self._making:  # who asks meanwhile waits for the same
            if not self._page:
                self._page = await asyncio.to_thread(self._made)
        return Response(self._page, media_type="application/json")

    def _made(self) -> bytes:
        # Piece by piece: written in one go a megabyte of JSON keeps the interpreter, and the event loop, for 50 ms.
        encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
        return "".join(encoder.iterencode(self._app.openapi())).encode()


def _add(method: str, path: str, operation: dict[str, Any]) -> None:
    errors = [*EVERYWHERE]
    if operation.get("security"):
        errors += WITH_A_TOKEN
    if "requestBody" in operation:
        errors += WITH_A_BODY
    if operation.get("parameters"):
        errors.append(RequestInvalid)
    if promised(method.upper(), path):
        errors += WITH_A_KEY
        operation.setdefault("parameters", []).append(KEY_PARAMETER)
    answers = operation["responses"]
    for status, answer in documented(*dict.fromkeys(errors)).items():
        there = answers.get(str(status))
        if there is None or MEDIA_TYPE not in there.get("content", {}):
            answers[str(status)] = answer  # FastAPI's own 422 is not what is sent here
            continue
        missing = [error for error in dict.fromkeys(errors) if error.http_status == status and _new(error, there)]
        there["description"] = " ".join([there["description"], *(f"`{e.code}`: {e.message_en}" for e in missing)])


def _new(error: type[SilverTalkError], answer: dict[str, Any]) -> bool:
    return f"`{error.code}`" not in answer["description"]
