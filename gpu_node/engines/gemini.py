"""Gemini, through google-genai's `generateContent` stream.

https://ai.google.dev/api/generate-content. What the SDK would take from the environment (API version, address, backend,
HTTP library) is given explicitly, so that a variable meant for another program does not change this one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
from google import genai
from google.genai import errors, types

from gpu_node.engines import ReplyRequest, Token, tool_rounds
from gpu_node.engines.gemini_rounds import GeminiRounds, Verdict
from gpu_node.engines.sse import CommentFilter
from gpu_node.engines.upstream import Deadlines, read
from gpu_node.errors import LlmError, LlmMisconfigured, LlmRateLimited, LlmUnavailable
from gpu_node.persona import greeting, system_prompt

DEFAULT_BASE_URL = "https://generativelanguage.googleapis.com"
DEFAULT_MODEL = "gemini-3.5-flash-lite"
DEFAULT_API_VERSION = "v1"
DEFAULT_THINKING_LEVEL = "minimal"

MAX_OUTPUT_TOKENS = 512
"""Three Korean sentences take about 120; what the model thinks counts too. At the limit the reply simply ends."""

KEEPALIVE_SECONDS = 120.0
"""httpx keeps an idle connection for 5 s; people think longer than that, and every turn would pay for a handshake."""

MAX_ASKED_TOKENS = 4096
"""Of an errand's answer: a summary, a story, a list of what is worth remembering."""
MAX_SEEN_TOKENS = 2048
LOOKING = Deadlines(first_seconds=30.0, next_seconds=15.0)
"""Of a picture nobody waits to hear."""

WARM_UP = Deadlines(first_seconds=10.0)
"""Nobody waits for this reply, and a network just up may be slow."""

# Older people talk of war, illness and death; the default thresholds of some models break off just there.
_SAFETY_SETTINGS = [
    types.SafetySetting(category=category, threshold=types.HarmBlockThreshold.BLOCK_ONLY_HIGH)
    for category in (
        types.HarmCategory.HARM_CATEGORY_HARASSMENT,
        types.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
        types.HarmCategory.HARM_CATEGORY_SEXUALLY_EXPLICIT,
        types.HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT,
    )
]

_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


