"""How English words sound, in the phonemes of Kokoro (American English as misaki writes it).

A word is looked up in misaki's two dictionaries (gold: checked, silver: derived), then taken apart (walks,
walked, Kim's), then spelled letter by letter if it is written in capitals, then guessed from its letters. The
guess is a plain list of spelling rules: names that no dictionary has (Boksil) come out close, not right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

Dictionary = Mapping[str, str | Mapping[str, str | None]]
"""Word to phonemes, or to phonemes by part of speech with a DEFAULT."""

STRESS = "ˈˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻᵊ")
"""A, I, O, W, Y are misaki's signs for the diphthongs of day, my, go, how, boy."""

WEAK = {"a": "ɐ", "an": "ɐn", "and": "ænd", "i": "ˌI", "o": "ˈO"}
AFTER_THESE_A_VERB = frozenset(
    "to i you we they who will would can could shall should must may might did do does don't didn't let's and".split()
)
AFTER_THESE_A_PARTICIPLE = frozenset("have has had i've you've we've they've was were been be is are".split())

RULES: tuple[tuple[str, str], ...] = (
    # Longest first within a letter; (letters, phonemes). An entry with ^ or $ holds at the word's edge only.
    ("tion$", "ʃən"),
    ("sion$", "ʒən"),
    ("ture$", "ʧəɹ"),
    ("ough", "O"),
    ("augh", "ɔ"),
    ("eigh", "A"),
    ("igh", "I"),
    ("tch", "ʧ"),
    ("sch", "sk"),
    ("^kn", "n"),
    ("^wr", "ɹ"),
    ("^wh", "w"),
    ("^ps", "s"),
    ("ck", "k"),
    ("ch", "ʧ"),
    ("sh", "ʃ"),
    ("th", "θ"),
    ("ph", "f"),
    ("gh", "ɡ"),
    ("ng", "ŋ"),
    ("qu", "kw"),
    ("ee", "i"),
    ("ea", "i"),
    ("oo", "u"),
    ("ou", "W"),
    ("ow", "O"),
    ("oa", "O"),
    ("oi", "Y"),
    ("oy", "Y"),
    ("ai", "A"),
    ("ay", "A"),
    ("au", "ɔ"),
    ("aw", "ɔ"),
    ("ew", "u"),
    ("ue$", "u"),
    ("ie$", "i"),
    ("ey$", "i"),
    ("ae", "A"),
    ("eo", "ʌ"),
    ("eu", "u"),
    ("er", "əɹ"),
    ("ir", "ɜɹ"),
    ("ur", "ɜɹ"),
    ("ar", "ɑɹ"),
    ("or", "ɔɹ"),
    ("ce", "s"),
    ("ci", "sɪ"),
    ("cy", "si"),
    ("ge$", "ʤ"),
    ("x", "ks"),
    ("a$", "ə"),
    ("e$", ""),
    ("i$", "i"),
    ("o", "O"),
    ("u$", "u"),
    ("y$", "i"),
    ("^y", "j"),
    ("a", "æ"),
    ("e", "ɛ"),
    ("i", "ɪ"),
    ("u", "ʌ"),
    ("y", "i"),
    ("c", "k"),
    ("g", "ɡ"),
    ("j", "ʤ"),
    ("q", "k"),
    ("r", "ɹ"),
)


def load(folder: Path) -> EnglishPronunciation:
    """Read the dictionaries of `gpu_node.weights`' model `english-dictionary` (6 MB of JSON, about 0.2 s)."""
    gold, silver = (
        cast(Dictionary, json.loads((folder / name).read_text(encoding="utf-8")))
        for name in ("us_gold.json", "us_silver.json")
    )
    return EnglishPronunciation(gold, silver)


