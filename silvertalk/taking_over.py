"""A session of another gateway's, taken over by this one as its client comes back.

Everything is read from Redis: the journal, which nobody else can write any more once it is owned, tells what the client
was told; the streams of a turn that was under way tell what its person said and what a node has made of it since. The
turn goes on in the same streams under the later epoch, and its node notices nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from silvertalk.about_person import Acquaintance
from silvertalk.habits import Habits
from silvertalk.owned_session import Beginning, OwnedSession, Parts, known_of
from silvertalk.recollection import RecalledTurn, Recollection, finished
from silvertalk.turn import Turn
from silvertalk.turn_requests import REQUESTED
from streaming.audio import MICROPHONE_RATE
from streaming.bus import Journal, OpenTurn
from streaming.bus.names import session_id
from streaming.errors import StreamGone
from streaming.floor import Floor
from streaming.logs import logger
from streaming.messages import (
    AudioBatch,
    CancelReply,
    Closed,
    CloseTurn,
    ConfirmReply,
    SpeechPaused,
    SpeechResumed,
    StartReply,
    TurnRecord,
    UpMessage,
)
from streaming.protocol import Resume, TurnEnded

log = logger("taking_over")

MAX_UNWRITTEN_EVENTS = 100_000
"""Events that a client may have been told after the last one in the journal, such as partial transcripts: more than in
six hours. A client that claims more was told them by nobody."""

UNTOLD_SAMPLES = MICROPHONE_RATE
"""What was received last may hold the beginning of something said, of which nobody was told yet: it is heard again."""

Phase = Literal["user", "paused", "asked", "cancelled", "closed"]


class Unknown(Exception):
    """The session cannot be gone on with: `reason`, as `resync` says it."""

    def __init__(self, reason: Literal["unknown_session", "unknown_epoch"]) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class _Found:
    """What goes on of a session's turns."""

    living: list[Turn] = field(default_factory=list)
    records: list[TurnRecord] = field(default_factory=list)
    """Of turns that do not go on; their gateway had not written them."""
    floor: Floor = Floor.OPEN
    last_turn: int = 0
    """Number of the last turn of which the journal had not heard, if there was one."""
    unheard_from: int | None = None
    """Where somebody spoke into a reply, and nobody knew yet what they said: they are heard again from there."""
    to_ask: Turn | None = None
    """Its endpoint was told, and its reply never asked for."""
    to_pause: Turn | None = None
    """Its person was speaking."""
    to_tell_ended: Turn | None = None
    """Its reply was asked for, and nobody told the client that the utterance has ended."""

    def was_contested(self, beyond: OpenTurn) -> bool:
        """Whether the turn `beyond` those that the journal knows is a voice that spoke into the reply, or while it was
        made: of what it said nobody knew yet, or it was found to belong to the turn it spoke into, which has it."""
        if beyond.opened.text is not None or not self.living or self.living[-1].left_behind:
            return False
        last = self.living[-1]
        thinking = self.floor is Floor.THINKING and not last.may_go_on
        return thinking or self.floor is Floor.SPEAKING or (self.floor is Floor.PAUSED and last.merges > 0)


async def take_over(parts: Parts, user: str, resume: Resume, *, push_to_talk: bool) -> OwnedSession:
    """The session, started here. Raises Unknown, BusError."""
    await _known(parts, user, resume)
    journal = await Journal.own(parts.bus, resume.session, gateway=parts.name, above=resume.epoch)
    try:
        recalled = Recollection.of(journal.entries)
        if recalled.ended:
            raise Unknown("unknown_session")
        found = await _turns_of(parts, resume, recalled, journal.epoch)
        number = max(recalled.last_position[1], resume.last_event)
        for record in found.records:
            number += 1
            await journal.append(Closed(record=record), number=number)
        known = await known_of(parts, user, resume.session)
        owned = OwnedSession(parts, journal, _beginning(resume, recalled, found, number + 1, push_to_talk, *known))
        await journal.append(owned.opened(), number=number + 1)
    except BaseException:
        journal.let_go()
        raise
    log.info("session_taken_over", session=resume.session, epoch=journal.epoch, turns=len(found.living))
    waiting = recalled.uncommitted() + found.records
    owned.start(lambda: _restore(parts, owned, recalled, found, waiting))
    return owned


