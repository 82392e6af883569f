"""A second of silence is filled, and what is filled is no reply: on a real bus, with language models that take long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gpu_node.engines import ReplyRequest, Samples, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.errors import LlmUnavailable
from gpu_node.spoken_beforehand import APOLOGIES, FILLERS
from streaming.bus import Bus
from streaming.messages import (
    APOLOGY,
    FILLER,
    Claimed,
    ConfirmReply,
    Language,
    ReplyAudio,
    ReplyContext,
    ReplyText,
    TranscriptFinal,
)
from tests import product
from tests.gpu_node.person import Person, person
from tests.valkey import Valkey

REPLY = "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요?"
FILLER_MS = 150
SLOW_MS = 1200
"""The first token of an LLM that is filled for: a filler is due long before it."""


class Llm(ScriptedLlm):
    """Takes as long as it is told to begin with `REPLY`, or to fail."""

    def __init__(self, *, first_token_ms: float = SLOW_MS, fails: bool = False) -> None:
        super().__init__([REPLY], first_token_ms=first_token_ms, tokens_per_second=10_000)
        self._fails = fails
        self.asked = 0

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked += 1
        async for token in super().stream(request):
            if self._fails:
                raise LlmUnavailable("503")
            yield token


class Voice(ScriptedTts):
    """Thinks for so many `seconds` before the first sound of what begins like `slow`."""

    def __init__(self, *, slow: str, seconds: float, ms_per_character: float = 20) -> None:
        super().__init__(rtf=0, ms_per_character=ms_per_character)
        self._slow, self._seconds = slow, seconds

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        if text.startswith(self._slow):
            time.sleep(self._seconds)
        yield from super().synthesize(text, language=language, voice=voice, speed=speed)


@asynccontextmanager
async def in_a_turn(
    valkey: Valkey, llm: ScriptedLlm, *, voice: ScriptedTts | None = None, turn: int = 1, **options: Any
) -> AsyncIterator[tuple[Bus, Person]]:
    options = {"filler_after_ms": FILLER_MS, **options}
    async with Bus.open([valkey.url], name="gateway") as gateway:
        node = product.node(valkey.url, llm=llm, tts=voice or ScriptedTts(rtf=0, ms_per_character=20), **options)
        async with node:
            somebody = await person(gateway, text=None, turn=turn)
            await somebody.gets(Claimed)
            somebody.speak(1.0)
            yield gateway, somebody
            await somebody.turn.close("done")


@pytest.mark.parametrize("turn", [1, 2])
async def test_the_reply_goes_on_after_a_filler(valkey: Valkey, turn: int) -> None:
    async with in_a_turn(valkey, Llm(), turn=turn) as (_, somebody):
        somebody.ask(may_fill=True)
        done = await somebody.done()
        assert (done.reason, done.source) == ("completed", "scripted")
        filler, *said = somebody.all(ReplyText)
        assert (filler.source, filler.text) == (FILLER, FILLERS["ko"][turn % len(FILLERS["ko"])])
        assert " ".join(text.text for text in said) == REPLY and {text.source for text in said} == {"scripted"}
        assert somebody.is_well_numbered()
        assert FILLER_MS <= done.timings_ms["filler"] < done.timings_ms["first_audio"]


async def test_where_the_reply_comes_soon_or_nothing_may_be_filled_there_is_none(valkey: Valkey) -> None:
    async with in_a_turn(valkey, Llm(first_token_ms=0), filler_after_ms=10_000) as (_, somebody):
        somebody.ask(may_fill=True)
        assert (await somebody.done()).reason == "completed"
        assert FILLER not in somebody.sources()
    async with in_a_turn(valkey, Llm()) as (_, somebody):
        somebody.ask()
        assert (await somebody.done()).reason == "completed"
        assert FILLER not in somebody.sources()


async def test_a_filler_is_no_answer(valkey: Valkey) -> None:
    async with in_a_turn(valkey, Llm(fails=True)) as (_, somebody):
        somebody.ask(may_fill=True)
        done = await somebody.done()
        assert (done.reason, done.source) == ("failed", APOLOGY)
        assert somebody.sources() == [FILLER, *[APOLOGY] * len(APOLOGIES["ko"])]
        assert somebody.is_well_numbered()


async def test_nobody_is_waiting_before_the_endpoint(valkey: Valkey) -> None:
    """And from the endpoint on they wait as long as anybody."""
    async with in_a_turn(valkey, Llm(first_token_ms=60_000)) as (_, somebody):
        somebody.ask(speculative=True, may_fill=True)
        await somebody.gets(TranscriptFinal)
        await asyncio.sleep(3 * FILLER_MS / 1000)  # a filler would have come
        assert not somebody.texts()
        somebody.send(ConfirmReply(attempt=1))
        filler = await somebody.gets(ReplyText)
        assert filler.source == FILLER


async def test_nothing_is_filled_where_nothing_was_said(valkey: Valkey) -> None:
    """A long final pass over a cough: whoever coughs has not asked anything."""
    ear = ScriptedStt(pass_ms=600, text_of_audio=lambda *_: ())
    async with in_a_turn(valkey, Llm(), stt=ear, partials=False) as (_, somebody):
        somebody.ask(may_fill=True)
        assert (await somebody.done()).reason == "nothing_heard"
        assert not somebody.texts()


@pytest.mark.parametrize("changes", [{"released": "그러셨군요,"}, {"context": ReplyContext(voice="jf_alpha")}])
async def test_nothing_is_filled_within_a_reply_nor_in_another_voice(valkey: Valkey, changes: dict[str, Any]) -> None:
    async with in_a_turn(valkey, Llm(first_token_ms=4 * FILLER_MS)) as (_, somebody):
        somebody.ask(may_fill=True, **changes)
        assert (await somebody.done()).reason == "completed"
        assert FILLER not in somebody.sources()


async def test_a_voice_at_work_gets_a_little_longer(valkey: Valkey) -> None:
    """The sound of the first clause comes while a filler would still be heard: there is none."""
    voice = Voice(slow=REPLY[:4], seconds=2 * FILLER_MS / 1000, ms_per_character=600)
    async with in_a_turn(valkey, Llm(first_token_ms=0), voice=voice) as (_, somebody):
        somebody.ask(may_fill=True)
        await somebody.gets(ReplyAudio)
        assert FILLER not in somebody.sources()


async def test_a_filler_touches_no_engine(valkey: Valkey) -> None:
    """It comes while the engine is at work on somebody else's long step."""
    voice = Voice(slow="느리게", seconds=3)
    async with in_a_turn(valkey, Llm(first_token_ms=300), voice=voice) as (gateway, somebody):
        other = await person(gateway)
        await other.gets(Claimed)
        other.ask(say="느리게 말하는 사람이에요.", say_as="repeat")
        somebody.ask(may_fill=True)
        filler = await somebody.gets(ReplyText)
        assert filler.source == FILLER and not other.texts()
        await other.done()
        await somebody.done()
        await other.turn.close("done")
