"""The client loses its connection and comes back, to the fake gateway, through a proxy that cuts at any byte."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np
import pytest

from silvertalk.client import (
    ClientError,
    ConnectionLost,
    Disconnected,
    Received,
    Refused,
    TalkClient,
    Unreachable,
    log_in_as_guest,
    talk,
)
from silvertalk.coming_back import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, may_come_back, new_waits
from silvertalk.downlink import PASSING
from silvertalk.uplink import KEPT_SAMPLES
from streaming import protocol
from tests.silvertalk.fake_gateway import RATE, FakeGateway, Script
from tests.silvertalk.fake_session import tone
from tests.tcp_proxy import TcpProxy, tcp_proxy

Told = TypeVar("Told", bound=protocol.Event)

FRAME = 320


class Listener:
    """Everything the client was told, and whoever waits for some of it."""

    def __init__(self, client: TalkClient) -> None:
        self.client = client
        self.received: list[Received] = []
        self.end: ClientError | None = None
        self._news = asyncio.Condition()

    async def run(self) -> None:
        try:
            async for received in self.client:
                async with self._news:
                    self.received.append(received)
                    self._news.notify_all()
        except ClientError as error:
            self.end = error

    def all(self, kind: type[Told]) -> list[Told]:
        return [received.event for received in self.received if isinstance(received.event, kind)]

    async def nth(self, kind: type[Told], count: int) -> Told:
        async with self._news:
            await self._news.wait_for(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]

    def told(self) -> list[tuple[int, int]]:
        """The numbers of what is told again to whoever has missed it."""
        passing = (*PASSING, ConnectionLost, protocol.Ready, protocol.Resync)
        return [(each.event.epoch, each.event.event) for each in self.received if not isinstance(each.event, passing)]

    def audio(self, turn: int) -> bytes:
        return b"".join(each.pcm for each in self.received if getattr(each.event, "turn", 0) == turn)


@asynccontextmanager
async def conversation(
    gateway: FakeGateway, *, seconds: float = 20.0, push_to_talk: bool = False
) -> AsyncIterator[tuple[TcpProxy, TalkClient, Listener]]:
    async with asyncio.timeout(seconds), gateway.serve(), tcp_proxy(gateway.url) as proxy:
        guest = await log_in_as_guest(proxy.url)
        async with talk(proxy.url, guest, push_to_talk=push_to_talk) as client:
            listener = Listener(client)
            listening = asyncio.create_task(listener.run())
            try:
                yield proxy, client, listener
            finally:
                listening.cancel()
                await asyncio.wait([listening])


class Voice:
    """Speaks into a client and remembers what; no two stretches of it are alike."""

    def __init__(self, client: TalkClient, seed: int = 0) -> None:
        self.said = bytearray()
        self._client = client
        self._noise = np.random.default_rng(seed)

    async def speak(self, frames: int, *, loud: bool = True, apart_seconds: float = 0.0) -> None:
        for _ in range(frames):
            frame = self._noise.normal(0, 8000 if loud else 50, FRAME).astype("<i2").tobytes()
            self.said += frame
            await self._client.send_audio(frame)
            await asyncio.sleep(apart_seconds)


def expected_reply(script: Script) -> bytes:
    return b"".join(tone(script.tone_seconds)) * len(script.reply)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - much of it is the other side of a socket, which tells nobody here
        await asyncio.sleep(0)


def clients_tasks() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("client")]


async def heard(gateway: FakeGateway, voice: Voice) -> bytes:
    """What the gateway has of the microphone, once it has as much as was said."""
    await until(lambda: len(gateway.microphone) >= len(voice.said))
    return bytes(gateway.microphone)


def said(gateway: FakeGateway, kind: type[protocol.ClientMessage]) -> list[protocol.ClientMessage]:
    return [message for message in gateway.heard if isinstance(message, kind)]


# --- cuts ------------------------------------------------------------------------------------------------------------


async def cut_up(proxy: TcpProxy, dice: random.Random, cuts: int) -> None:
    """Cut so often, at any byte of either direction: a ticket's request, a handshake, a frame, its middle."""
    for number in range(1, cuts + 1):
        if dice.random() < 0.5:
            proxy.cut_after(dice.randrange(1, 12_000), "up")
        else:
            proxy.cut_after(dice.randrange(1, 15_000), "down")
        await proxy.cut_happened(number)
        proxy.disarm()


