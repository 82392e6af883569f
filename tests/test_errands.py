"""Errands, from whoever asks to a node's engines and back: over a real Valkey, with scripted engines, with nodes that
are killed."""

import asyncio
import base64
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gpu_node.engines import LanguageModel, ReplyRequest, Samples, Token, Word
from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.gemini import GeminiLlm
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.worker import Worker
from silvertalk.standins.gemini import GeminiStandIn, Scenario, rate_limited
from silvertalk.standins.serving import served
from streaming.bus import Bus, Limits
from streaming.errors import ErrandError
from streaming.messages import ErrandOpened, Language
from tests import product
from tests.processes import SCRIPTED, nodes
from tests.valkey import Valkey

KEY = base64.b64encode(bytes(range(32))).decode()
WITHIN = 60.0
SECOND = b"\x01\x00" * 16_000
QUICK = Limits(errand_quiet_seconds=0.5)


@asynccontextmanager
async def asker(valkey: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([valkey.url], name="worker", limits=QUICK) as bus:
        yield bus


def keys_up(valkey: Valkey) -> list[str]:
    """The up streams that are there."""
    return [bytes(key).decode() for key in valkey.client.scan_iter("silvertalk:up:*")]


async def test_a_recording_is_heard(valkey: Valkey) -> None:
    words = [f"{chr(0xAC00 + 97 * at)}{chr(0xAC00 + 61 * at + 5000)}" for at in range(60)]

    def a_word_a_second(audio: Samples, language: Language) -> list[Word]:
        return [Word(words[at], at, at + 1, 0.9) for at in range(len(audio) // 16_000)]

    stt = ScriptedStt(pass_ms=20, text_of_audio=a_word_a_second)
    async with product.node(valkey.url, stt=stt), asker(valkey) as bus:
        result = await bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND * 60, within=WITHIN)
    assert result.text.split() == words
    assert result.source == "scripted"


async def test_a_text_is_spoken_at_the_rate_asked_for(valkey: Valkey) -> None:
    voice = ScriptedTts(rtf=0.0)
    text = "오늘은 바람이 시원해요. 산책하기 참 좋겠어요."
    async with product.node(valkey.url, tts=voice), asker(valkey) as bus:
        wanted = ErrandOpened(errand="", kind="speak", text=text, rate=16_000)
        result = await bus.errands.ask(wanted, within=WITHIN)
    expected = voice.samples_of(text) * 16_000 / voice.sample_rate
    assert abs(len(result.data) / 2 - expected) < 800
    assert np.abs(np.frombuffer(result.data, dtype="<i2")).max() > 5_000


class Echo(ScriptedLlm):
    """Answers with what it was asked, instructions first."""

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        for piece in (request.instructions, " | ", request.transcript):
            yield Token(piece, self.name)


async def test_the_nodes_llm_is_asked_with_instructions_of_ones_own(valkey: Valkey) -> None:
    async with product.node(valkey.url, llm=Echo(name="echo")), asker(valkey) as bus:
        wanted = ErrandOpened(errand="", kind="ask", text="손주랑 바다에 갔어요", instructions="한 문장으로")
        result = await bus.errands.ask(wanted, within=WITHIN)
    assert (result.text, result.source) == ("한 문장으로 | 손주랑 바다에 갔어요", "echo")


async def test_an_engine_that_only_talks_kindly_writes_nothing_down(valkey: Valkey) -> None:
    async with product.node(valkey.url, llm=Echo(name="reflective")), asker(valkey) as bus:
        with pytest.raises(ErrandError) as refused:
            await bus.errands.ask(ErrandOpened(errand="", kind="ask", text="a", instructions="b"), within=WITHIN)
    assert refused.value.reason == "unable"


@pytest.mark.parametrize("alone", [False, True])
async def test_who_asks_is_told_when_a_model_that_was_asked_too_often_may_answer(valkey: Valkey, alone: bool) -> None:
    wanted = ErrandOpened(errand="", kind="ask", text="a", instructions="b", outside_services=True)
    gemini = GeminiStandIn()
    async with served(gemini.app) as url:
        models: list[LanguageModel] = [GeminiLlm("a-key", model="gemini-3.5-flash", base_url=url)]
        models += [] if alone else [Echo(name="reflective")]
        chain = FallbackChain(models)
        async with product.node(valkey.url, llm=chain), asker(valkey) as bus:
            gemini.answer_next(rate_limited("37s"))
            with pytest.raises(ErrandError) as refused:
                await bus.errands.ask(wanted, within=WITHIN)
            assert 30.0 < refused.value.retry_after_seconds <= 37.0
            agreed_to_none = msgspec.structs.replace(wanted, outside_services=False)
            with pytest.raises(ErrandError) as refused:
                await bus.errands.ask(agreed_to_none, within=WITHIN)
            assert refused.value.retry_after_seconds == 0.0
        await chain.aclose()


async def test_an_outside_model_is_asked_only_with_consent(valkey: Valkey) -> None:
    wanted = ErrandOpened(errand="", kind="ask", text="손주랑 바다에 갔어요", instructions="한 문장으로")
    llm = Echo(name="abroad", outside=True)
    async with product.node(valkey.url, llm=llm), asker(valkey) as bus:
        with pytest.raises(ErrandError) as refused:
            await bus.errands.ask(wanted, within=WITHIN)
        assert refused.value.reason == "unable"
        agreed = msgspec.structs.replace(wanted, outside_services=True)
        assert (await bus.errands.ask(agreed, within=WITHIN)).source == "abroad"


async def test_a_picture_is_looked_at_where_something_can(valkey: Valkey) -> None:
    wanted = ErrandOpened(errand="", kind="look", text="누가 있어요?", content_type="image/jpeg", outside_services=True)
    picture = b"\xff\xd8" + bytes(900_000)
    gemini = GeminiStandIn()
    async with served(gemini.app) as url, product.node(valkey.url) as node, asker(valkey) as bus:
        with pytest.raises(ErrandError) as refused:
            await bus.errands.ask(wanted, picture, within=WITHIN)
        assert refused.value.reason == "unable"
        looker = GeminiLlm("a-key", model="gemini-3.5-flash-lite", base_url=url)
        node._engines = replace(node._engines, looker=looker)
        with pytest.raises(ErrandError, match="not agreed"):
            await bus.errands.ask(msgspec.structs.replace(wanted, outside_services=False), picture, within=WITHIN)
        assert not gemini.exchanges
        gemini.answer_next(Scenario(words=('{"people": ["손주"], ', '"place": "바다"}')))
        result = await bus.errands.ask(wanted, picture, within=WITHIN)
        await looker.aclose()
    assert json.loads(result.data) == {"people": ["손주"], "place": "바다"}
    assert result.source == "gemini"
    asked = gemini.exchanges[-1].body["contents"][0]["parts"]
    assert base64.urlsafe_b64decode(asked[0]["inlineData"]["data"] + "==") == picture
    assert asked[1]["text"] == "누가 있어요?"


@pytest.mark.parametrize(
    ("wanted", "material", "reason"),
    [
        (ErrandOpened(errand="", kind="transcribe"), SECOND * 61, "too_large"),
        (ErrandOpened(errand="", kind="transcribe"), b"odd", "bad_errand"),
        (ErrandOpened(errand="", kind="speak", text=" "), b"", "bad_errand"),
        (ErrandOpened(errand="", kind="speak", text="가", rate=1), b"", "bad_errand"),
        (ErrandOpened(errand="", kind="speak", text="가" * 2_001), b"", "too_large"),
        (ErrandOpened(errand="", kind="ask", text="", instructions="b"), b"", "bad_errand"),
        (ErrandOpened(errand="", kind="ask", text="a" * 32_001, instructions="b"), b"", "too_large"),
        (ErrandOpened(errand="", kind="look", text="?", content_type="text/html"), b"<p>", "bad_errand"),
        (ErrandOpened(errand="", kind="look", text="?", content_type="image/png"), bytes(2**20 + 1), "too_large"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    valkey: Valkey, wanted: ErrandOpened, material: bytes, reason: str
) -> None:
    async with product.node(valkey.url), asker(valkey) as bus:
        with pytest.raises(ErrandError) as refused:
            await bus.errands.ask(wanted, material, within=WITHIN)
    assert refused.value.reason == reason


async def test_material_beyond_the_bound_never_reaches_the_bus(valkey: Valkey) -> None:
    async with asker(valkey) as bus:
        with pytest.raises(ValueError, match="at most"):
            await bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), bytes(2**21 + 1), within=1)
    assert not keys_up(valkey)


async def test_where_no_node_is_the_deadline_ends_it_and_nothing_stays(valkey: Valkey) -> None:
    async with asker(valkey) as bus:
        with pytest.raises(ErrandError) as late:
            await bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=0.5)
    assert late.value.reason == "deadline"
    assert valkey.length("silvertalk:errands") == 0
    for key in keys_up(valkey):
        assert 0 < valkey.ttl_ms(key) <= QUICK.errand_left_ttl_ms


async def test_what_is_asked_and_answered_crosses_the_bus_sealed(valkey: Valkey) -> None:
    async with Bus.open([valkey.url], name="worker", key=KEY) as bus:
        asking = asyncio.create_task(
            bus.errands.ask(ErrandOpened(errand="", kind="ask", text="CANARY", instructions="b"), b"CANARY", within=1)
        )
        async with asyncio.timeout(5):
            while not (keys := keys_up(valkey)):  # noqa: ASYNC110 - Redis sets no event
                await asyncio.sleep(0.01)
        assert "CANARY" not in repr([valkey.entries(key) for key in keys])
        with pytest.raises(ErrandError):
            await asking


class SlowStt(ScriptedStt):
    """Says when it has begun, and stops when it is closed."""

    def __init__(self) -> None:
        super().__init__(pass_ms=60_000, text_of_audio=lambda audio, language: (Word("네", 0, 1, 1),))
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def transcribe(self, audio: Samples, *, language: Language, final: bool):  # type: ignore[no-untyped-def]
        self._loop.call_soon_threadsafe(self.begun.set)
        try:
            yield from super().transcribe(audio, language=language, final=final)
        finally:
            self._loop.call_soon_threadsafe(self.closed.set)


async def test_who_asks_no_more_frees_the_engine(valkey: Valkey) -> None:
    stt = SlowStt()
    async with product.node(valkey.url, stt=stt), asker(valkey) as bus:
        asking = asyncio.create_task(bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=WITHIN))
        async with asyncio.timeout(10):
            await stt.begun.wait()
            asking.cancel()
            await stt.closed.wait()
    assert valkey.length("silvertalk:errands") == 0


