"""What was said before: what a reply's context tells a node of the conversation so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from silvertalk.repair import Request
from silvertalk.turn import Turn
from streaming.messages import Language, ReplyContext, TurnRecord, Utterance

Inform = Callable[[ReplyContext, int], ReplyContext]
"""Adds to a context what is known of the person, and so many earlier turns at most."""


def _as_a_stranger(context: ReplyContext, turns_left: int) -> ReplyContext:
    return context


class History:
    """The turn in hand and so many before it. Older ones fall out; the database keeps them."""

    def __init__(
        self, turns: int, *, language: Language, local_time: Callable[[], str], inform: Inform = _as_a_stranger
    ) -> None:
        self._language: Language = language
        self._local_time = local_time
        self._inform = inform
        self._room = turns
        # Turns that an earlier gateway closed are here as it recorded them.
        self._turns: deque[Turn | TurnRecord] = deque(maxlen=turns + 1)

    def add(self, turns: Iterable[Turn | TurnRecord]) -> None:
        self._turns.extend(turns)

    def forget(self, turn: Turn) -> None:
        """Nothing was said in this turn after all."""
        self._turns = deque((known for known in self._turns if known is not turn), self._turns.maxlen)

    @property
    def last_reply(self) -> str:
        """What was said last, so that it can be said again; what was itself such a repetition is passed over."""
        replies = (turn.reply_text if isinstance(turn, Turn) else turn.reply for turn in self._not_repeated())
        return next((reply for reply in replies if reply), "")

    def _not_repeated(self) -> Iterator[Turn | TurnRecord]:
        return (turn for turn in reversed(self._turns) if turn.source not in get_args(Request))

    @property
    def was_left_behind(self) -> bool:
        """The person went on in another turn before the last one was answered."""
        last = self._turns[-1] if self._turns else None
        return isinstance(last, Turn) and last.left_behind and last.opened.text != ""

    @property
    def first_event(self) -> int:
        """The last event before the oldest turn; 0 where another gateway told it, or there is none."""
        oldest = self._turns[0] if self._turns else None
        return oldest.first_event if isinstance(oldest, Turn) else 0

    def context_before(self, asked: Turn | None) -> ReplyContext:
        """What a node is told of the talk before the turn `asked`; of all of it where none is named."""
        said: list[Utterance] = []
        room = self._room
        for turn in self._turns:
            if turn is asked:
                break
            room -= 1
            if turn.transcript:
                said.append(Utterance(role="user", text=turn.transcript))
            if turn.heard:
                said.append(Utterance(role="assistant", text=turn.heard, interrupted=turn.interrupted))
        context = ReplyContext(
            language=self._language, history=tuple(said), local_time=self._local_time(), outside_services=False
        )
        return self._inform(context, max(0, room))
