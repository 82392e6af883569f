"""The README and what it leads to say what the code does: protocol, routes, limits, settings, commands. Clients are
written from them alone."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import typer
from msgspec import inspect
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.main import get_command

from gpu_node.invention_guards import Reason
from gpu_node.settings import NodeSettings
from gpu_node.weights import MODELS
from silvertalk import cli, gateway, metrics, owned_session, reader, serving, tickets, turn_life
from silvertalk.api import envelope
from silvertalk.errors import ConfigurationError, DatabaseRefused, JobFailed, SilverTalkError
from silvertalk.settings import Settings
from streaming import protocol
from streaming.endpointing import EndpointDecision
from streaming.floor import TABLE, Floor, Move
from tests.silvertalk.api.route_table import route_rows

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REST_API, MOVING_OVER = (
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("rest-api.md", "moving-over.md")
)
TOLD = f"{README}\n{REST_API}\n{MOVING_OVER}"
"""All that somebody reads who uses it."""
CLIENT_MESSAGES: tuple[type[msgspec.Struct], ...] = get_args(protocol.ClientMessage)
SERVER_EVENTS: tuple[type[msgspec.Struct], ...] = get_args(protocol.ServerEvent)
ON_EVERY_EVENT = {"epoch", "event"}

NEVER_TOLD = {ConfigurationError, DatabaseRefused, JobFailed}
"""The first keeps the process from starting, the others stay with a log and a job's row: no client is answered so."""
CLOSED_BY_THE_SERVER_ITSELF = {1000, 1009, 1011, gateway.SERVICE_RESTART}
"""Close codes that are no error's: good-bye, a frame over the server's bound, no pong, a drain."""


