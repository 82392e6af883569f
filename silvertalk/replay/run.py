"""All clients at once: deal the files, start the speakers, gather the report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from silvertalk.replay import PATIENCE_SECONDS
from silvertalk.replay.clips import Clip, LanguageChoice, load_clip, read_manifest
from silvertalk.replay.report import Report, summarise
from silvertalk.replay.speaker import Speaker, Spoken
from silvertalk.replay.voice_detector import load_detector

LOGINS_APART_SECONDS = 0.05
"""Between one client's login and the next: a crowd arriving in one instant measures the door, not the talk."""


async def replay(
    files: Sequence[Path | Clip],
    url: str,
    *,
    clients: int = 1,
    manifest: Path | None = None,
    language: LanguageChoice = "auto",
    save_audio: Path | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    on_clip: Callable[[Spoken], None] = lambda spoken: None,
) -> Report:
    """Speak `files` to the server at `url` from `clients` simultaneous clients and report what came of it.

    Files are dealt round robin; where there are fewer files than clients, each client says one all the same. Raises
    ClipError for a file that cannot be read; what the server does wrong stands in the report. `on_clip` is called as
    each clip is done.
    """
    clips = await asyncio.to_thread(load_clips, files, manifest, language)
    hands = deal(clips, clients)
    loop = asyncio.get_running_loop()
    began = loop.time()
    speakers = [
        Speaker(url, number, hand, patience_seconds, began, save_audio, on_clip)
        for number, hand in enumerate(hands, start=1)
    ]
    async with asyncio.TaskGroup() as group:
        for speaker in speakers:
            group.create_task(speaker.run(), name=f"replay client {speaker.number}")
            await asyncio.sleep(LOGINS_APART_SECONDS)
    spoken = [spoken for speaker in speakers for spoken in speaker.spoken]
    turns = [row for one in spoken for row in one.turns]
    rows = [one.file for one in spoken]
    losses = [loss for speaker in speakers for loss in speaker.losses]
    summary = summarise(
        turns,
        rows,
        url=url,
        clients=len(speakers),
        losses=losses,
        lateness_ms=[late for speaker in speakers for late in speaker.lateness_ms],
        wall_seconds=loop.time() - began,
    )
    return Report(turns, rows, summary, losses)


def load_clips(files: Sequence[Path | Clip], manifest: Path | None, language: LanguageChoice) -> list[Clip]:
    """Read what is not read yet; blocking. Raises ClipError."""
    known = read_manifest(manifest) if manifest else {}
    detector = load_detector() if any(isinstance(file, Path) for file in files) else None
    return [
        load_clip(file, language=language, manifest=known, detector=detector) if isinstance(file, Path) else file
        for file in files
    ]


def deal(clips: Sequence[Clip], clients: int) -> list[list[Clip]]:
    """Round robin, every client at least one clip."""
    if clients < 1 or not clips:
        raise ValueError("a replay takes at least one file and one client")
    if len(clips) < clients:
        return [[clips[client % len(clips)]] for client in range(clients)]
    return [list(clips[client::clients]) for client in range(clients)]
