"""Somebody speaks while 복실이 does: who is it, and is it meant for it?

The voice opens a turn of its own, a candidate, so that a node writes down what it says; meanwhile the reply goes on,
softly. What the words are decides (`silvertalk.overlap`): its own echo, a "네" that only says "I am listening", a
cough, or something said to it, for which it falls silent. Where nobody can say in time, a voice is believed.
"""

from __future__ import annotations

from dataclasses import dataclass

from silvertalk.overlap import Verdict, judge
from silvertalk.turn import Turn
from streaming.audio import MICROPHONE_RATE
from streaming.endpointing import EndpointDecision
from streaming.messages import AudioBatch, Language, SpeechPaused, SpeechResumed

BELIEVED_SAMPLES = int(3.5 * MICROPHONE_RATE)
"""A voice of this length of which no node has said a word is believed: it may be one who calls for help. Nodes that
work say something after a second, or after three, if they were just speaking a long clause."""
AROUND_SECONDS = 3.0
"""An echo comes late: what was said so long before the voice began may be what it says."""


@dataclass(slots=True)
class Contest:
    """`candidate`: the voice's turn; `over`: the one whose reply it speaks into."""

    candidate: Turn
    over: Turn
    onset_sample: int
    paused_at: int | None = None
    """Where the voice fell silent; None while it speaks."""
    ended: EndpointDecision | None = None
    """The voice's utterance is over, and it is still not known what it said."""
    text: str = ""
    """What it said, as far as a node knows."""
    heard_words: bool = False
    """A node has said something about it."""
    ducked: bool = True
    since_sample: int = 0
    """How far the reply had been played when the voice began."""

    def hear(self, batch: AudioBatch) -> Verdict:
        self.candidate.send_up(batch)
        if self.candidate.speech_samples >= BELIEVED_SAMPLES and not self.heard_words:
            return Verdict.SPEECH
        return Verdict.UNDECIDED

    def pause(self, speech_end_sample: int) -> None:
        self.paused_at = speech_end_sample
        self.candidate.send_up(SpeechPaused(sample=speech_end_sample))

    def resume(self, start_sample: int) -> None:
        self.paused_at = self.ended = None
        self.candidate.send_up(SpeechResumed(sample=start_sample))

    def is_settled(self, upto_sample: int) -> bool:
        """Whether words up to there are all that the voice has said."""
        return self.paused_at is not None and upto_sample >= self.paused_at

    def understand(self, text: str, upto_sample: int, now: float, language: Language) -> Verdict:
        """What the words so far make of it; `now` on the loop's clock."""
        self.text, self.heard_words = text, True
        played = self.over.said_between(
            self.since_sample - int(AROUND_SECONDS * self.over.opened.reply_rate), self.over.playing_at(now)
        )
        return judge(
            text,
            settled=self.is_settled(upto_sample),
            played=played,
            question_open=self.over.has_asked(self.since_sample),
            language=language,
        )
