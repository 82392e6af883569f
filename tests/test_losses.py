"""One thing is lost in the middle of a turn: a node, Redis, Redis with all it held, the client, the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from signal import SIGKILL

import numpy as np
import pytest

from gpu_node.engines import Hypothesis, ReplyRequest, Samples, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from silvertalk.database import Database
from silvertalk.orphans import Orphans
from streaming.bus import Bus, Journal, names
from streaming.messages import (
    APOLOGY,
    Closed,
    Committed,
    Language,
    Message,
    Released,
    ReplyAudio,
    ReplyText,
    SessionOpened,
    Told,
    TurnOpened,
)
from streaming.protocol import (
    FinalTranscript,
    PartialTranscript,
    Problem,
    ReplyEnded,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
    encode_event,
)
from tests import product
from tests.caller import Caller, calling
from tests.processes import SCRIPTED, started
from tests.silvertalk.records import USER, record
from tests.streaming.voice import silence, vowels
from tests.valkey import Valkey

SESSION = "0123456789abcdef" * 2
REPLY = "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요? 저도 같이 가고 싶어요."


def whole(caller: Caller, turn: int) -> None:
    """The reply's pieces follow each other without gap or repetition, whoever made them."""
    texts = caller.all(SpokenText, turn=turn)
    assert [text.sentence for text in texts] == list(range(len(texts)))
    position = 0
    for sequence, piece in enumerate(caller.all(SpokenAudio, turn=turn)):
        assert (piece.sequence, piece.first_sample) == (sequence, position)
        position += piece.samples


async def test_another_node_goes_on_where_the_first_was_killed(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, lease_ms=1000)
    slow = SCRIPTED | {"TTS_ENGINE": "scripted:rtf=1.5", "LEASE_MS": "1000", "BUS_URLS": valkey.url}
    llm = ScriptedLlm(first_token_ms=10, tokens_per_second=400)
    async with product.gateway(chosen) as served:
        async with started("gpu_node", NODE_NAME="first", **slow) as first:
            await first.printed("node_warm")
            async with calling(served.url, patience_seconds=40) as caller:
                await caller.say(vowels(1500))
                await caller.wait_for(SpokenAudio, turn=1, sentence=1)
                first.signal(SIGKILL)
                async with product.node(valkey.url, name="second", llm=llm):
                    committed = await caller.wait_for(TurnCommitted, turn=1)
    assert committed.outcome == "answered"
    assert len(caller.all(FinalTranscript)) == len(caller.all(TurnEnded)) == 1
    whole(caller, 1)
    first_sentence, second_sentence = caller.all(SpokenText, turn=1)[:2]
    assert committed.heard.startswith(first_sentence.text)
    assert committed.heard.count(first_sentence.text) == 1
    assert committed.heard.endswith(second_sentence.text.split()[-1]), "the broken sentence is said to its end"
    [done] = caller.all(ReplyEnded, turn=1)
    assert done.reason == "completed"


async def test_captions_take_nothing_back_when_another_node_begins_anew(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, lease_ms=1000, endpoint_wait_ms=1500)
    async with product.gateway(chosen) as served:
        async with started("gpu_node", **SCRIPTED, LEASE_MS="1000", BUS_URLS=valkey.url) as first:
            await first.printed("node_warm")
            async with calling(served.url, patience_seconds=40) as caller:
                speaking = asyncio.create_task(caller.say(vowels(4500)))
                async with asyncio.timeout(20):
                    while not any(partial.stable for partial in caller.all(PartialTranscript)):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                first.signal(SIGKILL)
                async with product.node(valkey.url, name="second"):
                    await speaking
                    await caller.wait_for(TurnCommitted, turn=1)
    partials = caller.all(PartialTranscript)
    for earlier, later in zip(partials, partials[1:], strict=False):
        assert later.stable.startswith(earlier.stable)
    assert len(caller.all(FinalTranscript)) == 1


async def test_redis_that_comes_back_with_its_data_costs_nothing(durable_valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=1500, tokens_per_second=400)
    chosen = product.settings(durable_valkey.url, tmp_path)
    async with product.gateway(chosen) as served, product.node(durable_valkey.url, llm=llm):
        async with calling(served.url, microphone=False, patience_seconds=30) as caller:
            await caller.client.say_text("잠깐 사라질 거예요.")
            await caller.wait_for(TurnEnded, turn=1)
            durable_valkey.kill()
            durable_valkey.start()
            committed = await caller.wait_for(TurnCommitted, turn=1)
            await caller.client.say_text("다시 왔어요.")
            await caller.wait_for(TurnCommitted, turn=2)
    assert committed.outcome == "answered" and committed.heard
    whole(caller, 1)


