"""What is said here is nobody else's business, nor that it is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOADING = "from streaming.vad import SileroModel, find_silero; SileroModel(find_silero())"


def test_loading_a_model_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    subprocess.run([sys.executable, "-c", LOADING], env=kept | {"HOME": str(tmp_path)}, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []
