"""Moments at which two things happen to a turn at once, each of which went wrong when nobody had thought of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gpu_node.engines import ReplyRequest, Samples, Token, Word
from gpu_node.engines.scripted import WORDS, ScriptedLlm, ScriptedStt, ScriptedTts
from silvertalk.house_phrases import distress_answer
from silvertalk.login import log_in_as_guest
from streaming.audio import MICROPHONE_RATE, pcm16_to_float
from streaming.messages import Language
from streaming.protocol import (
    Distress,
    Duck,
    FinalTranscript,
    FloorMoved,
    Flush,
    Problem,
    ReplyEnded,
    Speculation,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)
from tests import product
from tests.caller import Caller, calling
from tests.streaming.voice import silence, vowels
from tests.valkey import Valkey

REPLY = "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요?"
SECOND_REPLY = "말씀만 들어도 마음이 따뜻해져요. 그 시절에는 어떤 노래를 들으셨어요?"
PLAYED_SECONDS = 2.5
ROOM_SECONDS = 0.2
"""From when the reply is played until the microphone hears it."""


def spoken(words: Sequence[str], audio: Samples) -> list[Word]:
    heard = int(len(audio) / 16_000 * 2.5)
    return [Word(word, place * 0.4, (place + 1) * 0.4, 0.9) for place, word in enumerate(words[:heard])]


class Ear:
    """Hears an ordinary utterance first; afterwards what it is told to, or breaks."""

    def __init__(self) -> None:
        self.words: Sequence[str] | None = WORDS["ko"]

    def __call__(self, audio: Samples, language: Language) -> Sequence[Word]:
        if self.words is None:
            raise RuntimeError("the model broke")
        return spoken(self.words, audio)

    def engine(self) -> ScriptedStt:
        return ScriptedStt(pass_ms=20, text_of_audio=self)


def engines(**changes: Any) -> dict[str, Any]:
    """A node whose replies last about ten seconds."""
    llm = ScriptedLlm([REPLY], first_token_ms=10, tokens_per_second=400)
    return {"llm": llm, "tts": ScriptedTts(rtf=0.02, ms_per_character=400)} | changes


class LateVoice(ScriptedTts):
    """Is silent for a while at first, and then speaks what a microphone that hears it takes for speech: an echo would
    have been heard before, if there had been anything to hear."""

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        total_ms = self.samples_of(text, speed=speed) * 1000 // self.sample_rate
        quiet_ms = int(1000 * PLAYED_SECONDS)
        yield pcm16_to_float(silence(quiet_ms))
        yield pcm16_to_float(vowels(max(total_ms - quiet_ms, 1000), seed=len(text)))


async def answered(caller: Caller) -> None:
    """The person has said something, and the reply has been spoken for longer than they may go on with their turn."""
    await caller.say(vowels(1500))
    await caller.wait_for(SpokenAudio, turn=1)
    await asyncio.sleep(PLAYED_SECONDS)


async def test_the_button_in_the_midst_of_speech_over_a_reply_ends_the_utterance(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with product.node(valkey.url, **engines()), calling(served.url) as caller:
            await answered(caller)
            speaking = asyncio.create_task(caller.say(vowels(2200, seed=7)))
            await caller.wait_for(Duck)
            await caller.client.commit()
            await caller.wait_for(TurnEnded, turn=2, reason="commit")
            await speaking
            await caller.wait_for(SpokenAudio, turn=2)


async def test_a_voice_that_no_node_can_write_down_does_not_hold_up_the_conversation(
    valkey: Valkey, tmp_path: Path
) -> None:
    ear = Ear()
    short = ScriptedLlm(["네, 그러셨군요."], first_token_ms=10, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with product.node(valkey.url, stt=ear.engine(), llm=short), calling(served.url) as caller:
            await caller.say(vowels(1500))
            await caller.wait_for(SpokenAudio, turn=1)
            ear.words = None
            await caller.say(vowels(900, seed=7))
            await caller.wait_for(FloorMoved, state="contested")
            await caller.wait_for(Duck, because="finished")
            await caller.until(lambda: caller.all(FloorMoved)[-1].state == "open")


async def test_nobody_hears_of_trouble_with_a_turn_they_do_not_know(valkey: Valkey, tmp_path: Path) -> None:
    """The only slot is taken by the reply that is spoken into: the voice waits, and no problem is told."""
    async with product.gateway(product.settings(valkey.url, tmp_path, turn_claim_ms=500)) as served:
        async with product.node(valkey.url, slots=1, **engines()), calling(served.url) as caller:
            await answered(caller)
            await caller.say(vowels(700, seed=7))
            await caller.wait_for(Duck)
            await asyncio.sleep(1.5)
            assert not caller.all(Problem)


async def test_who_falls_silent_and_is_cut_off_from_the_radio_is_waited_for(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply was begun in their pause; nobody counts the time in which nothing is heard."""
    monkeypatch.setattr("silvertalk.turn_life.ANSWER_SECONDS", 0.5)
    async with product.gateway(product.settings(valkey.url, tmp_path, endpoint_wait_ms=1500)) as served:
        async with product.node(valkey.url), calling(served.url, microphone=False) as caller:
            said = vowels(1500).ljust(640 * 120, b"\0")
            for at in range(0, len(said), 640):
                await caller.client.send_audio(said[at : at + 640])
                await asyncio.sleep(0.02)
                if caller.find(Speculation, state="started"):
                    break
            await caller.wait_for(Speculation, state="started")
            await asyncio.sleep(2)
            assert not caller.all(ReplyEnded) and not caller.all(Problem)


