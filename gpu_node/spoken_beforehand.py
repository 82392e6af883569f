"""What 복실이 says without any engine: spoken while the node warms up, and kept.

An apology, where a turn cannot be answered: who cannot read a screen has to hear that something went wrong, and it is
said when an engine has just broken or when none may be touched. And fillers, where a reply keeps somebody waiting:
after a second of silence people ask themselves whether they were heard at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpu_node.engines import Samples, TextToSpeech
from gpu_node.threads import EngineQueue, Priority
from streaming.messages import Language

APOLOGIES: dict[Language, tuple[str, ...]] = {
    "ko": ("죄송해요, 제가 잘 못 알아들었어요.", "한 번만 다시 말씀해 주시겠어요?"),
    "en": ("I'm sorry, I didn't quite catch that.", "Could you tell me once more, please?"),
}
"""Sentence by sentence. The fault is never the person's, and what they are asked for is all that they can do."""

FILLERS: dict[Language, tuple[str, ...]] = {
    "ko": ("음, 잠시만요.", "음, 어디 볼까요.", "음, 잠깐만요."),
    "en": ("Let me see.", "Let me think.", "One moment."),
}
"""Fit to follow anything, joy or grief: they say that it was heard and is thought about, and no more. None is a lone
"음" or has a "Hmm": Kokoro makes other words of them."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Sentences with their sound, at `rate` Hz."""

    sentences: tuple[tuple[str, tuple[Samples, ...]], ...]
    rate: int

    @property
    def seconds(self) -> float:
        return sum(len(samples) for _, sound in self.sentences for samples in sound) / self.rate


@dataclass(frozen=True, slots=True)
class SpokenBeforehand:
    """What a node has ready in one language."""

    apology: Spoken
    fillers: tuple[Spoken, ...] = ()

    def filler(self, turn: int) -> Spoken | None:
        """Another one in each turn; None where there are none."""
        return self.fillers[turn % len(self.fillers)] if self.fillers else None


async def speak_beforehand(
    tts: TextToSpeech, language: Language, queue: EngineQueue, *, fillers: bool
) -> SpokenBeforehand:
    """Have `tts` say it all, in its own voice and at its own pace; raises EngineError where it cannot."""
    return SpokenBeforehand(
        apology=await _spoken(APOLOGIES[language], tts, language, queue),
        fillers=tuple(
            [_without_pause(await _spoken((text,), tts, language, queue)) for text in FILLERS[language] if fillers]
        ),
    )


async def _spoken(texts: tuple[str, ...], tts: TextToSpeech, language: Language, queue: EngineQueue) -> Spoken:
    sentences: list[tuple[str, tuple[Samples, ...]]] = []
    for text in texts:
        steps = tts.synthesize(text, language=language, voice="", speed=1.0)
        async with queue.run(steps, Priority.FINAL) as work:
            sentences.append((text, tuple([samples async for samples in work])))
    return Spoken(tuple(sentences), tts.sample_rate)


def _without_pause(spoken: Spoken) -> Spoken:
    """What follows a filler shall not wait for the silence that a voice leaves after a sentence."""
    [(text, chunks)] = spoken.sentences
    sound = np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.float32)
    loud = np.flatnonzero(sound)
    end = loud[-1] + 1 if len(loud) else 0
    return Spoken(((text, (sound[:end],)),), spoken.rate)
