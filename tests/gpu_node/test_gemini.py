"""Gemini's engine against a Gemini on this machine, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from gpu_node.engines import ReplyRequest
from gpu_node.engines.gemini import GeminiLlm
from gpu_node.engines.upstream import RETRY_SECONDS, Deadlines
from gpu_node.errors import LlmBlocked, LlmError, LlmInterrupted, LlmMisconfigured, LlmRateLimited, LlmUnavailable
from silvertalk.standins.gemini import REPLY, SCENARIOS, GeminiStandIn, Scenario, rate_limited
from silvertalk.standins.serving import served
from silvertalk.standins.streams import Exchange
from streaming.messages import ReplyContext, Utterance

WHOLE = "".join(REPLY)
HELLO = ReplyRequest("바닷가에 다녀왔어요", ReplyContext())
HUNG_UP_SECONDS = 5.0
"""How long a test waits for the server to notice: a bound on a failure, not a measurement."""


@asynccontextmanager
async def gemini(
    model: str = "normal", *, deadlines: Deadlines | None = None, api_key: str = "a-key", **options: str | None
) -> AsyncIterator[tuple[GeminiLlm, GeminiStandIn]]:
    stand_in = GeminiStandIn()
    async with served(stand_in.app) as url:
        engine = GeminiLlm(api_key, model=model, base_url=url, deadlines=deadlines, **options)  # type: ignore[arg-type]
        try:
            yield engine, stand_in
        finally:
            await engine.aclose()


async def reply(engine: GeminiLlm, request: ReplyRequest = HELLO) -> str:
    return "".join([token.text async for token in engine.stream(request)])


async def hung_up(exchange: Exchange) -> None:
    async with asyncio.timeout(HUNG_UP_SECONDS):
        await exchange.ended.wait()
    assert exchange.outcome == "disconnected"


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["normal", "thinking", "split", "line-feeds", "keep-alive", "gemini-3.5-flash-lite"])
async def test_the_reply_arrives_whole(model: str) -> None:
    async with gemini(model) as (engine, _):
        tokens = [token async for token in engine.stream(HELLO)]
    assert "".join(token.text for token in tokens) == WHOLE
    assert {token.source for token in tokens} == {"gemini"}
    assert len(tokens) == len(REPLY)


async def test_tokens_arrive_while_the_server_is_still_speaking() -> None:
    async with gemini("endless") as (engine, stand_in), aclosing(engine.stream(HELLO)) as tokens:
        assert (await anext(tokens)).text == REPLY[0]
        assert stand_in.exchanges[0].outcome == "running"


async def test_an_answer_cut_at_its_limit_simply_ends() -> None:
    async with gemini("max-tokens") as (engine, _):
        assert await reply(engine) == "".join(REPLY[:3])


async def test_the_request_says_everything_explicitly() -> None:
    context = ReplyContext(history=(Utterance(role="user", text="안녕"), Utterance(role="assistant", text="네")))
    async with gemini("normal", api_version="v1beta", thinking_level="low") as (engine, stand_in):
        await reply(engine, ReplyRequest("바닷가", context))
    exchange = stand_in.exchanges[0]
    assert exchange.path == "/v1beta/models/normal:streamGenerateContent"
    assert exchange.headers["x-goog-api-key"] == "a-key"
    # Google's JSON takes both spellings of a field; the SDK leaves this inner one in snake_case.
    assert exchange.body["generationConfig"]["thinkingConfig"] in ({"thinkingLevel": "LOW"}, {"thinking_level": "LOW"})
    assert [(turn["role"], turn["parts"]) for turn in exchange.body["contents"]] == [
        ("user", [{"text": "안녕"}]),
        ("model", [{"text": "네"}]),
        ("user", [{"text": "바닷가"}]),
    ]
    assert "복실이" in exchange.body["systemInstruction"]["parts"][0]["text"]
    assert {setting["threshold"] for setting in exchange.body["safetySettings"]} == {"BLOCK_ONLY_HIGH"}


async def test_thinking_can_be_left_out() -> None:
    async with gemini("normal", thinking_level=None) as (engine, stand_in):
        await reply(engine)
    assert "thinkingConfig" not in stand_in.exchanges[0].body["generationConfig"]


# --- refusals --------------------------------------------------------------------------------------------------------


async def failure(engine: GeminiLlm) -> tuple[LlmError, str]:
    said = ""
    with pytest.raises(LlmError) as caught:
        async for token in engine.stream(HELLO):
            said += token.text
    return caught.value, said


@pytest.mark.parametrize(
    ("model", "kind", "requests"),
    [
        ("gemini-2.0-flash", LlmMisconfigured, 1),
        ("bad-request", LlmMisconfigured, 1),
        ("forbidden", LlmMisconfigured, 1),
        ("blocked-prompt", LlmBlocked, 1),
        ("quota", LlmRateLimited, 1),
    ],
)
async def test_what_asking_again_cannot_mend_is_not_asked_again(
    model: str, kind: type[LlmError], requests: int
) -> None:
    async with gemini(model) as (engine, stand_in):
        error, said = await failure(engine)
    assert type(error) is kind and error.before_first_token and said == ""
    assert len(stand_in.exchanges) == requests


async def test_a_quota_says_when_it_is_worth_asking_again() -> None:
    async with gemini("quota") as (engine, _):
        error, _ = await failure(engine)
    assert isinstance(error, LlmRateLimited) and error.retry_after_seconds == 37.0


async def test_a_wrong_key_is_misconfiguration_and_is_not_repeated_in_the_error() -> None:
    async with gemini("normal", api_key="my-secret-key") as (engine, _):
        error, _ = await failure(engine)
        with pytest.raises(LlmMisconfigured):
            await engine.warm_up()
    assert isinstance(error, LlmMisconfigured) and "my-secret-key" not in str(error)


@pytest.mark.parametrize("model", ["unavailable", "internal", "deadline", "early-error-frame", "cut-at-once"])
async def test_a_server_in_trouble_is_asked_again_and_given_up_in_time(model: str) -> None:
    async with gemini(model) as (engine, stand_in):
        error, said = await failure(engine)
    assert type(error) is LlmUnavailable and error.before_first_token and said == ""
    began = [exchange.began_at for exchange in stand_in.exchanges]
    assert len(began) >= 2
    assert began[-1] - began[0] <= RETRY_SECONDS


@pytest.mark.parametrize("trouble", ["rate-limited", "unavailable", "empty-candidate", "cut-at-once"])
async def test_trouble_before_the_first_token_is_never_heard_of(trouble: str) -> None:
    async with gemini("normal") as (engine, stand_in):
        stand_in.answer_next(SCENARIOS[trouble])
        assert await reply(engine) == WHOLE
    assert len(stand_in.exchanges) == 2


async def test_retry_info_is_waited_for() -> None:
    async with gemini("normal") as (engine, stand_in):
        stand_in.answer_next(rate_limited("0.4s"))
        assert await reply(engine) == WHOLE
    first, second = stand_in.exchanges
    assert second.began_at - first.began_at >= 0.4


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("mid-stream-error", LlmInterrupted),
        ("error-without-code", LlmInterrupted),
        ("cut", LlmInterrupted),
        ("unfinished", LlmInterrupted),
        ("safety", LlmBlocked),
    ],
)
async def test_trouble_after_the_first_token_is_told_and_never_retried(model: str, kind: type[LlmError]) -> None:
    async with gemini(model) as (engine, stand_in):
        error, said = await failure(engine)
    assert type(error) is kind and not error.before_first_token
    assert said == "".join(REPLY[:2])
    assert len(stand_in.exchanges) == 1


async def test_a_frame_that_is_no_json_ends_the_reply() -> None:
    async with gemini("garbage") as (engine, _):
        error, said = await failure(engine)
    assert type(error) is LlmInterrupted and said == REPLY[0]


@pytest.mark.filterwarnings("ignore:SOMETHING_NEW is not a valid FinishReason")
async def test_a_reason_nobody_has_heard_of_is_an_interruption() -> None:
    async with gemini("unknown-finish") as (engine, _):
        error, said = await failure(engine)
    assert type(error) is LlmInterrupted and said == "".join(REPLY[:2])


async def test_nobody_at_the_address() -> None:
    engine = GeminiLlm("a-key", base_url="http://127.0.0.1:9", deadlines=Deadlines(first_seconds=0.3))
    error, _ = await failure(engine)
    assert type(error) is LlmUnavailable and error.before_first_token
    with pytest.raises(LlmUnavailable):
        await engine.warm_up()
    await engine.aclose()


# --- deadlines and hanging up ----------------------------------------------------------------------------------------


async def test_a_first_token_that_does_not_come_in_time() -> None:
    async with gemini("slow-first-token", deadlines=Deadlines(first_seconds=0.3)) as (engine, stand_in):
        error, _ = await failure(engine)
        assert type(error) is LlmUnavailable and error.before_first_token
        await hung_up(stand_in.exchanges[-1])


async def test_a_next_token_that_does_not_come_in_time() -> None:
    async with gemini("stalled", deadlines=Deadlines(next_seconds=0.3)) as (engine, stand_in):
        error, said = await failure(engine)
        assert type(error) is LlmInterrupted and said == REPLY[0]
        await hung_up(stand_in.exchanges[0])


async def test_cancelling_the_reader_hangs_up() -> None:
    async with gemini("endless") as (engine, stand_in):
        heard_enough = asyncio.Event()

        async def listen() -> None:
            heard = 0
            async for _ in engine.stream(HELLO):
                heard += 1
                if heard == 3:
                    heard_enough.set()

        listening = asyncio.create_task(listen())
        await heard_enough.wait()
        listening.cancel()
        await asyncio.wait({listening})
        assert listening.cancelled()
        await hung_up(stand_in.exchanges[0])


async def test_cancelling_before_the_first_token_hangs_up() -> None:
    async with gemini("slow-first-token") as (engine, stand_in):
        listening = asyncio.create_task(reply(engine))
        exchange = await stand_in.arrivals.get()
        listening.cancel()
        await asyncio.wait({listening})
        await hung_up(exchange)


async def test_closing_the_stream_hangs_up_even_when_the_reader_stood_still() -> None:
    async with gemini("endless") as (engine, stand_in):
        async with aclosing(engine.stream(HELLO)) as tokens:
            await anext(tokens)
            await asyncio.sleep(0.2)  # pieces pile up unread meanwhile
        await hung_up(stand_in.exchanges[0])


async def test_dropping_the_stream_hangs_up() -> None:
    async with gemini("endless") as (engine, stand_in):
        async for _ in engine.stream(HELLO):
            break
        await hung_up(stand_in.exchanges[0])


async def test_a_server_that_floods_is_broken_off() -> None:
    async with gemini("normal") as (engine, stand_in):
        stand_in.answer_next(Scenario(words=REPLY * 2_000, between_ms=0))
        async with aclosing(engine.stream(HELLO)) as tokens:
            await anext(tokens)
            await hung_up(stand_in.exchanges[0])
            with pytest.raises(LlmInterrupted):
                async for _ in tokens:
                    pass


async def test_one_engine_serves_many_replies_at_once_and_after_cancellations() -> None:
    async with gemini("normal") as (engine, stand_in):
        await engine.warm_up()
        replies = [asyncio.create_task(reply(engine)) for _ in range(12)]
        await asyncio.sleep(0)
        for cancelled in replies[::3]:
            cancelled.cancel()
        await asyncio.wait(replies)
        assert {task.result() for task in replies if not task.cancelled()} == {WHOLE}
        assert await reply(engine) == WHOLE
    assert len(stand_in.exchanges) <= 14
