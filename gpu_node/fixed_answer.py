"""An answer that the gateway has written: what of it is still to be said, sentence by sentence. Pure."""

from __future__ import annotations

from gpu_node.sentences import Sentence, SentenceCutter
from streaming.messages import Language


def sentences_to_say(text: str, released: str, language: Language) -> list[Sentence]:
    """`text` cut as any reply is, less what was said of it already; all of it where `released` is something else."""
    sentences = _cut(text, language)
    whole = " ".join(sentence.text for sentence in sentences)
    said = " ".join(released.split())
    if not said or not whole.startswith(said):
        return sentences
    return _cut(whole[len(said) :], language)


def _cut(text: str, language: Language) -> list[Sentence]:
    cutter = SentenceCutter(language)
    return [*cutter.feed(text), *cutter.finish()]