async def _known(parts: Parts, user: str, resume: Resume) -> None:
    """Raise Unknown where this person has no such session, or the client cannot have been told what it claims."""
    try:
        session_id(resume.session)
    except ValueError:
        raise Unknown("unknown_session") from None
    recalled = Recollection.of(await Journal.peek(parts.bus, resume.session))
    if recalled.user != user or recalled.ended:
        raise Unknown("unknown_session")
    if resume.epoch not in recalled.epochs or resume.last_event > recalled.last_position[1] + MAX_UNWRITTEN_EVENTS:
        raise Unknown("unknown_epoch")


def _beginning(
    resume: Resume,
    recalled: Recollection,
    found: _Found,
    last_event: int,
    push_to_talk: bool,
    habits: Habits,
    acquaintance: Acquaintance,
) -> Beginning:
    speaking = next((turn for turn in found.living if found.floor is Floor.PAUSED and not turn.left_behind), None)
    if speaking is not None:  # what came after the last that was sent up is heard again
        heard_to = speaking.spoken_to
    else:
        acknowledged = min(resume.received_samples, resume.microphone_sample)
        heard_to = max(recalled.heard_to, acknowledged - UNTOLD_SAMPLES)
    if found.unheard_from is not None and found.floor in (Floor.THINKING, Floor.SPEAKING):
        heard_to = found.unheard_from
    return Beginning(
        session=resume.session,
        user=recalled.user,
        language=recalled.language,
        push_to_talk=push_to_talk,
        habits=habits,
        acquaintance=acquaintance,
        last_event=last_event,
        epochs=recalled.epochs,
        committed={turn.number for turn in recalled.turns.values() if turn.committed},
        microphone_sample=heard_to,
        utterance_sample=speaking.opened.first_sample if speaking is not None else None,
        photo=recalled.photo,
    )


async def _restore(
    parts: Parts, owned: OwnedSession, recalled: Recollection, found: _Found, waiting: Sequence[TurnRecord]
) -> None:
    """Let the turns live again, and have written what the other gateway had not."""
    session = owned.session
    closed = sorted([*recalled.records(), *found.records], key=lambda record: record.turn)
    last_turn = max([recalled.last_turn, found.last_turn, *(turn.number for turn in found.living)])
    owned.showing.take_up(closed)
    session.take_up(closed, found.living, last_turn, found.floor)
    if found.to_tell_ended is not None:
        turn = found.to_tell_ended
        reason = "typed" if turn.opened.text is not None else "silence"
        # How long was waited is not known any more.
        owned.outbox.tell(TurnEnded(turn=turn.number, end_sample=turn.spoken_to, wait_ms=0, reason=reason))
    if found.to_pause is not None:  # nobody knows yet whether they go on
        found.to_pause.send_up(SpeechPaused(sample=found.to_pause.spoken_to))
    if found.to_ask is not None:
        session.ask_for(found.to_ask)
    for record in waiting:
        if record.outcome != "nothing_heard":
            await owned.unwritten.submit(record)


async def _turns_of(parts: Parts, resume: Resume, recalled: Recollection, epoch: int) -> _Found:
    """Adopt what was under way; the journal may not have heard yet of the turns after the last it knows."""
    turns = parts.bus.turns(resume.session)
    found = _Found()
    unclosed, beyond = recalled.unclosed(), recalled.last_turn
    while True:
        told = unclosed.pop(0) if unclosed else RecalledTurn(beyond := beyond + 1)
        handle: OpenTurn | None = None
        with suppress(StreamGone):
            handle, sent_up = await turns.adopt(told.number, epoch=epoch)
        if handle is None and told.number > recalled.last_turn:
            return found
        if handle is not None and told.number > recalled.last_turn:
            found.last_turn = told.number
        if handle is not None and told.number > recalled.last_turn and found.was_contested(handle):
            if _phase(handle, sent_up) != "closed" and found.unheard_from is None:
                found.unheard_from = handle.opened.first_sample
            await handle.close("taken_over")
            continue
        if handle is not None and _goes_on(told, _phase(handle, sent_up)) and not _was_unsaid(handle, sent_up):
            _place(found, _turn(parts, recalled, told, handle, sent_up), told)
            continue
        played = None
        if resume.playhead is not None and resume.playhead.turn == told.number:
            played = resume.playhead.samples
        record = await finished(turns, resume.session, recalled, told, played=played)
        if record is not None:
            found.records.append(record)
        if handle is not None:
            await handle.close("finished")


