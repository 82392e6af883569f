"""What a node makes of a turn, on to the client: words, a reply, or that there is none.

What comes for a speculative reply is held until the endpoint; what carries a stale attempt is dropped.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

import msgspec

from silvertalk import distress, metrics
from silvertalk.captioning import tell_final
from silvertalk.contest import is_sure_echo
from silvertalk.echo_ear import Sound
from silvertalk.errors import TurnLost
from silvertalk.obliging import Wanted
from silvertalk.overlap import Verdict, judge
from silvertalk.releasing import complete, release, reply_ended
from silvertalk.turn import HELD_BOUND, Turn
from silvertalk.turn_requests import REQUESTED, Obliged
from silvertalk.turns_in_hand import SessionParts, TurnsInHand
from streaming.audio import MICROPHONE_RATE
from streaming.floor import Floor, Move
from streaming.messages import (
    APOLOGY,
    AnyMessage,
    Claimed,
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

ANSWER_SAMPLES = 15 * MICROPHONE_RATE
"""Who speaks within this after a reply probably answers it; later it may as well be a television."""
VOICE_CERTAINTY, VOICE_MS = 0.9, 1200.0
"""A voice as sure and as long as this has said something, also where nobody understood it."""


class Ears(Sound, Protocol):
    """The part of `silvertalk.microphone` that is told what a node makes of the sound and of the words."""

    @property
    def certainty(self) -> float: ...

    @property
    def voiced_ms(self) -> float: ...

    def on_sound(self, upto_sample: int, probability: float) -> None: ...

    def on_words(self, upto_sample: int, text: str) -> None: ...


class Answering(TurnsInHand):
    """The answering half of a session."""

    def __init__(self, parts: SessionParts) -> None:
        super().__init__(parts)
        self._listening: Ears | None = None
        self._just_said = ("", 0)
        """What was said last, and up to where the microphone was heard when it had been."""

    def listen_with(self, ears: Ears) -> None:
        """The microphone's: said once, before anything is heard."""
        self._listening = ears

    @property
    def _ears(self) -> Ears:
        assert self._listening is not None, "nothing comes of a turn before somebody listens"
        return self._listening

    @abstractmethod
    def _is_listened_to(self, turn: Turn) -> bool:
        """Whether this is the turn that the microphone's utterance belongs to."""

    @abstractmethod
    def _on_partial(self, turn: Turn, message: TranscriptPartial) -> None: ...

    def on_down(self, turn: Turn, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        """Entries of the turn's down stream, in order. What carries a stale attempt is dropped here and nowhere
        else."""
        turn.note_arrival()
        for entry, message in entries:
            match message:
                case Claimed():
                    self._on_claimed(turn, message)
                case TurnEndScored():
                    if self._is_listened_to(turn):
                        self._ears.on_sound(message.sample, message.probability)
                case TranscriptPartial() if not turn.over and not turn.transcript_is_final:
                    self._on_partial(turn, message)
                case TranscriptFinal() | ReplyText() | ReplyAudio() | ReplyDone() if (
                    turn.speculative and turn.is_current(message.attempt)
                ):
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
                    self.fail(turn, TurnLost(f"{message.reason}: {message.detail}"))
                case _:
                    metrics.STALE_OUTPUTS.inc()

    def _on_claimed(self, turn: Turn, message: Claimed) -> None:
        """A node has the turn. What an older one was told it will read too, and would say all of it again."""
        taken_over, turn.claimed_by = bool(turn.claimed_by), message.node
        if not taken_over:
            metrics.CLAIM_SECONDS.observe(time.time() - turn.started_at)
        if not taken_over or turn.over or not turn.attempt:
            return
        metrics.REDELIVERED.inc()
        if turn.awaits_reply:
            self._asking.again(turn)
        else:
            turn.cancel_reply("redelivered")

    def _hold(self, turn: Turn, entry: str, message: AnyMessage) -> None:
        if len(turn.held) >= HELD_BOUND:
            self._miss(turn)
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
            self._tell_distress(turn, self._asking.notice_distress(turn, message.text))
            self._close_unanswered(turn)
        elif not turn.say[0]:
            voice = self._is_surely_voice()
            found = self._asking.consider(turn, message.text, confidence=message.confidence, voice=voice)
            self._tell_distress(turn, found)
            if turn.say[0]:
                self._asking.say_instead(turn)
            elif (wanted := self._obliging.wanted_by(turn, message.text)) is not None:
                turn.cancel_reply(REQUESTED)
                self._oblige(turn, wanted)

    def _oblige(self, turn: Turn, wanted: Wanted) -> None:
        """The person has asked for something that needs no LLM: it is answered once it is seen to."""
        self._obliging.begin(turn, wanted, self._say_of)

    def _say_of(self, turn: Turn, obliged: Obliged) -> None:
        turn.say = (obliged.say, obliged.say_as)
        self._asking.ask(turn, turn.end_sample)

    def _tell_distress(self, turn: Turn, found: distress.Distress | None) -> None:
        if found is not None:
            event = Distress(turn=turn.number, kind=found.kind, phrase=found.phrase, number=found.number)
            self._outbox.tell(event)

    def _is_surely_voice(self) -> bool:
        """Somebody spoke, in answer to what was said just before: worth asking about where nobody understood it."""
        said, heard_then = self._just_said
        if not said or self._heard_sample - heard_then > ANSWER_SAMPLES:
            return False
        return self._ears.certainty >= VOICE_CERTAINTY and self._ears.voiced_ms >= VOICE_MS

    def _is_echo(self, turn: Turn, text: str) -> bool:
        if not turn.overheard or not is_sure_echo(text, self.language):
            return False  # an answer of a word or two must not be lost for sounding like a word of the question
        verdict = judge(text, settled=True, played=turn.overheard, question_open=True, language=self.language)
        return verdict is Verdict.ECHO

    def _hear_nothing(self, turn: Turn, message: TranscriptFinal) -> None:
        """What was heard was 복실이 itself."""
        turn.cancel_reply("echo")
        tell_final(self._outbox, turn, msgspec.structs.replace(message, text="", rejected="echo"))
        self._end_empty(turn)

    def _end_empty(self, turn: Turn) -> None:
        if turn.left_behind:
            self._close_unanswered(turn)
            return
        self._outbox.tell(reply_ended(turn, "nothing_heard"))
        self._move(Move.REPLY_EMPTY if self._floor is Floor.THINKING else Move.CANCELLED)
        self._close(turn, "nothing_heard")

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
        self._take_effect(turn)
        release(self._outbox, turn, entry, message)

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
            self._close_unanswered(turn)
        elif turn.told_done:
            turn.ended_attempt = turn.attempt
            turn.reply_was_sent()
        elif turn.has_begun:
            # Whatever the last of its nodes made of the rest, unless all there was is an apology.
            complete(self._outbox, turn, "failed" if turn.source == APOLOGY else "completed")
        elif message.reason == "nothing_heard":
            self._end_empty(turn)
        else:
            self.fail(turn, TurnLost(message.detail or "an empty reply"))
