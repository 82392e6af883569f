"""The tiny checkpoint, made once, by a process of its own: its libraries warn, and here a warning is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpu_node.weights import Weights


@pytest.fixture(scope="session")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELS_ROOT with `xtts-v2` in it."""
    root = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-m", "tests.gpu.tiny_checkpoint", str(root / "xtts-v2")], check=True)
    return root


@pytest.fixture(scope="session")
def weights(models_root: Path) -> Weights:
    return Weights(models_root=models_root, cache=models_root / "cache", offline=True)