async def test_a_node_has_one_errand_at_a_time(valkey: Valkey) -> None:
    stt = SlowStt()
    async with product.node(valkey.url, stt=stt), asker(valkey) as bus:
        asking = [
            asyncio.create_task(bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=2))
            for _ in range(3)
        ]
        await stt.begun.wait()
        await asyncio.sleep(0.5)
        assert len(valkey.pending("silvertalk:errands", "nodes")) == 1
        ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(error).partition(":")[0] for error in ended] == ["deadline"] * 3


async def test_a_busy_node_takes_no_errand(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    async with product.node(valkey.url, slots=4) as node, asker(valkey) as bus:
        monkeypatch.setattr(Worker, "_busy", property(lambda self: 2))
        node._errands.reconsider()
        with pytest.raises(ErrandError, match="deadline"):
            await bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=1)
        monkeypatch.undo()
        node._errands.reconsider()
        assert (await bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=WITHIN)).text


async def test_a_draining_node_gives_its_errand_to_another(valkey: Valkey) -> None:
    stt = SlowStt()
    async with asker(valkey) as bus:
        async with product.node(valkey.url, name="first", stt=stt) as first:
            asking = asyncio.create_task(
                bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=WITHIN)
            )
            await stt.begun.wait()
            first.drain()
            async with product.node(valkey.url, name="second"):
                assert (await asking).text


