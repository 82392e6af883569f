"""Journeys through every real hop (socket, gateway, Valkey, node, database), with scripted engines.

The engines are scripted where a model's speed would be the noise; `test_speaking.py` has the real ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from gpu_node.engines import Hypothesis, ReplyRequest, Samples, Token, Word
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.errors import EngineError
from streaming.messages import APOLOGY, Language
from streaming.protocol import (
    Distress,
    FinalTranscript,
    Flush,
    PartialTranscript,
    Problem,
    ReceivedSamples,
    ReplyEnded,
    SpeechBegan,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)
from tests import product
from tests.caller import calling
from tests.streaming.voice import hiss, silence, vowels
from tests.valkey import Valkey


class RecordingLlm(ScriptedLlm):
    """Keeps what it was asked."""

    def __init__(self, **options: float) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.asked: list[ReplyRequest] = []
        self.cancelled = 0

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked.append(request)
        try:
            async with aclosing(super().stream(request)) as tokens:
                async for token in tokens:
                    yield token
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise


async def test_a_turn_from_speech_to_the_database(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with calling(served.url) as caller:
            await caller.say(silence(500) + vowels(2500))
            committed = await caller.wait_for(TurnCommitted, turn=1)
        [row] = await served.parts.database.turns(caller.client.ready.session)

    final = caller.find(FinalTranscript)
    ended = caller.find(TurnEnded)
    done = caller.find(ReplyEnded)
    assert final is not None and ended is not None and done is not None
    aside = ("ReceivedSamples", "PartialTranscript", "SpokenAudio", "FloorMoved", "EndpointWait", "Speculation", "Duck")
    kinds = [kind for kind in caller.kinds() if kind not in aside]
    assert kinds[:3] == ["SpeechBegan", "TurnEnded", "FinalTranscript"]
    assert kinds[3] == "SpokenText"
    assert kinds[-2:] == ["ReplyEnded", "TurnCommitted"]
    assert final.text
    assert ended.reason == "silence" and 700 <= ended.wait_ms <= 740
    assert done.reason == "completed" and done.source == "scripted"

    replied = " ".join(text.text for text in caller.all(SpokenText))
    assert committed.heard == replied
    assert (row.transcript, row.reply, row.heard, row.interrupted) == (final.text, replied, replied, False)

    numbers = [received.event.event for received in caller.events]
    assert numbers == sorted(set(numbers)), "event numbers grow"
    position = 0
    for sequence, piece in enumerate(caller.all(SpokenAudio)):
        assert (piece.sequence, piece.first_sample) == (sequence, position)
        position += piece.samples
    assert position == done.audio_samples == len(caller.audio(1)) // 2


async def test_captions_come_while_the_person_speaks_and_never_take_back(valkey: Valkey, tmp_path: Path) -> None:
    patient = product.settings(valkey.url, tmp_path, endpoint_wait_ms=2000)  # the made voice has pauses of its own
    async with product.gateway(patient) as served, product.node(valkey.url):
        async with calling(served.url) as caller:
            await caller.say(vowels(4000))
            await caller.wait_for(FinalTranscript)
    partials = caller.all(PartialTranscript)
    assert len(partials) >= 4
    for earlier, later in zip(partials, partials[1:], strict=False):
        assert later.stable.startswith(earlier.stable)
    final = caller.find(FinalTranscript)
    assert final is not None and final.text.startswith(partials[-1].stable)
    kinds = caller.kinds()
    assert kinds.index("PartialTranscript") < kinds.index("TurnEnded")


async def test_a_barge_in_stops_the_reply_and_keeps_what_was_heard(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, llm=llm, tts=ScriptedTts(rtf=0.02, ms_per_character=700)),
    ):
        async with calling(served.url) as caller:
            await caller.say(vowels(1500))
            await caller.wait_for(SpokenAudio, turn=1)
            await asyncio.sleep(4.0)
            await caller.say(vowels(1500, seed=7))
            await caller.wait_for(Flush, turn=1)
            first = await caller.wait_for(TurnCommitted, turn=1)
            await caller.wait_for(SpokenText, turn=2)
            rows = await served.parts.database.turns(caller.client.ready.session)

    kinds = caller.kinds()
    after_flush = caller.events[kinds.index("Flush") :]
    assert not [r for r in after_flush if isinstance(r.event, SpokenAudio) and r.event.turn == 1]
    interrupted = caller.find(ReplyEnded, turn=1)
    assert interrupted is not None and interrupted.reason == "interrupted"
    reply = " ".join(text.text for text in caller.all(SpokenText, turn=1))
    assert first.heard and first.heard != reply and reply.startswith(first.heard)
    assert [(row.number, row.interrupted, row.heard) for row in rows] == [(1, True, first.heard)]
    history = llm.asked[-1].context.history
    assert [(line.role, line.text, line.interrupted) for line in history] == [
        ("user", rows[0].transcript, False),
        ("assistant", first.heard, True),
    ]


async def test_who_goes_on_before_the_reply_began_is_one_turn(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=3000, tokens_per_second=400)
    chosen = product.settings(valkey.url, tmp_path, endpoint_wait_ms=300)
    async with product.gateway(chosen) as served, product.node(valkey.url, llm=llm):
        async with calling(served.url) as caller:
            await caller.say(vowels(1200))
            await caller.wait_for(TurnEnded, turn=1)
            await caller.say(vowels(1500, seed=3))
            await caller.wait_for(TurnCommitted, turn=1)
        rows = await served.parts.database.turns(caller.client.ready.session)
    assert len(rows) == 1
    assert len(caller.all(TurnEnded)) == 2
    assert len(llm.asked) == 2 and llm.cancelled == 1
    assert len(llm.asked[1].transcript) > len(llm.asked[0].transcript)
    assert rows[0].transcript == llm.asked[1].transcript
    assert len(caller.all(SpeechBegan)) == 1


class SlowVoice(ScriptedTts):
    """Thinks for three seconds before its first sound."""

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        time.sleep(3)
        yield from super().synthesize(text, language=language, voice=voice, speed=speed)


async def test_a_reply_begins_with_its_sound_until_then_the_person_may_go_on(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, endpoint_wait_ms=300)
    async with product.gateway(chosen) as served, product.node(valkey.url, tts=SlowVoice(rtf=0.02)):
        async with calling(served.url, patience_seconds=30) as caller:
            await caller.say(vowels(1200))
            await caller.wait_for(FinalTranscript, turn=1)
            await caller.say(vowels(1500, seed=3))
            await caller.wait_for(TurnCommitted, turn=1)
    assert len(caller.all(SpeechBegan)) == 1, "one turn"
    assert not caller.all(Flush), "nothing had been said that could be interrupted"
    kinds = [kind for kind in caller.kinds() if kind in ("SpokenText", "SpokenAudio")]
    assert kinds[:2] == ["SpokenText", "SpokenAudio"]


def nobody(audio: Samples, language: Language) -> Sequence[Word]:
    return []


async def test_nobody_is_answered_when_nobody_spoke(valkey: Valkey, tmp_path: Path) -> None:
    stt = ScriptedStt(pass_ms=10, text_of_audio=nobody)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, stt=stt):
        async with calling(served.url) as caller:
            await caller.say(hiss(1500))
            await caller.say(vowels(800))
            ended = await caller.wait_for(ReplyEnded, turn=1)
            await caller.say(silence(500))
        rows = await served.parts.database.turns(caller.client.ready.session)
    assert ended.reason == "nothing_heard"
    assert not caller.all(SpokenText) and not caller.all(SpokenAudio) and not rows
    assert len(caller.all(SpeechBegan)) == 1, "hiss opens no turn"


async def test_typed_words_are_answered_like_spoken_ones(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("어제 손주가 다녀갔어요.")
            committed = await caller.wait_for(TurnCommitted, turn=1)
        [row] = await served.parts.database.turns(caller.client.ready.session)
    assert llm.asked[0].transcript == "어제 손주가 다녀갔어요."
    assert row.typed and row.transcript == "어제 손주가 다녀갔어요."
    assert committed.heard == row.reply != ""


async def test_a_call_for_help_is_heard_in_words_that_come_too_early(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("어제 손주가 다녀갔어요.")  # nobody is there to answer it
            await caller.wait_for(TurnEnded, turn=1)
            await caller.client.say_text("숨을 못 쉬겠어 살려줘")
            told = await caller.wait_for(Distress)
            problem = await caller.wait_for(Problem, code="wrong_order")
    assert (told.turn, told.kind, told.number) == (1, "emergency", "119")
    assert problem.turn is None and len(caller.all(TurnEnded)) == 1


async def test_push_to_talk_ends_where_the_button_is_released(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, endpoint_wait_ms=300)
    async with product.gateway(chosen) as served, product.node(valkey.url):
        async with calling(served.url, push_to_talk=True) as caller:
            await caller.say(vowels(1200) + silence(900) + vowels(800, seed=2))
            assert caller.find(TurnEnded) is None, "silence ends nothing while the button is held"
            await caller.client.commit()
            ended = await caller.wait_for(TurnEnded, turn=1)
            await caller.wait_for(TurnCommitted, turn=1)
            await caller.client.commit()
            problem = await caller.wait_for(Problem)
    assert ended.reason == "commit"
    assert problem.code == "wrong_order"


async def test_cancel_stops_the_reply(valkey: Valkey, tmp_path: Path) -> None:
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, tts=ScriptedTts(rtf=0.02, ms_per_character=500)),
    ):
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("옛날이야기를 해 주세요.")
            await caller.wait_for(SpokenAudio, turn=1)
            await caller.client.cancel()
            done = await caller.wait_for(ReplyEnded, turn=1)
            committed = await caller.wait_for(TurnCommitted, turn=1)
            await caller.client.say_text("이제 다른 이야기를 해요.")
            await caller.wait_for(TurnCommitted, turn=2)
    assert done.reason == "interrupted"
    assert len(committed.heard) < len(" ".join(text.text for text in caller.all(SpokenText, turn=1)))


class EchoingLlm:
    """Answers with the very words it was given: a canary that must not turn up elsewhere."""

    name = "echo"
    outside = False

    async def warm_up(self) -> None:
        return

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        for word in request.transcript.split():
            yield Token(word + " ", self.name)

    async def aclose(self) -> None:
        return


async def test_nobody_hears_another_persons_words(valkey: Valkey, tmp_path: Path) -> None:
    people = 6
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, name="node-1", llm=EchoingLlm(), slots=2),
        product.node(valkey.url, name="node-2", llm=EchoingLlm(), slots=4),
    ):

        async def person(number: int) -> list[str]:
            async with calling(served.url, microphone=False) as caller:
                for turn in (1, 2):
                    await caller.client.say_text(f"비밀{number}번{turn} 이야기를 하고 있어요.")
                    await caller.wait_for(TurnCommitted, turn=turn)
                return [text.text for text in caller.all(SpokenText)]

        told = await asyncio.gather(*(person(number) for number in range(people)))
    for number, texts in enumerate(told):
        said = " ".join(texts)
        assert f"비밀{number}번1" in said and f"비밀{number}번2" in said
        assert all(f"비밀{other}번" not in said for other in range(people) if other != number)


async def test_a_turn_nobody_claims_is_told_and_answered_when_a_node_comes(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, turn_claim_ms=300)
    async with product.gateway(chosen) as served:
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("거기 누구 있어요?")
            problem = await caller.wait_for(Problem)
            async with product.node(valkey.url):
                committed = await caller.wait_for(TurnCommitted, turn=1)
    assert problem.code == "no_node" and problem.retryable and problem.turn == 1 and problem.message_ko
    assert len(caller.all(Problem)) == 1
    assert committed.outcome == "answered"


class DeafStt(ScriptedStt):
    """Breaks at its first pass."""

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        raise EngineError("the model is gone")
        yield None


async def test_a_turn_that_fails_while_the_person_speaks_costs_that_turn_alone(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with calling(served.url) as caller:
            async with product.node(valkey.url, stt=DeafStt()):
                await caller.say(vowels(3000))
                failed = await caller.wait_for(TurnCommitted, turn=1)
            async with product.node(valkey.url, name="node-2"):
                await caller.say(silence(1000) + vowels(1500, seed=5))
                answered = await caller.wait_for(TurnCommitted, turn=2)
    assert {text.source for text in caller.all(SpokenText, turn=1)} == {APOLOGY}
    assert failed.outcome == "failed"
    assert caller.audio(1), "it is said aloud"
    assert answered.outcome == "answered"


async def test_received_samples_are_told(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served:
        async with calling(served.url) as caller:
            await caller.say(silence(2300))
            await caller.wait_for(ReceivedSamples)
    counted = [event.samples for event in caller.all(ReceivedSamples)]
    assert counted and all(count >= 16_000 for count in counted) and counted == sorted(counted)


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_the_language_of_hello_is_the_turns(valkey: Valkey, tmp_path: Path, language: Language) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with calling(served.url, microphone=False, language=language) as caller:
            await caller.client.say_text("hello 안녕")
            await caller.wait_for(TurnCommitted, turn=1)
    assert llm.asked[0].context.language == language
