"""What a session's journal tells of it: for the gateway that takes it over, and for the one that finalises it.

The journal has the events as they were told, names what was released of each reply (the turn's down stream holds it),
and has the record of every turn that was closed. What it does not have was never told to anybody.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from silvertalk.heard import SpokenSentence, heard_text, reckoned
from streaming.audio import ms_to_samples
from streaming.bus import Turns
from streaming.errors import ProtocolError, StreamGone
from streaming.messages import (
    APOLOGY,
    FILLER,
    Closed,
    Committed,
    Interrupted,
    JournalRecord,
    Language,
    Released,
    ReplyAudio,
    ReplyText,
    SessionEnded,
    SessionOpened,
    TakenBack,
    Told,
    TurnRecord,
)
from streaming.protocol import (
    Distress,
    FinalTranscript,
    PhotoShown,
    ReplyEnded,
    ServerEvent,
    SpeechBegan,
    TurnEnded,
    decode_event,
)

Position = tuple[int, int]
"""(epoch, event)"""


@dataclass(slots=True)
class RecalledTurn:
    """What was told of one turn. `released`: entries of its down stream, in order."""

    number: int
    ended: TurnEnded | None = None
    final: FinalTranscript | None = None
    reply_ended: ReplyEnded | None = None
    interrupted: Interrupted | None = None
    taken_back: TakenBack | None = None
    """The last reply before the present one; what was released of it counts for nothing."""
    merges: int = 0
    distress: str = ""
    record: TurnRecord | None = None
    committed: bool = False
    released: list[str] = field(default_factory=list)
    photo: str = ""

    @property
    def transcript(self) -> str:
        return self.final.text if self.final is not None else ""

    @property
    def typed(self) -> bool:
        return self.ended is not None and self.ended.reason == "typed"

    @property
    def reply_from(self) -> int:
        """Where the present reply begins in the turn's reply audio."""
        return self.taken_back.upto_sample if self.taken_back is not None else 0

    @property
    def has_failed(self) -> bool:
        """The client was told that nobody can answer, or not to the end."""
        return self.reply_ended is not None and self.reply_ended.reason == "failed"

    @property
    def is_left_behind(self) -> bool:
        """The person went on in another turn: of this one only the words were still wanted."""
        return self.reply_ended is not None and self.reply_ended.reason == "cancelled" and self.interrupted is None


@dataclass(slots=True)
class Recollection:
    """One session, read back. `user` is empty where the journal does not say whose it is."""

    user: str = ""
    language: Language = "ko"
    reply_rate: int = 0
    heard_to: int = 0
    """The microphone was heard at least up to this sample."""
    turns: dict[int, RecalledTurn] = field(default_factory=dict)
    last_position: Position = (0, 0)
    epochs: set[int] = field(default_factory=set)
    ended: bool = False
    photo: str = ""
    """What was shown last: its id."""

    @classmethod
    def of(cls, entries: Sequence[tuple[str, JournalRecord]]) -> Recollection:
        """From a journal's entries, in their order."""
        recalled = cls()
        for entry, record in entries:
            recalled.last_position = position_of(entry)
            recalled.epochs.add(recalled.last_position[0])
            recalled._recall(record)
        return recalled

    @property
    def last_turn(self) -> int:
        return max(self.turns, default=0)

    def uncommitted(self) -> list[TurnRecord]:
        """The turns that were closed and of which nobody has said that the database has them."""
        return [turn.record for turn in self.turns.values() if turn.record is not None and not turn.committed]

    def unclosed(self) -> list[RecalledTurn]:
        """The turns that were begun and never closed."""
        return [turn for turn in self.turns.values() if turn.record is None]

    def records(self) -> list[TurnRecord]:
        """The closed turns, in order."""
        return [turn.record for _, turn in sorted(self.turns.items()) if turn.record is not None]

    def _recall(self, record: JournalRecord) -> None:
        match record:
            case SessionOpened():
                self.user, self.language, self.reply_rate = record.user, record.language, record.reply_rate
                self.heard_to = max(self.heard_to, record.received_samples)
                self.photo = record.photo or self.photo
            case Released():
                self._turn(record.turn).released.append(record.entry)
            case Interrupted():
                self._turn(record.turn).interrupted = record
            case TakenBack():
                turn = self._turn(record.turn)
                turn.released.clear()
                turn.taken_back, turn.reply_ended, turn.final = record, None, None
                turn.merges += 1
            case Closed():
                self._turn(record.record.turn).record = record.record
            case Committed():
                self._turn(record.turn).committed = True
            case SessionEnded():
                self.ended = True
            case Told():
                event = event_of(record)
                if event is not None:
                    self._note(event)

    def _note(self, event: ServerEvent) -> None:
        match event:
            case SpeechBegan():
                self._turn(event.turn)
                self.heard_to = max(self.heard_to, event.sample)
            case TurnEnded():
                turn = self._turn(event.turn)
                turn.ended, turn.final = event, None  # the person may have gone on since the last one
                self.heard_to = max(self.heard_to, event.end_sample + ms_to_samples(event.wait_ms))
            case FinalTranscript():
                self._turn(event.turn).final = event
            case Distress():
                self._turn(event.turn).distress = event.kind
            case ReplyEnded():
                self._turn(event.turn).reply_ended = event
            case PhotoShown():
                self.photo = event.photo
                if (known := self.turns.get(event.turn)) is not None and not known.photo:
                    known.photo = event.photo
            case _:
                pass

    def _turn(self, number: int) -> RecalledTurn:
        return self.turns.setdefault(number, RecalledTurn(number, photo=self.photo))


