"""The child that makes a film: see `rendering`, which starts it, gives it a plan and ends it.

    python -m silvertalk.film.studio PLAN       lines of JSON on stdout, the last one says how it ended

It and the FFmpeg it starts are one process group with limits on memory and on what they write. Its stdin is its life:
where that ends, the worker has ended, and the group with it.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from silvertalk.film import FilmFailed
from silvertalk.film.encoding import EncodingFailed, film_command, level_sound, probe
from silvertalk.film.equipment import Equipment, equipment
from silvertalk.film.footage import Footage
from silvertalk.film.framing import HEIGHT, WIDTH
from silvertalk.film.mixing import SoundUnreadable, mix, seconds_of
from silvertalk.film.music import RATE
from silvertalk.film.timing import FRAME_RATE, Timeline, reading_seconds, timeline

NICE = 10
MEMORY_BYTES = 2 * 1024**3
"""Of addresses, for each of the two. The child takes some 200 MiB of memory and FFmpeg 250, however long the film."""
WRITTEN_BYTES = 4 * 1024**3
NO_ROOM_BYTES = 1024**2
LONGEST_SECONDS = 45 * 60.0
"""Sixty photos with three sentences each take a quarter of an hour."""
TOLD_EVERY_FRAMES = 10
THUMBNAIL_WIDTH = 640
THUMBNAIL_QUALITY = 85


@dataclass(frozen=True)
class PlannedSentence:
    text: str
    sound: str | None
    own_voice: bool


@dataclass(frozen=True)
class PlannedSlide:
    """`picture`: a JPEG that we have written ourselves."""

    picture: str
    sentences: tuple[PlannedSentence, ...]
    clip: str | None


@dataclass(frozen=True)
class Plan:
    title: str
    subtitle: str
    slides: tuple[PlannedSlide, ...]
    folder: str
    """Where everything is written."""

    @classmethod
    def read(cls, path: Path) -> Plan:
        known: dict[str, Any] = json.loads(path.read_bytes())
        slides = tuple(
            PlannedSlide(
                slide["picture"], tuple(PlannedSentence(**sentence) for sentence in slide["sentences"]), slide["clip"]
            )
            for slide in known["slides"]
        )
        return cls(known["title"], known["subtitle"], slides, known["folder"])

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass(frozen=True)
class Outcome:
    """The last line where all went well; film and thumbnail lie in the plan's folder."""

    seconds: float
    silent: int
    still: int


FILM, THUMBNAIL = "film.mp4", "thumbnail.jpg"


def make(plan: Plan, tools: Equipment) -> Outcome:
    """Raises FilmFailed, EncodingFailed, OSError, MemoryError."""
    folder = Path(plan.folder)
    times, lengths, silent = _timed(plan)
    if times.seconds > LONGEST_SECONDS:
        raise FilmFailed("too_long", f"{times.seconds:.0f} s")
    tell("sound", 0.0)
    sound = folder / "sound.m4a"
    silent += _sound(plan, times, lengths, tools, sound)
    tell("sound", 1.0)
    with Footage(plan, times, tools) as footage:
        footage.thumbnail(folder / THUMBNAIL, THUMBNAIL_WIDTH, THUMBNAIL_QUALITY)
        _film(footage, times, tools, sound, folder / FILM)
        still = footage.still
    tell("checking", 0.0)
    _check(folder / FILM, times, tools)
    return Outcome(times.seconds, silent, still)


def _timed(plan: Plan) -> tuple[Timeline, list[list[float]], int]:
    """The timeline, how long each sentence sounds (0 where it does not), and how many sounds cannot be read."""
    shown: list[list[float]] = []
    lengths: list[list[float]] = []
    silent = 0
    for slide in plan.slides:
        shown.append([])
        lengths.append([])
        for sentence in slide.sentences:
            seconds = 0.0
            if sentence.sound is not None:
                try:
                    seconds = seconds_of(Path(sentence.sound))
                except SoundUnreadable:
                    silent += 1
            lengths[-1].append(seconds)
            shown[-1].append(seconds or reading_seconds(sentence.text))
    return timeline(shown), lengths, silent


