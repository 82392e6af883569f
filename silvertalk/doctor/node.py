"""What a node would run with here. Its package is never imported on this side: a process of its own is asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Literal

import msgspec

from silvertalk.doctor.finding import Finding
from silvertalk.settings import Mode

ASK_SECONDS = 30.0
"""A Python process with its imports, on a busy machine."""


class Choice(msgspec.Struct, frozen=True):
    """One setting that the profile is about."""

    name: str
    value: str
    source: Literal["profile", "environment"]
    why: str


class Model(msgspec.Struct, frozen=True):
    """A model the node will ask for; `needs` are patterns of a whole folder, `wheels` (distribution, file in it)."""

    purpose: str
    name: str
    licence: str
    needs: tuple[str, ...]
    wheels: tuple[tuple[str, str], ...]
    hub: str | None
    mend: str


class Plan(msgspec.Struct, frozen=True):
    """What `python -m gpu_node --explain` says."""

    profile: str
    about: str
    mode: Mode
    choices: tuple[Choice, ...]
    cuda: frozenset[str]
    compute_type: str
    voices: frozenset[str]
    licence_accepted: bool
    models: tuple[Model, ...]
    models_root: str | None
    cache_dir: str
    offline: bool
    slots: int


async def ask(profile: str | None, environment: Mapping[str, str]) -> Plan | Finding:
    """The plan of a node with this profile (None: as NODE_PROFILE says), or what keeps it from having one."""
    command = [sys.executable, "-m", "gpu_node", "--explain", *(("--profile", profile) if profile else ())]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(ASK_SECONDS):
            said, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Finding("node", False, f"`python -m gpu_node --explain` did not end within {ASK_SECONDS:.0f} s.")
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines()
        sentence = lines[-1].rpartition("gpu_node: ")[2] if lines else f"It ended with {process.returncode}."
        return Finding("node", False, sentence, "Set the variables right; the README has all of them.")
    return msgspec.json.decode(said, type=Plan)
