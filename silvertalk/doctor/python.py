"""The interpreter, the environment it runs in, and the libraries that should be there."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from silvertalk.doctor.finding import Finding
from silvertalk.settings import Mode

OLDEST_PYTHON = (3, 11)
"""asyncio.TaskGroup and asyncio.timeout came with it, and everything here stands on them."""
NATIVE_MODULES = ("numpy", "onnxruntime", "soundfile", "webrtcvad", "soxr", "hiredis", "uvloop", "msgspec", "asyncpg")
"""Compiled, and so what breaks where two installations' shared libraries meet."""
MODE_EXTRAS: Mapping[Mode, frozenset[str]] = {
    "embedded": frozenset({"node", "embedded", "film"}),
    "local": frozenset(),
    "cloud": frozenset(),
}

_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9._-]+)[^;]*(?:;.*extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"])?")


def check_python(version: tuple[int, int, int]) -> Finding:
    """Is it new enough?"""
    shown = ".".join(map(str, version))
    if version[:2] < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        return Finding("Python", False, f"This is Python {shown}.", f"Use Python {wanted} or newer.")
    return Finding("Python", True, f"This is Python {shown}.")


def check_environment(prefix: str, base_prefix: str, environment: Mapping[str, str]) -> Finding:
    """One environment, and the one that was meant?

    `prefix` and `base_prefix` are `sys`'s own. Conda and a virtual environment on top of each other load each other's
    shared libraries (libstdc++ above all), and what breaks then names neither.
    """
    here, conda = Path(prefix).resolve(), environment.get("CONDA_PREFIX")
    is_venv = prefix != base_prefix
    if conda and Path(conda).resolve() != here:
        what = "a virtual environment" if is_venv else "another Python"
        return Finding(
            "environment",
            False,
            f"Conda's environment {conda} is active while {what} in {here} runs: their libraries mix.",
            "Run `conda deactivate` until no environment is active, then make the virtual environment anew.",
        )
    if is_venv and (Path(base_prefix) / "conda-meta").is_dir():
        return Finding(
            "environment",
            False,
            f"The virtual environment {here} was made with Conda's Python in {base_prefix}: their libraries mix.",
            "Make it anew with a Python that is not Conda's, or install into a Conda environment alone.",
        )
    activated = environment.get("VIRTUAL_ENV")
    if activated and Path(activated).resolve() != here:
        return Finding(
            "environment",
            None,
            f"{activated} is activated, but this runs in {here}.",
            "Open a new shell, or run the `silvertalk` of the environment that you mean.",
        )
    if not is_venv and not conda:
        return Finding(
            "environment",
            None,
            f"This runs in {here}, an environment shared with the whole system.",
            "Make one for SilverTalk alone: `python -m venv .venv`.",
        )
    return Finding("environment", True, f"One environment: {here}.")


def wanted(requirements: Iterable[str], extras: Collection[str]) -> list[str]:
    """The distributions that a package's metadata asks for, its own and those of the given extras."""
    names = []
    for requirement in requirements:
        if (match := _REQUIREMENT.match(requirement)) and (not match["extra"] or match["extra"] in extras):
            names.append(match["name"])
    return names


def check_libraries(what: str, extras: Collection[str], requirements: Iterable[str] | None) -> Finding:
    """Is everything installed that `what` needs? `requirements`: this package's metadata, None where it has none."""
    if requirements is None:
        return Finding(
            "libraries",
            None,
            "SilverTalk runs from its source without being installed, so what it needs cannot be looked up.",
            "Install it: `make demo` does, or `pip install --no-deps -e .` after the lock file.",
        )
    missing = sorted(name for name in wanted(requirements, extras) if not _is_installed(name))
    if not missing:
        return Finding("libraries", True, f"Everything that {what} needs is installed.")
    lock = "requirements.lock" if extras else "requirements-gateway.lock"
    return Finding(
        "libraries",
        False,
        f"Not installed: {', '.join(missing)}.",
        f"Run `pip install --no-deps --require-hashes -r {lock}`.",
    )


def check_native(modules: Iterable[str] = NATIVE_MODULES) -> Finding:
    """Do the compiled libraries load? What is not installed is `check_libraries`' business."""
    for module in modules:
        if find_spec(module) is None:
            continue
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            return Finding(
                "compiled libraries",
                False,
                f"{module} is installed and does not load: {error}.",
                "Make one environment, not Conda's and a virtual one together, and install into it anew.",
            )
    return Finding("compiled libraries", True, "The compiled libraries load.")


def check_torch(distributions: Collection[str]) -> Finding | None:
    """Is torch there for nothing? Only the XTTS voice (`coqui-tts`) uses it."""
    if "torch" not in distributions or "coqui-tts" in distributions:
        return None
    return Finding(
        "torch",
        None,
        "torch is installed, and nothing in this installation uses it: gigabytes for nothing.",
        "`pip uninstall torch` frees them.",
    )


def own_requirements() -> list[str] | None:
    """What this package's metadata asks for; None where it is not installed."""
    try:
        return importlib.metadata.requires("silvertalk") or []
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_of(*names: str) -> set[str]:
    """Those of these distributions that are installed."""
    return {name for name in names if _is_installed(name)}


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
