"""The last touch on a phrase: level, edges, pause."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_node.engines import Samples
from gpu_node.phrase_audio import EDGE_SECONDS, PAUSE_SECONDS, PEAK, finished

RATE = 24_000


def tone(seconds: float, level: float) -> Samples:
    return (level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


@pytest.mark.parametrize("level", [0.15, 0.5, 1.4])
def test_a_quiet_phrase_is_as_loud_as_any_other(level: float) -> None:
    assert np.max(np.abs(finished(tone(0.5, level), end=".", rate=RATE))) == pytest.approx(PEAK, rel=0.01)


def test_hiss_is_not_blown_up() -> None:
    assert np.max(np.abs(finished(tone(0.5, 0.001), end=".", rate=RATE))) < 0.01


def test_silence_around_speech_becomes_one_known_pause() -> None:
    audio = finished(np.concatenate([silence(0.4), tone(0.5, 0.5), silence(0.7)]), end=",", rate=RATE)
    expected = 0.5 + 2 * EDGE_SECONDS + PAUSE_SECONDS[","]
    assert len(audio) / RATE == pytest.approx(expected, abs=0.01)


def test_a_pause_grows_with_slower_speech() -> None:
    quick, slow = (finished(tone(0.5, 0.5), end=".", rate=RATE, speed=speed) for speed in (1.0, 0.8))
    assert len(slow) - len(quick) == pytest.approx(PAUSE_SECONDS["."] * 0.25 * RATE, abs=2)


@pytest.mark.parametrize("end", list(PAUSE_SECONDS))
def test_joined_phrases_have_no_click(end: str) -> None:
    # A tone cut in full swing steps by up to twice its amplitude; faded, no step is larger than the tone's own.
    phrase = finished(tone(0.5, 0.5)[40:-40], end=end, rate=RATE)
    joined = np.concatenate([silence(0.01), phrase, phrase, silence(0.01)])
    inside = np.max(np.abs(np.diff(tone(0.1, PEAK))))
    assert np.max(np.abs(np.diff(joined))) <= inside * 1.01


def test_silence_is_only_its_pause() -> None:
    assert len(finished(silence(1.0), end=",", rate=RATE)) == round(PAUSE_SECONDS[","] * RATE)
    assert len(finished(silence(0.0), end="", rate=RATE)) == round(PAUSE_SECONDS[""] * RATE)


def test_what_was_given_is_not_changed() -> None:
    raw = tone(0.2, 0.5)
    before = raw.copy()
    finished(raw, end=".", rate=RATE)
    assert np.array_equal(raw, before)
