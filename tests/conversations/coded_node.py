"""A node with the coded engines; `python -m tests.conversations.coded_node` is one as a process, to be killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from gpu_node.engines.scripted import ScriptedTurnEnd
from streaming.logs import configure
from tests import product
from tests.conversations.engines import CaseLlm, CodedStt, CodedTts, Pace, finality_of


class Script(msgspec.Struct, frozen=True):
    """What a node is told of a case."""

    pace: Pace
    replies: list[str]
    first_token_ms: list[float] = []


@asynccontextmanager
async def coded_node(bus_url: str, script: Script, *, name: str = "node-1") -> AsyncIterator[CaseLlm]:
    """A warm node; its LLM, which keeps what it was asked."""
    pace = script.pace
    llm = CaseLlm(pace, script.replies, script.first_token_ms)
    async with product.node(
        bus_url,
        name=name,
        slots=8,
        stt=CodedStt(pace),
        llm=llm,
        tts=CodedTts(pace),
        turn_end=ScriptedTurnEnd(ms=pace.score_ms, of_audio=finality_of) if pace.scores else None,
        filler_after_ms=pace.filler_after_ms,
        speculations_per_minute=pace.speculations_per_minute,
    ):
        yield llm


async def _until_killed(bus_url: str, name: str, script: Script) -> None:
    async with coded_node(bus_url, script, name=name):
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure(level="info")
    asyncio.run(_until_killed(sys.argv[1], sys.argv[2], msgspec.json.decode(sys.argv[3], type=Script)))