def position_of(entry: str) -> Position:
    """A journal entry's id is the epoch and the number of the event it tells."""
    epoch, _, number = entry.partition("-")
    return int(epoch), int(number)


def event_of(told: Told) -> ServerEvent | None:
    """The event as it was told; None for one of another version."""
    try:
        return decode_event(told.event)
    except ProtocolError:
        return None


async def released_of(turns: Turns, session: str, turn: RecalledTurn) -> list[tuple[str, ReplyText | ReplyAudio]]:
    """What the client was sent of the reply, in order; nothing where the stream has expired. Raises BusUnavailable."""
    if not turn.released:
        return []
    wanted = set(turn.released)
    try:
        found = await turns.read_down(session, turn.number, turn.released[0], turn.released[-1])
    except StreamGone:
        return []
    return [
        (entry, message) for entry, message in found if entry in wanted and isinstance(message, ReplyText | ReplyAudio)
    ]


async def finished(
    turns: Turns, session: str, recalled: Recollection, turn: RecalledTurn, *, played: int | None = None
) -> TurnRecord | None:
    """The record that the turn's gateway did not live to write; None where nothing was said, understood or told.

    `played`: how far the client says to have played the reply, where it is there to say so. Otherwise nobody knows,
    and what was sent counts as heard.
    """
    if not turn.transcript and not turn.released:
        return None
    sentences: list[SpokenSentence] = []
    source, samples = "", turn.reply_from
    for _, message in await released_of(turns, session, turn):
        if isinstance(message, ReplyText):
            source = message.source
            sentences.append(SpokenSentence("" if source == FILLER else message.text, samples))
        elif sentences:
            samples += len(message.pcm) // 2
            sentences[-1].samples += len(message.pcm) // 2
    ended = turn.reply_ended
    is_whole = ended is not None and (ended.reason == "completed" or source == APOLOGY)
    if not is_whole and recalled.reply_rate:  # more of the last sentence was to come
        sentences = [*reckoned(sentences, recalled.reply_rate, recalled.language)]
    sent = min(samples, turn.interrupted.sent_samples) if turn.interrupted is not None else samples
    now = int(time.time() * 1000)
    return TurnRecord(
        session=session,
        user=recalled.user,
        turn=turn.number,
        language=recalled.language,
        outcome="failed" if source in (APOLOGY, FILLER) or (turn.has_failed and not sentences) else "answered",
        transcript=turn.transcript,
        reply=" ".join(sentence.text for sentence in sentences if sentence.text),
        heard=heard_text(sentences, sent if played is None else min(played, sent)),
        interrupted=True,
        typed=turn.typed,
        merges=turn.merges,
        distress=turn.distress,
        source=source,
        photo=turn.photo,
        started_at_ms=now,
        closed_at_ms=now,
        witness="remnant",
    )
