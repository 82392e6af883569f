"""A connection is lost and comes back: to the gateway it was with, to another, to one after a kill -9."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from silvertalk.client import Disconnected, Guest, talk
from silvertalk.database import Database
from silvertalk.login import fetch_ticket, log_in_as_guest
from silvertalk.settings import Settings
from streaming.bus import names
from streaming.protocol import (
    FinalTranscript,
    FloorMoved,
    Hello,
    Playhead,
    Ready,
    ReplyEnded,
    Resume,
    Resync,
    SpeechBegan,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
    decode_event,
    encode_client,
)
from tests import product
from tests.caller import Caller, calling
from tests.gateways import SECRET, two_gateways
from tests.streaming.voice import silence, vowels
from tests.tcp_proxy import TcpProxy, tcp_proxy
from tests.test_losses import whole
from tests.valkey import Valkey

SHORT_REPLY = "그러셨군요, 참 좋은 날이었겠어요."
LONG_REPLY = (
    "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요? 저도 같이 가고 싶어요. "
    "바닷바람이 시원했다고 하셨지요. 다음에도 꼭 이야기해 주세요."
)


def gateway_settings(valkey: Valkey, folder: Path, **changes: object) -> Settings:
    """Gateways that share a bus, a database and a secret."""
    patient = {"endpoint_wait_ms": 1200} | changes  # the voice made of arithmetic has holes in it
    return product.settings(valkey.url, folder, jwt_secret=SECRET, **patient)


def once(caller: Caller) -> None:
    """Every turn was told and committed once, in order."""
    turns = [event.turn for event in caller.all(TurnCommitted)]
    assert turns == sorted(set(turns))
    for turn in turns:
        [ended] = caller.all(TurnEnded, turn=turn)
        assert len(caller.all(FinalTranscript, turn=turn)) == (ended.reason != "typed")
        assert len(caller.all(ReplyEnded, turn=turn)) == 1
        whole(caller, turn)


async def heard_whole(caller: Caller, turn: int) -> TurnCommitted:
    """The turn is committed, and its reply was heard to the end."""
    committed = await caller.wait_for(TurnCommitted, turn=turn)
    assert committed.outcome == "answered"
    assert committed.heard == " ".join(text.text for text in caller.all(SpokenText, turn=turn))
    return committed


@pytest.mark.alone
async def test_who_is_cut_off_while_speaking_loses_no_word(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served, product.node(valkey.url):
        async with tcp_proxy(served.url) as proxy, calling(proxy.url, patience_seconds=30) as caller:
            said = vowels(3800)  # between two of the words that the engine counts by length, not on the edge of one
            await caller.say(silence(1000) + said)  # with the moment before it, as the other has one
            uncut = await caller.wait_for(FinalTranscript, turn=1)
            await heard_whole(caller, 1)
            speaking = asyncio.create_task(caller.say(said))
            await caller.wait_for(SpeechBegan, turn=2)
            proxy.refuse()
            await asyncio.sleep(1.5)
            proxy.accept()
            await speaking
            cut = await caller.wait_for(FinalTranscript, turn=2)
            await heard_whole(caller, 2)
    assert cut.text == uncut.text
    assert len(caller.all(Ready, resumed=True)) == 1
    once(caller)


async def test_without_coming_back_the_turn_is_lost_to_the_person(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served, product.node(valkey.url):
        async with tcp_proxy(served.url) as proxy:
            guest = await log_in_as_guest(served.url)
            async with talk(proxy.url, guest, resume=False) as client:
                await client.say_text("끊어지면 어떻게 되나요?")
                with pytest.raises(Disconnected):
                    async for received in client:
                        assert not isinstance(received.event, TurnCommitted)
                        if isinstance(received.event, SpokenAudio):
                            proxy.cut()


@pytest.mark.parametrize("away_seconds", [0.0, 6.0])
async def test_a_reply_goes_on_where_it_was_cut_off(valkey: Valkey, tmp_path: Path, away_seconds: float) -> None:
    """Also where all of it was made while nobody was there: it waits to be heard."""
    llm = ScriptedLlm([LONG_REPLY], first_token_ms=10, tokens_per_second=400)
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with tcp_proxy(served.url) as proxy:
            async with calling(proxy.url, microphone=False, patience_seconds=60) as caller:
                await caller.client.say_text("길게 이야기해 주세요.")
                await caller.wait_for(SpokenAudio, turn=1, sequence=6)
                proxy.refuse()
                await asyncio.sleep(away_seconds)
                assert not caller.all(TurnCommitted)
                proxy.accept()
                await heard_whole(caller, 1)
    once(caller)


async def test_a_conversation_cut_a_hundred_times_at_random_bytes_is_told_once(valkey: Valkey, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    chosen = gateway_settings(valkey, tmp_path)
    async with product.gateway(chosen) as served, product.node(valkey.url, tts=ScriptedTts(rtf=0.02)):
        async with tcp_proxy(served.url) as proxy, calling(proxy.url, patience_seconds=120) as caller:
            cutting = asyncio.create_task(_cut_at_random(proxy, rng, cuts=100))
            turn = 0
            while not cutting.done():
                turn += 1
                await caller.say(silence(400) + vowels(1500, seed=turn))
                await caller.wait_for(TurnCommitted, turn=turn)
            await cutting
            await caller.say(silence(400) + vowels(1500))
            await heard_whole(caller, turn + 1)
            rows = await served.parts.database.turns(caller.client.ready.session)
    assert proxy.cuts >= 100
    assert len(caller.all(Ready, resumed=True)) >= 50, "most cuts hit the socket, the others the way to it"
    assert not caller.all(Resync)
    once(caller)
    told = [(event.turn, event.heard) for event in caller.all(TurnCommitted)]
    assert [(row.number, row.heard) for row in rows if row.number] == told


async def _cut_at_random(proxy: TcpProxy, rng: random.Random, cuts: int) -> None:
    while proxy.cuts < cuts:
        cut = proxy.cuts
        if rng.random() < 0.5:
            proxy.cut_after(rng.randrange(1, 40_000), "up")
        else:
            proxy.cut_after(rng.randrange(1, 60_000), "down")
        try:
            async with asyncio.timeout(2.0):
                await proxy.cut_happened(cut + 1)
        except TimeoutError:
            proxy.disarm()


# --- another gateway -------------------------------------------------------------------------------------------------


class AskedLlm(ScriptedLlm):
    """Keeps what it was asked."""

    def __init__(self, replies: list[str]) -> None:
        super().__init__(replies, first_token_ms=10, tokens_per_second=400)
        self.asked: list[ReplyRequest] = []

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked.append(request)
        async with aclosing(super().stream(request)) as tokens:
            async for token in tokens:
                yield token


async def test_another_gateway_takes_over_from_one_that_lives(valkey: Valkey, tmp_path: Path) -> None:
    llm = AskedLlm([LONG_REPLY])
    chosen = gateway_settings(valkey, tmp_path)
    async with product.gateway(chosen) as first, product.gateway(chosen) as second:
        async with product.node(valkey.url, llm=llm), tcp_proxy(first.url) as proxy:
            async with calling(proxy.url, patience_seconds=40) as caller:
                await caller.client.say_text("안녕하세요.")
                await caller.wait_for(SpokenAudio, turn=1, sequence=6)
                epoch = caller.client.epoch
                proxy.lead_to(second.url)
                proxy.cut()
                await heard_whole(caller, 1)
                await caller.say(vowels(1500))
                await heard_whole(caller, 2)
                rows = await second.parts.database.turns(caller.client.ready.session)
                assert caller.client.epoch > epoch
                assert [owned.id for owned in first.parts.gateway.sessions] == [], "the first has let go"
    once(caller)
    assert [row.number for row in rows] == [1, 2]
    assert [len(request.context.history) for request in llm.asked] == [0, 2], "what was said before is remembered"


KILLS = {"idle": 3, "speaking": 6, "thinking": 6, "replying": 6}


@pytest.mark.alone
@pytest.mark.parametrize("stage", KILLS)
async def test_a_gateway_that_is_killed_costs_no_word(stage: str, valkey: Valkey, tmp_path: Path) -> None:
    """Two gateways take turns; the killed one starts again while the other serves."""
    llm = ScriptedLlm([SHORT_REPLY], first_token_ms=700 if stage == "thinking" else 10, tokens_per_second=400)
    async with two_gateways(valkey, tmp_path) as gateways, product.node(valkey.url, llm=llm):
        async with tcp_proxy(gateways[0].url) as proxy, calling(proxy.url, patience_seconds=60) as caller:
            for turn in range(1, KILLS[stage] + 1):
                serving, other = gateways[(turn - 1) % 2], gateways[turn % 2]
                await other.ready()
                speaking = asyncio.create_task(caller.say(silence(300) + vowels(1500)))
                await reach(stage, caller, turn, speaking)
                proxy.lead_to(other.url)
                serving.kill()
                await serving.start()
                await speaking
                await heard_whole(caller, turn)
            rows = await heard_rows(tmp_path, caller.client.session)
    once(caller)
    assert len({final.text for final in caller.all(FinalTranscript)}) <= 2, "the same words each time, give or take one"
    assert [row for row in rows] == [(turn.turn, turn.heard) for turn in caller.all(TurnCommitted)]
    assert not caller.all(Resync)


async def test_without_another_gateway_a_kill_ends_the_conversation(valkey: Valkey, tmp_path: Path) -> None:
    async with two_gateways(valkey, tmp_path) as (gateway, _), product.node(valkey.url):
        async with calling(gateway.url, patience_seconds=8) as caller:
            await caller.wait_for(FloorMoved)
            speaking = asyncio.create_task(caller.say(vowels(1500)))
            await caller.wait_for(SpeechBegan, turn=1)
            gateway.kill()
            await speaking
            with pytest.raises(TimeoutError):
                await caller.wait_for(TurnCommitted, turn=1)


async def reach(stage: str, caller: Caller, turn: int, speaking: asyncio.Task[None]) -> None:
    """Wait until the turn is where the gateway is to be killed."""
    match stage:
        case "idle":
            await speaking
            await caller.wait_for(TurnCommitted, turn=turn)
        case "speaking":
            await caller.wait_for(SpeechBegan, turn=turn)
            await asyncio.sleep(0.5)
        case "thinking":
            await caller.wait_for(FinalTranscript, turn=turn)
        case _:
            await caller.wait_for(SpokenAudio, turn=turn, sequence=3)


async def heard_rows(folder: Path, session: str) -> list[tuple[int, str]]:
    async with Database(f"sqlite+aiosqlite:///{folder / 'silvertalk.sqlite3'}") as database:
        await database.wait_ready()
        return [(row.number, row.heard) for row in await database.turns(session)]


async def test_a_gateway_told_to_stop_sends_its_people_to_another(valkey: Valkey, tmp_path: Path) -> None:
    async with two_gateways(valkey, tmp_path) as (first, second), product.node(valkey.url):
        async with tcp_proxy(first.url) as proxy, calling(proxy.url, patience_seconds=40) as caller:
            await caller.say(vowels(1500))
            await caller.wait_for(SpokenAudio, turn=1)
            proxy.lead_to(second.url)
            first.terminate()
            await heard_whole(caller, 1)
            await caller.wait_for(Ready, resumed=True)
            await caller.say(silence(300) + vowels(1500))
            await heard_whole(caller, 2)
    assert not caller.all(Resync)
    once(caller)


async def test_a_long_conversation_is_taken_over_from_a_journal_that_forgets(valkey: Valkey, tmp_path: Path) -> None:
    chosen = gateway_settings(valkey, tmp_path, history_turns=2)
    llm = AskedLlm(["네."])
    async with product.gateway(chosen) as first, product.gateway(chosen) as second:
        async with product.node(valkey.url, llm=llm), tcp_proxy(first.url) as proxy:
            async with calling(proxy.url, microphone=False, patience_seconds=40) as caller:
                journal = names.journal(caller.client.session)
                for turn in range(1, 10):
                    await caller.client.say_text(f"{turn}번째 이야기예요.")
                    await caller.wait_for(TurnCommitted, turn=turn)
                kept = valkey.length(journal)
                told = len([received for received in caller.events if received.event.event])
                proxy.lead_to(second.url)
                proxy.cut()
                await caller.wait_for(Ready, resumed=True)
                await caller.client.say_text("열 번째 이야기예요.")
                await heard_whole(caller, 10)
    assert 0 < kept < told / 2
    assert [line.text for line in llm.asked[-1].context.history if line.role == "user"] == [
        "8번째 이야기예요.",
        "9번째 이야기예요.",
    ]
    once(caller)


# --- who may come back, and to what ----------------------------------------------------------------------------------


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_what_is_not_known_is_answered_with_resync(valkey: Valkey, tmp_path: Path, elsewhere: bool) -> None:
    chosen = gateway_settings(valkey, tmp_path)
    async with product.gateway(chosen) as first, product.gateway(chosen) as second, product.node(valkey.url):
        url = second.url if elsewhere else first.url
        guest, stranger = await log_in_as_guest(first.url), await log_in_as_guest(first.url)
        async with calling(first.url, microphone=False, guest=guest) as caller:
            await caller.client.say_text("여기 있어요.")
            await caller.wait_for(TurnCommitted, turn=1)
            session, epoch, event = caller.client.session, caller.client.epoch, caller.client.last_event
            answers = {
                name: await resumed(url, who, session=at, epoch=its_epoch, last_event=its_event)
                for name, (who, at, its_epoch, its_event) in {
                    "another person's": (stranger, session, epoch, event),
                    "nobody's": (stranger, "0" * 32, epoch, event),
                    "no session": (stranger, "silvertalk:offers", epoch, event),
                }.items()
            }
            assert set(answers.values()) == {("unknown_session", False)}
            assert caller.client.ready.session == session
        assert await resumed(url, guest, session=session, epoch=epoch, last_event=event) == (
            "unknown_session",
            False,
        ), "it said good-bye"


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_who_claims_what_nobody_told_begins_anew(valkey: Valkey, tmp_path: Path, elsewhere: bool) -> None:
    chosen = gateway_settings(valkey, tmp_path)
    async with product.gateway(chosen) as first, product.gateway(chosen) as second, product.node(valkey.url):
        url = second.url if elsewhere else first.url
        for epoch, event in ((1, 0), (0, 2**50)):
            guest = await log_in_as_guest(first.url)
            async with calling(first.url, microphone=False, guest=guest) as caller:
                session, known = caller.client.session, caller.client.epoch
                claimed = (known + epoch, caller.client.last_event + event)
                answer = await resumed(url, guest, session=session, epoch=claimed[0], last_event=claimed[1])
            assert answer == ("unknown_epoch", False)


async def resumed(url: str, guest: Guest, *, session: str, epoch: int, last_event: int) -> tuple[str, bool]:
    """What a client that says so is answered: why not, and whether its session goes on."""

    resume = Resume(
        session=session,
        epoch=epoch,
        last_event=last_event,
        microphone_sample=0,
        playhead=Playhead(turn=1, samples=10**9),
    )
    async with connect(url.replace("http", "ws") + "/v1/talk", compression=None, proxy=None) as socket:
        ticket = await fetch_ticket(url, guest.access_token)
        await socket.send(encode_client(Hello(ticket=ticket, resume=resume)))
        reason = ""
        while True:
            event = decode_event(await socket.recv())
            if isinstance(event, Resync):
                reason = event.reason
            if isinstance(event, Ready):
                assert event.resumed == (not reason)
                return reason, event.resumed


async def test_who_does_not_come_back_is_recorded_and_forgotten(valkey: Valkey, tmp_path: Path) -> None:
    """The words are kept that were said until the connection was lost."""
    chosen = gateway_settings(valkey, tmp_path).model_copy(update={"resume_seconds": 1})
    async with product.gateway(chosen) as served, product.node(valkey.url):
        guest = await log_in_as_guest(served.url)
        async with tcp_proxy(served.url) as proxy:
            async with talk(proxy.url, guest, resume=False) as client:
                session = client.session
                for start in range(0, 2 * 16_000 * 3, 640):
                    await client.send_audio(vowels(3000)[start : start + 640])
                    await asyncio.sleep(0.015)
                proxy.cut()
        database = served.parts.database
        async with asyncio.timeout(15):
            while (row := await database.session(session)) is None or row.ended_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        [turn] = await database.turns(session)
    assert turn.transcript and not turn.reply
    assert not served.parts.gateway.sessions
