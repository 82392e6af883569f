"""One person's conversation, as the gateway that owns it runs it: every move of the floor is made here.

    microphone events, control messages -> floor -> the turn's up stream
    the turn's down stream              -> floor -> outbox -> journal, socket

All of it happens on the event loop, in one tick for each thing that arrives: what arrives moves the floor and queues
what follows from it. Only `silvertalk.turn_life` waits for anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from silvertalk import metrics
from silvertalk.errors import SilverTalkError, TurnLost
from silvertalk.history import History
from silvertalk.outbox import Outbox
from silvertalk.releasing import complete, release, reply_ended
from silvertalk.turn import Outcome, Turn
from silvertalk.turn_life import TurnLife
from streaming.endpointing import EndpointDecision
from streaming.floor import Floor, Move, after, allows
from streaming.messages import (
    APOLOGY,
    AnyMessage,
    AudioBatch,
    Claimed,
    Committed,
    Interrupted,
    Language,
    ReplyAudio,
    ReplyDone,
    ReplyText,
    SpeechPaused,
    SpeechResumed,
    TranscriptFinal,
    TranscriptPartial,
    TurnFailed,
    TurnOpened,
    TurnRecord,
)
from streaming.protocol import (
    FinalTranscript,
    FloorMoved,
    Flush,
    PartialTranscript,
    Playhead,
    Problem,
    SpeechBegan,
    TurnCommitted,
    TurnEnded,
    fault,
)


class Session:
    """The state of one conversation. `life` runs what has to wait: opening a turn, watching it, closing it."""

    def __init__(
        self,
        *,
        session: str,
        user: str,
        language: Language,
        outbox: Outbox,
        life: TurnLife,
        reply_rate: int,
        history_turns: int,
        max_speech_samples: int,
        local_time: Callable[[], str],
        on_fenced: Callable[[], None],
        on_settled: Callable[[int], None],
    ) -> None:
        """`max_speech_samples`: who goes on beyond it is not cut off, but begins another turn. `on_fenced` is called
        where a turn finds out that the session has another owner, `on_settled` with each turn that nothing more will
        come of."""
        self.id = session
        self.user = user
        self.language: Language = language
        self._outbox = outbox
        self._life = life
        self._reply_rate = reply_rate
        self._max_speech_samples = max_speech_samples
        self.fenced = on_fenced
        self._on_settled = on_settled
        self.away = True
        """There is no client at present: what is told is kept for it, and nothing is being played."""
        self._floor = Floor.OPEN
        self._turn: Turn | None = None
        self._number = 0
        self._history = History(history_turns, language=language, local_time=local_time)
        # Turns that are not committed yet; a session begins none before its last is closed, so it is the committer's
        # backlog that bounds them.
        self._unsettled: dict[int, Turn] = {}
        self.settled = asyncio.Event()
        """Set while no turn is in hand and every one worth keeping is committed: when a draining gateway may let go."""
        self.settled.set()

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

    # --- clients come and go -----------------------------------------------------------------------------------------

    def left(self) -> None:
        """The client is gone, and may come back: the person goes on where they were."""
        self.away = True
        if self._turn is not None:
            self._turn.moved.set()

    def returned(self, playhead: Playhead | None) -> None:
        """A client is here and has been told what it missed. `playhead`: how far it says to have played."""
        self.away = False
        for turn in self._unsettled.values():
            turn.listen_again(playhead)
        self._tell_floor()

    def take_up(self, records: Sequence[TurnRecord], living: Sequence[Turn], last_turn: int, floor: Floor) -> None:
        """Go on with a session of an earlier gateway's: its closed turns, those that live, and who holds the floor."""
        self._number, self._floor = last_turn, floor
        self._history.add(records)
        for turn in living:
            self._history.add([turn])
            self._unsettled[turn.number] = turn
            self.settled.clear()
            if not turn.left_behind:
                self._turn = turn
            self._life.open(turn, self)

    def ask_for(self, turn: Turn) -> None:
        """The endpoint was told, but the gateway that told it did not live to ask for the reply."""
        self._ask(turn, turn.spoken_to)

    # --- what the microphone hears (silvertalk.microphone.Speaker) ---------------------------------------------------

    # The microphone runs by itself: it may still be in an utterance whose turn has failed. What it says of that is let
    # pass, and speech that goes on opens a turn of its own.

    def speech_started(self, start_sample: int) -> None:
        if self._floor is Floor.THINKING:
            turn = self._current()
            if turn.opened.text is None and turn.speech_samples < self._max_speech_samples:
                self._go_on(turn, start_sample)
                return
            self._leave_behind(turn)
        if self._floor is Floor.SPEAKING:
            self._interrupt("speech")
        self._begin_turn(start_sample, text=None)
        self._move(Move.SPEECH_STARTED)
        self._outbox.tell(SpeechBegan(turn=self._number, sample=start_sample))

    def speech_paused(self, speech_end_sample: int) -> None:
        if self._turn is not None and self._floor is Floor.USER:
            self._move(Move.SPEECH_PAUSED)
            self._turn.send_up(SpeechPaused(sample=speech_end_sample))

    def speech_resumed(self, start_sample: int) -> None:
        if self._turn is None or self._floor is not Floor.PAUSED:
            self.speech_started(start_sample)
            return
        self._move(Move.SPEECH_RESUMED)
        self._turn.send_up(SpeechResumed(sample=start_sample))

    def speech_audio(self, batch: AudioBatch) -> None:
        if self._turn is not None and self._floor is Floor.USER:
            self._turn.send_up(batch)

    def utterance_ended(self, decision: EndpointDecision) -> None:
        turn = self._turn
        if turn is None or not allows(self._floor, Move.ENDPOINT):
            return
        self._move(Move.ENDPOINT)
        turn.timings_ms["end_of_utterance_delay"] = decision.wait_ms
        metrics.END_OF_UTTERANCE_DELAY_SECONDS.observe(decision.wait_ms / 1000)
        self._outbox.tell(
            TurnEnded(
                turn=turn.number,
                end_sample=decision.end_sample,
                wait_ms=round(decision.wait_ms),
                reason=decision.reason,
            )
        )
        self._ask(turn, decision.end_sample)
        if decision.reason == "limit":  # they are still speaking: nobody answers into that
            self._leave_behind(turn)

    # --- what the client asks ----------------------------------------------------------------------------------------

    def typed(self, text: str, received_samples: int) -> None:
        """Something typed in place of speech; raises ProtocolError while the person speaks or waits for an answer."""
        if not allows(self._floor, Move.TYPED):
            raise fault("wrong_order", f"text while the floor is {self._floor.value}")
        if self._floor is Floor.SPEAKING:
            self._interrupt("typed")
        turn = self._begin_turn(received_samples, text=text)
        turn.transcript, turn.transcript_is_final = text, True
        self._move(Move.TYPED)
        self._outbox.tell(TurnEnded(turn=turn.number, end_sample=received_samples, wait_ms=0, reason="typed"))
        self._ask(turn, received_samples)

    def cancel(self) -> None:
        """Stop the reply that is being made or played; nothing happens where there is none."""
        if self._floor is Floor.SPEAKING:
            self._interrupt("cancelled")
            self._move(Move.CANCELLED)
        elif self._floor is Floor.THINKING:
            self._abandon("cancelled")

    def played(self, turn: int, samples: int, *, flushed: bool) -> None:
        """A playback acknowledgement; one for a turn that is long over is late, not wrong."""
        known = self._unsettled.get(turn)
        if known is not None:
            known.play_to(samples)
            if flushed:
                known.flushed.set()

    def end(self) -> None:
        """The conversation is over: nothing more is said to them, what they said is kept."""
        turn = self._turn
        if self._floor is Floor.SPEAKING:
            self._interrupt("ended")
            self._move(Move.CANCELLED)
        elif turn is None:
            return
        elif turn.transcript_is_final or not turn.speech_samples:
            self._abandon("ended")
        else:  # their last words are still being understood
            if self._floor is not Floor.THINKING:
                self._move(Move.ENDPOINT)
                self._ask(turn, turn.spoken_to)
            self._leave_behind(turn)

    # --- what the node makes -----------------------------------------------------------------------------------------

    def on_down(self, turn: Turn, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        """Entries of the turn's down stream, in order. What carries a stale attempt is dropped here and nowhere
        else."""
        turn.note_arrival()
        for entry, message in entries:
            match message:
                case Claimed():
                    self._on_claimed(turn, message)
                case TranscriptPartial() if not turn.over and not turn.transcript_is_final:
                    self._on_partial(turn, message)
                case TranscriptFinal() if turn.is_current(message.attempt):
                    self._on_final(turn, message)
                case ReplyText() | ReplyAudio() if turn.is_current(message.attempt) and not turn.left_behind:
                    self._release(turn, entry, message)
                case ReplyDone() if turn.is_current(message.attempt):
                    self._on_done(turn, message)
                case TurnFailed() if not turn.over:
                    self.fail(turn, TurnLost(f"{message.reason}: {message.detail}"))
                case _:
                    metrics.STALE_OUTPUTS.inc()

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
        if turn.released_samples:
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

    def playback_finished(self, turn: Turn) -> None:
        """The reply was played to its end."""
        if self._turn is turn and self._floor is Floor.SPEAKING:
            self._move(Move.REPLY_FINISHED)
        self._close(turn, turn.outcome_if_played)

    # --- how it is done ----------------------------------------------------------------------------------------------

    def _move(self, move: Move) -> None:
        self._floor = after(self._floor, move)
        self._tell_floor()

    def _tell_floor(self) -> None:
        turn = self.turn_in_hand if self._floor is not Floor.OPEN else 0
        self._outbox.tell(FloorMoved(state=self._floor.value, turn=turn), journaled=False)

    def _current(self) -> Turn:
        assert self._turn is not None, f"no turn while the floor is {self._floor.value}"
        return self._turn

    def _begin_turn(self, first_sample: int, text: str | None) -> Turn:
        self._number += 1
        opened = TurnOpened(
            session=self.id,
            turn=self._number,
            language=self.language,
            reply_rate=self._reply_rate,
            first_sample=first_sample,
            text=text,
            continuation=self._history.was_left_behind,
            context=self._history.context_before(None),
        )
        turn = Turn(
            session=self.id,
            user=self.user,
            number=self._number,
            language=self.language,
            opened=opened,
            first_event=self._outbox.last_event,
        )
        self._turn = turn
        self._unsettled[self._number] = turn
        self.settled.clear()
        self._history.add([turn])
        self._life.open(turn, self)
        return turn

    def _go_on(self, turn: Turn, start_sample: int) -> None:
        """The person goes on before a word of the reply was said: the same utterance, asked about anew when it ends."""
        turn.cancel_reply("went_on")
        turn.transcript_is_final = False
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

    def _close_unanswered(self, turn: Turn) -> None:
        self._close(turn, "answered" if turn.transcript else "nothing_heard")

    def _ask(self, turn: Turn, end_sample: int) -> None:
        turn.ask(end_sample, self._history.context_before(turn))

    def _on_claimed(self, turn: Turn, message: Claimed) -> None:
        """A node has the turn. What an older one was told it will read too, and would say all of it again."""
        taken_over, turn.claimed_by = bool(turn.claimed_by), message.node
        if not taken_over:
            metrics.CLAIM_SECONDS.observe(time.time() - turn.started_at)
        if not taken_over or turn.over or not turn.attempt:
            return
        metrics.REDELIVERED.inc()
        if turn.awaits_reply:
            turn.ask_again(self._history.context_before(turn))
        else:
            turn.cancel_reply("redelivered")

    def _on_partial(self, turn: Turn, message: TranscriptPartial) -> None:
        stable, tentative = message.stable, message.tentative
        if not stable.startswith(turn.stable):
            # Another node has the turn now: it has heard the same and is less sure of it, or not as much yet.
            heard = f"{stable} {tentative}".strip()
            if not heard.startswith(turn.stable):
                return
            stable, tentative = turn.stable, heard[len(turn.stable) :].strip()
        turn.stable = stable
        if not turn.captioned and (stable or tentative):
            turn.captioned = True
            metrics.FIRST_PARTIAL_SECONDS.observe(time.time() - turn.started_at)
        self._outbox.tell(
            PartialTranscript(
                turn=turn.number,
                stable=stable,
                tentative=tentative,
                upto_sample=message.upto_sample,
            ),
            journaled=False,
        )

    def _on_final(self, turn: Turn, message: TranscriptFinal) -> None:
        if turn.transcript_is_final and turn.transcript:
            return  # published already: another node's opinion of the same words
        turn.transcript = message.text
        turn.transcript_is_final = True
        turn.timings_ms["final_pass"] = message.pass_ms
        self._outbox.tell(
            FinalTranscript(
                turn=turn.number,
                text=message.text,
                language=message.language,
                rejected=message.rejected,
                confidence=message.confidence,
            )
        )
        if turn.left_behind:
            self._close_unanswered(turn)

    def _release(self, turn: Turn, entry: str, message: ReplyText | ReplyAudio) -> None:
        """On to the client. The first sentence waits for its first sound: until then the person may still go on."""
        if self._floor is Floor.THINKING:
            if isinstance(message, ReplyText):
                turn.held_texts.append((entry, message))
                return
            self._move(Move.REPLY_RELEASED)
            held, turn.held_texts = turn.held_texts, []
            for held_entry, held_text in held:
                self._release(turn, held_entry, held_text)
        release(self._outbox, turn, entry, message)

    def _on_done(self, turn: Turn, message: ReplyDone) -> None:
        turn.timings_ms |= {f"node_{name}": value for name, value in message.timings_ms.items()}
        if turn.left_behind:
            self._close_unanswered(turn)
        elif turn.told_done:
            turn.ended_attempt = turn.attempt
            turn.reply_was_sent()
        elif turn.released_samples:
            # Whatever the last of its nodes made of the rest, unless all there was is an apology.
            complete(self._outbox, turn, "failed" if turn.source == APOLOGY else "completed")
        elif message.reason == "nothing_heard":
            self._outbox.tell(reply_ended(turn, "nothing_heard"))
            self._move(Move.REPLY_EMPTY if self._floor is Floor.THINKING else Move.CANCELLED)
            self._close(turn, "nothing_heard")
        else:
            self.fail(turn, TurnLost(message.detail or "an empty reply"))

    def _interrupt(self, reason: str) -> None:
        """Everything that stops a reply, in one tick: outbox, player, node. The caller moves the floor."""
        turn = self._current()
        self._outbox.drop_reply(turn.number)
        turn.cancel_reply(reason)
        turn.interrupted = not turn.playback_is_over
        record = Interrupted(turn=turn.number, attempt=turn.attempt, sent_samples=turn.sent_samples, reason=reason)
        self._outbox.record(record, Flush(turn=turn.number))
        if not turn.reply_complete:
            self._outbox.tell(reply_ended(turn, "interrupted"))
        metrics.INTERRUPTED.labels(reason).inc()
        self._close(turn, turn.outcome_if_played)

    def _abandon(self, reason: str) -> None:
        """The turn in hand ends without a reply."""
        turn = self._current()
        turn.cancel_reply(reason)
        turn.interrupted = True
        self._outbox.tell(reply_ended(turn, "cancelled"))
        self._move(Move.CANCELLED)
        self._close_unanswered(turn)

    def _close(self, turn: Turn, outcome: Outcome) -> None:
        if turn.over:
            return
        turn.over = True
        turn.outcome = outcome
        turn.moved.set()
        if self._turn is turn:
            self._turn = None
