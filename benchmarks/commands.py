"""What a conversation costs in Redis commands, as hosted Redis bills them: `python -m benchmarks.commands`.

A gateway and a node with scripted engines over a Valkey, counted by the server itself (`INFO commandstats`) in three
states: nobody there, one microphone open in a quiet room, one person talking with the puppy in real time; and a worker
by itself that has nothing to do, for five minutes, since some of what it does is as rare as that. Commands that
a script runs inside the server count as well there, so that a bill is not above what is printed here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from gpu_node.engines.scripted import ScriptedTts
from silvertalk.job_running import JobRunner
from silvertalk.worker import JobWorker, work_parts
from streaming.protocol import TurnCommitted
from tests import product
from tests.caller import Caller, calling
from tests.streaming.voice import vowels
from tests.valkey import Valkey, running_valkey

PATIENCE_SECONDS = 60.0
SPEECH_MS = 5_000
PAUSE_SECONDS = 2.0
"""Between the end of a reply and the person's next word."""
SETTLING_SECONDS = 5.0
"""A worker's start costs once what is not counted."""
REPLY_BYTES_A_SECOND = 48_000


async def count(server: Valkey, state: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    """The commands that the server runs during `state`, by name and by the hour."""
    before, began = server.calls(), time.monotonic()
    await state()
    seconds = time.monotonic() - began
    made = Counter(server.calls())
    made.subtract(before)
    made.pop("ping", None)  # the counting client's own
    return {
        "seconds": round(seconds, 1),
        "commands": {name: number for name, number in made.most_common() if number},
        "per_hour": round(sum(made.values()) / seconds * 3600),
    }


async def converse(caller: Caller, turns: int) -> None:
    for turn in range(1, turns + 1):
        await caller.say(vowels(SPEECH_MS, seed=turn))
        await caller.wait_for(TurnCommitted, turn=turn)
        await asyncio.sleep(PAUSE_SECONDS)


async def measure(turns: int, seconds: float) -> dict[str, Any]:
    with running_valkey() as server, tempfile.TemporaryDirectory(prefix="st") as folder:
        settings = product.settings(server.url, Path(folder))
        voice = ScriptedTts(rtf=0.2)
        async with product.gateway(settings) as gateway, product.node(server.url, tts=voice):
            results = {"nobody there": await count(server, lambda: asyncio.sleep(seconds))}
            async with calling(gateway.url, patience_seconds=PATIENCE_SECONDS) as caller:
                results["a microphone in a quiet room"] = await count(server, lambda: asyncio.sleep(seconds))
                talk = await count(server, lambda: converse(caller, turns))
                talk["turns"] = turns
                talk["speech_seconds"] = turns * SPEECH_MS / 1000
                heard = sum(len(caller.audio(turn)) for turn in range(1, turns + 1))
                talk["reply_seconds"] = round(heard / REPLY_BYTES_A_SECOND, 1)
                results["a conversation"] = talk
    return results


async def measure_worker(seconds: float) -> dict[str, Any]:
    with running_valkey() as server, tempfile.TemporaryDirectory(prefix="st") as folder:
        settings = product.settings(server.url, Path(folder))
        async with work_parts(settings) as parts:
            runner = JobRunner(parts, slots=settings.worker_slots, lease_seconds=settings.job_lease_seconds)
            worker = JobWorker(parts, runner)
            working = asyncio.create_task(worker.run(), name="worker")
            await asyncio.sleep(SETTLING_SECONDS)
            counted = await count(server, lambda: asyncio.sleep(seconds))
            worker.stop()
            await working
    return {"a worker with nothing to do": counted}


async def measure_all(turns: int, seconds: float, worker_seconds: float) -> dict[str, Any]:
    return await measure(turns, seconds) | await measure_worker(worker_seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two silent states")
    parser.add_argument("--worker-seconds", type=float, default=300.0, help="of the worker that has nothing to do")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure_all(options.turns, options.seconds, options.worker_seconds)), indent=2))


if __name__ == "__main__":
    main()
