"""What a client missed is told again from the journal: all of it, nothing twice, nothing that was taken back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from silvertalk.about_person import Acquaintances
from silvertalk.asking import Asking
from silvertalk.database import Database
from silvertalk.habits import Habits
from silvertalk.history import History
from silvertalk.obliging import Obliging
from silvertalk.outbox import Outbox
from silvertalk.quiet import Quiet
from silvertalk.recollection import Recollection, finished
from silvertalk.retelling import Retold, retell
from silvertalk.session import Session
from silvertalk.showing import Showing
from silvertalk.turn import Turn
from silvertalk.turn_life import TurnLife
from silvertalk.turns_in_hand import SessionParts
from streaming.bus import Bus, Journal
from streaming.floor import Floor
from streaming.messages import (
    Claimed,
    Closed,
    Committed,
    Interrupted,
    JournalRecord,
    Released,
    ReplyAudio,
    ReplyContext,
    ReplyText,
    SessionEnded,
    SessionOpened,
    StartReply,
    TakenBack,
    Told,
    TurnOpened,
)
from streaming.protocol import (
    Event,
    FinalTranscript,
    Playhead,
    ReplyEnded,
    Resume,
    SpeechBegan,
    TurnEnded,
    decode_audio,
    decode_event,
    encode_event,
)
from tests.product import settings
from tests.silvertalk.records import record
from tests.valkey import Valkey

SESSION = "0123456789abcdef" * 2
PIECE = 2400
SECOND = 24_000
OPENED = SessionOpened(user="somebody", language="ko", reply_rate=24_000)


def told(event: Event) -> Told:
    return Told(event=encode_event(event))


def final(turn: int) -> Told:
    return told(FinalTranscript(turn=turn, text=f"말 {turn}", language="ko", rejected="", confidence=-0.1))


def ended(turn: int) -> Told:
    return told(TurnEnded(turn=turn, end_sample=turn * 16_000, wait_ms=700, reason="silence"))


def done(turn: int) -> Told:
    reply = ReplyEnded(turn=turn, reply=1, reason="completed", source="s", audio_samples=4 * PIECE, timings_ms={})
    return told(reply)


@pytest.fixture
async def bus(valkey: Valkey) -> AsyncIterator[Bus]:
    async with Bus.open([valkey.url], name="test") as opened:
        yield opened


async def reply(bus: Bus, turn: int) -> list[str]:
    """A turn whose down stream holds two sentences of two pieces each; the entries' ids, in order."""
    opened = TurnOpened(session=SESSION, turn=turn, language="ko", reply_rate=24_000)
    await bus.turns(SESSION).open(opened, epoch=1, deliver=lambda _: None)
    [claimed] = await bus.claims.next(1)
    ids = []
    for sentence in range(2):
        text = ReplyText(attempt=1, reply=1, sentence=sentence, text=f"문장 {sentence}.", source="s")
        ids.append(await claimed.down.append(text))
        for _ in range(2):
            pcm = bytes([sentence, turn]) * PIECE
            audio = ReplyAudio(attempt=1, reply=1, sentence=sentence, first_sample=0, pcm=pcm)
            ids.append(await claimed.down.append(audio))
    await claimed.release()
    return ids


def numbered(records: list[JournalRecord], epoch: int = 7, first: int = 1) -> list[tuple[str, JournalRecord]]:
    """Journal entries; an event carries its number as it was told."""
    entries: list[tuple[str, JournalRecord]] = []
    for number, message in enumerate(records, start=first):
        if isinstance(message, Told):
            event = msgspec.structs.replace(decode_event(message.event), epoch=epoch, event=number)
            message = Told(event=encode_event(event))
        entries.append((f"{epoch}-{number}", message))
    return entries


def resume(last_event: int, *, epoch: int = 7, turn: int = 0, played: int = 0) -> Resume:
    return Resume(
        session=SESSION,
        epoch=epoch,
        last_event=last_event,
        microphone_sample=0,
        playhead=Playhead(turn=turn, samples=played) if turn else None,
    )


async def retold(bus: Bus, entries: list[tuple[str, JournalRecord]], at: Resume) -> list[Retold]:
    return [each async for each in retell(entries, at, bus.turns(SESSION))]


def kinds(found: list[Retold]) -> list[tuple[str, int]]:
    return [(event["type"], event["event"]) for event in (json.loads(each.text) for each in found)]


