"""The tools of one reply: asked of the gateway, which carries them out, and waited for.

An LLM that asks for a tool says nothing meanwhile, and somebody waits for it to speak: so each call has its deadline,
and all of them together. What comes later than that is as good as never, and the LLM is told to answer without.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from gpu_node.engines import ToolAnswer
from streaming.messages import Message, ToolAnswered, ToolAsked
from streaming.tools import MAX_ARGUMENTS_CHARACTERS, MAX_CALLS, TOOLS

CALL_SECONDS = 4.0
"""The gateway gives its database two; the rest is for the bus, and for a gateway that just took the session over."""
ALL_SECONDS = 8.0
"""Of one reply's calls together, from the first of them on: a filler is long over by then."""


class ToolCalls:
    """Of one attempt. Cancelling the task that waits in `call` is enough to let go of it."""

    def __init__(
        self,
        attempt: int,
        send: Callable[[Message], None],
        *,
        call_seconds: float = CALL_SECONDS,
        all_seconds: float = ALL_SECONDS,
    ) -> None:
        self._attempt = attempt
        self._send = send
        self._call_seconds = call_seconds
        self._all_seconds = all_seconds
        self._ends_at: float | None = None
        self._asked = 0
        self._waiting: dict[int, asyncio.Future[ToolAnswered]] = {}  # at most MAX_CALLS

    async def call(self, name: str, arguments: str) -> ToolAnswer:
        """What came of the tool, or why nothing did; an LLM that asks for too much is told to answer."""
        loop = asyncio.get_running_loop()
        if self._ends_at is None:
            self._ends_at = loop.time() + self._all_seconds
        left = self._ends_at - loop.time()
        if self._asked >= MAX_CALLS or left <= 0:
            return _refused("too many calls: answer now with what you know", last=True)
        if name not in TOOLS or len(arguments) > MAX_ARGUMENTS_CHARACTERS:
            self._asked += 1  # a model that invents tools does not do so for ever
            return _refused("there is no such tool", last=self._asked >= MAX_CALLS)
        self._asked += 1
        call = self._asked
        answer = self._waiting[call] = loop.create_future()
        try:
            self._send(ToolAsked(attempt=self._attempt, call=call, name=name, arguments=arguments))
            async with asyncio.timeout(min(self._call_seconds, left)):
                answered = await answer
        except TimeoutError:
            return _refused("no answer in time: say that you cannot look just now", last=call >= MAX_CALLS)
        finally:
            del self._waiting[call]
        return ToolAnswer(answered.result, answered.say, answered.say_as, last=call >= MAX_CALLS)

    def answered(self, message: ToolAnswered) -> None:
        """One for another attempt, or for a call that is waited for no more, is late, not wrong."""
        answer = self._waiting.get(message.call)
        if message.attempt == self._attempt and answer is not None and not answer.done():
            answer.set_result(message)


def _refused(why: str, *, last: bool) -> ToolAnswer:
    return ToolAnswer(json.dumps({"error": why}), last=last)
