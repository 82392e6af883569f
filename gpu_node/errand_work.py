"""What a node does for an errand, kind by kind: hear a recording, speak a text, ask its LLM, look at a picture.

Each is an async generator of the result's bytes. Steps of an engine wait behind everything that a conversation wants.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpu_node.engines import LanguageModel, Looker, ReplyRequest
from gpu_node.engines.chain import FallbackChain
from gpu_node.errors import EngineError, ErrandRefused
from gpu_node.fixed_answer import sentences_to_say
from gpu_node.outgoing import Sound
from gpu_node.threads import Priority
from gpu_node.transcript import IncrementalTranscript
from streaming.audio import MICROPHONE_RATE
from streaming.messages import ErrandKind, ErrandOpened, ReplyContext

if TYPE_CHECKING:
    from gpu_node.pipeline import Engines

MAX_SPEECH_SECONDS = 60
MAX_PICTURE_BYTES = 1024 * 1024
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp"})
MAX_SPOKEN_CHARACTERS = 2_000
MAX_PROMPT_CHARACTERS = 32_000
MAX_WRITTEN_CHARACTERS = 16_000
"""An LLM that will not stop is stopped here."""
ANSWERS_ONLY_PEOPLE = frozenset({"reflective"})
"""Engines that answer whatever they are told with a kind word: of no use for anything but talk."""


@dataclass
class Made:
    """Who made the result; known once it is under way."""

    source: str = ""


Pieces = AsyncGenerator[bytes, None]
Work = Callable[["Engines", ErrandOpened, bytes, Made], Pieces]


async def transcribe(engines: Engines, errand: ErrandOpened, material: bytes, made: Made) -> Pieces:
    if len(material) > 2 * MICROPHONE_RATE * MAX_SPEECH_SECONDS:
        raise ErrandRefused("too_large", f"more than {MAX_SPEECH_SECONDS} s")
    if len(material) % 2:
        raise ErrandRefused("bad_errand", "half a sample")
    made.source = engines.stt.name
    transcript = IncrementalTranscript(errand.language, trim_seconds=2.0 * MAX_SPEECH_SECONDS)
    transcript.add(0, material)
    request = transcript.request()
    steps = engines.stt.transcribe(request.audio, language=errand.language, final=True)
    async with engines.queue.run(steps, Priority.ERRAND) as work:
        async for hypothesis in work:
            yield b"" if hypothesis is None else transcript.final(request, hypothesis).text.encode()


async def speak(engines: Engines, errand: ErrandOpened, material: bytes, made: Made) -> Pieces:
    if not errand.text.strip() or not 8_000 <= errand.rate <= 48_000 or not 0.5 <= errand.speed <= 2.0:
        raise ErrandRefused("bad_errand", "nothing to say, or no such rate or speed")
    if len(errand.text) > MAX_SPOKEN_CHARACTERS:
        raise ErrandRefused("too_large", f"more than {MAX_SPOKEN_CHARACTERS} characters")
    voice = engines.tts.get(errand.language)
    if voice is None:
        raise ErrandRefused("unable", f"no voice for {errand.language}")
    made.source = voice.name
    sound = Sound(voice.sample_rate, errand.rate, 1.0)
    for sentence in sentences_to_say(errand.text, "", errand.language):
        steps = voice.synthesize(sentence.text, language=errand.language, voice=errand.voice, speed=errand.speed)
        async with engines.queue.run(steps, Priority.ERRAND) as work:
            async for samples in work:
                yield b"".join(sound.add(samples))
    yield b"".join(sound.finish())


async def ask(engines: Engines, errand: ErrandOpened, material: bytes, made: Made) -> Pieces:
    if not errand.text.strip() or not errand.instructions.strip():
        raise ErrandRefused("bad_errand", "no question, or no instructions")
    if len(errand.text) + len(errand.instructions) > MAX_PROMPT_CHARACTERS:
        raise ErrandRefused("too_large", f"more than {MAX_PROMPT_CHARACTERS} characters")
    written = 0
    context = ReplyContext(language=errand.language, outside_services=errand.outside_services)
    request = ReplyRequest(transcript=errand.text, context=context, instructions=errand.instructions)
    if engines.llm.outside and not errand.outside_services:
        raise ErrandRefused("unable", "every language model here is outside, which was not agreed to")
    async with aclosing(engines.llm.stream(request)) as tokens:
        async for token in tokens:
            if token.source in ANSWERS_ONLY_PEOPLE:
                wait = _throttled_seconds(engines.llm, outside=errand.outside_services)
                raise ErrandRefused("unable", "no language model answers here now", retry_after_seconds=wait)
            made.source = token.source
            written += len(token.text)
            if written > MAX_WRITTEN_CHARACTERS:
                raise ErrandRefused("too_large", f"the answer is longer than {MAX_WRITTEN_CHARACTERS} characters")
            yield token.text.encode()


def _throttled_seconds(llm: LanguageModel, *, outside: bool) -> float:
    return llm.throttled_seconds(outside=outside) if isinstance(llm, FallbackChain) else 0.0


async def look(engines: Engines, errand: ErrandOpened, material: bytes, made: Made) -> Pieces:
    if errand.content_type not in PICTURES or not material or not errand.text.strip():
        raise ErrandRefused("bad_errand", "no picture, or no question")
    if len(material) > MAX_PICTURE_BYTES:
        raise ErrandRefused("too_large", f"more than {MAX_PICTURE_BYTES} bytes")
    looker: Looker | None = engines.looker
    if looker is None:
        raise ErrandRefused("unable", "nothing here looks at pictures")
    if looker.outside and not errand.outside_services:
        raise ErrandRefused("unable", "what looks at pictures here is outside, which was not agreed to")
    made.source = looker.name
    seen = ""
    async with aclosing(looker.look(material, errand.content_type, errand.text)) as pieces:
        async for piece in pieces:
            seen += piece
            if len(seen) > MAX_WRITTEN_CHARACTERS:
                raise ErrandRefused("too_large", f"the answer is longer than {MAX_WRITTEN_CHARACTERS} characters")
            yield b""
    try:
        yield json.dumps(json.loads(seen), ensure_ascii=False).encode()
    except ValueError:
        raise EngineError(f"{looker.name} did not answer in JSON") from None


WORKS: dict[ErrandKind, Work] = {"transcribe": transcribe, "speak": speak, "ask": ask, "look": look}
"""An empty piece says only that the work goes on."""
