"""The door of the voice socket, and every way of being a bad guest: what the table says, and nobody else is harmed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gpu_node.engines.scripted import ScriptedLlm
from silvertalk.login import Guest, Refused, fetch_ticket, log_in_as_guest
from silvertalk.reader import TURNS_BURST
from streaming.protocol import Cancel, Hello, SpokenAudio, Text, TurnCommitted, encode_client
from tests import product
from tests.caller import calling
from tests.streaming.voice import vowels
from tests.valkey import Valkey


def socket_url(served: product.Product) -> str:
    return served.url.replace("http", "ws", 1) + "/v1/talk"


@asynccontextmanager
async def bare(served: product.Product, **headers: str) -> AsyncIterator[ClientConnection]:
    """A socket without any client behind it."""
    async with connect(socket_url(served), compression=None, additional_headers=headers, proxy=None) as socket:
        yield socket


async def hello(served: product.Product, guest: Guest | None = None, **fields: Any) -> str:
    guest = guest or await log_in_as_guest(served.url)
    return encode_client(Hello(ticket=await fetch_ticket(served.url, guest.access_token), **fields))


@asynccontextmanager
async def inside(served: product.Product) -> AsyncIterator[ClientConnection]:
    """A bare socket past its hello."""
    said = await hello(served)  # before the socket, which takes a place of its own
    async with bare(served) as socket:
        await socket.send(said)
        assert json.loads(await socket.recv())["type"] == "ready"
        yield socket


async def farewell(socket: ClientConnection) -> tuple[int, list[str]]:
    """The close code, and the codes of the errors told before it."""
    codes: list[str] = []
    try:
        async with asyncio.timeout(10):
            while True:
                message = json.loads(await socket.recv())
                if message["type"] == "error":
                    assert message["message_ko"] and message["message_en"]
                    codes.append(message["code"])
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return closed.rcvd.code, codes


async def told(socket: ClientConnection) -> str:
    """The code of the next error; the socket stays open."""
    async with asyncio.timeout(10):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == "error":
                return str(message["code"])


@pytest.mark.parametrize(
    ("message", "code", "close"),
    [
        (bytes(640), "not_hello", 4401),
        ('{"type": "commit"}', "not_hello", 4401),
        ("{", "not_hello", 4401),
        ('{"type": "hello", "ticket": "made up"}', "ticket_refused", 4401),
        ('{"type": "hello", "ticket": ""}', "ticket_refused", 4401),
        ('{"type": "hello"}', "not_hello", 4401),
    ],
)
async def test_who_does_not_say_hello_properly_is_shown_out(
    valkey: Valkey, tmp_path: Path, message: str | bytes, code: str, close: int
) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, bare(served) as socket:
        await socket.send(message)
        assert await farewell(socket) == (close, [code])


async def test_a_silent_socket_is_closed(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, hello_seconds=0.5)
    async with product.gateway(chosen) as served, bare(served) as socket:
        assert await farewell(socket) == (4408, ["hello_timeout"])


async def test_a_ticket_works_once(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        said = await hello(served)
        async with bare(served) as first:
            await first.send(said)
            assert json.loads(await first.recv())["type"] == "ready"
            async with bare(served) as second:
                await second.send(said)
                assert await farewell(second) == (4401, ["ticket_refused"])


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1.evil.example", "https://127.0.0.1:1"]
)
async def test_a_page_of_another_site_is_refused(valkey: Valkey, tmp_path: Path, origin: str) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        with pytest.raises(InvalidStatus) as refused:
            async with bare(served, Origin=origin):
                pass
    assert refused.value.response.status_code == 403


async def test_a_full_server_says_so(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, max_sessions=1)
    async with product.gateway(chosen) as served:
        async with inside(served), bare(served) as late:
            assert await farewell(late) == (4503, ["server_full"])
        async with asyncio.timeout(10):
            while not await has_room(served):  # noqa: ASYNC110 - the other side of a socket has no event to wait for
                await asyncio.sleep(0.05)


async def has_room(served: product.Product) -> bool:
    try:
        async with inside(served):
            return True
    except Refused as refused:
        assert refused.code == "http_503"
        return False


async def test_the_newer_session_of_a_person_replaces_the_older(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        guest = await log_in_as_guest(served.url)
        async with bare(served) as older, bare(served) as newer:
            await older.send(await hello(served, guest))
            await older.recv()
            await newer.send(await hello(served, guest))
            assert await farewell(older) == (4409, ["session_replaced"])
            assert json.loads(await newer.recv())["type"] == "ready"


async def test_the_newer_session_may_be_on_another_gateway(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path)
    async with product.gateway(chosen) as one, product.gateway(chosen) as other:
        guest = await log_in_as_guest(one.url)
        async with bare(one) as older, bare(other) as newer:
            await older.send(await hello(one, guest))
            await older.recv()
            await newer.send(await hello(other, guest))
            assert await farewell(older) == (4409, ["session_replaced"])


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "bad_json"),
        (b"\x01", "odd_audio"),
        (bytes(641), "odd_audio"),
        ('{"type": "explode"}', "unknown_message"),
        ('{"type": "playback", "turn": "x", "samples": 0}', "bad_field"),
        ('{"type": "hello", "ticket": "again"}', "wrong_order"),
        ('{"type": "commit"}', "wrong_order"),
        (encode_client(Text(text="가" * 2001)), "text_too_long"),
    ],
)
async def test_a_small_fault_is_told_and_the_talk_goes_on(
    valkey: Valkey, tmp_path: Path, message: str | bytes, code: str
) -> None:
    brief = ScriptedLlm(["네."], first_token_ms=10)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=brief):
        async with inside(served) as socket:
            await socket.send(message)
            assert await told(socket) == code
            await socket.send(encode_client(Text(text="그래도 이야기해요.")))
            async with asyncio.timeout(10):
                while "turn.committed" not in str(await socket.recv()):
                    pass


async def test_turns_begun_by_hand_are_counted(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(["네."], first_token_ms=10)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with inside(served) as socket:
            for number in range(TURNS_BURST + 3):
                await socket.send(encode_client(Text(text=f"{number}번 이야기예요.")))
                await socket.send(encode_client(Cancel()))
            seen: list[str] = []
            while seen.count("too_many_turns") < 3:
                seen.append(await told(socket))


async def test_what_a_stalled_radio_kept_is_taken(valkey: Valkey, tmp_path: Path) -> None:
    """Ten seconds at once, over the same connection."""
    llm = ScriptedLlm(["네."], first_token_ms=10)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with inside(served) as socket:
            for _ in range(500):
                await socket.send(bytes(640))
            await socket.send(encode_client(Text(text="다시 들리세요?")))
            async with asyncio.timeout(10):
                while "reply.done" not in str(await socket.recv()):
                    pass


async def test_a_conversation_that_broke_is_no_place_to_come_back_to(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a mistake of ours left half done is recorded and over; whoever comes back begins anew, and is heard."""
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with calling(served.url) as caller:
            await caller.say(vowels(500))
            first = caller.client.session
            (owned,) = served.parts.gateway.sessions
            monkeypatch.setattr(owned.microphone, "feed", _broken)
            await caller.back(1)
            assert caller.client.session != first
            await caller.say(vowels(1500))
            await caller.wait_for(TurnCommitted)


