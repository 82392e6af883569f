"""The floor, the turn in hand, and everything that begins, stops or closes a turn.

`silvertalk.session` says when; how it is done stands here, in one tick each: what moves the floor also tells the
client, the node and the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from silvertalk import metrics
from silvertalk.asking import Asking
from silvertalk.errors import SilverTalkError
from silvertalk.habits import Habits
from silvertalk.history import History
from silvertalk.obliging import Obliging
from silvertalk.outbox import Outbox
from silvertalk.quiet import Quiet
from silvertalk.releasing import complete, reply_ended
from silvertalk.showing import Showing
from silvertalk.turn import Outcome, Turn
from silvertalk.turn_life import Conversation, TurnLife
from streaming.floor import Floor, Move, after
from streaming.messages import Committed, Interrupted, Language, SpeechResumed, TurnOpened, TurnRecord
from streaming.protocol import FloorMoved, Flush, Problem, Speculation, TurnCommitted


@dataclass(frozen=True)
class SessionParts:
    """What one session works with. `on_fenced` is called where a turn finds out that the session has another owner,
    `on_settled` with each turn that nothing more will come of."""

    session: str
    user: str
    language: Language
    outbox: Outbox
    life: TurnLife
    reply_rate: int
    history: History
    habits: Habits
    asking: Asking
    quiet: Quiet
    showing: Showing
    obliging: Obliging
    on_fenced: Callable[[], None]
    on_settled: Callable[[int], None]


class TurnsInHand(Conversation):
    """What a session holds. Its subclass is told what happens, and moves the floor."""

    def __init__(self, parts: SessionParts) -> None:
        self.id = parts.session
        self.user = parts.user
        self.language: Language = parts.language
        self._outbox = parts.outbox
        self._life = parts.life
        self._reply_rate = parts.reply_rate
        self._history = parts.history
        self._habits = parts.habits
        self._asking = parts.asking
        self._quiet = parts.quiet
        self._showing = parts.showing
        self._obliging = parts.obliging
        self._on_fenced = parts.on_fenced
        self._on_settled = parts.on_settled
        self._away = True
        self._floor = Floor.OPEN
        self._turn: Turn | None = None
        self._number = 0
        self._heard_sample = 0
        """Up to where the microphone was heard."""
        # Turns that are not committed yet; a session begins none before its last is closed, so it is the committer's
        # backlog that bounds them.
        self._unsettled: dict[int, Turn] = {}
        self.settled = asyncio.Event()
        """Set while no turn is in hand and every one worth keeping is committed: when a draining gateway may let go."""
        self.settled.set()

    @property
    def away(self) -> bool:
        """There is no client at present: what is told is kept for it, and nothing is being played."""
        return self._away

    def fenced(self) -> None:
        self._on_fenced()

    @property
    def floor(self) -> Floor:
        return self._floor

    @property
    def turn_in_hand(self) -> int:
        """Number of the turn that is not over yet; 0 when there is none."""
        return self._turn.number if self._turn is not None else 0

    @property
    def turns_begun(self) -> int:
        return self._number

    @property
    def first_remembered_event(self) -> int:
        """The last event before the oldest turn that a reply still needs to know of; 0 where nobody can say."""
        settled = all(turn.first_event > self._history.first_event for turn in self._unsettled.values())
        return self._history.first_event if settled else 0

    # --- what becomes of them ----------------------------------------------------------------------------------------

    def committed(self, record: TurnRecord) -> None:
        """The database has the turn."""
        event = TurnCommitted(turn=record.turn, outcome=record.outcome, heard=record.heard)
        self._outbox.record(Committed(turn=record.turn), event)
        self.settle(record.turn)

    def settle(self, turn: int) -> None:
        """Nothing more will come of this turn."""
        self._unsettled.pop(turn, None)
        if not self._unsettled:
            self.settled.set()
        self._on_settled(turn)

    def fail(self, turn: Turn, error: SilverTalkError) -> None:
        """The turn cannot be answered, or no further: the person is told, and the floor is theirs again.

        A reply that breaks off after part of it was said is a shorter reply.
        """
        if turn.over:
            return
        if turn.left_behind:
            self._close_unanswered(turn)
            return
        if turn.has_begun:
            if not turn.has_words:
                self.tell_problem(error, turn.number)
            if turn.awaits_reply:
                complete(self._outbox, turn, "failed")
            return
        self.tell_problem(error, turn.number)
        self._outbox.tell(reply_ended(turn, "failed"))
        if self._turn is turn:
            self._move(Move.CANCELLED)
        self._close(turn, "failed")

    def tell_problem(self, error: SilverTalkError, turn: int | None = None) -> None:
        self._outbox.tell(
            Problem(
                code=error.code,
                retryable=error.retryable,
                message_ko=error.message_ko,
                message_en=error.message_en,
                turn=turn,
            ),
            journaled=False,
        )

    # --- how it is done ----------------------------------------------------------------------------------------------

    def _move(self, move: Move) -> None:
        self._floor = after(self._floor, move)
        if self._floor is Floor.OPEN:
            self._quiet.begin(self._heard_sample)
        else:
            self._quiet.end()
        self._tell_floor()

    def _tell_floor(self) -> None:
        turn = self.turn_in_hand if self._floor is not Floor.OPEN else 0
        self._outbox.tell(FloorMoved(state=self._floor.value, turn=turn), journaled=False)

    def _current(self) -> Turn:
        assert self._turn is not None, f"no turn while the floor is {self._floor.value}"
        return self._turn

    def _open_turn(self, first_sample: int, text: str | None) -> Turn:
        """Another turn lives; the caller says whether it is the one in hand."""
        self._number += 1
        opened = TurnOpened(
            session=self.id,
            turn=self._number,
            language=self.language,
            reply_rate=self._reply_rate,
            first_sample=first_sample,
            text=text,
            continuation=self._history.was_left_behind,
            context=self._asking.context_now,
        )
        turn = Turn(
            session=self.id,
            user=self.user,
            number=self._number,
            language=self.language,
            opened=opened,
            first_event=self._outbox.last_event,
            photo=self._showing.current,
        )
        if text is not None:
            turn.transcript, turn.transcript_is_final = text, True
        self._unsettled[self._number] = turn
        self.settled.clear()
        self._history.add([turn])
        self._life.open(turn, self)
        return turn

    def _begin_turn(self, first_sample: int, text: str | None) -> Turn:
        self._turn = self._open_turn(first_sample, text)
        return self._turn

    def _miss(self, turn: Turn) -> None:
        """The person goes on: what was being made for a first part of it is thrown away."""
        if turn.speculative:
            turn.cancel_reply("went_on")
            metrics.SPECULATIONS.labels("missed").inc()
            self._outbox.tell(Speculation(turn=turn.number, state="missed"), journaled=False)

    def _go_on(self, turn: Turn, start_sample: int) -> None:
        """The person goes on before a sound of the reply was made: the same utterance, asked about anew when it
        ends."""
        turn.cancel_reply("went_on")
        turn.go_on()
        turn.send_up(SpeechResumed(sample=start_sample))
        self._move(Move.SPEECH_STARTED)

    def _leave_behind(self, turn: Turn) -> None:
        """The person goes on, but in a turn of its own: of this one only the words are still wanted, not a reply."""
        turn.left_behind = True
        self._turn = None
        self._move(Move.CANCELLED)
        self._outbox.tell(reply_ended(turn, "cancelled"))
        if turn.transcript_is_final:
            self._close_unanswered(turn)

    def _interrupt(self, reason: str) -> None:
        """Everything that stops a reply, in one tick: outbox, player, node. The caller moves the floor."""
        turn = self._current()
        self._outbox.drop_reply(turn.number)
        turn.cancel_reply(reason)
        turn.interrupted = not turn.playback_is_over
        record = Interrupted(turn=turn.number, attempt=turn.attempt, sent_samples=turn.sent_samples, reason=reason)
        self._outbox.record(record, Flush(turn=turn.number, upto_sample=turn.released_samples))
        if not turn.reply_complete:
            self._outbox.tell(reply_ended(turn, "interrupted"))
        metrics.INTERRUPTED.labels(reason).inc()
        self._close(turn, turn.outcome_if_played)

    def _take_back(self, turn: Turn) -> None:
        """The person went on just as the reply began: it counts for nothing, and the turn is open again."""
        self._outbox.drop_reply(turn.number)
        self._asking.ended(turn)
        record = turn.take_back()
        self._outbox.record(record, Flush(turn=turn.number, upto_sample=record.upto_sample))
        metrics.MERGED.inc()

    def _abandon(self, reason: str) -> None:
        """The turn in hand ends without a reply."""
        turn = self._current()
        turn.cancel_reply(reason)
        turn.interrupted = True
        self._outbox.tell(reply_ended(turn, "cancelled"))
        self._move(Move.CANCELLED)
        self._close_unanswered(turn)

    def _drop(self, turn: Turn) -> None:
        """Nothing was said in this turn, or it was said in another: it leaves no trace."""
        turn.transcript = ""
        self._history.forget(turn)
        self._close(turn, "nothing_heard")

    def _close_unanswered(self, turn: Turn) -> None:
        self._close(turn, "answered" if turn.transcript else "nothing_heard")

    def _close(self, turn: Turn, outcome: Outcome) -> None:
        if turn.over:
            return
        turn.over = True
        turn.outcome = outcome
        turn.moved.set()
        self._asking.ended(turn)
        if outcome == "answered" and turn.transcript:
            self._quiet.answered()
            if self._showing.answered(turn):
                self._life.see_to(self._showing.choose(), f"choose:{turn.number}")
            self._learn(turn)
        if self._turn is turn:
            self._turn = None

    def _learn(self, turn: Turn) -> None:
        """How this person pauses. Only from what was understood: noise and televisions pause otherwise."""
        if turn.opened.text is not None:
            return
        profile = self._habits.profile
        for pause_ms in turn.inner_pauses_ms:
            profile.inner_pause(pause_ms)
        for pause_ms in turn.false_ends_ms:
            profile.false_end(pause_ms)
        profile.turn_ended()
