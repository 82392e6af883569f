"""The shape of the house: who may import whom, what must stay pure, and the README's map of files."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("silvertalk", "streaming", "gpu_node")
DIRECTIONS = {"silvertalk": {"streaming"}, "gpu_node": {"streaming"}, "streaming": set[str]()}

IO_LIBRARIES = {"asyncio", "redis", "starlette", "fastapi", "uvicorn", "websockets", "httpx", "sqlalchemy", "socket"}
CLOCKS = {"time", "datetime"}
DOES_IO = {"streaming/notify.py", "streaming/logs.py"}
"""Beside the bus: what a process tells its supervisor, and its log."""

MODEL_LIBRARIES = {"torch", "av", "ctranslate2", "faster_whisper", "transformers", "xllamacpp", "TTS"}
NOT_ON_THE_MAP = {".gitignore"}


def modules(package: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / package).rglob("*.py")))


def imported(path: Path) -> set[str]:
    """Top-level names of everything the file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_in_two_directions_only(package: str) -> None:
    for path in modules(package):
        others = imported(path) & set(PACKAGES) - {package}
        assert others <= DIRECTIONS[package], f"{path.relative_to(ROOT)} imports {others}"


def test_the_meaning_is_pure() -> None:
    for path in modules("streaming"):
        name = str(path.relative_to(ROOT))
        if name.startswith("streaming/bus/") or name in DOES_IO:
            continue
        assert not imported(path) & (IO_LIBRARIES | CLOCKS), f"{name} does I/O or reads a clock"
        assert "async def" not in path.read_text(encoding="utf-8"), f"{name} is asynchronous"


def test_a_gateway_loads_no_model_library() -> None:
    """In a fresh interpreter: everything a gateway imports when it starts."""
    code = f"import silvertalk.serving, sys; print(*sorted({MODEL_LIBRARIES!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_locks_hold_no_registry_and_no_torch() -> None:
    for lock in ("requirements.lock", "requirements-gateway.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert "://" not in text and "--index" not in text and "--find-links" not in text
        assert not re.search(r"^(torch|av|torchaudio)==", text, re.MULTILINE)
    gateway = (ROOT / "requirements-gateway.lock").read_text(encoding="utf-8")
    assert not re.search(r"^(ctranslate2|faster-whisper|xllamacpp|kokoro)", gateway, re.MULTILINE)


def test_every_direct_dependency_is_in_the_readmes_table() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        asked += extra
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for requirement in asked:
        match = re.match(r"[A-Za-z0-9-]+", requirement)
        assert match is not None
        assert f"`{match.group()}`" in readme, f"{match.group()} is not in the README's table of packages"


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [name for name in listed if (ROOT / name).exists()]


def test_the_readmes_map_is_the_tree() -> None:
    """Every module is on the map, and everything on the map exists."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("<!-- map -->")[1].split("<!-- /map -->")[0]
    mapped = set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))
    files = {
        name
        for name in tracked()
        if name.startswith(tuple(f"{package}/" for package in PACKAGES))
        and name.endswith(".py")
        and (ROOT / name).stat().st_size
    }
    assert files - mapped == set(), "not on the README's map"
    assert {name for name in mapped if not (ROOT / name).exists()} == set(), "on the map, but not in the tree"


def test_the_project_speaks_of_itself_alone() -> None:
    here = re.compile(r"/work/|pypi\.org|pythonhosted|npmjs|registry\.npm|/root/")
    for name in tracked():
        path = ROOT / name
        if path.suffix in {".jpg", ".png", ".wav"} or name == "tests/test_house.py":
            continue
        found = here.search(path.read_text(encoding="utf-8", errors="ignore"))
        assert found is None, f"{name}: {found.group() if found else ''}"


FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|base|managers?|misc)$")


def test_every_file_bears_a_name() -> None:
    for name in tracked():
        if name.endswith(".py"):
            assert not FORBIDDEN_NAMES.search(Path(name).stem), name
