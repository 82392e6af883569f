"""DATA_DIR belongs to one `silvertalk up` at a time: two would unlink each other's sockets, and their Valkeys would
write one append-only file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from silvertalk.errors import ConfigurationError

LOCK = "lock"
"""Its content is the process id of whoever took it last. It is never deleted: a lock on a deleted file is nobody's."""


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """Make the folder where it is not there, and hold it for the block.

    Yields the lock's descriptor: the folder stays held for as long as any process that inherited it lives. Raises
    ConfigurationError where another holds it, or where it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"이 폴더에는 쓸 수 없어요: DATA_DIR {folder} cannot be written ({error.strerror}); name another."
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(_taken(folder, os.read(lock, 20).decode("ascii", "replace").strip())) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield lock
    finally:
        os.close(lock)


def _taken(folder: Path, holder: str) -> str:
    """The sentence for whoever comes second. `holder`: the process id in the lock, empty for a moment."""
    if holder.isdigit() and not _is_alive(int(holder)):  # it was killed, and its Valkey is still writing
        return (
            f"방금 끝난 실버톡(프로세스 {holder})이 이 폴더를 정리하고 있어요: what process {holder} has left behind "
            f"still holds DATA_DIR {folder}; try again in a moment."
        )
    return (
        f"다른 실버톡(프로세스 {holder})이 이 폴더를 쓰고 있어요: process {holder} holds DATA_DIR {folder}; "
        "stop it, or name another DATA_DIR."
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
