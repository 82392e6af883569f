"""What a node would run with here. Its package is never imported on this side: a process of its own is asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import msgspec

from silvertalk.doctor.finding import Finding
from streaming.plan import Plan

ASK_SECONDS = 30.0
"""A Python process with its imports, on a busy machine."""


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
