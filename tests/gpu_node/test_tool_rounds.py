"""Tools of a reply: Gemini's and OpenAI's function calls against servers on this machine, over real sockets."""

from __future__ import annotations

import json

import pytest

from gpu_node.engines import LanguageModel, ReplyRequest, Token, ToolAnswer
from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.reflective import ReflectiveListener
from gpu_node.errors import LlmInterrupted, LlmUnavailable
from silvertalk.standins import gemini as google
from silvertalk.standins import openai as others
from streaming.messages import ReplyContext
from streaming.tools import MAX_CALLS, TOOLS
from tests.gpu_node.test_gemini import gemini
from tests.gpu_node.test_openai_compatible import openai

CONTEXT = ReplyContext(tools=("find_events", "show_photo", "add_event"))


class Tools:
    """Answers tools, and keeps what was asked."""

    def __init__(self, *, last_at: int = MAX_CALLS, say: str = "", result: str = '{"events": []}') -> None:
        self.asked: list[tuple[str, str]] = []
        self._last_at, self._say, self._result = last_at, say, result

    async def __call__(self, name: str, arguments: str) -> ToolAnswer:
        self.asked.append((name, arguments))
        return ToolAnswer(self._result, self._say, "asks_leave" if self._say else "", len(self.asked) >= self._last_at)


async def reply(engine: LanguageModel, tools: Tools, context: ReplyContext = CONTEXT) -> list[Token]:
    request = ReplyRequest("오늘 병원 가는 날인가", context, call_tool=tools)
    return [token async for token in engine.stream(request)]


def text(tokens: list[Token]) -> str:
    return "".join(token.text for token in tokens)


# --- Gemini ----------------------------------------------------------------------------------------------------------


async def test_gemini_asks_hears_and_answers_and_its_signature_goes_back() -> None:
    tools = Tools(result='{"events": [{"title": "병원"}]}')
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        stand_in.answer_next(
            google.calling(google.Call("find_events", {"words": "병원"})), google.saying("네, 병원 가시는 날이에요.")
        )
        tokens = await reply(engine, tools)
    assert text(tokens) == "네, 병원 가시는 날이에요." and {token.source for token in tokens} == {"gemini"}
    assert [(name, json.loads(arguments)) for name, arguments in tools.asked] == [("find_events", {"words": "병원"})]
    asked, answered = (exchange.body for exchange in stand_in.exchanges)
    declared = [one["name"] for one in asked["tools"][0]["functionDeclarations"]]
    assert declared == list(CONTEXT.tools)
    called, result = answered["contents"][-2:]
    assert any("thoughtSignature" in part for part in called["parts"]), "Gemini 3 refuses a call without"
    assert result["parts"][0]["functionResponse"]["response"] == {"events": [{"title": "병원"}]}


async def test_several_calls_at_once_are_answered_together() -> None:
    tools = Tools()
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        calls = (google.Call("find_events", {"words": "병원"}), google.Call("show_photo"))
        stand_in.answer_next(google.calling(*calls, words=("잠시만요. ",)), google.saying("여기 있어요."))
        tokens = await reply(engine, tools)
    assert text(tokens) == "잠시만요. 여기 있어요."
    assert [name for name, _ in tools.asked] == ["find_events", "show_photo"]


async def test_a_question_for_leave_ends_the_reply_with_the_gateways_words() -> None:
    tools = Tools(say="내일 오후 세 시에 병원이라고 적어 드릴까요?")
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        stand_in.answer_next(google.calling(google.Call("add_event", {"title": "병원"})))
        tokens = await reply(engine, tools)
    assert text(tokens).strip() == "내일 오후 세 시에 병원이라고 적어 드릴까요?"
    assert tokens[-1].source == "asks_leave" and len(stand_in.exchanges) == 1


async def test_whoever_calls_without_end_is_told_to_answer_and_then_given_up() -> None:
    tools = Tools(last_at=2)
    async with gemini("calls-forever") as (engine, stand_in):
        with pytest.raises(LlmUnavailable):
            await reply(engine, tools)
    assert len(tools.asked) == 2
    mode = stand_in.exchanges[-1].body["toolConfig"]["functionCallingConfig"]["mode"]
    assert mode == "NONE"


