"""The product in one process, for journeys: a real gateway on a free port and a real node, over a real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gpu_node.engines import LanguageModel, Looker, SpeechToText, TextToSpeech, TurnEnd
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.pipeline import Engines
from gpu_node.threads import EngineQueue
from gpu_node.turn_ending import TurnEndModel
from gpu_node.worker import Worker
from silvertalk.app import Parts, running
from silvertalk.serving import server_of
from silvertalk.settings import Settings
from streaming.bus import Bus


@dataclass(frozen=True)
class Product:
    """A gateway that serves at `url`."""

    url: str
    parts: Parts


def settings(bus_url: str, folder: Path, **changes: object) -> Settings:
    """Settings of a gateway for tests: a bus that runs already, everything else in `folder`. An utterance ends after a
    fixed wait, where a test does not ask for the one decided on evidence (`endpoint_wait_ms=0`)."""
    chosen = {"port": 0, "log_level": "warning", "endpoint_wait_ms": 700, **changes}
    return Settings.model_validate({"bus_urls": bus_url, "data_dir": folder, **chosen})


@asynccontextmanager
async def gateway(chosen: Settings) -> AsyncIterator[Product]:
    """A gateway on a free port."""
    async with running(chosen) as parts:
        server = server_of(parts)
        serving = asyncio.create_task(server.serve(), name="uvicorn")
        try:
            await _started(server, serving)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Product(f"http://127.0.0.1:{port}", parts)
        finally:
            server.should_exit = True
            server.force_exit = True
            await asyncio.wait([serving])


async def _started(server: object, serving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(10):
        while not getattr(server, "started", False):
            if serving.done():
                serving.result()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def node(
    bus_url: str,
    *,
    name: str = "node-1",
    slots: int = 4,
    stt: SpeechToText | None = None,
    llm: LanguageModel | None = None,
    tts: TextToSpeech | None = None,
    looker: Looker | None = None,
    partials: bool = True,
    turn_end: TurnEnd | None = None,
    filler_after_ms: int = 0,
    speculations_per_minute: int = 600,
) -> AsyncIterator[Worker]:
    """A node with the engines given, scripted ones otherwise; no evidence of the sound and no fillers unless asked
    for."""
    voice = tts or ScriptedTts(rtf=0.02)
    async with (
        EngineQueue("engine") as queue,
        EngineQueue("turn-end") as beside,
        Bus.open([bus_url], name=name) as bus,
    ):
        engines = Engines(
            stt=stt or ScriptedStt(pass_ms=20),
            llm=llm or ScriptedLlm(first_token_ms=10, tokens_per_second=400),
            tts={"ko": voice, "en": voice},
            queue=queue,
            partial_samples=8000 if partials else None,
            turn_end=TurnEndModel(turn_end, beside) if turn_end is not None else None,
            filler_seconds=filler_after_ms / 1000,
            looker=looker,
        )
        worker = Worker(
            bus,
            engines,
            name=name,
            slots=slots,
            lease_ms=2000,
            engine_stall_ms=10_000,
            drain_seconds=5,
            speculations_per_minute=speculations_per_minute,
        )
        await worker.warm_up()
        running_worker = asyncio.create_task(worker.run(), name=name)
        try:
            yield worker
        finally:
            worker.drain()
            await asyncio.wait([running_worker])
            running_worker.result()
