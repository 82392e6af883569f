"""How many speculative replies a node begins: by a clock of the test's own."""

from __future__ import annotations

import pytest

from gpu_node.speculation import Speculations


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("per_minute", "at_once"), [(60, 15), (8, 2), (1, 1)])
def test_a_minute_allows_what_it_should(per_minute: int, at_once: int) -> None:
    clock = Clock()
    bucket = Speculations(per_minute, clock=clock)
    taken = [bucket.declined() for _ in range(at_once + 1)]
    assert taken == [""] * at_once + ["too_many"]
    allowed = 0
    for _ in range(600):
        clock.now += 0.1
        allowed += not bucket.declined()
    assert per_minute - 1 <= allowed <= per_minute
    clock.now += 3600
    assert [bucket.declined() for _ in range(at_once + 1)] == [""] * at_once + ["too_many"], "an hour saves nothing up"


def test_none_where_none_are_wanted() -> None:
    assert Speculations(0, is_busy=lambda: True).declined() == "off"


def test_what_is_declined_since_others_wait_is_not_counted() -> None:
    busy = True
    bucket = Speculations(1, is_busy=lambda: busy, clock=Clock())
    assert [bucket.declined() for _ in range(3)] == ["busy"] * 3
    busy = False
    assert bucket.declined() == ""
