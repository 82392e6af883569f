"""A reply of an OpenAI-compatible server's, round by round: words, the functions it wants called, further words.

https://platform.openai.com/docs/guides/function-calling. A call comes in pieces, by its place in the list: the name
first, then its arguments a few characters at a time; small servers send it whole. Some give no id.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gpu_node.engines import ReplyRequest, ToolAnswer
from gpu_node.engines.tool_rounds import Wanted, tools_of
from gpu_node.errors import LlmBlocked, LlmUnavailable
from gpu_node.persona import conversation, system_prompt
from streaming.tools import MAX_ARGUMENTS_CHARACTERS

MAX_CALLS_AT_ONCE = 16
"""Of one answer; a stream that goes on with others is broken."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


class Answer:
    """What the events so far say, and about how the answer ended. `said`: its words."""

    def __init__(self) -> None:
        self.said = ""
        self._calls: dict[int, _Call] = {}
        self._finish = ""

    def text_of(self, event: Any) -> str:
        """The event's words; raises ValueError where it is not the protocol's."""
        if not isinstance(event, dict):
            raise ValueError("an event that is not an object")
        choices = event.get("choices") or [{}]  # a last event with the usage has none
        choice = choices[0]
        if not isinstance(choice, dict):
            raise ValueError("a choice that is not an object")
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            return ""
        for place, piece in enumerate(delta.get("tool_calls") or ()):
            self._take(place, piece)
        content = delta.get("content")
        text = content if isinstance(content, str) else ""
        self.said += text
        return text

    def _take(self, place: int, piece: Any) -> None:
        if not isinstance(piece, dict):
            raise ValueError("a call that is not an object")
        index = piece.get("index", place)
        call = self._calls.setdefault(index if isinstance(index, int) else place, _Call())
        function = piece.get("function") or {}
        call.id = str(piece.get("id") or call.id)
        call.name = str(function.get("name") or call.name)
        call.arguments += str(function.get("arguments") or "")
        if len(self._calls) > MAX_CALLS_AT_ONCE or len(call.arguments) > 2 * MAX_ARGUMENTS_CHARACTERS:
            raise ValueError("calls without an end")

    @property
    def calls(self) -> list[Wanted]:
        return [
            Wanted(call.name, call.arguments or "{}", call.id or f"call_{index}")
            for index, call in sorted(self._calls.items())
        ]

    def pronounce(self, *, finished: bool) -> None:
        """Raises unless the answer ended as an answer should; `finished`: the server said `[DONE]`."""
        if self._finish == "content_filter":
            raise LlmBlocked("openai stopped the answer: content_filter")
        if not finished and not self._finish:
            raise LlmUnavailable("openai broke the answer off")
        if not self.said and not self._calls:
            raise LlmUnavailable(f"openai answered nothing: {self._finish or 'no finish reason'}")


Answered = Callable[[dict[str, Any], Answer], AsyncGenerator[str, None]]


class OpenAiRounds:
    """`gpu_node.engines.tool_rounds.Rounds` of `chat/completions`."""

    def __init__(self, request: ReplyRequest, answered: Answered) -> None:
        self._messages: list[dict[str, Any]] = [
            {"role": "system", "content": request.instructions or system_prompt(request.context)}
        ]
        self._messages += [{"role": role, "content": text} for role, text in conversation(request)]
        self._declared = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in tools_of(request)
        ]
        self._answered = answered
        self._called = False
        self._answer = Answer()

    @property
    def wanted(self) -> list[Wanted]:
        return self._answer.calls

    def read(self, *, tools: bool) -> AsyncGenerator[str, None]:
        self._answer = Answer()
        body: dict[str, Any] = {"messages": self._messages}
        if self._declared and (tools or self._called):
            body["tools"] = self._declared
            if not tools:
                body["tool_choice"] = "none"
        return self._answered(body, self._answer)

    def add(self, answers: Sequence[tuple[Wanted, ToolAnswer]]) -> None:
        self._called = True
        calls = [
            {"id": wanted.id, "type": "function", "function": {"name": wanted.name, "arguments": wanted.arguments}}
            for wanted, _ in answers
        ]
        self._messages.append({"role": "assistant", "content": self._answer.said or None, "tool_calls": calls})
        self._messages += [
            # Some endpoints want the name as well, and the others let it pass.
            {"role": "tool", "tool_call_id": wanted.id, "name": wanted.name, "content": answer.result}
            for wanted, answer in answers
        ]
