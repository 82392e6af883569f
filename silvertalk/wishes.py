"""What 복실이 asked leave to do: to write something down, or to forget it. Pure.

A wish is asked about in words that say all of it, and a yes in the person's next turn has it done: once, however often
it is tried, since what is written has ids that follow from the wish. It stands in the record of the turn that asked, so
that it outlives the gateway.
"""

from __future__ import annotations

import json
from uuid import NAMESPACE_URL, uuid5

import msgspec

ASKS_LEAVE = "asks_leave"
"""The `source` of a reply that ends with the question."""
WISH_SECONDS = 180.0
"""A yes that comes later answers something else."""
HEARD_SHARE = 0.75
"""A question that was cut off counts where so much of it was heard: its verb comes last."""
MAX_WISH_CHARACTERS = 4_000


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """`tool`: one that writes; `arguments`: as it is carried out, nothing left open; `question`: as it was asked."""

    tool: str
    arguments: dict[str, str]
    question: str

    def encoded(self) -> str:
        return msgspec.json.encode(self).decode()

    def id_for(self, user: str, session: str, number: int) -> str:
        """Of the `number`-th thing that it writes: the same whoever writes it, and however often. The same words once
        more in one conversation are the same wish."""
        named = json.dumps([user, session, self.tool, self.arguments, number], ensure_ascii=False, sort_keys=True)
        return str(uuid5(NAMESPACE_URL, f"silvertalk:wish:{named}"))


def wish_of(encoded: str) -> Wish | None:
    """The inverse of `encoded`; None for anything else."""
    if not encoded or len(encoded) > MAX_WISH_CHARACTERS:
        return None
    try:
        return msgspec.json.decode(encoded, type=Wish)
    except msgspec.MsgspecError:
        return None


def was_heard(question: str, reply: str, heard: str, *, interrupted: bool) -> bool:
    """Whether so much of the question, with which the reply ends, was heard that an answer is an answer to it."""
    unheard = len(reply) - len(heard)
    return bool(heard) and (not interrupted or unheard <= (1 - HEARD_SHARE) * min(len(question), len(reply)))
