"""How the workers of pytest-xdist share the tests (`pytest --numprocesses 4`).

A file's tests stay together, for the fixtures they share. Journeys share none and go to whoever is free, one by one:
they mostly wait, for speech that is spoken, a lease that runs out, a process that starts. What takes a core for minutes
runs one after another, so that the others keep the second one. It begins first, and no worker is left with it at the
end. What needs both cores to keep up with speech is marked `alone` and runs after them.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

HEAVY = (
    "tests/test_failover.py",
    "tests/test_installed.py",
    "tests/gpu_node/test_kokoro.py",
    "tests/gpu_node/test_whisper.py",
    "tests/gpu_node/test_llama.py",
    "tests/silvertalk/film/test_rendering.py",
    "tests/silvertalk/test_video_killed.py",
    "tests/silvertalk/test_video_work.py",
)
JOURNEYS = {PurePosixPath("tests"), PurePosixPath("tests/web_demo")}


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # it comes without types
    """Hands out one share after another, in the order in which their tests were collected."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


def share_of(nodeid: str) -> str:
    """What one worker runs, one test after another."""
    file = nodeid.partition("::")[0]
    if file in HEAVY:
        return "heavy"
    return nodeid if _is_journey(file) else file


def turn_of(nodeid: str) -> int:
    """Shares with a smaller number begin first."""
    file = nodeid.partition("::")[0]
    if file in HEAVY:
        return HEAVY.index(file)
    return len(HEAVY) + (not _is_journey(file))


def _is_journey(file: str) -> bool:
    return PurePosixPath(file).parent in JOURNEYS