def _broken(pcm: bytes) -> None:
    raise ZeroDivisionError("a mistake of ours")


@pytest.mark.parametrize(
    ("messages", "code", "close"),
    [
        ([bytes(4098)], "message_too_large", 4413),
        ([json.dumps({"type": "text", "text": "x" * 20_000})], "message_too_large", 4413),
        ([bytes(4096)] * 120, "audio_too_fast", 4429),
        (["{"] * 30, "too_many_faults", 4400),
    ],
)
async def test_a_grave_fault_ends_the_connection(
    valkey: Valkey, tmp_path: Path, messages: list[str | bytes], code: str, close: int
) -> None:
    brief = ScriptedLlm(["네."], first_token_ms=10)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=brief):
        async with calling(served.url, microphone=False) as bystander, inside(served) as socket:
            try:
                for message in messages:
                    await socket.send(message)
            except ConnectionClosed:
                pass
            closed, codes = await farewell(socket)
            assert (closed, codes[-1]) == (close, code)
            await bystander.client.say_text("저는 괜찮아요.")
            committed = await bystander.wait_for(TurnCommitted, turn=1)
            assert committed.outcome == "answered"


async def test_a_message_beyond_the_wire_limit_never_reaches_the_protocol(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, inside(served) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.send(bytes(100_000))
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


async def test_compression_is_not_negotiated(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with connect(socket_url(served), proxy=None) as socket:
            assert socket.response is not None
            assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_a_drain_lets_the_turn_in_hand_finish(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("끝까지 들려주세요.")
            await caller.wait_for(SpokenAudio, turn=1)
            draining = asyncio.create_task(served.parts.gateway.drain())
            committed = await caller.wait_for(TurnCommitted, turn=1)
            await draining
            async with bare(served) as late:
                assert await farewell(late) == (4503, ["draining"])
        assert committed.outcome == "answered"
        assert committed.heard
    assert "Reconnect" in caller.kinds()
