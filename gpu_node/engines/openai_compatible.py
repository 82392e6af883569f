"""Any server that speaks OpenAI's `chat/completions` stream: vLLM, Ollama, llama.cpp's own server, LiteLLM, OpenAI.

https://platform.openai.com/docs/api-reference/chat-streaming. Only what all of them share is used: messages, a limit on
the answer, `stream`; and `tools`, which a server or a model that knows none is not sent a second time in a reply.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import httpx

from gpu_node.engines import ReplyRequest, Token, tool_rounds
from gpu_node.engines.openai_rounds import Answer, OpenAiRounds
from gpu_node.engines.outside import is_outside
from gpu_node.engines.sse import EventDecoder
from gpu_node.engines.upstream import Deadlines
from gpu_node.errors import LlmBlocked, LlmError, LlmMisconfigured, LlmRateLimited, LlmUnavailable
from gpu_node.persona import greeting

MAX_TOKENS = 400
MAX_ASKED_TOKENS = 4096
"""Of an errand's answer: a summary, a story, a list of what is worth remembering."""
MAX_ERROR_BYTES = 16 * 1024
KEEPALIVE_SECONDS = 120.0
WARM_UP = Deadlines(first_seconds=30.0)
"""A server on demand (Ollama) reads gigabytes from its disk before its first token."""


class OpenAiCompatibleLlm:
    """`name` is `openai`. Cancelling the task that reads `stream`, or closing it, closes the connection."""

    name = "openai"

    def __init__(self, base_url: str, model: str, *, api_key: str = "", deadlines: Deadlines | None = None) -> None:
        """`base_url` ends where the API begins, as in `https://host/v1`; servers of one's own often want no key."""
        self.model = model
        self.outside = is_outside(base_url)
        self._base_url = base_url.rstrip("/")
        self._deadlines = deadlines or Deadlines()
        # OpenAI's own newer models refuse the old name of this field; most other servers know only that one.
        own = base_url.startswith("https://api.openai.com/")
        self._limit_field = "max_completion_tokens" if own else "max_tokens"
        self._http = httpx.AsyncClient(
            timeout=None,  # the deadlines of `read` are the time-outs
            limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        )

    async def warm_up(self) -> None:
        """Asks for a reply: finds a wrong key or name before a person does; some servers load their model now."""
        async with aclosing(self._reply(greeting(), WARM_UP)) as tokens:
            async for _ in tokens:
                pass

    def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        """The reply, a token or a few at a time."""
        return self._reply(request, self._deadlines)

    def _reply(self, request: ReplyRequest, deadlines: Deadlines) -> AsyncGenerator[Token, None]:
        limit = MAX_ASKED_TOKENS if request.instructions else MAX_TOKENS
        return tool_rounds.reply(
            OpenAiRounds(request, partial(self._answered, limit)), request, deadlines, name=self.name
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _answered(self, limit: int, body: dict[str, Any], answer: Answer) -> AsyncGenerator[str, None]:
        """One request. A verdict on the answer is raised when it has ended."""
        body = {"model": self.model, **body, "stream": True, self._limit_field: limit}
        try:
            async with self._http.stream("POST", f"{self._base_url}/chat/completions", json=body) as response:
                if response.status_code != 200:
                    raise _refusal(response.status_code, await _beginning(response), response.headers)
                decoder = EventDecoder()
                async for chunk in response.aiter_bytes():
                    for data in decoder.feed(chunk):
                        if data.strip() == "[DONE]":
                            answer.pronounce(finished=True)
                            return
                        event = json.loads(data)
                        if isinstance(event, dict) and event.get("error"):
                            raise _error_event(event["error"])
                        yield answer.text_of(event)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unreachable(error) from error
        answer.pronounce(finished=False)


async def _beginning(response: httpx.Response) -> bytes:
    """The start of an error's body: enough to say what is wrong."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= MAX_ERROR_BYTES:
            break
    return body[:MAX_ERROR_BYTES]


def _refusal(status: int, body: bytes, headers: httpx.Headers) -> LlmError:
    """An HTTP status that is not 200."""
    error = _error_of(body)
    detail = f"openai answered {status}: {error.get('message') or body[:200].decode('utf-8', 'replace')}"
    if status == 429:
        return LlmRateLimited(detail, retry_after_seconds=_seconds(headers.get("retry-after")))
    if status in (408, 409) or status >= 500:
        return LlmUnavailable(detail)
    if error.get("code") == "content_filter":
        return LlmBlocked(detail)
    return LlmMisconfigured(detail)


def _error_event(error: Any) -> LlmError:
    """An error in the midst of the stream; the servers differ in its shape, some give a bare sentence."""
    fields = error if isinstance(error, dict) else {"message": str(error)}
    detail = f"openai broke the answer off: {fields.get('message')}"
    if fields.get("code") in (429, "429", "rate_limit_exceeded"):
        return LlmRateLimited(detail)
    if fields.get("code") == "content_filter":
        return LlmBlocked(detail)
    return LlmUnavailable(detail)


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; its other form, a date, is not worth another clock's error here."""
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None


def _unreachable(error: Exception) -> LlmError:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return LlmMisconfigured(f"OPENAI_BASE_URL is no http address: {error}")
    return LlmUnavailable(f"openai cannot be reached or understood: {type(error).__name__} {error}")
