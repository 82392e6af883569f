"""A voice for people who chose none."""

from __future__ import annotations

from collections.abc import Iterator

from gpu_node.engines import Samples, TextToSpeech
from streaming.messages import Language


class HouseVoice:
    """Another engine, asked for the house's voice where the person has none of their own."""

    def __init__(self, engine: TextToSpeech, voice: str) -> None:
        self.name = engine.name
        self.sample_rate = engine.sample_rate
        self.languages = engine.languages
        self._engine = engine
        self._voice = voice

    def warm_up(self) -> None:
        self._engine.warm_up()

    def synthesize(self, text: str, *, language: Language, voice: str, speed: float) -> Iterator[Samples]:
        return self._engine.synthesize(text, language=language, voice=voice or self._voice, speed=speed)
