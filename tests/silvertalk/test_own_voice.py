"""A kept recording becomes a sentence of a film: without its silence, at the narrator's level, or refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from silvertalk.own_voice import LEVEL_DBFS, PEAK, NoVoice, prepare
from tests.silvertalk.telling import voice


def test_the_silence_around_it_goes_and_the_level_comes(tmp_path: Path) -> None:
    source, target = tmp_path / "kept.flac", tmp_path / "heard.wav"
    source.write_bytes(voice(seconds=2.0, silence=3.0))
    seconds = prepare(source, target)
    assert 2.0 <= seconds <= 2.5
    sound, rate = soundfile.read(target)
    assert rate == 16_000 and sound.ndim == 1
    spoken = sound[int(0.5 * rate) : int(1.5 * rate)]
    assert abs(10 * np.log10(np.mean(spoken**2)) - LEVEL_DBFS) < 2
    assert np.max(np.abs(sound)) <= PEAK + 0.01 and abs(sound[0]) < 0.001


@pytest.mark.parametrize("seconds, silence", [(0.1, 0.1), (60.0, 0.5)], ids=["a click", "a minute"])
def test_what_is_too_short_or_too_long_is_refused(tmp_path: Path, seconds: float, silence: float) -> None:
    source = tmp_path / "kept.flac"
    source.write_bytes(voice(seconds=seconds, silence=silence))
    with pytest.raises(NoVoice):
        prepare(source, tmp_path / "heard.wav")


def test_silence_and_what_is_no_recording_are_refused(tmp_path: Path) -> None:
    silence, broken = tmp_path / "silence.flac", tmp_path / "broken.flac"
    soundfile.write(silence, np.zeros(32_000), 16_000, format="FLAC")
    broken.write_bytes(b"fLaC" + bytes(100))
    for source in (silence, broken):
        with pytest.raises(NoVoice):
            prepare(source, tmp_path / "heard.wav")
