"""When an utterance has ended."""

from hypothesis import given
from hypothesis import strategies as st

from streaming.endpointing import EndpointDecision, Endpointing


def test_silence_ends_an_utterance_once_when_the_wait_is_over() -> None:
    endpointing = Endpointing(wait_ms=700)
    assert endpointing.due_sample() is None
    assert endpointing.decide(1_000_000) is None
    endpointing.on_pause(16_000)
    assert endpointing.due_sample() == 27_200
    assert endpointing.decide(27_199) is None
    assert endpointing.decide(27_360) == EndpointDecision(end_sample=16_000, wait_ms=710, reason="silence")
    assert endpointing.decide(40_000) is None
    assert endpointing.due_sample() is None


def test_going_on_puts_the_end_off() -> None:
    endpointing = Endpointing(wait_ms=700)
    endpointing.on_pause(16_000)
    endpointing.on_resume()
    assert endpointing.due_sample() is None
    assert endpointing.decide(100_000) is None
    endpointing.on_pause(100_000)
    assert endpointing.decide(111_200) == EndpointDecision(100_000, 700, "silence")


def test_a_commit_ends_at_once() -> None:
    endpointing = Endpointing()
    assert endpointing.commit(8_000) == EndpointDecision(end_sample=8_000, wait_ms=0, reason="commit")
    endpointing.on_pause(16_000)
    assert endpointing.commit(17_600) == EndpointDecision(end_sample=16_000, wait_ms=100, reason="commit")
    assert endpointing.decide(100_000) is None


@given(st.integers(0, 10**9), st.integers(0, 5_000), st.lists(st.integers(0, 200_000), min_size=1))
def test_it_is_decided_at_the_first_sample_that_is_due(end: int, wait_ms: int, heard: list[int]) -> None:
    """Only samples heard count: however long nothing arrives, nobody is cut off."""
    endpointing = Endpointing(wait_ms)
    endpointing.on_pause(end)
    decisions = [decision for more in sorted(heard) if (decision := endpointing.decide(end + more))]
    due = [more for more in sorted(heard) if more >= wait_ms * 16]
    assert decisions == [EndpointDecision(end, due[0] / 16, "silence")] if due else decisions == []
