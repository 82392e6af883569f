"""A node's turns on a real bus: those it serves alone, those it has given up, those whose ear broke."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from gpu_node.engines import Hypothesis, Samples
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.errors import EngineError
from gpu_node.spoken_beforehand import APOLOGIES
from streaming.bus import Bus, Limits, names
from streaming.messages import (
    APOLOGY,
    AudioBatch,
    CancelReply,
    Claimed,
    Language,
    ReplyAudio,
    ReplyDone,
    ReplyText,
)
from tests import product
from tests.gpu_node.person import deaths, person
from tests.streaming.bus.parts import until
from tests.valkey import Valkey


class Untouchable(ScriptedStt):
    """An ear that must not be used."""

    def __init__(self) -> None:
        super().__init__()
        self.used = False

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        self.used = True
        raise EngineError("nobody was to listen to this")


def pending(valkey: Valkey) -> list[tuple[str, int]]:
    return valkey.pending(names.OFFERS, names.NODES)


async def test_the_last_delivery_is_served_alone(valkey: Valkey) -> None:
    """Who was on the node is handed to another, uncounted, and answered there; who comes later waits or goes there."""
    llm = ScriptedLlm(["네, 그러셨군요."], first_token_ms=1500, tokens_per_second=400)
    async with Bus.open([valkey.url], name="gateway") as gateway:
        async with product.node(valkey.url, name="lonely", llm=llm):
            neighbour = await person(gateway)
            await neighbour.gets(Claimed)
            neighbour.ask()
            suspect = await person(gateway)
            await suspect.gets(Claimed)
            deaths(valkey, suspect, 2, waited_ms=Limits().suspect_wait_ms)
            assert await suspect.turn.hint_reclaim()
            assert (await suspect.gets(Claimed, lambda claimed: claimed.delivery == 3)).node == "lonely"
            suspect.ask()
            late = await person(gateway)
            assert sorted(pending(valkey)) == [("lonely", 3), ("nobody", 0)]
            async with product.node(valkey.url, name="other", llm=llm):
                for each in (neighbour, late):
                    claimed = await each.gets(Claimed, lambda claimed: claimed.node == "other")
                    assert claimed.delivery == 1
                assert (await neighbour.gets(ReplyDone)).reason == "completed"
                assert (await suspect.gets(ReplyDone)).reason == "completed"
                for each in (neighbour, suspect, late):
                    await each.turn.close("done")


async def test_a_node_that_is_the_only_one_goes_on_with_the_others_afterwards(valkey: Valkey) -> None:
    llm = ScriptedLlm(["네, 그러셨군요."], first_token_ms=800, tokens_per_second=400)
    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, name="only", llm=llm):
        neighbour, suspect = await person(gateway), await person(gateway)
        for each in (neighbour, suspect):
            await each.gets(Claimed)
            each.ask()
        deaths(valkey, suspect, 2, waited_ms=Limits().suspect_wait_ms)
        assert await suspect.turn.hint_reclaim()
        await suspect.gets(Claimed, lambda claimed: claimed.delivery == 3)
        assert not neighbour.all(ReplyDone)
        assert (await suspect.gets(ReplyDone)).reason == "completed"
        assert (await neighbour.gets(ReplyDone)).reason == "completed"
        assert [claimed.delivery for claimed in neighbour.all(Claimed)] == [1, 1]
        for each in (neighbour, suspect):
            await each.turn.close("done")


async def test_a_hopeless_turn_is_apologised_for_and_not_heard(valkey: Valkey) -> None:
    ear = Untouchable()
    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, stt=ear):
        doomed = await person(gateway, text=None)
        await doomed.gets(Claimed)
        doomed.turn.up.append_soon(AudioBatch(first_sample=0, pcm=bytes(32_000)))
        await until(lambda: ear.used)
        deaths(valkey, doomed, 3)
        ear.used = False
        assert await doomed.turn.hint_reclaim()
        await doomed.gets(Claimed, lambda claimed: claimed.delivery == 4)
        doomed.turn.up.append_soon(AudioBatch(first_sample=16_000, pcm=bytes(32_000)))
        doomed.ask()
        done = await doomed.gets(ReplyDone)
        texts = doomed.all(ReplyText)
        assert (done.attempt, done.reason, done.source) == (1, "failed", APOLOGY)
        assert done.detail.startswith("poison")
        assert tuple(text.text for text in texts) == APOLOGIES["ko"]
        assert doomed.all(ReplyAudio)
        assert not ear.used
        await doomed.turn.close("failed")


async def test_an_apology_can_be_cancelled_and_asked_for_again(valkey: Valkey) -> None:
    """Who speaks on is not talked over, and hears it afterwards."""
    voice = ScriptedTts(rtf=0, ms_per_character=600)  # longer than speech is made ahead of its playing
    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, tts=voice):
        doomed = await person(gateway)
        await doomed.gets(Claimed)
        deaths(valkey, doomed, 3)
        assert await doomed.turn.hint_reclaim()
        await doomed.gets(Claimed, lambda claimed: claimed.delivery == 4)
        doomed.ask(1)
        await doomed.gets(ReplyAudio)
        doomed.turn.up.append_soon(CancelReply(attempt=1, reason="went_on"))
        doomed.ask(2)
        await doomed.gets(ReplyAudio, lambda audio: audio.attempt == 2)
        assert [done.reason for done in doomed.all(ReplyDone)] == ["cancelled"]
        await doomed.turn.close("failed")


async def test_an_ear_that_breaks_is_told_when_the_person_has_finished(valkey: Valkey) -> None:
    ear = Untouchable()
    async with Bus.open([valkey.url], name="gateway") as gateway, product.node(valkey.url, stt=ear):
        talking = await person(gateway, text=None)
        await talking.gets(Claimed)
        talking.turn.up.append_soon(AudioBatch(first_sample=0, pcm=bytes(32_000)))
        await until(lambda: ear.used)
        talking.turn.up.append_soon(AudioBatch(first_sample=16_000, pcm=bytes(32_000)))
        await asyncio.sleep(0.1)
        assert len(talking.all(Claimed)) == 1 and not talking.all(ReplyDone)
        talking.ask()
        done = await talking.gets(ReplyDone)
        assert (done.reason, done.source, done.detail) == ("failed", APOLOGY, "EngineError")
        await talking.turn.close("failed")
