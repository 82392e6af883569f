"""Somebody speaks while 복실이 does: the reply goes on, softly, until it is known who that is.

Who it is `silvertalk.contest` judges. What follows stands here: 복실이 falls silent, or takes back what it had only
begun to say; or the voice was no more than an echo, a nod or a cough, and leaves no trace.

So it is, too, while a reply is made that no voice can go on with: to what was typed, of 복실이's own accord, or with
whom to call for help. And that last is said to its end, loud, whoever cries out meanwhile: they are heard afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from silvertalk import metrics
from silvertalk.contest import Contest, Voice
from silvertalk.echo_ear import EchoEar
from silvertalk.overlap import Verdict
from silvertalk.turn import Turn
from silvertalk.turns_in_hand import SessionParts, TurnsInHand
from streaming.audio import samples_to_ms
from streaming.echo_witness import EchoWitness
from streaming.floor import Floor, Move
from streaming.messages import AudioBatch, Language, SpeechResumed, TranscriptPartial
from streaming.protocol import Duck


class BargeIn:
    """The voice that speaks into the reply of the turn in hand, if there is one."""

    def __init__(
        self, turns: TurnsInHand, parts: SessionParts, *, hears_echo: bool, clock: Callable[[], float]
    ) -> None:
        """`hears_echo`: by its sound, too, a voice may be known for 복실이's own. `clock`: seconds."""
        self._turns = turns
        self._outbox = parts.outbox
        self._language: Language = parts.language
        self._hears_echo = hears_echo
        self._clock = clock
        self._witness = EchoWitness()
        self.contest: Contest | None = None
        """While it is not known whose the voice is."""
        self._told: Duck | None = None
        """The last."""

    def begin(self, start_sample: int, onset_sample: int, voice: Voice) -> None:
        """Somebody may be speaking: into the reply, or while it is made."""
        over = self._turns.current
        candidate = self._turns.open(start_sample, text=None)
        ear = EchoEar(self._witness, over.reply.sound, voice, onset_sample)
        self.contest = Contest(candidate, over, voice, onset_sample, ear)
        if self._turns.floor is Floor.SPEAKING:
            self._overlap(self.contest)

    def holds_back(self, turn: Turn) -> bool:
        """Nobody has asked for what the turn says: it is not said into what may be words."""
        unasked = self.contest is not None and self.contest.over is turn and turn.opened.text == ""
        return unasked and self._turns.floor is Floor.THINKING

    def reply_began(self, turn: Turn) -> None:
        """Its first sound is on its way: who has begun to speak meanwhile speaks into it."""
        if self.contest is not None and self.contest.over is turn:
            self._overlap(self.contest)

    def _overlap(self, contest: Contest) -> None:
        over, now = contest.over, self._clock()
        contest.since_sample = over.reply.playing_at(now)
        if not over.reply.sound.is_placed:
            over.reply.sound.is_at(contest.since_sample, contest.voice.received_samples, guessed=True)
        contest.may_merge = over.merge_left(now) > 0
        over.contested = not contest.is_believed
        self._turns.move(Move.SPEECH_STARTED)
        self._soften(contest)

    def tell_again(self) -> None:
        """A client is here again, which may have missed the last of it: it plays the reply softly, or no more."""
        in_hand = self._turns.in_hand
        if self._told is not None and in_hand is not None and self._told.turn == in_hand.number:
            self._outbox.tell(self._told, journaled=False)

    # --- who is it? --------------------------------------------------------------------------------------------------

    def hear(self, contest: Contest, batch: AudioBatch) -> bool:
        """More of the voice. True where it is to be believed, since nobody can say in time what it says."""
        self._listen_for_echo(contest, batch.first_sample + len(batch.pcm) // 2)
        if contest.hear(batch) is not Verdict.SPEECH:
            return False
        contest.candidate.overheard = contest.over.reply.text
        return True

    def understand(self, contest: Contest, message: TranscriptPartial, text: str) -> bool:
        """More of its words. True where they are said to 복실이; a voice that has said nothing to it is let go."""
        if contest.is_believed:
            return False  # and waits
        if self._hears_echo and self._turns.floor is Floor.CONTESTED:
            contest.ear.listen()
        verdict = contest.understand(text, message.upto_sample, self._clock(), self._language)
        if verdict is Verdict.SPEECH:
            return True
        if contest.is_settled(message.upto_sample) and verdict is not Verdict.UNDECIDED:
            self.give_way(verdict.value)
        elif verdict is Verdict.ECHO:
            self._let_echo(contest)
        return False

    def _listen_for_echo(self, contest: Contest, upto_sample: int) -> None:
        """By the sound alone, long before there are words: an echo need not make the reply soft, a person beside it
        does."""
        if not self._hears_echo or self._turns.floor is not Floor.CONTESTED or not contest.ear.listen():
            return
        if contest.ear.is_surely_echo:
            contest.echo_upto = upto_sample
            self._let_echo(contest)
        elif contest.ear.is_somebody and not contest.ducked:
            self._soften(contest)

    def _let_echo(self, contest: Contest) -> None:
        """All of it was 복실이 itself so far: that need not make it soft. Who speaks into it is still listened to."""
        contest.may_merge = contest.over.merge_left(self._clock()) > 0
        if contest.ducked:
            contest.ducked = False
            self._tell_duck(contest, ducked=False, because=Verdict.ECHO.value)

    # --- it is known -------------------------------------------------------------------------------------------------

    def believe(self, contest: Contest, reason: str, *, merge: bool) -> bool:
        """The voice speaks to 복실이, which falls silent; or (`merge`) goes on with what had not been finished. False
        where it has to wait until it was told whom to call for help: a button alone (another `reason`) stops that."""
        if contest.over.gives_help and reason == "speech":
            contest.is_believed, contest.over.contested = True, False
            contest.over.moved.set()
            return False
        merge = merge and contest.may_merge
        self.end("speech")
        if self._turns.floor is Floor.THINKING:
            self._turns.leave_behind(contest.over)
            asked = contest.over.opened.text != ""  # by the person, who goes on without an answer
            contest.candidate.opened = msgspec.structs.replace(contest.candidate.opened, continuation=asked)
            self.take_floor(contest)
            return True
        if merge:
            self._merge(contest)
        else:
            self._turns.interrupt(reason)
            self._leave_echo(contest)
            if reason != "speech":  # nobody has said that it is more than an echo
                contest.candidate.overheard = contest.over.reply.text
            self._turns.in_hand = contest.candidate
        self._turns.move(Move.BARGED_IN)
        return True

    def take_floor(self, contest: Contest) -> None:
        """The floor is open, and the voice is there."""
        self._turns.in_hand = contest.candidate
        self._turns.move(Move.SPEECH_STARTED)

    def give_way(self, because: str) -> None:
        """What the voice said was nothing: the reply goes on, or goes on being made."""
        self.let_go(because)
        if self._turns.floor is Floor.CONTESTED:
            self._turns.move(Move.YIELDED)

    def let_go(self, because: str) -> None:
        """What the voice said, if there was one, was nothing, or counts for nothing. The caller moves the floor."""
        contest = self.end(because)
        if contest is not None:
            self._turns.drop(contest.candidate)

    def end(self, because: str) -> Contest | None:
        """Who it is matters no more; the caller sees to the voice, if there was one."""
        contest, self.contest = self.contest, None
        if contest is not None:
            contest.over.contested = False
            contest.over.moved.set()
            metrics.OVERLAPS.labels(because).inc()
            if contest.was_ducked:
                self._tell_duck(contest, ducked=False, because=because)
        return contest

    def _merge(self, contest: Contest) -> None:
        """What the voice said belongs to the turn that was being answered."""
        turn, candidate = contest.over, contest.candidate
        if not contest.echo_upto:
            turn.false_ends.append((samples_to_ms(contest.onset_sample - turn.end_sample), ""))
        self._turns.take_back(turn)
        turn.send_up(SpeechResumed(sample=candidate.opened.first_sample))
        for message in contest.own_speech():
            turn.send_up(message)
        self._turns.drop(candidate)

    def _leave_echo(self, contest: Contest) -> None:
        """What the person says began as an echo: their turn has their own words alone, also on its node."""
        if not contest.echo_upto:
            return
        own, candidate = contest.own_speech(), contest.candidate
        first = next((message.first_sample for message in own if isinstance(message, AudioBatch)), None)
        if first is None:
            return
        contest.candidate = self._turns.open(first, text=None)
        for message in own:
            contest.candidate.send_up(message)
        self._turns.drop(candidate)

    def _soften(self, contest: Contest) -> None:
        if not contest.over.gives_help:
            contest.ducked = contest.was_ducked = True
            self._tell_duck(contest, ducked=True)

    def _tell_duck(self, contest: Contest, *, ducked: bool, because: str = "") -> None:
        contest.over.reply.sound.soften(contest.voice.received_samples, soft=ducked)
        self._told = Duck(turn=contest.over.number, ducked=ducked, because=because)
        self._outbox.tell(self._told, journaled=False)
