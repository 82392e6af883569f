"""Nodes are killed with a turn in hand, and the turn goes on.

Real node processes; engines of a stated pace, so that it is known what the node was doing when it was killed; a kill
waits for what the client has seen, never for a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from gpu_node.engines.scripted import REPLIES
from gpu_node.spoken_beforehand import APOLOGIES
from streaming.bus import Bus, names
from streaming.messages import Claimed
from streaming.protocol import (
    FinalTranscript,
    FloorMoved,
    PartialTranscript,
    ReplyEnded,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)
from tests import product
from tests.caller import Caller, calling
from tests.processes import Nodes, nodes
from tests.streaming.voice import vowels
from tests.valkey import Valkey, running_valkey

KILLS = (3, 3)
"""Six at each stage, in conversations that run side by side to save time."""
LEASE_MS = 1000
"""Half of what it is in earnest, so that thirty kills do not take half a day."""
NEVER_MS = 120_000
"""A lease that no test sees the end of: nobody takes a turn over."""
PATIENCE_SECONDS = 60.0
QUICK = {
    "STT_ENGINE": "scripted:pass_ms=20",
    "LLM_ENGINES": "scripted:first_token_ms=10,tokens_per_second=400",
    "TTS_ENGINE": "scripted:rtf=0.02,ms_per_character=60",
    "PARTIAL_INTERVAL_MS": "300",
}

Reached = Callable[[Caller, int], Awaitable[object]]


@dataclass(frozen=True)
class Stage:
    """A point in a turn's life. `reached` returns when the node is there, and stays there for a while."""

    name: str
    reached: Reached
    engines: dict[str, str] = field(default_factory=dict)
    speech_ms: int = 900


async def captions_flow(caller: Caller, turn: int) -> None:
    await caller.until(lambda: any(partial.stable for partial in caller.all(PartialTranscript, turn=turn)))


async def pause_came(caller: Caller, turn: int) -> None:
    await caller.wait_for(FloorMoved, turn=turn, state="paused")
    assert not caller.all(TurnEnded, turn=turn)


async def endpoint_came(caller: Caller, turn: int) -> None:
    await caller.wait_for(TurnEnded, turn=turn)
    assert not caller.all(FinalTranscript, turn=turn)


async def words_are_final(caller: Caller, turn: int) -> None:
    await caller.wait_for(FinalTranscript, turn=turn)
    assert not caller.all(SpokenText, turn=turn)


async def second_sentence_began(caller: Caller, turn: int) -> None:
    await caller.wait_for(SpokenAudio, turn=turn, sentence=1)
    assert not caller.all(ReplyEnded, turn=turn)


LONG_PASS = {"STT_ENGINE": "scripted:pass_ms=1300"}
"""Longer than the endpoint's wait: the pass begins before it and ends after it."""
STAGES = (
    Stage("while captions flow", captions_flow, speech_ms=2000),
    Stage("in the final pass, at a pause", pause_came, LONG_PASS),
    Stage("in the final pass, after the endpoint", endpoint_came, LONG_PASS),
    Stage("before the first sentence", words_are_final, {"LLM_ENGINES": "scripted:first_token_ms=800"}),
    Stage("in the second sentence", second_sentence_began, {"TTS_ENGINE": "scripted:rtf=0.5,ms_per_character=60"}),
)
at_each_stage = pytest.mark.parametrize("stage", STAGES, ids=[stage.name.replace(" ", "-") for stage in STAGES])


@dataclass
class Conversation:
    """One caller, whose every turn loses its node at the same stage."""

    caller: Caller
    nodes: Nodes
    valkey: Valkey
    stage: Stage
    turn: int = 0
    speaking: asyncio.Task[None] | None = None

    async def reach(self) -> None:
        """Say something, and wait until the turn is at the stage."""
        self.turn += 1
        self.speaking = asyncio.create_task(self.caller.say(vowels(self.stage.speech_ms, seed=self.turn)))
        await self.stage.reached(self.caller, self.turn)

    async def lose_node(self) -> str:
        """Kill the node that has the turn when the stage is reached. Its name."""
        await self.reach()
        [(holder, delivery)] = self.valkey.pending(names.OFFERS, names.NODES)
        assert delivery == 1
        await self.nodes.kill(holder)
        assert self.speaking is not None
        await self.speaking
        return holder


@asynccontextmanager
async def conversation(valkey: Valkey, folder: Path, stage: Stage, *, lease_ms: int) -> AsyncIterator[Conversation]:
    """A gateway, two nodes and a caller."""
    chosen = product.settings(valkey.url, folder, lease_ms=lease_ms)
    environment = QUICK | stage.engines | {"BUS_URLS": valkey.url, "LEASE_MS": str(lease_ms)}
    async with product.gateway(chosen) as served, nodes("first", "second", **environment) as pair:
        async with calling(served.url, patience_seconds=PATIENCE_SECONDS) as caller:
            yield Conversation(caller, pair, valkey, stage)
            session = caller.client.ready.session
        rows = await served.parts.database.turns(session)
    said = {committed.turn: committed.heard for committed in caller.all(TurnCommitted)}
    assert {row.number: row.heard for row in rows if row.outcome == "answered" and not row.interrupted} == said


