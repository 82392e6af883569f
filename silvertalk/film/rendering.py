"""The worker's side of a film: pictures drawn anew one by one, then one child that makes it, watched and ended.

The pictures go through the guarded process that thumbnails are made by, so what reaches the child is ours. The child
and its FFmpeg are a process group of their own. It is killed where the film is cancelled or nothing moves any more, and
where the worker itself is killed the child's stdin ends, and it ends itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import silvertalk
from silvertalk.film import Film, FilmFailed, Rendered, Report
from silvertalk.film.equipment import FFMPEG_VARIABLE, equipment
from silvertalk.film.studio import FILM, THUMBNAIL, Plan, PlannedSentence, PlannedSlide, failure
from silvertalk.media.images import ImageRefused
from silvertalk.media.images import render as redraw
from streaming.logs import logger

log = logger("film")

MAX_SLIDES = 200
STALLED_SECONDS = 300.0
"""Without a word from the child, which tells of every bar and every tenth frame: the longest is one run of FFmpeg's."""
MAX_LINE_BYTES = 8192
STAGES = {"pictures": (0.0, 0.08), "sound": (0.08, 0.15), "film": (0.15, 0.98), "checking": (0.98, 1.0)}
"""What of the whole each stage is."""


async def render(film: Film, folder: Path, report: Report) -> Rendered:
    """See `render_film`."""
    if len(film.slides) > MAX_SLIDES:
        raise FilmFailed("too_many_slides", str(len(film.slides)))
    await asyncio.to_thread(equipment)  # before any work is done
    making = asyncio.ensure_future(asyncio.to_thread(_work_folder, folder))
    try:
        work = await asyncio.shield(making)
    except asyncio.CancelledError:
        await asyncio.to_thread(shutil.rmtree, await making, ignore_errors=True)
        raise
    except OSError as error:
        raise FilmFailed(failure(error)["failed"], type(error).__name__) from error
    try:
        return await _render(film, folder, work, report)
    finally:
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, work, ignore_errors=True))


def _work_folder(folder: Path) -> Path:
    """Absolute, since the child works elsewhere."""
    return Path(tempfile.mkdtemp(prefix="film-", dir=folder.absolute()))


async def _render(film: Film, folder: Path, work: Path, report: Report) -> Rendered:
    pictures = await _pictures(film, work, report)
    left_out = tuple(number for number, picture in enumerate(pictures) if picture is None)
    slides = tuple(
        PlannedSlide(
            str(picture),
            tuple(
                PlannedSentence(said.text, None if said.sound is None else str(said.sound.absolute()), said.own_voice)
                for said in slide.sentences
            ),
            None if slide.clip is None else str(slide.clip.absolute()),
        )
        for slide, picture in zip(film.slides, pictures, strict=True)
        if picture is not None
    )
    if not slides:
        raise FilmFailed("no_pictures")
    plan = work / "plan.json"
    await asyncio.to_thread(Plan(film.title, film.subtitle, slides, str(work)).write, plan)
    done = await _made(plan, report)
    path, thumbnail = folder / FILM, folder / THUMBNAIL
    size_bytes = await asyncio.to_thread(_take_out, work, folder)
    log.info("film_rendered", slides=len(slides), seconds=done["seconds"], size_bytes=size_bytes)
    return Rendered(path, thumbnail, done["seconds"], size_bytes, left_out, done["silent"], done["still"])


def _take_out(work: Path, folder: Path) -> int:
    (work / THUMBNAIL).replace(folder / THUMBNAIL)
    return (work / FILM).replace(folder / FILM).stat().st_size


async def _pictures(film: Film, work: Path, report: Report) -> list[Path | None]:
    """Each as a JPEG that we have written, one at a time; None for what cannot be read."""
    pictures: list[Path | None] = []
    for number, slide in enumerate(film.slides):
        await report("pictures", _of_the_whole("pictures", number / len(film.slides)))
        picture, small = work / f"picture-{number}.jpg", work / "small.jpg"
        try:
            await redraw(slide.picture.absolute(), picture, small)
        except ImageRefused as error:
            log.info("slide_left_out", number=number, code=error.code)
            pictures.append(None)
        else:
            pictures.append(picture)
    return pictures


async def _made(plan: Path, report: Report) -> dict[str, Any]:
    """The child's last line. Whatever happens, it and what it started have ended afterwards. Raises FilmFailed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "silvertalk.film.studio", str(plan)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        cwd=plan.parent,
        limit=MAX_LINE_BYTES,
        start_new_session=True,
    )
    try:
        return await _followed(process, report)
    finally:
        with contextlib.suppress(ProcessLookupError):  # FFmpeg may outlive a child that was killed
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(asyncio.ensure_future(process.wait()))


async def _followed(process: asyncio.subprocess.Process, report: Report) -> dict[str, Any]:
    assert process.stdout is not None, "a pipe"
    while True:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            raise FilmFailed("stalled") from None
        if not line:
            ended = await process.wait()
            # Nobody of ours has killed it: the kernel did, and memory is what it does that for.
            raise FilmFailed("out_of_memory" if ended == -signal.SIGKILL else "broken", f"it ended with {ended}")
        said: dict[str, Any] = json.loads(line)
        if "failed" in said:
            log.warning("film_failed", code=said["failed"], why=said["why"])
            raise FilmFailed(said["failed"], said["why"])
        if "done" in said:
            done: dict[str, Any] = said["done"]
            return done
        await report(said["stage"], _of_the_whole(said["stage"], said["progress"]))


def _of_the_whole(stage: str, progress: float) -> float:
    begins, ends = STAGES[stage]
    return begins + (ends - begins) * progress


def _environment() -> dict[str, str]:
    """None of the worker's, which has its secrets; one thread for what would start many."""
    named = {name: os.environ[name] for name in (FFMPEG_VARIABLE,) if name in os.environ}
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(silvertalk.__file__).resolve().parents[1]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        **named,
    }
