"""How often something may happen, by a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming.budget import Bucket


def test_a_burst_then_the_rate() -> None:
    bucket = Bucket(2, 3)
    assert [bucket.take(1, 100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1, 100.5) for _ in range(2)] == [True, False]
    assert [bucket.take(1, 1000.0) for _ in range(4)] == [True, True, True, False], "an hour saves nothing up"


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(1, 4)
    assert not bucket.take(5, 0.0)
    assert bucket.take(4, 0.0)


def test_what_holds_nothing_gives_nothing() -> None:
    assert not Bucket(0, 0).take(1, 0.0)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5)), max_size=30))
def test_in_no_time_is_there_more_than_the_burst_and_what_came_in_since(asked: list[tuple[float, float]]) -> None:
    bucket, now, taken = Bucket(1.5, 4), 0.0, 0.0
    for later, amount in asked:
        now += later
        taken += amount if bucket.take(amount, now) else 0
        assert taken <= 4 + 1.5 * now + 1e-6
