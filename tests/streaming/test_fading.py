"""How a voice died away before a pause: told from levels alone, whatever the gain and, within reason, the noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.audio import MICROPHONE_RATE, float_to_pcm16, pcm16_to_float
from streaming.errors import AudioError
from streaming.fading import LEAST_SAMPLES, faded
from tests.streaming.voice import hiss, silence, vowels

SILENCE = silence(96)


def spoken(*, ends_db: float = 0.0, breaks_off: bool = False, ms: int = 3000) -> bytes:
    """A voice that is `ends_db` quieter over its last 600 ms. `breaks_off`: its last syllable stops at once."""
    sound = pcm16_to_float(vowels(ms)).copy()
    sound[-9600:] *= 10 ** (-ends_db / 20)
    if breaks_off:
        sound[-1600:] *= 10 ** (-15 / 20)
    return float_to_pcm16(sound)


def noisy(pcm: bytes, noise: bytes) -> bytes:
    return float_to_pcm16(pcm16_to_float(pcm) + pcm16_to_float(noise))


def known(speech: bytes, after: bytes = SILENCE) -> float:
    score = faded(speech, after)
    assert score is not None
    return score


def test_who_dies_away_sounds_finished_and_who_goes_on_loudly_does_not() -> None:
    loud, low = known(spoken()), known(spoken(ends_db=12))
    assert loud < 0.5 < low
    assert known(spoken(ends_db=6)) == pytest.approx((loud + low) / 2, abs=0.2)


def test_who_breaks_off_sounds_less_finished_than_who_fades() -> None:
    assert known(spoken(ends_db=12, breaks_off=True)) < known(spoken(ends_db=12))


@pytest.mark.parametrize("gain_db", [-26, -12, 6])
def test_the_gain_of_the_microphone_is_nothing_to_it(gain_db: float) -> None:
    for speech in (spoken(), spoken(ends_db=10)):
        turned = float_to_pcm16(pcm16_to_float(speech) * 10 ** (gain_db / 20))
        assert known(turned) == pytest.approx(known(speech), abs=0.01)


@pytest.mark.parametrize("ends_db", [0.0, 6.0, 9.0])
def test_noise_is_taken_off(ends_db: float) -> None:
    """Hiss some 12 dB below the voice lies above what it faded to: unless it is taken off the fading cannot be seen."""
    speech = spoken(ends_db=ends_db)
    noise = hiss(3000, dbfs=-30)
    heard = noisy(speech, noise)
    clean = known(speech)
    assert known(heard, hiss(96, seed=1, dbfs=-30)) == pytest.approx(clean, abs=0.1)
    if ends_db:
        left_on = known(heard, b"")
        assert abs(left_on - clean) > abs(known(heard, hiss(96, seed=1, dbfs=-30)) - clean)


def test_a_word_alone_is_no_evidence() -> None:
    word = vowels(2000)[: 2 * LEAST_SAMPLES]
    assert faded(word[2:], SILENCE) is None
    assert faded(word, SILENCE) is not None


def test_only_the_last_seconds_count() -> None:
    speech = spoken(ends_db=8)
    assert known(vowels(4000, peak=0.9) + speech) == known(speech)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(AudioError):
        faded(spoken() + b"\0", SILENCE)
    with pytest.raises(AudioError):
        faded(spoken(), b"\0")


@given(st.integers(LEAST_SAMPLES, 4 * MICROPHONE_RATE), st.integers(0, 1600), st.integers(0, 2**32 - 1))
def test_whatever_is_heard_the_score_is_a_probability(speech: int, after: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gains = 10 ** (-rng.uniform(0, 100, size=2) / 20)
    sounds = [float_to_pcm16(rng.standard_normal(n) * gain) for n, gain in zip((speech, after), gains, strict=True)]
    score = faded(sounds[0], sounds[1])
    assert score is not None and 0 < score < 1


def test_digital_silence_says_nothing_worse_than_a_number() -> None:
    assert 0 < known(silence(3000)) < 1
    assert 0 < known(silence(3000), hiss(96)) < 1
