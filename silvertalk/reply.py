"""A turn's reply on its way to the person: what of it was released, sent and played, and so what was heard.

Places are samples of the turn's reply audio. A reply that was begun may be taken back, since the person went on: then
another reply to the same turn follows, and its audio is counted on from where the first one ended.

A node may die while it speaks. What the client has by then is kept (`keep_spoken`), and the next node goes on after it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from silvertalk import metrics
from silvertalk.heard import SpokenSentence, heard_text, reckoned, spoken_text
from streaming.echo_witness import Played
from streaming.messages import FILLER, Language, ReplyAudio, ReplyText, TakenBack


@dataclass(slots=True)
class Reply:
    """State of the present reply to one turn."""

    language: Language
    rate: int
    """Samples of its audio a second."""
    moved: asyncio.Event
    """The turn's: set whenever something was sent or played."""
    number: int = 1
    """It grows when one is taken back."""
    source: str = ""
    first_sample: int = 0
    """Where it begins in the turn's reply audio."""
    sentences: list[SpokenSentence] = field(default_factory=list)
    """Those that were sent to the client, in order."""
    sequence: int = 0
    released_samples: int = 0
    """Handed to the outbox; what a barge-in took back is subtracted by counting `sent_samples` apart."""
    sent_samples: int = 0
    """One past the last sample that was sent."""
    played_samples: int = 0
    first_audio_at: float | None = None
    """When it was first heard, on the loop's clock."""
    words_at: float | None = None
    """The same of its own words, which a filler may come before."""
    plays_until: float = 0.0
    """When the player has played what it was sent, on the loop's clock. It runs dry where nothing comes for a while,
    and may say where it is."""
    complete: bool = False
    """All of it was sent."""
    whole: bool = False
    """And all of it had been made: no node died in the midst of a sentence."""
    filled: bool = False
    """A filler was said."""
    sound: Played = field(init=False)
    """As it is played: what its echo is known by. Three kilobytes a second, until the turn is closed."""
    _sentences_before: int = 0
    _stopped: bool = False
    _words_from: int = 0
    """Where its own words begin in the turn's reply audio."""
    _released: list[SpokenSentence] = field(default_factory=list)
    _broken: tuple[str, str] | None = None
    """The sentence in whose voicing a node died, as it was written, and what of it had not been voiced."""

    def __post_init__(self) -> None:
        self.sound = Played(self.rate)

    def begin_after(self, before: TakenBack) -> None:
        """Count on after a reply that was taken back."""
        self.first_sample = self.released_samples = self.sent_samples = before.upto_sample
        self.sequence, self._sentences_before = before.sequences, before.sentences
        self.sentences.clear()
        self._released.clear()
        self._broken = None
        self.first_audio_at = self.words_at = None
        self.plays_until = 0.0
        self.complete = self.whole = self.filled = self._stopped = False

    def free(self) -> None:
        """The turn is closed: let go of the sound."""
        self.sound = Played(self.rate)

    # --- released ----------------------------------------------------------------------------------------------------

    def add_sentence(self, text: ReplyText) -> SpokenSentence:
        """A sentence is released; it counts as written to the person once it was sent (`text_was_sent`)."""
        self.source = text.source
        filler = text.source == FILLER
        self.filled = self.filled or filler
        sentence = SpokenSentence("" if filler else text.text, self.released_samples)
        self._released.append(sentence)
        return sentence

    def place_audio(self, audio: ReplyAudio) -> tuple[int, int]:
        """Sequence number and first sample of this piece within the turn's reply audio."""
        placed = self.sequence, self.released_samples
        self.sound.add(self.released_samples, audio.pcm)
        self.sequence += 1
        self.released_samples += len(audio.pcm) // 2
        return placed

    @property
    def last_sentence(self) -> int:
        """Number of the sentence released last, counted through the turn, whichever node made it."""
        return self._sentences_before + len(self._released) - 1

    @property
    def has_begun(self) -> bool:
        """Some of it was released."""
        return self.released_samples > self.first_sample

    @property
    def has_words(self) -> bool:
        """Some of what was released of it are words."""
        return any(sentence.text for sentence in self._released)

    def keep_spoken(self) -> str:
        """What the client has of a reply whose node is gone: its whole sentences, and the words of the last one that
        its audio reaches. What was released of the text beyond that is forgotten, since the next node will say it."""
        if not self._released:
            return ""
        *whole, last = self._released
        written = self._broken[0] if self._broken is not None else last.text
        last.text = spoken_text(whole, last, self.released_samples, self.rate, self.language)
        self._broken = (written, written[len(last.text) :].strip())
        return " ".join(sentence.text for sentence in self._released if sentence.text)

    def mends_sentence(self, text: ReplyText) -> bool:
        """Whether this is just what had not been voiced of the sentence in which a node died: then it is whole again,
        and what follows is its sound."""
        if self._broken is None:
            return False
        (written, missing), self._broken = self._broken, None
        if text.text != missing:
            return False
        self._released[-1].text = written
        return True

    # --- sent --------------------------------------------------------------------------------------------------------

    def text_was_sent(self, sentence: SpokenSentence) -> None:
        if any(released is sentence for released in self._released):  # else it was taken back while it was sent
            self.sentences.append(sentence)

    def audio_was_sent(self, first_sample: int, samples: int) -> None:
        if first_sample < self.first_sample:
            return  # it was taken back while it was sent
        self.sent_samples = first_sample + samples
        metrics.REPLY_AUDIO_SECONDS.inc(samples / self.rate)
        sounds_at = max(self.plays_until, asyncio.get_running_loop().time())
        self.plays_until = sounds_at + samples / self.rate
        if self.first_audio_at is None:
            self.first_audio_at = sounds_at
        if self.sentences:
            self.sentences[-1].samples += samples
            if self.words_at is None and self.sentences[-1].text:
                self.words_at, self._words_from = sounds_at, first_sample
        self.moved.set()

    def all_was_sent(self, *, whole: bool = True) -> None:
        """Nothing more of it will come; `whole`: it was not cut short."""
        self.complete, self.whole = True, whole
        self.moved.set()

    # --- played ------------------------------------------------------------------------------------------------------

    def play_to(self, samples: int) -> None:
        """The client says it has played so far: never less than before, never more than it was sent."""
        samples = min(samples, self.sent_samples)
        if samples > max(self.played_samples, self.first_sample):
            self.plays_until = asyncio.get_running_loop().time() + (self.sent_samples - samples) / self.rate
        self.played_samples = max(self.played_samples, samples)
        self.moved.set()

    def play_on(self) -> None:
        """The client was away and is back: it plays on from where it stopped, and time begins to count again."""
        if self.first_audio_at is not None:
            now = asyncio.get_running_loop().time()
            played = max(self.played_samples, self.first_sample)
            self.first_audio_at = max(self.first_audio_at, now - (played - self.first_sample) / self.rate)
            if self.words_at is not None:
                self.words_at = max(self.words_at, now - (played - self._words_from) / self.rate)
            self.plays_until = now + (self.sent_samples - played) / self.rate
        self.moved.set()

    @property
    def age(self) -> float:
        """Seconds since it was first heard; 0 before."""
        begun = self.first_audio_at
        return asyncio.get_running_loop().time() - begun if begun is not None else 0.0

    def playing_at(self, now: float) -> int:
        """How far it has been played, by what was sent when and by what the player said; `now` on the loop's clock."""
        left = int(max(0.0, self.plays_until - now) * self.rate)
        return max(self.first_sample, self.sent_samples - left)

    def words_age(self, now: float) -> float | None:
        """Seconds for which its own words have been heard; None before. `now` on the loop's clock."""
        if self.words_at is None:
            return None
        heard = (self.played_samples - self._words_from) / self.rate  # of what another gateway sent
        return max(now - self.words_at, heard)

    def stop(self) -> None:
        """The player has stopped in the midst of it: nothing more of it is played."""
        self._stopped = True
        self.moved.set()

    @property
    def playback_is_over(self) -> bool:
        return self.complete and (self._stopped or self.played_samples >= self.sent_samples)

    # --- heard -------------------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """What was sent of it."""
        return " ".join(sentence.text for sentence in self.sentences if sentence.text)

    @property
    def heard(self) -> str:
        """What counts as said to the person, as far as is known now."""
        said = self.sentences if self.whole else reckoned(self.sentences, self.rate, self.language)
        return heard_text(said, self.played_samples)

    def said_between(self, first_sample: int, end_sample: int) -> str:
        """The sentences of which something sounds within this stretch."""
        return " ".join(
            sentence.text
            for sentence in self.sentences
            if sentence.first_sample < end_sample and sentence.first_sample + sentence.samples > first_sample
        )

    def has_asked(self, sample: int) -> bool:
        """Whether a question of it had been heard by then."""
        return any(
            sentence.text.rstrip().endswith("?") and sentence.first_sample + sentence.samples <= sample
            for sentence in self.sentences
        )
