"""The tools of one reply on the node: asked of the gateway, waited for, and let go of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

from gpu_node.engines import ReplyRequest, Token, ToolAnswer
from gpu_node.engines.scripted import ScriptedLlm
from gpu_node.tool_calls import ToolCalls
from streaming.messages import Message, ReplyText, ToolAnswered, ToolAsked
from streaming.tools import MAX_ARGUMENTS_CHARACTERS, MAX_CALLS
from tests.gpu_node.test_speaking import START, Tts, speaking


class Gateway:
    """Keeps what was asked, and answers when it is told to."""

    def __init__(self, **options: float) -> None:
        self.asked: asyncio.Queue[ToolAsked] = asyncio.Queue()
        self.calls = ToolCalls(2, self._take, **options)

    def _take(self, message: Message) -> None:
        assert isinstance(message, ToolAsked)
        self.asked.put_nowait(message)

    def answers(self, message: ToolAsked, **changes: object) -> None:
        answer = {"attempt": message.attempt, "call": message.call, "result": f'{{"of": "{message.name}"}}', **changes}
        self.calls.answered(ToolAnswered(**answer))  # type: ignore[arg-type]


async def test_what_is_answered_reaches_whoever_asked() -> None:
    gateway = Gateway()
    first = asyncio.create_task(gateway.calls.call("find_events", "{}"))
    second = asyncio.create_task(gateway.calls.call("find_photos", '{"place": "부산"}'))
    one, two = await gateway.asked.get(), await gateway.asked.get()
    assert (one.attempt, one.call, two.call, two.arguments) == (2, 1, 2, '{"place": "부산"}')
    gateway.answers(two)
    gateway.answers(one, attempt=1)  # of another attempt
    gateway.answers(one)
    gateway.answers(one, result="{}")  # once more, as a node hears it that reads all of a turn
    assert (await first).result == '{"of": "find_events"}' and (await second).result == '{"of": "find_photos"}'


async def test_a_gateway_that_says_nothing_is_not_waited_for() -> None:
    gateway = Gateway(call_seconds=0.01)
    answer = await gateway.calls.call("find_events", "{}")
    assert "error" in json.loads(answer.result)
    gateway.answers(await gateway.asked.get())  # late, not wrong


async def test_there_is_an_end_to_asking() -> None:
    gateway = Gateway(call_seconds=0.001)
    answers = [await gateway.calls.call("find_events", "{}") for _ in range(MAX_CALLS + 2)]
    assert [answer.last for answer in answers] == [False] * (MAX_CALLS - 1) + [True] * 3
    assert gateway.asked.qsize() == MAX_CALLS


async def test_all_calls_together_have_their_time() -> None:
    gateway = Gateway(call_seconds=10, all_seconds=0.01)
    await gateway.calls.call("find_events", "{}")
    assert (await gateway.calls.call("find_events", "{}")).last


async def test_what_is_no_tool_is_not_asked_for() -> None:
    gateway = Gateway()
    for name, arguments in (("delete_everything", "{}"), ("find_events", "x" * (MAX_ARGUMENTS_CHARACTERS + 1))):
        assert "error" in json.loads((await gateway.calls.call(name, arguments)).result)
    assert gateway.asked.empty()


class ToolLlm(ScriptedLlm):
    """Asks for a tool, then says what came of it."""

    def __init__(self, first: str = "") -> None:
        super().__init__()
        self.first, self.asking, self.closed = first, asyncio.Event(), asyncio.Event()
        self.answers: list[ToolAnswer] = []

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        assert request.call_tool is not None
        try:
            if self.first:
                yield Token(self.first, self.name)
            self.asking.set()
            answer = await request.call_tool("find_events", "{}")
            self.answers.append(answer)
            yield Token(json.loads(answer.result).get("say", "찾지 못했어요."), self.name)
        finally:
            self.closed.set()


async def test_a_mouth_speaks_before_and_after_its_tool() -> None:
    llm = ToolLlm("잠시만요, 달력을 볼게요. ")
    async with speaking(llm, Tts()) as said:
        mouth = said.mouth(START)
        replying = asyncio.create_task(mouth.reply("오늘 병원 가는 날인가"))
        async with asyncio.timeout(10):
            await llm.asking.wait()
            assert any(isinstance(message, ToolAsked) for message in said.sent)
            mouth.tool_answered(ToolAnswered(attempt=2, call=1, result='{"say": "네, 가시는 날이에요."}'))
            await replying
    texts = [message.text for message in said.sent if isinstance(message, ReplyText)]
    assert texts == ["잠시만요, 달력을 볼게요.", "네, 가시는 날이에요."]
    assert said.done.reason == "completed"


async def test_a_barge_in_lets_go_of_the_tool_and_of_the_llm() -> None:
    llm = ToolLlm()
    async with speaking(llm, Tts()) as said:
        mouth = said.mouth(START)
        replying = asyncio.create_task(mouth.reply("오늘 병원 가는 날인가"))
        async with asyncio.timeout(10):
            await llm.asking.wait()
            replying.cancel()
            await asyncio.wait([replying])
            await llm.closed.wait()
            mouth.cancelled()
            mouth.tool_answered(ToolAnswered(attempt=2, call=1, result="{}"))  # late, and nobody minds
    assert said.done.reason == "cancelled" and not llm.answers
