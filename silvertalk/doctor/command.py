"""All checks, and the table they make."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from silvertalk.doctor import machine, models, python
from silvertalk.doctor.finding import Finding
from silvertalk.errors import ConfigurationError
from silvertalk.settings import Settings

MARKS = {True: ("ok", "green"), False: ("to mend", "bold red"), None: ("note", "yellow")}


def doctor_command(
    url: Annotated[str | None, typer.Option(help="A gateway to ask too, running here or elsewhere.")] = None,
) -> None:
    """Name what is wrong with this installation, one plain sentence each, with the mend. Ends with 1 if anything is."""
    console = Console()
    findings = asyncio.run(examine(os.environ, url))
    console.print(table(findings))
    faults = sum(finding.ok is False for finding in findings)
    if faults:
        console.print(Text(f"{faults} thing{'s' if faults != 1 else ''} to mend.", style="bold red"))
        raise typer.Exit(1)
    console.print(Text("Nothing to mend.", style="bold green"))


async def examine(environment: Mapping[str, str], gateway_url: str | None = None) -> list[Finding]:
    """Every check that applies here, in the order of what stands on what."""
    findings = [
        python.check_python(sys.version_info[:3]),
        python.check_environment(sys.prefix, sys.base_prefix, environment),
        python.check_native(),
    ]
    try:
        settings = Settings.read()
    except ConfigurationError as error:
        findings.append(Finding("settings", False, str(error), "Set the variables right; the README has all of them."))
        return findings
    findings.append(Finding("settings", True, f"They make sense; the mode is {settings.deployment_mode}."))
    findings += _installed(settings, environment)
    findings += _machine(settings)
    findings += await _services(settings, gateway_url)
    return findings


def _installed(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    mode = settings.deployment_mode
    torch = python.check_torch(mode, python.installed_of("torch", "coqui-tts"))
    findings = [python.check_libraries(mode, python.own_requirements()), *([torch] if torch else [])]
    root = environment.get("MODELS_ROOT")
    wanted = models.MODELS if settings.embedded else [models.DETECTOR]
    folder = Path(root).expanduser() if root else None
    findings += [models.check_model(name, models.MODELS[name], folder) for name in wanted]
    if settings.embedded:
        findings.append(models.check_gemini(environment.get("GEMINI_API_KEY")))
    return findings


def _machine(settings: Settings) -> list[Finding]:
    mode, folder = settings.deployment_mode, settings.data_dir
    return [
        machine.check_data_folder(folder),
        machine.check_disk(folder, machine.free_bytes(folder)),
        machine.check_memory(mode, machine.memory_bytes()),
        machine.check_cores(mode, machine.core_count()),
    ]


async def _services(settings: Settings, gateway_url: str | None) -> list[Finding]:
    from silvertalk.doctor import (
        services,
    )  # SQLAlchemy and redis take half a second that `silvertalk up` does not have.

    ours = settings.embedded and not settings.bus_urls
    checks = [services.check_bus(url, ours=ours) for url in settings.bus]
    checks.append(services.check_database(settings.database))
    if gateway_url is not None:
        checks.append(services.check_gateway(gateway_url))
    findings = [models.check_valkey()] if ours else []
    findings += await asyncio.gather(*checks)
    findings.append(await _port(settings))
    return findings


async def _port(settings: Settings) -> Finding:
    """A port that our own gateway holds is no fault."""
    finding = machine.check_port(settings.host, settings.port)
    if finding.ok:
        return finding
    from silvertalk.doctor import services

    own = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    running = await services.check_gateway(f"http://{own}:{settings.port}")
    return running._replace(name="port") if running.ok else finding


def table(findings: Sequence[Finding]) -> Table:
    """As a person reads it."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("")
    made.add_column("what")
    made.add_column("finding", overflow="fold")
    for finding in findings:
        mark, style = MARKS[finding.ok]
        said = Text(finding.sentence)
        if finding.mend and not finding.ok:
            said.append(f"\n{finding.mend}", style="cyan")
        made.add_row(Text(mark, style=style), finding.name, said)
    return made
