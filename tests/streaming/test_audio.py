"""PCM16 arithmetic."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.audio import (
    SILENCE_DBFS,
    AudioTail,
    ResampleStream,
    dbfs,
    duration_seconds,
    float_to_pcm16,
    ms_to_samples,
    pcm16_to_float,
    read_wav,
    resample,
    rms,
    sample_count,
    samples_to_ms,
    write_wav,
)
from streaming.errors import AudioError

whole_samples = st.binary(max_size=400).map(lambda data: data[: len(data) // 2 * 2])


def tone(hz: float, seconds: float, rate: int, amplitude: float = 0.5) -> bytes:
    return float_to_pcm16(amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate))


@given(whole_samples)
def test_floats_carry_every_sample_exactly(pcm: bytes) -> None:
    floats = pcm16_to_float(pcm)
    assert floats.dtype == np.float32
    assert np.all((floats >= -1) & (floats < 1))
    assert float_to_pcm16(floats) == pcm


def test_what_leaves_the_range_is_clipped_and_what_is_no_number_refused() -> None:
    assert np.frombuffer(float_to_pcm16([2.0, -2.0, 1.0, 0.0]), "<i2").tolist() == [32767, -32768, 32767, 0]
    for wrong in (np.nan, np.inf, -np.inf):
        with pytest.raises(AudioError):
            float_to_pcm16([0.0, wrong])


def test_half_a_sample_is_refused_everywhere(tmp_path: Path) -> None:
    odd = b"\0" * 641
    stream, tail = ResampleStream(24_000, 16_000), AudioTail(100)
    for refuse in (sample_count, pcm16_to_float, rms, dbfs, duration_seconds, stream.feed, tail.append):
        with pytest.raises(AudioError):
            refuse(odd)
    with pytest.raises(AudioError):
        write_wav(tmp_path / "odd.wav", odd)
    assert tail.end_sample == 0


def test_counts_and_durations() -> None:
    pcm = bytes(640)
    assert sample_count(pcm) == sample_count(bytearray(pcm)) == sample_count(memoryview(pcm)) == 320
    assert sample_count(memoryview(pcm).cast("h")) == 320
    assert duration_seconds(pcm) == 0.02
    assert duration_seconds(pcm, 8000) == 0.04
    assert ms_to_samples(20) == 320
    assert samples_to_ms(320) == 20
    assert ms_to_samples(1, 22_050) == 22


def test_levels() -> None:
    assert dbfs(tone(440, 1, 16_000, 1.0)) == pytest.approx(-3.01, abs=0.02)
    assert dbfs(tone(440, 1, 16_000, 0.1)) == pytest.approx(-23.01, abs=0.02)
    assert dbfs(b"") == dbfs(bytes(64)) == SILENCE_DBFS
    assert rms(b"") == 0
    assert rms(b"\x00\x80" * 10) == 1


@settings(deadline=None)
@given(
    rates=st.sampled_from([(24_000, 16_000), (16_000, 24_000), (44_100, 16_000), (48_000, 16_000), (16_000, 16_000)]),
    cuts=st.lists(st.integers(0, 12_000), max_size=12),
    seed=st.integers(0, 3),
)
def test_resampling_does_not_depend_on_the_cuts(rates: tuple[int, int], cuts: list[int], seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-20_000, 20_000, 12_000).astype("<i2")
    pcm = samples.tobytes()
    edges = [0, *sorted(cuts), 12_000]
    stream = ResampleStream(*rates)
    pieces = [stream.feed(pcm[2 * a : 2 * b]) for a, b in zip(edges, edges[1:], strict=False)]
    assert b"".join(pieces) + stream.flush() == resample(pcm, *rates)


def test_resampling_keeps_length_pitch_and_level() -> None:
    pcm = resample(tone(440, 1, 24_000), 24_000, 16_000)
    assert sample_count(pcm) == 16_000
    spectrum = np.abs(np.fft.rfft(pcm16_to_float(pcm)))
    assert np.argmax(spectrum) == 440
    assert dbfs(pcm) == pytest.approx(dbfs(tone(440, 1, 24_000)), abs=0.1)


def test_what_the_lower_rate_cannot_carry_is_filtered_out() -> None:
    assert dbfs(resample(tone(10_000, 1, 48_000), 48_000, 16_000)) < -50  # its onset is a click, which has all pitches


def test_a_stream_ends_with_its_flush_and_knows_impossible_rates() -> None:
    stream = ResampleStream(24_000, 16_000)
    stream.flush()
    with pytest.raises(AudioError):
        stream.feed(bytes(2))
    with pytest.raises(AudioError):
        stream.flush()
    for rates in ((0, 16_000), (16_000, -1)):
        with pytest.raises(AudioError):
            ResampleStream(*rates)


@given(
    capacity=st.integers(1, 300),
    first=st.integers(0, 1000),
    pieces=st.lists(st.tuples(whole_samples, st.integers(-10, 1500)), max_size=12),
)
def test_the_tail_is_the_end_of_everything(capacity: int, first: int, pieces: list[tuple[bytes, int]]) -> None:
    tail, everything, forgotten = AudioTail(capacity, first), b"", first
    for pcm, forget in pieces:
        tail.append(pcm)
        everything += pcm
        end = first + len(everything) // 2
        forgotten = max(forgotten, end - capacity)
        assert (tail.first_sample, tail.end_sample) == (forgotten, end)
        tail.forget_before(forget)
        forgotten = max(forgotten, min(forget, end))
        assert tail.first_sample == forgotten
        assert tail.read(tail.first_sample, end) == everything[2 * (forgotten - first) :]
        middle = (forgotten + end) // 2
        assert tail.read(forgotten, middle) + tail.read(middle, end) == everything[2 * (forgotten - first) :]


def test_the_tail_refuses_what_it_does_not_hold() -> None:
    tail = AudioTail(100)
    tail.append(bytes(300))
    assert (tail.first_sample, tail.end_sample) == (50, 150)
    for start, end in ((49, 60), (140, 151), (120, 110)):
        with pytest.raises(AudioError):
            tail.read(start, end)
    with pytest.raises(AudioError):
        AudioTail(0)


def test_wav_files_round_trip_and_foreign_ones_become_ours(tmp_path: Path) -> None:
    pcm = tone(300, 0.5, 16_000)
    write_wav(tmp_path / "ours.wav", pcm)
    assert read_wav(tmp_path / "ours.wav") == pcm

    left = pcm16_to_float(tone(300, 1, 44_100))
    soundfile.write(tmp_path / "theirs.wav", np.stack([left, np.zeros_like(left)], axis=1), 44_100)
    theirs = read_wav(tmp_path / "theirs.wav")
    assert sample_count(theirs) == pytest.approx(16_000, abs=1)
    assert dbfs(theirs) == pytest.approx(dbfs(pcm) - 6.02, abs=0.1)


def test_a_file_that_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("not a sound")
    for name in ("words.wav", "missing.wav"):
        with pytest.raises(AudioError):
            read_wav(tmp_path / name)
