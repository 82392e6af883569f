"""Replies that are begun before the utterance has ended, on a real bus: held, confirmed, thrown away, declined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gpu_node.engines import LanguageModel, ReplyRequest, Token
from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from gpu_node.errors import LlmUnavailable
from gpu_node.spoken_beforehand import APOLOGIES
from streaming.bus import Bus
from streaming.messages import APOLOGY, CancelReply, Claimed, ConfirmReply, ReplyContext, ReplyDone, TranscriptFinal
from tests import product
from tests.gpu_node.person import Person, deaths, person, somebody_else_is_served
from tests.streaming.bus.parts import until
from tests.valkey import Valkey

FIRST, SECOND, THIRD = "그러셨군요, 참 좋은 날이었겠어요.", "그때는 누구와 함께 계셨어요?", "저도 같이 가고 싶어요."
REPLY = f"{FIRST} {SECOND} {THIRD}"
WORDS = len(REPLY.split())


class Llm(ScriptedLlm):
    """Says `REPLY`, and notes what becomes of those who ask for it; with `hangs_after` words it says no more."""

    def __init__(
        self,
        *,
        hangs_after: int | None = None,
        error: Exception | None = None,
        name: str = "scripted",
        outside: bool = False,
    ) -> None:
        super().__init__([REPLY], first_token_ms=0, tokens_per_second=10_000, name=name, outside=outside)
        self.hangs_after = hangs_after
        self.error = error
        self.asked = 0
        self.open = 0
        self.told = 0

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked += 1
        self.open += 1
        try:
            if self.error is not None:
                raise self.error
            async for token in super().stream(request):
                if self.told == self.hangs_after:
                    await asyncio.Event().wait()
                self.told += 1
                yield token
        finally:
            self.open -= 1


@asynccontextmanager
async def in_a_turn(valkey: Valkey, llm: LanguageModel, **options: object) -> AsyncIterator[tuple[Bus, Person]]:
    """Somebody who has spoken for a second and paused; the node is called `node-1`."""
    voice = ScriptedTts(rtf=0, ms_per_character=20)
    async with Bus.open([valkey.url], name="gateway") as gateway:
        async with product.node(valkey.url, llm=llm, tts=voice, **options):  # type: ignore[arg-type]
            somebody = await person(gateway, text=None)
            await somebody.gets(Claimed)
            somebody.speak(1.0)
            yield gateway, somebody
            await somebody.turn.close("done")


def samples_of(text: str) -> int:
    return ScriptedTts(ms_per_character=20).samples_of(text)


async def test_the_first_sentence_is_made_and_the_rest_waits_to_be_confirmed(valkey: Valkey) -> None:
    llm = Llm()
    async with in_a_turn(valkey, llm) as (gateway, somebody):
        somebody.ask(speculative=True)
        final = await somebody.gets(TranscriptFinal)
        assert (final.attempt, bool(final.text)) == (1, True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        await until(lambda: llm.told == WORDS)  # it writes on
        await somebody_else_is_served(gateway)
        assert somebody.texts() == [FIRST] and somebody.samples() == samples_of(FIRST)
        assert not somebody.all(ReplyDone)
        somebody.send(ConfirmReply(attempt=1))
        done = await somebody.done()
        assert (done.reason, done.source, done.tokens) == ("completed", "scripted", WORDS)
        assert somebody.texts() == [FIRST, SECOND, THIRD] and somebody.is_well_numbered()
        timings = done.timings_ms
        assert timings["first_token"] <= timings["first_audio"] < timings["confirmed"] < timings["done"]


async def test_words_that_no_outside_service_may_see_are_answered_by_an_engine_inside(valkey: Valkey) -> None:
    abroad = Llm(name="abroad", outside=True)
    async with in_a_turn(valkey, FallbackChain([abroad, Llm()])) as (gateway, somebody):
        somebody.ask(speculative=True, context=ReplyContext(outside_services=False))
        await until(lambda: somebody.samples() == samples_of(FIRST))
        await somebody_else_is_served(gateway)
        assert somebody.sources() == ["scripted"] and abroad.asked == 1, "it was asked by somebody else alone"
        somebody.ask(2, context=ReplyContext(outside_services=False))
        assert (await somebody.done(2)).source == "scripted"
        somebody.ask(3)
        assert (await somebody.done(3)).source == "abroad"
        assert abroad.asked == 2


async def test_a_confirmation_that_comes_at_once_holds_nothing_up(valkey: Valkey) -> None:
    async with in_a_turn(valkey, Llm()) as (_, somebody):
        somebody.ask(speculative=True)
        somebody.send(ConfirmReply(attempt=1))
        done = await somebody.done()
        assert done.reason == "completed" and done.timings_ms["confirmed"] < done.timings_ms["first_audio"]
        assert somebody.texts() == [FIRST, SECOND, THIRD]


async def test_a_confirmation_of_another_attempt_confirms_nothing(valkey: Valkey) -> None:
    async with in_a_turn(valkey, Llm()) as (gateway, somebody):
        somebody.ask(2, speculative=True)
        somebody.send(ConfirmReply(attempt=1))
        await until(lambda: somebody.samples(2) == samples_of(FIRST))
        await somebody_else_is_served(gateway)
        assert somebody.texts(2) == [FIRST] and not somebody.all(ReplyDone)


async def test_a_reply_of_one_sentence_ends_when_it_is_confirmed(valkey: Valkey) -> None:
    async with in_a_turn(valkey, ScriptedLlm([FIRST], first_token_ms=0)) as (gateway, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        await somebody_else_is_served(gateway)
        assert not somebody.all(ReplyDone)
        somebody.send(ConfirmReply(attempt=1))
        assert (await somebody.done()).reason == "completed"


async def test_an_answer_that_was_not_wanted_is_stopped_and_counted(valkey: Valkey) -> None:
    llm = Llm(hangs_after=7)
    async with in_a_turn(valkey, llm) as (gateway, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST) and llm.told == 7)
        somebody.send(CancelReply(attempt=1, reason="went_on"))
        done = await somebody.done()
        assert (done.reason, done.tokens, llm.open) == ("cancelled", 7, 0)
        llm.hangs_after = None
        await somebody_else_is_served(gateway)
        somebody.send(ConfirmReply(attempt=1))  # too late
        await somebody_else_is_served(gateway)
        assert somebody.samples() == samples_of(FIRST) and len(somebody.all(ReplyDone)) == 1


async def test_a_reply_that_is_wanted_can_be_cancelled_too(valkey: Valkey) -> None:
    llm = Llm(hangs_after=6)
    async with in_a_turn(valkey, llm) as (gateway, somebody):
        somebody.ask()
        await until(lambda: llm.told == 6 and somebody.samples() == samples_of(FIRST))
        somebody.send(CancelReply(attempt=1, reason="barge_in"))
        done = await somebody.done()
        assert (done.reason, done.tokens, llm.open) == ("cancelled", 6, 0)
        llm.hangs_after = None
        await somebody_else_is_served(gateway)
        assert somebody.samples() == samples_of(FIRST)


async def test_who_goes_on_takes_the_speculation_back(valkey: Valkey) -> None:
    """No command is needed for that; the next pause has an attempt of its own."""
    llm = Llm()
    async with in_a_turn(valkey, llm) as (_, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        end = somebody.speak(1.0)
        assert (await somebody.done()).reason == "cancelled"
        somebody.ask(2, speculative=True, end_sample=end)
        somebody.send(ConfirmReply(attempt=2))
        assert (await somebody.done(2)).reason == "completed"
        finals = somebody.all(TranscriptFinal)
        assert [final.attempt for final in finals] == [1, 2] and finals[1].upto_sample == end
        assert finals[1].text.startswith(finals[0].text)
        assert somebody.texts(1) == [FIRST] and somebody.texts(2) == [FIRST, SECOND, THIRD]


async def test_a_new_attempt_takes_the_place_of_a_held_one(valkey: Valkey) -> None:
    async with in_a_turn(valkey, Llm()) as (_, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        somebody.ask(2)
        assert (await somebody.done(2)).reason == "completed"
        assert (await somebody.done(1)).reason == "cancelled"


async def test_another_node_begins_a_held_speculation_anew(valkey: Valkey) -> None:
    async with in_a_turn(valkey, Llm()) as (gateway, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        deaths(valkey, somebody, 1)
        assert await somebody.turn.hint_reclaim()
        await somebody.gets(Claimed, lambda claimed: claimed.delivery == 2)
        await until(lambda: somebody.samples() == 2 * samples_of(FIRST))
        await somebody_else_is_served(gateway)
        assert somebody.texts() == [FIRST, FIRST] and not somebody.all(ReplyDone)
        somebody.send(ConfirmReply(attempt=1))
        assert (await somebody.done()).reason == "completed"
        assert somebody.texts() == [FIRST, FIRST, SECOND, THIRD]


async def test_another_node_knows_what_became_of_earlier_attempts(valkey: Valkey) -> None:
    """Confirmed while nobody had the turn: of all that was ever said only the end counts."""
    llm = Llm()
    async with in_a_turn(valkey, llm) as (_, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        end = somebody.speak(1.0)
        somebody.ask(2, speculative=True, end_sample=end)
        somebody.send(CancelReply(attempt=2, reason="went_on"))
        somebody.ask(3, speculative=True, end_sample=end)
        await until(lambda: somebody.samples(3) == samples_of(FIRST))
        asked = llm.asked
        deaths(valkey, somebody, 1)
        somebody.send(ConfirmReply(attempt=3))
        assert await somebody.turn.hint_reclaim()
        await somebody.gets(Claimed, lambda claimed: claimed.delivery == 2)
        await until(lambda: somebody.texts(3)[-2:] == [SECOND, THIRD])
        assert (await somebody.done(3)).reason == "completed"
        assert llm.asked <= asked + 1, "of the three attempts one is made"


@pytest.mark.parametrize("others", [False, True], ids=["none_allowed", "busy"])
async def test_a_node_that_declines_transcribes_and_answers_at_the_endpoint(valkey: Valkey, others: bool) -> None:
    llm = Llm()
    options = {"slots": 2} if others else {"speculations_per_minute": 0}
    async with in_a_turn(valkey, llm, **options) as (gateway, somebody):
        talking = await person(gateway, text=None) if others else None
        if talking is not None:
            await talking.gets(Claimed)
        somebody.ask(speculative=True)
        await somebody.gets(TranscriptFinal)
        if talking is not None:
            talking.speak(0.5)
            talking.ask()
            await talking.done()
        else:
            await somebody_else_is_served(gateway)
        assert llm.asked == 1 and not somebody.texts(), "asked for somebody else"
        somebody.send(ConfirmReply(attempt=1))
        assert (await somebody.done()).reason == "completed" and llm.asked == 2
        assert somebody.texts() == [FIRST, SECOND, THIRD]
        if talking is not None:
            await talking.turn.close("done")


async def test_a_speculation_that_fails_says_sorry_only_when_the_person_has_finished(valkey: Valkey) -> None:
    llm = Llm(error=LlmUnavailable("503"))
    async with in_a_turn(valkey, llm) as (_, somebody):
        somebody.ask(speculative=True)
        await until(lambda: llm.asked and not llm.open)
        await asyncio.sleep(0.05)
        assert not somebody.texts() and not somebody.all(ReplyDone)
        somebody.send(ConfirmReply(attempt=1))
        done = await somebody.done()
        assert (done.reason, done.source) == ("failed", APOLOGY)
        assert somebody.texts() == list(APOLOGIES["ko"])


async def test_a_held_speculation_whose_gateway_is_silent_keeps_no_slot(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_node.pipeline.IDLE_SECONDS", 0.3)
    async with in_a_turn(valkey, Llm(), slots=1) as (gateway, somebody):
        somebody.ask(speculative=True)
        await until(lambda: somebody.samples() == samples_of(FIRST))
        await somebody_else_is_served(gateway)
        somebody.send(ConfirmReply(attempt=1))
        assert (await somebody.done()).reason == "completed"
