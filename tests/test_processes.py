"""The product as the processes that it is: started, asked, killed, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from silvertalk import data_folder
from silvertalk.errors import ConfigurationError
from streaming.protocol import SpokenAudio, TurnCommitted, TurnEnded
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
    """What it prints when it can be talked to, and not before."""
    line = await up.printed("SilverTalk: http")
    told = [
        text for text in up.lines if any(word in text for word in ("일어나고", "1/4", "It listens", "SilverTalk: "))
    ]
    assert [word in text for word, text in zip(("일어나고", "1/4", "It listens", "http"), told, strict=True)] == [
        True
    ] * 4
    found = re.search(r"http://[0-9.:]+", line)
    assert found is not None
    return found.group()


def sockets_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_socket()}


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


async def test_a_program_that_cannot_start_with_its_settings_ends_all(folder: Path) -> None:
    settings = SCRIPTED | {"STT_ENGINE": "an ear trumpet"}
    async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **settings) as up:
        assert await up.ended() == 2
        assert "STT_ENGINE" in await up.printed("gpu_node: ")
        await up.printed("node: 이 설정으로는 시작할 수 없어요.")
        assert not up.children()


async def test_a_second_up_in_the_same_folder_is_refused_and_leaves_the_first_alone(folder: Path) -> None:
    async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **SCRIPTED) as first:
        url = await address(first)
        sockets = sockets_in(folder)
        async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **SCRIPTED) as second:
            assert await second.ended() == 2
            assert f"process {first.pid} holds DATA_DIR {folder}" in await second.printed("쓰고 있어요")
            assert len(second.lines) == 1
        assert sockets_in(folder) == sockets >= {"valkey.sock", "gateway.notify", "node.notify"}
        os.kill(node_of(first), signal.SIGKILL)  # the next one needs both sockets
        async with calling(url, patience_seconds=START_SECONDS) as caller:
            await say(caller, "거기 있어요?", turn=1)


def test_the_folder_is_held_until_the_valkey_of_a_killed_up_has_ended(folder: Path) -> None:
    with data_folder.held(folder) as lock:
        left = subprocess.Popen(["sleep", "3600"], pass_fds=[lock])  # as a Valkey that takes its time
    try:
        (folder / data_folder.LOCK).write_text(f"{left.pid}\n")
        with pytest.raises(ConfigurationError, match=f"process {left.pid} holds"), data_folder.held(folder):
            pass
        (folder / data_folder.LOCK).write_text("4194305\n")  # above every process id
        with pytest.raises(ConfigurationError, match="4194305 has left behind"), data_folder.held(folder):
            pass
    finally:
        left.kill()
        left.wait()
    with data_folder.held(folder):
        assert (folder / data_folder.LOCK).read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("command", ["up", "gateway"])
async def test_a_port_in_use_is_one_sentence_and_nothing_is_started(folder: Path, valkey: Valkey, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = {"DATA_DIR": str(folder), "PORT": str(port), "BUS_URLS": valkey.url, "LOG_LEVEL": "warning"}
        async with started("silvertalk", command, **settings) as refused:
            assert await refused.ended() == 2
            await refused.printed(f"127.0.0.1:{port} is in use by another program.")
            assert len(refused.lines) == 1


async def test_a_node_that_is_still_warming_up_is_not_waited_for(folder: Path) -> None:
    cold = SCRIPTED | {"STT_ENGINE": "scripted:warm_up_ms=3600000"}
    async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **cold) as up:
        await up.printed("1/4")
        up.signal(signal.SIGINT)
        await up.printed("node_ended_cold")
        assert await up.ended() == 0
    printed = "\n".join(up.lines)
    assert printed.count("멈추고 있어요…") == 1
    assert not [word for word in ("2/4", "node_warm", "It listens", "child_killed", "child_ended") if word in printed]


async def test_a_second_signal_waits_for_nothing(folder: Path, valkey: Valkey) -> None:
    """The reply takes an hour, and the drain would wait for it as long as it may."""
    slow = SCRIPTED | {"LLM_ENGINES": "scripted:first_token_ms=10,tokens_per_second=0.001", "DRAIN_SECONDS": "600"}
    async with started("silvertalk", "up", DATA_DIR=str(folder), PORT="0", **slow) as up:
        url = await address(up)
        async with calling(url, microphone=False, patience_seconds=START_SECONDS) as caller:
            await caller.client.say_text("천천히 말해 줘요.")
            await caller.wait_for(TurnEnded, turn=1)
            up.signal(signal.SIGINT)
            await up.printed("멈추고 있어요…")
            up.signal(signal.SIGINT)
            assert await up.ended() == 0
    assert up.lines[-1] and "child_killed" not in "\n".join(up.lines)


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
