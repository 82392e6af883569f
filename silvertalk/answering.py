"""What a node makes of a turn, on to the client: words, a reply, or that there is none.

What comes for a speculative reply is held until the endpoint; what carries a stale attempt is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import msgspec

from silvertalk import distress, metrics
from silvertalk.captioning import tell_final
from silvertalk.contest import is_sure_echo
from silvertalk.errors import SilverTalkError, TurnLost
from silvertalk.obliging import Wanted
from silvertalk.overlap import Verdict, judge
from silvertalk.releasing import complete, release, reply_ended
from silvertalk.turn import HELD_BOUND, Turn
from silvertalk.turn_requests import REQUESTED, Obliged
from silvertalk.turns_in_hand import SessionParts, TurnsInHand
from streaming.floor import Floor, Move
from streaming.messages import (
    APOLOGY,
    AnyMessage,
    Claimed,
    Language,
    ReplyAudio,
    ReplyDone,
    ReplyText,
    ToolAsked,
    TranscriptFinal,
    TranscriptPartial,
    TurnEndScored,
    TurnFailed,
)
from streaming.protocol import Distress


class Listener(Protocol):
    """The part of a session that hears what a node makes of the sound, and who learns that a turn has failed."""

    def on_scored(self, turn: Turn, message: TurnEndScored) -> None: ...

    def on_partial(self, turn: Turn, message: TranscriptPartial) -> None: ...

    def is_surely_voice(self) -> bool:
        """Somebody spoke, in answer to what was said just before: worth asking about where nobody understood it."""
        ...

    def holds_back(self, turn: Turn) -> bool:
        """Nobody has asked for what the turn says, and somebody may be speaking: it is not known yet."""
        ...

    def reply_began(self, turn: Turn) -> None:
        """The first of its reply is on its way to the client."""
        ...

    def fail(self, turn: Turn, error: SilverTalkError) -> None: ...


class Answering:
    """Takes what comes for the turns of one session."""

    def __init__(self, turns: TurnsInHand, parts: SessionParts, listener: Listener) -> None:
        self._turns = turns
        self._listener = listener
        self._language: Language = parts.language
        self._outbox = parts.outbox
        self._asking = parts.asking
        self._obliging = parts.obliging
        self._showing = parts.showing

    def on_down(self, turn: Turn, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        """Entries of the turn's down stream, in order. What carries a stale attempt is dropped here and nowhere
        else."""
        turn.note_arrival()
        for entry, message in entries:
            match message:
                case ReplyText() | ReplyAudio() if entry in turn.recalled and not turn.over:
                    release(self._outbox, turn, entry, message)  # whichever attempt it was: the client has it
                case Claimed():
                    self._on_claimed(turn, entry, message)
                case TurnEndScored():
                    self._listener.on_scored(turn, message)
                case TranscriptPartial() if not turn.over and not turn.transcript_is_final:
                    self._listener.on_partial(turn, message)
                case TranscriptFinal() | ReplyText() | ReplyAudio() | ReplyDone() if self._waits(turn, message.attempt):
                    self._hold(turn, entry, message)
                case TranscriptFinal() if turn.is_current(message.attempt):
                    self._on_final(turn, message)
                case ReplyText() | ReplyAudio() if turn.is_current(message.attempt) and not turn.left_behind:
                    self._release(turn, entry, message)
                case ReplyDone() if turn.is_current(message.attempt):
                    self._on_done(turn, message)
                case ReplyDone() if message.attempt in turn.missed:
                    turn.missed.remove(message.attempt)
                    metrics.WASTED_TOKENS.inc(message.tokens)
                case ToolAsked() if turn.is_current(message.attempt) and not turn.left_behind:
                    self._obliging.tool_asked(turn, message)  # also for a reply that is not wanted yet
                case TurnFailed() if not turn.over:
                    self._listener.fail(turn, TurnLost(f"{message.reason}: {message.detail}"))
                case _:
                    metrics.STALE_OUTPUTS.inc()

    def _on_claimed(self, turn: Turn, entry: str, message: Claimed) -> None:
        """A node has the turn. What an older one was told it will read too, and would say all of it again."""
        taken_over, turn.claimed_by = bool(turn.claimed_by), message.node
        if not taken_over:
            metrics.CLAIM_SECONDS.observe(time.time() - turn.started_at)
        if not taken_over or turn.over or not turn.attempt:
            return
        if turn.was_released_since(entry):  # an earlier gateway heard of it, and has asked this node
            turn.reply.keep_spoken()
            return
        metrics.REDELIVERED.inc()
        if turn.awaits_reply:
            self._asking.again(turn)
        else:
            turn.cancel_reply("redelivered")

    def _waits(self, turn: Turn, attempt: int) -> bool:
        """It counts, but not yet."""
        return turn.is_current(attempt) and (turn.speculative or self._listener.holds_back(turn))

    def _hold(self, turn: Turn, entry: str, message: AnyMessage) -> None:
        if len(turn.held) >= HELD_BOUND:
            self._turns.miss(turn)
            return
        turn.held.append((entry, message))

    def _on_final(self, turn: Turn, message: TranscriptFinal) -> None:
        if turn.transcript_is_final and (turn.transcript or turn.say[0]):
            return  # published already: another node's opinion of the same words
        if self._is_echo(turn, message.text):
            self._hear_nothing(turn, message)
            return
        tell_final(self._outbox, turn, message)
        if turn.left_behind:  # nobody answers it any more, but the app is told
            self.tell_distress(turn, self._asking.notice_distress(turn, message.text))
            self._turns.close_unanswered(turn)
        elif not turn.say[0]:
            voice = self._listener.is_surely_voice()
            found = self._asking.consider(turn, message.text, confidence=message.confidence, voice=voice)
            self.tell_distress(turn, found)
            if turn.say[0]:
                self._asking.say_instead(turn)
            elif (wanted := self._obliging.wanted_by(turn, message.text)) is not None:
                turn.cancel_reply(REQUESTED)
                self.oblige(turn, wanted)

    def oblige(self, turn: Turn, wanted: Wanted) -> None:
        """The person has asked for something that needs no LLM: it is answered once it is seen to."""
        self._obliging.begin(turn, wanted, self._say_of)

    def _say_of(self, turn: Turn, obliged: Obliged) -> None:
        turn.say = (obliged.say, obliged.say_as)
        self._asking.ask(turn, turn.end_sample)

    def tell_distress(self, turn: Turn, found: distress.Distress | None) -> None:
        if found is not None and turn.distress_told != found.kind:
            turn.distress_told = found.kind
            event = Distress(turn=turn.number, kind=found.kind, phrase=found.phrase, number=found.number)
            self._outbox.tell(event)

    def _is_echo(self, turn: Turn, text: str) -> bool:
        if not turn.overheard or not is_sure_echo(text, self._language):
            return False  # an answer of a word or two must not be lost for sounding like a word of the question
        verdict = judge(text, settled=True, played=turn.overheard, question_open=True, language=self._language)
        return verdict is Verdict.ECHO

    def _hear_nothing(self, turn: Turn, message: TranscriptFinal) -> None:
        """What was heard was 복실이 itself."""
        turn.cancel_reply("echo")
        tell_final(self._outbox, turn, msgspec.structs.replace(message, text="", rejected="echo"))
        self._end_empty(turn)

    def _end_empty(self, turn: Turn) -> None:
        if turn.left_behind:
            self._turns.close_unanswered(turn)
            return
        self._outbox.tell(reply_ended(turn, "nothing_heard"))
        self._turns.move(Move.REPLY_EMPTY if self._turns.floor is Floor.THINKING else Move.CANCELLED)
        self._turns.close(turn, "nothing_heard")

    def _release(self, turn: Turn, entry: str, message: ReplyText | ReplyAudio) -> None:
        """On to the client. The first sentence waits for its first sound: until then the person may still go on."""
        begins = self._turns.floor is Floor.THINKING
        if begins:
            if isinstance(message, ReplyText):
                turn.held_texts.append((entry, message))
                return
            self._turns.move(Move.REPLY_RELEASED)
            held, turn.held_texts = turn.held_texts, []
            for held_entry, held_text in held:
                self._release(turn, held_entry, held_text)
        self._take_effect(turn)
        release(self._outbox, turn, entry, message)
        if begins:
            self._listener.reply_began(turn)

    def _take_effect(self, turn: Turn) -> None:
        """The reply is heard: what it asks leave for stands, and what it speaks of is shown."""
        effects = turn.requests.take_effects(turn.attempt)
        if effects is None:
            return
        if effects.wish is not None:
            turn.wish = effects.wish.encoded()
        if effects.shown is not None:
            self._showing.tell(effects.shown, turn)

    def _on_done(self, turn: Turn, message: ReplyDone) -> None:
        turn.timings_ms |= {f"node_{name}": value for name, value in message.timings_ms.items()}
        if turn.left_behind:
            self._turns.close_unanswered(turn)
        elif turn.told_done:
            turn.ended_attempt = turn.attempt
            turn.reply.all_was_sent()
        elif turn.reply.has_begun:
            # Whatever the last of its nodes made of the rest, unless all there was is an apology.
            complete(self._outbox, turn, "failed" if turn.reply.source == APOLOGY else "completed")
        elif message.reason == "nothing_heard":
            self._end_empty(turn)
        else:
            self._listener.fail(turn, TurnLost(message.detail or "an empty reply"))