def _sound(plan: Plan, times: Timeline, lengths: list[list[float]], tools: Equipment, sound: Path) -> int:
    """Mixed and levelled; returns how many sentences turned out to be broken only when they were read."""
    spoken = []
    for words in times.words:
        path = plan.slides[words.slide].sentences[words.sentence].sound
        if path is not None and lengths[words.slide][words.sentence]:
            spoken.append((round(words.begins * RATE), Path(path)))
    mixed = sound.with_name("mix.flac")
    unreadable = mix(mixed, times.frames * (RATE // FRAME_RATE), spoken, lambda done: tell("sound", 0.6 * done))
    level_sound(tools.ffmpeg, mixed, sound, lambda: tell("sound", 0.6))
    mixed.unlink()
    return len(unreadable)


def _film(footage: Footage, times: Timeline, tools: Equipment, sound: Path, film: Path) -> None:
    complaint = film.with_suffix(".log")
    with complaint.open("wb") as said:
        encoder = subprocess.Popen(film_command(tools.ffmpeg, sound, film), stdin=subprocess.PIPE, stderr=said)
    assert encoder.stdin is not None, "a pipe"
    try:
        for number in range(times.frames):
            encoder.stdin.write(footage.frame(number).tobytes())
            if number % TOLD_EVERY_FRAMES == 0:
                tell("film", number / times.frames)
        encoder.stdin.close()
        ended = encoder.wait()
    except BrokenPipeError:  # it says why on stderr
        ended = encoder.wait() or 1
    finally:
        if encoder.returncode is None:
            encoder.kill()
            encoder.wait()
    if ended:
        raise EncodingFailed(complaint.read_bytes()[-2000:].decode("utf-8", "replace").strip() or f"ended with {ended}")


def _check(film: Path, times: Timeline, tools: Equipment) -> None:
    """What was made is what was meant."""
    found = probe(tools.ffmpeg, film)
    same = (found.video, found.size, found.audio, found.audio_rate) == ("h264", (WIDTH, HEIGHT), "aac", RATE)
    if not same or found.rate != FRAME_RATE or abs(found.seconds - times.seconds) > 0.2:
        raise EncodingFailed(f"the film is {found}, and should last {times.seconds:.2f} s")


def tell(stage: str, progress: float) -> None:
    print(json.dumps({"stage": stage, "progress": round(progress, 4)}), flush=True)


def confine() -> None:
    if os.getpgrp() != os.getpid():  # started by hand
        os.setpgid(0, 0)
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES, WRITTEN_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error to be told instead
    threading.Thread(target=_end_with_the_worker, name="life", daemon=True).start()


def _end_with_the_worker() -> None:
    os.read(0, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def failure(error: BaseException) -> dict[str, str]:
    """As `FilmFailed` has it."""
    why = f"{type(error).__name__}: {error}"[-1000:]
    if isinstance(error, FilmFailed):
        return {"failed": error.code, "why": why}
    if isinstance(error, MemoryError) or "Cannot allocate memory" in why or "malloc" in why:
        return {"failed": "out_of_memory", "why": why}
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    full = full or "No space left" in why or _free_bytes() < NO_ROOM_BYTES  # libsndfile says only that it failed
    return {"failed": "no_room" if full else "broken", "why": why}


def _free_bytes() -> int:
    """Where everything is written: the child's own folder."""
    known = os.statvfs(".")
    return known.f_bavail * known.f_frsize


def main() -> int:
    confine()
    try:
        last: dict[str, Any] = {"done": asdict(make(Plan.read(Path(sys.argv[1])), equipment()))}
    except Exception as error:
        last = failure(error)
    print(json.dumps(last), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
