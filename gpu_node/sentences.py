"""Cuts a stream of tokens into sentences that can be spoken, each as early as is right.

The first thing said is what a person waits for, so the first sentence of a reply may be cut at a clause; later ones are
whole. Every decision looks at most one word ahead and is never taken back, so the sentences are the same however the
text was split into pieces; only their earliness differs. What is cut here is both spoken and shown as caption.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gpu_node.speakable import LINE_BREAK, SpeakableWords
from streaming.messages import Language

MAX_CHARACTERS: dict[Language, int] = {"ko": 90, "en": 240}
"""XTTS reads at most 95 Korean and 250 English characters at once; other voices lose their breath there too."""
MIN_SENTENCE: dict[Language, int] = {"ko": 3, "en": 4}
"""Syllables or letters; less ("네.", "Oh!") joins what follows, for voices misread a lone syllable."""
MIN_FIRST_CLAUSE: dict[Language, int] = {"ko": 8, "en": 16}
"""Syllables or letters before the first thing said may end at a clause: about a second and a half of speech, which is
what the voice needs to have the next one ready."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is spoken, and shown as caption, in one go; `index` counts from 0 in the reply."""

    text: str
    index: int


class SentenceCutter:
    """Token text in, sentences out. One per reply. `barks`: a bark in it is spoken."""

    def __init__(self, language: Language, *, barks: bool = True) -> None:
        self._language: Language = language
        self._speakable = SpeakableWords(barks=barks)
        self._words: list[str] = []
        self._emitted = 0

    def feed(self, piece: str) -> list[Sentence]:
        """The sentences that `piece` completes."""
        self._take_in(self._speakable.feed(piece))
        return self._cut(final=False)

    def finish(self) -> list[Sentence]:
        """The sentences that were still waiting to see how the text goes on. Nothing may be fed afterwards."""
        self._take_in(self._speakable.finish())
        return self._cut(final=True)

    def _take_in(self, words: list[str]) -> None:
        limit = MAX_CHARACTERS[self._language]
        for word in words:
            self._words += [word[at : at + limit] for at in range(0, len(word), limit)]

    def _cut(self, *, final: bool) -> list[Sentence]:
        cut: list[Sentence] = []
        while self._words:
            count = self._next_cut(final)
            if count is None:
                break
            text = _as_spoken(self._words[:count])
            del self._words[:count]
            if text:
                cut.append(Sentence(text, self._emitted))
                self._emitted += 1
        return cut

    def _next_cut(self, final: bool) -> int | None:
        """How many of the waiting words make the next sentence; None while that may still change."""
        words, language = self._words, self._language
        length = -1
        for index, word in enumerate(words):
            if word == LINE_BREAK:
                return index + 1
            length += 1 + len(word)
            if length > MAX_CHARACTERS[language]:
                return self._best_place(index)
            is_last = index + 1 == len(words)
            following = None if is_last and not final else "" if is_last else words[index + 1].strip(LINE_BREAK)
            ends = self._ends_here(words[: index + 1], following)
            if ends is None:
                return None
            if ends:
                return index + 1
        return len(words) if final else None

    def _ends_here(self, words: list[str], following: str | None) -> bool | None:
        """Whether a sentence (or the first clause) ends after `words`; None: that depends on the next word."""
        if following == "":
            return True
        spoken = weight(words, self._language)
        if is_quoting(words):
            return False
        if spoken >= MIN_SENTENCE[self._language]:
            ends = ends_sentence(words[-1], following, self._language)
            if ends is not False:
                return ends
        if self._emitted == 0 and spoken >= MIN_FIRST_CLAUSE[self._language]:
            return ends_clause(words[-1], following, self._language)
        return False

    def _best_place(self, count: int) -> int:
        """Where to cut the first `count` words, which together are as long as a sentence may be."""
        words = self._words
        for index in range(count, 1, -1):
            enough = len(" ".join(words[:index])) * 3 >= MAX_CHARACTERS[self._language]
            if enough and ends_clause(words[index - 1], words[index], self._language):
                return index
        return count


# --- the rules, word by word -----------------------------------------------------------------------------------------

_CLOSERS = "\"')]"
_KO_QUOTING = re.compile(r"(?:하고|하며|하면서|라고|이라고|라며|라는|이라는|란|하는|하던|했|하셨|라|고)(?![가-힣]{4})")
_KO_FINAL = ("요", "다", "죠", "까", "네", "군", "오", "자", "래", "지")
_TITLES = frozenset("mr mrs ms dr prof st gen col sgt capt lt rev hon mt ft no fig vol vs e.g i.e approx".split())
_SHORTENED = frozenset("etc jr sr inc co ltd corp dept est jan feb mar apr jun jul aug sep sept oct nov dec".split())
_AFTER_DATE = re.compile(r"(?:에|에는|에도|까지|부터|이후|이전)(?![가-힣])")
"""What goes on after a date written "2024. 3. 5."."""
_DOTTED = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")