async def test_a_turn_that_redis_lost_is_offered_again(own_valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=1500, tokens_per_second=400)
    chosen = product.settings(own_valkey.url, tmp_path)
    async with product.gateway(chosen) as served, product.node(own_valkey.url, llm=llm):
        async with calling(served.url, patience_seconds=40) as caller:
            await caller.say(vowels(2000))
            final = await caller.wait_for(FinalTranscript, turn=1)
            own_valkey.kill()
            own_valkey.start()
            committed = await caller.wait_for(TurnCommitted, turn=1)
            await caller.client.say_text("아직 거기 계세요?")
            await caller.wait_for(SpokenText, turn=2)
            rows = await served.parts.database.turns(caller.client.ready.session)
    assert committed.outcome == "answered" and committed.heard
    assert rows[0].transcript == final.text
    whole(caller, 1)
    epochs = [received.event.epoch for received in caller.events]
    assert epochs == sorted(epochs) and len(set(epochs)) == 2, "the journal is owned again, in a later epoch"


def captioned(caller: Caller) -> bool:
    """Some words are shown for good."""
    return any(each.stable for each in caller.all(PartialTranscript))


class Attentive(ScriptedStt):
    """Remembers the audio of the last pass that was final."""

    def __init__(self) -> None:
        super().__init__(pass_ms=20)
        self.sounding = 0
        """Samples of it that are not silence."""

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        if final:
            self.sounding = int(np.count_nonzero(audio))
        return super().transcribe(audio, language=language, final=final)


async def test_redis_lost_while_somebody_speaks_costs_no_word(
    valkey: Valkey, own_valkey: Valkey, tmp_path: Path
) -> None:
    """It comes back empty in mid-sentence, and the node hears as much of the voice as where nothing was lost."""
    pcm = vowels(2000) + silence(200) + vowels(2000, seed=1, pitch_hz=190)
    ears, words = (Attentive(), Attentive()), []
    for server, ear, lost in zip((valkey, own_valkey), ears, (False, True), strict=True):
        chosen = product.settings(server.url, tmp_path / str(lost), endpoint_wait_ms=1500)
        async with product.gateway(chosen) as served, product.node(server.url, stt=ear):
            async with calling(served.url, patience_seconds=40) as caller:
                await caller.client.say_text("먼저 한 말이에요.")
                before = await caller.wait_for(TurnCommitted, turn=1)
                speaking = asyncio.create_task(caller.say(pcm))
                await caller.until(partial(captioned, caller))
                if lost:
                    server.kill()
                    server.start()
                assert not speaking.done()
                await speaking
                committed = await caller.wait_for(TurnCommitted, turn=2)
                rows = await served.parts.database.turns(caller.client.ready.session)
        [final] = caller.all(FinalTranscript, turn=2)
        words.append(final.text.split())
        assert committed.outcome == "answered" and committed.heard
        whole(caller, 2)
        assert [(row.number, row.transcript) for row in rows] == [(1, "먼저 한 말이에요."), (2, final.text)]
        assert rows[0].heard == before.heard
    # Speech may be noticed a frame sooner or later; the smallest thing that could be lost is one batch of 200 ms.
    assert ears[0].sounding > 3 * 16_000
    assert abs(ears[0].sounding - ears[1].sounding) < 0.1 * 16_000
    assert abs(len(words[0]) - len(words[1])) <= 1 and len(words[0]) > 7


async def test_redis_lost_while_the_puppy_speaks_costs_no_word(own_valkey: Valkey, tmp_path: Path) -> None:
    """It comes back empty in mid-reply: the rest of the reply follows what was said of it."""
    voice, llm = ScriptedTts(rtf=0.5), ScriptedLlm([REPLY], first_token_ms=10, tokens_per_second=400)
    chosen = product.settings(own_valkey.url, tmp_path)
    async with product.gateway(chosen) as served, product.node(own_valkey.url, tts=voice, llm=llm):
        async with calling(served.url, patience_seconds=40) as caller:
            await caller.client.say_text("먼저 한 말이에요.")
            before = await caller.wait_for(TurnCommitted, turn=1)
            await caller.say(vowels(1500))
            await caller.wait_for(SpokenAudio, turn=2, sentence=1)
            assert not caller.all(ReplyEnded, turn=2)
            own_valkey.kill()
            own_valkey.start()
            committed = await caller.wait_for(TurnCommitted, turn=2)
            await caller.client.say_text("아직 거기 계세요?")
            after = await caller.wait_for(TurnCommitted, turn=3)
            rows = await served.parts.database.turns(caller.client.ready.session)
    assert [before.heard, committed.heard, after.heard] == [REPLY] * 3
    assert len(caller.all(FinalTranscript, turn=2)) == 1
    whole(caller, 2)
    assert [(row.number, row.outcome, row.heard) for row in rows] == [(n, "answered", REPLY) for n in (1, 2, 3)]


