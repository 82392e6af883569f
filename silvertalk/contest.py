"""Somebody speaks while 복실이 does: who is it, and is it meant for it?

The voice opens a turn of its own, a candidate, so that a node writes down what it says; meanwhile the reply goes on,
softly. What the words are decides (`silvertalk.overlap`): its own echo, a "네" that only says "I am listening", a
cough, or something said to it, for which it falls silent. Where nobody can say in time, a voice is believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from silvertalk.distress import distress_in
from silvertalk.echo import own_words
from silvertalk.echo_ear import EchoEar, Sound
from silvertalk.overlap import Verdict, judge
from silvertalk.turn import Turn
from streaming.audio import MICROPHONE_RATE
from streaming.endpointing import EndpointDecision
from streaming.messages import AudioBatch, Language, SpeechPaused, SpeechResumed
from streaming.text import normalized

BELIEVED_SAMPLES = int(2.5 * MICROPHONE_RATE)
"""A voice of this length that no node has taken up is believed: it may be one who calls for help."""
BELIEVED_AT_LAST_SAMPLES = 8 * MICROPHONE_RATE
"""So is one of which the node that has it says nothing. A node that works says something after a second, but after
several where one engine on a small machine speaks long clauses: believing sooner would let its echo interrupt it."""
SURE_ECHO_LETTERS: dict[Language, int] = {"ko": 8, "en": 16}
"""Fewer syllables or letters fit somewhere into what was said by chance."""
ECHO_TAIL_SAMPLES = int(0.4 * MICROPHONE_RATE)
"""A word that was still being heard when an echo was recognised may be the first of the person's own."""
AROUND_SECONDS = 3.0
"""An echo comes late: what was said so long before the voice began may be what it says."""


class Voice(Sound, Protocol):
    """The part of `silvertalk.microphone` that hears the voice."""

    @property
    def voiced_ms(self) -> float:
        """How long it has sounded."""
        ...


def is_sure_echo(text: str, language: Language) -> bool:
    """Whether words that were judged an echo are enough to be believed to be one."""
    return sum(map(str.isalnum, text)) >= SURE_ECHO_LETTERS[language]


def _calls_for_help(text: str, played: str, language: Language) -> bool:
    """However short it is cried: `살려줘` takes no longer than a nod. By its words alone, since the sound of so few is
    like that of many others; and not where they are what is being played."""
    found = distress_in(text, language, by_ear=False)
    return found is not None and bool(own_words(normalized(found.phrase), played))


@dataclass(slots=True)
class Contest:
    """`candidate`: the voice's turn; `over`: the one whose reply it speaks into."""

    candidate: Turn
    over: Turn
    voice: Voice
    onset_sample: int
    ear: EchoEar
    """Knows an echo by its sound."""
    paused_at: int | None = None
    """Where the voice fell silent; None while it speaks."""
    ended: EndpointDecision | None = None
    """The voice's utterance is over, and it is still not known what it said."""
    may_merge: bool = False
    """The voice began so soon after the reply did that its words, if it has any, go on with what the reply answers."""
    echo_upto: int = 0
    """Up to there all of it was an echo; 0 where it never was."""
    heard_words: bool = False
    """A node has said something about it."""
    is_believed: bool = False
    """It speaks to 복실이, and has to wait until the reply is over."""
    ducked: bool = False
    was_ducked: bool = False
    since_sample: int = 0
    """How far the reply had been played when the voice began."""

    def hear(self, batch: AudioBatch) -> Verdict:
        self.candidate.send_up(batch)
        patience = BELIEVED_AT_LAST_SAMPLES if self.candidate.claimed_by else BELIEVED_SAMPLES
        believed = self.candidate.speech_samples >= patience and not self.heard_words and not self.ear.is_surely_echo
        return Verdict.SPEECH if believed else Verdict.UNDECIDED

    def own_speech(self) -> list[AudioBatch | SpeechPaused | SpeechResumed]:
        """What was sent up of the voice, without the echo it began as."""
        own: list[AudioBatch | SpeechPaused | SpeechResumed] = []
        begin = self.echo_upto - ECHO_TAIL_SAMPLES if self.echo_upto else 0
        for message in self.candidate.sent_up:
            match message:
                case AudioBatch(first_sample=first, pcm=pcm) if first + len(pcm) // 2 > begin:
                    late = max(0, begin - first)
                    own.append(AudioBatch(first_sample=first + late, pcm=pcm[2 * late :]))
                case SpeechPaused(sample=sample) | SpeechResumed(sample=sample) if sample > begin:
                    own.append(message)
                case _:
                    pass
        return own

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
        self.heard_words = True
        reply = self.over.reply
        played = reply.said_between(self.since_sample - int(AROUND_SECONDS * reply.rate), reply.playing_at(now))
        testimony = self.ear.testimony(self.voice.voiced_ms)
        if not (testimony and testimony.is_surely_echo) and _calls_for_help(text, played, language):
            return Verdict.SPEECH
        verdict = judge(
            text,
            settled=self.is_settled(upto_sample),
            played=played,
            question_open=reply.has_asked(self.since_sample),
            language=language,
            testimony=testimony,
        )
        if verdict is Verdict.ECHO and not self.is_settled(upto_sample):
            if not self.ear.is_surely_echo and not is_sure_echo(text, language):
                return Verdict.UNDECIDED
            self.echo_upto = upto_sample
        return verdict
