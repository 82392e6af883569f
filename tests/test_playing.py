"""How far a reply was played: over gaps, into dead radios, by players that stop.

It is not over while it still sounds, what was never played is told again, and nobody is recorded as having heard more
than they did.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from silvertalk.login import fetch_ticket, log_in_as_guest
from streaming.protocol import (
    Event,
    FloorMoved,
    Flush,
    Flushed,
    Hello,
    Playback,
    ReplyEnded,
    SpokenAudio,
    SpokenText,
    Text,
    TurnCommitted,
    TurnEnded,
    decode_event,
    encode_client,
)
from tests import product
from tests.caller import Caller, calling
from tests.streaming.voice import vowels
from tests.tcp_proxy import tcp_proxy
from tests.test_turn_taking_races import REPLY
from tests.valkey import Valkey

QUIET_FRAME = bytes(640)
GAP_SECONDS = 4.0
"""Less what is said before it, longer than a player that says nothing is given to finish."""
STALL_SECONDS = 5.0
"""Longer than the reply that is sent meanwhile, and than what such a player is given."""


class PausingLlm(ScriptedLlm):
    """Says a sentence, looks something up, and says the rest."""

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        yield Token("네, 잠시만요. ", "scripted")
        await asyncio.sleep(GAP_SECONDS)
        yield Token("그때 바닷가에서 찍으신 사진이 여기 있어요. 참 환하게 웃고 계시네요.", "scripted")


async def played_out(caller: Caller) -> None:
    """The reply is complete, and the floor is open again."""
    await caller.wait_for(ReplyEnded, turn=1)
    await caller.until(lambda: caller.all(FloorMoved)[-1].state == "open")


@pytest.mark.parametrize("filled", [True, False])
async def test_a_reply_with_a_gap_in_it_is_not_over_before_it_was_played(
    valkey: Valkey, tmp_path: Path, filled: bool
) -> None:
    """After a filler, or where the language model looks something up between two sentences."""
    late = ScriptedLlm([REPLY], first_token_ms=1000 * GAP_SECONDS, tokens_per_second=400)
    voice = ScriptedTts(rtf=0.02, ms_per_character=150)
    engines = {"llm": late if filled else PausingLlm(), "tts": voice, "filler_after_ms": 300 if filled else 0}
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with product.node(valkey.url, **engines), calling(served.url, patience_seconds=30) as caller:  # type: ignore[arg-type]
            await caller.say(vowels(1500))
            await played_out(caller)
            assert caller.client.player.playing is None, "it goes on, and nothing would stop it"


@pytest.mark.parametrize("cut", [True, False])
async def test_a_reply_sent_into_a_dead_radio_is_heard_by_whoever_comes_back(
    valkey: Valkey, tmp_path: Path, cut: bool
) -> None:
    """In a lift nothing passes, and nobody is told."""
    llm = ScriptedLlm(["네, 그러셨군요."], first_token_ms=1000, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with tcp_proxy(served.url) as proxy, calling(proxy.url, patience_seconds=30) as caller:
            await caller.say(vowels(1500))
            await caller.wait_for(TurnEnded, turn=1)
            proxy.stall()
            await asyncio.sleep(STALL_SECONDS)
            assert not caller.all(SpokenAudio)
            if cut:
                proxy.cut()
            proxy.release()
            committed = await caller.wait_for(TurnCommitted, turn=1)
            assert committed.heard == "네, 그러셨군요."
            assert caller.client.player.playing is None, "it is still to be heard"
            assert len(caller.audio(1)) // 2 == caller.find(ReplyEnded, turn=1).audio_samples  # type: ignore[union-attr]


async def test_of_a_long_sentence_that_was_cut_short_no_more_counts_than_was_played(
    valkey: Valkey, tmp_path: Path
) -> None:
    """Its voice is a few seconds ahead of the player, and its end has not been made yet."""
    ms_per_letter = 150
    llm = ScriptedLlm([" ".join(f"가나다라마바사{n}번째" for n in range(12)) + "."], first_token_ms=10)
    voice = ScriptedTts(rtf=0.02, ms_per_character=ms_per_letter)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with product.node(valkey.url, llm=llm, tts=voice), calling(served.url) as caller:
            await caller.say(vowels(1500))
            await caller.wait_for(SpokenAudio, turn=1)
            await asyncio.sleep(2)
            await caller.client.cancel()
            committed = await caller.wait_for(TurnCommitted, turn=1)
            played_ms = caller.client.player.playhead(1) / 24
    assert 0 < sum(map(str.isalnum, committed.heard)) <= played_ms / ms_per_letter + 1


# --- a player that stops ---------------------------------------------------------------------------------------------


class Phone:
    """A client by hand: its microphone goes on whatever its player does."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.events: list[Event] = []

    async def hear(self, kind: type[Event]) -> Event:
        """The next event of this kind."""
        async with asyncio.timeout(15):
            while True:
                message = await self._socket.recv()
                if isinstance(message, str):
                    self.events.append(decode_event(message))
                    if isinstance(self.events[-1], kind):
                        return self.events[-1]

    async def say(self, message: Playback | Flushed | Text) -> None:
        await self._socket.send(encode_client(message))

    async def microphone(self) -> None:
        while True:
            await self._socket.send(QUIET_FRAME)
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("acknowledges", [True, False])
async def test_a_player_that_stops_is_asked_where(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, acknowledges: bool
) -> None:
    """One that has never said where it is, is believed to have played everything."""
    monkeypatch.setattr("silvertalk.turn_life.STOPPED_SECONDS", 2.0)
    llm = ScriptedLlm([REPLY], first_token_ms=10, tokens_per_second=400)
    first, _ = REPLY.split(". ")
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        guest = await log_in_as_guest(served.url)
        async with connect(served.url.replace("http", "ws") + "/v1/talk", compression=None, proxy=None) as socket:
            await socket.send(encode_client(Hello(ticket=await fetch_ticket(served.url, guest.access_token))))
            phone = Phone(socket)
            microphone = asyncio.create_task(phone.microphone())
            await phone.say(Text(text="여기 있어요."))
            await phone.hear(SpokenAudio)
            if acknowledges:
                await phone.say(Playback(turn=1, samples=2400))
                flush = await phone.hear(Flush)
                assert isinstance(flush, Flush) and flush.turn == 1
                [end] = [event.first_sample for event in _second_sentences(phone)][:1]
                await phone.say(Flushed(turn=1, samples=end))
            committed = await phone.hear(TurnCommitted)
            microphone.cancel()
    assert isinstance(committed, TurnCommitted) and committed.outcome == "answered"
    assert committed.heard == (f"{first}." if acknowledges else REPLY)
    assert [event.text for event in phone.events if isinstance(event, SpokenText)] == REPLY.replace(". ", ".\n").split(
        "\n"
    )


def _second_sentences(phone: Phone) -> list[SpokenAudio]:
    return [event for event in phone.events if isinstance(event, SpokenAudio) and event.sentence == 1]
