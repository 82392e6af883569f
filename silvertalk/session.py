"""One person's conversation, as the gateway that owns it runs it: whatever happens in it is told here first.

    microphone events, control messages -> floor -> the turn's up stream
    the turn's down stream              -> floor -> outbox -> journal, socket

All of it happens on the event loop, in one tick for each thing that arrives: what arrives moves the floor and queues
what follows from it. Only `silvertalk.turn_life` waits for anything.

Three things a listener does that a timer cannot:

* While the person pauses, a reply is made that may be thrown away (`_speculate`). It is held until the endpoint.
* Who speaks while 복실이 does is listened to before it falls silent (`silvertalk.barge_in`).
* Who goes on just after it began to answer had not finished: the reply is taken back, and both halves are one turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from silvertalk import metrics
from silvertalk.album import Shown
from silvertalk.answering import Answering
from silvertalk.barge_in import BargeIn
from silvertalk.captioning import tell_partial
from silvertalk.contest import Contest, Voice
from silvertalk.distress import distress_in
from silvertalk.errors import SilverTalkError
from silvertalk.presence import Presence
from silvertalk.showing import MOVED_ON, OPENING
from silvertalk.turn import Turn
from silvertalk.turns_in_hand import SessionParts, TurnsInHand
from streaming.audio import MICROPHONE_RATE, samples_to_ms
from streaming.endpointing import EndpointDecision, Wait
from streaming.floor import Floor, Move, allows
from streaming.messages import (
    AnyMessage,
    AudioBatch,
    SpeechPaused,
    SpeechResumed,
    TranscriptPartial,
    TurnEndScored,
    TurnRecord,
)
from streaming.protocol import (
    EndpointWait,
    Playhead,
    Speculation,
    SpeechBegan,
    TurnEnded,
    fault,
)

ECHO_SAMPLES = MICROPHONE_RATE
"""A voice that begins so soon after the reply's end may be the end of its echo."""
MAX_LEARNED_PAUSES = 64
"""Pauses of one turn that are learned from; who tells a story of ten minutes has shown by then how they pause."""
ANSWER_SAMPLES = 15 * MICROPHONE_RATE
"""Who speaks within this after a reply probably answers it; later it may as well be a television."""
VOICE_CERTAINTY, VOICE_MS = 0.9, 1200.0
"""A voice as sure and as long as this has said something, also where nobody understood it."""


class Ears(Voice, Protocol):
    """The part of `silvertalk.microphone` that is told what a node makes of the sound and of the words."""

    @property
    def certainty(self) -> float: ...

    def on_sound(self, upto_sample: int, probability: float) -> None: ...

    def on_words(self, upto_sample: int, text: str) -> None: ...


