"""Where a worker writes what it has in hand of people's things: folders below `DATA_DIR/scratch`, never anywhere else.

Each is its user's alone, and goes when its work ends. A worker that is killed leaves its own behind; a folder is in use
as long as a lock on it is held, and the kernel lets go of a dead process's locks, so whoever sweeps takes exactly what
nobody lives for. Several workers may share a DATA_DIR.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from silvertalk.settings import Settings
from streaming.logs import logger

log = logger("scratch")

_GATE = ".gate"
"""Held by whoever makes a folder, until it is locked, and by whoever sweeps: none is taken between the two."""


def scratch_of(settings: Settings) -> Path:
    return settings.data_dir / "scratch"


@asynccontextmanager
async def scratch_folder(root: Path, purpose: str) -> AsyncIterator[Path]:
    """A folder of one's own below `root`, gone with the `async with`. Raises OSError where there is no room for it."""
    making = asyncio.ensure_future(asyncio.to_thread(_make, root, purpose))
    try:
        folder, lock = await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.to_thread(_remove, *await making)
        raise
    try:
        yield folder
    finally:
        await asyncio.shield(asyncio.to_thread(_remove, folder, lock))


def sweep_scratch(root: Path) -> int:
    """Delete what workers that are dead have left; how many folders went. Never fails."""
    try:
        if not root.is_dir():
            return 0
        with _gate(root):
            count = sum(_take(folder) for folder in list(root.iterdir()) if folder.name != _GATE)
    except OSError as error:
        log.warning("scratch_left", error=type(error).__name__)
        return 0
    if count:
        log.info("scratch_swept", count=count)
    return count


def _make(root: Path, purpose: str) -> tuple[Path, int]:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    with _gate(root):
        folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=root))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def _remove(folder: Path, lock: int) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        log.warning("scratch_was_taken", folder=folder.name)
    finally:
        os.close(lock)


def _take(folder: Path) -> bool:
    """Delete it, unless somebody lives who has it in use."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):  # its owner has just deleted it, or it is none of ours
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except (BlockingIOError, FileNotFoundError):  # in use, or deleted by its owner meanwhile
        return False
    finally:
        os.close(lock)
    return True


@contextmanager
def _gate(root: Path) -> Iterator[None]:
    gate = os.open(root / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)