async def test_redis_forgets_everything_and_the_errand_is_offered_again(own_valkey: Valkey) -> None:
    stt = SlowStt()
    limits = Limits(block_ms=500, errand_quiet_seconds=0.5)
    async with Bus.open([own_valkey.url], name="worker", limits=limits) as bus:
        async with product.node(own_valkey.url, name="first", stt=stt):
            asking = asyncio.create_task(
                bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND, within=WITHIN)
            )
            await stt.begun.wait()
            own_valkey.flush()
        async with product.node(own_valkey.url, name="second"):
            assert (await asking).text


async def test_a_node_killed_in_mid_errand_costs_a_lease(valkey: Valkey, tmp_path: Path) -> None:
    environment = SCRIPTED | {"BUS_URLS": valkey.url, "CACHE_DIR": str(tmp_path), "STT_ENGINE": "scripted:pass_ms=5000"}
    async with asker(valkey) as bus, nodes("a", "b", **environment) as running:
        asking = asyncio.create_task(
            bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND * 2, within=WITHIN)
        )
        claims = {asyncio.create_task(running[name].printed("errand_claimed")): name for name in ("a", "b")}
        done, waiting = await asyncio.wait(claims, return_when=asyncio.FIRST_COMPLETED)
        holder = claims[done.pop()]
        os.kill(running[holder].pid, signal.SIGKILL)
        killed_at = asyncio.get_running_loop().time()
        other = claims[(still := waiting.pop())]
        assert "delivery=2" in await still
        print(f"claimed by {other} {asyncio.get_running_loop().time() - killed_at:.2f} s after {holder} was killed")
        assert len((await asking).text.split()) == 5


async def test_an_errand_that_kills_its_nodes_is_given_up(valkey: Valkey, tmp_path: Path) -> None:
    environment = SCRIPTED | {
        "BUS_URLS": valkey.url,
        "CACHE_DIR": str(tmp_path),
        "STT_ENGINE": "scripted:pass_ms=20,abort_seconds=1",
    }
    async with asker(valkey) as bus, nodes("a", "b", **environment) as running:
        for name in ("a", "b"):
            running.keep_alive(name)
        with pytest.raises(ErrandError) as given_up:
            await bus.errands.ask(ErrandOpened(errand="", kind="transcribe"), SECOND * 2, within=WITHIN)
    assert given_up.value.reason == "poison"
