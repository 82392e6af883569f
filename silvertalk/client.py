"""A client of `/v1/talk`: what a phone does, for load tests, benchmarks and the project's own tests.

    guest = await log_in_as_guest(url)
    async with talk(url, guest, language="ko") as client:
        await client.send_audio(pcm)          # 20 ms at a time, as a microphone would
        async for received in client:         # every event, and with `reply.audio` its samples
            ...

It plays the reply to a virtual loudspeaker, acknowledges what was played and answers `flush`, since a gateway reckons
what was heard from that.

It survives its connection: when that is lost it comes back by itself, with what the gateway had not received yet.

ClientError
├── Refused        the server said no; `code`, and `status` where it was HTTP's
├── Unreachable    no server answers at this address
└── Disconnected   the connection ended without our leave, for good; `close_code`
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from silvertalk.dialling import Dialler
from silvertalk.downlink import ConnectionLost, Received
from silvertalk.login import ClientError, Disconnected, Guest, Refused, Unreachable, log_in_as_guest
from silvertalk.talk_client import TalkClient
from streaming.messages import Language
from streaming.protocol import Hello

__all__ = [
    "ClientError",
    "ConnectionLost",
    "Disconnected",
    "Guest",
    "Received",
    "Refused",
    "TalkClient",
    "Unreachable",
    "log_in_as_guest",
    "talk",
]


@asynccontextmanager
async def talk(
    url: str,
    guest: Guest,
    *,
    language: Language = "ko",
    session: str = "",
    push_to_talk: bool = False,
    name: str = "silvertalk-client",
    resume: bool = True,
) -> AsyncIterator[TalkClient]:
    """Open a conversation at `url` (http or https); raises Refused or Unreachable. Leaving it says `bye`.

    `session`: one that was reserved with `POST /chat/sessions`.

    `resume`: whether a connection that is lost is sought again; otherwise the first loss is the end.
    """
    hello = Hello(ticket="", language=language, push_to_talk=push_to_talk, client=name)
    dialler = Dialler(url, guest, hello, session=session)
    client = TalkClient(dialler, await dialler.dial(), resume=resume)
    try:
        yield client
        await client.bye()
    finally:
        await client.stop()