class Session:
    """What happens in one conversation, and what follows from it for its `turns`."""

    def __init__(
        self,
        parts: SessionParts,
        *,
        believes_voice: bool,
        hears_echo: bool,
        max_speech_samples: int,
        clock: Callable[[], float],
    ) -> None:
        """`believes_voice`: a voice while 복실이 speaks is meant for it, whatever it says (a button is being held).
        `hears_echo`: by its sound, too, a voice may be known for 복실이's own.
        `max_speech_samples`: who goes on beyond it is not cut off, but begins another turn. `clock`: seconds."""
        self.turns = TurnsInHand(parts, self)
        self._barge_in = BargeIn(self.turns, parts, hears_echo=hears_echo, clock=clock)
        self._answering = Answering(self.turns, parts, self)
        self._parts = parts
        self._outbox = parts.outbox
        self._asking = parts.asking
        self._showing = parts.showing
        self._believes_voice = believes_voice
        self._max_speech_samples = max_speech_samples
        self._listening: Ears | None = None
        """None until the microphone is there, which is before anything is heard."""
        self.presence = Presence(clock)
        """While there is no client, what is told is kept for it, and nothing is being played."""
        self._just_said = ("", 0)
        """What was said last, and up to where the microphone was heard when it had been."""
        self._paused_at = 0
        """Where the person fell silent last."""
        self._words_upto = 0
        """Up to where a node knows what the person has said."""
        self._near = False
        """The endpoint of this pause is near, and nobody has asked for a reply yet."""

    def listen_with(self, ears: Ears) -> None:
        """The microphone's: said once, before anything is heard."""
        self._listening = ears

    @property
    def _ears(self) -> Ears:
        assert self._listening is not None, "nothing comes of a turn before somebody listens"
        return self._listening

    # --- clients come and go -----------------------------------------------------------------------------------------

    def left(self) -> None:
        """The client is gone, and may come back: the person goes on where they were."""
        self.presence.left()
        if self.turns.in_hand is not None:
            self.turns.in_hand.moved.set()

    def returned(self, playhead: Playhead | None) -> None:
        """A client is here and has been told what it missed. `playhead`: how far it says to have played."""
        self.presence.came()
        for turn in self.turns.unsettled.values():
            turn.listen_again(playhead)
        self.turns.tell_floor()
        self._barge_in.tell_again()

    def heard_from(self, *, acknowledging: bool = False) -> None:
        """Sound, or (`acknowledging`) how far it has played, has come from the client."""
        if self.presence.heard(acknowledging=acknowledging):  # it had been silent: its player goes on from here
            for turn in self.turns.unsettled.values():
                turn.listen_again(None)

    def take_up(self, records: Sequence[TurnRecord], living: Sequence[Turn], last_turn: int, floor: Floor) -> None:
        """Go on with a session of an earlier gateway's: its closed turns, those that live, and who holds the floor."""
        self.turns.take_up(records, living, last_turn, floor)
        if self.turns.in_hand is not None:
            self._paused_at = self.turns.in_hand.spoken_to

    def ask_for(self, turn: Turn) -> None:
        """The endpoint was told, but the gateway that told it did not live to ask for the reply."""
        self._answer(turn, turn.spoken_to)

    def _answer(self, turn: Turn, end_sample: int) -> None:
        """Ask for the reply to what was said up to there, all of which is known where it was typed."""
        wanted = self._parts.obliging.wanted_by(turn, turn.transcript) if turn.transcript and not turn.say[0] else None
        if wanted is None:
            self._asking.ask(turn, end_sample)
        else:
            turn.end_sample = end_sample
            self._answering.oblige(turn, wanted)

    # --- what the microphone hears (silvertalk.microphone.Speaker) ---------------------------------------------------

    # The microphone runs by itself: it may still be in an utterance whose turn has failed. What it says of that is let
    # pass, and speech that goes on opens a turn of its own.

    def speech_started(self, start_sample: int, onset_sample: int) -> None:
        if (contest := self._barge_in.contest) is not None:
            contest.resume(start_sample)
            return
        if self.turns.floor in (Floor.THINKING, Floor.SPEAKING) and self._replied_to(start_sample, onset_sample):
            return
        move = Move.SPEECH_STARTED
        if self.turns.floor is Floor.SPEAKING:
            self.turns.interrupt("speech")
            move = Move.BARGED_IN
        turn = self.turns.begin(start_sample, text=None)
        said, heard_then = self._just_said
        if start_sample - heard_then < ECHO_SAMPLES:
            turn.overheard = said
        self.turns.move(move)
        self._outbox.tell(SpeechBegan(turn=turn.number, sample=start_sample))

    def _replied_to(self, start_sample: int, onset_sample: int) -> bool:
        """Somebody speaks while a reply is made or heard. False where that is a turn of its own at once."""
        turn, thinking = self.turns.current, self.turns.floor is Floor.THINKING
        goes_on = thinking and turn.may_go_on
        if goes_on and turn.speech_samples < self._max_speech_samples:
            understood = turn.transcript if turn.transcript_is_final else ""
            turn.false_ends.append((samples_to_ms(onset_sample - turn.end_sample), understood))
            self.turns.go_on(turn, start_sample)
            return True
        if not goes_on and (turn.gives_help or not self._believes_voice):
            self._barge_in.begin(start_sample, onset_sample, self._ears)
            return True
        if thinking:
            self.turns.leave_behind(turn)
        return False

    def speech_paused(self, speech_end_sample: int) -> None:
        self._paused_at, self._near = speech_end_sample, False
        if (contest := self._barge_in.contest) is not None:
            contest.pause(speech_end_sample)
        elif self.turns.in_hand is not None and self.turns.floor is Floor.USER:
            self.turns.move(Move.SPEECH_PAUSED)
            self.turns.in_hand.send_up(SpeechPaused(sample=speech_end_sample))

    def speech_resumed(self, start_sample: int, onset_sample: int) -> None:
        turn = self.turns.in_hand
        if (contest := self._barge_in.contest) is not None:
            contest.resume(start_sample)
        elif turn is None or self.turns.floor is not Floor.PAUSED:
            self.speech_started(start_sample, onset_sample)
        else:
            if len(turn.inner_pauses_ms) < MAX_LEARNED_PAUSES:
                turn.inner_pauses_ms.append(samples_to_ms(onset_sample - self._paused_at))
            self.turns.miss(turn)
            self.turns.move(Move.SPEECH_RESUMED)
            turn.send_up(SpeechResumed(sample=start_sample))

    def speech_audio(self, batch: AudioBatch) -> None:
        if (contest := self._barge_in.contest) is not None:
            if self._barge_in.hear(contest, batch):
                self._believe(contest, merge=False)
        elif self.turns.in_hand is not None and self.turns.floor is Floor.USER:
            self.turns.in_hand.send_up(batch)

    def wait_chosen(self, speech_end_sample: int, wait: Wait) -> None:
        if self.turns.in_hand is None or self.turns.floor is not Floor.PAUSED:
            return
        event = EndpointWait(
            turn=self.turns.in_hand.number,
            speech_end_sample=speech_end_sample,
            wait_ms=round(wait.wait_ms),
            because=wait.because,
            ending=wait.ending,
            end_probability=wait.end_probability,
            faded=wait.faded,
        )
        self._outbox.tell(event, journaled=False)

    def endpoint_nears(self, speech_end_sample: int) -> None:
        self._near, self._paused_at = True, speech_end_sample
        self._speculate()

    def utterance_ended(self, decision: EndpointDecision) -> None:
        if (contest := self._barge_in.contest) is not None:
            contest.ended = decision
            if decision.reason == "commit":  # they say themselves that they have spoken
                self._believe(contest)
            return
        turn = self.turns.in_hand
        if turn is None or not allows(self.turns.floor, Move.ENDPOINT):
            return
        self._near = False
        self.turns.move(Move.ENDPOINT)
        turn.timings_ms["end_of_utterance_delay"] = decision.wait_ms
        metrics.END_OF_UTTERANCE_DELAY_SECONDS.observe(decision.wait_ms / 1000)
        hit = turn.speculative and turn.end_sample == decision.end_sample
        self._tell_ended(turn, decision, hit)
        if hit:
            metrics.SPECULATIONS.labels("hit").inc()
            turn.confirm()
            held, turn.held = turn.held, []
            self._answering.on_down(turn, held)
        else:
            self.turns.miss(turn)
            self._asking.ask(turn, decision.end_sample)
        if decision.reason == "limit":  # they are still speaking: nobody answers into that
            self.turns.leave_behind(turn)

    def heard_to(self, sample: int) -> None:
        self.turns.heard_sample = sample
        waits = self.presence.is_away or self._showing.is_choosing
        if self.turns.floor is Floor.OPEN and not waits and self._parts.quiet.calls_for_prompt(sample):
            turn = self.turns.begin(sample, text="")
            self.turns.move(Move.PROMPTED)
            if (another := self._showing.moment()) is not None:
                self._showing.tell(another, turn)
                self._asking.say_unasked(turn, another.words, MOVED_ON)
            else:
                self._asking.prompt(turn, self._parts.quiet.prompts)

    def open_with(self, shown: Shown) -> None:
        """The conversation is about this photo: the client is told, and 복실이 speaks first, unless somebody has."""
        if self.turns.begun or self.turns.floor is not Floor.OPEN:
            if shown.photo.id == self._showing.current:  # else they have asked for another one already
                self._showing.tell_only(shown, self.turns.begun)
            return
        turn = self.turns.begin(self.turns.heard_sample, text="")
        self.turns.move(Move.PROMPTED)
        self._showing.tell(shown, turn)
        self._parts.quiet.answered()  # who then says nothing may be asked once more
        self._asking.say_unasked(turn, shown.words, OPENING)

    def _believe(self, contest: Contest, reason: str = "speech", *, merge: bool = True) -> None:
        """The voice speaks to 복실이."""
        if self._barge_in.believe(contest, reason, merge=merge):
            self._listen_to(contest)

    def _listen_to(self, contest: Contest) -> None:
        """The voice has the floor: go on where it stands."""
        turn = self.turns.current
        if turn is contest.candidate:
            self._outbox.tell(SpeechBegan(turn=turn.number, sample=turn.opened.first_sample))
        if contest.paused_at is not None:
            self.turns.move(Move.SPEECH_PAUSED)
        if contest.ended is not None:
            self.utterance_ended(contest.ended)
        else:
            self._speculate()

    def _speculate(self) -> None:
        """Have a reply made while the person pauses, once their words are known: before, a node could not begin."""
        turn = self.turns.in_hand
        if turn is None or self.turns.floor is not Floor.PAUSED or not self._near or self._words_upto < self._paused_at:
            return
        self._near = False
        if not turn.awaits_reply and self._asking.speculate(turn, self._paused_at):
            self._outbox.tell(Speculation(turn=turn.number, state="started"), journaled=False)

    def _tell_ended(self, turn: Turn, decision: EndpointDecision, hit: bool) -> None:
        wait = decision.wait
        self._outbox.tell(
            TurnEnded(
                turn=turn.number,
                end_sample=decision.end_sample,
                wait_ms=round(decision.wait_ms),
                reason=decision.reason,
                because=wait.because if wait is not None else "",
                ending=wait.ending if wait is not None else "",
                end_probability=wait.end_probability if wait is not None else None,
                faded=wait.faded if wait is not None else None,
                speculation="hit" if hit else "none",
            )
        )

    # --- what the client asks ----------------------------------------------------------------------------------------

    def typed(self, text: str, received_samples: int) -> None:
        """Something typed in place of speech; raises ProtocolError while the person speaks or waits for an answer."""
        if self.turns.floor is Floor.THINKING and self.turns.current.opened.text == "":
            self._barge_in.let_go("finished")
            self.turns.abandon("typed")  # nobody has asked for what 복실이 was about to say
        if not allows(self.turns.floor, Move.TYPED):
            # A call for help is heard where nothing else can be taken; the turn in hand is of other words.
            found = distress_in(text, self._parts.language, by_ear=False)
            self._answering.tell_distress(self.turns.current, found)
            raise fault("wrong_order", f"text while the floor is {self.turns.floor.value}")
        if self.turns.floor is not Floor.OPEN:
            self._barge_in.let_go("finished")
            self.turns.interrupt("typed")
        turn = self.turns.begin(received_samples, text=text)
        self.turns.move(Move.TYPED)
        self._outbox.tell(TurnEnded(turn=turn.number, end_sample=received_samples, wait_ms=0, reason="typed"))
        self._answering.tell_distress(turn, self._asking.consider(turn, text))
        self._answer(turn, received_samples)

    def cancel(self) -> None:
        """Stop the reply that is being made or played; nothing happens where there is none."""
        if (contest := self._barge_in.contest) is not None:
            self._believe(contest, "cancelled", merge=False)
        elif self.turns.floor is Floor.SPEAKING:
            self.turns.interrupt("cancelled")
            self.turns.move(Move.CANCELLED)
        elif self.turns.floor is Floor.THINKING:
            turn = self.turns.current
            if turn.transcript_is_final or not turn.speech_samples:
                self.turns.abandon("cancelled")
            else:  # what they said is still being understood
                turn.interrupted = True
                self.turns.leave_behind(turn)

    @property
    def patience(self) -> float:
        """How many times as long the person wishes to be waited for."""
        return self._parts.habits.profile.patience

    def be_patient(self, factor: float) -> None:
        """The person wishes to be waited for so many times as long."""
        self._parts.habits.profile.patience = factor

    def played(self, turn: int, samples: int, *, flushed: bool) -> None:
        """A playback acknowledgement; one for a turn that is long over is late, not wrong."""
        known = self.turns.unsettled.get(turn)
        if known is not None:
            known.reply.play_to(samples)
            known.reply.sound.is_at(min(samples, known.reply.sent_samples), self._ears.received_samples)
            if flushed and known.interrupted:  # else its reply was taken back, and another follows
                known.flushed.set()

    def end(self) -> None:
        """The conversation is over: nothing more is said to them, what they said is kept."""
        contest = self._barge_in.contest
        if contest is not None and contest.echo_upto:
            self._barge_in.let_go("finished")
        elif contest is not None:
            self._believe(contest, "ended", merge=False)
        turn = self.turns.in_hand
        if self.turns.floor in (Floor.SPEAKING, Floor.CONTESTED):
            self.turns.interrupt("ended")
            self.turns.move(Move.CANCELLED)
        elif turn is None:
            return
        elif turn.transcript_is_final or not turn.speech_samples:
            self.turns.abandon("ended")
        else:  # their last words are still being understood
            if self.turns.floor is not Floor.THINKING:
                self.turns.miss(turn)
                self.turns.move(Move.ENDPOINT)
                self._asking.ask(turn, turn.spoken_to)
            self.turns.leave_behind(turn)

    # --- what becomes of its turns (silvertalk.turn_life.Conversation) -----------------------------------------------

    def fenced(self) -> None:
        self._parts.on_fenced()

    def on_down(self, turn: Turn, entries: Sequence[tuple[str, AnyMessage]]) -> None:
        self._answering.on_down(turn, entries)

    def settle(self, turn: int) -> None:
        self.turns.settle(turn)

    def fail(self, turn: Turn, error: SilverTalkError) -> None:
        contest = self._barge_in.contest
        if contest is not None and turn is contest.candidate:
            self._believe(contest)  # nobody can say what it said: a voice is believed
            if contest is self._barge_in.contest:  # where that has to wait there is nothing to wait for
                self._barge_in.give_way("finished")
        self.turns.fail(turn, error)
        if contest is not None and contest is self._barge_in.contest and contest.over.over:
            self._barge_in.end("finished")
            self._barge_in.take_floor(contest)
            self._listen_to(contest)

    def tell_problem(self, error: SilverTalkError, turn: int | None = None) -> None:
        contest = self._barge_in.contest
        if contest is None or turn != contest.candidate.number:  # of that turn the person knows nothing yet
            self.turns.tell_problem(error, turn)

    def playback_finished(self, turn: Turn) -> None:
        """The reply was played to its end."""
        if self.turns.in_hand is turn and self.turns.floor in (Floor.SPEAKING, Floor.CONTESTED):
            contest = self._barge_in.end("finished")
            self.turns.close(turn, turn.outcome_if_played)
            self._just_said = (turn.reply.text, self.turns.heard_sample)
            if contest is not None:
                contest.candidate.overheard = turn.reply.text
                self.turns.in_hand = contest.candidate
            self.turns.move(Move.REPLY_FINISHED)
            if contest is not None:
                self._listen_to(contest)
        self.turns.close(turn, turn.outcome_if_played)

    # --- what a node makes of the sound (silvertalk.answering.Listener) ----------------------------------------------

    def on_scored(self, turn: Turn, message: TurnEndScored) -> None:
        if self._is_listened_to(turn):
            self._ears.on_sound(message.sample, message.probability)

    def on_partial(self, turn: Turn, message: TranscriptPartial) -> None:
        text = f"{message.stable} {message.tentative}".strip()
        contest = self._barge_in.contest
        if self._is_listened_to(turn):
            self._words_upto = message.upto_sample if text else 0
            if contest is None:
                tell_partial(self._outbox, turn, message)
            self._ears.on_words(message.upto_sample, text)
            self._speculate()
        else:
            tell_partial(self._outbox, turn, message)
        if contest is None or contest is not self._barge_in.contest or turn is not contest.candidate:
            return
        if self._barge_in.understand(contest, message, text):
            self._believe(contest)
            if turn is self.turns.in_hand:
                tell_partial(self._outbox, turn, message)
        elif self._barge_in.contest is None and not contest.over.speculative:  # it was nothing
            held, contest.over.held = contest.over.held, []
            self._answering.on_down(contest.over, held)

    def holds_back(self, turn: Turn) -> bool:
        return self._barge_in.holds_back(turn)

    def reply_began(self, turn: Turn) -> None:
        self._barge_in.reply_began(turn)

    def is_surely_voice(self) -> bool:
        said, heard_then = self._just_said
        if not said or self.turns.heard_sample - heard_then > ANSWER_SAMPLES:
            return False
        return self._ears.certainty >= VOICE_CERTAINTY and self._ears.voiced_ms >= VOICE_MS

    def _is_listened_to(self, turn: Turn) -> bool:
        """Whether this is the turn that the microphone's utterance belongs to."""
        if (contest := self._barge_in.contest) is not None:
            return turn is contest.candidate
        return turn is self.turns.in_hand and self.turns.floor in (Floor.USER, Floor.PAUSED)
