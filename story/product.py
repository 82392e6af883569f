"""The product as `make demo` starts it, for as long as the story lasts: `silvertalk up` in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

UP_SECONDS = 180.0
DOWN_SECONDS = 60.0
_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/demo")
_LISTENS = "복실이가 듣고 있어요"


class NotUp(Exception):
    """The product did not come up; its last lines."""


@asynccontextmanager
async def product(folder: Path, **settings: str) -> AsyncIterator[str]:
    """The whole product with its data in `folder`, which exists, on a free port; yields its address once its models are
    warm."""
    chosen = {"PORT": str(_free_port()), "DATA_DIR": str(folder), "LOG_LEVEL": "warning"}
    command = sys.executable, "-m", "silvertalk", "up"
    with (folder / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | chosen | settings, stderr=asyncio.subprocess.PIPE
        )
        out = process.stderr
        assert out is not None
        try:
            address = await _address(out, log)
            draining = asyncio.create_task(_drain(out, log), name="story: what the product still says")
            try:
                yield address
            finally:
                await _end(process)
                await draining
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(DOWN_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
    return port


async def _address(out: asyncio.StreamReader, log: BinaryIO) -> str:
    said: list[str] = []
    address = ""
    try:
        async with asyncio.timeout(UP_SECONDS):
            while raw := await out.readline():
                log.write(raw)
                said.append(line := raw.decode("utf-8", "replace"))
                if found := _ADDRESS.search(line):
                    address = found[1]
                if _LISTENS in line and address:
                    return address
    except TimeoutError:
        pass
    raise NotUp("".join(said[-20:]) or "it said nothing")


async def _drain(out: asyncio.StreamReader, log: BinaryIO) -> None:
    while piece := await out.read(65_536):
        log.write(piece)
