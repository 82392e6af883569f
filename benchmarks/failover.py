"""How long a person waits when the node that had their turn is killed.

    python -m benchmarks.failover [--kills 10] [--json FILE]

A Valkey, a gateway and two nodes, each a process, with the settings' own lease; the nodes' engines are scripted, at a
pace like that of a small GPU, so that what is measured is the moving and not a model. Somebody speaks to them; when
the turn reaches a stage, the node that has it dies by SIGKILL. The same turn undisturbed is measured beside it.
Settings in the environment (LEASE_MS, STT_ENGINE, …) win over those here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from streaming.bus import names
from streaming.protocol import (
    Event,
    FinalTranscript,
    FloorMoved,
    PartialTranscript,
    SpokenAudio,
    TurnCommitted,
    TurnEnded,
)
from tests.caller import Caller, calling
from tests.processes import Nodes, nodes, started, until_answers
from tests.streaming.voice import vowels
from tests.valkey import Valkey, running_valkey

ENGINES = {
    "STT_ENGINE": "scripted:pass_ms=300",
    "LLM_ENGINES": "scripted:first_token_ms=300,tokens_per_second=40",
    "TTS_ENGINE": "scripted:rtf=0.3",
    "END_OF_TURN": "off",
    "FILLER_AFTER_MS": "0",
}
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """`reached` by the first event of turn `n` that fulfils it; `next_sign`: what the person notices next."""

    name: str
    reached: Callable[[Event], bool]
    next_sign: type[Event]
    speech_ms: int = 1500


STAGES = (
    Stage(
        "captions flow",
        lambda event: isinstance(event, PartialTranscript) and bool(event.stable),
        PartialTranscript,
        speech_ms=5000,
    ),
    Stage(
        "pause, final pass",
        lambda event: isinstance(event, FloorMoved) and event.state == "paused",
        FinalTranscript,
    ),
    Stage("endpoint", lambda event: isinstance(event, TurnEnded), SpokenAudio),
    Stage("final transcript, LLM", lambda event: isinstance(event, FinalTranscript), SpokenAudio),
    Stage(
        "second sentence",
        lambda event: isinstance(event, SpokenAudio) and event.sentence == 1,
        SpokenAudio,
    ),
)


@dataclass
class Waits:
    """Milliseconds from the stage, one a turn. `dry_ms`: how long the loudspeaker had nothing to play in a reply."""

    claimed_ms: list[float] = field(default_factory=list)
    next_sign_ms: list[float] = field(default_factory=list)
    next_sample_ms: list[float] = field(default_factory=list)
    dry_ms: list[float] = field(default_factory=list)


class Talk:
    """One caller, whose turns are disturbed or left alone."""

    def __init__(self, caller: Caller, pair: Nodes, valkey: Valkey) -> None:
        self._caller = caller
        self._nodes = pair
        self._valkey = valkey
        self._turn = 0

    async def one(self, stage: Stage, waits: Waits, *, kill: bool) -> None:
        self._turn += 1
        turn, caller = self._turn, self._caller
        speaking = asyncio.create_task(caller.say(vowels(stage.speech_ms, seed=turn)))
        clock = asyncio.get_running_loop().time

        def of_turn() -> list[tuple[Event, float]]:
            return [(each.event, each.at) for each in caller.events if getattr(each.event, "turn", 0) == turn]

        await caller.until(lambda: any(stage.reached(event) for event, _ in of_turn()))
        holder = self._valkey.pending(names.OFFERS, names.NODES)[-1][0]
        killed_at = clock()
        if kill:
            await self._nodes.kill(holder)
            other = next(name for name in ("first", "second") if name != holder)
            await self._nodes[other].printed("delivery=2")
            waits.claimed_ms.append((clock() - killed_at) * 1000)
        await caller.wait_for(TurnCommitted, turn=turn)
        await speaking
        after = [(event, at) for event, at in of_turn() if at > killed_at + 0.05]
        waits.next_sign_ms.append((_first(after, stage.next_sign) - killed_at) * 1000)
        waits.next_sample_ms.append((_first(after, SpokenAudio) - killed_at) * 1000)
        waits.dry_ms.append(_dry_seconds(of_turn(), caller.client.ready.output_rate) * 1000)
        if kill:
            await self._nodes.start(holder)


def _first(events: list[tuple[Event, float]], kind: type[Event]) -> float:
    return next(at for event, at in events if isinstance(event, kind))


def _dry_seconds(events: list[tuple[Event, float]], rate: int) -> float:
    """How long a player that plays what comes at once falls silent within the reply."""
    dry, plays_until = 0.0, None
    for event, at in events:
        if isinstance(event, SpokenAudio):
            if plays_until is not None:
                dry += max(0.0, at - plays_until)
            plays_until = max(at, plays_until or at) + event.samples / rate
    return dry


async def measure(kills: int, console: Console) -> dict[str, dict[str, Waits]]:
    measured: dict[str, dict[str, Waits]] = {}
    with running_valkey() as valkey, tempfile.TemporaryDirectory(prefix="st") as folder:
        chosen = {name: value for name, value in os.environ.items() if name in (*ENGINES, "LEASE_MS")}
        gateway = {"BUS_URLS": valkey.url, "DATA_DIR": folder, "PORT": _free_port(), "LOG_LEVEL": "warning"} | chosen
        url = f"http://127.0.0.1:{gateway['PORT']}"
        async with (
            started("silvertalk", "gateway", **gateway),
            nodes("first", "second", **(ENGINES | chosen | {"BUS_URLS": valkey.url})) as pair,
        ):
            await until_answers(url, "/readyz", 200)
            for stage in STAGES:
                waits = measured[stage.name] = {"killed": Waits(), "undisturbed": Waits()}
                for kill in (False, True):
                    async with calling(url, patience_seconds=PATIENCE_SECONDS) as caller:
                        talk = Talk(caller, pair, valkey)
                        for number in range(kills):
                            with console.status(f"{stage.name}: {number + 1} of {kills}, killed: {kill}"):
                                await talk.one(stage, waits["killed" if kill else "undisturbed"], kill=kill)
    return measured


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _shown(values: list[float]) -> str:
    return f"{median(values):.0f} / {max(values):.0f}" if values else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="for each stage")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(width=160)
    measured = asyncio.run(measure(options.kills, console))
    if options.json:
        plain = {stage: {how: vars(waits) for how, waits in each.items()} for stage, each in measured.items()}
        options.json.write_text(json.dumps(plain, indent=2), encoding="utf-8")
    table = Table(
        "killed when",
        "other node has it",
        "next caption, final or sample",
        "next reply sample",
        "the same, undisturbed",
        "ratio",
        "silence within the reply",
        title="ms from the kill, p50 / max",
    )
    for stage, each in measured.items():
        killed, undisturbed = each["killed"], each["undisturbed"]
        table.add_row(
            stage,
            _shown(killed.claimed_ms),
            _shown(killed.next_sign_ms),
            _shown(killed.next_sample_ms),
            _shown(undisturbed.next_sample_ms),
            f"{median(killed.next_sample_ms) / median(undisturbed.next_sample_ms):.1f}",
            _shown(killed.dry_ms),
        )
    console.print(table)


if __name__ == "__main__":
    main()