def _goes_on(told: RecalledTurn, phase: Phase) -> bool:
    if told.interrupted is not None or phase == "closed":
        return False
    if told.reply_ended is None:
        return phase != "cancelled"
    if told.is_left_behind:
        return phase == "asked" and told.final is None
    return bool(told.released)  # the reply is complete, and was still being played


def _was_unsaid(handle: OpenTurn, sent_up: Sequence[UpMessage]) -> bool:
    """복실이 was about to speak of its own accord, and its gateway did not live to say what."""
    return handle.opened.text == "" and not any(isinstance(message, StartReply) for message in sent_up)


def _phase(handle: OpenTurn, sent_up: Sequence[UpMessage]) -> Phase:
    """What the turn was in, as its up stream ends. A speculative reply changes nothing: the person has only paused."""
    speculative = False
    phase: Phase = "user" if handle.opened.text is None else "paused"
    for message in sent_up:
        match message:
            case AudioBatch() | SpeechResumed():
                phase = "user"
            case SpeechPaused():
                phase = "paused"
            case StartReply():
                speculative = message.speculative
                phase = "paused" if speculative else "asked"
            case ConfirmReply():
                speculative = False
                phase = "asked"
            case CancelReply():
                looked_up = message.reason == REQUESTED  # and its gateway did not live to say what came of it
                phase = "paused" if speculative or looked_up else "cancelled"
            case CloseTurn():
                phase = "closed"
            case _:
                pass
    return phase


def _turn(parts: Parts, recalled: Recollection, told: RecalledTurn, handle: OpenTurn, sent_up: list[UpMessage]) -> Turn:
    opened = handle.opened
    turn = Turn(
        session=opened.session,
        user=recalled.user,
        number=told.number,
        language=recalled.language,
        opened=opened,
        recalled=set(told.released),
        told_done=told.reply_ended is not None and not told.is_left_behind,
        left_behind=told.is_left_behind,
        merges=told.merges,
        distress=told.distress,
        distress_told=told.distress,
        photo=told.photo or recalled.photo,
    )
    if told.taken_back is not None:
        turn.reply.begin_after(told.taken_back)
    turn.take_up(handle, sent_up)
    if opened.text is not None:
        turn.transcript, turn.transcript_is_final = opened.text, True
    elif told.final is not None:
        turn.transcript, turn.transcript_is_final = told.final.text, True
    return turn


def _place(found: _Found, turn: Turn, told: RecalledTurn) -> None:
    """Where the floor stands, by the turn in hand."""
    found.living.append(turn)
    if turn.left_behind:
        return
    assert turn.handle is not None, "adopted"
    if told.released or turn.told_done:
        found.floor = Floor.SPEAKING
        if turn.speculative:  # it was released, so its utterance had ended: its gateway did not live to say so
            turn.confirm()
        return
    phase = _phase(turn.handle, turn.sent_up)
    if phase == "asked":
        found.floor = Floor.THINKING
        if turn.opened.text is None and not _endpoint_was_told(turn, told):
            turn.transcript, turn.transcript_is_final = "", False  # what was told is the first half of it
            found.to_tell_ended = turn
        elif told.ended is None and turn.opened.text != "":  # of what it says unasked there is nothing to end
            found.to_tell_ended = turn
    elif turn.opened.text is not None or _endpoint_was_told(turn, told):
        found.floor = Floor.THINKING
        found.to_ask = turn
        if told.ended is None:
            found.to_tell_ended = turn
    else:
        found.floor = Floor.PAUSED
        turn.transcript, turn.transcript_is_final = "", False
        if phase == "user":
            found.to_pause = turn
        if turn.speculative:
            turn.cancel_reply("taken_over")


def _endpoint_was_told(turn: Turn, told: RecalledTurn) -> bool:
    """Of what was said last; the person may have gone on since an earlier endpoint."""
    resumed = [message.sample for message in turn.sent_up if isinstance(message, SpeechResumed)]
    return told.ended is not None and told.ended.end_sample > max([turn.opened.first_sample, *resumed])