async def test_who_hangs_up_in_the_middle_is_kept_as_far_as_it_was_heard(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path)
    async with product.gateway(chosen) as served, product.node(valkey.url, tts=ScriptedTts(rtf=0.02)):
        async with calling(served.url, microphone=False) as caller:
            await caller.client.say_text("듣다가 끊을 거예요.")
            await caller.wait_for(SpokenAudio, turn=1, sequence=4)
            session = caller.client.ready.session
        database = served.parts.database
        async with asyncio.timeout(15):
            while (row := await database.session(session)) is None or row.ended_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        [turn] = await database.turns(session)
    assert turn.interrupted and turn.outcome == "answered"
    assert turn.transcript == "듣다가 끊을 거예요."
    assert len(turn.heard) < len(turn.reply)


class BrokenLlm(ScriptedLlm):
    """Breaks after so many tokens, with an error that nobody has foreseen."""

    def __init__(self, tokens: int) -> None:
        super().__init__([REPLY], first_token_ms=5, tokens_per_second=400)
        self._tokens = tokens

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        async with aclosing(super().stream(request)) as tokens:
            left = self._tokens
            async for token in tokens:
                if not left:
                    raise RuntimeError("nobody has foreseen this")
                left -= 1
                yield token


@pytest.mark.parametrize(("tokens", "outcome"), [(0, "failed"), (5, "answered")])
async def test_an_engine_that_breaks_ends_the_turn_and_not_the_talk(
    valkey: Valkey, tmp_path: Path, tokens: int, outcome: str
) -> None:
    chosen = product.settings(valkey.url, tmp_path)
    async with product.gateway(chosen) as served, product.node(valkey.url, llm=BrokenLlm(tokens)):
        async with calling(served.url, microphone=False) as caller:
            for turn in (1, 2):
                await caller.client.say_text("무슨 일이에요?")
                committed = await caller.wait_for(TurnCommitted, turn=turn)
                assert committed.outcome == outcome
    sources = {text.source for text in caller.all(SpokenText)}
    assert sources == ({APOLOGY} if outcome == "failed" else {"scripted"})
    assert not caller.all(Problem)


