"""The acoustic end-of-turn model: what it is given, where it is found, and what it says of people who have finished."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gpu_node import weights
from gpu_node.engines import Samples
from gpu_node.engines.smart_turn import WINDOW_SAMPLES, SmartTurn, last_window, spectrogram
from gpu_node.errors import WeightsMissing
from gpu_node.weights import Weights
from streaming.audio import MICROPHONE_RATE, pcm16_to_float, read_wav
from streaming.vad import find_silero
from tests.recordings import recordings


def found(tmp_path: Path, *, root: Path | None = None) -> Weights:
    return Weights(models_root=root, cache=tmp_path / "cache", offline=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SmartTurn:
    return SmartTurn(found(tmp_path_factory.mktemp("weights")))


def sound(seconds: float, seed: int = 0) -> Samples:
    """A hum that comes and goes, with some noise."""
    time = np.arange(int(seconds * MICROPHONE_RATE)) / MICROPHONE_RATE
    hum = np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * 3 * time))
    noise = np.random.default_rng(seed).standard_normal(len(time))
    mixed: Samples = (0.1 * hum + 0.01 * noise).astype(np.float32)
    return mixed


def whisper_features() -> ModuleType:
    """faster-whisper's own spectrogram, without the package around it (which wants PyAV)."""
    package = importlib.util.find_spec("faster_whisper")
    assert package is not None and package.submodule_search_locations
    path = Path(package.submodule_search_locations[0]) / "feature_extractor.py"
    spec = importlib.util.spec_from_file_location("feature_extractor", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- what the model hears --------------------------------------------------------------------------------------------


def test_it_hears_the_last_eight_seconds_and_silence_before_them() -> None:
    short, long = sound(1), sound(9)
    assert np.array_equal(last_window(long), long[-WINDOW_SAMPLES:])
    filled = last_window(short)
    assert len(filled) == WINDOW_SAMPLES
    assert np.array_equal(filled[-len(short) :], short)
    assert not filled[: -len(short)].any()
    assert not last_window(np.zeros(0, dtype=np.float32)).any()


def test_the_spectrogram_is_whispers_of_a_normalised_sound() -> None:
    window = last_window(sound(5))
    ours = spectrogram(window)
    extractor: Callable[..., Any] = whisper_features().FeatureExtractor()
    theirs = extractor((window - window.mean()) / window.std(), padding=0)
    assert ours.shape == theirs.shape == (80, 800)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_how_loud_it_was_does_not_matter(model: SmartTurn) -> None:
    softly = sound(4) * np.float32(0.1)
    assert model.score(softly) == pytest.approx(model.score(sound(4)), abs=0.02)


def test_what_lies_further_back_does_not_matter(model: SmartTurn) -> None:
    assert model.score(np.concatenate([sound(6, seed=1), sound(8)])) == model.score(sound(8))


@pytest.mark.parametrize(
    "audio",
    [sound(0), np.zeros_like(sound(20)), np.ones_like(sound(1)), sound(0.05)],
    ids=["none", "silence", "an offset", "a moment"],
)
def test_any_sound_gets_a_probability(model: SmartTurn, audio: Samples) -> None:
    assert 0 <= model.score(audio) <= 1


def test_a_warm_up_leaves_nothing_behind(model: SmartTurn) -> None:
    before = model.score(sound(4))
    model.warm_up()
    assert model.score(sound(4)) == before


# --- what it makes of people -----------------------------------------------------------------------------------------


def test_people_who_have_finished_sound_like_it(model: SmartTurn) -> None:
    """Of two Korean recordings, one that ends as a sentence does and one that does not, the first mostly scores higher
    (84 % of all pairs of all recordings)."""
    clips = [clip for clip in recordings("ko") if clip.path.name.startswith("pansori")][::2]
    if not clips:
        pytest.skip("no recordings here: SILVERTALK_RECORDINGS names no folder with a manifest")
    scores: dict[bool, list[float]] = {True: [], False: []}
    for clip in clips:
        finished = clip.transcript.endswith(("다", "죠", "까", "아요", "어요"))
        scores[finished].append(model.score(pcm16_to_float(read_wav(clip.path))))
    assert min(map(len, scores.values())) > 5
    pairs = [whole > part for whole in scores[True] for part in scores[False]]
    assert sum(pairs) / len(pairs) > 0.7


# --- where it is found -----------------------------------------------------------------------------------------------


def test_a_file_of_ones_own_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "models" / "smart-turn"
    own.mkdir(parents=True)
    with pytest.raises(WeightsMissing, match="incomplete"):
        SmartTurn(found(tmp_path, root=tmp_path / "models"))
    shutil.copy(found(tmp_path).file("smart-turn"), own / "mine.onnx")
    assert 0 <= SmartTurn(found(tmp_path, root=tmp_path / "models")).score(sound(1)) <= 1


def test_ours_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "gpu_node" / "models" / "smart-turn-v3.2-cpu.onnx"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(found(tmp_path).file("smart-turn").read_bytes()[:-1] + b"?")
    monkeypatch.setattr(weights, "_ROOT", tmp_path)
    with pytest.raises(WeightsMissing, match="sha256"):
        SmartTurn(Weights(models_root=None, cache=tmp_path / "another cache", offline=True))
    damaged.unlink()
    with pytest.raises(WeightsMissing, match="not installed: silvertalk"):
        SmartTurn(Weights(models_root=None, cache=tmp_path / "another cache", offline=True))


@pytest.mark.parametrize("content", [b"no model at all", find_silero().read_bytes()])
def test_another_file_is_told_from_the_model(tmp_path: Path, content: bytes) -> None:
    own = tmp_path / "models" / "smart-turn"
    own.mkdir(parents=True)
    (own / "model.onnx").write_bytes(content)
    with pytest.raises(WeightsMissing, match=r"model\.onnx"):
        SmartTurn(found(tmp_path, root=tmp_path / "models"))
