"""One reply: what leaves the mouth, in which order, and what becomes of it when an engine breaks or nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from gpu_node.engines import LanguageModel, ReplyRequest, Samples, TextToSpeech, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from gpu_node.errors import EngineError, LlmError, LlmInterrupted, LlmUnavailable
from gpu_node.outgoing import Outgoing
from gpu_node.speaking import MAX_REPLY_SECONDS, Mouth
from gpu_node.threads import EngineQueue, Priority
from streaming.messages import Language, Message, ReplyAudio, ReplyContext, ReplyDone, ReplyText, StartReply

RATE = 24_000
REPLY = "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요? 저도 같이 가고 싶어요."
START = StartReply(attempt=2, reply=1, end_sample=0, context=ReplyContext(language="ko"))


class Llm(ScriptedLlm):
    """Says `REPLY`, a word a token; after `breaks_after` of them it raises `error`, or says nothing more for ever."""

    def __init__(self, *, breaks_after: int | None = None, error: Exception | None = None) -> None:
        super().__init__([REPLY], first_token_ms=0, tokens_per_second=10_000)
        self._breaks_after, self._error = breaks_after, error
        self.closed = asyncio.Event()

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        told = 0
        try:
            async for token in super().stream(request):
                if told == self._breaks_after:
                    if self._error is not None:
                        raise self._error
                    await asyncio.Event().wait()
                told += 1
                yield token
        finally:
            self.closed.set()


class EndlessLlm(Llm):
    """Never stops."""

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield Token("그래서 이렇게 말씀드리고 싶었어요. ", self.name)
        finally:
            self.closed.set()


class Tts(ScriptedTts):
    """A voice that breaks at its `breaks_at`-th sentence, and notes what was taken from it."""

    def __init__(self, *, breaks_at: int | None = None, ms_per_character: float = 100, chunk_ms: float = 200) -> None:
        super().__init__(rtf=0, ms_per_character=ms_per_character, chunk_ms=chunk_ms)
        self._breaks_at = breaks_at
        self.sentences: list[str] = []
        self.steps = 0
        self.closed = 0

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        self.sentences.append(text)
        if len(self.sentences) == self._breaks_at:
            raise EngineError("the voice is gone")
        try:
            for chunk in super().synthesize(text, language=language, voice=voice, speed=speed):
                self.steps += 1
                yield chunk
        finally:
            self.closed += 1


class Speaking:
    """A mouth and what it has sent."""

    def __init__(self, llm: LanguageModel, tts: TextToSpeech, queue: EngineQueue, ahead_seconds: float) -> None:
        self.sent: list[Message] = []
        self.queue = queue
        self._engines = llm, tts, queue
        self._ahead_seconds = ahead_seconds

    def mouth(self, start: StartReply) -> Mouth:
        return Mouth(start, *self._engines, rate=RATE, ahead_seconds=self._ahead_seconds, send=self.sent.append)

    async def reply(self, start: StartReply = START) -> None:
        async with asyncio.timeout(30):
            await self.mouth(start).reply("안녕하세요")

    def texts(self) -> list[str]:
        return [message.text for message in self.sent if isinstance(message, ReplyText)]

    def audio(self) -> list[ReplyAudio]:
        return [message for message in self.sent if isinstance(message, ReplyAudio)]

    def samples(self) -> int:
        return sum(len(audio.pcm) // 2 for audio in self.audio())

    @property
    def done(self) -> ReplyDone:
        assert isinstance(self.sent[-1], ReplyDone)
        assert sum(isinstance(message, ReplyDone) for message in self.sent) == 1
        return self.sent[-1]


@asynccontextmanager
async def speaking(llm: LanguageModel, tts: TextToSpeech, *, ahead_seconds: float = 1e9) -> AsyncIterator[Speaking]:
    async with EngineQueue("engine") as queue:
        yield Speaking(llm, tts, queue, ahead_seconds)


async def test_each_sentence_comes_before_its_audio_and_all_of_it_is_said() -> None:
    async with speaking(Llm(), Tts()) as said:
        await said.reply()
    assert " ".join(said.texts()) == REPLY
    current, position = -1, 0
    for message in said.sent[:-1]:
        assert isinstance(message, ReplyText | ReplyAudio)
        assert (message.attempt, message.reply) == (2, 1)
        if isinstance(message, ReplyText):
            assert message.sentence == current + 1 and message.source == "scripted"
            current = message.sentence
        else:
            assert (message.sentence, message.first_sample) == (current, position)
            position += len(message.pcm) // 2
            assert len(message.pcm) // 2 <= 0.2 * RATE
    assert said.done.reason == "completed" and said.done.source == "scripted"
    assert {"first_token", "first_sentence", "first_audio", "done"} <= said.done.timings_ms.keys()


async def test_a_voice_of_another_rate_is_resampled_whole() -> None:
    voice = ScriptedTts(rtf=0, sample_rate=16_000)
    async with speaking(Llm(), voice) as said:
        await said.reply()
    expected = sum(voice.samples_of(text) for text in said.texts()) * RATE / 16_000
    assert abs(said.samples() - expected) < 0.01 * RATE


@pytest.mark.parametrize("error", [LlmUnavailable("503"), RuntimeError("nobody has foreseen this")])
async def test_an_llm_that_fails_before_a_word_makes_no_reply(error: Exception) -> None:
    llm = Llm(breaks_after=0, error=error)
    async with speaking(llm, Tts()) as said:
        if isinstance(error, LlmError):
            await said.reply()
            assert said.done.reason == "failed" and "llm_unavailable" in said.done.detail
        else:
            with pytest.raises(RuntimeError):
                await said.reply()
    assert not said.texts() and llm.closed.is_set()


async def test_an_llm_that_fails_after_a_sentence_makes_a_shorter_reply() -> None:
    llm = Llm(breaks_after=6, error=LlmInterrupted("gone"))
    async with speaking(llm, Tts()) as said:
        await said.reply()
    assert said.texts() and REPLY.startswith(" ".join(said.texts()).rstrip("."))
    assert said.done.reason == "completed" and "llm_interrupted" in said.done.detail
    assert said.samples()


async def test_half_a_sentence_with_which_an_llm_broke_off_is_not_said() -> None:
    words = REPLY.split()
    whole = next(place for place, word in enumerate(words, start=1) if word.endswith((".", "?")))
    async with speaking(Llm(breaks_after=whole + 2, error=LlmInterrupted("gone")), Tts()) as said:
        await said.reply()
    assert " ".join(said.texts()) == " ".join(words[:whole]) and said.done.reason == "completed"
    async with speaking(Llm(breaks_after=2, error=LlmInterrupted("gone")), Tts()) as said:
        await said.reply()
    assert not said.texts() and said.done.reason == "failed", "there is an apology for that"


async def test_a_voice_that_fails_at_once_makes_no_reply() -> None:
    llm = Llm()
    async with speaking(llm, Tts(breaks_at=1)) as said:
        await said.reply()
    assert said.done.reason == "failed" and "engine_failed" in said.done.detail
    assert llm.closed.is_set()


async def test_a_voice_that_fails_later_makes_a_shorter_reply() -> None:
    async with speaking(Llm(), Tts(breaks_at=2)) as said:
        await said.reply()
    assert said.done.reason == "completed"
    assert {audio.sentence for audio in said.audio()} == {0}


async def test_an_llm_that_says_nothing_makes_no_reply() -> None:
    async with speaking(ScriptedLlm([" "], first_token_ms=0), Tts()) as said:
        await said.reply()
    assert said.done.reason == "failed" and not said.texts()


async def test_cancelling_frees_an_llm_that_hangs() -> None:
    llm = Llm(breaks_after=2)
    async with speaking(llm, Tts()) as said:
        replying = asyncio.create_task(said.reply())
        await asyncio.sleep(0.05)
        replying.cancel()
        await asyncio.wait([replying])
        assert replying.cancelled()
        assert llm.closed.is_set()
    assert not [message for message in said.sent if isinstance(message, ReplyDone)]


async def test_cancelling_frees_the_voice_for_the_next() -> None:
    llm, voice = Llm(), Tts(ms_per_character=10_000)
    async with speaking(llm, voice, ahead_seconds=0.5) as said:
        replying = asyncio.create_task(said.reply())
        async with asyncio.timeout(20):
            while not said.audio():  # noqa: ASYNC110 - made on the engine's thread
                await asyncio.sleep(0.002)
        replying.cancel()
        await asyncio.wait([replying])
        steps = voice.steps
        async with asyncio.timeout(20):
            assert await said.queue.call(lambda: "free", Priority.LATER_CLAUSE) == "free"
        assert voice.closed == 1 and voice.steps == steps
    assert llm.closed.is_set()


async def test_speech_is_not_made_far_ahead_of_its_playing() -> None:
    """One sentence of half an hour: the mouth waits within it, too."""
    voice = Tts(ms_per_character=100_000)
    async with speaking(Llm(), voice, ahead_seconds=1.0) as said:
        replying = asyncio.create_task(said.reply())
        async with asyncio.timeout(20):
            while said.samples() < RATE:  # noqa: ASYNC110 - made on the engine's thread
                await asyncio.sleep(0.002)
        for _ in range(20):
            await asyncio.sleep(0)
        assert said.samples() <= 3 * RATE, "one second ahead, one piece, and what this machine took for it"
        replying.cancel()
        await asyncio.wait([replying])
    assert voice.steps < 30


async def test_an_llm_that_never_stops_is_stopped() -> None:
    llm, voice = EndlessLlm(), Tts(ms_per_character=5_000, chunk_ms=5_000)
    async with speaking(llm, voice) as said:
        await said.reply()
    assert llm.closed.is_set()
    assert MAX_REPLY_SECONDS * RATE < said.samples() < 3 * MAX_REPLY_SECONDS * RATE
    assert said.done.reason == "completed"


async def test_what_was_said_already_is_not_said_again() -> None:
    released = "그러셨군요, 참 좋은 날이었겠어요."
    again = StartReply(attempt=3, reply=1, end_sample=0, context=ReplyContext(language="ko"), released=released)
    async with speaking(Llm(), Tts()) as said:
        await said.reply(again)
    assert f"{released} {' '.join(said.texts())}" == REPLY
    assert said.done.attempt == 3


async def test_a_held_reply_begins_to_play_when_it_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it was held, no more is made ahead of its playing than of any other."""
    now = 1000.0
    monkeypatch.setattr("gpu_node.outgoing.time", SimpleNamespace(monotonic=lambda: now))
    start = msgspec.structs.replace(START, speculative=True)
    sent: list[Message] = []
    out = Outgoing(start, rate=RATE, ahead_seconds=1.0, send=sent.append)
    out.announce("그러셨군요.", "scripted")
    sound = out.sound(RATE)
    await out.send(sound.add(np.zeros(RATE, dtype=np.float32)))
    sending = asyncio.create_task(out.send(sound.add(np.zeros(2 * RATE, dtype=np.float32))))
    await ticks()
    assert out.seconds_sent == pytest.approx(1.2), "one second ahead and one piece, though nobody listens"
    now += 60
    out.confirm()
    await ticks()
    assert out.seconds_sent == pytest.approx(1.2), "it begins to play just now"
    sending.cancel()
    await asyncio.wait([sending])


