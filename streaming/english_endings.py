"""English: what cannot end a sentence holds; a full stop after anything else closes.

An English sentence does not say by its last word that it is over, but many words say that it is not: an article wants
its noun, a preposition its object, a conjunction its clause, an auxiliary its verb. Some of them do end questions and
short answers ("Where are you from?", "Yes, I was."): a question mark overrules them, and an answer closes.

The classes of words are those of Quirk et al. 1985, "A Comprehensive Grammar of the English Language", chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from streaming.ending import Ending

FILLERS = frozenset("um uh uhm er erm ah hmm hm mm like".split())
"""Hesitations. Alone "uh" and "mm" are that too; "mm-hm" is a yes and stands below."""

FILLER_PHRASES = (
    *("you know", "i mean", "let me see", "let me think", "what was it", "how do you say", "whats the word"),
    *("what do you call it", "sort of", "kind of", "and so on and"),
)

HOLDING = frozenset(
    (
        # conjunctions and relatives
        "and or but because cause if when while where that which who whose whom although though unless until since as "
        "than whether nor so then well also "
        # prepositions; up, down, back, away, over and out end a phrase as often, and are left out
        "of to at by for from with without into onto about between during before after against through under toward "
        "towards beside behind among across near in on upon like "
        # articles, possessives, determiners
        "a an the my your his our its their every these those some any no another each such whose both "
        # degree
        "very really quite too rather almost just only even more most not never always "
        # auxiliaries
        "is are was were am be been being have has had having do does did will would can could shall should may might "
        "must going gonna wanna "
        # subjects, alone and with their verb
        "i he she we they im ive ill id hes shes weve were theyre theyve youre its thats theres lets dont didnt doesnt "
        "wasnt isnt cant couldnt wouldnt wont"
    ).split()
)

CLOSING = frozenset(
    "yes yeah yep yup no nope okay ok right sure thanks goodbye bye exactly please hello absolutely mmhm uhhuh".split()
)
CLOSING_PHRASES = (
    *("thank you", "thats all", "thats it", "thats right", "i think so", "i dont know", "of course", "all right"),
    *("i do", "i did", "i was", "i am", "i have", "i can", "we did", "we were", "it was", "it is", "he was", "she was"),
    *("they were", "they did", "he did", "she did", "i dont", "i didnt", "i cant", "mm hm", "uh huh"),
    *("i dont think so", "not really", "not yet", "me too", "never mind", "the end", "no more"),
)
"""Answers. Those that end in an auxiliary are whole only as a whole answer: "Yes, I was." but not "when I was"."""

SHORT_ANSWER_WORDS = 5


def english_ending(words: Sequence[str], *, hangs: bool, stopped: bool) -> Ending:
    """How an utterance of these normalised words ends. `hangs`, `stopped`: what the mark after them says."""
    said = " ".join(words)
    last = words[-1]
    if last in FILLERS or any(_ends(said, phrase) for phrase in FILLER_PHRASES):
        return Ending.FILLER
    if any(_ends(said, phrase) for phrase in CLOSING_PHRASES) and (last not in HOLDING or _is_answer(words)):
        return Ending.CLOSES
    if last in HOLDING or hangs:
        return Ending.HOLDS
    return Ending.CLOSES if stopped or last in CLOSING else Ending.OPEN


def _is_answer(words: Sequence[str]) -> bool:
    return len(words) == 2 or (len(words) <= SHORT_ANSWER_WORDS and words[0] in CLOSING)


def _ends(said: str, phrase: str) -> bool:
    return said == phrase or said.endswith(" " + phrase)
