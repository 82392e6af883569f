"""The floor, the turn in hand, and everything that begins, stops or closes a turn.

`silvertalk.session`, `silvertalk.barge_in` and `silvertalk.answering` say when; how it is done stands here, in one tick
each: what moves the floor also tells the client, the node and the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
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
from silvertalk.socket_problems import problem_told
from silvertalk.turn import Outcome, Turn
from silvertalk.turn_life import Conversation, TurnLife
from streaming.floor import Floor, Move, after
from streaming.messages import Committed, Interrupted, Language, SpeechResumed, TurnOpened, TurnRecord
from streaming.protocol import FloorMoved, Flush, Speculation, TurnCommitted


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


class TurnsInHand:
    """The turns of one session that are not settled yet, and whose the floor is."""

    def __init__(self, parts: SessionParts, conversation: Conversation) -> None:
        """`conversation`: whom the lives of its turns report to."""
        self._parts = parts
        self._conversation = conversation
        self._outbox = parts.outbox
        self._asking = parts.asking
        self.floor = Floor.OPEN
        self.in_hand: Turn | None = None
        """The turn that is not over yet, that it is about now."""
        self.begun = 0
        """How many there were; the number of the last."""
        self.heard_sample = 0
        """Up to where the microphone was heard."""
        # Turns that are not committed yet; a session begins none before its last is closed, so it is the committer's
        # backlog that bounds them.
        self.unsettled: dict[int, Turn] = {}
        self.settled = asyncio.Event()
        """Set while no turn is in hand and every one worth keeping is committed: when a draining gateway may let go."""
        self.settled.set()

    @property
    def current(self) -> Turn:
        """The turn in hand, where the floor says that there is one."""
        assert self.in_hand is not None, f"no turn while the floor is {self.floor.value}"
        return self.in_hand

    @property
    def number_in_hand(self) -> int:
        """Number of the turn in hand; 0 when there is none."""
        return self.in_hand.number if self.in_hand is not None else 0

    @property
    def first_remembered_event(self) -> int:
        """The last event before the oldest turn that a reply still needs to know of; 0 where nobody can say."""
        settled = all(turn.first_event > self._parts.history.first_event for turn in self.unsettled.values())
        return self._parts.history.first_event if settled else 0

    def take_up(self, records: Sequence[TurnRecord], living: Sequence[Turn], last_turn: int, floor: Floor) -> None:
        """Go on with an earlier gateway's: its closed turns, those that live, and who holds the floor."""
        self.begun, self.floor = last_turn, floor
        self._parts.history.add(record for record in records if record.outcome != "nothing_heard")
        for turn in living:
            if not turn.left_behind:
                self.in_hand = turn
            self._let_live(turn)

    # --- what becomes of them ----------------------------------------------------------------------------------------

    def committed(self, record: TurnRecord) -> None:
        """The database has the turn."""
        event = TurnCommitted(turn=record.turn, outcome=record.outcome, heard=record.heard)
        self._outbox.record(Committed(turn=record.turn), event)
        self.settle(record.turn)

    def settle(self, turn: int) -> None:
        """Nothing more will come of this turn."""
        self.unsettled.pop(turn, None)
        if not self.unsettled:
            self.settled.set()
        self._parts.on_settled(turn)

    def fail(self, turn: Turn, error: SilverTalkError) -> None:
        """The turn cannot be answered, or no further: the person is told, and the floor is theirs again.

        A reply that breaks off after part of it was said is a shorter reply.
        """
        if turn.over:
            return
        if turn.left_behind:
            self.close_unanswered(turn)
            return
        if turn.reply.has_begun:
            if not turn.reply.has_words:
                self.tell_problem(error, turn.number)
            if turn.awaits_reply:
                complete(self._outbox, turn, "failed")
            return
        self.tell_problem(error, turn.number)
        self._outbox.tell(reply_ended(turn, "failed"))
        if self.in_hand is turn:
            self.move(Move.CANCELLED)
        self.close(turn, "failed")

    def tell_problem(self, error: SilverTalkError, turn: int | None = None) -> None:
        """What went wrong, for the person to know; the conversation goes on."""
        self._outbox.tell(problem_told(error, turn), journaled=False)

    # --- how it is done ----------------------------------------------------------------------------------------------

    def move(self, move: Move) -> None:
        """The floor moves, and the client is told; an illegal move raises, and changes nothing."""
        self.floor = after(self.floor, move)
        if self.floor is Floor.OPEN:
            self._parts.quiet.begin(self.heard_sample)
        else:
            self._parts.quiet.end()
        self.tell_floor()

    def tell_floor(self) -> None:
        """Tell the client whose the floor is."""
        turn = self.number_in_hand if self.floor is not Floor.OPEN else 0
        self._outbox.tell(FloorMoved(state=self.floor.value, turn=turn), journaled=False)

    def open(self, first_sample: int, text: str | None) -> Turn:
        """Another turn lives; the caller says whether it is the one in hand."""
        parts = self._parts
        self.begun += 1
        opened = TurnOpened(
            session=parts.session,
            turn=self.begun,
            language=parts.language,
            reply_rate=parts.reply_rate,
            first_sample=first_sample,
            text=text,
            continuation=parts.history.was_left_behind,
            context=self._asking.context_now,
        )
        turn = Turn(
            session=parts.session,
            user=parts.user,
            number=self.begun,
            language=parts.language,
            opened=opened,
            first_event=self._outbox.last_event,
            photo=parts.showing.current,
        )
        if text is not None:
            turn.transcript, turn.transcript_is_final = text, True
        self._let_live(turn)
        return turn

    def _let_live(self, turn: Turn) -> None:
        self.unsettled[turn.number] = turn
        self.settled.clear()
        self._parts.history.add([turn])
        self._parts.life.open(turn, self._conversation)

    def begin(self, first_sample: int, text: str | None) -> Turn:
        """Another turn lives, and is the one in hand."""
        self.in_hand = self.open(first_sample, text)
        return self.in_hand

    def miss(self, turn: Turn) -> None:
        """The person goes on: what was being made for a first part of it is thrown away."""
        if turn.speculative:
            turn.cancel_reply("went_on")
            metrics.SPECULATIONS.labels("missed").inc()
            self._outbox.tell(Speculation(turn=turn.number, state="missed"), journaled=False)

    def go_on(self, turn: Turn, start_sample: int) -> None:
        """The person goes on before a sound of the reply was made: the same utterance, asked about anew when it
        ends."""
        turn.cancel_reply("went_on")
        turn.go_on()
        turn.send_up(SpeechResumed(sample=start_sample))
        self.move(Move.SPEECH_STARTED)

    def leave_behind(self, turn: Turn) -> None:
        """The person goes on, but in a turn of its own: of this one only the words are still wanted, not a reply."""
        turn.left_behind = True
        self.in_hand = None
        self.move(Move.CANCELLED)
        self._outbox.tell(reply_ended(turn, "cancelled"))
        if turn.transcript_is_final:
            self.close_unanswered(turn)

    def interrupt(self, reason: str) -> None:
        """Everything that stops a reply, in one tick: outbox, player, node. The caller moves the floor."""
        turn = self.current
        self._outbox.drop_reply(turn.number)
        turn.cancel_reply(reason)
        turn.interrupted = not turn.reply.playback_is_over
        record = Interrupted(
            turn=turn.number, attempt=turn.attempt, sent_samples=turn.reply.sent_samples, reason=reason
        )
        self._outbox.record(record, Flush(turn=turn.number, upto_sample=turn.reply.released_samples))
        if not turn.reply.complete:
            self._outbox.tell(reply_ended(turn, "interrupted"))
        metrics.INTERRUPTED.labels(reason).inc()
        self.close(turn, turn.outcome_if_played)

    def take_back(self, turn: Turn) -> None:
        """The person went on just as the reply began: it counts for nothing, and the turn is open again."""
        self._outbox.drop_reply(turn.number)
        self._asking.ended(turn)
        record = turn.take_back()
        self._outbox.record(record, Flush(turn=turn.number, upto_sample=record.upto_sample))
        metrics.MERGED.inc()

    def abandon(self, reason: str) -> None:
        """The turn in hand ends without a reply."""
        turn = self.current
        turn.cancel_reply(reason)
        turn.interrupted = True
        self._outbox.tell(reply_ended(turn, "cancelled"))
        self.move(Move.CANCELLED)
        self.close_unanswered(turn)

    def drop(self, turn: Turn) -> None:
        """Nothing was said in this turn, or it was said in another: it leaves no trace."""
        turn.transcript = ""
        self._parts.history.forget(turn)
        self.close(turn, "nothing_heard")

    def close_unanswered(self, turn: Turn) -> None:
        """The turn is over, and no reply to it was heard."""
        self.close(turn, "answered" if turn.transcript else "nothing_heard")

    def close(self, turn: Turn, outcome: Outcome) -> None:
        """The turn is over; its life sees to the record. Closing it twice is harmless. The caller moves the floor."""
        if turn.over:
            return
        turn.over = True
        turn.outcome = outcome
        turn.moved.set()
        self._asking.ended(turn)
        if outcome == "answered" and turn.transcript:
            self._parts.quiet.answered()
            if self._parts.showing.answered(turn):
                self._parts.life.see_to(self._parts.showing.choose(), f"choose:{turn.number}")
            self._learn(turn)
        elif outcome == "nothing_heard" and not turn.reply.text:
            self._parts.history.forget(turn)
        if self.in_hand is turn:
            self.in_hand = None

    def _learn(self, turn: Turn) -> None:
        """How this person pauses. Only from what was understood: noise and televisions pause otherwise."""
        if turn.opened.text is not None:
            return
        profile = self._parts.habits.profile
        for pause_ms in turn.inner_pauses_ms:
            profile.inner_pause(pause_ms)
        for pause_ms in turn.false_ends_ms():
            profile.false_end(pause_ms)
        profile.turn_ended()
