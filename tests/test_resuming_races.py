"""Coming back at the wrong moment: while the session ends, while another one opens, while parts are away."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from gpu_node.engines.scripted import ScriptedLlm
from silvertalk.client import talk
from silvertalk.login import fetch_ticket, log_in_as_guest
from streaming.bus import Bus, Journal, names
from streaming.messages import (
    AudioBatch,
    CancelReply,
    Closed,
    JournalRecord,
    ReplyContext,
    SessionOpened,
    SpeechResumed,
    StartReply,
    Told,
    TurnOpened,
)
from streaming.protocol import (
    Event,
    FinalTranscript,
    Hello,
    Ready,
    ReplyEnded,
    Resume,
    SpeechBegan,
    SpokenAudio,
    TurnCommitted,
    TurnEnded,
    decode_event,
    encode_client,
    encode_event,
)
from tests import product
from tests.caller import Caller, calling
from tests.streaming.voice import vowels
from tests.tcp_proxy import tcp_proxy
from tests.test_resuming import LONG_REPLY, gateway_settings, once, resumed
from tests.valkey import Valkey


async def test_who_went_on_after_an_endpoint_is_not_taken_at_the_first_half(valkey: Valkey, tmp_path: Path) -> None:
    """The gateway asked for the reply to both halves, and was killed before it could tell the second endpoint."""
    session, half = "fedcba9876543210" * 2, "앞의 반만"
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served:
        guest = await log_in_as_guest(served.url)
        async with calling(served.url, microphone=False, guest=guest):
            [owned] = served.parts.gateway.sessions
        async with Bus.open([valkey.url], name="dead") as bus:
            journal = await Journal.own(bus, session, gateway="dead")
            opened = TurnOpened(session=session, turn=1, language="ko", reply_rate=24_000)
            turn = await bus.turns(session).open(opened, epoch=journal.epoch, deliver=lambda _: None)
            pcm, context = vowels(1000), ReplyContext(language="ko", local_time="")
            for message in (
                AudioBatch(first_sample=0, pcm=pcm),
                StartReply(attempt=1, reply=1, end_sample=16_000, context=context),
                CancelReply(attempt=1, reason="went_on"),
                SpeechResumed(sample=40_000),
                AudioBatch(first_sample=40_000, pcm=pcm),
                StartReply(attempt=2, reply=1, end_sample=56_000, context=context),
            ):
                await turn.up.append(message)
            first = FinalTranscript(turn=1, text=half, language="ko", rejected="", confidence=0.0)
            ended = TurnEnded(turn=1, end_sample=16_000, wait_ms=700, reason="silence")
            told = [Told(event=encode_event(event)) for event in (SpeechBegan(turn=1, sample=0), ended, first)]
            records = [SessionOpened(user=owned.user, language="ko", reply_rate=24_000), *told]
            for number, record in enumerate(records, start=1):
                await journal.append(record, number=number)
            turn.let_go()
            journal.let_go()
        async with product.node(valkey.url):
            answer = await resumed(served.url, guest, session=session, epoch=journal.epoch, last_event=4)
            async with asyncio.timeout(20):
                while not (rows := await served.parts.database.turns(session)):  # noqa: ASYNC110
                    served.parts.gateway.on_revoked(owned.user, "")
                    await asyncio.sleep(0.05)
    assert answer == ("", True)
    assert [row.transcript for row in rows] != [half] and rows[0].transcript


async def test_a_cough_while_something_typed_was_thought_about_is_heard_again_and_costs_nothing(
    valkey: Valkey, tmp_path: Path
) -> None:
    """The gateway was killed before it knew whether the voice said anything."""
    session, coughed_at = "0123456789abcdef" * 2, 8_000
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served:
        guest = await log_in_as_guest(served.url)
        async with calling(served.url, microphone=False, guest=guest):
            [owned] = served.parts.gateway.sessions
        async with Bus.open([valkey.url], name="dead") as bus:
            journal = await Journal.own(bus, session, gateway="dead")
            turns, context = bus.turns(session), ReplyContext(language="ko", local_time="")
            opened = TurnOpened(session=session, turn=1, language="ko", reply_rate=24_000, text="손녀 생일이 언제지요?")
            typed = await turns.open(opened, epoch=journal.epoch, deliver=lambda _: None)
            await typed.up.append(StartReply(attempt=1, reply=1, end_sample=0, context=context))
            opened = TurnOpened(
                session=session, turn=2, language="ko", reply_rate=24_000, first_sample=coughed_at, context=context
            )
            voice = await turns.open(opened, epoch=journal.epoch, deliver=lambda _: None)
            await voice.up.append(AudioBatch(first_sample=coughed_at, pcm=vowels(500)))
            ended = TurnEnded(turn=1, end_sample=0, wait_ms=0, reason="typed")
            records = [
                SessionOpened(user=owned.user, language="ko", reply_rate=24_000),
                Told(event=encode_event(ended)),
            ]
            for number, record in enumerate(records, start=1):
                await journal.append(record, number=number)
            for handle in (typed, voice):
                handle.let_go()
            journal.let_go()
        resume = Resume(session=session, epoch=journal.epoch, last_event=2, microphone_sample=16_000)
        told: list[Event] = []
        url = served.url.replace("http", "ws") + "/v1/talk"
        async with product.node(valkey.url), asyncio.timeout(20), connect(url, proxy=None) as socket:
            await socket.send(
                encode_client(Hello(ticket=await fetch_ticket(served.url, guest.access_token), resume=resume))
            )
            while not told or not isinstance(told[-1], ReplyEnded):
                received = await socket.recv()
                if isinstance(received, str):
                    told.append(decode_event(received))
    [ready] = [event for event in told if isinstance(event, Ready)]
    assert (ready.resumed, ready.microphone_sample) == (True, coughed_at)
    assert isinstance(told[-1], ReplyEnded) and (told[-1].turn, told[-1].reason) == (1, "completed")


async def test_a_session_that_is_ending_is_not_gone_on_with(valkey: Valkey, tmp_path: Path) -> None:
    """What it still has to write is written: its end, and the turn in hand."""
    llm = ScriptedLlm([LONG_REPLY], first_token_ms=10, tokens_per_second=400)
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served, product.node(valkey.url, llm=llm):
        guest = await log_in_as_guest(served.url)
        async with calling(served.url, microphone=False, guest=guest) as caller:
            await caller.client.say_text("여기 있어요.")
            await caller.wait_for(SpokenAudio, turn=1)
            session, epoch, event = caller.client.session, caller.client.epoch, caller.client.last_event
            [owned] = served.parts.gateway.sessions
            owned.end(None)
            answer = await resumed(served.url, guest, session=session, epoch=epoch, last_event=event)
        await owned.over.wait()
        assert await served.parts.committer.drain(10) == 0
        row = await served.parts.database.session(session)
    assert answer == ("unknown_session", False)
    assert owned.is_over_for_good and row is not None and row.ended_at is not None


async def test_who_cannot_be_told_what_it_missed_is_not_told_good_bye(valkey: Valkey, tmp_path: Path) -> None:
    """Its session goes on, and it comes again."""
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served:
        guest = await log_in_as_guest(served.url)
        async with tcp_proxy(served.url) as proxy, talk(proxy.url, guest, resume=False) as client:
            session, epoch = client.session, client.epoch
            proxy.cut()
        valkey.execute("XADD", names.journal(session), f"{epoch}-1000000", "mark", "no message")
        resume = Resume(session=session, epoch=epoch, last_event=1, microphone_sample=0)
        async with connect(served.url.replace("http", "ws") + "/v1/talk", compression=None, proxy=None) as socket:
            ticket = await fetch_ticket(served.url, guest.access_token)
            await socket.send(encode_client(Hello(ticket=ticket, resume=resume)))
            with pytest.raises(ConnectionClosedError) as closed:
                while True:
                    await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4500


async def test_of_two_sessions_that_one_person_opens_at_once_one_lives(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served:
        guest = await log_in_as_guest(served.url)
        url = served.url.replace("http", "ws") + "/v1/talk"
        for _ in range(5):
            async with connect(url, compression=None, proxy=None) as one, connect(url, compression=None) as other:
                tickets = [await fetch_ticket(served.url, guest.access_token) for _ in range(2)]
                hellos = [encode_client(Hello(ticket=ticket)) for ticket in tickets]
                await asyncio.gather(one.send(hellos[0]), other.send(hellos[1]))
                closing = [asyncio.create_task(socket.wait_closed()) for socket in (one, other)]
                done, living = await asyncio.wait(closing, timeout=5, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait(living, timeout=0.3)
                assert len(done) == 1 and sorted(task.done() for task in closing) == [False, True]


async def test_a_turn_written_by_two_of_a_sessions_owners_is_told_once(valkey: Valkey, tmp_path: Path) -> None:
    """It went to another gateway and came back while the database was away: two records wait here for it."""
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served, product.node(valkey.url):
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("여기 있어요.")
            await caller.wait_for(TurnCommitted, turn=1)
            closed = [each.record for _, each in await _journal(served, caller) if isinstance(each, Closed)]
            await served.parts.gateway.on_committed(closed[0])
            await caller.client.say_text("아직 여기 있어요.")
            await caller.wait_for(TurnCommitted, turn=2)
    once(caller)


async def _journal(served: product.Product, caller: Caller) -> Sequence[tuple[str, JournalRecord]]:
    return await Journal.peek(served.parts.bus, caller.client.session)


async def test_who_says_good_bye_while_the_database_is_away_is_left_to_another_gateway(
    valkey: Valkey, tmp_path: Path
) -> None:
    """This one may not live to write the turn."""
    async with product.gateway(gateway_settings(valkey, tmp_path)) as served, product.node(valkey.url):
        committer = served.parts.committer
        async with calling(served.url, microphone=False) as caller:
            with _locked(tmp_path):
                await caller.client.say_text("잘 있어요.")
                await caller.wait_for(ReplyEnded, turn=1)
                [owned] = served.parts.gateway.sessions
                owned.end(None)
                async with asyncio.timeout(30):
                    await owned.over.wait()
                assert committer.backlog
                assert [name for name, _ in valkey.pending(names.SESSIONS, names.GATEWAYS)], "nobody would find it"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody can write to the database."""
    with closing(sqlite3.connect(folder / "silvertalk.sqlite3", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
        database.execute("ROLLBACK")
