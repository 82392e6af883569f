"""A Gemini on this machine: `streamGenerateContent` as https://ai.google.dev/api/generate-content describes it.

Frames are `data: {json}` with CRLF, without `event:` and without `[DONE]`; the body just ends. Without `alt=sse` the
answer is one JSON array. A request that Gemini 3 would refuse is refused (`gemini_requests`). Otherwise a `Scenario` is
answered: the one queued by `answer_next`, or what the rule given to `answer_by` makes of the request, or the one that
the model's name stands for (`SCENARIOS`, `RULES`), or the ordinary reply for a model that exists: words, or JSON where
JSON is asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from silvertalk.standins.gemini_requests import Asked, Signatures, refusal
from silvertalk.standins.streams import Exchange, PacedBody, split

MODELS = frozenset({"gemini-3.1-flash-lite", "gemini-3.5-flash", "gemini-3.5-flash-lite", "gemini-3.8-flash"})
API_VERSIONS = frozenset({"v1", "v1beta"})

REPLY = ("바닷가에 ", "다녀오셨", "군요. ", "그때 누구와 ", "함께 계셨어요?")
SEEN = {
    "people": ["여자아이", "할아버지"],
    "place": "바닷가",
    "season": "여름",
    "occasion": "나들이",
    "objects": ["밀짚모자", "파라솔"],
    "mood": "즐거움",
    "text_seen": [],
    "question": "이날 바다에는 누구와 함께 가셨어요?",
}
"""What the ordinary reply to a picture says, where JSON is asked for."""


@dataclass(frozen=True)
class Call:
    """A function that the model wants called."""

    name: str
    args: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    """Empty: the stand-in numbers it."""


@dataclass(frozen=True)
class Scenario:
    """One answer. A `status` other than 200 makes it an error, with `details` in its body.

    `calls` come after the words, all in one frame; the first of them carries a thought signature, as Gemini 3 signs
    them. `signed_text`: a last frame with an empty text that carries one.
    """

    words: tuple[str, ...] = REPLY
    calls: tuple[Call, ...] = ()
    before_first_ms: float = 0.0
    between_ms: float = 5.0
    finish: str | None = "STOP"
    block: str | None = None
    thoughts: bool = False
    signed_text: bool = False
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


Rule = Callable[[Asked], Scenario | None]
"""Makes an answer of what is asked; None leaves it to the model's name."""


def calling(*calls: Call, words: tuple[str, ...] = ()) -> Scenario:
    """The model wants these functions called before it goes on."""
    return Scenario(words=words, calls=calls)


def saying(text: str, **options: Any) -> Scenario:
    """This text, a few characters a frame."""
    return Scenario(words=tuple(text[start : start + 8] for start in range(0, len(text), 8)), **options)


def answering(value: Any, **options: Any) -> Scenario:
    """This value in JSON, broken into frames anywhere."""
    return saying(json.dumps(value, ensure_ascii=False), **options)


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
    "malformed-function-call": Scenario(words=(), finish="MALFORMED_FUNCTION_CALL"),
    "unexpected-tool-call": Scenario(words=(), finish="UNEXPECTED_TOOL_CALL"),
    "too-many-tool-calls": Scenario(words=(), finish="TOO_MANY_TOOL_CALLS"),
    "signed-text": Scenario(signed_text=True),
    "broken-json": Scenario(words=('{"people": ["손주"', ', "place": ')),
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


def _calls_a_tool(asked: Asked) -> Scenario:
    """Calls the first function that is declared, once, and then replies."""
    return Scenario() if asked.results or not asked.tools else calling(Call(asked.tools[0]))


def _calls_forever(asked: Asked) -> Scenario:
    """Calls the first function that is declared whatever came of it before."""
    return calling(Call(asked.tools[0])) if asked.tools else Scenario()


