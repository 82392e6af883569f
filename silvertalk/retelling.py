"""What a client that lost its connection has missed, told again from the session's journal and nothing else.

Events that stand in the journal above the client's position are told with the numbers they had. Of replies the journal
names entries of the turn's down stream: their text and audio are made into the same events again. Audio that the client
was sent but has not played is told again too, since its player may have lost it; a client keeps of it what it lacks.
Nothing that a barge-in took back is ever told again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from silvertalk.recollection import Position, Recollection, event_of, position_of, released_of
from silvertalk.releasing import audio_event, text_event
from streaming.bus import Turns
from streaming.messages import (
    Committed,
    Interrupted,
    JournalRecord,
    Released,
    ReplyAudio,
    ReplyText,
    TakenBack,
    Told,
)
from streaming.protocol import (
    AudioHeader,
    Event,
    Flush,
    ReplyEnded,
    Resume,
    TurnCommitted,
    encode_event,
)


@dataclass(frozen=True, slots=True)
class Retold:
    """One event, and with `reply.audio` its binary message."""

    text: str
    audio: bytes = b""


async def retell(entries: Sequence[tuple[str, JournalRecord]], resume: Resume, turns: Turns) -> AsyncIterator[Retold]:
    """Everything that follows the client's position, in order. Raises BusUnavailable, MessageError."""
    recalled = Recollection.of(entries)
    known: Position = (resume.epoch, resume.last_event)
    playhead = {resume.playhead.turn: resume.playhead.samples} if resume.playhead is not None else {}
    replies: dict[int, _Reply] = {}
    for entry, record in entries:
        position = position_of(entry)
        match record:
            case Released() if record.entry not in recalled.turns[record.turn].released:
                pass  # it was taken back, and the client was or will be told so
            case Released():
                reply = replies.get(record.turn)
                if reply is None:
                    recalled_turn = recalled.turns[record.turn]
                    over = recalled_turn.record is not None or recalled_turn.interrupted is not None
                    told = dict(await released_of(turns, resume.session, recalled_turn))
                    played = playhead.get(record.turn, 0) if not over else None
                    cut = recalled_turn.interrupted
                    sent = cut.sent_samples if cut is not None else None
                    reply = replies[record.turn] = _Reply(record.turn, told, played, sent, recalled_turn.taken_back)
                retold = reply.tell(record.entry, position, position > known)
                if retold is not None:
                    yield retold
            case Told() if position > known and not _was_taken_back(record, recalled):
                yield Retold(record.event.decode())
            case Interrupted() if position > known:
                yield _event(Flush(turn=record.turn, upto_sample=record.sent_samples), position)
            case TakenBack() if position > known:
                yield _event(Flush(turn=record.turn, upto_sample=record.upto_sample), position)
            case Committed() if position > known:
                kept = recalled.turns[record.turn].record
                if kept is not None:
                    yield _event(TurnCommitted(turn=kept.turn, outcome=kept.outcome, heard=kept.heard), position)
            case _:
                pass


def _was_taken_back(told: Told, recalled: Recollection) -> bool:
    """A reply that was said to be complete and then interrupted, before anybody was told the former."""
    event = event_of(told)
    if not isinstance(event, ReplyEnded):
        return False
    turn = recalled.turns[event.turn]
    if event.reply <= turn.merges:
        return True
    last = turn.reply_ended
    return last is not None and last.reason == "interrupted" != event.reason


class _Reply:
    """One turn's reply, counted through again as it was when it was told first."""

    def __init__(
        self,
        turn: int,
        told: dict[str, ReplyText | ReplyAudio],
        played: int | None,
        sent: int | None,
        before: TakenBack | None,
    ) -> None:
        """`before`: what came of earlier replies to the turn, all taken back. `played`: the reply is still being
        played, and this much of it was; None: nobody plays it any more. `sent`: samples after which a barge-in took
        back the rest, if one did."""
        self._turn = turn
        self._told = told
        self._played = played
        self._sent = sent
        self._sentence = before.sentences - 1 if before is not None else -1
        self._sequence = before.sequences if before is not None else 0
        self._samples = before.upto_sample if before is not None else 0

    def tell(self, entry: str, position: Position, missed: bool) -> Retold | None:
        """The event again where the client has not had it (`missed`), audio also where it has not played it; else
        None."""
        message = self._told.get(entry)
        if isinstance(message, ReplyText):
            self._sentence += 1
            text = text_event(self._turn, self._sentence, message)
            was_taken_back = self._sent is not None and self._samples >= self._sent
            return _event(text, position) if missed and not was_taken_back else None
        if message is None:  # its stream has expired
            return None
        audio = audio_event(self._turn, self._sentence, self._sequence, self._samples, message)
        self._sequence += 1
        self._samples += audio.samples
        if self._played is None or (not missed and self._samples <= self._played):
            return None
        header = AudioHeader(self._turn, audio.sequence, audio.first_sample)
        return _event(audio, position, header.pack() + message.pcm)


def _event(event: Event, position: Position, audio: bytes = b"") -> Retold:
    epoch, number = position
    return Retold(encode_event(msgspec.structs.replace(event, epoch=epoch, event=number)).decode(), audio)