def ends_sentence(word: str, following: str | None, language: Language) -> bool | None:
    """Whether `word` ends a sentence when `following` comes next ("" is the end, None is not known yet)."""
    core = word.rstrip(_CLOSERS)
    quoted = core != word
    if not core or core[-1] not in ".!?…":
        return False
    if quoted and following is None:
        return None
    if quoted and following and (_KO_QUOTING.match(following) or following[0].islower()):
        return False
    if core[-1] in "!?":
        return True
    stem = core.rstrip(".…")
    if core[-1] == "…":
        return _ends_after_ellipsis(stem, following, language)
    return _ends_after_stop(stem.strip("\"'(["), following)


def is_whole(text: str, language: Language) -> bool:
    """Whether `text`, with which a reply broke off, ends as a sentence does."""
    return ends_sentence(text.rpartition(" ")[2], "", language) is not False


def _ends_after_ellipsis(stem: str, following: str | None, language: Language) -> bool | None:
    """ "좋았어요…" may end a sentence; "그…" looks for its next word."""
    if stem and "가" <= stem[-1] <= "힣":
        return len(stem) >= 2 and stem.endswith(_KO_FINAL)
    if language == "ko":
        return False
    return None if following is None else following[:1].isupper() and not following.startswith(("I ", "I'"))


def _ends_after_stop(stem: str, following: str | None) -> bool | None:
    lowered = stem.lower()
    if not stem or lowered in _TITLES:
        return False
    if stem[-1].isdigit():
        return None if following is None else not (following[:1].isdigit() or _AFTER_DATE.match(following))
    if _DOTTED.fullmatch(stem) or lowered in _SHORTENED:
        return None if following is None else not (following[:1].islower() or following[:1].isdigit())
    is_initial = len(stem) == 1 and stem.isascii() and stem.isupper() and stem != "I"
    return not is_initial


_NOT_CLAUSES = re.compile(
    r"(?:^|[^가-힣])(?:하지만|그렇지만|그런데|근데|그러니까|그리고|그래서|그러면|그러면서|가운데|군데"
    r"|라면|냉면|장면|화면|반면|수면"
    r"|최고|창고|사고|광고|신고|참고|보고|자고|두고|되고|안고|말고|어서|그저께서)$"
)
_QUOTATIVE = re.compile(r"(?:[다라냐자]고|[라다]는데도)$")
_KO_CONNECTIVE = re.compile(
    r"(?:고|지만|니까|[은는던인]데|[한큰간온본산된운]데|(?:으|하|가|오|보|되|나|다|시|지|리|이)면|면서"
    r"|으며|하며|다가|더니|려고|느라고?)$"
)
_KO_SEO = re.compile(r"[^에께테로부해]서$|해서$")
_GO_AUXILIARY = re.compile(r"싶|있|계|나서|나니|나면|말[았겠아]|하[시는려]|해|했|들[었어]|보니|는\b|가[시세]")
_OPEN_A_VOWELS = frozenset("ㅏㅐㅓㅔㅕㅘㅙㅝ")
_MEDIALS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"


def ends_clause(word: str, following: str | None, language: Language) -> bool | None:
    """Whether a breath may be taken after `word`: a comma, a semicolon, or a Korean connective ending."""
    core = word.rstrip(_CLOSERS)
    if core.endswith((",", ";", ":")):
        if core[-2:-1].isdigit():
            return None if following is None else not following[:1].isdigit()
        return True
    if language != "ko" or core != word or not _is_connective(word):
        return False
    if following is None:
        return None
    return not (word.endswith(("고", "려고")) and _GO_AUXILIARY.match(following))


def _is_connective(word: str) -> bool:
    if len(word) < 2 or word in ("하고", "라고", "이라고") or _NOT_CLAUSES.search(word) or _QUOTATIVE.search(word):
        return False
    if _KO_SEO.search(word):
        return _is_infinitive_syllable(word[-2])
    return _KO_CONNECTIVE.search(word) is not None


def _is_infinitive_syllable(syllable: str) -> bool:
    """The syllable before -서 in 가서, 해서, 먹어서: open, with a vowel that -아/-어 leaves. 순서 is not."""
    code = ord(syllable) - 0xAC00
    return 0 <= code < 11172 and code % 28 == 0 and _MEDIALS[code % 588 // 28] in _OPEN_A_VOWELS


def is_quoting(words: list[str]) -> bool:
    """Whether a quotation mark or a bracket opened in `words` has not been closed."""
    text = " ".join(words)
    return text.count('"') % 2 == 1 or text.count("(") > text.count(")")


def weight(words: list[str], language: Language) -> int:
    """How much there is to say: Korean syllables (a digit or Latin letter is about one), English letters."""
    text = "".join(words)
    return sum(character.isalnum() for character in text) if language == "en" else _syllables(text)


def _syllables(text: str) -> int:
    return sum("가" <= c <= "힣" or c.isdigit() for c in text) + sum(c.isascii() and c.isalpha() for c in text) // 2


def _as_spoken(words: list[str]) -> str:
    text = " ".join(word for word in words if word != LINE_BREAK).lstrip(",.;:!?…) ")
    return text if any(character.isalnum() for character in text) else ""
