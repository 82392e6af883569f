"""A Gemini on this machine: `streamGenerateContent` as https://ai.google.dev/api/generate-content describes it.

Frames are `data: {json}` with CRLF, without `event:` and without `[DONE]`; the body just ends. Without `alt=sse` the
answer is one JSON array. What is answered is a `Scenario`: the one queued by `answer_next`, or the one that the model's
name stands for (`SCENARIOS`), or the ordinary reply for a model that exists.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from silvertalk.standins.streams import Exchange, PacedBody, split

MODELS = frozenset({"gemini-3.1-flash-lite", "gemini-3.5-flash", "gemini-3.5-flash-lite", "gemini-3.8-flash"})
API_VERSIONS = frozenset({"v1", "v1beta"})

REPLY = ("바닷가에 ", "다녀오셨", "군요. ", "그때 누구와 ", "함께 계셨어요?")


@dataclass(frozen=True)
class Scenario:
    """One answer. A `status` other than 200 makes it an error, with `details` in its body."""

    words: tuple[str, ...] = REPLY
    before_first_ms: float = 0.0
    between_ms: float = 5.0
    finish: str | None = "STOP"
    block: str | None = None
    thoughts: bool = False
    error_frame: int = 0
    error_without_code: bool = False
    cut: bool = False
    garbage: bool = False
    newline: str = "\r\n"
    comments: bool = False
    split_bytes: int = 0
    status: int = 200
    message: str = ""
    details: tuple[dict[str, Any], ...] = ()


def rate_limited(retry_delay: str) -> Scenario:
    """A 429 whose RetryInfo asks for `retry_delay`, such as `1.5s`."""
    return Scenario(
        status=429,
        message="You exceeded your current quota, please check your plan and billing details.",
        details=(
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry_delay},
        ),
    )


SCENARIOS: dict[str, Scenario] = {
    "normal": Scenario(),
    "slow-first-token": Scenario(before_first_ms=60_000),
    "stalled": Scenario(words=REPLY[:2], finish=None, error_frame=503, between_ms=60_000),
    "endless": Scenario(words=REPLY * 2_000, between_ms=20),
    "mid-stream-error": Scenario(words=REPLY[:2], finish=None, error_frame=503),
    "early-error-frame": Scenario(words=(), finish=None, error_frame=500),
    "error-without-code": Scenario(words=REPLY[:2], finish=None, error_frame=503, error_without_code=True),
    "cut": Scenario(words=REPLY[:2], finish=None, cut=True),
    "cut-at-once": Scenario(words=(), finish=None, cut=True),
    "unfinished": Scenario(words=REPLY[:2], finish=None),
    "garbage": Scenario(words=REPLY[:1], finish=None, garbage=True),
    "blocked-prompt": Scenario(words=(), finish=None, block="PROHIBITED_CONTENT"),
    "safety": Scenario(words=REPLY[:2], finish="SAFETY"),
    "max-tokens": Scenario(words=REPLY[:3], finish="MAX_TOKENS"),
    "empty-candidate": Scenario(words=()),
    "unknown-finish": Scenario(words=REPLY[:2], finish="SOMETHING_NEW"),
    "thinking": Scenario(thoughts=True),
    "split": Scenario(split_bytes=2, between_ms=0),
    "line-feeds": Scenario(newline="\n"),
    "keep-alive": Scenario(comments=True),
    "rate-limited": rate_limited("0.2s"),
    "quota": rate_limited("37s"),
    "unavailable": Scenario(status=503, message="The model is overloaded. Please try again later."),
    "internal": Scenario(status=500, message="An internal error has occurred."),
    "deadline": Scenario(status=504, message="The request timed out. Please try again."),
    "bad-request": Scenario(status=400, message="Request contains an invalid argument."),
    "forbidden": Scenario(status=403, message="Permission denied."),
}

_STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiStandIn:
    """`app` is the server; `exchanges` is what reached it, the oldest first, and `arrivals` the same to wait for."""

    def __init__(self, *, api_key: str = "a-key") -> None:
        self.exchanges: list[Exchange] = []
        self.arrivals: asyncio.Queue[Exchange] = asyncio.Queue()  # no limit: as many as the test sends
        self._api_key = api_key
        self._queued: deque[Scenario] = deque()
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/{version}/models/{model}:streamGenerateContent", self._stream, methods=["POST"]),
            ]
        )

    def answer_next(self, *scenarios: Scenario) -> None:
        """What the next requests get, whatever model they name."""
        self._queued.extend(scenarios)

    async def _stream(self, request: Request) -> ASGIApp:
        exchange = Exchange(str(request.url.path), dict(request.headers), await request.json())
        self.exchanges.append(exchange)
        self.arrivals.put_nowait(exchange)
        scenario = self._scenario(request)
        if scenario.status != 200:
            exchange.end("finished")
            body = error_body(scenario.status, scenario.message, scenario.details)
            streamed = request.query_params.get("alt") == "sse"
            return JSONResponse(body if streamed else [body], scenario.status)
        if request.query_params.get("alt") == "sse":
            return PacedBody(_events(scenario), exchange, cut=scenario.cut, content_type=b"text/event-stream")
        return PacedBody(_array(scenario), exchange, cut=scenario.cut, content_type=b"application/json")

    def _scenario(self, request: Request) -> Scenario:
        model = request.path_params["model"]
        if request.path_params["version"] not in API_VERSIONS:
            return Scenario(status=404, message="Requested entity was not found.")
        if "x-goog-api-key" not in request.headers:
            return Scenario(status=403, message="Method doesn't allow unregistered callers.")
        if request.headers["x-goog-api-key"] != self._api_key:
            return Scenario(status=400, message="API key not valid. Please pass a valid API key.")
        if self._queued:
            return self._queued.popleft()
        if model in MODELS:
            return SCENARIOS["normal"]
        unknown = f"models/{model} is not found for this API version, or is not supported for generateContent."
        return SCENARIOS.get(model) or Scenario(status=404, message=unknown)


def error_body(status: int, message: str, details: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": message, "status": _STATUS[status]}
    if details:
        error["details"] = list(details)
    return {"error": error}


def _chunks(scenario: Scenario) -> list[dict[str, Any]]:
    """The answer's frames as objects, in order."""
    if scenario.block:
        feedback = {"blockReason": scenario.block, "safetyRatings": []}
        return [{"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}]
    chunks = [_chunk([{"text": "생각 중", "thought": True}], None)] if scenario.thoughts else []
    for place, word in enumerate(scenario.words, start=1):
        chunks.append(_chunk([{"text": word}], scenario.finish if place == len(scenario.words) else None))
    if not scenario.words and scenario.finish:
        chunks.append(_chunk(None, scenario.finish))
    if scenario.error_frame:
        frame = error_body(scenario.error_frame, "The model is overloaded. Please try again later.")
        if scenario.error_without_code:
            del frame["error"]["code"]
        chunks.append(frame)
    return chunks


def _chunk(parts: list[dict[str, Any]] | None, finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if parts is not None:
        candidate["content"] = {"parts": parts, "role": "model"}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12},
        "modelVersion": "gemini-stand-in",
        "responseId": "a-response",
    }


async def _events(scenario: Scenario) -> AsyncIterator[bytes]:
    await asyncio.sleep(scenario.before_first_ms / 1000)
    for place, chunk in enumerate(_chunks(scenario)):
        if place:
            await asyncio.sleep(scenario.between_ms / 1000)
        if scenario.comments:
            yield f": keep-alive{scenario.newline}{scenario.newline}".encode()
        data = json.dumps(chunk, ensure_ascii=False)
        frame = f"data: {data}{scenario.newline}{scenario.newline}".encode()
        async for part in split(frame, scenario.split_bytes):
            yield part
    if scenario.garbage:
        yield f"data: not json{scenario.newline}{scenario.newline}".encode()


async def _array(scenario: Scenario) -> AsyncIterator[bytes]:
    await asyncio.sleep(scenario.before_first_ms / 1000)
    yield b"["
    for place, chunk in enumerate(_chunks(scenario)):
        yield (",\n" if place else "").encode() + json.dumps(chunk, ensure_ascii=False).encode()
        await asyncio.sleep(scenario.between_ms / 1000)
    yield b"]"