class GeminiLlm:
    """`name` is `gemini`. Cancelling the task that reads `stream`, or closing it, closes the connection."""

    name = "gemini"
    outside = True

    def __init__(
        self,
        api_key: str,
        *,
        model: str = DEFAULT_MODEL,
        api_version: str = DEFAULT_API_VERSION,
        thinking_level: str | None = DEFAULT_THINKING_LEVEL,
        base_url: str = DEFAULT_BASE_URL,
        deadlines: Deadlines | None = None,
    ) -> None:
        """`thinking_level` None leaves the field out, for models that do not know it."""
        self.model = model
        self._deadlines = deadlines or Deadlines()
        self._thinking_level = thinking_level
        # Our own client, so that the SDK cannot choose aiohttp or httpx2 by what happens to be installed. Its time-outs
        # are the deadlines of `read`; uncompressed, since a compressor may hold a word back.
        self._http = httpx.AsyncClient(
            transport=_WithoutComments(), timeout=None, headers={"Accept-Encoding": "identity"}
        )
        self._client = genai.Client(
            vertexai=False,
            api_key=api_key,
            http_options=types.HttpOptions(base_url=base_url, api_version=api_version, httpx_async_client=self._http),
        )

    async def warm_up(self) -> None:
        """Asks for a reply: finds a wrong key, name or option before a person does, and opens the connection.

        The SDK also builds its data classes at their first use, which takes a third of a second.
        """
        async with aclosing(self._reply(greeting(), WARM_UP)) as tokens:
            async for _ in tokens:
                pass

    def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        """The reply, a few words at a time."""
        return self._reply(request, self._deadlines)

    async def look(self, picture: bytes, content_type: str, question: str) -> AsyncGenerator[str, None]:
        """What Gemini says of the picture, in JSON, a few words at a time. It may think for longer than a listener
        would wait."""
        part = types.Part(inline_data=types.Blob(data=picture, mime_type=content_type))
        contents: list[types.ContentUnion] = [types.Content(role="user", parts=[part, types.Part(text=question)])]
        config = types.GenerateContentConfig(
            max_output_tokens=MAX_SEEN_TOKENS,
            safety_settings=_SAFETY_SETTINGS,
            response_mime_type="application/json",
        )

        def source() -> AsyncGenerator[str, None]:
            return self._generated(contents, config)

        async with aclosing(read(source, LOOKING, name=self.name)) as pieces:
            async for piece in pieces:
                yield piece

    def _reply(self, request: ReplyRequest, deadlines: Deadlines) -> AsyncGenerator[Token, None]:
        rounds = GeminiRounds(request, self._config(request), self._generated)
        return tool_rounds.reply(rounds, request, deadlines, name=self.name)

    async def aclose(self) -> None:
        await self._client.aio.aclose()
        await self._http.aclose()

    async def _generated(
        self,
        contents: list[types.ContentUnion],
        config: types.GenerateContentConfig,
        verdict: Verdict | None = None,
    ) -> AsyncGenerator[str, None]:
        """One request. A verdict on the answer is raised when the body has ended: see `upstream` for why not before."""
        verdict = verdict or Verdict()
        try:
            stream = await self._client.aio.models.generate_content_stream(
                model=self.model, contents=contents, config=config
            )
            async for chunk in stream:
                text = verdict.of(chunk)
                if text:
                    yield text
        except (errors.APIError, httpx.HTTPError, ValueError, TypeError) as error:
            # ValueError: a frame that is no JSON or not of this shape. TypeError: what the SDK raises for an error
            # frame without a code, since it compares None with a number.
            raise _translated(error) from error
        verdict.pronounce()

    def _config(self, request: ReplyRequest) -> types.GenerateContentConfig:
        thinking = None
        if self._thinking_level is not None:
            thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel(self._thinking_level.upper()))
        return types.GenerateContentConfig(
            system_instruction=request.instructions or system_prompt(request.context),
            max_output_tokens=MAX_ASKED_TOKENS if request.instructions else MAX_OUTPUT_TOKENS,
            thinking_config=thinking,
            safety_settings=_SAFETY_SETTINGS,
        )


class _WithoutComments(httpx.AsyncHTTPTransport):
    """The ordinary transport, but for comment lines in event streams: google-genai 3.4 takes them for broken JSON."""

    def __init__(self) -> None:
        super().__init__(limits=httpx.Limits(keepalive_expiry=KEEPALIVE_SECONDS))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = _Filtered(response.stream)
        return response


class _Filtered(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream | httpx.SyncByteStream) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        comments = CommentFilter()
        async for chunk in self._stream:
            yield comments.feed(chunk)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _translated(error: Exception) -> LlmError:
    """The SDK's and the transport's exceptions as ours, with the service's own words."""
    if isinstance(error, errors.APIError):
        detail = f"gemini answered {error.code} {error.status}: {error.message}"
        if error.code == 429:
            return LlmRateLimited(detail, retry_after_seconds=_retry_after_seconds(error.details))
        if error.code == 408 or error.code is None or error.code >= 500:
            return LlmUnavailable(detail)
        return LlmMisconfigured(detail)
    if isinstance(error, httpx.UnsupportedProtocol):
        return LlmMisconfigured(f"gemini's address is no http address: {error}")
    return LlmUnavailable(f"gemini cannot be reached or understood: {type(error).__name__} {error}")


def _retry_after_seconds(details: Any) -> float | None:
    """`google.rpc.RetryInfo` of an error's body; None where it has none."""
    error = details.get("error", details) if isinstance(details, dict) else {}
    for detail in error.get("details") or ():
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
            match = _DELAY.fullmatch(str(detail.get("retryDelay", "")))
            return float(match[1]) if match else None
    return None
