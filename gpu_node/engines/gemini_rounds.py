"""A reply of Gemini's, round by round: words, the functions it wants called, what came of them, further words.

https://ai.google.dev/gemini-api/docs/function-calling. What the model said goes back as it came, part by part, with its
thought signatures: Gemini 3 refuses a function call that lost its own
(https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from google.genai import types

from gpu_node.engines import ReplyRequest, ToolAnswer
from gpu_node.engines.tool_rounds import Wanted, tools_of
from gpu_node.errors import LlmBlocked, LlmUnavailable
from gpu_node.persona import conversation

_ENDED = frozenset({"STOP", "MAX_TOKENS"})
_BLOCKED = frozenset({"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"})
_MISCALLED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})
"""The model meant to call a function, and did so wrongly: asked once more, without any, it answers."""


class Verdict:
    """What the chunks so far say about how the answer ended. `parts`: all that was said, as it came."""

    def __init__(self) -> None:
        self.parts: list[types.Part] = []
        self._spoke = False
        self._finish = ""
        self._prompt_block = ""

    def of(self, chunk: types.GenerateContentResponse) -> str:
        """The chunk's words, thoughts left out; what else it says is remembered."""
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            self._prompt_block = str(chunk.prompt_feedback.block_reason.value)
        if not chunk.candidates:
            return ""
        candidate = chunk.candidates[0]
        if candidate.finish_reason is not None:
            self._finish = str(candidate.finish_reason.value)
        parts = (candidate.content.parts if candidate.content is not None else None) or ()
        self.parts += parts
        text = "".join(part.text for part in parts if part.text and not part.thought)
        self._spoke = self._spoke or bool(text)
        return text

    @property
    def calls(self) -> list[types.FunctionCall]:
        return [part.function_call for part in self.parts if part.function_call is not None]

    @property
    def miscalled(self) -> bool:
        return self._finish in _MISCALLED

    def pronounce(self) -> None:
        """Raises unless the answer ended as an answer should."""
        if self._prompt_block:
            raise LlmBlocked(f"gemini refused the prompt: {self._prompt_block}")
        if self._finish in _BLOCKED:
            raise LlmBlocked(f"gemini stopped the answer: {self._finish}")
        if self._finish not in _ENDED:
            raise LlmUnavailable(f"gemini broke the answer off: {self._finish or 'no finish reason'}")
        if not self._spoke and not self.calls:
            raise LlmUnavailable(f"gemini answered nothing: {self._finish}")


Generate = Callable[[list[types.ContentUnion], types.GenerateContentConfig, Verdict], AsyncGenerator[str, None]]


class GeminiRounds:
    """`gpu_node.engines.tool_rounds.Rounds` of `generateContent`."""

    def __init__(self, request: ReplyRequest, config: types.GenerateContentConfig, generate: Generate) -> None:
        self._contents: list[types.ContentUnion] = [
            types.Content(role="model" if role == "assistant" else "user", parts=[types.Part(text=text)])
            for role, text in conversation(request)
        ]
        self._plain = config
        self._declared = [_declaration(tool.name, tool.description, tool.parameters) for tool in tools_of(request)]
        self._generate = generate
        self._called = False
        self._verdict = Verdict()

    @property
    def wanted(self) -> list[Wanted]:
        return [
            Wanted(call.name or "", json.dumps(call.args or {}, ensure_ascii=False), call.id or "")
            for call in self._verdict.calls
        ]

    def read(self, *, tools: bool) -> AsyncGenerator[str, None]:
        may_call = tools and not self._verdict.miscalled
        self._verdict = Verdict()
        return self._generate(self._contents, self._config(tools or self._called, may_call), self._verdict)

    def add(self, answers: Sequence[tuple[Wanted, ToolAnswer]]) -> None:
        self._called = True
        results = [types.Part(function_response=_response(wanted, answer)) for wanted, answer in answers]
        self._contents += [
            types.Content(role="model", parts=self._verdict.parts),
            types.Content(role="user", parts=results),
        ]

    def _config(self, declared: bool, may_call: bool) -> types.GenerateContentConfig:
        if not declared or not self._declared:
            return self._plain
        mode = types.FunctionCallingConfigMode.AUTO if may_call else types.FunctionCallingConfigMode.NONE
        return self._plain.model_copy(
            update={
                "tools": [types.Tool(function_declarations=self._declared)],
                "tool_config": types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=mode)),
            }
        )


def _declaration(name: str, description: str, parameters: dict[str, Any]) -> types.FunctionDeclaration:
    if not parameters["properties"]:  # a schema of an object without properties is refused
        return types.FunctionDeclaration(name=name, description=description)
    return types.FunctionDeclaration(name=name, description=description, parameters_json_schema=parameters)


def _response(wanted: Wanted, answer: ToolAnswer) -> types.FunctionResponse:
    try:
        result = json.loads(answer.result)
    except ValueError:
        result = answer.result
    response = result if isinstance(result, dict) else {"result": result}
    return types.FunctionResponse(id=wanted.id or None, name=wanted.name, response=response)