class EnglishPronunciation:
    """Spoken English text (`gpu_node.english_text.spoken`) to phonemes."""

    def __init__(self, gold: Dictionary, silver: Dictionary) -> None:
        self._gold = gold
        self._silver = silver

    def phonemes(self, text: str) -> str:
        """Words and pauses in, phonemes and the same pauses out; each is a token of Kokoro's vocabulary."""
        tokens = re.findall(r"[A-Za-z]+(?:'[A-Za-z]+)*'?|[,.!?…]+", text)
        spoken: list[str] = []
        after = ""  # what follows: the choice of the/to hangs on its first sound
        for index in reversed(range(len(tokens))):
            token = tokens[index]
            if not token[0].isalpha():
                spoken.append(token[0])
                after = ""
                continue
            before = tokens[index - 1].lower() if index else ""
            following = tokens[index + 1].lower() if index + 1 < len(tokens) else ""
            after = self._in_context(token, before, following, after)
            spoken.append(after)
        # misaki's own last step for this model: the flap is T, the glottal stop a plain t.
        joined = " ".join(reversed(spoken)).replace("ɾ", "T").replace("ʔ", "t")
        return re.sub(r" ([,.!?…])", r"\1", joined)

    def word(self, word: str) -> str:
        """One word alone, without its context."""
        return self._known(word, "DEFAULT") or self._spelled_out(word) or guess(word.lower())

    def _in_context(self, word: str, before: str, following: str, after: str) -> str:
        small = word.lower()
        vowel = bool(after) and after.lstrip(STRESS)[:1] in VOWELS
        if small == "the":
            return "ði" if vowel else "ðə"
        if small == "to" and after:
            return "tʊ" if vowel else "tə"
        if small in WEAK and (word == small or word == "I" or small != "o" and not word.isupper()):
            return WEAK[small]
        if small == "a":
            return "ɐ" if after else "ˈA"
        if small == "used" and following == "to":
            return "jˈust"
        part = "VERB" if before in AFTER_THESE_A_VERB else "VBN" if before in AFTER_THESE_A_PARTICIPLE else "DEFAULT"
        return self._known(word, part) or self._spelled_out(word) or guess(small)

    def _known(self, word: str, part: str) -> str | None:
        found = self._looked_up(word, part)
        if found is None:
            found = self._inflected(word.lower().strip("'"), part)
        return found

    def _looked_up(self, word: str, part: str) -> str | None:
        small = word.lower()
        # Capitals that are also a word (IT, US) are read as the word only if they are no entry of their own.
        for form in dict.fromkeys((word, small, small.capitalize())):
            for dictionary in (self._gold, self._silver):
                entry = dictionary.get(form)
                if isinstance(entry, str):
                    return entry
                if entry is not None and (chosen := entry.get(part) or entry.get("DEFAULT")):
                    return chosen
        return None

    def _inflected(self, word: str, part: str) -> str | None:
        for ending, stems, join in (
            ("'s", ("",), _with_s),
            ("ies", ("y",), _with_s),
            ("s", ("",), _with_s),
            ("es", ("",), _with_s),
            ("ied", ("y",), _with_ed),
            ("ed", ("e", ""), _with_ed),
            ("ing", ("e", ""), lambda stem: stem + "ɪŋ"),
            ("in'", ("e", ""), lambda stem: stem + "ɪn"),
            ("er", ("e", ""), lambda stem: stem + "əɹ"),
            ("est", ("e", ""), lambda stem: stem + "əst"),
            ("ly", ("", "le"), lambda stem: stem + "li"),
            ("less", ("",), lambda stem: stem + "ləs"),
            ("ness", ("",), lambda stem: stem + "nəs"),
            ("ful", ("",), lambda stem: stem + "fəl"),
        ):
            if not word.endswith(ending) or len(word) - len(ending) < 2:
                continue
            root = word[: -len(ending)]
            candidates = [root + stem for stem in stems]
            if root[-1:] == root[-2:-1]:
                candidates.append(root[:-1])  # stopped, running
            for candidate in candidates:
                if (stem_sound := self._looked_up(candidate, part)) is not None:
                    return join(stem_sound)
        return None

    def _spelled_out(self, word: str) -> str | None:
        """KBS and the like: the letters' names, the stress on the last. None for a word that is not all capitals."""
        letters = word.removesuffix("'s")
        if not (letters.isupper() and letters.isalpha() and len(letters) <= 5):
            return None
        names = [self._looked_up(letter, "DEFAULT") or guess(letter.lower()) for letter in letters]
        weak = "".join(name.replace("ˈ", "ˌ") for name in names[:-1]) + names[-1]
        return _with_s(weak) if word.endswith("'s") else weak


def _with_s(stem: str) -> str:
    if stem[-1] in "ptkfθ":
        return stem + "s"
    return stem + ("ᵻz" if stem[-1] in "szʃʒʧʤ" else "z")


def _with_ed(stem: str) -> str:
    if stem[-1] in "td":
        return stem + "ᵻd"
    return stem + ("t" if stem[-1] in "pkfθʃsʧ" else "d")


def guess(word: str) -> str:
    """Phonemes from spelling alone, the stress on the first vowel."""
    sounds: list[str] = []
    place = 0
    while place < len(word):
        letters, sound = _rule_at(word, place)
        doubled = place and word[place] == word[place - 1] and letters == word[place] and sound not in ("", "i")
        if not (doubled and sound[-1] not in VOWELS):
            sounds.append(sound)
        place += len(letters)
    joined = "".join(sounds)
    for index, character in enumerate(joined):
        if character in VOWELS:
            return joined[:index] + "ˈ" + joined[index:]
    return joined


def _rule_at(word: str, place: int) -> tuple[str, str]:
    for spelling, sound in RULES:
        letters = spelling.strip("^$")
        if not word.startswith(letters, place):
            continue
        if spelling[0] == "^" and place or spelling[-1] == "$" and place + len(letters) != len(word):
            continue
        return letters, sound
    return word[place], word[place] if word[place].isalpha() else ""
