"""The OpenAI-compatible engine against such a server on this machine, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from gpu_node.engines import ReplyRequest
from gpu_node.engines.openai_compatible import OpenAiCompatibleLlm
from gpu_node.engines.upstream import Deadlines
from gpu_node.errors import LlmBlocked, LlmError, LlmInterrupted, LlmMisconfigured, LlmRateLimited, LlmUnavailable
from silvertalk.standins.openai import REPLY, SCENARIOS, OpenAiStandIn
from silvertalk.standins.serving import served
from silvertalk.standins.streams import Exchange
from streaming.messages import ReplyContext, Utterance

WHOLE = "".join(REPLY)
HELLO = ReplyRequest("바닷가에 다녀왔어요", ReplyContext())


@asynccontextmanager
async def openai(
    model: str = "a-model", *, deadlines: Deadlines | None = None, api_key: str = "", server_key: str = ""
) -> AsyncIterator[tuple[OpenAiCompatibleLlm, OpenAiStandIn]]:
    stand_in = OpenAiStandIn(api_key=server_key)
    async with served(stand_in.app) as url:
        engine = OpenAiCompatibleLlm(f"{url}/v1/", model, api_key=api_key, deadlines=deadlines)
        try:
            yield engine, stand_in
        finally:
            await engine.aclose()


async def reply(engine: OpenAiCompatibleLlm, request: ReplyRequest = HELLO) -> str:
    return "".join([token.text async for token in engine.stream(request)])


async def failure(engine: OpenAiCompatibleLlm) -> tuple[LlmError, str]:
    said = ""
    with pytest.raises(LlmError) as caught:
        async for token in engine.stream(HELLO):
            said += token.text
    return caught.value, said


async def hung_up(exchange: Exchange) -> None:
    async with asyncio.timeout(5):
        await exchange.ended.wait()
    assert exchange.outcome == "disconnected"


@pytest.mark.parametrize("model", ["a-model", "split", "crlf", "carriage-returns", "keep-alive", "no-done"])
async def test_the_reply_arrives_whole(model: str) -> None:
    async with openai(model) as (engine, _):
        tokens = [token async for token in engine.stream(HELLO)]
    assert [token.text for token in tokens] == list(REPLY)
    assert {token.source for token in tokens} == {"openai"}


async def test_an_answer_cut_at_its_limit_simply_ends() -> None:
    async with openai("length") as (engine, _):
        assert await reply(engine) == "".join(REPLY[:3])


async def test_the_request_is_one_that_every_such_server_understands() -> None:
    context = ReplyContext(history=(Utterance(role="user", text="안녕"), Utterance(role="assistant", text="네")))
    async with openai(api_key="secret", server_key="secret") as (engine, stand_in):
        await engine.warm_up()
        await reply(engine, ReplyRequest("바닷가", context))
    body = stand_in.exchanges[-1].body
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][-1]["content"] == "바닷가"
    assert sorted(body) == ["max_tokens", "messages", "model", "stream"]


@pytest.mark.parametrize(
    ("model", "kind"),
    [("no-such-model", LlmMisconfigured), ("bad-request", LlmMisconfigured), ("blocked-prompt", LlmBlocked)],
)
async def test_what_asking_again_cannot_mend_is_not_asked_again(model: str, kind: type[LlmError]) -> None:
    async with openai(model) as (engine, stand_in):
        error, _ = await failure(engine)
    assert type(error) is kind and error.before_first_token
    assert len(stand_in.exchanges) == 1


async def test_a_wrong_key_is_found_at_warm_up() -> None:
    async with openai(api_key="wrong-secret", server_key="secret") as (engine, _):
        with pytest.raises(LlmMisconfigured) as caught:
            await engine.warm_up()
        error, _ = await failure(engine)
    assert isinstance(error, LlmMisconfigured) and "wrong-secret" not in f"{caught.value}{error}"


async def test_a_quota_says_when_it_is_worth_asking_again() -> None:
    async with openai("quota") as (engine, stand_in):
        error, _ = await failure(engine)
    assert isinstance(error, LlmRateLimited) and error.retry_after_seconds == 40.0
    assert len(stand_in.exchanges) == 1


@pytest.mark.parametrize("trouble", ["rate-limited", "unavailable", "early-error-event", "empty"])
async def test_trouble_before_the_first_token_is_never_heard_of(trouble: str) -> None:
    async with openai() as (engine, stand_in):
        stand_in.answer_next(SCENARIOS[trouble])
        assert await reply(engine) == WHOLE
    assert len(stand_in.exchanges) == 2


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("error-event", LlmInterrupted),
        ("error-sentence", LlmInterrupted),
        ("garbage", LlmInterrupted),
        ("cut", LlmInterrupted),
        ("unfinished", LlmInterrupted),
        ("content-filter", LlmBlocked),
    ],
)
async def test_trouble_after_the_first_token_is_told_and_never_retried(model: str, kind: type[LlmError]) -> None:
    async with openai(model) as (engine, stand_in):
        error, said = await failure(engine)
    assert type(error) is kind and not error.before_first_token
    assert said == "".join(REPLY[:2])
    assert len(stand_in.exchanges) == 1


@pytest.mark.parametrize(
    ("model", "deadlines", "kind"),
    [
        ("slow-first-token", Deadlines(first_seconds=0.3), LlmUnavailable),
        ("stalled", Deadlines(first_seconds=10.0, next_seconds=0.3), LlmInterrupted),
    ],
)
async def test_deadlines_hang_up(model: str, deadlines: Deadlines, kind: type[LlmError]) -> None:
    async with openai(model, deadlines=deadlines) as (engine, stand_in):
        error, _ = await failure(engine)
        assert type(error) is kind
        await hung_up(stand_in.exchanges[0])


async def test_cancelling_the_reader_hangs_up() -> None:
    async with openai("endless") as (engine, stand_in):
        listening = asyncio.create_task(reply(engine))
        exchange = await stand_in.arrivals.get()
        listening.cancel()
        await asyncio.wait({listening})
        assert listening.cancelled()
        await hung_up(exchange)


async def test_closing_the_stream_hangs_up() -> None:
    async with openai("endless") as (engine, stand_in):
        async with aclosing(engine.stream(HELLO)) as tokens:
            await anext(tokens)
        await hung_up(stand_in.exchanges[0])


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("http://127.0.0.1:9/v1", LlmUnavailable),
        ("localhost", LlmMisconfigured),
        ("http://host:port/v1", LlmMisconfigured),
    ],
)
async def test_an_address_that_leads_nowhere(address: str, kind: type[LlmError]) -> None:
    engine = OpenAiCompatibleLlm(address, "a-model", deadlines=Deadlines(first_seconds=0.3))
    error, _ = await failure(engine)
    assert type(error) is kind
    with pytest.raises(kind):
        await engine.warm_up()
    await engine.aclose()
