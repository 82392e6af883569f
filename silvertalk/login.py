"""How a client gets in: it becomes a guest and fetches the one-use ticket for the voice socket, over plain HTTP."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ANSWER_SECONDS = 10.0
"""How long an answer may take."""


class ClientError(Exception):
    """Root of what the client raises."""

    code = "client_error"


class Refused(ClientError):
    """The server said no. `code` is its own word for why.

    `status` is HTTP's, where HTTP it was, `close_code` the socket's, where that was closed before `ready`; `retryable`
    is what the server said of trying again, where it said anything.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        close_code: int | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.status = status
        self.close_code = close_code
        self.retryable = retryable


class Unreachable(ClientError):
    """No server answers at this address."""

    code = "unreachable"


class Disconnected(ClientError):
    """The connection ended without our leave. `close_code` 1006: not even a close frame came."""

    code = "disconnected"

    def __init__(self, close_code: int, reason: str) -> None:
        super().__init__(f"the server closed the connection ({close_code}{': ' + reason if reason else ''})")
        self.close_code = close_code
        self.reason = reason


class Guest(NamedTuple):
    """An account without a name, as `POST /auth/guest` gives it; the same `guest_id` later gives the same person."""

    guest_id: str
    access_token: str


async def log_in_as_guest(url: str, guest_id: str | None = None) -> Guest:
    """Become a guest (the same one again with `guest_id`); raises Refused or Unreachable."""
    answer = await asyncio.to_thread(_post, url, "/auth/guest", {"guest_id": guest_id} if guest_id else {}, None)
    return Guest(_text(answer, "guest_id"), _text(answer, "access_token"))


async def fetch_ticket(url: str, access_token: str, session: str = "") -> str:
    """A one-use ticket for the next socket, of a conversation that was reserved, where one is named; raises Refused or
    Unreachable."""
    wanted = {"session_id": session} if session else {}
    answer = await asyncio.to_thread(_post, url, "/v1/talk/ticket", wanted, access_token)
    return _text(answer, "ticket")


def is_loopback(url: str) -> bool:
    """A proxy of the environment has no business between a machine and itself."""
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}


def _post(url: str, path: str, body: dict[str, Any], access_token: str | None) -> dict[str, Any]:
    """POST JSON and read JSON, blocking, on a thread: two requests a session do not call for an HTTP library."""
    headers = {"Content-Type": "application/json"}
    if access_token:
        headers["Authorization"] = f"Bearer {access_token}"
    request = urllib.request.Request(url.rstrip("/") + path, json.dumps(body).encode(), headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if is_loopback(url) else None))
    try:
        with opener.open(request, timeout=ANSWER_SECONDS) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(f"http_{error.code}", f"{path}: {_problem(error.read(4096))}", status=error.code) from None
    except (OSError, ValueError) as error:
        raise Unreachable(f"{url}{path}: {getattr(error, 'reason', error)}") from error
    if not isinstance(answer, dict):
        raise Unreachable(f"{url}{path} answers with something other than a JSON object")
    return answer


def _text(answer: dict[str, Any], key: str) -> str:
    if not isinstance(value := answer.get(key), str):
        raise Unreachable(f"the server's answer has no {key}: is this a SilverTalk server?")
    return value


def _problem(body: bytes) -> str:
    """What an error's body says, whichever of the usual keys it uses."""
    try:
        problem = json.loads(body)
        return str(problem.get("detail") or problem.get("message_en") or problem.get("title") or problem)
    except (ValueError, AttributeError):
        return body.decode("utf-8", "replace").strip() or "no explanation"
