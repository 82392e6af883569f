"""A gateway as a host of its own gets it: the wheel and `requirements-gateway.lock` in an empty environment, and run.

The commands are those of deploy/gateway.Dockerfile. The node beside it runs from the checkout.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from streaming.protocol import TurnCommitted
from tests import product
from tests.caller import calling
from tests.ports import free_port
from tests.processes import ROOT, START_SECONDS, Process, until_answers
from tests.valkey import Valkey

INSTALL_SECONDS = 240.0
NO_REGISTRY = ("Could not find a version", "No matching distribution", "Connection", "Temporary failure", "timed out")
NEVER_ON_A_GATEWAY = {
    "torch",
    "av",
    "ctranslate2",
    "faster-whisper",
    "xllamacpp",
    "tokenizers",
    "coqui-tts",
    "matplotlib",
}


def pip(python: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=INSTALL_SECONDS)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's own, which it keeps for three runs: an environment takes 290 MB."""
    with TemporaryDirectory(prefix="st") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    done = pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels"), ".")
    assert done.returncode == 0, done.stderr
    [made] = (folder / "wheels").glob("silvertalk-*.whl")
    return made


@pytest.fixture(scope="module")
def environment(folder: Path, wheel: Path) -> Path:
    """The `bin` of the environment. Skips where the package index cannot be reached."""
    place = folder / "gateway"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    lock = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", "requirements-gateway.lock")
    done = pip(python, "install", *lock)
    if done.returncode and any(words in done.stderr for words in NO_REGISTRY):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    done = pip(python, "install", "--no-deps", "--no-index", str(wheel))
    assert done.returncode == 0, done.stderr
    done = pip(python, "uninstall", "--yes", "pip", "setuptools")
    assert done.returncode == 0, done.stderr
    return place / "bin"


def settings(folder: Path, bus_url: str, port: int) -> dict[str, str]:
    """What a person has to set in the `local` mode, and nothing of this shell's."""
    return {
        "PATH": os.defpath,
        "DEPLOYMENT_MODE": "local",
        "PORT": str(port),
        "DATA_DIR": str(folder / "data"),
        "DATABASE_URL": f"sqlite:///{folder}/talk.sqlite3",
        "BUS_URLS": bus_url,
        "JWT_SECRET": "not-a-secret-but-forty-eight-bytes-of-variety-0123456789",
        "ALLOW_GUESTS": "true",
    }


@asynccontextmanager
async def gateway(program: Path, environment: dict[str, str], folder: Path) -> AsyncIterator[Process]:
    """`silvertalk gateway` of that environment, far from the checkout."""
    process = await asyncio.create_subprocess_exec(
        *(program, "gateway"),
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Process(process)
    try:
        yield running
    finally:
        await running.stop()


def test_the_wheel_carries_its_migrations_and_the_page(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    for place, inside in (("migrations", "silvertalk/migrations"), ("web_demo", "silvertalk/web_demo")):
        files = [path for path in (ROOT / place).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert files
        for file in files:
            assert f"{inside}/{file.relative_to(ROOT / place)}" in carried, file
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in carried)


def test_it_holds_what_the_lock_says_and_no_model_library(environment: Path) -> None:
    [site] = environment.parent.glob("lib/python3*/site-packages")
    held = {found.name.lower() for found in importlib.metadata.distributions(path=[str(site)])}
    assert {"silvertalk", "starlette", "redis", "onnxruntime"} <= held
    assert not held & NEVER_ON_A_GATEWAY
    assert not held & {"pip", "setuptools"}
    # silero-vad's wheel is there for its weights; what its metadata asks for is not.
    assert not list(site.glob("**/libtorch*")) and not list(site.glob("**/libavcodec*"))


def test_it_says_its_version_and_finds_nothing_to_mend(environment: Path, folder: Path, valkey: Valkey) -> None:
    given = settings(folder, valkey.url, free_port())
    said = subprocess.run(
        [environment / "silvertalk", "version"], env=given, cwd=folder, capture_output=True, text=True
    )
    assert said.stdout.strip() == importlib.metadata.version("silvertalk")
    done = subprocess.run([environment / "silvertalk", "doctor"], env=given, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing to mend" in done.stdout


async def test_it_answers_a_person_through_a_node_and_drains(environment: Path, folder: Path, valkey: Valkey) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program = environment / "silvertalk"
    async with gateway(program, settings(folder, valkey.url, port), folder) as running, product.node(valkey.url):
        await until_answers(url, "/readyz", 200, database="up")
        async with httpx.AsyncClient(trust_env=False) as client:
            page = await client.get(f"{url}/demo")
        assert page.status_code == 200 and "text/html" in page.headers["content-type"]
        async with calling(url, microphone=False, patience_seconds=START_SECONDS) as caller:
            await caller.client.say_text("안녕하세요, 복실아.")
            committed = await caller.wait_for(TurnCommitted, turn=1)
        assert committed.outcome == "answered" and committed.heard
        running.signal(signal.SIGTERM)
        assert await running.ended() == 0
    assert not [line for line in running.lines if "Traceback" in line]
