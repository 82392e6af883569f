"""A client of `/v1/talk`: what a phone does, for load tests, benchmarks and the project's own tests.

    guest = await log_in_as_guest(url)
    async with talk(url, guest, language="ko") as client:
        await client.send_audio(pcm)          # 20 ms at a time, as a microphone would
        async for received in client:         # every event, and with `reply.audio` its samples
            ...

It plays the reply to a virtual loudspeaker, acknowledges what was played and answers `flush`, since a gateway reckons
what was heard from that.

ClientError
├── Refused        the server said no before the conversation began; `code`, and `status` where it was HTTP's
├── Unreachable    no server answers at this address
└── Disconnected   the connection ended without our leave; `close_code`
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from silvertalk.login import (
    ANSWER_SECONDS,
    ClientError,
    Guest,
    Refused,
    Unreachable,
    fetch_ticket,
    is_loopback,
    log_in_as_guest,
)
from silvertalk.talk_client import Disconnected, Received, TalkClient, disconnected
from streaming.errors import ProtocolError
from streaming.messages import Language
from streaming.protocol import Hello, Problem, Ready, Resync, decode_event, encode_client

__all__ = [
    "ClientError",
    "Disconnected",
    "Guest",
    "Received",
    "Refused",
    "TalkClient",
    "Unreachable",
    "log_in_as_guest",
    "talk",
]

CLOSE_SECONDS = 2.0
MAX_EVENT_BYTES = 1024 * 1024


@asynccontextmanager
async def talk(
    url: str, guest: Guest, *, language: Language = "ko", push_to_talk: bool = False, name: str = "silvertalk-client"
) -> AsyncIterator[TalkClient]:
    """Open a conversation at `url` (http or https); raises Refused or Unreachable. Leaving it says `bye`."""
    hello = Hello(
        ticket=await fetch_ticket(url, guest.access_token), language=language, push_to_talk=push_to_talk, client=name
    )
    try:
        socket = await connect(
            _websocket_address(url),
            compression=None,
            max_size=MAX_EVENT_BYTES,
            open_timeout=ANSWER_SECONDS,
            close_timeout=CLOSE_SECONDS,
            proxy=None if is_loopback(url) else True,
        )
    except InvalidHandshake as error:
        raise Refused("handshake_refused", str(error)) from error
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"{url}: {error or type(error).__name__}") from error
    async with socket:
        client = TalkClient(socket, await _open(socket, hello))
        try:
            yield client
            await client.bye()
        finally:
            await client.stop()


async def _open(socket: ClientConnection, hello: Hello) -> Ready:
    """Say hello and wait for `ready`; a `resync` before it is no refusal."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await socket.send(encode_client(hello))
            while True:
                message = await socket.recv()
                event = decode_event(message)
                if isinstance(event, Ready):
                    return event
                if isinstance(event, Problem):
                    raise Refused(event.code, event.message_en)
                if not isinstance(event, Resync):
                    raise ProtocolError("wrong_order", f"{type(event).__name__} before ready")
    except ConnectionClosed as closed:
        raise Refused("closed_before_ready", str(disconnected(closed))) from closed
    except TimeoutError as error:
        raise Unreachable(f"no `ready` within {ANSWER_SECONDS:.0f} s") from error


def _websocket_address(url: str) -> str:
    scheme, _, rest = url.rstrip("/").partition("://")
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/v1/talk"