@cache
def section(title: str, level: str = "##") -> str:
    """What stands under a heading, up to the next of its level or above."""
    found = re.search(
        rf"^{level} {re.escape(title)}\n(.*?)(?=^#{{2,{len(level)}}} |\Z)", README, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"the README has no heading '{level} {title}'"
    return found.group(1)


def rows(text: str) -> list[list[str]]:
    """The cells of every table line, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


# --- the REST API ----------------------------------------------------------------------------------------------------


def test_every_route_is_in_its_table() -> None:
    table = REST_API.partition("<!-- routes -->")[2].partition("<!-- /routes -->")[0]
    assert rows(table) == route_rows()


def test_every_old_call_is_answered() -> None:
    """Each row says what became of it, and a route that is named there and was kept is one of ours."""
    answered = rows(MOVING_OVER)
    assert len(answered) > 35
    ours = {row[0].strip("`").partition(" ")[2].rstrip("/") for row in route_rows()}
    for call, now, _ in answered:
        assert re.match(r"(kept|repaired|replaced|gone|not there yet|void)\b", now), call
        for path in re.findall(r"(?<=[ `])/(?:auth|users|photos|calendars|chat|memories|home)\b[^`]*", call):
            if now.startswith(("kept", "repaired")):
                known = {re.sub(r"\{\w+\}", "{}", one) for one in ours}
                assert re.sub(r"\{\w+\}", "{}", path.rstrip("/")) in known | {"/memories/{}"}, path


# --- the protocol ----------------------------------------------------------------------------------------------------


def tag(message: type[msgspec.Struct]) -> str:
    return str(message.__struct_config__.tag)


def json_type(kind: inspect.Type) -> str:
    """A field's type in JSON's words."""
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(json_type(one) for one in types if not isinstance(one, inspect.NoneType)) + " or null"
        case inspect.LiteralType(values=values):
            return ", ".join(f'`"{value}"`' for value in values)
        case inspect.DictType(value_type=inspect.AnyType()):
            return "object"
        case inspect.DictType():
            return "object of numbers"
        case inspect.StructType():
            return "object"
    return {
        inspect.BoolType: "boolean",
        inspect.IntType: "integer",
        inspect.FloatType: "number",
        inspect.StrType: "string",
    }[type(kind)]


def fields(message: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, type and default of every field, those of objects inside it with a dot."""
    info = inspect.type_info(message)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        default = "required" if field.required else f"`{msgspec.json.encode(field.default).decode()}`"
        yield f"`{prefix}{field.encode_name}`", json_type(field.type), default
        inner = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        for one in inner:
            if isinstance(one, inspect.StructType):
                yield from fields(one.cls, f"{prefix}{field.encode_name}.")


def example(text: str) -> str:
    found = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert found is not None, "no example"
    return found.group(1)


@pytest.mark.parametrize("message", CLIENT_MESSAGES, ids=tag)
def test_what_a_client_says_is_described_field_by_field(message: type[msgspec.Struct]) -> None:
    described = section(f"`{tag(message)}`", "####")
    assert [tuple(row[:3]) for row in rows(described)] == list(fields(message))
    said = protocol.decode_client(example(described))
    assert type(said) is message
    assert protocol.encode_client(said) == example(described)


@pytest.mark.parametrize("event", SERVER_EVENTS, ids=tag)
def test_what_a_server_says_is_described_field_by_field(event: type[msgspec.Struct]) -> None:
    described = section(f"`{tag(event)}`", "####")
    named = [tuple(row[:2]) for row in rows(described)]
    assert named == [(name, kind) for name, kind, _ in fields(event) if name.strip("`") not in ON_EVERY_EVENT]
    told = protocol.decode_event(example(described))
    assert type(told) is event
    assert protocol.encode_event(told).decode() == example(described)


def test_only_messages_that_exist_are_described() -> None:
    headed = set(re.findall(r"^#### `([^`]+)`$", README, re.MULTILINE))
    assert headed == {tag(message) for message in (*CLIENT_MESSAGES, *SERVER_EVENTS)}


def test_every_reason_is_named() -> None:
    reasons = inspect.type_info(EndpointDecision)
    assert isinstance(reasons, inspect.DataclassType)
    ends = next(json_type(field.type) for field in reasons.fields if field.name == "reason")
    for name in (*re.findall(r'"(\w+)"', ends), "typed"):
        assert f'`"{name}"`' in section("`turn.ended`", "####")
    for name in filter(None, get_args(Reason)):
        assert f'`"{name}"`' in section("`transcript.final`", "####")


def test_the_header_of_reply_audio() -> None:
    text = section("Reply audio", "###")
    names = {"I": "u32", "Q": "u64"}
    layout, offset = [], 0
    for name, code in zip(protocol.AudioHeader._fields, protocol._HEADER.format.strip("<"), strict=True):
        layout.append([f"`{name}`", str(offset), names[code]])
        offset += struct.calcsize(f"<{code}")
    assert [row[:3] for row in rows(text)] == [*layout, ["`pcm`", str(offset), "i16 …"]]
    dump = re.search(r"^((?:[0-9a-f]{2} ){15,}[0-9a-f]{2})", text, re.MULTILINE)
    assert dump is not None
    header, _ = protocol.decode_audio(bytes.fromhex(dump.group(1)))
    for name, number in header._asdict().items():
        assert f"`{name}` {number:,}" in text.replace("\n", " ")


def test_every_fault_is_in_its_table() -> None:
    told = {row[0].strip("`"): row[1] for row in rows(section("Faults of the client", "###"))}
    assert told == {code: str(close or "none") for code, close in protocol.FAULTS.items()}


def errors(root: type[SilverTalkError] = SilverTalkError) -> Iterator[type[SilverTalkError]]:
    """The errors that are raised: the tree's leaves."""
    for kind in root.__subclasses__():
        if kind.__subclasses__():
            yield from errors(kind)
        elif kind not in NEVER_TOLD:
            yield kind


def test_every_error_is_in_its_table() -> None:
    told = [row[:4] for row in rows(section("Errors of the server", "###"))]
    expected = [
        [f"`{e.code}`", str(e.http_status), str(e.close_code), "yes" if e.retryable else "no"] for e in errors()
    ]
    assert sorted(told) == sorted(expected)


def test_every_close_code_is_in_its_table() -> None:
    codes = CLOSED_BY_THE_SERVER_ITSELF | {code for code in protocol.FAULTS.values() if code}
    codes |= {error.close_code for error in errors()}
    assert {row[0].strip("`") for row in rows(section("Close codes", "###"))} == set(map(str, codes))


def limits() -> dict[str, str]:
    """The table of limits, from the code's own numbers."""
    settings = {name: field.default for name, field in Settings.model_fields.items()}
    unread = f"{settings['send_backlog_kib']} KiB, or {settings['send_timeout_seconds']:g} s"
    told = f"{settings['turn_claim_ms'] / 1000:g} s until that is told"
    no_node = f"{told}, {turn_life.UNCLAIMED_SECONDS:g} s after `turn.ended` until it is given up"
    return {
        "one message of audio": f"{protocol.MAX_AUDIO_MESSAGE_BYTES:,} bytes",
        "one message of JSON": f"{protocol.MAX_CONTROL_BYTES:,} bytes",
        "one WebSocket frame": f"{serving.MAX_CONTROL_FRAME_BYTES:,} bytes",
        "typed text": f"{protocol.MAX_TEXT_CHARACTERS:,} characters",
        "numbers": f"integers from 0 to {protocol.MAX_SAMPLE:,} (2^53 - 1)",
        "rate of audio": f"{reader.AUDIO_SPEED} times real time, {reader.AUDIO_BURST_SECONDS:g} s of it at once",
        "turns begun by hand": f"{reader.TURNS_BURST} at once, {reader.TURNS_PER_SECOND * 60:g} a minute",
        "faults": f"{reader.FAULT_BURST} at once, {reader.FAULTS_PER_SECOND * 60:g} a minute",
        "time for `hello`": f"{settings['hello_seconds']:g} s",
        "life of a ticket": f"{tickets.TICKET_SECONDS} s",
        "what a client may leave unread": unread,
        "time for the answer to `flush`": f"{turn_life.FLUSH_SECONDS * 1000:g} ms",
        "`received_samples` comes": f"every {reader.RECEIVED_EVERY_SAMPLES:,} samples",
        "a turn waits for a node": no_node,
        "a turn waits for its reply": f"{turn_life.ANSWER_SECONDS:g} s of which nothing comes",
        "body of a REST request": f"{envelope.MAX_BODY_BYTES // 1024} KiB, {envelope.BODY_SECONDS:g} s",
        "longest utterance": f"{settings['max_utterance_seconds']} s, then it rolls on",
        "longest conversation": f"{owned_session.MAX_SESSION_SECONDS / 3600:g} hours",
        "sessions": f"{settings['max_sessions']} a gateway, {settings['max_sessions_per_address']} an address",
    }


def test_the_limits_are_the_codes_own() -> None:
    lines = section("Sizes, rates and times", "###").splitlines()
    for what, limit in limits().items():
        assert f"| {what} | {limit} |" in lines


# --- the floor, the settings -----------------------------------------------------------------------------------------


def floor_rows() -> list[str]:
    """The floor's table: a row for each move, a column for each state."""
    head = f"| | {' | '.join(f'`{state.value}`' for state in Floor)} |"
    lines = [head, "|---" * (len(Floor) + 1) + "|"]
    for move in Move:
        cells = (f"`{TABLE[state, move].value}`" if (state, move) in TABLE else "–" for state in Floor)
        lines.append(f"| `{move.value}` | {' | '.join(cells)} |")
    return lines


def test_the_floor_is_the_codes_own() -> None:
    assert "\n".join(floor_rows()) in README


def shown(field: FieldInfo) -> str:
    """A node's default as a person reads it."""
    value: Any = field.default
    if value is PydanticUndefined:
        return "(see there)"
    if value is None:
        return "(unset)"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return (str(value).lower() if isinstance(value, bool) else str(value)) or "(empty)"


def settings_rows() -> list[str]:
    """The gateway's settings, as lines of the README's table."""
    return [
        f"| `{line.name}` | {line.default} | {line.description} |" for line in Settings.model_construct().describe()
    ]


def node_settings_rows() -> list[str]:
    """The node's."""
    return [
        f"| `{name.upper()}` | {shown(field)} | {field.description} |"
        for name, field in NodeSettings.model_fields.items()
    ]


@pytest.mark.parametrize(("title", "expected"), [("The gateway", settings_rows()), ("The node", node_settings_rows())])
def test_every_setting_stands_there_with_its_default(title: str, expected: list[str]) -> None:
    table = [line for line in section(title, "###").splitlines() if line.startswith("| `")]
    assert table == expected


# --- commands, files, names ------------------------------------------------------------------------------------------


@cache
def fenced() -> list[tuple[str, str]]:
    """Every block of code: its language and its text."""
    return re.findall(r"^ *```(\w*)\n(.*?)^ *```$", TOLD, re.MULTILINE | re.DOTALL)


@cache
def commands_shown() -> str:
    """What a reader may type: blocks for a shell, and spans within the text."""
    blocks = [text for language, text in fenced() if language in ("sh", "console", "ini")]
    prose = re.sub(r"^ *```.*?^ *```$", "", TOLD, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", prose)])


def test_the_commands_are_those_of_the_command_line() -> None:
    command = get_command(cli.app)
    assert isinstance(command, typer.core.TyperGroup)
    named = set(re.findall(r"\bsilvertalk ([a-z]+)\b", commands_shown()))
    assert {"up", "gateway", "replay", "doctor"} <= named <= set(command.commands)
    options = {name for parameter in command.commands["replay"].params for name in parameter.opts if name[:2] == "--"}
    assert options - set(re.findall(r"--[a-z-]+", section("Talking to it"))) == set(), "options of replay left out"


def test_make_targets_and_modules_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^(?:\$ )?(?:\w+=\S+ )*make ([a-z]+)\b", commands_shown(), re.MULTILINE))
    assert {"demo", "test", "check", "bench"} <= named <= targets
    for module in set(re.findall(r"\bpython -m ([\w.]+)", commands_shown())):
        assert importlib.util.find_spec(module) is not None, module


def test_the_clients_example_is_python_that_imports() -> None:
    blocks = [text for language, text in fenced() if language == "python"]
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in node.names:
                    assert hasattr(importlib.import_module(node.module), name.name), f"{node.module}.{name.name}"


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", ["README.md", "docs/rest-api.md", "docs/moving-over.md", "benchmarks/README.md"])
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            led_to = page.parent / path if path else page
            assert led_to.exists(), target
            assert not anchor or anchor in anchors(led_to), target


def test_models_and_metrics_are_named_rightly() -> None:
    assert {row[0].strip("`") for row in rows(section("Models and their licences"))} >= set(MODELS)
    known = set(re.findall(r"# HELP (\S+)", metrics.render()[0].decode()))
    for name in re.findall(r"`(silvertalk_[a-z_]+)`", TOLD):
        assert name in known, name


# --- examples --------------------------------------------------------------------------------------------------------


def test_examples_use_nothing_that_is_not_there() -> None:
    """A shell's variable is set by an earlier line, and a recording or a picture that is named is in the tree."""
    known = {"HOME"}
    for block in re.findall(r"^ *```(?:console|bash|sh)\n(.*?)^ *```", TOLD, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            known |= set(re.findall(r"\bfor ([a-z]+) in\b", line))
            assert not set(re.findall(r"\$\{?([A-Za-z_]+)", line)) - known, line
            known |= set(re.findall(r"\b([A-Za-z_]+)=", line))
    for path in re.findall(r"[\w./]+/\w+\.(?:wav|jpg)\b", "".join(re.findall(r"```.*?```", TOLD, re.DOTALL))):
        assert path.startswith(("u/", "/tmp/", "/v/")) or (ROOT / path).exists(), path
