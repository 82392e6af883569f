"""Where FFmpeg and the letters are: both come inside wheels, with the extra `film`."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path

from silvertalk.film import FilmFailed

FFMPEG_WHEEL = "imageio-ffmpeg"
LETTERS_WHEEL = "koreanize-matplotlib"
"""NanumGothic, under the SIL Open Font License. Its Python is never imported: that would want matplotlib."""
FFMPEG_VARIABLE = "IMAGEIO_FFMPEG_EXE"
"""Names another FFmpeg; imageio-ffmpeg's own variable."""
BOLD, EXTRA_BOLD = "NanumGothicBold.ttf", "NanumGothicExtraBold.ttf"


@dataclass(frozen=True)
class Equipment:
    ffmpeg: Path
    bold: Path
    extra_bold: Path


def equipment() -> Equipment:
    """Raises FilmFailed ("equipment_missing") and says which."""
    named = os.environ.get(FFMPEG_VARIABLE)
    ffmpeg = Path(named) if named else _inside(FFMPEG_WHEEL, "binaries/ffmpeg-")
    if ffmpeg is None or not os.access(ffmpeg, os.X_OK):
        raise FilmFailed("equipment_missing", f"no FFmpeg that runs here: {named or FFMPEG_WHEEL}")
    bold, extra_bold = (_inside(LETTERS_WHEEL, f"fonts/{name}") for name in (BOLD, EXTRA_BOLD))
    if bold is None or extra_bold is None:
        raise FilmFailed("equipment_missing", f"no Korean letters: {LETTERS_WHEEL}")
    return Equipment(ffmpeg, bold, extra_bold)


def _inside(wheel: str, part: str) -> Path | None:
    """The file of an installed wheel whose path contains `part`."""
    try:
        files = importlib.metadata.files(wheel) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if part in file.as_posix())
    return next((path for path in found if path.is_file()), None)
