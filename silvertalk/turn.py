"""One turn as the gateway holds it: what was sent up, which attempt counts, what becomes of it.

The turn keeps the user's audio until it closes, so that it can be offered again should Redis lose it. How far its reply
has come stands in `silvertalk.reply`.

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
from silvertalk.reply import Reply
from silvertalk.turn_requests import TurnRequests
from streaming.audio import MICROPHONE_RATE
from streaming.bus import OpenTurn
from streaming.errors import BusError, StreamingError
from streaming.messages import (
    APOLOGY,
    FILLER,
    AnyMessage,
    AudioBatch,
    CancelReply,
    ConfirmReply,
    Language,
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

HELP = "distress"
"""What the fixed answer to a call for help is called."""

MERGE_SECONDS = 1.5
"""Who goes on within this after a reply began had not finished: what they say belongs to the turn it answers, which
therefore closes no earlier."""
HELD_BOUND = 512
"""Entries of a speculative reply: a sentence takes a tenth of them. At the bound the reply is asked for anew when its
time comes."""


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


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
    reply: Reply = field(init=False)
    asked_at: float | None = None
    """When the endpoint was decided, on the loop's clock."""
    came_at: float = 0.0
    """When the bus took the turn, or something last came down from a node, on the loop's clock."""
    progress_at: float = 0.0
    """When something of the reply was last asked for or came, on the loop's clock."""
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
    false_ends: list[tuple[float, str]] = field(default_factory=list)
    """The same of pauses that were taken for the end, with what had been understood by then: "" where nobody knew."""
    distress: str = ""
    distress_told: str = ""
    """What of it the client knows."""
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
    _kept: list[UpMessage] = field(default_factory=list)
    """All that was sent up; bounded by the longest utterance, and freed when the turn is closed."""

    def __post_init__(self) -> None:
        self.reply = Reply(self.language, self.opened.reply_rate, self.moved)

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
                    self.attempt, self.end_sample = message.attempt, message.end_sample
                    self.reply.number = message.reply
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
        self._start_reply(context, self.reply.keep_spoken(), may_fill=False)

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
            reply=self.reply.number,
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
            upto_sample=self.reply.released_samples,
            sequences=self.reply.sequence,
            sentences=self.reply.last_sentence + 1,
        )
        self.cancel_reply("went_on")
        self.go_on()
        self.reply.begin_after(record)
        self.reply.number += 1
        self.told_done = False
        self.merges += 1
        return record

    def is_current(self, attempt: int) -> bool:
        """Whether what the node made for `attempt` still counts."""
        return not self.over and attempt == self.attempt > self.ended_attempt

    @property
    def outcome_if_played(self) -> Outcome:
        """What becomes of the turn when its reply was played, or cut short: an apology is no answer."""
        return "failed" if self.reply.source in (APOLOGY, FILLER) else "answered"

    @property
    def awaits_reply(self) -> bool:
        """A reply was asked for and is not complete."""
        return not self.over and self.attempt > self.ended_attempt

    @property
    def awaits_node(self) -> bool:
        """A node is still needed: the person speaks, or the reply is not complete."""
        return not self.over and (self.awaits_reply or not self.reply.has_begun)

    @property
    def gives_help(self) -> bool:
        """It is answered with whom to call: whoever cries out again still hears that to its end."""
        return self.say[1] == HELP

    @property
    def may_go_on(self) -> bool:
        """More speech may belong to it: it was spoken, and what it is answered may wait."""
        return self.opened.text is None and not self.gives_help

    def false_ends_ms(self) -> list[float]:
        """The pauses that were taken for the end, and after which there were more words: of a cough nothing is
        learned."""
        return [ms for ms, before in self.false_ends if _letters(self.transcript) > _letters(before)]

    def merge_left(self, now: float) -> float:
        """Seconds for which more speech still belongs to this turn; `now` on the loop's clock."""
        reply = self.reply
        if reply.first_audio_at is None or not self.may_go_on:
            return 0.0
        age = reply.words_age(now)
        if age is None:  # a filler begins no reply, unless nothing follows it
            age = now - reply.first_audio_at if reply.complete else 0.0
        return MERGE_SECONDS - age

    def free(self) -> None:
        """The turn is closed: let go of its audio, which is most of its memory."""
        self._kept.clear()
        self.held.clear()
        self.reply.free()
        self.handle = None

    # --- down --------------------------------------------------------------------------------------------------------

    def note_arrival(self) -> None:
        """Something came from a node."""
        self.came_at = asyncio.get_running_loop().time()
        self.moved.set()

    def note_progress(self) -> None:
        """More of its reply is released."""
        self.progress_at = asyncio.get_running_loop().time()

    def audio_was_sent(self, first_sample: int, samples: int) -> None:
        """More of its reply's sound is with the client; with the first it is known how long the person waited."""
        waited = self.reply.first_audio_at is None
        self.reply.audio_was_sent(first_sample, samples)
        begun = self.reply.first_audio_at
        if waited and begun is not None and self.asked_at is not None:
            beyond_wait = begun - self.asked_at
            self.timings_ms["endpoint_to_audio"] = beyond_wait * 1000
            wait = self.timings_ms.get("end_of_utterance_delay", 0.0) / 1000
            metrics.REPLY_LATENCY_SECONDS.observe(wait + beyond_wait)

    def was_released_since(self, entry: str) -> bool:
        """Whether an earlier gateway released something that was made by the node whose claim stands at `entry`."""
        lease = _lease(entry)
        return any(_lease(released) == lease for released in self.recalled)

    def listen_again(self, playhead: Playhead | None) -> None:
        """The client was away and is back. `playhead`: how far it says to have played."""
        if playhead is not None and playhead.turn == self.number:
            self.playhead = playhead.samples
            self.reply.play_to(playhead.samples)
        self.reply.play_on()

    def record(self) -> TurnRecord:
        """What is kept of the turn."""
        return TurnRecord(
            session=self.session,
            user=self.user,
            turn=self.number,
            language=self.language,
            outcome=self.outcome,
            transcript=self.transcript,
            reply=self.reply.text,
            heard=self.reply.heard,
            interrupted=self.interrupted,
            typed=bool(self.opened.text),
            continuation=self.opened.continuation,
            merges=self.merges,
            distress=self.distress,
            source=self.reply.source,
            photo=self.photo,
            wish=self.wish,
            started_at_ms=int(self.started_at * 1000),
            closed_at_ms=int(time.time() * 1000),
            speech_samples=self.speech_samples,
            timings_ms=self.timings_ms,
        )


def _lease(entry: str) -> int:
    """The number of the lease under which a node wrote this entry of a down stream."""
    return int(entry.partition("-")[0])
