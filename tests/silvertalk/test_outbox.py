"""What is told is journaled first, in one order, and taken back as long as it was not sent."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from silvertalk.errors import ClientTooSlow
from silvertalk.outbox import MAX_WAITING_ITEMS, Arrival, Outbox
from streaming.bus import Bus, Journal
from streaming.errors import Fenced
from streaming.messages import Closed, Message, Released, SessionOpened, Told
from streaming.protocol import (
    FinalTranscript,
    Flush,
    PartialTranscript,
    ReceivedSamples,
    SpeechBegan,
    SpokenAudio,
    SpokenText,
    decode_audio,
)
from tests.silvertalk.records import record
from tests.valkey import Valkey

SESSION = "0123456789abcdef" * 2
OPENED = SessionOpened(user="somebody", language="ko", reply_rate=24_000)


class Phone:
    """The far end of a socket. While `taking` is unset it takes nothing; with `gone` it says so."""

    def __init__(self) -> None:
        self.taken: list[str | bytes] = []
        self.taking = asyncio.Event()
        self.taking.set()
        self.gone = False

    async def send_text(self, data: str) -> None:
        await self._take(data)

    async def send_bytes(self, data: bytes) -> None:
        await self._take(data)

    async def _take(self, data: str | bytes) -> None:
        if self.gone:
            raise RuntimeError("the socket is closed")
        await self.taking.wait()
        self.taken.append(data)

    def kinds(self) -> list[str]:
        return [json.loads(item)["type"] if isinstance(item, str) else "binary" for item in self.taken]


class Line:
    """An outbox between a real journal and a phone."""

    def __init__(self, bus: Bus, journal: Journal, phone: Phone, *, send_seconds: float, limit_bytes: int) -> None:
        self.bus, self.journal, self.phone = bus, journal, phone
        self.lost: list[Exception] = []
        self.outbox = Outbox(
            journal,
            send_seconds=send_seconds,
            limit_bytes=limit_bytes,
            on_socket_lost=lambda _, error: self.lost.append(error),
            own_again=self._own_again,
        )
        self.running = asyncio.create_task(self.outbox.run(), name="outbox")

    async def arrive(self, phone: Phone, *first: tuple[str, bytes]) -> None:
        """A client comes, is told `first`, and everything from then on."""
        welcomed = asyncio.Event()

        async def tell_first() -> AsyncIterator[tuple[str, bytes]]:
            for each in first:
                yield each

        self.outbox.attach(Arrival(phone, tell_first, welcomed.set))
        async with asyncio.timeout(10):
            await welcomed.wait()

    async def _own_again(self) -> tuple[Journal, Message]:
        self.journal = await Journal.own(self.bus, SESSION, gateway="test", above=self.journal.epoch)
        return self.journal, OPENED

    async def emptied(self) -> None:
        self.outbox.end()
        async with asyncio.timeout(20):
            await self.running

    async def journaled(self) -> list[Message]:
        await self.journal.close(ended=False)
        again = await Journal.own(self.bus, SESSION, gateway="reader")
        await again.close()
        return [message for _, message in again.entries]


@asynccontextmanager
async def lines(valkey: Valkey, *, send_seconds: float = 10, limit_bytes: int = 256 * 1024) -> AsyncIterator[Line]:
    async with Bus.open([valkey.url], name="test") as bus:
        journal = await Journal.own(bus, SESSION, gateway="test")
        line = Line(bus, journal, Phone(), send_seconds=send_seconds, limit_bytes=limit_bytes)
        await line.arrive(line.phone)
        yield line
        line.running.cancel()
        await asyncio.wait([line.running])


def text(turn: int, sentence: int = 0) -> SpokenText:
    return SpokenText(turn=turn, reply=1, sentence=sentence, text="그러셨군요.", source="scripted")


def audio(sequence: int, samples: int) -> SpokenAudio:
    return SpokenAudio(turn=1, reply=1, sentence=0, sequence=sequence, first_sample=sequence * samples, samples=samples)


def final(turn: int) -> FinalTranscript:
    return FinalTranscript(turn=turn, text="안녕", language="ko", rejected="", confidence=-0.1)


def partial(turn: int) -> PartialTranscript:
    return PartialTranscript(turn=turn, stable="", tentative="안", upto_sample=0)


def nothing() -> None:
    return None


async def test_who_reads_along_hears_what_the_client_is_told(valkey: Valkey) -> None:
    heard: list[str] = []
    async with lines(valkey) as line:
        stop = line.outbox.listen(lambda event, data: heard.append(json.loads(data)["type"]))
        line.phone.taking.clear()
        line.outbox.tell(final(1))
        line.outbox.release(text(1), Released(turn=1, entry="1-1"), turn=1, after=nothing)
        line.outbox.drop_reply(1)
        line.outbox.tell(final(2))
        line.phone.taking.set()
        await line.emptied()
        assert heard == line.phone.kinds() == ["transcript.final", "transcript.final"]
        stop()
        stop()


async def test_everything_comes_in_order_numbered_and_is_in_the_journal(valkey: Valkey) -> None:
    sent: list[str] = []
    async with lines(valkey) as line:
        outbox = line.outbox
        outbox.record(OPENED)
        outbox.tell(final(1))
        outbox.tell(ReceivedSamples(samples=1), journaled=False)
        outbox.release(text(1), Released(turn=1, entry="1-5"), turn=1, after=lambda: sent.append("text"))
        outbox.release(
            audio(0, 2), Released(turn=1, entry="1-6"), turn=1, audio=bytes(4), after=lambda: sent.append("audio")
        )
        await line.emptied()
        journaled = await line.journaled()
    assert line.phone.kinds() == ["transcript.final", "received_samples", "reply.text", "reply.audio", "binary"]
    events = [json.loads(item) for item in line.phone.taken if isinstance(item, str)]
    assert [event["event"] for event in events] == [2, 3, 4, 5]
    header, pcm = decode_audio(bytes(line.phone.taken[-1]))  # type: ignore[arg-type]
    assert header == (1, 0, 0) and pcm == bytes(4)
    assert sent == ["text", "audio"]
    opened, told, *released = journaled
    assert opened == OPENED and released == [Released(turn=1, entry="1-5"), Released(turn=1, entry="1-6")]
    assert isinstance(told, Told) and json.loads(told.event) == events[0], "as it was told"


async def test_a_barge_in_takes_back_what_was_not_sent(valkey: Valkey) -> None:
    sent: list[int] = []
    async with lines(valkey) as line:
        line.phone.taking.clear()
        for number in range(5):
            released = Released(turn=1, entry=f"1-{number + 1}")
            line.outbox.release(text(1, number), released, turn=1, after=functools.partial(sent.append, number))
        line.outbox.release(text(2), Released(turn=2, entry="1-1"), turn=2, after=lambda: sent.append(100))
        while not line.outbox._in_hand:  # noqa: ASYNC110 - the very tick after it took them
            await asyncio.sleep(0)
        line.outbox.drop_reply(1)
        line.outbox.tell(Flush(turn=1, upto_sample=0))
        line.phone.taking.set()
        await line.emptied()
    told = [(event["type"], event["turn"]) for event in map(json.loads, line.phone.taken)]
    assert told[-2:] == [("reply.text", 2), ("flush", 1)]
    assert len([turn for _, turn in told[:-1] if turn == 1]) == len([n for n in sent if n < 100]) <= 1


async def test_only_the_newest_caption_waits(valkey: Valkey) -> None:
    async with lines(valkey) as line:
        for _ in range(50):
            line.outbox.tell(partial(1), journaled=False)
        line.outbox.tell(final(1))
        await line.emptied()
    assert line.phone.kinds() == ["transcript.partial", "transcript.final"]


async def test_a_client_that_takes_nothing_is_given_up_and_the_journal_goes_on(valkey: Valkey) -> None:
    closed = asyncio.Event()
    async with lines(valkey, send_seconds=0.2) as line:
        line.phone.taking.clear()
        line.outbox.tell(final(1))
        line.outbox.record(Closed(record=record(1)), after=closed.set)
        async with asyncio.timeout(10):
            await closed.wait()
        line.outbox.tell(ReceivedSamples(samples=1), journaled=False)
        await line.emptied()
        journaled = await line.journaled()
    assert [type(error) for error in line.lost] == [ClientTooSlow]
    assert [type(message) for message in journaled] == [Told, Closed]


async def test_a_client_far_behind_is_given_up(valkey: Valkey) -> None:
    async with lines(valkey, limit_bytes=50_000) as line:
        line.phone.taking.clear()
        for number in range(20):
            line.outbox.release(
                audio(number, 2400), Released(turn=1, entry=f"1-{number + 1}"), turn=1, audio=bytes(4800), after=nothing
            )
        assert [type(error) for error in line.lost] == [ClientTooSlow]
        line.phone.taking.set()
        await line.emptied()


async def test_the_queue_is_bounded(valkey: Valkey) -> None:
    async with lines(valkey, limit_bytes=10**9) as line:
        line.phone.taking.clear()
        for number in range(MAX_WAITING_ITEMS + 1):
            line.outbox.tell(ReceivedSamples(samples=number), journaled=False)
        assert [type(error) for error in line.lost] == [ClientTooSlow]
        assert not [item for item in line.outbox._waiting if not item.dropped]


async def test_a_socket_that_is_gone_loses_nothing_of_the_journal(valkey: Valkey) -> None:
    heard: list[str] = []
    async with lines(valkey) as line:
        line.phone.gone = True
        line.outbox.tell(final(1))
        line.outbox.release(text(1), Released(turn=1, entry="1-1"), turn=1, after=lambda: heard.append("text"))
        line.outbox.record(Closed(record=record(1)), after=lambda: heard.append("closed"))
        await line.emptied()
        journaled = await line.journaled()
    assert [type(error) for error in line.lost] == [RuntimeError]
    assert [type(message) for message in journaled] == [Told, Released, Closed]
    assert heard == ["closed"], "what was not sent of a reply was not heard"


async def test_who_lost_the_session_stops(valkey: Valkey) -> None:
    async with lines(valkey) as line:
        await Journal.own(line.bus, SESSION, gateway="other")
        line.outbox.tell(final(1))
        with pytest.raises(Fenced):
            await line.emptied()
    assert not line.phone.taken


async def test_a_journal_that_redis_lost_is_begun_anew_and_nobody_misses_an_event(valkey: Valkey) -> None:
    async with lines(valkey) as line:
        first = asyncio.Event()
        line.outbox.record(Told(event=b"{}"), final(1), after=first.set)
        await first.wait()
        valkey.flush()
        line.outbox.tell(final(2))
        line.outbox.tell(final(3))
        await line.emptied()
        journaled = await line.journaled()
    events = [json.loads(item) for item in line.phone.taken]
    assert [event["turn"] for event in events] == [1, 2, 3]
    numbers = [(event["epoch"], event["event"]) for event in events]
    assert numbers == sorted(numbers) and numbers[0][0] < numbers[1][0] == numbers[2][0]
    assert [type(message) for message in journaled] == [SessionOpened, Told, Told]


async def test_what_was_made_while_nobody_was_there_counts_as_sent_to_whoever_comes_back(valkey: Valkey) -> None:
    sent: list[str] = []
    again = Phone()
    async with lines(valkey) as line:
        line.outbox.detach(line.phone)
        line.outbox.tell(ReceivedSamples(samples=1), journaled=False)
        line.outbox.release(text(1), Released(turn=1, entry="1-1"), turn=1, after=lambda: sent.append("text"))
        line.outbox.record(Closed(record=record(1)), after=lambda: sent.append("closed"))
        while "closed" not in sent:  # noqa: ASYNC110 - a list sets no event
            await asyncio.sleep(0.01)
        assert sent == ["closed"]
        await line.arrive(again, ("what it missed", b"and its sound"))
        assert sent == ["closed", "text"]
        line.outbox.tell(final(2))
        await line.emptied()
    assert line.phone.taken == []
    assert again.taken[:2] == ["what it missed", b"and its sound"] and len(again.taken) == 3


async def test_what_a_barge_in_took_back_never_counts_as_sent(valkey: Valkey) -> None:
    sent: list[str] = []
    async with lines(valkey) as line:
        line.outbox.detach(line.phone)
        line.outbox.release(text(1), Released(turn=1, entry="1-1"), turn=1, after=lambda: sent.append("text"))
        line.outbox.record(Closed(record=record(1)), after=lambda: sent.append("closed"))
        while "closed" not in sent:  # noqa: ASYNC110 - a list sets no event
            await asyncio.sleep(0.01)
        line.outbox.drop_reply(1)
        await line.arrive(Phone())
        await line.emptied()
    assert sent == ["closed"]


async def test_a_newer_client_takes_the_place_of_one_that_takes_nothing(valkey: Valkey) -> None:
    newer = Phone()
    async with lines(valkey, send_seconds=0.5) as line:
        line.phone.taking.clear()
        line.outbox.tell(final(1))
        while not line.outbox._in_hand:  # noqa: ASYNC110 - the very tick after it took it
            await asyncio.sleep(0)
        await line.arrive(newer)
        line.outbox.tell(final(2))
        await line.emptied()
    assert [json.loads(item)["turn"] for item in newer.taken] == [2]
    assert not line.lost, "the old one's silence is nothing to the new one"


async def test_a_client_that_is_gone_before_it_was_told_all_may_come_again(valkey: Valkey) -> None:
    gone, again = Phone(), Phone()
    gone.gone = True
    async with lines(valkey) as line:
        line.outbox.attach(Arrival(gone, _one_thing, nothing))
        while not line.lost:  # noqa: ASYNC110 - a list sets no event
            await asyncio.sleep(0.01)
        await line.arrive(again)
        line.outbox.tell(final(1))
        await line.emptied()
    assert again.kinds() == ["transcript.final"]


async def _one_thing() -> AsyncIterator[tuple[str, bytes]]:
    yield "something", b""


async def test_who_is_slow_to_come_in_is_cut_off_like_anybody(valkey: Valkey) -> None:
    """What is told meanwhile waits, and must not wait without bound."""
    async with lines(valkey) as line:
        line.outbox.detach(line.phone)
        slow, told = Phone(), [("{}", b"")] * 3
        slow.taking.clear()
        arriving = asyncio.create_task(line.arrive(slow, *told))
        await asyncio.sleep(0)
        for number in range(MAX_WAITING_ITEMS + 1):
            line.outbox.tell(SpeechBegan(turn=number, sample=0))
        assert [type(error) for error in line.lost] == [ClientTooSlow]
        slow.taking.set()
        arriving.cancel()
        await line.emptied()
    assert len(slow.taken) <= 1, "nothing is said to a client that was given up"
