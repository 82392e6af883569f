"""Doing what is asked for in a conversation: by the person, in words that need no LLM, or by an LLM as it replies.

A request of the person's takes the place of the LLM's reply: what comes of it is said word for word. A tool of an LLM's
is answered to the node, which goes on with its reply. What writes is asked about first, in words that are made here
from what would be written, whoever asked for it; only the person's own yes, in their next turn, has it done. So an LLM
that was talked into something by a photo or a memory can at most make 복실이 ask a question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from silvertalk.history import History
from silvertalk.repair import repair_in
from silvertalk.spoken_clause import Request
from silvertalk.spoken_consent import asks_again, consent_in
from silvertalk.spoken_requests import request_in
from silvertalk.turn import Turn
from silvertalk.turn_requests import Effects, Obliged
from silvertalk.voice_tools import Found, VoiceTools, arguments_of
from silvertalk.wishes import ASKS_LEAVE, Wish
from streaming.logs import logger
from streaming.messages import Language, ToolAnswered, ToolAsked
from streaming.text import normalized
from streaming.tools import MAX_CALLS, TOOLS

log = logger("obliging")

GRANTED, NOT_GRANTED, DECLINED = "granted", "not_granted", "declined"
"""What is said after leave was asked: the reply's `source`. Of other answers it is the tool's name."""
SHORT_ANSWER = 20
"""Characters. Who answers a question for leave with so few that are no yes has answered it, with something else; who
says more is telling something."""
MAX_REQUESTS = 16
"""Of one turn, however often it is merged."""

Spawn = Callable[[Coroutine[Any, Any, Obliged], str], "asyncio.Task[Obliged]"]
Oblige = Callable[[Turn, Obliged], None]


@dataclass(frozen=True)
class Wanted:
    """What a person asks for. `name` is the same for the same request."""

    name: str
    work: Callable[[], Coroutine[Any, Any, Obliged]]
    is_yes: bool = False


class Obliging:
    """Of one conversation. `spawn` owns its tasks, and lets those end that the conversation's end finds under way."""

    def __init__(self, tools: VoiceTools | None, history: History, *, language: Language, spawn: Spawn) -> None:
        """Without `tools` there is nothing that can be asked for."""
        self._tools = tools
        self._history = history
        self._language: Language = language
        self._spawn = spawn

    def names(self) -> tuple[str, ...]:
        """The tools that an LLM may ask for now."""
        return self._tools.names if self._tools is not None else ()

    # --- what the person asks for ------------------------------------------------------------------------------------

    def wanted_by(self, turn: Turn, text: str) -> Wanted | None:
        """What `text`, all that was said in the turn, asks for; None where it is for an LLM to answer."""
        tools, asked = self._tools, turn.requests
        if tools is None:
            return None
        if asked.granted:
            return Wanted(asked.granted, _nothing, is_yes=True)
        if not text.strip():
            return None  # a cough answers no question
        wish = self._history.wish_before(turn)
        if wish is not None and (answer := self._answer_to(wish, text, tools)) is not None:
            return answer
        request = request_in(text, self._language, tools.now())
        if request is not None:
            return Wanted(f"{request.name} {sorted(request.arguments.items())}", lambda: self._oblige(request, turn))
        if wish is not None and len(normalized(text)) <= SHORT_ANSWER:
            return Wanted("drop", lambda: _said(tools.dropped(wish), DECLINED))
        return None

    def _answer_to(self, wish: Wish, text: str, tools: VoiceTools) -> Wanted | None:
        match consent_in(text, self._language):
            case "yes":
                return Wanted("yes", lambda: self._grant(wish, tools), is_yes=True)
            case "no":
                return Wanted("no", lambda: _said(tools.declined(wish), DECLINED))
        if asks_again(text, self._language):
            return Wanted("again", lambda: _said(wish.question, ASKS_LEAVE, wish))
        return None

    def begin(self, turn: Turn, wanted: Wanted, done: Oblige) -> None:
        """See to it; `done` is called with what is to be said, unless the person has gone on or the turn is over."""
        asked = turn.requests
        asked.waiting_for = wanted.name
        if wanted.is_yes:
            asked.granted = wanted.name
        task = asked.tasks.get(wanted.name)
        if task is None:
            if len(asked.tasks) >= MAX_REQUESTS:
                asked.tasks.clear()
            task = asked.tasks[wanted.name] = self._spawn(wanted.work(), f"oblige:{turn.number}")

        def finished(task: asyncio.Task[Obliged]) -> None:
            if task.cancelled() or turn.over or turn.left_behind or asked.waiting_for != wanted.name:
                return
            asked.waiting_for = ""
            obliged = task.result()
            asked.effects = Effects(0, obliged.wish, obliged.shown)
            done(turn, obliged)

        task.add_done_callback(finished)

    async def _oblige(self, request: Request, turn: Turn) -> Obliged:
        assert self._tools is not None, "asked of nobody"
        if request.name == "clock":
            return Obliged(self._tools.clock(), "clock")
        if request.name == "own_words":
            return Obliged(self._tools.own_words(self._history.words_before(turn, self._tells)), "own_words")
        arguments: Mapping[str, object] = request.arguments
        if request.name == "forget_memory" and not arguments:  # that: what was told just before
            arguments = {"turn": str(told)} if (told := self._history.told_before(turn, self._tells)) else {}
        found = await self._tools.answer(request.name, arguments)
        said_as = ASKS_LEAVE if found.wish is not None else request.name
        return Obliged(found.say, said_as, found.wish, found.shown)

    def _tells(self, text: str) -> bool:
        """Whether these words of an earlier turn tell something: who asks what they said last, or wants it forgotten,
        means neither their question nor the yes and no about it."""
        if consent_in(text, self._language) or repair_in(text, self._language) or asks_again(text, self._language):
            return False
        return self._tools is None or request_in(text, self._language, self._tools.now()) is None

    async def _grant(self, wish: Wish, tools: VoiceTools) -> Obliged:
        done = await tools.carry_out(wish)
        return Obliged(done.say, GRANTED if done.was_done else NOT_GRANTED)

    # --- what an LLM asks for ----------------------------------------------------------------------------------------

    def tool_asked(self, turn: Turn, message: ToolAsked) -> None:
        """A node's LLM wants a tool. It is answered whatever comes of it, unless its reply counts no more."""
        call = (message.attempt, message.call)
        if call in turn.requests.calls or not 1 <= message.call <= MAX_CALLS:
            return
        turn.requests.calls = {known for known in turn.requests.calls if known[0] == message.attempt} | {call}
        self._spawn(self._answer(turn, message), f"tool:{turn.number}:{message.call}")

    async def _answer(self, turn: Turn, message: ToolAsked) -> Obliged:
        found = await self._found(message)
        obliged = Obliged(found.say, ASKS_LEAVE, found.wish, found.shown)
        if not turn.is_current(message.attempt):
            return obliged
        log.info("tool_answered", turn=turn.number, tool=message.name, failed="error" in found.result)
        before = turn.requests.effects
        if before is not None and before.attempt == message.attempt:  # of two that show something the later counts
            obliged = Obliged(found.say, ASKS_LEAVE, found.wish or before.wish, found.shown or before.shown)
        turn.requests.effects = Effects(message.attempt, obliged.wish, obliged.shown)
        asks = found.wish is not None
        turn.send_up(
            ToolAnswered(
                attempt=message.attempt,
                call=message.call,
                result=found.encoded(),
                say=found.say if asks else "",
                say_as=ASKS_LEAVE if asks else "",
            )
        )
        return obliged

    async def _found(self, message: ToolAsked) -> Found:
        if self._tools is None or message.name not in TOOLS:
            return Found({"error": "there is no such tool"}, "")
        try:
            arguments = arguments_of(message.arguments)
        except ValueError as error:
            return Found({"error": f"the arguments are no JSON object: {error}"}, "")
        declared = TOOLS[message.name].parameters["properties"]  # others are the gateway's own, as which turn is meant
        known = {name: value for name, value in arguments.items() if name in declared}
        return await self._tools.answer(message.name, known)


async def _nothing() -> Obliged:
    raise AssertionError("what was granted has its task")


async def _said(say: str, say_as: str, wish: Wish | None = None) -> Obliged:
    return Obliged(say, say_as, wish)
