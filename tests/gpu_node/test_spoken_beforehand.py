"""What is said without any engine: the apology where there is no reply, and the fillers that are kept ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator

import numpy as np
import pytest

from gpu_node.engines import ReplyRequest, Samples, Token
from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from gpu_node.engines.specification import LANGUAGES
from gpu_node.errors import EngineError, LlmUnavailable
from gpu_node.sentences import SentenceCutter
from gpu_node.speaking import Mouth
from gpu_node.spoken_beforehand import APOLOGIES, FILLERS, speak_beforehand
from gpu_node.threads import EngineQueue
from streaming.messages import APOLOGY, Language, Message, ReplyAudio, ReplyContext, ReplyDone, ReplyText, StartReply

RATE = 16_000


class Broken(ScriptedTts):
    """A voice that is gone after so many chunks of a sentence."""

    def __init__(self, *, chunks: int = 0) -> None:
        super().__init__(rtf=0)
        self._chunks = chunks

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        for number, chunk in enumerate(super().synthesize(text, language=language, voice=voice, speed=speed)):
            if number == self._chunks:
                raise EngineError("the voice is gone")
            yield chunk


class NoLlm(ScriptedLlm):
    """No language model answers."""

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        raise LlmUnavailable("503")
        yield


async def said(
    llm: ScriptedLlm, tts: ScriptedTts, *, language: Language = "ko", released: str = ""
) -> tuple[list[Message], ScriptedTts]:
    """What a mouth with these engines sends, and the voice that had spoken the apology when all was well."""
    sent: list[Message] = []
    sound = ScriptedTts(rtf=0, ms_per_character=20)
    start = StartReply(attempt=1, reply=1, end_sample=0, context=ReplyContext(language=language), released=released)
    async with EngineQueue("engine") as queue:
        ready = await speak_beforehand(sound, language, queue, fillers=False)
        mouth = Mouth(start, llm, tts, queue, rate=RATE, ahead_seconds=1e9, send=sent.append, apology=ready.apology)
        async with asyncio.timeout(30):
            await mouth.reply("안녕하세요")
    return sent, sound


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("broken", ["llm", "tts"])
async def test_a_reply_that_cannot_be_made_is_apologised_for_aloud(language: Language, broken: str) -> None:
    llm = NoLlm() if broken == "llm" else ScriptedLlm(first_token_ms=0)
    sent, sound = await said(llm, Broken() if broken == "tts" else ScriptedTts(rtf=0), language=language)
    texts = [message for message in sent if isinstance(message, ReplyText)]
    audio = [message for message in sent if isinstance(message, ReplyAudio)]
    assert tuple(text.text for text in texts) == APOLOGIES[language]
    assert {text.source for text in texts} == {APOLOGY}
    expected = sum(sound.samples_of(text) for text in APOLOGIES[language]) * RATE / sound.sample_rate
    assert abs(sum(len(each.pcm) // 2 for each in audio) - expected) < 0.02 * RATE
    [done] = [message for message in sent if isinstance(message, ReplyDone)]
    assert (done.reason, done.source, sent[-1]) == ("failed", APOLOGY, done)


async def test_who_heard_part_of_a_reply_hears_no_apology() -> None:
    sent, _ = await said(ScriptedLlm(first_token_ms=0), Broken(chunks=3))
    assert APOLOGY not in {message.source for message in sent if isinstance(message, ReplyText)}
    assert isinstance(sent[-1], ReplyDone) and sent[-1].reason == "completed"


async def test_who_heard_part_of_it_from_another_node_hears_no_apology() -> None:
    sent, _ = await said(NoLlm(), ScriptedTts(rtf=0), released="그러셨군요.")
    assert [type(message) for message in sent] == [ReplyDone]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_is_one_that_a_voice_is_given_whole(language: Language) -> None:
    for texts in (APOLOGIES[language], *((filler,) for filler in FILLERS[language])):
        cutter = SentenceCutter(language)
        cut = [*cutter.feed(" ".join(texts)), *cutter.finish()]
        assert " ".join(sentence.text for sentence in cut) == " ".join(texts)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_turn_has_another_filler_and_none_where_none_are_wanted(language: Language) -> None:
    voice = ScriptedTts(rtf=0)
    async with EngineQueue("engine") as queue:
        ready = await speak_beforehand(voice, language, queue, fillers=True)
        without = await speak_beforehand(voice, language, queue, fillers=False)
    texts = [filler.sentences[0][0] for turn in range(4) if (filler := ready.filler(turn)) is not None]
    assert texts == [*FILLERS[language], FILLERS[language][0]]
    for filler, text in zip(ready.fillers, FILLERS[language], strict=True):
        assert round(filler.seconds * voice.sample_rate) == pytest.approx(voice.samples_of(text), abs=1)
    assert without.filler(1) is None


async def test_the_silence_after_a_filler_is_not_kept() -> None:
    class Pausing(ScriptedTts):
        def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
            yield from super().synthesize(text, language=language, voice=voice, speed=speed)
            yield np.zeros(self.sample_rate, dtype=np.float32)

    async with EngineQueue("engine") as queue:
        ready = await speak_beforehand(Pausing(rtf=0), "ko", queue, fillers=True)
        plain = await speak_beforehand(ScriptedTts(rtf=0), "ko", queue, fillers=True)
    assert [filler.seconds for filler in ready.fillers] == [filler.seconds for filler in plain.fillers]
    assert ready.apology.seconds == plain.apology.seconds + len(APOLOGIES["ko"])
