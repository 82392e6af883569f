"""What is looked for first is in every text that the pattern is found in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from silvertalk.distress_calls import Call
from silvertalk.distress_korean import DESPAIRS, EMERGENCIES
from silvertalk.korean_sounds import sounds
from silvertalk.needed_sounds import needed


def rows(*words: str) -> frozenset[str]:
    return frozenset(sounds(word).sounds for word in words)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("살려줘", ("살려줘",)),
        ("살려(줘|주세요)?", ("살려",)),
        ("(너무|좀)*살려", ("살려",)),
        ("(너무|좀)+살려", ("살려",)),
        ("(너무|진짜|좀){0,3}", ()),
        ("(나|내).{0,9}없어지는", ("없어지는",)),
        ("(물|불)(이|도)?났", ("물났", "불났", "물이났", "불이났", "물도났", "불도났")),
        ("물(이)?|불났다", ("물", "불났다")),
        ("물|(불)?", ()),
        ("막혀", ("막혀", "마켜")),
        (".{0,9}", ()),
    ],
)
def test_the_rarest_part_is_needed(pattern: str, words: tuple[str, ...]) -> None:
    assert needed(pattern) == rows(*words)


@pytest.mark.parametrize("pattern", ["[물불]났", "(?:물|불)났", "물\\b"])
def test_what_it_cannot_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="not a pattern"):
        needed(pattern)


@pytest.mark.parametrize("call", [*EMERGENCIES, *DESPAIRS], ids=lambda call: call.pattern.pattern[:40])
def test_every_call_for_help_has_what_it_needs(call: Call) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.from_regex(call.pattern, fullmatch=True))
    def holds(said: str) -> None:
        assert call.is_in(said)

    assert call.needed, "it is looked for in everything that anybody says"
    holds()