async def test_a_reply_is_told_again_as_it_was_told_first(bus: Bus) -> None:
    released: list[JournalRecord] = [Released(turn=1, entry=entry) for entry in await reply(bus, 1)]
    entries = numbered([OPENED, ended(1), final(1), *released, done(1)])
    found = await retold(bus, entries, resume(1))
    text, audio = "reply.text", "reply.audio"
    assert kinds(found) == [
        *(("turn.ended", 2), ("transcript.final", 3)),
        *((text, 4), (audio, 5), (audio, 6), (text, 7), (audio, 8), (audio, 9)),
        ("reply.done", 10),
    ]
    sounds = [decode_audio(each.audio) for each in found if each.audio]
    assert [header for header, _ in sounds] == [(1, place, place * PIECE) for place in range(4)]
    assert [pcm[0] for _, pcm in sounds] == [0, 0, 1, 1]
    said = [json.loads(each.text) for each in found if "reply.text" in each.text]
    assert [(each["sentence"], each["text"]) for each in said] == [(0, "문장 0."), (1, "문장 1.")]


async def test_what_was_sent_and_not_played_is_told_again_and_no_text_twice(bus: Bus) -> None:
    released: list[JournalRecord] = [Released(turn=1, entry=entry) for entry in await reply(bus, 1)]
    entries = numbered([OPENED, final(1), *released])
    found = await retold(bus, entries, resume(6, turn=1, played=PIECE + 1))
    assert kinds(found) == [("reply.audio", 5), ("reply.audio", 7), ("reply.audio", 8)]
    assert [decode_audio(each.audio)[0].first_sample for each in found] == [PIECE, 2 * PIECE, 3 * PIECE]


async def test_what_a_barge_in_took_back_stays_silent(bus: Bus) -> None:
    released: list[JournalRecord] = [Released(turn=1, entry=entry) for entry in await reply(bus, 1)]
    cut = Interrupted(turn=1, attempt=1, sent_samples=PIECE, reason="speech")
    reply_ended = ReplyEnded(turn=1, reply=1, reason="interrupted", source="s", audio_samples=PIECE, timings_ms={})
    entries = numbered([OPENED, *released, done(1), cut, told(reply_ended)])
    found = await retold(bus, entries, resume(1, turn=1, played=0))
    assert kinds(found) == [("reply.text", 2), ("flush", 9), ("reply.done", 10)]
    assert not any(each.audio for each in found)
    assert json.loads(found[-1].text)["reason"] == "interrupted", "and not `completed` before it"


def taken_back(upto_sample: int, sequences: int, sentences: int) -> TakenBack:
    return TakenBack(turn=1, attempt=1, upto_sample=upto_sample, sequences=sequences, sentences=sentences)


async def test_a_reply_that_was_taken_back_is_not_told_again_and_the_next_one_counts_on(bus: Bus) -> None:
    first, *_, second_text, second_audio, _ = await reply(bus, 1)
    begun: list[JournalRecord] = [Released(turn=1, entry=first), done(1), taken_back(PIECE, 1, 1)]
    again: list[JournalRecord] = [Released(turn=1, entry=second_text), Released(turn=1, entry=second_audio)]
    entries = numbered([OPENED, ended(1), final(1), *begun, ended(1), final(1), *again])
    found = await retold(bus, entries, resume(1))
    assert kinds(found) == [
        *(("turn.ended", 2), ("transcript.final", 3), ("flush", 6), ("turn.ended", 7), ("transcript.final", 8)),
        *(("reply.text", 9), ("reply.audio", 10)),
    ]
    assert json.loads(found[2].text)["upto_sample"] == PIECE
    assert json.loads(found[5].text)["sentence"] == 1
    assert decode_audio(found[6].audio)[0] == (1, 1, PIECE)


async def test_of_a_turn_whose_reply_was_taken_back_the_later_one_is_recorded(bus: Bus) -> None:
    first, first_audio, *_, second_text, second_audio, _ = await reply(bus, 1)
    begun: list[JournalRecord] = [Released(turn=1, entry=first), Released(turn=1, entry=first_audio)]
    again: list[JournalRecord] = [Released(turn=1, entry=second_text), Released(turn=1, entry=second_audio)]
    told_before = [OPENED, ended(1), final(1), *begun, taken_back(PIECE, 1, 1)]
    recalled = Recollection.of(numbered([*told_before, ended(1), final(1), *again, done(1)]))
    row = await finished(bus.turns(SESSION), SESSION, recalled, recalled.turns[1])
    assert row is not None
    assert (row.reply, row.heard, row.merges) == ("문장 1.", "문장 1.", 1)
    half = Recollection.of(numbered(told_before))
    assert half.turns[1].released == [] and half.turns[1].final is None, "nothing of the first half counts as said"


async def test_a_commit_is_told_with_what_was_heard(bus: Bus) -> None:
    entries = numbered([OPENED, Closed(record=record(1, session=SESSION)), Committed(turn=1)])
    [committed] = await retold(bus, entries, resume(2))
    event = json.loads(committed.text)
    assert (event["type"], event["turn"], event["heard"]) == ("turn.committed", 1, record(1).heard)