@pytest.mark.parametrize("takes_over", [False, True], ids=["the same gateway", "another gateway"])
async def test_a_hundred_cuts_at_random_bytes_lose_and_double_nothing(
    takes_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("silvertalk.coming_back.LONGEST_WAIT_SECONDS", 0.05)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    script = Script(tone_seconds=0.25, between_seconds=0.03)
    gateway = FakeGateway([script], takes_over=takes_over)
    async with conversation(gateway, seconds=180) as (proxy, client, listener):
        voice = Voice(client)
        cutting = asyncio.create_task(cut_up(proxy, random.Random(seed), 100))
        turns = 0
        while not cutting.done() or turns < 2:
            turns += 1
            await voice.speak(25, apart_seconds=0.01)
            while len(listener.all(protocol.TurnCommitted)) < turns:
                await voice.speak(1, loud=False, apart_seconds=0.01)
        assert cutting.exception() is None
        assert await heard(gateway, voice) == voice.said
        await listener.nth(protocol.TurnCommitted, turns)
        assert client.microphone_sample == client.captured_samples == len(voice.said) // 2
        print(f"{len(listener.all(ConnectionLost))} connections lost in {turns} turns")
    assert listener.end is None
    assert proxy.cuts == 100
    assert len(gateway.sessions) == 1
    assert listener.told() == [(event.epoch, event.event) for event, _ in gateway.session.journal]
    for turn in range(1, turns + 1):
        assert listener.audio(turn) == expected_reply(script)
        assert bytes(client.recorded[turn]) == expected_reply(script)


async def test_without_coming_back_the_first_cut_is_the_end() -> None:
    gateway = FakeGateway()
    async with asyncio.timeout(10), gateway.serve(), tcp_proxy(gateway.url) as proxy:
        async with talk(proxy.url, await log_in_as_guest(proxy.url), resume=False) as client:
            proxy.cut()
            with pytest.raises(Disconnected) as lost:
                async for _ in client:
                    pass
            assert lost.value.close_code == 1006
    assert gateway.sockets == 1


# --- being away ------------------------------------------------------------------------------------------------------


async def test_what_is_said_while_away_arrives_in_its_place() -> None:
    gateway = FakeGateway([Script(tone_seconds=0.1)])
    async with conversation(gateway, push_to_talk=True) as (proxy, client, listener):
        voice = Voice(client)
        proxy.refuse()
        await listener.nth(ConnectionLost, 1)
        assert not client.connected
        await voice.speak(50)
        await client.commit()
        await voice.speak(10, loud=False)
        proxy.accept()
        ended = await listener.nth(protocol.TurnEnded, 1)
        assert (ended.reason, ended.end_sample) == ("commit", 50 * FRAME)
        assert await heard(gateway, voice) == voice.said
        await listener.nth(protocol.TurnCommitted, 1)
        proxy.refuse()
        await listener.nth(ConnectionLost, 2)
        await client.say_text("듣고 있니?")
        proxy.accept()
        assert (await listener.nth(protocol.TurnEnded, 2)).reason == "typed"
        await listener.nth(protocol.TurnCommitted, 2)
    assert said(gateway, protocol.Text) == [protocol.Text(text="듣고 있니?")]
    assert gateway.heard[-1] == protocol.Bye()


async def test_an_absence_longer_than_what_is_kept_renumbers_the_rest() -> None:
    gateway = FakeGateway([Script(tone_seconds=0.1)])
    async with conversation(gateway) as (proxy, client, listener):
        voice = Voice(client)
        await voice.speak(50, loud=False)
        assert await heard(gateway, voice) == voice.said
        before = len(voice.said) // 2
        proxy.refuse()
        await listener.nth(ConnectionLost, 1)
        await voice.speak(15 * 50, loud=False)
        proxy.accept()
        await listener.nth(protocol.Ready, 1)
        await voice.speak(25)
        await voice.speak(25, loud=False)
        began = await listener.nth(protocol.SpeechBegan, 1)
        lost = 15 * RATE - KEPT_SAMPLES
        # It began where it was spoken, once the sample's number is made the microphone's again.
        assert client.captured_at(began.sample) == 16 * RATE
        assert began.sample == 16 * RATE - lost
        assert client.microphone_sample == client.captured_samples - lost
        assert client.captured_at(before - 1) == before - 1
        assert client.captured_at(before) == before + lost
        await listener.nth(protocol.TurnCommitted, 1)
    assert gateway.microphone == voice.said[: 2 * before] + voice.said[2 * (before + lost) :]


async def test_the_player_goes_on_while_away_and_tells_how_far_it_came() -> None:
    script = Script(tone_seconds=0.4)
    gateway = FakeGateway([script])
    async with conversation(gateway) as (proxy, client, listener):
        await client.say_text("안녕")
        await listener.nth(protocol.ReplyEnded, 1)
        proxy.refuse()
        lost = await listener.nth(ConnectionLost, 1)
        assert lost.playing == 1 and 0 < lost.seconds_to_play <= 0.8
        await client.played_out()
        proxy.accept()
        await listener.nth(protocol.TurnCommitted, 1)
        assert listener.audio(1) == expected_reply(script)
    hello = gateway.heard[-1 - gateway.heard[::-1].index(said(gateway, protocol.Hello)[-1])]
    assert isinstance(hello, protocol.Hello) and hello.resume is not None
    assert hello.resume.playhead == protocol.Playhead(turn=1, samples=len(expected_reply(script)) // 2)


async def test_a_flush_missed_is_answered_with_the_playhead_of_then() -> None:
    gateway = FakeGateway([Script(tone_seconds=20.0), Script(tone_seconds=0.1)])
    async with conversation(gateway) as (proxy, client, listener):
        await client.say_text("이야기해 줘")
        await listener.nth(protocol.ReplyEnded, 1)
        proxy.refuse()
        await listener.nth(ConnectionLost, 1)
        await gateway.session._interrupt("cancelled")
        await asyncio.sleep(0.3)
        heard_by_then = client.player.playhead(1)
        proxy.accept()
        await listener.nth(protocol.TurnCommitted, 1)
        assert client.seconds_to_play == 0
        playhead = client.player.playhead(1)
    (flushed,) = said(gateway, protocol.Flushed)
    assert flushed == protocol.Flushed(turn=1, samples=playhead)
    assert playhead >= heard_by_then > 0


async def test_a_session_that_nobody_knows_any_more_begins_anew() -> None:
    gateway = FakeGateway([Script(tone_seconds=5.0)])
    async with conversation(gateway) as (proxy, client, listener):
        voice = Voice(client)
        await voice.speak(60, loud=False)
        await heard(gateway, voice)
        await client.say_text("안녕")
        await listener.nth(protocol.ReplyEnded, 1)
        old = client.session
        proxy.refuse()
        await listener.nth(ConnectionLost, 1)
        await gateway.session.end()
        gateway.sessions.clear()
        await voice.speak(10, loud=False)
        proxy.accept()
        ready = await listener.nth(protocol.Ready, 1)
        assert [resync.reason for resync in listener.all(protocol.Resync)] == ["unknown_session"]
        assert not ready.resumed and client.session == ready.session != old
        assert client.seconds_to_play == 0 and not client.recorded
        # A second was acknowledged; what came after it is heard once more, and counts from 0.
        unacknowledged = voice.said[2 * RATE :]
        await until(lambda: len(gateway.microphone) >= len(unacknowledged))
        assert gateway.microphone == unacknowledged
        assert client.microphone_sample == len(unacknowledged) // 2
        assert client.captured_at(0) == RATE
        await client.say_text("다시 안녕")
        await listener.nth(protocol.ReplyEnded, 2)
        assert listener.all(protocol.ReplyEnded)[1].turn == 1


async def test_a_connection_that_says_nothing_is_given_up_and_sought_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("silvertalk.line.PING_SECONDS", 0.1)
    monkeypatch.setattr("silvertalk.line.DEAD_SECONDS", 0.5)
    gateway = FakeGateway()
    async with conversation(gateway) as (proxy, client, listener):
        voice = Voice(client)
        proxy.stall("down")
        await voice.speak(20, loud=False, apart_seconds=0.01)
        assert (await listener.nth(ConnectionLost, 1)).close_code == 1006
        proxy.release()
        await listener.nth(protocol.Ready, 1)
        await voice.speak(20, loud=False)
        assert await heard(gateway, voice) == voice.said
        assert client.connected


async def test_a_gateway_that_is_shut_down_is_left_at_once() -> None:
    gateway = FakeGateway()
    async with conversation(gateway) as (_, client, listener):
        session = client.session
        await gateway.drain()
        await listener.nth(protocol.Ready, 1)
        assert listener.all(ConnectionLost)[0].close_code == 1012
        assert client.session == session
        kinds = [type(received.event) for received in listener.received]
        assert kinds[:3] == [protocol.Reconnect, ConnectionLost, protocol.Ready]


async def test_short_connections_that_carry_speech_are_sought_again_without_growing_waits() -> None:
    gateway = FakeGateway()
    async with conversation(gateway) as (proxy, client, listener):
        voice = Voice(client)
        for times in range(1, 7):
            await voice.speak(5, loud=False)
            await heard(gateway, voice)
            proxy.cut()
            await listener.nth(protocol.Ready, times)
        assert client._waits.next() <= 2 * FIRST_WAIT_SECONDS, "else it would be six times doubled"


async def test_an_expired_token_is_renewed_on_the_way_back() -> None:
    gateway = FakeGateway()
    async with conversation(gateway) as (proxy, client, listener):
        gateway.expired.add("token-of-guest-0-1")
        proxy.cut()
        await listener.nth(protocol.Ready, 1)
    assert gateway.guests == ["guest-0", "guest-0"]


# --- giving up -------------------------------------------------------------------------------------------------------


async def test_a_newer_session_elsewhere_is_the_end() -> None:
    gateway = FakeGateway([Script(then="hang_up", hang_up_code=4409)])
    async with conversation(gateway) as (_, client, listener):
        voice = Voice(client)
        await voice.speak(20)
        await voice.speak(20, loud=False)
        await until(lambda: listener.end)
        assert isinstance(listener.end, Disconnected) and listener.end.close_code == 4409
        with pytest.raises(Disconnected, match="4409"):
            await voice.speak(1)
    assert gateway.sockets == 1
    assert not listener.all(ConnectionLost)


async def test_being_refused_on_the_way_back() -> None:
    gateway = FakeGateway(refusals=[])
    async with conversation(gateway) as (proxy, client, listener):
        gateway.refusals += [4503, 1011]
        proxy.cut()
        await listener.nth(protocol.Ready, 1)
        assert gateway.sockets == 4
        gateway.refusals += [4403]
        proxy.cut()
        await until(lambda: listener.end)
        assert isinstance(listener.end, Refused) and listener.end.close_code == 4403
        with pytest.raises(Disconnected):
            await client.say_text("안녕")


async def test_after_the_time_to_resume_the_loss_is_final() -> None:
    gateway = FakeGateway(resume_seconds=1)
    async with conversation(gateway) as (proxy, client, listener):
        proxy.refuse()
        await listener.nth(ConnectionLost, 1)
        await client.send_audio(bytes(640))
        await until(lambda: listener.end)
        assert isinstance(listener.end, Disconnected)
        with pytest.raises(Disconnected):
            await client.send_audio(bytes(640))


async def test_leaving_while_away_ends_the_iterator_and_leaves_nothing_behind() -> None:
    async with FakeGateway().serve() as gateway, tcp_proxy(gateway.url) as proxy, asyncio.timeout(10):
        guest = await log_in_as_guest(proxy.url)
        before = asyncio.all_tasks()
        async with talk(proxy.url, guest) as client:
            proxy.refuse()
            assert isinstance((await anext(client)).event, ConnectionLost)
            await client.bye()
            assert [received async for received in client] == []
        assert not clients_tasks()
        await until(lambda: not proxy.open and asyncio.all_tasks() <= before)


@pytest.mark.parametrize("stalled", [False, True], ids=["refused", "in the midst of a handshake"])
async def test_a_conversation_cancelled_while_away_leaves_no_task_and_no_socket(stalled: bool) -> None:
    async with FakeGateway().serve() as gateway, tcp_proxy(gateway.url) as proxy, asyncio.timeout(10):
        guest = await log_in_as_guest(proxy.url)
        before = asyncio.all_tasks()
        talking, away = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with talk(proxy.url, guest) as client:
                talking.set()
                async for received in client:
                    if isinstance(received.event, ConnectionLost):
                        away.set()

        holding = asyncio.create_task(hold())
        await talking.wait()
        if stalled:
            connections = proxy.connections
            proxy.cut()
            await until(lambda: proxy.connections == connections + 2)  # A ticket, then the socket.
            proxy.stall()
        else:
            proxy.refuse()
        await away.wait()
        holding.cancel()
        await asyncio.wait([holding])
        assert holding.cancelled()
        proxy.release()
        assert not clients_tasks()
        await until(lambda: not proxy.open and asyncio.all_tasks() <= before)  # The gateway's see it a little later.


# --- the rules -------------------------------------------------------------------------------------------------------


def test_waits_double_up_to_a_bound_and_each_has_a_random_part() -> None:
    many = [[waits.next() for _ in range(8)] for waits in (new_waits() for _ in range(50))]
    for step, each in enumerate(zip(*many, strict=True)):
        longest = min(FIRST_WAIT_SECONDS * 2**step, LONGEST_WAIT_SECONDS)
        assert longest / 2 <= min(each) and max(each) <= longest
        assert len(set(each)) > 40


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Disconnected(1006, ""), True),
        (Disconnected(1011, ""), True),
        (Disconnected(1012, "draining"), True),
        (Disconnected(4408, ""), True),
        (Disconnected(4429, ""), True),
        (Disconnected(4500, ""), True),
        (Disconnected(4503, ""), True),
        (Disconnected(1000, "bye"), False),
        (Disconnected(4400, ""), False),
        (Disconnected(4401, "token_expired"), False),
        (Disconnected(4409, ""), False),
        (Disconnected(4413, ""), False),
        (Unreachable("nobody"), True),
        (Refused("http_503", "", status=503), True),
        (Refused("http_429", "", status=429), True),
        (Refused("http_401", "", status=401), False),
        (Refused("handshake_refused", "", status=403), False),
        (Refused("handshake_refused", "cut"), True),
        (Refused("closed_before_ready", "", close_code=1006), True),
        (Refused("ticket_refused", "", close_code=4401, retryable=True), True),
        (Refused("session_replaced", "", close_code=4409), False),
    ],
    ids=str,
)
def test_what_may_be_come_back_from(error: ClientError, expected: bool) -> None:
    assert may_come_back(error) is expected
