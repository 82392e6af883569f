"""How long a person waits when their connection is cut, or the gateway that had their session is killed.

    python -m benchmarks.coming_back [--times 10] [--json FILE]

A Valkey, two gateways, each a process, and a node with scripted engines: what is measured is the coming back and
not a model. Behind a proxy that leads to the other gateway, somebody speaks; in the midst of what they say, or of the
reply, the connection is reset or the gateway dies by SIGKILL. The client is the project's own, with its own waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from streaming.protocol import Ready, SpeechBegan, SpokenAudio, TurnCommitted
from tests import product
from tests.caller import Caller, calling
from tests.gateways import GatewayProcess, two_gateways
from tests.streaming.voice import silence, vowels
from tests.tcp_proxy import TcpProxy, tcp_proxy
from tests.valkey import running_valkey

REPLY = "그러셨군요, 참 좋은 날이었겠어요. 그때는 누구와 함께 계셨어요? 저도 같이 가고 싶어요."
STAGES = ("speaking", "replying")
PATIENCE_SECONDS = 60.0


@dataclass
class Waits:
    """Milliseconds, one a loss. `next_sample_ms`: to the next reply sample the client had not had; `silence_ms`: how
    long its loudspeaker had nothing to play meanwhile, in a reply that was being played."""

    ready_ms: list[float] = field(default_factory=list)
    next_sample_ms: list[float] = field(default_factory=list)
    silence_ms: list[float] = field(default_factory=list)


async def lose_and_come_back(caller: Caller, stage: str, turn: int, lose: Callable[[], None], waits: Waits) -> None:
    """One turn in which `lose` is called at the stage."""
    clock = asyncio.get_running_loop().time
    speaking = asyncio.create_task(caller.say(silence(300) + vowels(1500)))
    if stage == "speaking":
        await caller.wait_for(SpeechBegan, turn=turn)
        await asyncio.sleep(0.3)
    else:
        await caller.wait_for(SpokenAudio, turn=turn, sequence=3)
    to_play = caller.client.seconds_to_play
    lost_at = clock()
    lose()
    await speaking
    await caller.wait_for(TurnCommitted, turn=turn)
    after = [(each.event, each.at) for each in caller.events if each.at > lost_at]
    waits.ready_ms.append(1000 * (next(at for event, at in after if isinstance(event, Ready)) - lost_at))
    next_sample = next(at for event, at in after if isinstance(event, SpokenAudio)) - lost_at
    waits.next_sample_ms.append(1000 * next_sample)
    if stage == "replying":
        waits.silence_ms.append(1000 * max(0.0, next_sample - to_play))


async def measure(times: int, console: Console) -> dict[str, dict[str, Waits]]:
    measured: dict[str, dict[str, Waits]] = {}
    with running_valkey() as valkey, tempfile.TemporaryDirectory(prefix="st") as folder:
        voice, llm = ScriptedTts(rtf=0.6), ScriptedLlm([REPLY], first_token_ms=50, tokens_per_second=40)
        async with (
            two_gateways(valkey, Path(folder)) as gateways,
            product.node(valkey.url, tts=voice, llm=llm),
            tcp_proxy(gateways[0].url) as proxy,
        ):
            for stage in STAGES:
                waits = measured[stage] = {"cut": Waits(), "killed": Waits()}
                for how in waits:
                    proxy.lead_to(gateways[0].url)
                    async with calling(proxy.url, patience_seconds=PATIENCE_SECONDS) as caller:
                        for number in range(times):
                            with console.status(f"{stage}, {how}: {number + 1} of {times}"):
                                await _once(caller, proxy, gateways, stage, how, number, waits[how])
    return measured


async def _once(
    caller: Caller,
    proxy: TcpProxy,
    gateways: list[GatewayProcess],
    stage: str,
    how: str,
    number: int,
    waits: Waits,
) -> None:
    serving, other = gateways[number % 2], gateways[(number + 1) % 2]
    if how == "cut":
        await lose_and_come_back(caller, stage, number + 1, proxy.cut, waits)
        return
    await other.ready()

    def kill() -> None:
        proxy.lead_to(other.url)
        serving.kill()

    await lose_and_come_back(caller, stage, number + 1, kill, waits)
    await serving.start()
    await serving.ready()


def _shown(values: list[float]) -> str:
    return f"{median(values):.0f} / {max(values):.0f}" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=10, help="for each stage and each kind of loss")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(width=140)
    measured = asyncio.run(measure(options.times, console))
    if options.json:
        plain = {stage: {how: vars(waits) for how, waits in each.items()} for stage, each in measured.items()}
        options.json.write_text(json.dumps(plain, indent=2), encoding="utf-8")
    table = Table(
        "lost while", "how", "`ready` again", "next reply sample", "silence within the reply", title="ms, p50 / max"
    )
    for stage, each in measured.items():
        for how, waits in each.items():
            table.add_row(stage, how, _shown(waits.ready_ms), _shown(waits.next_sample_ms), _shown(waits.silence_ms))
    console.print(table)


if __name__ == "__main__":
    main()
