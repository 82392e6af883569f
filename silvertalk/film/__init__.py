"""The film of a memory: photos that move slowly, the words said over them, soft music of our own.

    film = Film("1987년, 속초에서", "순자 님의 이야기", (Slide(picture, (Spoken("바다가 파랬어요.", sound),)),))
    rendered = await render_film(film, folder, report)

    timing      when what is seen and heard            rendering   the worker's side: one child, watched and ended
    framing     how a picture lies in the frame        studio      the child: sound, frames, the encoder
    canvases    pictures and the title as they lie     encoding    FFmpeg's command lines, and what it says
    lettering   subtitles and titles                   equipment   where FFmpeg and the letters are
    music       what sounds beneath                    mixing      words over music

The child has limits, is niced, and ends with the worker; its memory does not depend on how many photos there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[str, float], Awaitable[None]]
"""`await report(stage, progress)`: stages "pictures", "sound", "film", "checking"; progress of the whole, 0 to 1."""


@dataclass(frozen=True)
class Spoken:
    """One sentence, shown while it sounds. Without a sound, or with one that cannot be read, it is shown as long as
    reading takes."""

    text: str
    sound: Path | None
    """WAV or FLAC of any rate."""
    own_voice: bool = False
    """The person's own recording: its subtitle stands in quotation marks, in a warmer white."""


@dataclass(frozen=True)
class Slide:
    """One photo and what is said over it."""

    picture: Path
    """JPEG, PNG, WEBP or HEIC of any size; one that cannot be read is left out with its sentences."""
    sentences: tuple[Spoken, ...] = ()
    clip: Path | None = None
    """The photo set in motion, shown in its place; where it cannot be read, the photo is."""


@dataclass(frozen=True)
class Film:
    title: str
    subtitle: str
    slides: tuple[Slide, ...]
    language: str = "ko"


@dataclass(frozen=True)
class Rendered:
    """What `render_film` made, in its folder."""

    path: Path
    """1080 x 1920 at 30 frames a second, H.264 and AAC in an MP4 that plays while it loads."""
    thumbnail: Path
    """A JPEG, 640 wide."""
    duration_seconds: float
    size_bytes: int
    left_out: tuple[int, ...] = ()
    """Which slides (from 0) are not in it: their pictures cannot be read."""
    silent: int = 0
    """Sentences that are shown only, although they came with a sound: it cannot be read."""
    still: int = 0
    """Slides that show their photo although they came with a clip: it cannot be read."""


class FilmFailed(Exception):
    """`code`: "no_pictures" (none can be read), "too_many_slides", "too_long", "equipment_missing" (no FFmpeg or no
    letters), "out_of_memory", "no_room" (on the disk), "stalled", "broken" (whatever else; the log has it)."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


async def render_film(film: Film, folder: Path, report: Report) -> Rendered:
    """Render `film` into `folder`, which exists. Cancelled, or failed, it leaves nothing running and nothing there.

    Raises FilmFailed.
    """
    from silvertalk.film import rendering  # the child imports this package, and needs nothing of that

    return await rendering.render(film, folder, report)
