"""What was said before: what a reply's context tells a node of the conversation so far."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import get_args

from silvertalk.repair import Request
from silvertalk.turn import Turn
from silvertalk.wishes import ASKS_LEAVE, WISH_SECONDS, Wish, was_heard, wish_of
from streaming.messages import Language, ReplyContext, TurnRecord, Utterance

Inform = Callable[[ReplyContext, int, str], ReplyContext]
"""Adds to a context what is known of the person, and so many earlier turns at most; the text is what is being said."""

WORDS_CHARACTERS = 1_000
"""Of what is being said, the newest: by it memories come to mind."""


_KEPT_WAITING = frozenset((*get_args(Request), "prompt", "clarification"))
"""Replies after which a question asked before is still open: it was said again, or they were only kept company."""


def as_a_stranger(context: ReplyContext, turns_left: int, words: str) -> ReplyContext:
    """Nothing is known of them."""
    return context


def _nothing() -> Collection[int]:
    return ()


class History:
    """The turn in hand and so many before it. Older ones fall out; the database keeps them."""

    def __init__(
        self,
        turns: int,
        *,
        language: Language,
        local_time: Callable[[], str],
        inform: Inform = as_a_stranger,
        forgotten: Callable[[], Collection[int]] = _nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`forgotten`: the turns that no context may tell of any more. `clock` counts seconds."""
        self._language: Language = language
        self._local_time = local_time
        self._inform = inform
        self._forgotten = forgotten
        self._room = turns
        self._clock = clock
        self._taken_up_at = clock()
        """Since when earlier turns are known here: when they were spoken only another host's clock tells."""
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
        replies = (_text(turn) for turn in self._not_repeated())
        return next((reply for reply in replies if reply), "")

    def _not_repeated(self) -> Iterator[Turn | TurnRecord]:
        return (turn for turn in reversed(self._turns) if _source(turn) not in get_args(Request))

    def wish_before(self, asked: Turn) -> Wish | None:
        """What 복실이 asked leave for just before the turn `asked`, in words that were heard, if it did."""
        asking = (turn for turn in self._before(asked) if _source(turn) not in _KEPT_WAITING and not _was_noise(turn))
        last = next(asking, None)
        if last is None or _source(last) != ASKS_LEAVE or (wish := wish_of(last.wish)) is None:
            return None  # or it was cut off, or answered otherwise, before it came to the question
        age = last.reply.age if isinstance(last, Turn) else self._clock() - self._taken_up_at
        heard = was_heard(wish.question, _text(last), _heard(last), interrupted=last.interrupted)
        return wish if heard and age <= WISH_SECONDS else None

    def words_before(self, asked: Turn, tells: Callable[[str], bool]) -> str:
        """What the person told last before the turn `asked`."""
        forgotten = self._forgotten()
        told = (turn for turn in self._told_before(asked, tells) if _number(turn) not in forgotten)
        return next((turn.transcript for turn in told), "")

    def told_before(self, asked: Turn, tells: Callable[[str], bool]) -> int:
        """The number of the turn in which the person last told something; 0 where they have not."""
        return next((_number(turn) for turn in self._told_before(asked, tells)), 0)

    def _told_before(self, asked: Turn, tells: Callable[[str], bool]) -> Iterator[Turn | TurnRecord]:
        """The newest first. `tells`: whether words tell something, and are no request, nor an answer to one."""
        return (turn for turn in self._before(asked) if turn.transcript and tells(turn.transcript))

    def _before(self, asked: Turn) -> Iterator[Turn | TurnRecord]:
        """The turns before `asked`, the newest first."""
        earlier = [turn for turn in self._turns if _number(turn) < asked.number]
        return reversed(earlier)

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
        room, forgotten = self._room, self._forgotten()
        for turn in self._turns:
            if turn is asked:
                break
            room -= 1
            if _number(turn) in forgotten:
                continue
            if turn.transcript:
                said.append(Utterance(role="user", text=turn.transcript))
            if heard := _heard(turn):
                said.append(Utterance(role="assistant", text=heard, interrupted=turn.interrupted))
        context = ReplyContext(
            language=self._language, history=tuple(said), local_time=self._local_time(), outside_services=False
        )
        return self._inform(context, max(0, room), _being_said(said, asked))


def _number(turn: Turn | TurnRecord) -> int:
    return turn.number if isinstance(turn, Turn) else turn.turn


def _source(turn: Turn | TurnRecord) -> str:
    return turn.reply.source if isinstance(turn, Turn) else turn.source


def _text(turn: Turn | TurnRecord) -> str:
    """What was said in reply."""
    return turn.reply.text if isinstance(turn, Turn) else turn.reply


def _heard(turn: Turn | TurnRecord) -> str:
    """The part of it that was heard."""
    return turn.reply.heard if isinstance(turn, Turn) else turn.heard


def _was_noise(turn: Turn | TurnRecord) -> bool:
    """Nothing was said in it, by nobody: whatever was asked before still waits."""
    return isinstance(turn, Turn) and turn.over and not turn.transcript and not turn.reply.text


def _being_said(said: Sequence[Utterance], asked: Turn | None) -> str:
    """What the turn says, as far as it is known, and the exchange before it."""
    now = "" if asked is None else asked.transcript or asked.opened.text or asked.stable
    return " ".join([*(utterance.text for utterance in said[-2:]), now])[-WORDS_CHARACTERS:]