async def test_an_older_epochs_events_come_before_those_of_the_newer(bus: Bus) -> None:
    entries = [*numbered([OPENED, final(1)], epoch=6), *numbered([OPENED, final(2)], epoch=7, first=3)]
    assert kinds(await retold(bus, entries, resume(1, epoch=6))) == [("transcript.final", 2), ("transcript.final", 4)]
    assert kinds(await retold(bus, entries, resume(2, epoch=6))) == [("transcript.final", 4)]
    assert kinds(await retold(bus, entries, resume(3, epoch=7))) == [("transcript.final", 4)]


async def test_a_reply_whose_stream_has_expired_is_passed_over(bus: Bus, valkey: Valkey) -> None:
    released: list[JournalRecord] = [Released(turn=1, entry=entry) for entry in await reply(bus, 1)]
    valkey.flush()
    assert kinds(await retold(bus, numbered([OPENED, *released, done(1)]), resume(1))) == [("reply.done", 8)]


@pytest.mark.parametrize("last", range(13))
async def test_whoever_was_cut_off_anywhere_gets_exactly_the_rest(bus: Bus, last: int) -> None:
    """Wherever the connection was lost, what was told before and what is told again make the whole."""
    entries = numbered([OPENED, *(final(turn) for turn in range(1, 12))])
    found = await retold(bus, entries, resume(last))
    assert [number for _, number in kinds(found)] == list(range(max(2, last + 1), 13))


# --- recollection ----------------------------------------------------------------------------------------------------


def test_a_journal_tells_whose_the_session_is_and_how_far_it_was_heard() -> None:
    entries = numbered(
        [
            OPENED,
            told(SpeechBegan(turn=1, sample=3_000)),
            ended(1),
            final(1),
            Closed(record=record(1)),
            Committed(turn=1),
            told(SpeechBegan(turn=2, sample=50_000)),
            Closed(record=record(3)),
        ]
    )
    recalled = Recollection.of(entries)
    assert (recalled.user, recalled.language, recalled.last_turn) == ("somebody", "ko", 3)
    assert recalled.heard_to == 50_000 and recalled.last_position == (7, 8) and not recalled.ended
    assert [turn.number for turn in recalled.unclosed()] == [2]
    assert [kept.turn for kept in recalled.uncommitted()] == [3]
    assert [kept.turn for kept in recalled.records()] == [1, 3]
    assert Recollection.of([*entries, ("7-9", SessionEnded(reason="bye"))]).ended


def test_the_microphone_was_heard_to_the_end_of_the_wait() -> None:
    assert Recollection.of(numbered([OPENED, ended(1)])).heard_to == 16_000 + 700 * 16


def test_who_goes_on_after_an_endpoint_has_no_final_transcript_yet() -> None:
    [turn] = Recollection.of(numbered([OPENED, ended(1), final(1), ended(1)])).unclosed()
    assert turn.final is None and turn.ended is not None


@asynccontextmanager
async def taken_up(bus: Bus, folder: Path, turn: Turn) -> AsyncIterator[Session]:
    """A session that another gateway's turn goes on in, on this one; it reads the turn's down stream from its
    beginning. Nothing is sent to anybody."""
    journal = await Journal.own(bus, SESSION, gateway="g")
    chosen = settings("unix:///nowhere", folder)
    outbox = Outbox(journal, send_seconds=1, limit_bytes=2**20, on_socket_lost=lambda *_: None, own_again=_unused)
    life = TurnLife(bus.turns(SESSION), outbox, chosen, commit=_unused)
    history, habits = History(0, language="ko", local_time=str), Habits()
    asking = Asking(history, habits, language="ko", speculations_per_minute=0, clarify_below=-10, clock=time.monotonic)
    acquaintance = await Acquaintances(Database("sqlite+aiosqlite://"), default_zone="").load("u", SESSION, 0.01)
    parts = SessionParts(
        session=SESSION,
        user="u",
        language="ko",
        outbox=outbox,
        life=life,
        reply_rate=24_000,
        history=history,
        habits=habits,
        asking=asking,
        quiet=Quiet(0),
        showing=Showing(None, acquaintance, outbox, user="u", session=SESSION, language="ko"),
        obliging=Obliging(None, history, language="ko", spawn=life.see_to),
        on_fenced=lambda: None,
        on_settled=lambda _: None,
    )
    session = Session(parts, believes_voice=False, hears_echo=True, max_speech_samples=16_000, clock=time.monotonic)
    async with life, asyncio.timeout(10):
        session.take_up([], [turn], 1, Floor.SPEAKING)
        try:
            yield session
        finally:
            life.let_go()
    await journal.close()


async def released(turn: Turn, samples: int) -> None:
    """Wait until so much of the reply was read back, or made since."""
    while turn.reply.released_samples < samples:
        await turn.moved.wait()
        await asyncio.sleep(0)


