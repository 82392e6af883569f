"""One connection to `/v1/talk`, from its ticket to the `ready` that opens it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from silvertalk.line import Line, disconnected, hang_up
from silvertalk.login import (
    ANSWER_SECONDS,
    Guest,
    Refused,
    Unreachable,
    fetch_ticket,
    is_loopback,
    log_in_as_guest,
)
from streaming.errors import ProtocolError
from streaming.protocol import Hello, Problem, Ready, Resume, Resync, decode_event, encode_client

CLOSE_SECONDS = 2.0
MAX_EVENT_BYTES = 1024 * 1024
UNAUTHORIZED = 401


class Dialler:
    """Opens one person's connections, each with a ticket of its own. `hello` is what each says first, but for that;
    `session` a conversation that was reserved."""

    def __init__(self, url: str, guest: Guest, hello: Hello, *, session: str = "") -> None:
        self._url = url
        self._guest = guest
        self._hello = hello
        self._session = session

    async def dial(self) -> Line:
        """A new session; raises Refused or Unreachable."""
        return await self._open(await fetch_ticket(self._url, self._guest.access_token, self._session), None)

    async def dial_again(self, resume: Callable[[], Resume]) -> Line:
        """Come back to a session. `resume` is asked at the last moment: the player goes on meanwhile.

        An access token lives for half an hour and a conversation for hours: where it has expired the guest becomes
        the same guest again. Raises Refused or Unreachable.
        """
        try:
            ticket = await fetch_ticket(self._url, self._guest.access_token)
        except Refused as error:
            if error.status != UNAUTHORIZED:
                raise
            self._guest = await log_in_as_guest(self._url, self._guest.guest_id)
            ticket = await fetch_ticket(self._url, self._guest.access_token)
        return await self._open(ticket, resume)

    async def _open(self, ticket: str, resume: Callable[[], Resume] | None) -> Line:
        try:
            socket = await connect(
                _websocket_address(self._url),
                compression=None,
                max_size=MAX_EVENT_BYTES,
                open_timeout=ANSWER_SECONDS,
                close_timeout=CLOSE_SECONDS,
                ping_interval=None,  # The client's own watch sees to that: see `Line.watch`.
                proxy=None if is_loopback(self._url) else True,
            )
        except InvalidStatus as error:
            raise Refused("handshake_refused", str(error), status=error.response.status_code) from error
        except InvalidHandshake as error:
            raise Refused("handshake_refused", str(error)) from error
        except (OSError, TimeoutError) as error:
            raise Unreachable(f"{self._url}: {error or type(error).__name__}") from error
        try:
            hello = msgspec.structs.replace(self._hello, ticket=ticket, resume=resume() if resume else None)
            return await _welcome(socket, hello)
        except BaseException:
            await hang_up(socket)
            raise


async def _welcome(socket: ClientConnection, hello: Hello) -> Line:
    """Say hello and wait for `ready`; an `error` before it is explained by the close that follows."""
    resync: Resync | None = None
    problem: Problem | None = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await socket.send(encode_client(hello))
            while True:
                match event := decode_event(await socket.recv()):
                    case Ready():
                        return Line(socket, event, resync)
                    case Resync():
                        resync = event
                    case Problem():
                        problem = event
                    case _:
                        raise ProtocolError("wrong_order", f"{type(event).__name__} before ready")
    except ConnectionClosed as closed:
        end = disconnected(closed)
        if problem is None:
            raise Refused("closed_before_ready", str(end), close_code=end.close_code) from closed
        raise Refused(
            problem.code, problem.message_en, close_code=end.close_code, retryable=problem.retryable
        ) from closed
    except TimeoutError as error:
        raise Unreachable(f"no `ready` within {ANSWER_SECONDS:.0f} s") from error


def _websocket_address(url: str) -> str:
    scheme, _, rest = url.rstrip("/").partition("://")
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/v1/talk"
