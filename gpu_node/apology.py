"""What 복실이 says where a turn cannot be answered.

Who cannot read a screen has to hear that something went wrong. It is said when an engine has just broken, or when none
may be touched, so it is spoken while the node warms up and kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpu_node.engines import Samples, TextToSpeech
from gpu_node.threads import EngineQueue, Priority
from streaming.messages import Language

APOLOGIES: dict[Language, tuple[str, ...]] = {
    "ko": ("죄송해요, 제가 잘 못 알아들었어요.", "한 번만 다시 말씀해 주시겠어요?"),
    "en": ("I'm sorry, I didn't quite catch that.", "Could you tell me once more, please?"),
}
"""Sentence by sentence. The fault is never the person's, and what they are asked for is all that they can do."""


@dataclass(frozen=True, slots=True)
class Apology:
    """An apology that was spoken beforehand: each sentence with its sound, at `rate` Hz."""

    sentences: tuple[tuple[str, tuple[Samples, ...]], ...]
    rate: int


async def spoken_apology(tts: TextToSpeech, language: Language, queue: EngineQueue) -> Apology:
    """Have `tts` say it, in its own voice and at its own pace; raises EngineError where it cannot."""
    sentences: list[tuple[str, tuple[Samples, ...]]] = []
    for text in APOLOGIES[language]:
        steps = tts.synthesize(text, language=language, voice="", speed=1.0)
        async with queue.run(steps, Priority.FINAL) as work:
            sentences.append((text, tuple([samples async for samples in work])))
    return Apology(tuple(sentences), tts.sample_rate)
