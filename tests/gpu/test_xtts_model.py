"""XTTS's own classes under `gpu_node.xtts.model`: what is loaded, what is written, whose voice it is."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from gpu_node.errors import WeightsMissing
from gpu_node.xtts import frames
from tests.gpu.tiny_checkpoint import CHUNK_TOKENS, RECORDING, SPEAKERS, write_recording

if importlib.util.find_spec("TTS") is None:
    pytest.skip("torch and coqui-tts are not installed here; `make test-gpu` has them", allow_module_level=True)

if TYPE_CHECKING:
    from gpu_node.xtts.model import XttsModel
    from gpu_node.xtts.voices import Voices

pytestmark = pytest.mark.filterwarnings("default")  # torch's and coqui-tts's own


def loaded(folder: Path, cache: Path, *, voice: str = "", device: str = "cpu") -> XttsModel:
    from gpu_node.xtts.model import XttsModel

    asked = frames.Prepare(folder=str(folder), cache=str(cache), voice=voice, device=device, chunk_tokens=CHUNK_TOKENS)
    return XttsModel(asked)


def content(folder: Path) -> dict[str, str]:
    """Every file and its hash."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(models_root: Path) -> Path:
    return models_root / "xtts-v2"


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A folder that the test may change; the model in it is a link."""
    own = tmp_path / "own"
    own.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (own / path.name).symlink_to(path)
    return own


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    before = content(folder)
    model = loaded(folder, tmp_path_factory.mktemp("cache"))
    assert content(folder) == before, "loading the original checkpoint writes nothing into its folder"
    return model


def voices(model: XttsModel, folder: Path, cache: Path, house: str = "") -> Voices:
    from gpu_node.xtts.voices import Voices

    return Voices(model._model, folder, cache, house=house)


def same(one: Any, other: Any) -> bool:
    import torch

    return all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in ("gpt_cond_latent", "speaker_embedding")
    )


def test_it_says_what_it_has(model: XttsModel) -> None:
    assert model.prepared == frames.Prepared(24_000, "cpu", SPEAKERS[0], (*SPEAKERS, RECORDING))


def test_speech_is_a_row_of_chunks_that_fit(model: XttsModel) -> None:
    request = frames.Speak(1, "Hello, I went for a walk today.", "en")
    chunks = list(model.speak(request))
    assert len(chunks) >= 3
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 and np.isfinite(chunk).all() for chunk in chunks)
    # Tokens of 1024 samples at 22.05 kHz, heard at 24 kHz, less what the next chunk fades over.
    assert abs(len(chunks[0]) - (CHUNK_TOKENS * 1024 * 24_000 / 22_050 - 1024)) < 512


def test_slower_speech_is_longer(model: XttsModel) -> None:
    lengths = [sum(map(len, model.speak(frames.Speak(1, "안녕하세요.", "ko", speed=speed)))) for speed in (0.7, 1.0)]
    assert lengths[0] > 1.3 * lengths[1]


def test_a_recordings_latents_are_computed_once_and_read_from_then_on(
    model: XttsModel, folder: Path, tmp_path: Path
) -> None:
    computed = voices(model, folder, tmp_path).latents(RECORDING)
    [file] = (tmp_path / "xtts-voices").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600, "a voice is personal"
    written = file.stat().st_mtime_ns
    assert same(voices(model, folder, tmp_path).latents(RECORDING), computed)
    assert [file.stat().st_mtime_ns for file in (tmp_path / "xtts-voices").iterdir()] == [written]
    assert not same(voices(model, folder, tmp_path).latents(SPEAKERS[0]), computed)

    file.write_bytes(file.read_bytes()[:1000])
    assert same(voices(model, folder, tmp_path).latents(RECORDING), computed), "a damaged file is made anew"
    os.utime(file, ns=(0, 0))
    assert same(voices(model, folder, tmp_path).latents(RECORDING), computed)
    assert file.stat().st_mtime_ns == 0


def test_another_recording_of_the_same_name_is_another_voice(
    model: XttsModel, own_folder: Path, tmp_path: Path
) -> None:
    recording = own_folder / "voices" / "mother.wav"
    write_recording(recording, level=0.3)
    first = voices(model, own_folder, tmp_path, "mother.wav").latents("mother.wav")
    write_recording(recording, level=0.1, rate=44_100, seconds=5)
    second = voices(model, own_folder, tmp_path, "mother.wav").latents("mother.wav")
    assert not same(first, second)
    assert len(list((tmp_path / "xtts-voices").iterdir())) == 2


def test_a_name_it_does_not_know_is_spoken_by_the_house(model: XttsModel, folder: Path, tmp_path: Path) -> None:
    known = voices(model, folder, tmp_path, SPEAKERS[1])
    for name in ("", "jf_nezumi", "../../model.pth", f"voices/{RECORDING}", "/etc/passwd"):
        assert same(known.latents(name), known.latents(SPEAKERS[1]))
    assert not same(known.latents(SPEAKERS[0]), known.latents(SPEAKERS[1]))


def test_a_name_that_a_person_may_choose_is_the_recording_of_that_name(
    model: XttsModel, own_folder: Path, tmp_path: Path
) -> None:
    write_recording(own_folder / "voices" / "soft_male.wav")
    known = voices(model, own_folder, tmp_path, SPEAKERS[1])
    assert same(known.latents("soft_male"), known.latents("soft_male.wav"))
    for name in ("warm_female", "bright_female"):
        assert same(known.latents(name), known.latents(SPEAKERS[1])), "nobody recorded it: the house speaks"
    assert not same(known.latents("soft_male"), known.latents(SPEAKERS[1]))


def test_a_house_voice_it_does_not_have_is_told_with_those_it_has(
    model: XttsModel, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsMissing, match=r"TTS_VOICE names Nobody.*Tiny Speaker, Other Speaker, reference\.wav"):
        voices(model, folder, tmp_path, "Nobody")


@pytest.mark.parametrize(
    ("recording", "sentence"),
    [
        ({"seconds": 2.0}, "lasts 2.0 s"),
        ({"seconds": 121.0, "rate": 8000}, "lasts 121.0 s"),
        ({"level": 0.0001}, "holds no sound"),
    ],
)
def test_a_recording_that_cannot_serve_is_told(
    model: XttsModel, own_folder: Path, tmp_path: Path, recording: dict[str, Any], sentence: str
) -> None:
    write_recording(own_folder / "voices" / "poor.wav", **recording)
    with pytest.raises(WeightsMissing, match=sentence):
        voices(model, own_folder, tmp_path, "poor.wav")
    (own_folder / "voices" / "poor.wav").write_text("no sound at all")
    with pytest.raises(WeightsMissing, match="cannot be read as a WAV"):
        voices(model, own_folder, tmp_path, "poor.wav")


def test_a_checkpoint_that_is_none_is_told(own_folder: Path, tmp_path: Path) -> None:
    (own_folder / "model.pth").unlink()
    (own_folder / "model.pth").write_bytes(b"\x80\x02 nothing of the kind")
    with pytest.raises(WeightsMissing, match="cannot be loaded as XTTS v2"):
        loaded(own_folder, tmp_path)


def test_a_pickle_that_would_run_code_is_refused(own_folder: Path, tmp_path: Path) -> None:
    import torch

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (own_folder / "model.pth").unlink()
    torch.save({"model": {}, "config": Trap()}, own_folder / "model.pth")
    with pytest.raises(WeightsMissing, match="cannot be loaded as XTTS v2"):
        loaded(own_folder, tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_gpu_that_is_not_there_is_told(folder: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        assert loaded(folder, tmp_path, device="cuda").prepared.device.startswith("cuda")
        return
    with pytest.raises(WeightsMissing, match=r"finds no GPU here.*TTS_DEVICE=cpu"):
        loaded(folder, tmp_path, device="cuda")
    shutil.rmtree(tmp_path / "xtts-voices", ignore_errors=True)
    assert loaded(folder, tmp_path, device="auto").prepared.device == "cpu"
