"""The small protocols behind which every engine stands.

STT and TTS engines are synchronous generators, pulled one step at a time by `gpu_node.threads.EngineQueue` on an engine
thread and closed on that same thread; the longest single step bounds how fast a cancelled turn frees its engine. LLM
engines wait on a socket (or bridge a thread) and are therefore async generators: cancelling the task that awaits one is
what closes its upstream connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from streaming.messages import Language, ReplyContext

Samples = npt.NDArray[np.float32]
"""Mono audio in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class Word:
    """One whitespace unit (for Korean: an 어절), with its place in seconds from the start of the audio given."""

    text: str
    start_seconds: float
    end_seconds: float
    probability: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What one pass heard. `segment_ends_seconds`: where the model itself closed a segment."""

    words: tuple[Word, ...]
    language: Language
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    segment_ends_seconds: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


class SpeechToText(Protocol):
    """Speech to words."""

    name: str

    def warm_up(self) -> None:
        """Run once at real shapes, so that the first turn pays no first-call cost."""
        ...

    def transcribe(self, audio: Samples, *, language: Language, final: bool) -> Iterator[Hypothesis | None]:
        """Hear `audio` (16 kHz). Yields None after each step that is not the last, then the Hypothesis."""
        ...


class TextToSpeech(Protocol):
    """Words to speech."""

    name: str
    sample_rate: int
    languages: frozenset[Language]

    def warm_up(self) -> None: ...

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        """Speak one sentence; each item is the next stretch of audio at `sample_rate`."""
        ...


class TurnEnd(Protocol):
    """Speech to how finished it sounds."""

    name: str

    def warm_up(self) -> None: ...

    def score(self, audio: Samples) -> float:
        """How much `audio` (16 kHz, the last seconds of an utterance with the first of the silence after it) sounds as
        if the person had finished: 0 to 1. One step, below 100 ms."""
        ...


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What came of a tool: `result`, a JSON object. Where `say` is set there is nothing to go on with: it is the rest
    of the reply, and its source is `say_as`. `last`: no further tool is carried out for this reply."""

    result: str
    say: str = ""
    say_as: str = ""
    last: bool = False


ToolCall = Callable[[str, str], Awaitable[ToolAnswer]]
"""Has a tool of `streaming.tools` carried out, by its name and its arguments as a JSON object. Never fails, and takes a
bounded time."""


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What an LLM is asked: the finished utterance, and what the gateway lets it know. `released` was said already.

    `instructions` stand in place of 복실이's own, where it is not 복실이 who is asked. `call_tool` carries out the
    tools that the context names; an engine that cannot ask for any leaves it alone.
    """

    transcript: str
    context: ReplyContext
    released: str = ""
    instructions: str = ""
    call_tool: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the reply's text and the engine that wrote it."""

    text: str
    source: str


class LanguageModel(Protocol):
    """An utterance to a reply, streamed. `outside`: what it is asked leaves the operator's own machines."""

    @property
    def name(self) -> str: ...

    @property
    def outside(self) -> bool: ...

    async def warm_up(self) -> None: ...

    def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        """Raises gpu_node.errors.LlmError subclasses, which say whether another engine may be tried."""
        ...

    async def aclose(self) -> None: ...


class Looker(Protocol):
    """A picture and a question to JSON. `outside`: as a LanguageModel's."""

    @property
    def name(self) -> str: ...

    @property
    def outside(self) -> bool: ...

    def look(self, picture: bytes, content_type: str, question: str) -> AsyncGenerator[str, None]:
        """The answer's JSON, a piece at a time. Raises gpu_node.errors.LlmError subclasses."""
        ...