async def test_after_a_gap_no_more_is_made_ahead_than_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool took long, the player ran dry: it plays on from here, and has not been playing all the while."""
    now = 1000.0
    monkeypatch.setattr("gpu_node.outgoing.time", SimpleNamespace(monotonic=lambda: now))
    out = Outgoing(START, rate=RATE, ahead_seconds=1.0, send=lambda message: None)
    out.announce("잠시만요.", "scripted")
    sound = out.sound(RATE)
    await out.send(sound.add(np.zeros(RATE, dtype=np.float32)))
    now += 60
    sending = asyncio.create_task(out.send(sound.add(np.zeros(20 * RATE, dtype=np.float32))))
    await ticks()
    assert out.seconds_sent == pytest.approx(2.2, abs=0.21), "what was played, one second ahead, and one piece"
    sending.cancel()
    await asyncio.wait([sending])


async def ticks() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("loudness", "peak"), [(1.0, 0.3), (2.0, 0.6), (9.0, 0.743)])
async def test_speech_is_as_loud_as_somebody_wants_it(loudness: float, peak: float) -> None:
    context = ReplyContext(language="ko", loudness=loudness)
    async with speaking(Llm(), Tts()) as said:
        await said.reply(msgspec.structs.replace(START, context=context))
    pcm = np.frombuffer(b"".join(audio.pcm for audio in said.audio()), dtype="<i2")
    assert np.abs(pcm).max() / 32768 == pytest.approx(peak, abs=0.01)
    assert len(pcm) == said.samples() > RATE
