"""How the words of an utterance end: has somebody finished, or only drawn breath?

Korean says it with the end of its last word. A verb in a final ending (-요, -다, -죠, -까) closes the sentence; a
connective (-고, -는데, -아서, -면), a modifier (-는, -던) or a particle (-은, -을, -에서) promises more. What goes both
ways (-거든요, -는데요, -잖아요) trails: the sentence is over, the story often is not. English keeps its verbs inside:
there it is the words that cannot end a sentence (and, because, the, of) that tell most.

    text ──> last words ──> one of the whole words? ──> the longest ending that fits ──> with a question mark or not

An ending is written as it sounds: "ㄴ데" is any syllable with ㄴ below it and then 데 (는데, 은데, 한데), since words
are compared letter by letter (NFD). The tables are in `korean_endings` and `english_endings`.

The recogniser's own punctuation was looked at in whisper-base's text of the 92 recorded Korean clips that are cut from
talks, half of them in mid-sentence. A full stop is missing from a third of the sentences that are over and stands after
a tenth of those that are not, and where the ending does not say which (three clips, all nouns) it was wrong twice: it
is not read. A question mark stood after none that go on. English has no endings to read, and there a full stop counts.
"""

from __future__ import annotations

from streaming.ending import Ending
from streaming.english_endings import english_ending
from streaming.korean_endings import korean_ending
from streaming.messages import Language
from streaming.text import normalized

__all__ = ["Ending", "ending_of"]

TRAILING_OFF = ("…", "..", ",", "-", "~", "–", "—")
"""Marks of a voice that hangs in the air."""


def ending_of(text: str, language: Language) -> Ending:
    """How `text`, all that was understood of an utterance so far, ends. Any text will do."""
    text = text.strip()
    words = normalized(text).split()
    if not words:
        return Ending.OPEN
    hangs = text.endswith(TRAILING_OFF)
    if language == "ko":
        found = korean_ending(words, hangs=hangs)
    else:
        found = english_ending(words, hangs=hangs, stopped=text.endswith((".", "!")))
    if not text.endswith("?"):
        return found
    # The melody rose. An English question may well end in a preposition; after a Korean connective it is a question
    # ("그런데?") or a breath between two clauses, and with a filler ("뭐지?") one asks oneself.
    if language == "ko" and found in (Ending.HOLDS, Ending.FILLER):
        return Ending.OPEN if found is Ending.HOLDS else found
    return Ending.ASKS
