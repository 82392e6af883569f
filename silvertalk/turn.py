"""One turn as the gateway holds it: what was sent up, what came down, what was heard.

The turn keeps the user's audio until it closes, so that it can be offered again should Redis lose it, and counts what the
client was sent and what it played, since the record of a reply is what was heard of it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from silvertalk.heard import SpokenSentence, heard_text
from streaming.bus import OpenTurn
from streaming.messages import (
    AudioBatch,
    CancelReply,
    Language,
    ReplyAudio,
    ReplyContext,
    ReplyText,
    StartReply,
    TurnOpened,
    TurnRecord,
    UpMessage,
)

Outcome = Literal["answered", "failed", "nothing_heard"]


@dataclass(slots=True)
class Turn:
    """State of one turn. `attempt` is the reply that counts; what carries an older number is dropped."""

    session: str
    user: str
    number: int
    language: Language
    opened: TurnOpened
    started_at: float = field(default_factory=time.time)
    handle: OpenTurn | None = None
    claimed_by: str = ""
    attempt: int = 0
    cancelled_attempt: int = 0
    transcript: str = ""
    source: str = ""
    sentences: list[SpokenSentence] = field(default_factory=list)
    pending_sentences: list[SpokenSentence] = field(default_factory=list)
    sequence: int = 0
    released_samples: int = 0
    """Handed to the outbox; what a barge-in took back is subtracted by counting `sent_samples` apart."""
    sent_samples: int = 0
    played_samples: int = 0
    first_audio_at: float | None = None
    asked_at: float | None = None
    """When the endpoint was decided, on the loop's clock."""
    reply_complete: bool = False
    interrupted: bool = False
    flushed: asyncio.Event = field(default_factory=asyncio.Event)
    """The player has said where it stopped."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whatever the life of the turn may be waiting for: something came down, the playhead moved, it is over."""
    outcome: Outcome = "failed"
    over: bool = False
    """The floor has left this turn; nothing of it is released any more."""
    speech_samples: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)
    _kept: list[UpMessage] = field(default_factory=list)

    # --- up ----------------------------------------------------------------------------------------------------------

    def send_up(self, message: UpMessage) -> None:
        """Queue something for the node, in order; before the bus has the turn it is kept and follows then."""
        self._kept.append(message)
        if isinstance(message, AudioBatch):
            self.speech_samples += len(message.pcm) // 2
        if self.handle is not None:
            self.handle.up.append_soon(message)

    def on_bus(self, handle: OpenTurn) -> None:
        """The bus has the turn: what was kept so far follows."""
        self.handle = handle
        for message in self._kept:
            handle.up.append_soon(message)

    def ask(self, end_sample: int, context: ReplyContext) -> None:
        """Ask for a reply to the utterance that ended at `end_sample`."""
        self.attempt += 1
        self.send_up(StartReply(attempt=self.attempt, reply=1, end_sample=end_sample, context=context))

    def cancel_reply(self, reason: str) -> None:
        """What carries the present attempt is stale from now on."""
        self.cancelled_attempt = self.attempt
        self.pending_sentences.clear()
        self.send_up(CancelReply(attempt=self.attempt, reason=reason))

    def is_current(self, attempt: int) -> bool:
        """Whether what the node made for `attempt` still counts."""
        return not self.over and attempt == self.attempt > self.cancelled_attempt

    # --- down --------------------------------------------------------------------------------------------------------

    def add_sentence(self, text: ReplyText) -> None:
        self.source = text.source
        self.pending_sentences.append(SpokenSentence(text.text, self.released_samples))

    def place_audio(self, audio: ReplyAudio) -> tuple[int, int]:
        """Sequence number and first sample of this piece within the turn's reply audio."""
        placed = self.sequence, self.released_samples
        self.sequence += 1
        self.released_samples += len(audio.pcm) // 2
        return placed

    def text_was_sent(self) -> None:
        self.sentences.append(self.pending_sentences.pop(0))

    def audio_was_sent(self, samples: int) -> None:
        self.sent_samples += samples
        if self.first_audio_at is None:
            self.first_audio_at = asyncio.get_running_loop().time()
            if self.asked_at is not None:
                self.timings_ms["endpoint_to_audio"] = (self.first_audio_at - self.asked_at) * 1000
        if self.sentences:
            self.sentences[-1].samples += samples
        self.moved.set()

    def reply_was_sent(self) -> None:
        self.reply_complete = True
        self.moved.set()

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

    def record(self) -> TurnRecord:
        """What is kept of the turn."""
        return TurnRecord(
            session=self.session,
            user=self.user,
            turn=self.number,
            language=self.language,
            outcome=self.outcome,
            transcript=self.transcript,
            reply=" ".join(sentence.text for sentence in self.sentences),
            heard=self.heard,
            interrupted=self.interrupted,
            typed=self.opened.text is not None,
            continuation=self.opened.continuation,
            source=self.source,
            started_at_ms=int(self.started_at * 1000),
            closed_at_ms=int(time.time() * 1000),
            speech_samples=self.speech_samples,
            timings_ms=self.timings_ms,
        )
