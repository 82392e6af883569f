"""What memory films are made with: FFmpeg, and Korean letters for their subtitles."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from silvertalk.doctor.finding import Finding
from silvertalk.film import FilmFailed
from silvertalk.film.equipment import Equipment, equipment

ASK_SECONDS = 20.0
"""A program of 170 MB that is loaded for the first time."""
NEEDED = ("libx264", "aac")


def check_film(*, needed: bool, find: Callable[[], Equipment] = equipment) -> Finding:
    """Could a worker here make a film? `needed`: one runs here, so that what is missing is a fault."""
    name = "films"
    try:
        ffmpeg = find().ffmpeg
    except FilmFailed as error:
        what = str(error).partition(": ")[2]
        return Finding(
            name,
            False if needed else None,
            f"A worker here could make no memory films: {what}.",
            "Run `pip install --no-deps --require-hashes -r deploy/requirements-film.lock`.",
        )
    try:
        command = [str(ffmpeg), "-hide_banner", "-encoders"]
        said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ASK_SECONDS)
        encoders = {line.split()[1] for line in said.stdout.splitlines() if len(line.split()) > 1}
    except (OSError, subprocess.TimeoutExpired) as error:
        encoders = set()
        what = f"{ffmpeg} does not run ({type(error).__name__})"
    else:
        what = f"{ffmpeg} has no {' and no '.join(one for one in NEEDED if one not in encoders)}"
    if not encoders.issuperset(NEEDED):
        mend = "Unset IMAGEIO_FFMPEG_EXE, or have it name an FFmpeg with libx264."
        return Finding(name, False if needed else None, f"A worker here could make no memory films: {what}.", mend)
    return Finding(name, True, "FFmpeg and Korean letters came inside wheels.")
