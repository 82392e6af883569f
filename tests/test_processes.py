"""The product as the processes that it is: started, asked, killed, stopped."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streaming.protocol import SpokenAudio, TurnCommitted
from tests import product
from tests.caller import Caller, calling
from tests.ports import free_port
from tests.processes import (
    SCRIPTED,
    START_SECONDS,
    Process,
    answer,
    command_of,
    started,
    until_answers,
    until_gone,
)
from tests.streaming.voice import silence, vowels
from tests.valkey import Valkey


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a unix socket stands in it."""
    with tempfile.TemporaryDirectory(prefix="st") as name:
        yield Path(name)


def node_of(up: Process) -> int:
    return next(pid for pid in up.children() if "gpu_node" in command_of(pid))


async def address(up: Process) -> str:
    """What it prints when it can be talked to."""
    line = await up.printed("SilverTalk: http")
    await up.printed("It listens")
    found = re.search(r"http://[0-9.:]+", line)
    assert found is not None
    return found.group()


async def say(caller: Caller, text: str, turn: int) -> None:
    await caller.client.say_text(text)
    assert (await caller.wait_for(TurnCommitted, turn=turn)).heard


async def test_up_talks_outlives_its_node_and_stops_without_a_trace(folder: Path) -> None:
    async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **SCRIPTED) as up:
        url = await address(up)
        ready = await until_answers(url, "/readyz", 200, database="up")
        workers = ready["parts"].pop("workers")  # the supervisor starts it beside the rest: it may be a moment later
        assert (ready["parts"], workers in "01") == ({"bus": "up", "database": "up", "media": "up", "nodes": "1"}, True)
        async with calling(url, patience_seconds=START_SECONDS) as caller:
            await say(caller, "안녕하세요, 복실아.", turn=1)
            await caller.say(silence(300) + vowels(1500))
            spoken = await caller.wait_for(TurnCommitted, turn=2)
            assert spoken.outcome == "answered" and spoken.heard

            killed = node_of(up)
            os.kill(killed, signal.SIGKILL)
            await say(caller, "거기 있어요?", turn=3)
            assert node_of(up) != killed
        children = up.children()
        assert len(children) == 5  # Valkey, the practice Kakao, gateway, worker, node
        up.signal(signal.SIGINT)
        assert await up.ended() == 0
        assert not [command for command in map(command_of, children) if command]
    assert not [line for line in up.lines if "Traceback" in line or "never awaited" in line]
    with closing(sqlite3.connect(folder / "silvertalk.sqlite3")) as database:
        rows = database.execute("SELECT number, outcome, typed FROM turns ORDER BY number").fetchall()
        [ended] = database.execute("SELECT ended_at FROM sessions").fetchall()
    assert rows == [(1, "answered", 1), (2, "answered", 0), (3, "answered", 1)]
    assert ended[0] is not None


async def test_its_children_die_with_a_supervisor_that_is_killed(folder: Path) -> None:
    async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **SCRIPTED) as up:
        await address(up)
        children = up.children()
        assert len(children) == 5  # Valkey, the practice Kakao, gateway, worker, node
        up.signal(signal.SIGKILL)
        await until_gone(children)


async def test_a_gateway_told_to_stop_finishes_the_turn_in_hand(folder: Path, valkey: Valkey) -> None:
    port = str(free_port())
    settings = {"DATA_DIR": str(folder), "PORT": port, "BUS_URLS": valkey.url}
    async with started("silvertalk", "gateway", **settings) as gateway, product.node(valkey.url):
        url = f"http://127.0.0.1:{port}"
        await until_answers(url, "/readyz", 200)
        async with calling(url, microphone=False) as caller:
            await caller.client.say_text("끝까지 들려주세요.")
            await caller.wait_for(SpokenAudio, turn=1)
            gateway.signal(signal.SIGTERM)
            committed = await caller.wait_for(TurnCommitted, turn=1)
        assert await gateway.ended() == 0
    assert "Reconnect" in caller.kinds()
    with closing(sqlite3.connect(folder / "silvertalk.sqlite3")) as database:
        [(outcome, heard, interrupted)] = database.execute("SELECT outcome, heard, interrupted FROM turns").fetchall()
    assert (outcome, heard, interrupted) == ("answered", committed.heard, 0)
    assert committed.heard


async def test_a_gateway_starts_with_nothing_there_and_recovers_as_it_comes(folder: Path, own_valkey: Valkey) -> None:
    own_valkey.kill()
    (folder / "data").touch()  # where the database's folder should be
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    settings = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder}/data/silvertalk.sqlite3",
        "PORT": port,
        "BUS_URLS": own_valkey.url,
    }
    async with started("silvertalk", "gateway", **settings):
        away = await until_answers(url, "/readyz", 503)
        assert away["parts"] == {"bus": "away", "database": "away", "media": "up", "nodes": "0", "workers": "0"}
        assert (await answer(url, "/livez"))[0] == 200

        own_valkey.start()
        await until_answers(url, "/readyz", 503, bus="up")
        async with product.node(own_valkey.url):
            degraded = await until_answers(url, "/readyz", 200)
            assert degraded["degraded"] == ["database", "workers"]
            async with calling(url, microphone=False) as caller:
                await caller.client.say_text("데이터베이스가 없어도 이야기해요.")
                await caller.wait_for(SpokenAudio, turn=1)
                (folder / "data").unlink()
                committed = await caller.wait_for(TurnCommitted, turn=1)
            assert committed.heard
            whole = await until_answers(url, "/readyz", 200, database="up")
            assert whole["degraded"] == ["workers"]
