"""What a memory film costs: `python -m benchmarks.film`.

Films of 3, 12 and 60 photos of twelve megapixels, one sentence of 3.5 s over each, rendered as a worker renders them,
each in a process of its own. Memory is what the kernel says each process had at most (its own highest mark), and the
most that all of them had at one moment, looked at five times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from silvertalk.film import Film, Slide, Spoken, render_film
from tests.silvertalk.film.scenes import photo, sentence

PHOTOS = (3, 12, 60)
SENTENCE_SECONDS = 3.5
SOUND = "sentence.wav"
TEXT = "그날은 바다가 참 파랗고 바람이 시원했어요."
KINDS = ("worker", "pictures", "studio", "ffmpeg")


SHAPES = ((4000, 3000), (3000, 4000), (2700, 4800), (6000, 2000))
"""Some lie, some stand, some fill the frame, and every fourth is a panorama. Four files are enough to read from."""


def furnish(folder: Path) -> None:
    for number, shape in enumerate(SHAPES):
        photo(folder / f"{number}.jpg", *shape, seed=number)
    sentence(folder / SOUND, SENTENCE_SECONDS, rate=24_000)


def film_of(photos: int, folder: Path) -> Film:
    words = Spoken(TEXT, folder / SOUND)
    slides = tuple(Slide(folder / f"{number % len(SHAPES)}.jpg", (words,)) for number in range(photos))
    return Film("1987년 여름, 속초 바다에서", "순자 님의 이야기", slides)


class Memory:
    """What this process and its descendants take, kind by kind, in MiB."""

    def __init__(self) -> None:
        self.highest = dict.fromkeys(KINDS, 0.0)
        self.together = 0.0

    async def watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(0.2)

    def _look(self) -> None:
        now, own = 0.0, os.getpid()
        for pid in [own, *_descendants(own)]:
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            known = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
            if "VmHWM" not in known:
                continue
            kind = _kind(pid == own, command)
            self.highest[kind] = max(self.highest[kind], int(known["VmHWM"].split()[0]) / 1024)
            now += int(known["VmRSS"].split()[0]) / 1024
        self.together = max(self.together, now)


def _kind(own: bool, command: bytes) -> str:
    if own:
        return "worker"
    if b"silvertalk.film.studio" in command:
        return "studio"
    return "ffmpeg" if b"ffmpeg" in command.split(b"\0", 1)[0] else "pictures"


def _descendants(parent: int) -> list[int]:
    """By the kernel's own lists of children."""
    found: list[int] = []
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            children = [int(pid) for pid in path.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


async def rendered(photos: int, folder: Path) -> dict[str, Any]:
    """One film; what it took."""
    memory = Memory()

    async def quiet(stage: str, progress: float) -> None:
        """Nobody waits for this one."""

    watching = asyncio.create_task(memory.watch(), name="memory")
    began, cpu = time.monotonic(), _cpu()
    done = await render_film(film_of(photos, folder), folder, quiet)
    took, worked = time.monotonic() - began, _cpu() - cpu
    watching.cancel()
    return {
        "photos": photos,
        "film_seconds": round(done.duration_seconds, 1),
        "mib": round(done.size_bytes / 1024**2, 1),
        "seconds": round(took, 1),
        "cpu_seconds": round(worked, 1),
        "peak_mib": {kind: round(value) for kind, value in memory.highest.items()},
        "together_mib": round(memory.together),
    }


def _cpu() -> float:
    """Of this process and of all that it has waited for, seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=PHOTOS, metavar="N", help="films of so many photos")
    parser.add_argument("--folder", type=Path, help="one film of what lies here, in this process, told as JSON")
    chosen = parser.parse_args()
    if chosen.folder is not None:
        print(json.dumps(asyncio.run(rendered(chosen.photos[0], chosen.folder))))
        return 0
    print(
        "| photos | film s | film MiB | rendered in s | CPU s | peak MiB: worker / pictures / studio / FFmpeg | all |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="silvertalk-film-") as folder:
        furnish(Path(folder))
        for photos in chosen.photos:
            command = [sys.executable, "-m", "benchmarks.film", "--folder", folder, "--photos", str(photos)]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            one = json.loads(said.splitlines()[-1])  # the log goes before
            peaks = " / ".join(str(one["peak_mib"][kind]) for kind in KINDS)
            cells = [one[name] for name in ("photos", "film_seconds", "mib", "seconds", "cpu_seconds")]
            print("|", " | ".join(map(str, [*cells, peaks, one["together_mib"]])), "|", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
