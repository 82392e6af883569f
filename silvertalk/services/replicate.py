"""Replicate: models that make pictures and films, asked over its HTTP API.

https://replicate.com/docs/reference/http. A prediction is begun here and told of by webhooks; nothing waits for one. A
request that may have begun one is never sent again: `Unheard` says that nobody knows, and the prediction's own webhook
tells. Asked again is only what certainly was not begun: a throttled request, once and after a short wait.

What Replicate cannot do now is ReplicateAway (the same again may work), what it refuses ReplicateRefused (ours to mend:
token, account, model). Nothing of a prompt or an answer is logged.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit

import httpx
import msgspec

from silvertalk.errors import GenerateNotConfigured, ReplicateAway, ReplicateRefused
from silvertalk.setting_values import is_loopback
from silvertalk.settings import Settings
from streaming.logs import logger

log = logger("replicate")

ANSWER_SECONDS = 15.0
"""For one request, connecting included: a prediction is begun within a second or two, a cold model later."""
FILE_SECONDS = 120.0
CONNECT_SECONDS = 5.0
MAX_ANSWER_BYTES = 1024 * 1024
MAX_WAIT_SECONDS = 3
"""A longer wait than this is the asker's."""
USUAL_WAIT_SECONDS = 30
MAX_OUTPUTS = 4
MAX_URL_CHARACTERS = 4096

PredictionStatus = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
ENDED: frozenset[PredictionStatus] = frozenset({"succeeded", "failed", "canceled", "aborted"})
_STATUSES: frozenset[str] = frozenset(get_args(PredictionStatus))
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_RESETS = re.compile(r"resets in ~?(\d{1,6})\s*s")


class Prediction(msgspec.Struct, frozen=True):
    """What Replicate says of one: in an answer or in a webhook."""

    id: str
    status: PredictionStatus
    outputs: tuple[str, ...] = ()
    """Addresses of what was made; none where it is not done, or was removed."""
    error: str = ""
    data_removed: bool = False


class Unheard(Exception):
    """The request was sent and its answer did not come: a prediction may run."""