async def test_speech_after_something_typed_is_a_turn_of_its_own(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=3000, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with calling(served.url, patience_seconds=30) as caller:
            await caller.client.say_text("이건 글이에요.")
            await caller.wait_for(TurnEnded, turn=1)
            await caller.say(vowels(1500))
            spoken = await caller.wait_for(TurnCommitted, turn=2)
            rows = await served.parts.database.turns(caller.client.ready.session)
    assert spoken.outcome == "answered"
    assert [(row.number, row.typed, bool(row.reply)) for row in rows] == [(1, True, False), (2, False, True)]


async def test_who_never_stops_talking_rolls_on_into_the_next_turn(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, max_utterance_seconds=5, endpoint_wait_ms=1500)
    async with product.gateway(chosen) as served, product.node(valkey.url):
        async with calling(served.url, patience_seconds=30) as caller:
            await caller.say(vowels(6500))
            await caller.wait_for(TurnCommitted, turn=2)
            rows = await served.parts.database.turns(caller.client.ready.session)
    assert [ended.reason for ended in caller.all(TurnEnded)] == ["limit", "silence"]
    assert [(row.number, row.continuation) for row in rows] == [(1, False), (2, True)]
    assert rows[0].transcript and rows[1].transcript
    assert not caller.all(SpokenText, turn=1)


async def dead_gateway(url: str, *journal: Message) -> None:
    """A gateway that wrote this and was killed: it leaves its session behind."""
    async with Bus.open([url], name="dead") as bus:
        owned = await Journal.own(bus, SESSION, gateway="dead")
        for number, message in enumerate(journal, start=1):
            await owned.append(message, number=number)
        owned.let_go()


async def test_the_turns_of_a_gateway_that_died_are_written_once(valkey: Valkey, tmp_path: Path) -> None:
    written, waiting = record(1, session=SESSION), record(2, session=SESSION)
    await dead_gateway(
        valkey.url,
        SessionOpened(user=USER, language="ko", reply_rate=24_000),
        Closed(record=written),
        Committed(turn=1),
        Closed(record=waiting),
        Told(
            event=encode_event(
                FinalTranscript(turn=3, text="끝을 못 본 말", language="ko", rejected="", confidence=0.0)
            )
        ),
    )
    chosen = product.settings(valkey.url, tmp_path)
    async with Bus.open([valkey.url], name="living") as bus, Database(chosen.database) as database:
        await database.wait_ready()
        orphans = Orphans(bus, database, chosen, idle_ms=0)
        await orphans.look()
        rows = await database.turns(SESSION)
        session = await database.session(SESSION)
        await orphans.look()
        assert await bus.orphans(0) == []
    assert [(row.number, row.transcript, row.interrupted) for row in rows] == [
        (2, waiting.transcript, waiting.interrupted),
        (3, "끝을 못 본 말", True),
    ]
    assert session is not None and session.ended_at is not None


async def test_one_orphan_that_cannot_be_read_does_not_keep_the_others_waiting(valkey: Valkey, tmp_path: Path) -> None:
    spoilt = "f" * 32
    opened = SessionOpened(user=USER, language="ko", reply_rate=24_000)
    async with Bus.open([valkey.url], name="dead") as bus:
        journal = await Journal.own(bus, spoilt, gateway="dead")
        await journal.append(opened, number=1)
        await journal.append(Released(turn=1, entry="1-2"), number=2)
        journal.let_go()
    valkey.execute("XADD", names.down(spoilt, 1), "1-2", "mark", "no message")
    valkey.execute("PEXPIRE", names.down(spoilt, 1), "60000")
    words = FinalTranscript(turn=1, text="끝을 못 본 말", language="ko", rejected="", confidence=0.0)
    await dead_gateway(valkey.url, opened, Told(event=encode_event(words)))
    chosen = product.settings(valkey.url, tmp_path)
    async with Bus.open([valkey.url], name="living") as bus, Database(chosen.database) as database:
        await database.wait_ready()
        await Orphans(bus, database, chosen, idle_ms=0).look()
        [row] = await database.turns(SESSION)
        closed = [entry.record for _, entry in await Journal.peek(bus, SESSION) if isinstance(entry, Closed)]
    assert (row.transcript, row.interrupted) == ("끝을 못 본 말", True)
    assert [record.transcript for record in closed] == [row.transcript], "whoever comes back meanwhile finds it closed"


async def test_a_reply_that_was_under_way_is_found_in_the_down_stream(valkey: Valkey, tmp_path: Path) -> None:
    text = ReplyText(attempt=1, reply=1, sentence=0, text="그러셨군요, 어르신.", source="scripted")
    unsent = ReplyText(attempt=1, reply=1, sentence=1, text="못 들은 말.", source="scripted")
    audio = ReplyAudio(attempt=1, reply=1, sentence=0, first_sample=0, pcm=bytes(57_600))
    async with Bus.open([valkey.url], name="node") as bus:
        opened = TurnOpened(session=SESSION, turn=1, language="ko", reply_rate=24_000)
        turn = await bus.turns(SESSION).open(opened, epoch=1, deliver=lambda _: None)
        [claimed] = await bus.claims.next(1)
        sent = [await claimed.down.append(message) for message in (text, audio)]
        await claimed.down.append(unsent)
        await claimed.abandon()
        assert turn.offer_id
    await dead_gateway(
        valkey.url,
        SessionOpened(user=USER, language="ko", reply_rate=24_000),
        *(Released(turn=1, entry=entry) for entry in sent),
    )
    chosen = product.settings(valkey.url, tmp_path)
    async with Bus.open([valkey.url], name="living") as bus, Database(chosen.database) as database:
        await database.wait_ready()
        await Orphans(bus, database, chosen, idle_ms=0).look()
        [row] = await database.turns(SESSION)
    assert (row.reply, row.heard, row.interrupted) == ("그러셨군요, 어르신.", "그러셨군요,", True), "1.2 s of about 1.8"