async def test_what_was_played_counts_also_where_the_reply_is_read_back_only_later(bus: Bus, tmp_path: Path) -> None:
    entries = await reply(bus, 1)
    handle, sent_up = await bus.turns(SESSION).adopt(1, epoch=2)
    turn = Turn(
        session=SESSION, user="u", number=1, language="ko", opened=handle.opened, recalled=set(entries), attempt=1
    )
    turn.take_up(handle, sent_up)
    assert not sent_up
    async with taken_up(bus, tmp_path, turn) as session:
        session.returned(Playhead(turn=1, samples=3 * PIECE))
        await released(turn, 4 * PIECE)
    assert turn.reply.played_samples == 3 * PIECE


async def test_a_reply_that_two_nodes_made_is_counted_whole_by_another_gateway(bus: Bus, tmp_path: Path) -> None:
    """The first of them died, and what it had said was said; what the second says now follows all of that."""
    opened = TurnOpened(session=SESSION, turn=1, language="ko", reply_rate=24_000)
    first = await bus.turns(SESSION).open(opened, epoch=1, deliver=lambda _: None)
    context, pcm = ReplyContext(language="ko", local_time=""), bytes(2 * SECOND)
    texts, entries = ("문장 하나.", "문장 둘."), []
    for attempt, text in enumerate(texts, start=1):
        await first.up.append(StartReply(attempt=attempt, reply=1, end_sample=0, context=context))
        [claimed] = await bus.claims.next(1)
        await claimed.down.append(Claimed(node=f"node-{attempt}", delivery=attempt, stt="", tts="", llm=""))
        said = ReplyText(attempt=attempt, reply=1, sentence=0, text=text, source="s")
        entries.append(await claimed.down.append(said))
        for piece in range(2):
            sound = ReplyAudio(attempt=attempt, reply=1, sentence=0, first_sample=piece * SECOND, pcm=pcm)
            entries.append(await claimed.down.append(sound))
        await (claimed.hand_back() if attempt == 1 else claimed.release())
    first.let_go()
    handle, sent_up = await bus.turns(SESSION).adopt(1, epoch=2)
    told = set(entries[:-1])  # the last piece nobody had told yet
    turn = Turn(session=SESSION, user="u", number=1, language="ko", opened=handle.opened, recalled=told)
    turn.take_up(handle, sent_up)
    async with taken_up(bus, tmp_path, turn) as session:
        session.returned(Playhead(turn=1, samples=2 * SECOND))
        await released(turn, 4 * SECOND)
        assert (turn.reply.sent_samples, turn.reply.sequence, turn.reply.last_sentence) == (3 * SECOND, 4, 1)
        assert turn.attempt == 2, "the node that has it was asked already"
    assert turn.reply.text == " ".join(texts)


async def _unused(*_: object) -> Any:
    raise AssertionError("nothing is sent here, and nothing committed")


async def test_a_turn_that_nobody_could_answer_is_kept_as_failed(bus: Bus) -> None:
    failed = ReplyEnded(turn=1, reply=1, reason="failed", source="", audio_samples=0, timings_ms={})
    recalled = Recollection.of(numbered([OPENED, ended(1), final(1), told(failed)]))
    [turn] = recalled.unclosed()
    kept = await finished(bus.turns(SESSION), SESSION, recalled, turn)
    assert kept is not None and (kept.outcome, kept.transcript) == ("failed", "말 1")


async def test_the_record_its_gateway_did_not_live_to_write(bus: Bus) -> None:
    released: list[JournalRecord] = [Released(turn=1, entry=entry) for entry in await reply(bus, 1)]
    recalled = Recollection.of(numbered([OPENED, final(1), *released, done(1), told(SpeechBegan(turn=2, sample=1))]))
    turns = bus.turns(SESSION)
    first, second = recalled.unclosed()
    everything = await finished(turns, SESSION, recalled, first)
    half = await finished(turns, SESSION, recalled, first, played=2 * PIECE)
    assert everything is not None and half is not None
    assert (everything.transcript, everything.heard) == ("말 1", "문장 0. 문장 1.")
    assert half.heard == "문장 0." and half.reply == "문장 0. 문장 1." and half.interrupted
    assert await finished(turns, SESSION, recalled, second) is None, "nothing was understood or told of it"


async def test_of_a_sentence_whose_end_nobody_told_not_all_was_heard(bus: Bus) -> None:
    """Its gateway died while the sentence was still being voiced."""
    released: list[JournalRecord] = [Released(turn=1, entry=entry) for entry in await reply(bus, 1)]
    recalled = Recollection.of(numbered([OPENED, final(1), *released[:-1]]))
    kept = await finished(bus.turns(SESSION), SESSION, recalled, recalled.turns[1])
    assert kept is not None and kept.heard == "문장 0. 문장" and kept.reply == "문장 0. 문장 1."
