"""Engines that say what they were told, at the speed they were told: for tests where a model's speed would be noise.

What they make is real: the words have times inside the audio, the speech is a tone whose length is the text's. The
synchronous ones sleep on the engine's thread, as a model would work there.
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

import numpy as np

from gpu_node.engines import Hypothesis, ReplyRequest, Samples, Token, Word
from streaming.messages import Language

STT_RATE = 16_000
STEP_MS = 50.0
"""A pass sleeps in steps of this length, so that it can be given up between two of them."""

REPLIES: dict[Language, tuple[str, ...]] = {
    "ko": (
        "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요?",
        "말씀만 들어도 마음이 따뜻해져요. 그 시절에는 어떤 노래를 들으셨어요?",
        "오래 기억에 남으셨겠어요. 그다음에는 어디로 가셨어요?",
    ),
    "en": (
        "That sounds like a lovely day. Who was there with you?",
        "It warms my heart to hear it. What songs did you listen to then?",
        "No wonder you still remember it. Where did you go after that?",
    ),
}
WORDS: dict[Language, tuple[str, ...]] = {
    "ko": tuple("어제는 오랜만에 손주랑 바닷가에 갔는데 바람이 시원해서 아주 좋았어요".split()),
    "en": tuple("yesterday i went to the seaside with my grandson and the wind was cool and pleasant".split()),
}

TextOfAudio = Callable[[Samples, Language], Sequence[Word]]


class ScriptedLlm:
    """Answers the n-th exchange of a conversation with the n-th reply, one word a token.

    `first_token_ms` after the request the first token comes, then `tokens_per_second`. Of a reply that was begun
    elsewhere (`released`) only the rest is said.
    """

    def __init__(
        self,
        replies: Sequence[str] | None = None,
        *,
        first_token_ms: float = 150.0,
        tokens_per_second: float = 40.0,
        name: str = "scripted",
        outside: bool = False,
    ) -> None:
        if tokens_per_second <= 0:
            raise ValueError("scripted:tokens_per_second takes a number above 0")
        self.name = name
        self.outside = outside
        self._replies = tuple(replies) if replies else None
        self._first_token_seconds = first_token_ms / 1000
        self._token_seconds = 1 / tokens_per_second

    async def warm_up(self) -> None:
        return

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._first_token_seconds
        for word in re.findall(r"\S+\s*", self._text(request)):
            await asyncio.sleep(max(0.0, due - loop.time()))  # by the clock, so that late wake-ups do not add up
            due += self._token_seconds
            yield Token(word, self.name)

    async def aclose(self) -> None:
        return

    def _text(self, request: ReplyRequest) -> str:
        replies = self._replies or REPLIES[request.context.language]
        exchanges = sum(utterance.role == "assistant" for utterance in request.context.history)
        return replies[exchanges % len(replies)].removeprefix(request.released).lstrip()


class ScriptedStt:
    """Hears a fixed list of words, as many as the audio is long: `words_per_second`, over and over.

    Deterministic, and a longer audio only adds words, so that hypotheses agree as they grow. It knows no more than the
    audio it is given: an utterance whose beginning was cut away is heard from the first word again. A test that needs
    more gives `text_of_audio`. From `abort_seconds` of audio on it takes the process down, as a fault in a model's
    native library would.
    """

    def __init__(
        self,
        words: Sequence[str] | None = None,
        *,
        pass_ms: float = 100.0,
        words_per_second: float = 2.5,
        abort_seconds: float = 0.0,
        warm_up_ms: float = 0.0,
        text_of_audio: TextOfAudio | None = None,
        name: str = "scripted",
    ) -> None:
        """`pass_ms`: how long one pass takes, however long the audio. `abort_seconds`: 0 for never. `warm_up_ms`: one
        step, as where a model is loaded."""
        self.name = name
        self._words = tuple(words) if words else None
        self._pass_seconds = pass_ms / 1000
        self._words_per_second = words_per_second
        self._abort_seconds = abort_seconds
        self._warm_up_seconds = warm_up_ms / 1000
        self._text_of_audio = text_of_audio or self._words_of

    def warm_up(self) -> None:
        time.sleep(self._warm_up_seconds)

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        if 0 < self._abort_seconds <= len(audio) / STT_RATE:
            _abort()
        remaining = self._pass_seconds
        while remaining > STEP_MS / 1000:
            time.sleep(STEP_MS / 1000)
            remaining -= STEP_MS / 1000
            yield None
        time.sleep(max(0.0, remaining))
        words = tuple(self._text_of_audio(audio, language))
        yield Hypothesis(
            words=words,
            language=language,
            avg_logprob=-0.2,
            no_speech_prob=0.0 if words else 1.0,
            compression_ratio=1.0,
            segment_ends_seconds=(words[-1].end_seconds,) if words else (),
        )

    def _words_of(self, audio: Samples, language: Language) -> list[Word]:
        words = self._words or WORDS[language]
        length = 1 / self._words_per_second
        heard = int(len(audio) / STT_RATE * self._words_per_second)
        return [
            Word(words[place % len(words)], place * length, (place + 1) * length, probability=0.9)
            for place in range(heard)
        ]


def _abort() -> None:
    """End the process as a native library's failed assertion does, but for the memory image."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.abort()


class ScriptedTurnEnd:
    """Finds every utterance as finished as it was told: `probability`, or what `of_audio` makes of it."""

    def __init__(
        self,
        *,
        probability: float = 0.9,
        ms: float = 20.0,
        of_audio: Callable[[Samples], float] | None = None,
        name: str = "scripted",
    ) -> None:
        """`ms`: how long a score takes."""
        if not 0 <= probability <= 1:
            raise ValueError("scripted:probability takes a number from 0 to 1")
        self.name = name
        self._probability = probability
        self._seconds = ms / 1000
        self._of_audio = of_audio

    def warm_up(self) -> None:
        return

    def score(self, audio: Samples) -> float:
        time.sleep(self._seconds)
        return self._of_audio(audio) if self._of_audio is not None else self._probability


class ScriptedTts:
    """Speaks a tone, `ms_per_character` long for each letter or syllable, in `rtf` times the time it lasts."""

    languages: frozenset[Language] = frozenset({"ko", "en"})

    def __init__(
        self,
        *,
        rtf: float = 0.1,
        chunk_ms: float = 200.0,
        ms_per_character: float = 120.0,
        sample_rate: int = 24_000,
        name: str = "scripted",
    ) -> None:
        if chunk_ms <= 0:
            raise ValueError("scripted:chunk_ms takes a number above 0")
        self.name = name
        self.sample_rate = sample_rate
        self._rtf = rtf
        self._chunk_samples = max(1, int(chunk_ms * sample_rate / 1000))
        self._ms_per_character = ms_per_character

    def warm_up(self) -> None:
        return

    def samples_of(self, text: str, *, speed: float = 1.0) -> int:
        """How long `text` will be spoken: spaces and punctuation take no time."""
        characters = sum(character.isalnum() for character in text)
        return int(characters * self._ms_per_character * self.sample_rate / 1000 / speed)

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        total = self.samples_of(text, speed=speed)
        for start in range(0, total, self._chunk_samples):
            places = np.arange(start, min(start + self._chunk_samples, total))
            time.sleep(len(places) / self.sample_rate * self._rtf)
            # 220 Hz, counted from the sentence's first sample: the chunks join without a click.
            yield (0.3 * np.sin(2 * np.pi * 220.0 / self.sample_rate * places)).astype(np.float32)