@pytest.mark.parametrize("how", ["cancel", "bye"])
async def test_an_echo_that_is_cut_short_is_nobodys_turn(valkey: Valkey, tmp_path: Path, how: str) -> None:
    ear = Ear()
    voice = LateVoice(ms_per_character=400, sample_rate=MICROPHONE_RATE)
    async with product.gateway(product.settings(valkey.url, tmp_path, reply_rate=MICROPHONE_RATE)) as served:
        async with product.node(valkey.url, **engines(stt=ear.engine(), tts=voice)), calling(served.url) as caller:
            await answered(caller)
            ear.words = REPLY.split()
            played = caller.audio(1)[len(silence(int(1000 * (PLAYED_SECONDS - ROOM_SECONDS)))) :]
            speaking = asyncio.create_task(caller.say(played))
            await caller.wait_for(Duck, because="echo")
            if how == "cancel":
                await caller.client.cancel()
                await caller.wait_for(ReplyEnded, reason="nothing_heard")
            else:
                [owned] = served.parts.gateway.sessions
                await caller.client.bye()
                await owned.over.wait()
            speaking.cancel()
            assert await served.parts.committer.drain(10) == 0
            rows = await served.parts.database.turns(caller.client.ready.session)
    assert {event.turn for event in caller.all(SpokenText)} == {1}
    assert [row.number for row in rows] == [1]


