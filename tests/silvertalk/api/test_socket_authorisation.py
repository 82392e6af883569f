"""The voice socket is opened by whom its ticket was given to, and by nobody else; what is another's stays theirs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from silvertalk.erasing import ask_to_erase
from silvertalk.jobs import Jobs
from silvertalk.revocations import Revocations
from silvertalk.tokens import IssuedToken
from streaming import protocol
from tests.silvertalk.api.test_authorisation import Stage, stage

__all__ = ["stage"]

SAID: dict[str, dict[str, Any]] = {
    "playback": {"turn": 1, "samples": 100},
    "flushed": {"turn": 1, "samples": 100},
    "commit": {},
    "text": {"text": "안녕하세요"},
    "cancel": {},
    "patience": {"factor": 1.5},
    "bye": {},
}
"""Everything a client may say but `hello`."""
AUDIO = bytes(640)


def socket_of(stage: Stage) -> connect:
    return connect(str(stage.client.base_url).replace("http", "ws") + "/v1/talk", compression=None)


async def ticket(stage: Stage, issued: IssuedToken) -> str:
    headers = {"Authorization": f"Bearer {issued.access_token}"}
    answer = await stage.client.post("/v1/talk/ticket", headers=headers)
    assert answer.is_success, answer.text
    return str(answer.json()["ticket"])


def somebody(stage: Stage) -> IssuedToken:
    return stage.tokens.issue(str(uuid.uuid4()), "guest")


async def told(socket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """All that came, and the close code."""
    events = []
    with pytest.raises(ConnectionClosed):
        while True:
            message = await socket.recv()
            events.append(json.loads(message) if isinstance(message, str) else {"type": "audio"})
    assert socket.close_code is not None
    return events, socket.close_code


def test_every_operation_is_in_the_table() -> None:
    messages: tuple[type[msgspec.Struct], ...] = get_args(protocol.ClientMessage)
    assert {str(message.__struct_config__.tag) for message in messages} == {"hello", *SAID}


@pytest.mark.parametrize("operation", [*SAID, "audio"])
async def test_nothing_is_done_for_whom_has_not_come_in(stage: Stage, operation: str) -> None:
    async with socket_of(stage) as socket:
        await socket.send(AUDIO if operation == "audio" else json.dumps({"type": operation, **SAID[operation]}))
        events, code = await told(socket)
    assert [(event["type"], event["code"]) for event in events] == [("error", "not_hello")]
    assert 4400 <= code < 4500


async def made_up(stage: Stage) -> str:
    return "A" * 43


async def used(stage: Stage) -> str:
    bought = await ticket(stage, somebody(stage))
    async with socket_of(stage) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": bought}))
        assert json.loads(await socket.recv())["type"] == "ready"
    return bought


async def revoked(stage: Stage) -> str:
    person = somebody(stage)
    bought = await ticket(stage, person)
    await Revocations(stage.bus, stage.database).announce(person.identity.user, person.identity.login)
    return bought


async def deleted(stage: Stage) -> str:
    person = somebody(stage)
    bought = await ticket(stage, person)
    revocations = Revocations(stage.bus, stage.database)
    await ask_to_erase(stage.database, Jobs(stage.database), revocations, person.identity.user)
    return bought


@pytest.mark.parametrize("whose", [made_up, used, revoked, deleted], ids=lambda whose: whose.__name__)
async def test_a_ticket_that_is_not_good_opens_nothing(stage: Stage, whose: Callable[[Stage], Awaitable[str]]) -> None:
    bought = await whose(stage)
    async with socket_of(stage) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": bought}))
        events, code = await told(socket)
    assert code == 4401
    assert [event["type"] for event in events if event["type"] not in ("ready", "floor")] == ["error"]
    assert not {"transcript.final", "reply.text", "audio"} & {event["type"] for event in events}


async def test_anothers_conversation_is_not_gone_on_with(stage: Stage) -> None:
    owner, other = somebody(stage), somebody(stage)
    async with socket_of(stage) as owners:
        await owners.send(json.dumps({"type": "hello", "ticket": await ticket(stage, owner)}))
        ready = json.loads(await owners.recv())
        resume = {
            "session": ready["session"],
            "epoch": ready["epoch"],
            "last_event": ready["event"],
            "microphone_sample": 0,
        }
        async with socket_of(stage) as others:
            hello = {"type": "hello", "ticket": await ticket(stage, other), "resume": resume}
            await others.send(json.dumps(hello))
            first, second = json.loads(await others.recv()), json.loads(await others.recv())
        assert (first["type"], first["reason"]) == ("resync", "unknown_session")
        assert (second["type"], second["resumed"]) == ("ready", False)
        assert second["session"] != ready["session"]
        await owners.ping()
        assert owners.close_code is None


async def test_anothers_conversation_is_not_begun(stage: Stage) -> None:
    _, made = await stage.owner()
    headers = {"Authorization": f"Bearer {somebody(stage).access_token}"}
    body = {"session_id": made["sessions"]["id"]}
    answer = await stage.client.post("/v1/talk/ticket", headers=headers, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
