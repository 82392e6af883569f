"""Several language models as one, with real engines: two of them over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.gemini import GeminiLlm
from gpu_node.engines.openai_compatible import OpenAiCompatibleLlm
from gpu_node.engines.scripted import ScriptedLlm
from gpu_node.engines.upstream import Deadlines
from gpu_node.errors import LlmError, LlmInterrupted, LlmMisconfigured, LlmRateLimited, LlmUnavailable
from silvertalk.standins.gemini import REPLY, GeminiStandIn, rate_limited
from silvertalk.standins.serving import served
from streaming.messages import ReplyContext

HELLO = ReplyRequest("바닷가에 다녀왔어요", ReplyContext())
NOT_AGREED = ReplyRequest("바닷가에 다녀왔어요", ReplyContext(outside_services=False))
OFFLINE_REPLY = "그러셨군요. 누구와 가셨어요?"


def offline(name: str = "scripted") -> ScriptedLlm:
    return ScriptedLlm([OFFLINE_REPLY], first_token_ms=0, tokens_per_second=10_000, name=name)


@asynccontextmanager
async def gemini_then_offline(model: str) -> AsyncIterator[tuple[FallbackChain, GeminiStandIn]]:
    stand_in = GeminiStandIn()
    deadlines = Deadlines(first_seconds=0.5 if model == "slow-first-token" else 10.0)
    async with served(stand_in.app) as url:
        gemini = GeminiLlm("a-key", model=model, base_url=url, deadlines=deadlines)
        chain = FallbackChain([gemini, offline()])
        try:
            yield chain, stand_in
        finally:
            await chain.aclose()


async def reply(chain: FallbackChain, request: ReplyRequest = HELLO) -> list[Token]:
    return [token async for token in chain.stream(request)]


class Faulty:
    """An engine with a fault of its own after `words` words: what no engine should do, and one day will."""

    name = "faulty"
    outside = False

    def __init__(self, words: int) -> None:
        self._words = words

    async def warm_up(self) -> None:
        raise RuntimeError("out of memory")

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        for _ in range(self._words):
            yield Token("말 ", self.name)
        raise ZeroDivisionError

    async def aclose(self) -> None:
        return


async def test_the_first_engine_answers_when_it_can() -> None:
    async with gemini_then_offline("normal") as (chain, _):
        await chain.warm_up()
        tokens = await reply(chain)
    assert chain.name == "gemini,scripted"
    assert "".join(token.text for token in tokens) == "".join(REPLY)
    assert {token.source for token in tokens} == {"gemini"}


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("quota", "llm_rate_limited"),
        ("no-such-model", "llm_misconfigured"),
        ("blocked-prompt", "llm_blocked"),
        ("unavailable", "llm_unavailable"),
        ("slow-first-token", "llm_unavailable"),
        ("empty-candidate", "llm_unavailable"),
    ],
)
async def test_the_next_answers_for_one_that_fails_before_its_first_token(model: str, code: str) -> None:
    with capture_logs() as logs:
        async with gemini_then_offline(model) as (chain, _):
            tokens = await reply(chain)
    assert "".join(token.text for token in tokens) == OFFLINE_REPLY
    assert {token.source for token in tokens} == {"scripted"}
    [event] = [entry for entry in logs if entry["event"] == "llm_failed"]
    assert (event["engine"], event["code"]) == ("gemini", code)
    assert event["log_level"] == ("error" if code == "llm_misconfigured" else "warning")


@pytest.mark.parametrize("model", ["mid-stream-error", "cut", "safety"])
async def test_after_the_first_token_nobody_else_takes_over(model: str) -> None:
    async with gemini_then_offline(model) as (chain, _):
        said: list[Token] = []
        with pytest.raises(LlmInterrupted) as caught:
            async for token in chain.stream(HELLO):
                said.append(token)
    assert not caught.value.before_first_token and isinstance(caught.value.__cause__, LlmError)
    assert [token.text for token in said] == list(REPLY[:2])


async def test_an_engine_that_asked_for_rest_gets_it() -> None:
    async with gemini_then_offline("normal") as (chain, stand_in):
        stand_in.answer_next(rate_limited("37s"))
        assert (await reply(chain))[0].source == "scripted"
        assert (await reply(chain))[0].source == "scripted"
        assert len(stand_in.exchanges) == 1


async def test_who_can_wait_is_told_how_long_an_engine_rests_that_was_asked_too_often() -> None:
    async with gemini_then_offline("normal") as (chain, stand_in):
        assert chain.throttled_seconds(outside=True) == 0.0
        stand_in.answer_next(rate_limited("37s"))
        await reply(chain)
        assert 30.0 < chain.throttled_seconds(outside=True) <= 37.0
        assert chain.throttled_seconds(outside=False) == 0.0, "it would not be asked"


async def test_an_engine_that_rests_for_another_reason_is_not_waited_for() -> None:
    async with gemini_then_offline("no-such-model") as (chain, _):
        await reply(chain)
        assert chain.throttled_seconds(outside=True) == 0.0


async def test_a_rested_engine_is_asked_again() -> None:
    async with gemini_then_offline("normal") as (chain, stand_in):
        stand_in.answer_next(rate_limited("1.6s"))
        assert (await reply(chain))[0].source == "scripted"
        await asyncio.sleep(1.6)
        assert (await reply(chain))[0].source == "gemini"


async def test_a_single_engine_is_asked_even_while_it_rests() -> None:
    stand_in = GeminiStandIn()
    async with served(stand_in.app) as url:
        chain = FallbackChain([GeminiLlm("a-key", model="gemini-3.5-flash", base_url=url)])
        stand_in.answer_next(rate_limited("37s"))
        with pytest.raises(LlmRateLimited):
            await reply(chain)
        assert (await reply(chain))[0].source == "gemini"
        await chain.aclose()


async def test_when_nobody_answers_the_last_failure_is_told() -> None:
    dead = GeminiLlm("a-key", base_url="http://127.0.0.1:9", deadlines=Deadlines(first_seconds=0.2))
    chain = FallbackChain([dead, dead])
    with pytest.raises(LlmUnavailable) as caught:
        await reply(chain)
    assert caught.value.before_first_token
    with pytest.raises(LlmUnavailable):
        await chain.warm_up()
    await chain.aclose()


async def test_warm_up_needs_one_engine_only_and_says_what_is_wrong_with_the_others() -> None:
    with capture_logs() as logs:
        async with gemini_then_offline("no-such-model") as (chain, stand_in):
            await chain.warm_up()
            assert (await reply(chain))[0].source == "scripted"
            assert len(stand_in.exchanges) == 1  # the warm-up itself: it rests since then
    assert [(entry["during"], entry["code"]) for entry in logs] == [("warm_up", LlmMisconfigured.code)]


@pytest.mark.parametrize("words", [0, 2])
async def test_an_engines_own_fault_is_survived_before_its_first_token_and_told_after_it(words: int) -> None:
    chain = FallbackChain([Faulty(words), offline()])
    with capture_logs() as logs:
        if words:
            with pytest.raises(LlmInterrupted):
                await reply(chain)
        else:
            assert (await reply(chain))[0].source == "scripted"
    assert [entry["code"] for entry in logs] == ["engine_failed"]


async def test_an_engine_that_says_nothing_has_failed() -> None:
    silent = ScriptedLlm(["  "], first_token_ms=0, name="silent")
    assert (await reply(FallbackChain([silent, offline()])))[0].source == "scripted"


async def test_closing_or_dropping_the_chain_hangs_up_on_the_server() -> None:
    async with gemini_then_offline("endless") as (chain, stand_in):
        async with aclosing(chain.stream(HELLO)) as tokens:
            await anext(tokens)
        async for _ in chain.stream(HELLO):
            break
        for exchange in stand_in.exchanges:
            async with asyncio.timeout(5):
                await exchange.ended.wait()
    assert [exchange.outcome for exchange in stand_in.exchanges] == ["disconnected", "disconnected"]


async def test_cancelling_the_reader_is_no_failure_of_the_engine() -> None:
    with capture_logs() as logs:
        async with gemini_then_offline("endless") as (chain, stand_in):
            reading = asyncio.create_task(reply(chain))
            exchange = await stand_in.arrivals.get()
            reading.cancel()
            await asyncio.wait({reading})
            async with asyncio.timeout(5):
                await exchange.ended.wait()
    assert reading.cancelled() and exchange.outcome == "disconnected" and not logs


async def test_an_outside_service_is_shown_nothing_that_was_not_agreed_to() -> None:
    with capture_logs() as logs:
        async with gemini_then_offline("normal") as (chain, stand_in):
            assert {token.source for token in await reply(chain, NOT_AGREED)} == {"scripted"}
            assert not stand_in.exchanges
            assert {token.source for token in await reply(chain)} == {"gemini"}, "others are answered by it as before"
    assert not logs


async def test_what_was_not_agreed_to_stays_inside_though_nobody_else_answers() -> None:
    async with gemini_then_offline("normal") as (chain, stand_in):
        gemini = chain.engines[0]
        with pytest.raises(LlmUnavailable):
            await reply(FallbackChain([gemini]), NOT_AGREED)
        with pytest.raises(LlmInterrupted):
            await reply(FallbackChain([gemini, Faulty(1)]), NOT_AGREED)
        with pytest.raises(ZeroDivisionError):
            await reply(FallbackChain([gemini, Faulty(0)]), NOT_AGREED)
        assert not stand_in.exchanges


@pytest.mark.parametrize(
    ("url", "outside"),
    [
        ("https://api.openai.com/v1", True),
        ("http://8.8.8.8:8000/v1", True),
        ("http://0x08080808/v1", True),
        ("http://134744072/v1", True),
        ("http://[::ffff:8.8.8.8]/v1", True),
        ("http://172.32.0.1/v1", True),
        ("http://127.0.0.1@llm.example/v1", True),
        ("http://localhost.example.com/v1", True),
        ("", True),
        ("http://localhost:11434/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://[::ffff:10.0.0.1]/v1", False),
        ("http://192.168.1.9/v1", False),
        ("http://172.31.0.1/v1", False),
        ("http://[fd00::1]/v1", False),
        ("http://ollama:11434/v1", False),
        ("http://vllm.talk.svc.cluster.local./v1", False),
        ("http://host.docker.internal:11434/v1", False),
    ],
)
async def test_a_server_is_outside_unless_its_address_is_private(url: str, outside: bool) -> None:
    model = OpenAiCompatibleLlm(url, "a-model")
    assert model.outside is outside
    assert FallbackChain([model]).outside is outside
    assert not FallbackChain([model, offline()]).outside
    await model.aclose()


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(ValueError):
        FallbackChain([])
