"""Louder speech: how much louder, and that it never crackles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.engines import Samples
from gpu_node.loudness import CEILING, KNEE, MAX_GAIN, louder
from streaming.audio import float_to_pcm16

EVERY_LEVEL = np.linspace(-1.0, 1.0, 65_537, dtype=np.float32)
GAINS = [1.05, 1.5, 2.0, MAX_GAIN, 100.0]


def test_as_it_was_is_as_it_was() -> None:
    assert louder(EVERY_LEVEL, 1.0) is EVERY_LEVEL


@pytest.mark.parametrize("gain", [0.0, 0.5, float("nan"), -3.0])
def test_nothing_makes_it_softer(gain: float) -> None:
    assert float_to_pcm16(louder(EVERY_LEVEL, gain)) == float_to_pcm16(EVERY_LEVEL)


@pytest.mark.parametrize("gain", GAINS)
def test_louder_is_louder_in_order_and_never_too_loud(gain: float) -> None:
    loud = louder(EVERY_LEVEL, gain)
    assert loud.dtype == np.float32
    assert np.all(np.diff(loud) >= 0), "monotone"
    assert np.all(np.abs(loud) <= CEILING + 1e-6), "never clipped"
    np.testing.assert_array_equal(loud, -louder(-EVERY_LEVEL, gain))
    pcm = np.frombuffer(float_to_pcm16(loud), dtype="<i2")
    assert pcm.max() < 32767 and pcm.min() > -32768


@pytest.mark.parametrize("gain", GAINS[:-1])
def test_what_is_soft_grows_by_the_whole_gain(gain: float) -> None:
    soft = EVERY_LEVEL[np.abs(EVERY_LEVEL) * gain < KNEE]
    np.testing.assert_allclose(louder(soft, gain), soft * gain, rtol=1e-6)
    edge = np.float32(KNEE / gain)
    below, above = louder(np.array([edge * 0.9999, edge * 1.0001], dtype=np.float32), gain)
    assert 0 < above - below < 2e-4, "no step at the knee"


@given(st.lists(st.floats(-1, 1, width=32), max_size=50), st.integers(0, 50), st.floats(1.0, 2.5))
def test_it_may_be_cut_anywhere(levels: list[float], place: int, gain: float) -> None:
    whole: Samples = np.array(levels, dtype=np.float32)
    parts = [louder(whole[:place], gain), louder(whole[place:], gain)]
    np.testing.assert_array_equal(np.concatenate(parts), louder(whole, gain))
