"""What the bus costs: `python -m benchmarks.bus`.

A Valkey from the wheel, a gateway in this process and a node in another that says back what it hears, over a unix
socket.

    round trip       one batch up, the node's answer down: append to delivery, nothing else going on
    under load       the same while N turns each speak 25 batches a second, as live microphones do
    appends          how many a second one process writes when it need not wait for each
    commands         what one hour of speech costs in Redis commands, as hosted Redis bills them
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import redis
import uvloop

from streaming.bus import Bus, ClaimedTurn, OpenTurn
from streaming.bus.entries import Entry
from streaming.messages import AudioBatch, Claimed, TurnOpened
from tests.valkey import Valkey, running_valkey

PCM = bytes(1280)
"""40 ms of microphone."""


class Speaker:
    """One turn whose every batch is answered; `latencies_ms` are from append to the delivery of the answer."""

    def __init__(self) -> None:
        self.latencies_ms: list[float] = []
        self.answered = asyncio.Event()
        self._said_at: dict[int, float] = {}
        self.turn: OpenTurn | None = None

    async def open(self, bus: Bus, number: int) -> None:
        session = f"{number:032x}"
        opened = TurnOpened(session=session, turn=1, language="ko", reply_rate=24_000)
        self.turn = await bus.turns(session).open(opened, epoch=1, deliver=self.hear)
        await self.answered.wait()

    def say(self, number: int) -> None:
        assert self.turn is not None
        self.answered.clear()
        self._said_at[number] = time.perf_counter()
        self.turn.up.append_soon(AudioBatch(first_sample=number, pcm=PCM))

    def hear(self, found: Sequence[Entry]) -> None:
        now = time.perf_counter()
        for _, message in found:
            if isinstance(message, AudioBatch):
                self.latencies_ms.append((now - self._said_at.pop(message.first_sample)) * 1000)
        self.answered.set()


async def answer(url: str, slots: int) -> None:
    """The node: claims every turn and says back what it hears, until it is killed."""
    async with Bus.open([url], name="node", lease_ms=60_000) as bus:
        held: list[ClaimedTurn] = []
        while True:
            for claimed in await bus.claims.next(slots):
                claimed.down.append_soon(Claimed(node="node", delivery=1, stt="", tts="", llm=""))
                claimed.follow(lambda found, claimed=claimed: echo(claimed, found))  # type: ignore[misc]
                held.append(claimed)


def echo(claimed: ClaimedTurn, found: Sequence[Entry]) -> None:
    for _, message in found:
        if isinstance(message, AudioBatch):
            claimed.down.append_soon(message)


def spread(latencies_ms: list[float]) -> dict[str, float]:
    ordered = sorted(latencies_ms)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p90_ms": round(ordered[len(ordered) * 9 // 10], 3),
        "p99_ms": round(ordered[len(ordered) * 99 // 100], 3),
        "count": len(ordered),
    }


async def measure(server: Valkey, turns: Sequence[int], seconds: float) -> dict[str, Any]:
    results: dict[str, Any] = {}
    async with Bus.open([server.url], name="gateway") as bus:
        lonely = Speaker()
        await lonely.open(bus, 0)
        for number in range(3_000):
            lonely.say(number)
            await lonely.answered.wait()
        results["round trip"] = spread(lonely.latencies_ms[500:])
        for count in turns:
            results[f"under load, {count} turns"] = await under_load(server, bus, count, seconds, batch_ms=40)
        results["one turn, batches of 100 ms"] = await under_load(server, bus, 1, seconds, batch_ms=100)
        results["appends"] = await appends(server, bus)
    return results


async def under_load(server: Valkey, bus: Bus, count: int, seconds: float, *, batch_ms: int) -> dict[str, Any]:
    """`count` turns that each say a batch every `batch_ms`, not in step, and are answered as often."""
    speakers = [Speaker() for _ in range(count)]
    for number, speaker in enumerate(speakers):
        await speaker.open(bus, (count * 1000 + batch_ms) * 1_000_000 + number)
    before = sum(server.calls().values())
    cpu = cpu_seconds()
    loop = asyncio.get_running_loop()
    begins = loop.time()

    async def speak(speaker: Speaker, delay: float) -> None:
        for number in range(int(seconds * 1000 / batch_ms)):
            await asyncio.sleep(max(0.0, begins + delay + number * batch_ms / 1000 - loop.time()))
            speaker.say(number)

    await asyncio.gather(*(speak(each, batch_ms / 1000 * at / count) for at, each in enumerate(speakers)))
    await asyncio.sleep(0.2)
    spent = (cpu_seconds() - cpu) / count / seconds
    commands = (sum(server.calls().values()) - before) / count / seconds
    for speaker in speakers:
        assert speaker.turn is not None
        await speaker.turn.close("done")
    latencies = [each for speaker in speakers for each in speaker.latencies_ms]
    return spread(latencies) | {
        "gateway_cpu_us_per_batch": round(spent * batch_ms * 1000, 1),
        "commands_per_turn_hour": round(commands * 3600),
    }


async def appends(server: Valkey, bus: Bus) -> dict[str, float]:
    """A hundred streams, a hundred appends each at a time."""
    speakers = [Speaker() for _ in range(100)]
    for number, speaker in enumerate(speakers):
        await speaker.open(bus, 10**12 + number)
    ups = [speaker.turn.up for speaker in speakers if speaker.turn is not None]
    quiet = AudioBatch(first_sample=0, pcm=PCM)
    for speaker in speakers:
        assert speaker.turn is not None
        bus.server_for("any").unfollow(speaker.turn.down_key)
    began = time.perf_counter()
    for _ in range(10):
        for up in ups:
            for _ in range(20):
                up.append_soon(quiet)
        await asyncio.gather(*(up.flush() for up in ups))
    return {"pipelined_per_second": round(20_000 / (time.perf_counter() - began))}


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def bare(server: Valkey) -> dict[str, float]:
    """For comparison: redis-py alone, awaiting an XADD and then reading it back, in one process without any waiting."""

    async def run() -> list[float]:
        client = redis.asyncio.Redis(unix_socket_path=server.socket)
        latencies = []
        last = "0-0"
        for number in range(2_000):
            began = time.perf_counter()
            await client.xadd("silvertalk:bare", {"m": PCM}, id=f"1-{number + 1}")
            found: Any = await client.xread({"silvertalk:bare": last})
            last = found[0][1][-1][0]
            latencies.append((time.perf_counter() - began) * 1000)
        await client.delete("silvertalk:bare")
        await client.aclose()
        return latencies

    return spread(run_on_uvloop(run))


def run_on_uvloop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, nargs="*", default=[10, 50, 100])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--answer", metavar="URL", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        run_on_uvloop(lambda: answer(options.answer, 1_000))
        return
    with running_valkey() as server:
        results: dict[str, Any] = {"redis-py alone, XADD then XREAD": bare(server)}
        node = subprocess.Popen([sys.executable, "-m", "benchmarks.bus", "--answer", server.url])
        try:
            results |= run_on_uvloop(lambda: measure(server, options.turns, options.seconds))
        finally:
            node.kill()
            node.wait()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
