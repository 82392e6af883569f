"""Starting the whole product for a benchmark, and reading what its processes cost (Linux: /proc)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 180.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What one process has used so far."""

    cpu_seconds: float
    peak_mib: float


class Running:
    """The product at `url`; `costs()` by process name."""

    def __init__(self, url: str, supervisor: int) -> None:
        self.url = url
        self._supervisor = supervisor

    def costs(self) -> dict[str, Cost]:
        return {_name(pid): _cost(pid) for pid in _children(self._supervisor)}


@contextmanager
def product(port: int, environment: Mapping[str, str]) -> Iterator[Running]:
    """`silvertalk up` with these settings, from ready to stopped."""
    with tempfile.TemporaryDirectory(prefix="st") as folder:
        settings = {
            **os.environ,
            "DATA_DIR": folder,
            "CACHE_DIR": os.environ.get("CACHE_DIR", str(Path(tempfile.gettempdir()) / "silvertalk-weights")),
            "PORT": str(port),
            "GUESTS_PER_MINUTE": "10000",
            "LOG_LEVEL": "warning",
            **environment,
        }
        process = subprocess.Popen([sys.executable, "-m", "silvertalk", "up"], env=settings, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_ready(url, process)
            yield Running(url, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(90)


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the product ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise SystemExit("the product did not become ready")


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _name(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    if "gpu_node" in command:
        return "node"
    return "gateway" if "silvertalk" in command and "gateway" in command else "valkey"


def _cost(pid: int) -> Cost:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return Cost((int(fields[11]) + int(fields[12])) / _TICKS, peak / 1024)