async def test_a_few_words_right_after_a_reply_are_an_answer_and_no_echo(valkey: Valkey, tmp_path: Path) -> None:
    """They sound a little like some of the reply, as every few words do like some."""
    ear, llm = Ear(), ScriptedLlm([SECOND_REPLY], first_token_ms=10, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with product.node(valkey.url, stt=ear.engine(), llm=llm), calling(served.url) as caller:
            await caller.say(vowels(1500))
            await caller.wait_for(TurnCommitted, turn=1)
            ear.words = ["어제는", "오랜만에"]
            await caller.say(vowels(900, seed=2))
            committed = await caller.wait_for(TurnCommitted, turn=2)
    assert committed.outcome == "answered"


async def test_patience_is_kept_though_nothing_else_is_said(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        guest = await log_in_as_guest(served.url)
        async with calling(served.url, guest=guest, microphone=False) as caller:
            assert caller.client.ready.patience == 1.0
            await caller.client.wait_for_me(2.0)
            [owned] = served.parts.gateway.sessions
            await caller.client.bye()
            await owned.over.wait()
        async with calling(served.url, guest=guest, microphone=False) as caller:
            [owned] = served.parts.gateway.sessions
            assert owned.session.patience == 2.0
            assert caller.client.ready.patience == 2.0


class SlowVoice(ScriptedTts):
    """Its first sound takes a while, as on a small machine."""

    first_seconds = 2.0

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        time.sleep(self.first_seconds)
        self.first_seconds = 0.0
        yield from super().synthesize(text, language=language, voice=voice, speed=speed)


async def test_groans_do_not_keep_whoever_called_for_help_from_hearing_whom_to_call(
    valkey: Valkey, tmp_path: Path
) -> None:
    """They come before the first sound of the answer, when anybody else would be waited for once more."""
    ear = Ear()
    ear.words = ["살려줘"]
    voice = SlowVoice(rtf=0.02, ms_per_character=60)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with product.node(valkey.url, **engines(stt=ear.engine(), tts=voice)), calling(served.url) as caller:
            await caller.say(vowels(900))
            await caller.wait_for(Distress, turn=1)
            for seed in (1, 2):
                await caller.say(vowels(500, seed=seed) + silence(400))
            first = await caller.wait_for(TurnCommitted, turn=1)
            second = await caller.wait_for(Distress, turn=2)
    assert first.heard == distress_answer("emergency", "ko")
    assert len(caller.all(Distress, turn=1)) == 1 and not caller.all(Flush)
    assert second.kind == "emergency", "what they cried meanwhile is heard, and answered next"


class CountingLlm(ScriptedLlm):
    """Remembers how much of the conversation it was told, each time."""

    def __init__(self) -> None:
        super().__init__(["네, 그러셨군요."], first_token_ms=10, tokens_per_second=400)
        self.told: list[int] = []

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.told.append(len(request.context.history))
        async for token in super().stream(request):
            yield token


async def test_noises_do_not_push_the_conversation_out_of_mind(valkey: Valkey, tmp_path: Path) -> None:
    ear, llm = Ear(), CountingLlm()
    ear.words = []
    voice = ScriptedTts(rtf=0.02, ms_per_character=60)
    chosen = product.settings(valkey.url, tmp_path, history_turns=2, speculations_per_minute=0)
    async with product.gateway(chosen) as served:
        async with product.node(valkey.url, stt=ear.engine(), llm=llm, tts=voice), calling(served.url) as caller:
            for number in (1, 2):
                await caller.client.say_text("어제는 시장에 갔어요.")
                await caller.wait_for(TurnCommitted, turn=number)
            for number in (3, 4, 5):
                await caller.say(vowels(400, seed=number))
                await caller.wait_for(ReplyEnded, turn=number, reason="nothing_heard")
            await caller.client.say_text("거기서 사과를 샀어요.")
            await caller.wait_for(TurnCommitted, turn=6)
    assert llm.told == [0, 2, 4]


async def test_a_turn_that_fails_leaves_the_floor_to_whoever_has_begun_to_speak(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was typed will not be answered, and nobody knows yet whether the voice says anything."""
    monkeypatch.setattr("silvertalk.turn_life.UNCLAIMED_SECONDS", 1.0)
    async with product.gateway(product.settings(valkey.url, tmp_path, turn_claim_ms=200)) as served:
        async with calling(served.url) as caller:
            await caller.client.say_text("우리 손녀 생일이 언제였지요?")
            await caller.wait_for(TurnEnded, turn=1)
            speaking = asyncio.create_task(caller.say(vowels(2200)))
            await caller.wait_for(ReplyEnded, turn=1, reason="failed")
            await caller.wait_for(FloorMoved, state="user", turn=2)
            await speaking
            async with product.node(valkey.url):
                await caller.wait_for(FinalTranscript, turn=2)
