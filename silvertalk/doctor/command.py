"""All checks, and the tables they make."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from silvertalk.doctor import film, gpu, machine, models, node, python
from silvertalk.doctor.finding import Finding
from silvertalk.errors import ConfigurationError
from silvertalk.settings import Settings
from streaming.plan import Plan

MARKS = {True: ("ok", "green"), False: ("to mend", "bold red"), None: ("note", "yellow")}
NODE_BUS_URLS = "redis://127.0.0.1:6379/0"
"""A node's own default."""


class Diagnosis(NamedTuple):
    """What was found. `plan`: what a node would run with here, where one belongs here."""

    findings: list[Finding]
    plan: Plan | None = None


def doctor_command(
    url: Annotated[str | None, typer.Option(help="A gateway to ask too, running here or elsewhere.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Judge this machine as a node's with this profile, and explain the profile.")
    ] = None,
) -> None:
    """Name what is wrong with this installation, one plain sentence each, with the mend. Ends with 1 if anything is."""
    console = Console()
    findings, plan = asyncio.run(examine(os.environ, url, profile))
    if plan is not None and (profile or os.environ.get("NODE_PROFILE")):
        console.print(Text(f"The profile {plan.profile} is for {plan.about}.", style="bold"))
        if plan.choices:
            console.print(explanation(plan))
    console.print(table(findings))
    faults = sum(finding.ok is False for finding in findings)
    if faults:
        console.print(Text(f"{faults} thing{'s' if faults != 1 else ''} to mend.", style="bold red"))
        raise typer.Exit(1)
    console.print(Text("Nothing to mend.", style="bold green"))


async def examine(
    environment: Mapping[str, str], gateway_url: str | None = None, profile: str | None = None
) -> Diagnosis:
    """Every check that applies here, in the order of what stands on what.

    With a profile named (here or in NODE_PROFILE) the machine is judged as a node's, and as a gateway's too where the
    mode is `embedded`, which has both.
    """
    findings = [
        python.check_python(sys.version_info[:3]),
        python.check_environment(sys.prefix, sys.base_prefix, environment),
        python.check_native(),
    ]
    plan: Plan | None = None
    if profile or environment.get("NODE_PROFILE"):
        asked = await node.ask(profile, environment)
        if isinstance(asked, Finding):
            return Diagnosis([*findings, asked])
        plan = asked
        if plan.mode != "embedded":
            libraries = python.check_libraries("a node", {"node"}, python.own_requirements())
            return Diagnosis([*findings, libraries, *await _node(plan, environment), *await _bus(environment)], plan)
    try:
        settings = Settings.read()
    except ConfigurationError as error:
        findings.append(Finding("settings", False, str(error), "Set the variables right; the README has all of them."))
        return Diagnosis(findings, plan)
    findings.append(Finding("settings", True, f"They make sense; the mode is {settings.deployment_mode}."))
    if settings.embedded and plan is None:
        asked = await node.ask(None, environment)
        if isinstance(asked, Finding):
            findings.append(asked)
        else:
            plan = asked
    findings += _installed(settings, plan)
    findings.append(await asyncio.to_thread(film.check_film, needed=settings.embedded))
    if plan is not None:
        findings += await _node(plan, environment)
    findings += _machine(settings)
    findings += await _services(settings, gateway_url)
    return Diagnosis(findings, plan)


def _installed(settings: Settings, plan: Plan | None) -> list[Finding]:
    """What a gateway needs, and in the embedded mode the node beside it."""
    mode = settings.deployment_mode
    findings = [python.check_libraries(f"the {mode} mode", python.MODE_EXTRAS[mode], python.own_requirements())]
    torch = python.check_torch(python.installed_of("torch", "coqui-tts"))
    if torch is not None and (plan is None or "xtts" not in plan.voices):
        findings.append(torch)
    findings.append(models.check_model(models.DETECTOR, None, offline=True))
    return findings


async def _node(plan: Plan, environment: Mapping[str, str]) -> list[Finding]:
    """The models of a node, who writes its replies, and its GPU where it wants one."""
    root = Path(plan.models_root) if plan.models_root else None
    findings = [models.check_model(model, root, offline=plan.offline) for model in plan.models]
    findings.append(models.check_end_of_turn(plan.end_of_turn))
    findings.append(models.check_gemini(environment.get("GEMINI_API_KEY")))
    if "xtts" in plan.voices:
        findings.append(gpu.check_licence(plan.licence_accepted))
    if plan.cuda:
        findings += await _gpu(plan)
    return findings


async def _gpu(plan: Plan) -> list[Finding]:
    driver = await asyncio.to_thread(gpu.ask_driver)
    memory = gpu.check_gpu_memory(driver)
    findings = [gpu.check_driver(driver), *([memory] if memory else [])]
    if "ears" in plan.cuda:
        findings.append(gpu.check_cublas())
        found = await gpu.ask_library(gpu.PROBE_CTRANSLATE2)
        findings.append(gpu.check_ctranslate2(found, plan.compute_type))
    if "voice" in plan.cuda:
        findings.append(gpu.check_torch(await gpu.ask_library(gpu.PROBE_TORCH), driver))
    return findings


async def _bus(environment: Mapping[str, str]) -> list[Finding]:
    """The bus as a node reaches it."""
    from silvertalk.doctor import services

    urls = [url.strip() for url in (environment.get("BUS_URLS") or NODE_BUS_URLS).split(",") if url.strip()]
    return list(await asyncio.gather(*(services.check_bus(url) for url in urls)))


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
    if settings.s3_bucket:
        checks.append(services.check_media(settings))
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


def explanation(plan: Plan) -> Table:
    """What the profile sets, and why; where a person set it otherwise, that."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("setting")
    made.add_column("value")
    made.add_column("why", overflow="fold")
    for choice in plan.choices:
        set_here = choice.source == "environment"
        why = "[yellow]set in the environment[/]; the profile's reason: " if set_here else ""
        made.add_row(choice.name, escape(choice.value), why + escape(choice.why))
    return made
