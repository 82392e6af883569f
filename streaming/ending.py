"""The few ways in which the words of an utterance may end."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """What the last words say of what follows."""

    CLOSES = "closes"
    """A whole sentence, or a word that is one: "갔어요", "네", "That's all"."""
    ASKS = "asks"
    """A whole question: somebody waits for an answer."""
    TRAILS = "trails"
    """Whole, in a form that stories go on from: "했거든요", "갔는데요"."""
    HOLDS = "holds"
    """Cannot end here: "갔는데", "바다에서", "because"."""
    FILLER = "filler"
    """Somebody looks for a word: "그…", "뭐냐", "um"."""
    OPEN = "open"
    """Nothing known: a noun, an ending that is not in the tables, no words at all."""
