"""What open microphones cost the gateway while nobody speaks.

    python -m benchmarks.microphones

Opens 1, 16 and 64 microphones in a quiet room (noise at -75 dBFS) against the whole product, whose engines are
scripted, and reads the gateway's CPU time from /proc. The clients run in this process.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.product import Running, product
from silvertalk.client import TalkClient, talk
from silvertalk.login import log_in_as_guest
from streaming.audio import float_to_pcm16

SCRIPTED = {"STT_ENGINE": "scripted", "TTS_ENGINE": "scripted", "LLM_ENGINES": "scripted", "END_OF_TURN": "off"}
FRAME_SECONDS = 0.02
ROOM_DBFS = -75.0


async def _microphone(client: TalkClient, room: bytes, seconds: float, phase: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + phase
    for number in range(int(seconds / FRAME_SECONDS)):
        at = number * 640 % (len(room) - 640)
        await client.send_audio(room[at : at + 640])
        due += FRAME_SECONDS
        await asyncio.sleep(max(0.0, due - loop.time()))


async def _measure(running: Running, count: int, seconds: float) -> float:
    """CPU seconds of the gateway per second, with `count` microphones open."""
    rng = np.random.default_rng(0)
    room = float_to_pcm16(rng.standard_normal(16_000 * 4) * 10 ** (ROOM_DBFS / 20))
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            guest = await log_in_as_guest(running.url)
            clients.append(await stack.enter_async_context(talk(running.url, guest)))
        before = running.costs()["gateway"].cpu_seconds
        await asyncio.gather(
            *(_microphone(client, room, seconds, FRAME_SECONDS * n / count) for n, client in enumerate(clients))
        )
        return (running.costs()["gateway"].cpu_seconds - before) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 1, 16, 64])
    options = parser.parse_args()
    console = Console()
    table = Table("microphones", "gateway, CPU ms a second", "per microphone, ms a second", "microphones a core")
    with product(options.port, SCRIPTED) as running:
        for count in options.counts:
            with console.status(f"{count} microphones, {options.seconds:.0f} s"):
                if count:
                    used = asyncio.run(_measure(running, count, options.seconds))
                else:
                    before = running.costs()["gateway"].cpu_seconds
                    asyncio.run(asyncio.sleep(options.seconds))
                    used = (running.costs()["gateway"].cpu_seconds - before) / options.seconds
            each = used / count * 1000 if count else 0.0
            table.add_row(
                str(count),
                f"{used * 1000:.1f}",
                f"{each:.2f}" if count else "-",
                f"{1000 / each:.0f}" if each else "-",
            )
    console.print(table)


if __name__ == "__main__":
    main()