RULES: dict[str, Rule] = {"calls-a-tool": _calls_a_tool, "calls-forever": _calls_forever}

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
        self._queued: deque[Scenario | Rule] = deque()
        self._rule: Rule | None = None
        self._signatures = Signatures()
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/{version}/models/{model}:streamGenerateContent", self._stream, methods=["POST"]),
            ]
        )

    def answer_next(self, *scenarios: Scenario | Rule) -> None:
        """What the next requests get, whatever model they name; those that are refused use none up."""
        self._queued.extend(scenarios)

    def answer_by(self, rule: Rule | None) -> None:
        """How requests are answered from now on, where none is queued; None: as in the beginning."""
        self._rule = rule

    async def _stream(self, request: Request) -> ASGIApp:
        exchange = Exchange(str(request.url.path), dict(request.headers), await request.json())
        self.exchanges.append(exchange)
        self.arrivals.put_nowait(exchange)
        scenario = self._scenario(request, exchange.body)
        if scenario.status != 200:
            exchange.end("finished")
            body = error_body(scenario.status, scenario.message, scenario.details)
            streamed = request.query_params.get("alt") == "sse"
            return JSONResponse(body if streamed else [body], scenario.status)
        chunks = _chunks(scenario, self._signatures)
        if request.query_params.get("alt") == "sse":
            return PacedBody(_events(scenario, chunks), exchange, cut=scenario.cut, content_type=b"text/event-stream")
        return PacedBody(_array(scenario, chunks), exchange, cut=scenario.cut, content_type=b"application/json")

    def _scenario(self, request: Request, body: dict[str, Any]) -> Scenario:
        model = request.path_params["model"]
        if request.path_params["version"] not in API_VERSIONS:
            return Scenario(status=404, message="Requested entity was not found.")
        if "x-goog-api-key" not in request.headers:
            return Scenario(status=403, message="Method doesn't allow unregistered callers.")
        if request.headers["x-goog-api-key"] != self._api_key:
            return Scenario(status=400, message="API key not valid. Please pass a valid API key.")
        asked = Asked(body, model)
        if refused := refusal(asked, self._signatures):
            return Scenario(status=400, message=refused)
        for answer in (self._queued.popleft() if self._queued else self._rule, RULES.get(model)):
            scenario = answer(asked) if callable(answer) else answer
            if scenario is not None:
                return scenario
        if model in MODELS:
            return answering(SEEN if asked.picture else {"reply": "".join(REPLY)}) if asked.wants_json else Scenario()
        unknown = f"models/{model} is not found for this API version, or is not supported for generateContent."
        return SCENARIOS.get(model) or Scenario(status=404, message=unknown)


def error_body(status: int, message: str, details: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    error: dict[str, Any] = {"code": status, "message": message, "status": _STATUS[status]}
    if details:
        error["details"] = list(details)
    return {"error": error}


def _chunks(scenario: Scenario, signatures: Signatures) -> list[dict[str, Any]]:
    """The answer's frames as objects, in order."""
    if scenario.block:
        feedback = {"blockReason": scenario.block, "safetyRatings": []}
        return [{"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}]
    chunks = [_chunk([{"text": "생각 중", "thought": True}], None)] if scenario.thoughts else []
    said: list[list[dict[str, Any]]] = [[{"text": word}] for word in scenario.words]
    if scenario.calls:
        said.append(_call_parts(scenario.calls, signatures))
    if scenario.signed_text:
        said.append([{"text": "", "thoughtSignature": signatures.new()}])
    for place, parts in enumerate(said, start=1):
        chunks.append(_chunk(parts, scenario.finish if place == len(said) else None))
    if not said and scenario.finish:
        chunks.append(_chunk(None, scenario.finish))
    if scenario.error_frame:
        frame = error_body(scenario.error_frame, "The model is overloaded. Please try again later.")
        if scenario.error_without_code:
            del frame["error"]["code"]
        chunks.append(frame)
    return chunks


def _call_parts(calls: tuple[Call, ...], signatures: Signatures) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for number, call in enumerate(calls, start=1):
        named = {"name": call.name, "args": call.args, "id": call.id or f"call-{number}"}
        parts.append({"functionCall": named} | ({} if parts else {"thoughtSignature": signatures.new()}))
    return parts


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


async def _events(scenario: Scenario, chunks: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    await asyncio.sleep(scenario.before_first_ms / 1000)
    for place, chunk in enumerate(chunks):
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


async def _array(scenario: Scenario, chunks: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    await asyncio.sleep(scenario.before_first_ms / 1000)
    yield b"["
    for place, chunk in enumerate(chunks):
        yield (",\n" if place else "").encode() + json.dumps(chunk, ensure_ascii=False).encode()
        await asyncio.sleep(scenario.between_ms / 1000)
    yield b"]"
