"""An OpenAI-compatible server on this machine: `POST /v1/chat/completions` with `stream`.

https://platform.openai.com/docs/api-reference/chat-streaming. What is answered is the scenario queued by `answer_next`,
or the one that the model's name stands for, or the ordinary reply.
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

TOOLLESS = "toolless"
"""A model that was never taught to call functions, as Ollama serves it."""
MODELS = frozenset({"a-model", TOOLLESS})
REPLY = ("바닷가에", " 다녀오셨", "군요.", " 누구와", " 함께 계셨어요?")


@dataclass(frozen=True)
class Call:
    """A function that the model wants called; `arguments` as it writes them, JSON or not. Small servers give no id."""

    name: str
    arguments: str = "{}"
    id: str = ""


@dataclass(frozen=True)
class Scenario:
    """One answer. A `status` other than 200 makes it an error; `retry_after` is the header's text. `calls` come after
    the words, each in pieces: its name, then its arguments a few characters at a time."""

    words: tuple[str, ...] = REPLY
    calls: tuple[Call, ...] = ()
    before_first_ms: float = 0.0
    between_ms: float = 5.0
    finish: str | None = "stop"
    done: bool = True
    error_event: dict[str, Any] | str | None = None
    garbage: bool = False
    cut: bool = False
    newline: str = "\n"
    comments: bool = False
    split_bytes: int = 0
    status: int = 200
    message: str = ""
    code: str | None = None
    retry_after: str = ""


SCENARIOS: dict[str, Scenario] = {
    "normal": Scenario(),
    "split": Scenario(split_bytes=2, between_ms=0, newline="\r\n"),
    "crlf": Scenario(newline="\r\n"),
    "carriage-returns": Scenario(newline="\r"),
    "keep-alive": Scenario(comments=True),
    "no-done": Scenario(done=False),
    "length": Scenario(words=REPLY[:3], finish="length"),
    "slow-first-token": Scenario(before_first_ms=60_000),
    "stalled": Scenario(words=REPLY[:2], finish=None, between_ms=60_000),
    "endless": Scenario(words=REPLY * 2_000, between_ms=20),
    "error-event": Scenario(words=REPLY[:2], finish=None, error_event={"message": "overloaded", "code": 503}),
    "error-sentence": Scenario(words=REPLY[:2], finish=None, error_event="out of memory"),
    "early-error-event": Scenario(words=(), finish=None, error_event={"message": "overloaded", "code": 503}),
    "garbage": Scenario(words=REPLY[:2], finish=None, garbage=True),
    "cut": Scenario(words=REPLY[:2], finish=None, cut=True, done=False),
    "unfinished": Scenario(words=REPLY[:2], finish=None, done=False),
    "content-filter": Scenario(words=REPLY[:2], finish="content_filter"),
    "blocked-prompt": Scenario(status=400, message="The prompt was filtered.", code="content_filter"),
    "empty": Scenario(words=()),
    "rate-limited": Scenario(status=429, message="Rate limit reached", code="rate_limit_exceeded", retry_after="0.2"),
    "quota": Scenario(status=429, message="You exceeded your quota", code="insufficient_quota", retry_after="40"),
    "unavailable": Scenario(status=503, message="The server is overloaded"),
    "calls-forever": Scenario(words=(), calls=(Call("find_events"),), finish="tool_calls"),
    "bad-request": Scenario(status=400, message="Unrecognized request argument", code="unknown_parameter"),
}


class OpenAiStandIn:
    """`app` is the server; `exchanges` is what reached it, the oldest first, and `arrivals` the same to wait for.

    With an empty `api_key` it asks for none.
    """

    def __init__(self, *, api_key: str = "") -> None:
        self.exchanges: list[Exchange] = []
        self.arrivals: asyncio.Queue[Exchange] = asyncio.Queue()  # no limit: as many as the test sends
        self._api_key = api_key
        self._queued: deque[Scenario] = deque()
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
            ]
        )

    def answer_next(self, *scenarios: Scenario) -> None:
        """What the next requests get, whatever model they name."""
        self._queued.extend(scenarios)

    async def _complete(self, request: Request) -> ASGIApp:
        exchange = Exchange(str(request.url.path), dict(request.headers), await request.json())
        self.exchanges.append(exchange)
        self.arrivals.put_nowait(exchange)
        scenario = self._scenario(request, exchange.body.get("model", ""))
        if exchange.body.get("tools") and exchange.body.get("model") == TOOLLESS:
            scenario = Scenario(status=400, message=f"registry.ollama.ai/{TOOLLESS} does not support tools")
        if scenario.status != 200:
            exchange.end("finished")
            return _error(scenario)
        return PacedBody(
            _events(scenario), exchange, cut=scenario.cut, content_type=b"text/event-stream; charset=utf-8"
        )

    def _scenario(self, request: Request, model: str) -> Scenario:
        if self._api_key and request.headers.get("authorization") != f"Bearer {self._api_key}":
            return Scenario(status=401, message="Incorrect API key provided.", code="invalid_api_key")
        if self._queued:
            return self._queued.popleft()
        if model in MODELS:
            return SCENARIOS["normal"]
        unknown = Scenario(status=404, message=f"The model `{model}` does not exist", code="model_not_found")
        return SCENARIOS.get(model, unknown)


def _error(scenario: Scenario) -> JSONResponse:
    error = {"message": scenario.message, "type": "invalid_request_error", "param": None, "code": scenario.code}
    headers = {"Retry-After": scenario.retry_after} if scenario.retry_after else None
    return JSONResponse({"error": error}, scenario.status, headers)


async def _events(scenario: Scenario) -> AsyncIterator[bytes]:
    await asyncio.sleep(scenario.before_first_ms / 1000)
    for place, data in enumerate(_data(scenario)):
        if place > 1:  # the first event names the role only, and comes with the first word
            await asyncio.sleep(scenario.between_ms / 1000)
        if scenario.comments:
            yield f": keep-alive{scenario.newline}{scenario.newline}".encode()
        async for part in split(f"data: {data}{scenario.newline}{scenario.newline}".encode(), scenario.split_bytes):
            yield part


def _data(scenario: Scenario) -> list[str]:
    """The events' data, in order: the role, the words, the reason of the end, the usage, `[DONE]`."""
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": None}, None)]
    deltas += [({"content": word}, None) for word in scenario.words]
    for index, call in enumerate(scenario.calls):
        deltas += _call_deltas(index, call)
    if scenario.finish:
        deltas.append(({}, scenario.finish))
    events = [
        json.dumps(_event([{"index": 0, "delta": delta, "finish_reason": finish}]), ensure_ascii=False)
        for delta, finish in deltas
    ]
    if scenario.error_event is not None:
        events.append(json.dumps({"error": scenario.error_event}))
    if scenario.garbage:
        events.append("{not json")
    if scenario.finish:
        events.append(json.dumps(_event([]) | {"usage": {"total_tokens": 12}}))
    if scenario.done and scenario.error_event is None:
        events.append("[DONE]")
    return events


def _call_deltas(index: int, call: Call) -> list[tuple[dict[str, Any], str | None]]:
    first = {"index": index, "type": "function", "function": {"name": call.name, "arguments": ""}}
    pieces: list[dict[str, Any]] = [first | ({"id": call.id} if call.id else {})]
    for start in range(0, len(call.arguments), 5):
        pieces.append({"index": index, "function": {"arguments": call.arguments[start : start + 5]}})
    return [({"tool_calls": [piece]}, None) for piece in pieces]


def _event(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_800_000_000,
        "model": "a-model",
        "choices": choices,
    }