class OutputRefused(Exception):
    """What was made cannot be fetched; `code` is a word of ours."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def prediction_of(told: object) -> Prediction | None:
    """What a body says; None where it is no prediction's. An output is an address, a list of them or objects with a
    `url`, as models differ."""
    if not isinstance(told, dict):
        return None
    name, status, error = told.get("id"), told.get("status"), told.get("error")
    if not isinstance(name, str) or not _ID.fullmatch(name) or not isinstance(status, str) or status not in _STATUSES:
        return None
    given = told.get("output")
    listed = given if isinstance(given, list) else [given]
    outputs = [one.get("url") if isinstance(one, dict) else one for one in listed[:MAX_OUTPUTS]]
    return Prediction(
        id=name,
        status=msgspec.convert(status, PredictionStatus),
        outputs=tuple(one for one in outputs if isinstance(one, str) and 0 < len(one) <= MAX_URL_CHARACTERS),
        error=error[:500] if isinstance(error, str) else "",
        data_removed=told.get("data_removed") is True,
    )


class Replicate:
    """One client a process; `async with` opens its connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = f"{settings.replicate_url}/v1"
        # A proxy of the environment has no business between a machine and itself.
        direct = settings.replicate_is_pretended
        limits = httpx.Limits(max_connections=20, max_keepalive_connections=5)
        token = settings.replicate_api_token.get_secret_value()
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=not direct,
            limits=limits,
            headers={"Accept": "application/json", "Authorization": f"Bearer {token}"},
        )
        # What was made lies with another host, which is not shown the token.
        self._files = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=not direct,
            limits=limits,
            headers={"Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        await self._files.aclose()

    def check_configured(self) -> None:
        """Raises GenerateNotConfigured."""
        if not self._settings.replicate_api_token.get_secret_value():
            raise GenerateNotConfigured

    # --- predictions -------------------------------------------------------------------------------------------------

    async def begin(self, model: str, given: Mapping[str, Any], webhook: str, *, cancel_after: int) -> Prediction:
        """Begin a prediction that is told of at `webhook`, and that Replicate itself ends after so many seconds.

        Raises ReplicateAway, ReplicateRefused: nothing was begun; Unheard: nobody knows.
        """
        self.check_configured()
        name, _, version = model.partition(":")
        path = "/predictions" if version else f"/models/{name}/predictions"
        body = {"input": dict(given), "webhook": webhook, "webhook_events_filter": ["start", "completed"]}
        if version:
            body["version"] = version
        headers = {"Cancel-After": f"{cancel_after}s"}
        for tries_left in (1, 0):
            try:
                return _prediction(await self._ask("POST", path, json=body, headers=headers))
            except ReplicateAway as error:
                if not tries_left or not error.throttled or error.retry_after_seconds > MAX_WAIT_SECONDS:
                    raise
                await asyncio.sleep(error.retry_after_seconds)
        raise AssertionError("unreachable")

    async def prediction(self, name: str) -> Prediction:
        """How far one is. Raises ReplicateAway, ReplicateRefused."""
        return _prediction(await self._asked_safely("GET", f"/predictions/{_checked(name)}"))

    async def cancel(self, name: str) -> Prediction:
        """End one. Raises ReplicateAway, ReplicateRefused."""
        return _prediction(await self._asked_safely("POST", f"/predictions/{_checked(name)}/cancel"))

    async def webhook_secret(self) -> str:
        """The secret that this account's webhooks are signed with. Raises ReplicateAway, ReplicateRefused."""
        key = (await self._asked_safely("GET", "/webhooks/default/secret")).get("key")
        if not isinstance(key, str):
            raise ReplicateAway("a secret that is none")
        return key

    # --- what was made -----------------------------------------------------------------------------------------------

    def is_output(self, url: str) -> bool:
        """Whether what was made may be fetched from there: https, a host of the settings, nothing else in it."""
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            return False
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if "@" in parts.netloc or parts.fragment:
            return False
        if parts.scheme == "http":
            return self._settings.replicate_is_pretended and is_loopback(host)
        return parts.scheme == "https" and port in (None, 443) and self._is_output_host(host)

    def _is_output_host(self, host: str) -> bool:
        return any(
            host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
            for allowed in self._settings.replicate_output_hosts
        )

    async def fetch(self, url: str, target: Path, max_bytes: int) -> None:
        """Write what lies there to a file, a piece at a time. Raises OutputRefused, ReplicateAway."""
        if not self.is_output(url):
            raise OutputRefused("output_host")
        file = await asyncio.to_thread(target.open, "wb")
        try:
            async with asyncio.timeout(FILE_SECONDS), self._files.stream("GET", url) as answer:
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise ReplicateAway(f"file {answer.status_code}")
                if answer.status_code != 200:
                    raise OutputRefused("output_gone")
                size = 0
                async for piece in answer.aiter_raw(256 * 1024):
                    size += len(piece)
                    if size > max_bytes:
                        raise OutputRefused("output_too_large")
                    await asyncio.to_thread(file.write, piece)
                if size < int(answer.headers.get("content-length", "0") or 0):
                    raise ReplicateAway("half a file")
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("file_unreachable", error=type(error).__name__)
            raise ReplicateAway(type(error).__name__) from None
        finally:
            await asyncio.to_thread(file.close)

    # --- asking ------------------------------------------------------------------------------------------------------

    async def _asked_safely(self, method: str, path: str) -> dict[str, Any]:
        """What may be asked twice: an answer that did not come is Replicate being away."""
        self.check_configured()
        try:
            return await self._ask(method, path)
        except Unheard as error:
            raise ReplicateAway(str(error)) from None

    async def _ask(
        self, method: str, path: str, *, json: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        body = bytearray()
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._http.stream(method, f"{self._root}{path}", json=json, headers=headers) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER_BYTES:
                        raise Unheard("an answer without end")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            log.warning("replicate_unreachable", error=type(error).__name__)
            raise ReplicateAway(type(error).__name__) from None
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("replicate_unheard", error=type(error).__name__)
            raise Unheard(type(error).__name__) from None
        return _sorted(answer, bytes(body))


def _sorted(answer: httpx.Response, body: bytes) -> dict[str, Any]:
    """A good answer's object; an error of Replicate's as ours."""
    told = _object(body)
    status = answer.status_code
    if 200 <= status < 300:
        return told
    say = log.info if status in (404, 429) else log.error if status < 500 else log.warning
    say("replicate_said_no", status=status)
    if status == 429:
        raise ReplicateAway("throttled", retry_after_seconds=_wait(answer, told), throttled=True)
    if status >= 500:
        raise Unheard(str(status)) if status in (502, 504) else ReplicateAway(str(status))
    raise ReplicateRefused(str(status))


def _wait(answer: httpx.Response, told: dict[str, Any]) -> int:
    """Seconds until it may be asked again: the header says so, or the text."""
    said = answer.headers.get("retry-after", "")
    if said.isdecimal() and len(said) <= 6:
        return max(1, int(said))
    found = _RESETS.search(str(told.get("detail", "")))
    return max(1, int(found[1])) if found is not None else USUAL_WAIT_SECONDS


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _prediction(told: dict[str, Any]) -> Prediction:
    found = prediction_of(told)
    if found is None:
        raise Unheard("a prediction that is none")
    return found


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise ValueError("not a prediction's id")
    return name
