"""The reflective listener: an offline "language model" of our own, for when there is no other.

It takes up what was said, stays with the feeling in it and asks one question about the past. It knows no facts and
invents none, says so when it did not understand, and says the same to the same conversation. See `korean` and
`english` for how a reply is made, `distress` for what is answered before anything else.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.reflective import english, korean
from streaming.messages import ReplyContext


class ReflectiveListener:
    """A `gpu_node.engines.LanguageModel` without a model: a reply takes well under a millisecond or two."""

    name = "reflective"
    outside = False

    async def warm_up(self) -> None:
        """Builds the indexes of verbs and nouns."""
        korean.reply(ReplyRequest("산책을 다녀왔어요.", context=ReplyContext()))

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        """The reply word by word. After `released` it goes on where its own reply was left; where another engine
        began the reply, only the question that was still to be asked is added, if any."""
        for piece in re.findall(r"\S+\s*", remaining(compose(request), request.released)):
            yield Token(piece, self.name)

    async def aclose(self) -> None:
        """Nothing is held."""


def compose(request: ReplyRequest) -> str:
    """The whole reply, in the language of the context."""
    return english.reply(request) if request.context.language == "en" else korean.reply(request)


def remaining(reply: str, released: str) -> str:
    """What of `reply` is still to be said after `released`."""
    said = " ".join(released.split())
    if not said:
        return reply
    if reply.startswith(said):
        return reply[len(said) :].lstrip()
    if "?" in said:
        return ""
    questions = re.findall(r"[^.!?…]+\?", reply)
    return questions[-1].strip() if questions else ""
