"""What the gateway gives to be said, on a real bus: no LLM is asked, whatever happens around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gpu_node.engines import Hypothesis, ReplyRequest, Samples, SpeechToText, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.errors import EngineError
from gpu_node.fixed_answer import sentences_to_say
from streaming.bus import Bus
from streaming.messages import Claimed, ConfirmReply, Language, ReplyDone, TranscriptFinal
from tests import product
from tests.gpu_node.person import Person, person
from tests.streaming.bus.parts import until
from tests.valkey import Valkey

SAY = ("많이 힘드시군요, 제가 옆에 있을게요.", "지금 바로 일일구에 전화해 주세요.", "숨을 천천히 쉬어 보세요.")
TEXT = " ".join(SAY)


class NobodyAsks(ScriptedLlm):
    """A language model that must not be asked."""

    asked = 0

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked += 1
        yield Token("제가 생각해 봤는데요.", "wrong")


class Deaf(ScriptedStt):
    """An ear that breaks."""

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        raise EngineError("the model is gone")


@asynccontextmanager
async def in_a_turn(
    valkey: Valkey, *, text: str | None = None, stt: SpeechToText | None = None
) -> AsyncIterator[tuple[NobodyAsks, Person]]:
    llm = NobodyAsks()
    voice = ScriptedTts(rtf=0, ms_per_character=20)
    async with Bus.open([valkey.url], name="gateway") as gateway:
        async with product.node(valkey.url, llm=llm, tts=voice, stt=stt):
            somebody = await person(gateway, text=text)
            await somebody.gets(Claimed)
            if text is None:
                somebody.speak(1.0)
            yield llm, somebody
            await somebody.turn.close("done")
    assert not llm.asked


async def test_just_this_is_said_after_the_transcript(valkey: Valkey) -> None:
    async with in_a_turn(valkey) as (_, somebody):
        somebody.ask(say=TEXT, say_as="distress")
        done = await somebody.done()
        assert (done.reason, done.source, done.tokens) == ("completed", "distress", 0)
        assert somebody.all(TranscriptFinal)[0].text
        assert somebody.texts() == list(SAY) and set(somebody.sources()) == {"distress"}
        assert somebody.is_well_numbered()


async def test_of_what_was_said_elsewhere_the_rest_is_said(valkey: Valkey) -> None:
    """The node that said it died within a sentence: the gateway has heard its first word."""
    async with in_a_turn(valkey) as (_, somebody):
        somebody.ask(2, say=TEXT, say_as="distress", released=f"{SAY[0]} 지금 바로")
        assert (await somebody.done(2)).reason == "completed"
        assert somebody.texts(2) == ["일일구에 전화해 주세요.", SAY[2]]


async def test_it_may_be_made_before_the_endpoint(valkey: Valkey) -> None:
    async with in_a_turn(valkey) as (_, somebody):
        somebody.ask(say=TEXT, say_as="repeat", speculative=True)
        await until(lambda: somebody.texts() == [SAY[0]])
        assert not somebody.all(ReplyDone)
        somebody.send(ConfirmReply(attempt=1))
        assert (await somebody.done()).reason == "completed"
        assert somebody.texts() == list(SAY)


async def test_where_nobody_said_anything_it_is_said_all_the_same(valkey: Valkey) -> None:
    async with in_a_turn(valkey, text="") as (_, somebody):
        somebody.ask(say=TEXT, say_as="prompt")
        assert (await somebody.done()).reason == "completed"
        assert somebody.texts() == list(SAY) and not somebody.all(TranscriptFinal)


async def test_where_nothing_was_understood_it_is_said_all_the_same(valkey: Valkey) -> None:
    async with in_a_turn(valkey, stt=ScriptedStt(pass_ms=1, text_of_audio=lambda *_: ())) as (_, somebody):
        somebody.ask(say=TEXT, say_as="clarify")
        assert (await somebody.done()).reason == "completed"
        assert (somebody.all(TranscriptFinal)[0].text, somebody.texts()) == ("", list(SAY))


async def test_an_ear_that_breaks_does_not_keep_it_from_being_said(valkey: Valkey) -> None:
    async with in_a_turn(valkey, stt=Deaf()) as (_, somebody):
        somebody.ask(say=TEXT, say_as="distress")
        assert (await somebody.done()).reason == "completed"
        assert somebody.texts() == list(SAY)


@pytest.mark.parametrize("place", range(len(TEXT.split()) + 1))
def test_wherever_it_was_cut_the_rest_follows(place: int) -> None:
    words = TEXT.split()
    rest = sentences_to_say(TEXT, " ".join(words[:place]), "ko")
    assert " ".join(sentence.text for sentence in rest) == " ".join(words[place:])


def test_what_was_said_of_something_else_takes_nothing_away() -> None:
    assert [sentence.text for sentence in sentences_to_say(TEXT, "음, 잠시만요.", "ko")] == list(SAY)
    assert sentences_to_say(" ", "", "ko") == []
