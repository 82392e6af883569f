"""The REST application: routes, and how each kind of error becomes a problem body. Mounted by the server's own app."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Scope

from silvertalk import __version__
from silvertalk.api import (
    auth,
    calendars,
    chat,
    events,
    generate,
    home,
    listening,
    memories,
    photos,
    privacy,
    replicate_webhooks,
    shares,
    talk,
    unlinking,
    users,
    videos,
    voice,
)
from silvertalk.api.envelope import Envelope
from silvertalk.api.idempotency import HEADER as IDEMPOTENCY_HEADER
from silvertalk.api.idempotency import REPEATED_HEADER, Idempotency
from silvertalk.api.openapi import describe
from silvertalk.api.problems import problem_response
from silvertalk.api.services import Services, asking, our_origin
from silvertalk.errors import Internal, NotFound, Refused, RequestError, RequestInvalid, SilverTalkError, translated
from silvertalk.metrics import REFUSED
from silvertalk.tokens import Identity
from streaming.errors import StreamingError


def rest(services: Services) -> FastAPI:
    """The API over these services. It serves nothing from elsewhere, so it has no pages of documentation, only
    `/openapi.json`.
    """
    app = FastAPI(
        title="SilverTalk",
        version=__version__,
        description="Errors are RFC 9457 problems: `message` is for the person, `code` for the program.",
        openapi_url=None,  # FastAPI would make the page on the event loop; `describe` serves it
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=sorted(services.origins),
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "X-Request-Id", IDEMPOTENCY_HEADER, "Last-Event-ID"],
                expose_headers=["X-Request-Id", "Retry-After", "X-Next-Cursor", REPEATED_HEADER],
                max_age=600,
            ),
            Middleware(Envelope, admit=services.limiter.admit),
            Middleware(Idempotency, answers=services.answers, asking=_who_asks),
        ],
    )
    app.state.services = services
    app.add_exception_handler(SilverTalkError, _known)
    app.add_exception_handler(StreamingError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.include_router(auth.router)
    app.include_router(unlinking.router)
    app.include_router(users.router)
    app.include_router(talk.router)
    app.include_router(listening.router)
    app.include_router(home.router)
    app.include_router(calendars.router)
    app.include_router(chat.router)
    app.include_router(voice.router)
    app.include_router(photos.router)
    app.include_router(memories.router)
    app.include_router(videos.router)
    app.include_router(shares.router)
    app.include_router(shares.public)
    app.include_router(replicate_webhooks.router)
    app.include_router(generate.router)
    app.include_router(events.router)
    app.include_router(privacy.router)
    describe(app)
    return app


async def _who_asks(scope: Scope) -> Identity:
    """As the routes see to it."""
    request = Request(scope)
    our_origin(request)
    return await asking(request)


def _request_id(request: Request) -> str:
    return str(request.state.request_id)


async def _known(request: Request, error: Exception) -> Response:
    known = translated(error)
    if isinstance(known, Refused):
        REFUSED.labels(known.code).inc()
    return problem_response(known, _request_id(request))


async def _invalid(request: Request, error: Exception) -> Response:
    """Which fields are wrong and why, without what was sent in them."""
    assert isinstance(error, RequestValidationError)
    fields = tuple((".".join(map(str, one["loc"])), str(one["msg"])) for one in error.errors()[:20])
    return problem_response(RequestInvalid(fields=fields), _request_id(request))


async def _framework(request: Request, error: Exception) -> Response:
    """What Starlette itself answers: no such path, another method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem_response(NotFound(), _request_id(request))
    kind = RequestError if error.status_code < 500 else Internal
    answer = problem_response(kind(), _request_id(request), status=error.status_code, code=f"http_{error.status_code}")
    answer.headers.update(error.headers or {})
    return answer
