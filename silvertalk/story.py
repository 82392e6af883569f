"""What a memory video tells, slide by slide, as its row keeps it: written once, then spoken and shown as it stands
here.

Each sentence names the turns that it comes from, so that whoever doubts it can look there.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from streaming.messages import Language

VERSION = 1


class Sentence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sentence that is heard and read."""

    text: str
    turns: tuple[int, ...] = ()
    """Where it was said; empty for what only leads from one to the next, or follows from a photo."""
    quoted: bool = False
    """The person's own words."""
    own_voice: bool = False
    """Heard in the person's own voice: the recording of its one turn."""

    @property
    def shown(self) -> str:
        """As a subtitle has it. Of a recording the film itself shows whose words they are."""
        return f"“{self.text}”" if self.quoted and not self.own_voice else self.text


class StorySlide(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    photo: str
    """A photo's id."""
    sentences: tuple[Sentence, ...] = ()
    clip: str = ""
    """The generation that sets it in motion; empty where there is none."""


class Story(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`source`: the engine that wrote it, or "words" where it is made of the person's own."""

    version: int = VERSION
    language: Language = "ko"
    source: str = "words"
    title: str
    subtitle: str = ""
    slides: tuple[StorySlide, ...]

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(sentence for slide in self.slides for sentence in slide.sentences)

    @property
    def has_own_voice(self) -> bool:
        return any(sentence.own_voice for sentence in self.sentences)

    def as_kept(self) -> dict[str, Any]:
        """As `videos.story` has it."""
        kept: dict[str, Any] = json.loads(msgspec.json.encode(self))
        return kept


def story_of(kept: object) -> Story | None:
    """What was kept; None where nothing was written, or by another version."""
    try:
        story = msgspec.convert(kept, Story)
    except msgspec.ValidationError:
        return None
    return story if story.version == VERSION else None
