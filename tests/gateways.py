"""Gateways as processes, two of them, to be killed in turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM

from tests.ports import free_port
from tests.processes import Process, started, until_answers
from tests.valkey import Valkey

SECRET = "gateways-0123456789-abcdefghijklmnopqrstuvwxyz"


class GatewayProcess:
    """A gateway at one address, that may be killed and started again there."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.url = f"http://127.0.0.1:{environment['PORT']}"
        self._process: Process | None = None
        self._running = started("silvertalk", "gateway", **environment)

    async def start(self) -> None:
        if self._process is not None:
            await self._process.stop()
        self._running = started("silvertalk", "gateway", **self._environment)
        self._process = await self._running.__aenter__()

    async def ready(self) -> None:
        await until_answers(self.url, "/livez", 200)

    def kill(self) -> None:
        assert self._process is not None
        self._process.signal(SIGKILL)

    def terminate(self) -> None:
        assert self._process is not None
        self._process.signal(SIGTERM)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()


@asynccontextmanager
async def two_gateways(valkey: Valkey, folder: Path) -> AsyncIterator[list[GatewayProcess]]:
    """Two that share bus, database and secret, so that either may go on with the other's sessions."""
    gateways = [
        GatewayProcess(
            {
                "DATA_DIR": str(folder),
                "PORT": str(free_port()),
                "BUS_URLS": valkey.url,
                "JWT_SECRET": SECRET,
                "ALLOW_GUESTS": "true",
                "ENDPOINT_WAIT_MS": "1200",
                "LOG_LEVEL": "warning",
            }
        )
        for _ in range(2)
    ]
    try:
        for each in gateways:
            await each.start()
            await each.ready()
        yield gateways
    finally:
        for each in gateways:
            await each.stop()
