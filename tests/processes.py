"""Real processes for tests: started with a clean environment, watched through what they print, killed if they stay."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 60.0
"""A Python process with all its imports, on a machine where others compile."""

SCRIPTED = {
    "STT_ENGINE": "scripted:pass_ms=20",
    "TTS_ENGINE": "scripted:rtf=0.02",
    "LLM_ENGINES": "scripted:first_token_ms=10,tokens_per_second=400",
    "END_OF_TURN": "off",
    "FILLER_AFTER_MS": "0",
}


ROOT = Path(__file__).resolve().parents[1]


class Process:
    """One program under test. `lines` grows with what it prints on standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read(), name=f"read {process.pid}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, when it has one."""
        async with asyncio.timeout(START_SECONDS):
            return await self._process.wait()

    async def gone(self) -> None:
        """It has ended, whenever that is."""
        await self._process.wait()

    async def printed(self, text: str, seconds: float = START_SECONDS) -> str:
        """The first line with `text`; fails where the process ends without."""
        async with asyncio.timeout(seconds), self._news:
            while (line := next((line for line in self.lines if text in line), None)) is None:
                assert not self._reading.done(), "\n".join(self.lines)
                await self._news.wait()
        return line

    def children(self) -> list[int]:
        return children_of(self.pid)

    async def stop(self) -> None:
        for pid in [*reversed(self.children()), self.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            async with self._news:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


async def start(*command: str, **environment: str) -> Process:
    """`python -m command`, with nothing of this shell's settings. Whoever asks for it has to stop it."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        env=clean | {"LOG_LEVEL": "info", "COLUMNS": "200"} | environment,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    return Process(process)


@asynccontextmanager
async def started(*command: str, **environment: str) -> AsyncIterator[Process]:
    """The same, stopped at the block's end."""
    running = await start(*command, **environment)
    try:
        yield running
    finally:
        await running.stop()


class Nodes:
    """Nodes by name, each a process that may be killed and started again."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: dict[str, Process] = {}
        self._supervising: set[asyncio.Task[None]] = set()

    def __getitem__(self, name: str) -> Process:
        return self._running[name]

    async def start(self, *names: str) -> None:
        """Returns when they are warm."""
        for name in names:
            self._running[name] = await start("gpu_node", **(self._environment | {"NODE_NAME": name}))
        for name in names:
            await self._running[name].printed("node_warm")

    async def kill(self, name: str) -> None:
        """kill -9, at once; returns when it is gone."""
        self._running[name].signal(signal.SIGKILL)
        await self._running[name].stop()

    def keep_alive(self, name: str) -> None:
        """Start it again whenever it ends, as a supervisor would."""
        task = asyncio.create_task(self._keep_alive(name), name=f"supervise {name}")
        self._supervising.add(task)

    async def _keep_alive(self, name: str) -> None:
        while True:
            await self._running[name].gone()
            await self.start(name)

    async def stop(self) -> None:
        for task in self._supervising:
            task.cancel()
        if self._supervising:
            await asyncio.wait(self._supervising)
        for process in self._running.values():
            await process.stop()


@asynccontextmanager
async def nodes(*names: str, **environment: str) -> AsyncIterator[Nodes]:
    """These nodes, warm; whichever live at the block's end are stopped."""
    running = Nodes(environment)
    try:
        await running.start(*names)
        yield running
    finally:
        await running.stop()


def children_of(pid: int) -> list[int]:
    """Its living children, and theirs."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                child = int(stat.parent.name)
                found += [child, *children_of(child)]
    return found


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return ""


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while any(command_of(pid) for pid in pids):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.05)


async def answer(url: str, path: str) -> tuple[int, Any]:
    """GET, status and body; (0, None) while nobody listens."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        try:
            response = await client.get(url + path)
        except httpx.TransportError:
            return 0, None
    return response.status_code, response.json() if "json" in response.headers.get("content-type", "") else None


async def until_answers(url: str, path: str, status: int, **parts: str) -> Any:
    """Ask until the answer has this status and its `parts` are so; returns its body."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            found, body = await answer(url, path)
            if found == status and all(body["parts"][name] == state for name, state in parts.items()):
                return body
            await asyncio.sleep(0.05)
