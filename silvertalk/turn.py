"""One turn as the gateway holds it: what was sent up, what came down, what was heard.

The turn keeps the user's audio until it closes, so that it can be offered again should Redis lose it, and counts what
the client was sent and what it played, since the record of a reply is what was heard of it.

A reply that was begun may be taken back, since the person went on: then another reply to the same turn follows, and its
audio is counted on from where the first one ended.

A turn may change its node. What a new holder makes of commands that were given to the old one would be said twice, so
the attempt rises with every holder, and what the client already has travels with the new command (`released`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from silvertalk import metrics
from silvertalk.heard import SpokenSentence, heard_text, spoken_text
from silvertalk.turn_requests import TurnRequests
from streaming.audio import MICROPHONE_RATE
from streaming.bus import OpenTurn
from streaming.echo_witness import Played
from streaming.errors import BusError, StreamingError
from streaming.messages import (
    APOLOGY,
    FILLER,
    AnyMessage,
    AudioBatch,
    CancelReply,
    ConfirmReply,
    Language,
    ReplyAudio,
    ReplyContext,
    ReplyText,
    SpeechResumed,
    StartReply,
    TakenBack,
    TurnOpened,
    TurnRecord,
    UpMessage,
)
from streaming.protocol import Playhead

Outcome = Literal["answered", "failed", "nothing_heard"]

MERGE_SECONDS = 1.5
"""Who goes on within this after a reply began had not finished: what they say belongs to the turn it answers, which
therefore closes no earlier."""
HELD_BOUND = 512
"""Entries of a speculative reply: a sentence takes a tenth of them. At the bound the reply is asked for anew when its
time comes."""


@dataclass(slots=True)
class Turn:
    """State of one turn. `attempt` is the reply that counts; what carries an older number is dropped."""

    session: str
    user: str
    number: int
    language: Language
    opened: TurnOpened
    first_event: int = 0
    """Number of the last event before the turn began; 0 where an earlier gateway began it."""
    started_at: float = field(default_factory=time.time)
    handle: OpenTurn | None = None
    claimed_by: str = ""
    attempt: int = 0
    ended_attempt: int = 0
    """Nothing more counts of this attempt and of older ones: it was cancelled, or its reply is complete."""
    lost: StreamingError | None = None
    """Why the bus has this turn no more, until somebody has seen to it."""
    transcript: str = ""
    transcript_is_final: bool = False
    """Of what was said so far: captions and further finals change nothing. The person going on makes it False."""
    stable: str = ""
    """The caption's stable part as the client was shown it: never taken back, whichever node writes the next."""
    speculative: bool = False
    """The present attempt supposes that the utterance has ended, which nobody has decided yet."""
    held: list[tuple[str, AnyMessage]] = field(default_factory=list)
    """What came for a speculative attempt, with its entries on the down stream: until the endpoint."""
    missed: set[int] = field(default_factory=set)
    """Speculative attempts that came to nothing."""
    held_texts: list[tuple[str, ReplyText]] = field(default_factory=list)
    """Sentences of the reply whose sound has not come yet, with their entries on the down stream."""
    captioned: bool = False
    """A word of the turn has been shown."""
    source: str = ""
    sentences: list[SpokenSentence] = field(default_factory=list)
    """Those that were sent to the client, in order."""
    sequence: int = 0
    released_samples: int = 0
    """Handed to the outbox; what a barge-in took back is subtracted by counting `sent_samples` apart."""
    sent_samples: int = 0
    """One past the last sample that was sent of the turn's reply audio."""
    reply: int = 1
    """Number of the reply; it grows when one is taken back."""
    reply_from: int = 0
    """Where the present reply begins in the turn's reply audio."""
    filled: bool = False
    """A filler was said."""
    played_samples: int = 0
    first_audio_at: float | None = None
    asked_at: float | None = None
    """When the endpoint was decided, on the loop's clock."""
    came_at: float = 0.0
    """When the bus took the turn, or something last came down from a node, on the loop's clock."""
    progress_at: float = 0.0
    """When something of the reply was last asked for or came, on the loop's clock."""
    reply_complete: bool = False
    interrupted: bool = False
    flushed: asyncio.Event = field(default_factory=asyncio.Event)
    """The player has said where it stopped."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whatever the life of the turn may be waiting for: something came down, the playhead moved, it is over."""
    outcome: Outcome = "failed"
    overheard: str = ""
    """What 복실이 was just saying when this began: it may be no more than its echo."""
    contested: bool = False
    """Somebody speaks into the reply: the turn does not close before it is known who, and whether they go on with
    it."""
    merges: int = 0
    inner_pauses_ms: list[float] = field(default_factory=list)
    """How long the person paused and went on; bounded by the longest utterance."""
    false_ends_ms: list[float] = field(default_factory=list)
    """The same of pauses that were taken for the end."""
    distress: str = ""
    photo: str = ""
    """Id of the photo that was before the person meanwhile."""
    say: tuple[str, str] = ("", "")
    """What is answered without an LLM, and what kind of answer that is."""
    say_before: tuple[str, str] = ("", "")
    """The same of its words before the person went on, which are still among its words."""
    requests: TurnRequests = field(default_factory=TurnRequests)
    """What was asked of 복실이 in it, by the person or by an LLM."""
    wish: str = ""
    """What it asks leave for, as `silvertalk.wishes` encodes it."""
    left_behind: bool = False
    """The person went on in another turn before this one was answered: it only waits for its transcript."""
    over: bool = False
    """The floor has left this turn; nothing of it is released any more."""
    speech_samples: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
    recalled: set[str] = field(default_factory=set)
    """Entries of the down stream that an earlier gateway released: told already, and only counted here."""
    playhead: int = 0
    """What the client that came back says to have played of it: it may come before these entries are read."""
    told_done: bool = False
    """That earlier gateway has said that the reply is complete."""
    end_sample: int = 0
    """Where the utterance ended that the present attempt answers."""
    _sentences_before: int = 0
    _released: list[SpokenSentence] = field(default_factory=list)
    sound: Played = field(init=False)
    """The reply as it is played: what its echo is known by. Three kilobytes a second, until the turn is closed."""
    _broken: tuple[str, str] | None = None
    """The sentence in whose voicing a node died, as it was written, and what of it had not been voiced."""
    _kept: list[UpMessage] = field(default_factory=list)
    """All that was sent up; bounded by the longest utterance, and freed when the turn is closed."""

    def __post_init__(self) -> None:
        self.sound = Played(self.opened.reply_rate)

    # --- up ----------------------------------------------------------------------------------------------------------

    def send_up(self, message: UpMessage) -> None:
        """Queue something for the node, in order; before the bus has the turn it is kept and follows then."""
        self._kept.append(message)
        if isinstance(message, AudioBatch):
            metrics.SPEECH_SECONDS.inc(len(message.pcm) / 2 / MICROPHONE_RATE)
            self.speech_samples += len(message.pcm) // 2
        if self.handle is not None and self.lost is None:
            self._put_up(self.handle, message)

    def on_bus(self, handle: OpenTurn) -> None:
        """The bus has the turn (anew): what was kept so far follows."""
        self.handle, self.lost = handle, None
        self.came_at = asyncio.get_running_loop().time()
        for message in self._kept:
            self._put_up(handle, message)

    def _put_up(self, handle: OpenTurn, message: UpMessage) -> None:
        try:
            handle.up.append_soon(message)
        except BusError as error:
            self.lose(error)

    def lose(self, error: StreamingError) -> None:
        """The bus cannot carry the turn any more: for the turn's life to see to."""
        if self.lost is None:
            self.lost = error
        self.moved.set()

    @property
    def sent_up(self) -> Sequence[UpMessage]:
        """All that the node was told, in order, after the turn's opening."""
        return self._kept

    @property
    def spoken_to(self) -> int:
        """One past the last sample of the person's speech that was sent up; the first sample where none was."""
        batches = (message for message in reversed(self._kept) if isinstance(message, AudioBatch))
        last = next(batches, None)
        return last.first_sample + len(last.pcm) // 2 if last is not None else self.opened.first_sample

    def take_up(self, handle: OpenTurn, sent_up: list[UpMessage]) -> None:
        """Go on where an earlier gateway stopped: on this handle, after what it had sent up."""
        self.handle, self._kept = handle, list(sent_up)
        self.came_at = self.progress_at = self.asked_at = asyncio.get_running_loop().time()
        for message in sent_up:
            match message:
                case AudioBatch():
                    self.speech_samples += len(message.pcm) // 2
                case StartReply():
                    self.attempt, self.end_sample, self.reply = message.attempt, message.end_sample, message.reply
                    self.speculative, self.say = message.speculative, (message.say, message.say_as)
                case ConfirmReply():
                    self.speculative = False
                case SpeechResumed():
                    self.say = ("", "")
                case CancelReply():
                    self.ended_attempt = max(self.ended_attempt, message.attempt)
                case _:
                    pass

    def ask(self, end_sample: int, context: ReplyContext, *, speculative: bool = False, may_fill: bool = False) -> None:
        """Ask for a reply to the utterance that ended at `end_sample`, or (`speculative`) may have."""
        self.end_sample = end_sample
        self.speculative = speculative
        if not speculative:
            self.asked_at = asyncio.get_running_loop().time()
        self._start_reply(context, "", may_fill)

    def ask_again(self, context: ReplyContext) -> None:
        """A new holder has the turn: have it go on where the client's part of the reply ends."""
        self._start_reply(context, self._keep_spoken(), may_fill=False)

    def confirm(self) -> None:
        """The utterance has ended where the speculative attempt supposed."""
        self.speculative = False
        self.asked_at = self.progress_at = asyncio.get_running_loop().time()
        self.send_up(ConfirmReply(attempt=self.attempt))

    def _start_reply(self, context: ReplyContext, released: str, may_fill: bool) -> None:
        self.attempt += 1
        self.progress_at = asyncio.get_running_loop().time()
        self.held.clear()
        say, say_as = self.say
        start = StartReply(
            attempt=self.attempt,
            reply=self.reply,
            end_sample=self.end_sample,
            context=context,
            released=released,
            speculative=self.speculative,
            say=say,
            say_as=say_as,
            may_fill=may_fill,
        )
        self.send_up(start)

    def cancel_reply(self, reason: str) -> None:
        """What carries the present attempt is stale from now on, on this node and any other."""
        self.ended_attempt = self.attempt
        if self.speculative:
            self.missed.add(self.attempt)
        self.speculative = False
        self.held.clear()
        self.held_texts.clear()
        self.send_up(CancelReply(attempt=self.attempt, reason=reason))

    def go_on(self) -> None:
        """More of the same utterance follows: what was understood so far is not all."""
        self.transcript_is_final = False
        self.distress = ""
        if self.say[0]:
            self.say_before = self.say
        self.say = ("", "")
        self.wish = ""
        self.requests.go_on()

    def take_back(self) -> TakenBack:
        """The reply that was begun counts for nothing: another one to the same turn will follow."""
        record = TakenBack(
            turn=self.number,
            attempt=self.attempt,
            upto_sample=self.released_samples,
            sequences=self.sequence,
            sentences=self.last_sentence + 1,
        )
        self.cancel_reply("went_on")
        self.go_on()
        self.begin_reply(record)
        self.told_done = False
        self.reply += 1
        self.merges += 1
        return record

    def begin_reply(self, before: TakenBack) -> None:
        """Count on after a reply that was taken back."""
        self.reply_from = self.released_samples = self.sent_samples = before.upto_sample
        self.sequence, self._sentences_before = before.sequences, before.sentences
        self.sentences.clear()
        self._released.clear()
        self._broken = None
        self.first_audio_at = None
        self.reply_complete = self.filled = False

    def is_current(self, attempt: int) -> bool:
        """Whether what the node made for `attempt` still counts."""
        return not self.over and attempt == self.attempt > self.ended_attempt

    @property
    def age(self) -> float:
        """Seconds since its reply was first heard; 0 before."""
        begun = self.first_audio_at
        return asyncio.get_running_loop().time() - begun if begun is not None else 0.0

    @property
    def outcome_if_played(self) -> Outcome:
        """What becomes of the turn when its reply was played, or cut short: an apology is no answer."""
        return "failed" if self.source in (APOLOGY, FILLER) else "answered"

    @property
    def awaits_reply(self) -> bool:
        """A reply was asked for and is not complete."""
        return not self.over and self.attempt > self.ended_attempt

    @property
    def awaits_node(self) -> bool:
        """A node is still needed: the person speaks, or the reply is not complete."""
        return not self.over and (self.awaits_reply or not self.has_begun)

    @property
    def has_begun(self) -> bool:
        """Some of the present reply was released."""
        return self.released_samples > self.reply_from

    @property
    def has_words(self) -> bool:
        """Some of what was released of it are words."""
        return any(sentence.text for sentence in self._released)

    def merge_left(self, now: float) -> float:
        """Seconds for which more speech still belongs to this turn; `now` on the loop's clock."""
        if self.first_audio_at is None or self.opened.text is not None:
            return 0.0
        if self.filled and not self.has_words and not self.reply_complete:
            return MERGE_SECONDS  # a filler begins no reply
        heard = (self.played_samples - self.reply_from) / self.opened.reply_rate  # of what another gateway sent
        return MERGE_SECONDS - max(now - self.first_audio_at, heard)

    def free(self) -> None:
        """The turn is closed: let go of its audio, which is most of its memory."""
        self._kept.clear()
        self.sound = Played(self.opened.reply_rate)
        self.handle = None

    # --- down --------------------------------------------------------------------------------------------------------

    def note_arrival(self) -> None:
        """Something came from a node."""
        self.came_at = asyncio.get_running_loop().time()
        self.moved.set()

    def add_sentence(self, text: ReplyText) -> SpokenSentence:
        """A sentence is released; it counts as written to the person once it was sent (`text_was_sent`)."""
        self.source = text.source
        self.progress_at = asyncio.get_running_loop().time()
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
        self.progress_at = asyncio.get_running_loop().time()
        return placed

    @property
    def last_sentence(self) -> int:
        """Number of the sentence released last, counted through the turn, whichever node made it."""
        return self._sentences_before + len(self._released) - 1

    def _keep_spoken(self) -> str:
        """What the client has of a reply whose node is gone: its whole sentences, and the words of the last one that
        its audio reaches. What was released of the text beyond that is forgotten, since the next node will say it."""
        if not self._released:
            return ""
        *whole, last = self._released
        written = self._broken[0] if self._broken is not None else last.text
        last.text = spoken_text(whole, last, self.released_samples, self.opened.reply_rate, self.language)
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
        self.progress_at = asyncio.get_running_loop().time()
        return True

    def text_was_sent(self, sentence: SpokenSentence) -> None:
        if any(released is sentence for released in self._released):  # else it was taken back while it was sent
            self.sentences.append(sentence)

    def audio_was_sent(self, first_sample: int, samples: int) -> None:
        if first_sample < self.reply_from:
            return  # it was taken back while it was sent
        self.sent_samples = first_sample + samples
        metrics.REPLY_AUDIO_SECONDS.inc(samples / self.opened.reply_rate)
        if self.first_audio_at is None:
            self.first_audio_at = asyncio.get_running_loop().time()
            if self.asked_at is not None:
                beyond_wait = self.first_audio_at - self.asked_at
                self.timings_ms["endpoint_to_audio"] = beyond_wait * 1000
                wait = self.timings_ms.get("end_of_utterance_delay", 0.0) / 1000
                metrics.REPLY_LATENCY_SECONDS.observe(wait + beyond_wait)
        if self.sentences:
            self.sentences[-1].samples += samples
        self.moved.set()

    def listen_again(self, playhead: Playhead | None) -> None:
        """The client was away and is back: it plays on from where it stopped, and time begins to count again."""
        if playhead is not None and playhead.turn == self.number:
            self.playhead = playhead.samples
            self.play_to(playhead.samples)
        if self.first_audio_at is not None:
            now = asyncio.get_running_loop().time()
            played = max(0, self.played_samples - self.reply_from)
            self.first_audio_at = max(self.first_audio_at, now - played / self.opened.reply_rate)
        self.moved.set()

    def reply_was_sent(self) -> None:
        self.reply_complete = True
        self.moved.set()

    def playing_at(self, now: float) -> int:
        """How far the reply can have been played at most, in the turn's reply audio; `now` on the loop's clock."""
        if self.first_audio_at is None:
            return self.reply_from
        return min(self.sent_samples, self.reply_from + int((now - self.first_audio_at) * self.opened.reply_rate))

    def said_between(self, first_sample: int, end_sample: int) -> str:
        """The sentences of which something sounds within this stretch of the reply."""
        return " ".join(
            sentence.text
            for sentence in self.sentences
            if sentence.first_sample < end_sample and sentence.first_sample + sentence.samples > first_sample
        )

    def has_asked(self, sample: int) -> bool:
        """Whether a question of the reply had been heard by then."""
        return any(
            sentence.text.rstrip().endswith("?") and sentence.first_sample + sentence.samples <= sample
            for sentence in self.sentences
        )

    def play_to(self, samples: int) -> None:
        """The client says it has played so far: never less than before, never more than it was sent."""
        self.played_samples = max(self.played_samples, min(samples, self.sent_samples))
        self.moved.set()

    @property
    def playback_is_over(self) -> bool:
        return self.reply_complete and self.played_samples >= self.sent_samples

    @property
    def heard(self) -> str:
        """What counts as said to the person, as far as is known now."""
        return heard_text(self.sentences, self.played_samples)

    @property
    def reply_text(self) -> str:
        """What was sent of the reply."""
        return " ".join(sentence.text for sentence in self.sentences if sentence.text)

    def record(self) -> TurnRecord:
        """What is kept of the turn."""
        return TurnRecord(
            session=self.session,
            user=self.user,
            turn=self.number,
            language=self.language,
            outcome=self.outcome,
            transcript=self.transcript,
            reply=self.reply_text,
            heard=self.heard,
            interrupted=self.interrupted,
            typed=bool(self.opened.text),
            continuation=self.opened.continuation,
            merges=self.merges,
            distress=self.distress,
            source=self.source,
            photo=self.photo,
            wish=self.wish,
            started_at_ms=int(self.started_at * 1000),
            closed_at_ms=int(time.time() * 1000),
            speech_samples=self.speech_samples,
            timings_ms=self.timings_ms,
        )
