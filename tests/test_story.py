"""`make story`, as a newcomer runs it: the whole product as processes, its own engines, and the film looked at then."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STORY_SECONDS = 840

pytestmark = [pytest.mark.alone, pytest.mark.timeout(900)]


def test_the_story_is_told_and_all_that_is_looked_at_is_as_it_should_be(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "story", "--out", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=STORY_SECONDS,
        text=True,
    )

    assert told.returncode == 0, told.stdout[-8000:]
    assert (tmp_path / "story.mp4").stat().st_size > 100_000
    stages = re.findall(r"^ *\d+ s  (.+)$", told.stdout, re.MULTILINE)  # one line each, where there is no terminal
    assert stages[:2] == ["복실이가 일어나고 있어요", "사진을 올려요"] and "기억해 두어요" in stages
    assert len(stages) == len(set(stages))
