"""How a reply with tools goes on: the LLM's words, what it wants carried out, and its next words.

The same for every service; each only dresses the rounds in its own request format. In a round the LLM is read as any
reply is (deadlines, another attempt before the first word); tools are carried out between two rounds, while no
connection is open.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import structlog

from gpu_node.engines import ReplyRequest, Token, ToolAnswer
from gpu_node.engines.upstream import Deadlines, read
from gpu_node.errors import LlmBlocked, LlmError, LlmInterrupted, LlmMisconfigured, LlmUnavailable
from streaming.tools import TOOLS, Tool

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tool that the LLM asks for; `arguments` a JSON object, `id` the service's own, if it gives one."""

    name: str
    arguments: str
    id: str = ""


class Rounds(Protocol):
    """One reply's conversation with a service, in the service's own format."""

    @property
    def wanted(self) -> Sequence[Wanted]:
        """What the round that was read last asks for."""
        ...

    def read(self, *, tools: bool) -> AsyncIterator[str]:
        """The next round's words; opened anew, it is the same round. `tools`: further ones may be asked for."""
        ...

    def add(self, answers: Sequence[tuple[Wanted, ToolAnswer]]) -> None:
        """What came of the tools: the next round goes on from there."""
        ...


def tools_of(request: ReplyRequest) -> list[Tool]:
    """Those that may be asked for."""
    return [TOOLS[name] for name in request.context.tools if name in TOOLS] if request.call_tool else []


async def reply(
    rounds: Rounds, request: ReplyRequest, deadlines: Deadlines, *, name: str
) -> AsyncGenerator[Token, None]:
    """The reply's tokens, whatever tools it takes. Raises LlmErrors; after the first token as LlmInterrupted, unless
    the service refused the words themselves."""
    call_tool = request.call_tool
    tools, spoke = bool(tools_of(request)), False
    while True:
        try:
            async with aclosing(read(_round(rounds, tools), deadlines, name=name)) as pieces:
                async for piece in pieces:
                    spoke = True
                    yield Token(piece, name)
        except LlmMisconfigured as error:
            if spoke or not tools or "tool" not in str(error).lower():
                raise
            # An older server, or a model that was never taught to: it can still talk.
            log.warning("llm_takes_no_tools", engine=name, detail=str(error))
            tools = False
            continue
        except LlmError as error:
            if not spoke or not error.before_first_token:
                raise
            error.before_first_token = False  # of this round, but not of the reply
            if isinstance(error, LlmBlocked):
                raise
            raise LlmInterrupted(str(error)) from error
        if call_tool is None or not rounds.wanted:
            return
        if not tools:
            if spoke:
                return
            raise LlmUnavailable(f"{name} asks for tools, and does not answer")
        answers: list[tuple[Wanted, ToolAnswer]] = []
        for wanted in rounds.wanted:
            answer = await call_tool(wanted.name, wanted.arguments)
            if answer.say:
                yield Token(f" {answer.say}", answer.say_as)
                return
            answers.append((wanted, answer))
        tools = not any(answer.last for _, answer in answers)
        rounds.add(answers)


def _round(rounds: Rounds, tools: bool) -> Callable[[], AsyncIterator[str]]:
    return lambda: rounds.read(tools=tools)
