"""What was asked of 복실이 in one turn, and what of it has come: kept with the turn, which may be merged, taken over or
thrown away meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from silvertalk.wishes import Wish

if TYPE_CHECKING:
    from silvertalk.album import Shown

REQUESTED = "request"
"""Why a reply is cancelled that an LLM was asked for: what was said is a request, and is seen to here."""


@dataclass(frozen=True)
class Obliged:
    """What is said to a request, and what that is called. `wish`, `shown`: what is asked leave for and shown, once the
    answer is heard."""

    say: str
    say_as: str
    wish: Wish | None = None
    shown: Shown | None = None


@dataclass(frozen=True)
class Effects:
    """What a reply does once it is heard. `attempt`: the reply's, 0 for whichever says what the gateway has written."""

    attempt: int
    wish: Wish | None = None
    shown: Shown | None = None


@dataclass(slots=True)
class TurnRequests:
    """`tasks`: by request, so that what is asked twice in a turn that was merged is done once."""

    tasks: dict[str, asyncio.Task[Obliged]] = field(default_factory=dict)
    waiting_for: str = ""
    """The request that the turn waits for now."""
    granted: str = ""
    """The request that was a yes: what has been done must be told, whatever else is said in the turn."""
    effects: Effects | None = None
    calls: set[tuple[int, int]] = field(default_factory=set)
    """Tools that an LLM asked for, by attempt and call."""

    def go_on(self) -> None:
        """The person goes on: nothing that was about to be said counts."""
        self.waiting_for, self.effects = "", None

    def take_effects(self, attempt: int) -> Effects | None:
        """What the reply of this attempt does, given once."""
        effects = self.effects
        if effects is None or effects.attempt not in (0, attempt):
            return None
        self.effects = None
        return effects
