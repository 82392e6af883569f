"""Which memories come to mind: of what is known of somebody, what belongs to the words that were just said.

Pure: facts and words in, facts out. Relevance is BM25 (Robertson and Zaragoza, 2009) over the character pairs of word
stems: Korean hangs particles and endings on its words, and recognised speech misspells them, which whole words do not
survive and pairs of syllables do. What always matters (the names of grandchildren) is in mind whatever is being said,
so importance counts as well. How far which of the two helps is measured by `python -m benchmarks.recall`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from silvertalk.plain_words import content_words, same_word

K1, B = 1.2, 0.5
"""BM25's own: how soon a repeated pair counts no more, how much a long fact is held back."""
RELEVANCE, IMPORTANCE = 1.0, 0.3
"""What each weighs: the relevance of the fact that fits best counts as 1, as importance 5 does; importance 1 as 0."""
LEAST_SHARE = 0.5
"""Beside a fact that has most of the words that are asked for, one with less than so much of that does not count."""


class Fact(NamedTuple):
    """One memory, as it is recalled. `at`: when it was last told or corrected."""

    id: str
    text: str
    category: str = "other"
    importance: int = 3
    confidence: float = 1.0
    at: datetime | None = None
    differs_from: str = ""
    """Another fact's id, which says otherwise."""
    source: str = "talk"
    session_id: str = ""
    turn_number: int | None = None


class Known:
    """Facts, by what they say: built once, asked at each turn."""

    def __init__(self, facts: Sequence[Fact]) -> None:
        self.facts = tuple(facts)
        stems = [content_words(fact.text) for fact in facts]
        self._stems = [frozenset(words) for words in stems]
        counts = [Counter(_pairs_of(words)) for words in stems]
        usual = sum(count.total() for count in counts) / max(1, len(counts)) or 1.0
        self._weights: dict[str, list[tuple[int, float]]] = {}
        """For each pair, the facts that have it, and what it is worth there: BM25's term, its idf included."""
        holding = Counter(pair for count in counts for pair in count)
        for at, count in enumerate(counts):
            held_back = K1 * (1 - B + B * count.total() / usual)
            for pair, times in count.items():
                rare = math.log(1 + (len(facts) - holding[pair] + 0.5) / (holding[pair] + 0.5))
                worth = rare * times * (K1 + 1) / (times + held_back)
                self._weights.setdefault(pair, []).append((at, worth))

    def relevant(self, words: str, limit: int = 10) -> list[Fact]:
        """The facts that the words are about, the best first; none where they are about none of them."""
        asked = set(content_words(words))
        held = [sum(any(_is_like(word, stem) for stem in stems) for word in asked) for stems in self._stems]
        most, scores = max(held, default=0), self._relevance(words)
        found = [at for at, count in enumerate(held) if count and count >= LEAST_SHARE * most]
        found.sort(key=lambda at: (-scores[at], -self.facts[at].importance, at))
        return [self.facts[at] for at in found[:limit]]

    def recalled(self, words: str, limit: int) -> list[Fact]:
        """What is in mind while these words are said: at most `limit` facts, by relevance and importance, the foremost
        first. Without words, the most important. A fact that differs from a recalled one follows it."""
        scores = self.ranking(words)
        by_id = {fact.id: fact for fact in self.facts}
        others: dict[str, list[Fact]] = {}
        for fact in self.facts:
            if (other := by_id.get(fact.differs_from)) is not None:
                others.setdefault(other.id, []).append(fact)
                others.setdefault(fact.id, []).append(other)
        chosen: dict[str, Fact] = {}
        for at in sorted(range(len(self.facts)), key=lambda at: (-scores[at], at)):
            fact = self.facts[at]
            for one in (fact, *others.get(fact.id, ())):
                if len(chosen) < limit:
                    chosen.setdefault(one.id, one)
        return list(chosen.values())

    def ranking(self, words: str, *, relevance: float = RELEVANCE, importance: float = IMPORTANCE) -> list[float]:
        """How much each fact is in mind, in the order of `facts`."""
        scores = self._relevance(words)
        best = max(scores, default=0.0) or 1.0
        return [
            relevance * score / best + importance * (fact.importance - 1) / 4
            for score, fact in zip(scores, self.facts, strict=True)
        ]

    def _relevance(self, words: str) -> list[float]:
        scores = [0.0] * len(self.facts)
        for pair in set(_pairs_of(content_words(words))):
            for at, worth in self._weights.get(pair, ()):
                scores[at] += worth
        return scores


def relevant(facts: Sequence[Fact], words: str, limit: int = 10) -> list[Fact]:
    """`Known.relevant`, of facts that are asked once."""
    return Known(facts).relevant(words, limit)


def _pairs_of(stems: Iterable[str]) -> list[str]:
    """Their character pairs, and stems of up to two characters whole."""
    found: list[str] = []
    for word in stems:
        found += [word] if len(word) < 3 else [word[at : at + 2] for at in range(len(word) - 1)]
    return found


def _is_like(word: str, stem: str) -> bool:
    """Forms that no cutting brings together (시집온, 시집오) begin alike."""
    return same_word(word, stem) or len(word) > 2 and len(stem) > 2 and not word.isascii() and word[:2] == stem[:2]