def answered_whole(caller: Caller, turn: int) -> None:
    """The turn reads as if nobody had died: said once, heard whole, committed once."""
    reply = REPLIES["ko"][(turn - 1) % len(REPLIES["ko"])]
    [committed] = caller.all(TurnCommitted, turn=turn)
    [final] = caller.all(FinalTranscript, turn=turn)
    [ended] = caller.all(ReplyEnded, turn=turn)
    texts, pieces = caller.all(SpokenText, turn=turn), caller.all(SpokenAudio, turn=turn)
    assert final.text and ended.reason == "completed"
    assert (committed.outcome, committed.heard) == ("answered", reply)
    # A sentence that broke off is shown whole and voiced from its next word by another node, which shows those again.
    shown = [text.text for text in texts]
    assert " ".join(text for before, text in pairwise(["", *shown]) if not before.endswith(text)) == reply
    assert [text.sentence for text in texts] == list(range(len(texts)))
    position = 0
    for sequence, piece in enumerate(pieces):
        assert (piece.sequence, piece.first_sample) == (sequence, position)
        position += piece.samples
    assert len(caller.audio(turn)) == 2 * position


@at_each_stage
async def test_another_node_goes_on(tmp_path: Path, stage: Stage) -> None:
    """Six nodes are killed and every turn is answered whole.

    Meanwhile, in another conversation, leases do not run out. A living node with free slots is there too, and in the
    time that others need for three such turns this one is not answered; it still belongs to the dead node.
    """
    with ExitStack() as servers:
        without, *others = [servers.enter_context(running_valkey()) for _ in range(1 + len(KILLS))]
        async with conversation(without, tmp_path / "without", stage, lease_ms=NEVER_MS) as stranded:
            killed = await stranded.lose_node()
            async with asyncio.TaskGroup() as group:
                for number, (valkey, kills) in enumerate(zip(others, KILLS, strict=True)):
                    group.create_task(answered_after_each_kill(valkey, tmp_path / str(number), stage, kills))
            assert not stranded.caller.all(TurnCommitted) and not stranded.caller.all(ReplyEnded)
            assert without.pending(names.OFFERS, names.NODES) == [(killed, 1)]


async def answered_after_each_kill(valkey: Valkey, folder: Path, stage: Stage, kills: int) -> None:
    async with conversation(valkey, folder, stage, lease_ms=LEASE_MS) as talk:
        for turn in range(1, kills + 1):
            killed = await talk.lose_node()
            await talk.caller.wait_for(TurnCommitted, turn=turn)
            answered_whole(talk.caller, turn)
            await talk.nodes.start(killed)


async def test_a_stopped_node_that_wakes_is_fenced(valkey: Valkey, tmp_path: Path) -> None:
    """It was taken for dead. What it still writes is refused by its lease's number, and it serves the next turn."""
    stage = STAGES[-1]
    async with conversation(valkey, tmp_path, stage, lease_ms=LEASE_MS) as talk:
        await talk.reach()
        [(sleeper, _)] = valkey.pending(names.OFFERS, names.NODES)
        [other] = {"first", "second"} - {sleeper}
        talk.nodes[sleeper].signal(SIGSTOP)
        await talk.nodes[other].printed("delivery=2")
        talk.nodes[sleeper].signal(SIGCONT)
        await talk.nodes[sleeper].printed("_lost ")
        await talk.caller.wait_for(TurnCommitted, turn=1)
        answered_whole(talk.caller, 1)
        down = valkey.ids(names.down(talk.caller.client.ready.session, 1))
        leases = [int(entry_id.partition("-")[0]) for entry_id in down]
        assert leases == sorted(leases) and set(leases) == {0, 1, 2}

        await talk.nodes.kill(other)
        await talk.reach()
        assert valkey.pending(names.OFFERS, names.NODES) == [(sleeper, 1)]
        await talk.caller.wait_for(TurnCommitted, turn=2)
        answered_whole(talk.caller, 2)


async def test_a_turn_that_kills_its_nodes_ends_with_an_apology(valkey: Valkey, tmp_path: Path) -> None:
    """Two people talk. What one of them says takes three nodes down; it is given up aloud, the other is answered."""
    chosen = product.settings(valkey.url, tmp_path, lease_ms=LEASE_MS)
    bus = {"BUS_URLS": valkey.url, "LEASE_MS": str(LEASE_MS)}
    poisonous = QUICK | bus | {"STT_ENGINE": "scripted:pass_ms=20,abort_seconds=1.2"}
    async with (
        product.gateway(chosen) as served,
        nodes("first", "second", **poisonous) as pair,
        calling(served.url, patience_seconds=PATIENCE_SECONDS) as unlucky,
        calling(served.url, patience_seconds=PATIENCE_SECONDS) as neighbour,
    ):
        pair.keep_alive("first")
        pair.keep_alive("second")
        failing = asyncio.create_task(unlucky.say(vowels(2500)))
        turn = 0
        while not (given_up := unlucky.find(TurnCommitted, turn=1)):
            turn += 1
            await neighbour.say(vowels(500, seed=turn))
            await neighbour.wait_for(TurnCommitted, turn=turn)
        await failing
        await unlucky.say(vowels(500))
        answered = await unlucky.wait_for(TurnCommitted, turn=2)
        sessions = [caller.client.ready.session for caller in (unlucky, neighbour)]
        rows = [await served.parts.database.turns(session) for session in sessions]
        async with Bus.open([valkey.url], name="reader") as reader:
            down = await reader.turns(sessions[0]).read_down(sessions[0], 1, "-", "+")
    assert [message.delivery for _, message in down if isinstance(message, Claimed)] == [1, 2, 3, 4]
    apology = " ".join(APOLOGIES["ko"])
    assert (given_up.outcome, given_up.heard) == ("failed", apology)
    assert " ".join(text.text for text in unlucky.all(SpokenText, turn=1)) == apology
    assert len(unlucky.audio(1)) > 2 * 24_000
    assert (answered.outcome, bool(answered.heard)) == ("answered", True)
    assert [(row.number, row.outcome) for row in rows[0]] == [(1, "failed"), (2, "answered")]
    assert [(row.number, row.outcome) for row in rows[1]] == [(each, "answered") for each in range(1, turn + 1)]
    for each in range(1, turn + 1):
        answered_whole(neighbour, each)
