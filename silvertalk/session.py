"""One person's conversation, as the gateway that owns it runs it: every move of the floor is made here.

    microphone events, control messages -> floor -> the turn's up stream
    the turn's down stream              -> floor -> outbox -> journal, socket

All of it happens on the event loop, in one tick for each thing that arrives: what arrives moves the floor and queues
what follows from it. Only `silvertalk.turn_life` waits for anything.

Three things a listener does that a timer cannot:

* While the person pauses, a reply is made that may be thrown away (`_speculate`). It is held until the endpoint.
* Who speaks while 복실이 does is listened to before it falls silent (`silvertalk.contest`).
* Who goes on just after it began to answer had not finished: the reply is taken back, and both halves are one turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from silvertalk import metrics
from silvertalk.album import Shown
from silvertalk.answering import Answering
from silvertalk.captioning import tell_partial
from silvertalk.contest import Contest
from silvertalk.echo_ear import EchoEar
from silvertalk.errors import SilverTalkError
from silvertalk.overlap import Verdict
from silvertalk.showing import MOVED_ON, OPENING
from silvertalk.turn import Turn
from silvertalk.turns_in_hand import SessionParts
from streaming.audio import MICROPHONE_RATE, samples_to_ms
from streaming.echo_witness import EchoWitness
from streaming.endpointing import EndpointDecision, Wait
from streaming.floor import Floor, Move, allows
from streaming.messages import (
    AudioBatch,
    SpeechPaused,
    SpeechResumed,
    TranscriptPartial,
    TurnRecord,
)
from streaming.protocol import (
    Duck,
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


class Session(Answering):
    """The state of one conversation, and what happens to it."""

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
        super().__init__(parts)
        self._believes_voice = believes_voice
        self._hears_echo = hears_echo
        self._max_speech_samples = max_speech_samples
        self._clock = clock
        self._contest: Contest | None = None
        self._witness = EchoWitness()
        self._paused_at = 0
        """Where the person fell silent last."""
        self._words_upto = 0
        """Up to where a node knows what the person has said."""
        self._near = False
        """The endpoint of this pause is near, and nobody has asked for a reply yet."""

    # --- clients come and go -----------------------------------------------------------------------------------------

    def left(self) -> None:
        """The client is gone, and may come back: the person goes on where they were."""
        self._away = True
        if self._turn is not None:
            self._turn.moved.set()

    def returned(self, playhead: Playhead | None) -> None:
        """A client is here and has been told what it missed. `playhead`: how far it says to have played."""
        self._away = False
        for turn in self._unsettled.values():
            turn.listen_again(playhead)
        self._tell_floor()
        if self._contest is not None and self._contest.ducked:
            self._tell_duck(self._contest, ducked=True)

    def take_up(self, records: Sequence[TurnRecord], living: Sequence[Turn], last_turn: int, floor: Floor) -> None:
        """Go on with a session of an earlier gateway's: its closed turns, those that live, and who holds the floor."""
        self._number, self._floor = last_turn, floor
        self._history.add(record for record in records if record.outcome != "nothing_heard")
        for turn in living:
            self._history.add([turn])
            self._unsettled[turn.number] = turn
            self.settled.clear()
            if not turn.left_behind:
                self._turn = turn
                self._paused_at = turn.spoken_to
            self._life.open(turn, self)

    def ask_for(self, turn: Turn) -> None:
        """The endpoint was told, but the gateway that told it did not live to ask for the reply."""
        self._answer(turn, turn.spoken_to)

    def _answer(self, turn: Turn, end_sample: int) -> None:
        """Ask for the reply to what was said up to there, all of which is known where it was typed."""
        wanted = self._obliging.wanted_by(turn, turn.transcript) if turn.transcript and not turn.say[0] else None
        if wanted is None:
            self._asking.ask(turn, end_sample)
        else:
            turn.end_sample = end_sample
            self._oblige(turn, wanted)

    # --- what the microphone hears (silvertalk.microphone.Speaker) ---------------------------------------------------

    # The microphone runs by itself: it may still be in an utterance whose turn has failed. What it says of that is let
    # pass, and speech that goes on opens a turn of its own.

    def speech_started(self, start_sample: int, onset_sample: int) -> None:
        if self._contest is not None:
            self._contest.resume(start_sample)
            return
        if self._floor is Floor.THINKING:
            turn = self._current()
            if turn.opened.text is None and turn.speech_samples < self._max_speech_samples:
                turn.false_ends_ms.append(samples_to_ms(onset_sample - turn.end_sample))
                self._go_on(turn, start_sample)
                return
            self._leave_behind(turn)
        if self._floor is Floor.SPEAKING and not self._believes_voice:
            self._begin_contest(start_sample, onset_sample)
            return
        move = Move.SPEECH_STARTED
        if self._floor is Floor.SPEAKING:
            self._interrupt("speech")
            move = Move.BARGED_IN
        turn = self._begin_turn(start_sample, text=None)
        said, heard_then = self._just_said
        if start_sample - heard_then < ECHO_SAMPLES:
            turn.overheard = said
        self._move(move)
        self._outbox.tell(SpeechBegan(turn=turn.number, sample=start_sample))

    def speech_paused(self, speech_end_sample: int) -> None:
        self._paused_at, self._near = speech_end_sample, False
        if self._contest is not None:
            self._contest.pause(speech_end_sample)
        elif self._turn is not None and self._floor is Floor.USER:
            self._move(Move.SPEECH_PAUSED)
            self._turn.send_up(SpeechPaused(sample=speech_end_sample))

    def speech_resumed(self, start_sample: int, onset_sample: int) -> None:
        turn = self._turn
        if self._contest is not None:
            self._contest.resume(start_sample)
        elif turn is None or self._floor is not Floor.PAUSED:
            self.speech_started(start_sample, onset_sample)
        else:
            if len(turn.inner_pauses_ms) < MAX_LEARNED_PAUSES:
                turn.inner_pauses_ms.append(samples_to_ms(onset_sample - self._paused_at))
            self._miss(turn)
            self._move(Move.SPEECH_RESUMED)
            turn.send_up(SpeechResumed(sample=start_sample))

    def speech_audio(self, batch: AudioBatch) -> None:
        if self._contest is not None:
            contest = self._contest
            self._listen_for_echo(contest, batch.first_sample + len(batch.pcm) // 2)
            if contest.hear(batch) is Verdict.SPEECH:
                contest.candidate.overheard = contest.over.reply_text
                self._barge_in(merge=False)
        elif self._turn is not None and self._floor is Floor.USER:
            self._turn.send_up(batch)

    def wait_chosen(self, speech_end_sample: int, wait: Wait) -> None:
        if self._turn is None or self._floor is not Floor.PAUSED:
            return
        event = EndpointWait(
            turn=self._turn.number,
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
        if self._contest is not None:
            self._contest.ended = decision
            if decision.reason == "commit":  # they say themselves that they have spoken
                self._barge_in()
            return
        turn = self._turn
        if turn is None or not allows(self._floor, Move.ENDPOINT):
            return
        self._near = False
        self._move(Move.ENDPOINT)
        turn.timings_ms["end_of_utterance_delay"] = decision.wait_ms
        metrics.END_OF_UTTERANCE_DELAY_SECONDS.observe(decision.wait_ms / 1000)
        hit = turn.speculative and turn.end_sample == decision.end_sample
        self._tell_ended(turn, decision, hit)
        if hit:
            metrics.SPECULATIONS.labels("hit").inc()
            turn.confirm()
            held, turn.held = turn.held, []
            self.on_down(turn, held)
        else:
            self._miss(turn)
            self._asking.ask(turn, decision.end_sample)
        if decision.reason == "limit":  # they are still speaking: nobody answers into that
            self._leave_behind(turn)

    def heard_to(self, sample: int) -> None:
        self._heard_sample = sample
        waits = self._away or self._showing.is_choosing
        if self._floor is Floor.OPEN and not waits and self._quiet.calls_for_prompt(sample):
            turn = self._begin_turn(sample, text="")
            self._move(Move.PROMPTED)
            if (another := self._showing.moment()) is not None:
                self._showing.tell(another, turn)
                self._asking.say_unasked(turn, another.words, MOVED_ON)
            else:
                self._asking.prompt(turn, self._quiet.prompts)

    def open_with(self, shown: Shown) -> None:
        """The conversation is about this photo: the client is told, and 복실이 speaks first, unless somebody has."""
        if self._number or self._floor is not Floor.OPEN:
            if shown.photo.id == self._showing.current:  # else they have asked for another one already
                self._showing.tell_only(shown, self._number)
            return
        turn = self._begin_turn(self._heard_sample, text="")
        self._move(Move.PROMPTED)
        self._showing.tell(shown, turn)
        self._quiet.answered()  # who then says nothing may be asked once more
        self._asking.say_unasked(turn, shown.words, OPENING)

    # --- what the client asks ----------------------------------------------------------------------------------------

    def typed(self, text: str, received_samples: int) -> None:
        """Something typed in place of speech; raises ProtocolError while the person speaks or waits for an answer."""
        if self._floor is Floor.THINKING and self._current().opened.text == "":
            self._abandon("typed")  # nobody has asked for what 복실이 was about to say
        if not allows(self._floor, Move.TYPED):
            raise fault("wrong_order", f"text while the floor is {self._floor.value}")
        if self._floor is not Floor.OPEN:
            contest = self._end_contest("finished")
            if contest is not None:
                self._drop(contest.candidate)
            self._interrupt("typed")
        turn = self._begin_turn(received_samples, text=text)
        self._move(Move.TYPED)
        self._outbox.tell(TurnEnded(turn=turn.number, end_sample=received_samples, wait_ms=0, reason="typed"))
        self._tell_distress(turn, self._asking.consider(turn, text))
        self._answer(turn, received_samples)

    def cancel(self) -> None:
        """Stop the reply that is being made or played; nothing happens where there is none."""
        if self._contest is not None:
            self._barge_in("cancelled", merge=False)
        elif self._floor is Floor.SPEAKING:
            self._interrupt("cancelled")
            self._move(Move.CANCELLED)
        elif self._floor is Floor.THINKING:
            self._abandon("cancelled")

    @property
    def patience(self) -> float:
        """How many times as long the person wishes to be waited for."""
        return self._habits.profile.patience

    def be_patient(self, factor: float) -> None:
        """The person wishes to be waited for so many times as long."""
        self._habits.profile.patience = factor

    def played(self, turn: int, samples: int, *, flushed: bool) -> None:
        """A playback acknowledgement; one for a turn that is long over is late, not wrong."""
        known = self._unsettled.get(turn)
        if known is not None:
            known.play_to(samples)
            known.sound.is_at(min(samples, known.sent_samples), self._ears.received_samples)
            if flushed and known.interrupted:  # else its reply was taken back, and another follows
                known.flushed.set()

    def end(self) -> None:
        """The conversation is over: nothing more is said to them, what they said is kept."""
        if self._contest is not None and self._contest.echo_upto:
            self._drop(self._contest.candidate)
            self._end_contest("finished")
        elif self._contest is not None:
            self._barge_in("ended", merge=False)
        turn = self._turn
        if self._floor in (Floor.SPEAKING, Floor.CONTESTED):
            self._interrupt("ended")
            self._move(Move.CANCELLED)
        elif turn is None:
            return
        elif turn.transcript_is_final or not turn.speech_samples:
            self._abandon("ended")
        else:  # their last words are still being understood
            if self._floor is not Floor.THINKING:
                self._miss(turn)
                self._move(Move.ENDPOINT)
                self._asking.ask(turn, turn.spoken_to)
            self._leave_behind(turn)

    def fail(self, turn: Turn, error: SilverTalkError) -> None:
        if self._contest is not None and turn is self._contest.candidate:
            self._barge_in()  # nobody can say what it said: a voice is believed
        super().fail(turn, error)

    def tell_problem(self, error: SilverTalkError, turn: int | None = None) -> None:
        if self._contest is not None and turn == self._contest.candidate.number:
            return  # of this turn the person knows nothing yet
        super().tell_problem(error, turn)

    def playback_finished(self, turn: Turn) -> None:
        """The reply was played to its end."""
        if self._turn is turn and self._floor in (Floor.SPEAKING, Floor.CONTESTED):
            contest = self._end_contest("finished")
            self._close(turn, turn.outcome_if_played)
            self._just_said = (turn.reply_text, self._heard_sample)
            if contest is not None:
                contest.candidate.overheard = turn.reply_text
                self._turn = contest.candidate
            self._move(Move.REPLY_FINISHED)
            if contest is not None:
                self._listen_to(contest)
        self._close(turn, turn.outcome_if_played)

    def _is_listened_to(self, turn: Turn) -> bool:
        """Whether this is the turn that the microphone's utterance belongs to."""
        if self._contest is not None:
            return turn is self._contest.candidate
        return turn is self._turn and self._floor in (Floor.USER, Floor.PAUSED)

    def _on_partial(self, turn: Turn, message: TranscriptPartial) -> None:
        text = f"{message.stable} {message.tentative}".strip()
        contest = self._contest
        if self._is_listened_to(turn):
            self._words_upto = message.upto_sample if text else 0
            if contest is None:
                tell_partial(self._outbox, turn, message)
            self._ears.on_words(message.upto_sample, text)
            self._speculate()
        else:
            tell_partial(self._outbox, turn, message)
        if contest is not None and contest is self._contest and turn is contest.candidate:
            self._judge(contest, message, text)

    def _speculate(self) -> None:
        """Have a reply made while the person pauses, once their words are known: before, a node could not begin."""
        turn = self._turn
        if turn is None or self._floor is not Floor.PAUSED or not self._near or self._words_upto < self._paused_at:
            return
        self._near = False
        if not turn.awaits_reply and self._asking.speculate(turn, self._paused_at):
            self._outbox.tell(Speculation(turn=turn.number, state="started"), journaled=False)

    # --- somebody speaks while 복실이 does ---------------------------------------------------------------------------

    def _begin_contest(self, start_sample: int, onset_sample: int) -> None:
        over = self._current()
        candidate = self._open_turn(start_sample, text=None)
        now = self._clock()
        since_sample = over.playing_at(now)
        if not over.sound.is_placed:
            over.sound.is_at(since_sample, self._ears.received_samples, guessed=True)
        ear = EchoEar(self._witness, over.sound, self._ears, onset_sample)
        contest = self._contest = Contest(candidate, over, onset_sample, ear, since_sample=since_sample)
        contest.may_merge = over.merge_left(now) > 0
        over.contested = True
        self._move(Move.SPEECH_STARTED)
        self._tell_duck(contest, ducked=True)

    def _listen_for_echo(self, contest: Contest, upto_sample: int) -> None:
        """By the sound alone, long before there are words: an echo need not make the reply soft, a person beside it
        does."""
        if not self._hears_echo or not contest.ear.listen():
            return
        if contest.ear.is_surely_echo:
            contest.echo_upto = upto_sample
            self._let_echo(contest)
        elif contest.ear.is_somebody and not contest.ducked:
            contest.ducked = True
            self._tell_duck(contest, ducked=True)

    def _judge(self, contest: Contest, message: TranscriptPartial, text: str) -> None:
        if self._hears_echo:
            contest.ear.listen()
        contest.voiced_ms = self._ears.voiced_ms
        verdict = contest.understand(text, message.upto_sample, self._clock(), self.language)
        settled = contest.is_settled(message.upto_sample)
        if verdict is Verdict.SPEECH:
            candidate = contest.candidate
            self._barge_in()
            if candidate is self._turn:
                tell_partial(self._outbox, candidate, message)
        elif settled and verdict is not Verdict.UNDECIDED:
            self._end_contest(verdict.value)
            self._drop(contest.candidate)
            self._move(Move.YIELDED)
        elif verdict is Verdict.ECHO:
            self._let_echo(contest)

    def _barge_in(self, reason: str = "speech", *, merge: bool = True) -> None:
        """The voice speaks to 복실이, which falls silent; or goes on with what had not been finished."""
        contest = self._contest
        assert contest is not None, "nobody speaks into the reply"
        merge = merge and contest.may_merge
        self._end_contest("speech")
        if merge:
            self._merge(contest)
        else:
            self._interrupt(reason)
            self._leave_echo(contest)
            if reason != "speech":  # nobody has said that it is more than an echo
                contest.candidate.overheard = contest.over.reply_text
            self._turn = contest.candidate
        self._move(Move.BARGED_IN)
        self._listen_to(contest)

    def _merge(self, contest: Contest) -> None:
        """What the voice said belongs to the turn that was being answered."""
        turn, candidate = contest.over, contest.candidate
        if not contest.echo_upto:
            turn.false_ends_ms.append(samples_to_ms(contest.onset_sample - turn.end_sample))
        self._take_back(turn)
        turn.send_up(SpeechResumed(sample=candidate.opened.first_sample))
        for message in contest.own_speech():
            turn.send_up(message)
        self._drop(candidate)

    def _let_echo(self, contest: Contest) -> None:
        """All of it was 복실이 itself so far: that need not make it soft. Who speaks into it is still listened to."""
        contest.may_merge = contest.over.merge_left(self._clock()) > 0
        if contest.ducked:
            contest.ducked = False
            self._tell_duck(contest, ducked=False, because=Verdict.ECHO.value)

    def _leave_echo(self, contest: Contest) -> None:
        """What the person says began as an echo: their turn has their own words alone, also on its node."""
        if not contest.echo_upto:
            return
        own, candidate = contest.own_speech(), contest.candidate
        first = next((message.first_sample for message in own if isinstance(message, AudioBatch)), None)
        if first is None:
            return
        contest.candidate = self._open_turn(first, text=None)
        for message in own:
            contest.candidate.send_up(message)
        self._drop(candidate)

    def _listen_to(self, contest: Contest) -> None:
        """The voice has the floor: go on where it stands."""
        turn = self._current()
        if turn is contest.candidate:
            self._outbox.tell(SpeechBegan(turn=turn.number, sample=turn.opened.first_sample))
        if contest.paused_at is not None:
            self._move(Move.SPEECH_PAUSED)
        if contest.ended is not None:
            self.utterance_ended(contest.ended)
        else:
            self._speculate()

    def _end_contest(self, because: str) -> Contest | None:
        contest, self._contest = self._contest, None
        if contest is not None:
            contest.over.contested = False
            contest.over.moved.set()
            metrics.OVERLAPS.labels(because).inc()
            self._tell_duck(contest, ducked=False, because=because)
        return contest

    def _tell_duck(self, contest: Contest, *, ducked: bool, because: str = "") -> None:
        contest.over.sound.soften(self._ears.received_samples, soft=ducked)
        self._outbox.tell(Duck(turn=contest.over.number, ducked=ducked, because=because), journaled=False)

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
