"""A node's engines for the bench: each as fast as a case says, and each with the coded voice for its ears or mouth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from gpu_node.engines import Hypothesis, ReplyRequest, Samples, Token, Word
from gpu_node.engines.scripted import STEP_MS, ScriptedLlm
from streaming.messages import Language
from tests.conversations.coded_voice import PUPPYS, Syllable, hear, speak, words_of

STT_RATE = 16_000
SURE_LOGPROB, MUMBLED_LOGPROB = -0.2, -1.1
"""Below -1.2 a node believes nothing; between, what was said is asked about."""
SURE_PROBABILITY, MUMBLED_PROBABILITY = 0.9, 0.4
UNHEARD_FINALITY = 0.5
"""Of a sound without words."""
PUPPY_PITCH_HZ = 110.0


@dataclass(frozen=True)
class Pace:
    """How fast a node is. Times in ms; `rtf`: what a second of speech costs."""

    pass_ms: float = 20.0
    first_token_ms: float = 10.0
    tokens_per_second: float = 400.0
    rtf: float = 0.02
    score_ms: float = 10.0
    scores: bool = True
    """Whether there is an end-of-turn model at all."""
    filler_after_ms: int = 0
    """Silence after the endpoint that is filled; 0: none is."""
    speculations_per_minute: int = 600


class CodedStt:
    """Hears what the coded voice says, and no more of it than is in the audio it is given."""

    name = "coded"

    def __init__(self, pace: Pace) -> None:
        self._pass_seconds = pace.pass_ms / 1000

    def warm_up(self) -> None:
        return

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        remaining = self._pass_seconds
        while remaining > STEP_MS / 1000:
            time.sleep(STEP_MS / 1000)
            remaining -= STEP_MS / 1000
            yield None
        time.sleep(max(0.0, remaining))
        words = tuple(map(_word, words_of(hear(audio))))
        mumbled = bool(words) and min(word.probability for word in words) < SURE_PROBABILITY
        yield Hypothesis(
            words=words,
            language=language,
            avg_logprob=MUMBLED_LOGPROB if mumbled else SURE_LOGPROB,
            no_speech_prob=0.0 if words else 1.0,
            compression_ratio=1.0,
            segment_ends_seconds=(words[-1].end_seconds,) if words else (),
        )


def _word(syllables: Sequence[Syllable]) -> Word:
    return Word(
        "".join(syllable.letter for syllable in syllables),
        syllables[0].start / STT_RATE,
        syllables[-1].end / STT_RATE,
        MUMBLED_PROBABILITY if any(syllable.mumbled for syllable in syllables) else SURE_PROBABILITY,
    )


def finality_of(audio: Samples) -> float:
    """How finished the last syllable sounds: what it says of itself."""
    syllables = hear(audio)
    return syllables[-1].finality if syllables else UNHEARD_FINALITY


class CodedTts:
    """Speaks with the coded voice, so that its echo has words."""

    name = "coded"
    sample_rate = STT_RATE
    languages: frozenset[Language] = frozenset({"ko", "en"})

    def __init__(self, pace: Pace) -> None:
        self._rtf = pace.rtf

    def warm_up(self) -> None:
        return

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        sound = speak(text, finality=1.0, pitch_hz=PUPPY_PITCH_HZ, speed=speed, vowels_of=PUPPYS)
        for start in range(0, len(sound), STT_RATE // 5):
            chunk = sound[start : start + STT_RATE // 5]
            time.sleep(len(chunk) / STT_RATE * self._rtf)
            yield chunk


class CaseLlm:
    """Answers the n-th exchange with the n-th of a case's replies, or the last of them, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, pace: Pace, replies: Sequence[str], first_token_ms: Sequence[float] = ()) -> None:
        """`first_token_ms`: per reply, where it differs from the node's pace."""
        self._engines = [
            ScriptedLlm(
                [reply],
                first_token_ms=first_token_ms[place] if place < len(first_token_ms) else pace.first_token_ms,
                tokens_per_second=pace.tokens_per_second,
            )
            for place, reply in enumerate(replies)
        ]
        self.outside = False
        self.asked: list[ReplyRequest] = []
        self.cancelled = 0

    async def warm_up(self) -> None:
        return

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        self.asked.append(request)
        exchanges = sum(line.role == "assistant" for line in request.context.history)
        engine = self._engines[min(exchanges, len(self._engines) - 1)]
        try:
            async with aclosing(engine.stream(request)) as tokens:
                async for token in tokens:
                    yield token
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def aclose(self) -> None:
        return
