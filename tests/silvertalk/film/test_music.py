"""The music, and words over it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from silvertalk.film.mixing import DUCKED_DB, SPEECH_DB, SoundUnreadable, mix, seconds_of, sentence
from silvertalk.film.music import PHRASES, RATE, music
from tests.silvertalk.film import scenes


def played(seconds: float) -> np.ndarray:
    return np.concatenate(list(music(round(seconds * RATE))))


def decibels(sound: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(sound))) + 1e-9))


@pytest.mark.parametrize("seconds", [1.0, 7.3, 20.0])
def test_it_is_as_long_as_asked_and_the_same_each_time(seconds: float) -> None:
    once, again = played(seconds), played(seconds)
    assert once.shape == (round(seconds * RATE), 2) and once.dtype == np.float32
    assert np.array_equal(once, again)
    assert np.isfinite(once).all() and np.abs(once).max() < 0.5


def test_it_is_music_and_no_siren() -> None:
    """Several notes at any time and others after a while, soft beginnings, a level that hardly changes, and nothing
    shrill."""
    sound = played(60.0).mean(axis=1)
    spectra = [np.abs(np.fft.rfft(sound[at * RATE : (at + 2) * RATE] * np.hanning(2 * RATE))) for at in range(2, 56, 4)]
    notes = []
    for spectrum in spectra:
        assert (spectrum[4 * 2000 :] ** 2).sum() < 0.02 * (spectrum**2).sum(), "above 4 kHz"
        loud = np.flatnonzero(spectrum > spectrum.max() / 10) / 2
        keys = {round(12 * np.log2(hertz / 440)) for hertz in loud if hertz > 60}
        assert len({key % 12 for key in keys}) >= 3, "a chord"
        notes.append(frozenset(keys))
    assert len(set(notes)) >= 6, "they change"
    levels = [decibels(sound[at * RATE : (at + 2) * RATE]) for at in range(2, 56, 2)]
    assert max(levels) - min(levels) < 9


def test_melody_and_chord_are_in_one_key() -> None:
    f_major = {5, 7, 9, 10, 0, 2, 4}
    for bar in PHRASES:
        for note in (bar.bass, *bar.chord, *(note for _, note in bar.melody)):
            assert note % 12 in f_major


def test_bars_join_without_a_click() -> None:
    sound = played(30.0)
    steps = np.abs(np.diff(sound, axis=0)).max(axis=1)
    bars = round(30.0 / 3.7)
    joints = [len(sound) * number // bars for number in range(1, bars)]
    usual = np.quantile(steps, 0.999)
    assert all(steps[joint - 2 : joint + 2].max() <= 2 * usual for joint in joints)


def test_music_steps_back_for_words_and_comes_again(tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.wav"
    # A sentence that sounds at its edges alone: between them only the music is heard.
    soundfile.write(quiet, np.pad(np.zeros(round(7.8 * 16_000)), 1600, constant_values=0.1), 16_000)
    samples = 24 * RATE
    shares: list[float] = []
    assert mix(tmp_path / "mix.flac", samples, [(8 * RATE, quiet)], shares.append) == ()
    assert shares == sorted(shares) and len(shares) > 4 and shares[-1] == 1
    assert mix(tmp_path / "alone.flac", samples, []) == ()
    mixed, rate = soundfile.read(tmp_path / "mix.flac")
    alone, _ = soundfile.read(tmp_path / "alone.flac")
    assert rate == RATE and len(mixed) == len(alone) == samples
    for begins, ends, expected in ((3, 7, 0.0), (9, 15, DUCKED_DB), (17.5, 20, 0.0)):
        part = slice(round(begins * RATE), round(ends * RATE))
        assert decibels(mixed[part]) - decibels(alone[part]) == pytest.approx(expected, abs=0.2)
    assert decibels(alone[: RATE // 10]) < -60 and decibels(alone[-RATE // 20 :]) < -60, "it fades in and out"


@pytest.mark.parametrize(
    ("name", "rate", "channels"), [("a.wav", 8_000, 1), ("b.flac", 44_100, 2), ("c.wav", 48_000, 1)]
)
def test_a_sentence_of_any_kind_comes_to_one_level(tmp_path: Path, name: str, rate: int, channels: int) -> None:
    path = scenes.sentence(tmp_path / name, 2.0, rate=rate, channels=channels)
    sound = sentence(path)
    assert seconds_of(path) == pytest.approx(2.0, abs=0.01)
    assert len(sound) == pytest.approx(2 * RATE, abs=RATE // 100)
    assert decibels(sound) == pytest.approx(SPEECH_DB, abs=3)


def test_a_recording_that_was_never_finished_is_no_sound(tmp_path: Path) -> None:
    path = scenes.sentence(tmp_path / "unfinished.flac", 2.0)
    data = bytearray(path.read_bytes())
    # STREAMINFO's 36 bits of samples, from the middle of byte 21 on: none means that nobody had counted yet.
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with pytest.raises(SoundUnreadable):
        seconds_of(path)


def test_what_is_no_sound_is_told_and_left_out(tmp_path: Path) -> None:
    broken, empty, good = tmp_path / "broken.wav", tmp_path / "empty.wav", scenes.sentence(tmp_path / "a.wav", 1.0)
    broken.write_bytes(b"RIFF\x00\x00 nothing of the kind")
    soundfile.write(empty, np.zeros(0), 16_000)
    for path in (broken, empty, tmp_path / "missing.wav"):
        with pytest.raises(SoundUnreadable):
            seconds_of(path)
    cut = tmp_path / "cut.flac"
    data = scenes.sentence(tmp_path / "whole.flac", 2.0).read_bytes()
    cut.write_bytes(data[:200] + bytes(len(data) - 200))
    assert mix(tmp_path / "mix.flac", 6 * RATE, [(RATE, cut), (3 * RATE, good)]) in ((0,), ())
    assert len(soundfile.read(tmp_path / "mix.flac")[0]) == 6 * RATE