@pytest.mark.parametrize("wrong", ["malformed-function-call", "unexpected-tool-call", "too-many-tool-calls"])
async def test_a_call_gone_wrong_is_asked_once_more_without_tools(wrong: str) -> None:
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        stand_in.answer_next(google.SCENARIOS[wrong])
        assert text(await reply(engine, Tools())) == "".join(google.REPLY)
    assert stand_in.exchanges[1].body["toolConfig"]["functionCallingConfig"]["mode"] == "NONE"


async def test_a_server_that_breaks_after_the_tool_leaves_the_answer_to_the_next_engine() -> None:
    tools = Tools()
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        stand_in.answer_next(
            google.calling(google.Call("find_events")), *[google.Scenario(status=503, message="overloaded")] * 9
        )
        tokens = await reply(FallbackChain([engine, ReflectiveListener()]), tools)
    assert {token.source for token in tokens} == {"reflective"} and tools.asked


async def test_a_server_that_breaks_after_words_and_a_tool_is_a_broken_reply() -> None:
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        stand_in.answer_next(
            google.calling(google.Call("find_events"), words=("잠시만요. ",)),
            *[google.Scenario(status=503, message="overloaded")] * 9,
        )
        with pytest.raises(LlmInterrupted):
            await reply(engine, Tools())


async def test_nothing_is_declared_to_whom_nothing_is_offered() -> None:
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        await reply(engine, Tools(), ReplyContext(tools=("of another version",)))
        assert "tools" not in stand_in.exchanges[0].body
        request = ReplyRequest("안녕", CONTEXT)  # nobody to carry them out
        assert [token async for token in engine.stream(request)]
        assert "tools" not in stand_in.exchanges[1].body


async def test_gemini_takes_every_declaration() -> None:
    async with gemini("gemini-3.5-flash-lite") as (engine, stand_in):
        assert await reply(engine, Tools(), ReplyContext(tools=tuple(TOOLS)))
        declared = stand_in.exchanges[0].body["tools"][0]["functionDeclarations"]
    assert [one["name"] for one in declared] == list(TOOLS)


# --- OpenAI-compatible servers ---------------------------------------------------------------------------------------


def calls(*names: str, arguments: str = '{"words": "병원"}', id: str = "") -> others.Scenario:
    made = tuple(others.Call(name, arguments, id and f"{id}-{name}") for name in names)
    return others.Scenario(words=(), calls=made, finish="tool_calls", between_ms=0)


@pytest.mark.parametrize("id", ["call", ""])
async def test_a_call_that_comes_in_pieces_is_put_together_and_answered(id: str) -> None:
    tools = Tools()
    async with openai() as (engine, stand_in):
        stand_in.answer_next(calls("find_events", "show_photo", id=id))
        tokens = await reply(engine, tools)
    assert text(tokens) == "".join(others.REPLY)
    assert tools.asked == [("find_events", '{"words": "병원"}'), ("show_photo", '{"words": "병원"}')]
    *_, called, first, second = stand_in.exchanges[1].body["messages"]
    ids = [call["id"] for call in called["tool_calls"]]
    assert ids == [first["tool_call_id"], second["tool_call_id"]] and len(set(ids)) == 2
    assert first["role"] == "tool" and first["content"] == '{"events": []}'


async def test_a_model_that_knows_no_tools_still_talks() -> None:
    async with openai(others.TOOLLESS) as (engine, stand_in):
        assert text(await reply(engine, Tools())) == "".join(others.REPLY)
    assert ["tools" in exchange.body for exchange in stand_in.exchanges] == [True, False]


async def test_one_that_calls_without_end_is_given_up() -> None:
    tools = Tools(last_at=3)
    async with openai("calls-forever") as (engine, stand_in):
        with pytest.raises(LlmUnavailable):
            await reply(engine, tools)
    assert len(tools.asked) == 3 and stand_in.exchanges[-1].body["tool_choice"] == "none"


@pytest.mark.parametrize(("arguments", "asked"), [("x" * 5_000, []), ("{", [("find_events", "{")])])
async def test_arguments_without_end_are_tried_again_and_broken_ones_passed_on(
    arguments: str, asked: list[tuple[str, str]]
) -> None:
    tools = Tools()
    async with openai() as (engine, stand_in):
        stand_in.answer_next(calls("find_events", arguments=arguments))
        assert text(await reply(engine, tools)) == "".join(others.REPLY)
    assert tools.asked == asked
