"""Pictures, decoded by a process with nothing to lose: what may be shared of them is a picture and nothing else."""

import asyncio
import io
import os
import resource
import signal
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from silvertalk.media import images, rendering
from silvertalk.media.images import ImageRefused, Rendered, render
from tests.silvertalk.media.pictures import (
    CANARY,
    HEIC,
    REFUSED,
    SEOUL,
    TAKEN_AS_THEY_ARE,
    exif,
    phone_jpeg,
    picture,
    png,
    saved,
)

PLAIN_SEGMENTS = {0xD8, 0xE0, 0xDB, 0xC0, 0xC4, 0xDA, 0xD9}
"""Of a JPEG: its begin and end, JFIF's head, tables, sizes, the picture."""


class Copies:
    """A folder with a picture in it, and what was made of that."""

    def __init__(self, folder: Path) -> None:
        self.source, self.shared, self.thumbnail = (folder / name for name in ("source", "shared", "thumbnail"))

    async def of(self, data: bytes) -> Rendered:
        self.source.write_bytes(data)
        return await render(self.source, self.shared, self.thumbnail)


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path)


def segments(jpeg: bytes) -> set[int]:
    """The kinds of segments of a JPEG; raises AssertionError for a byte that belongs to none."""
    kinds, at = {0xD8}, 2
    while jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        kinds.add(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    assert jpeg[:2] == b"\xff\xd8" and jpeg[at : at + 2] == b"\xff\xda"
    assert jpeg.index(b"\xff\xd9", at) == len(jpeg) - 2, "something behind the picture"
    return kinds | {0xDA, 0xD9}


def nothing_but_a_picture(path: Path) -> Image.Image:
    data = path.read_bytes()
    assert segments(data) <= PLAIN_SEGMENTS
    assert CANARY not in data and b"<script" not in data
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    image.load()
    assert not image.getexif() and image.mode == "RGB"
    assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    return image


def is_rendering() -> bool:
    """Whether a process of ours still looks at a picture; zombies count. There may be other children: servers of tests
    that ran here before."""
    told = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    children = [pid for threads in told for pid in threads.read_text().split()]
    return any(_is_renderer(Path("/proc") / pid) for pid in children)


def _is_renderer(process: Path) -> bool:
    words = (process / "cmdline").read_bytes()
    return b"rendering" in words or not words  # a zombie has none


def colour(image: Image.Image, x: float, y: float) -> str:
    """What is seen at a place given in parts of the whole."""
    pixel = image.getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(pixel, tuple)
    return "blue" if pixel[2] > pixel[0] else "red"


# --- a hostile corpus ------------------------------------------------------------------------------------------------


def test_the_corpus_is_large() -> None:
    assert len(TAKEN_AS_THEY_ARE) + len(REFUSED) >= 30


@pytest.mark.parametrize("name", TAKEN_AS_THEY_ARE)
async def test_only_the_picture_is_shared(name: str, copies: Copies) -> None:
    found = await copies.of(TAKEN_AS_THEY_ARE[name]())
    shared = nothing_but_a_picture(copies.shared)
    thumbnail = nothing_but_a_picture(copies.thumbnail)
    assert max(shared.size) <= rendering.SHARED_SIDE and thumbnail.width <= rendering.THUMBNAIL_SIDE
    assert found.width * found.height <= rendering.MAX_PIXELS
    assert (found.width > found.height) is (shared.width > shared.height)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_picture_is_refused(name: str, copies: Copies) -> None:
    code, made = REFUSED[name]
    with pytest.raises(ImageRefused) as refused:
        await copies.of(made())
    assert refused.value.code == code
    assert not copies.shared.exists()


async def test_a_bomb_costs_this_process_nothing(copies: Copies) -> None:
    """A picture at the limit of what is taken, another far above it, several at once."""
    at_the_limit = saved(Image.new("RGBA", (5000, 5000), (1, 2, 3, 4)), "PNG")
    bomb = png(12_000, 12_000, rows=bytes(17_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = await copies.of(at_the_limit)
    assert (found.width, found.height) == (5000, 5000)
    with pytest.raises(ImageRefused):
        await copies.of(bomb)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib <= 20


async def test_a_process_that_takes_too_long_is_ended(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody writes to stands for a decoder that never comes back."""
    monkeypatch.setattr(images, "RENDER_SECONDS", 0.5)
    os.mkfifo(copies.source)
    with pytest.raises(ImageRefused) as refused:
        await render(copies.source, copies.shared, copies.thumbnail)
    assert refused.value.code == "too_much_work"
    assert not is_rendering()


async def test_who_stops_waiting_leaves_no_process(copies: Copies) -> None:
    os.mkfifo(copies.source)
    rendering_it = asyncio.create_task(render(copies.source, copies.shared, copies.thumbnail))
    await asyncio.sleep(0.3)
    rendering_it.cancel()
    await asyncio.wait({rendering_it})
    assert rendering_it.cancelled()
    assert not is_rendering()


def limited(limit: int, work: str) -> int:
    """How a process that only has this limit of ours ends, doing this."""
    pid = os.fork()
    if pid == 0:
        rendering.confine()
        resource.setrlimit(limit, {resource.RLIMIT_CPU: (1, 1)}.get(limit, resource.getrlimit(limit)))
        try:
            exec(work)
        except (MemoryError, OSError):
            os._exit(77)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def test_the_limits_hold() -> None:
    assert os.waitstatus_to_exitcode(limited(resource.RLIMIT_AS, "bytearray(2**30)")) == 77
    assert -os.waitstatus_to_exitcode(limited(resource.RLIMIT_CPU, "while True: pass")) in (
        signal.SIGXCPU,
        signal.SIGKILL,
    )


# --- upright ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orientation", "size", "blue"),
    [
        (1, (96, 64), (0.2, 0.2)),
        (2, (96, 64), (0.8, 0.2)),
        (3, (96, 64), (0.8, 0.8)),
        (4, (96, 64), (0.2, 0.8)),
        (5, (64, 96), (0.2, 0.2)),
        (6, (64, 96), (0.8, 0.2)),
        (7, (64, 96), (0.8, 0.8)),
        (8, (64, 96), (0.2, 0.8)),
    ],
)
async def test_a_picture_is_put_upright(
    orientation: int, size: tuple[int, int], blue: tuple[float, float], copies: Copies
) -> None:
    found = await copies.of(phone_jpeg(orientation))
    shared = nothing_but_a_picture(copies.shared)
    assert ((found.width, found.height), shared.size) == (size, size)
    seen = {(x, y): colour(shared, x, y) for x in (0.2, 0.8) for y in (0.2, 0.8)}
    assert [place for place, name in seen.items() if name == "blue"] == [blue]


async def test_sizes_of_what_is_shared(copies: Copies) -> None:
    found = await copies.of(saved(picture(size=(4000, 3000)), "JPEG", exif=exif(6)))
    assert (found.width, found.height) == (3000, 4000)
    assert nothing_but_a_picture(copies.shared).size == (1536, 2048)
    assert nothing_but_a_picture(copies.thumbnail).size == (640, 853)


async def test_a_tower_has_a_thumbnail_that_can_be_looked_at(copies: Copies) -> None:
    await copies.of(saved(picture(size=(100, 9000)), "PNG"))
    width, height = nothing_but_a_picture(copies.thumbnail).size
    assert height == width * rendering.MAX_SIDE_RATIO


async def test_transparency_is_white(copies: Copies) -> None:
    await copies.of(TAKEN_AS_THEY_ARE["transparency"]())
    assert nothing_but_a_picture(copies.shared).getpixel((10, 10)) == (255, 255, 255)


async def test_sixteen_bits_keep_their_tones(copies: Copies) -> None:
    await copies.of(TAKEN_AS_THEY_ARE["16 bits of grey"]())
    grey = nothing_but_a_picture(copies.shared).getpixel((80, 50))
    expected = picture("L").getpixel((80, 50))
    assert isinstance(grey, tuple) and isinstance(expected, int | float)
    assert abs(grey[0] - expected) <= 3


# --- when and where --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIC"])
async def test_when_and_where_it_was_taken(kind: str, copies: Copies) -> None:
    found = await copies.of(HEIC if kind == "HEIC" else saved(picture(), kind, exif=exif()))
    assert found.taken_in(UTC) == datetime(1987, 5, 10, 5, 30, tzinfo=UTC)
    assert found.latitude is not None and found.longitude is not None
    assert (found.latitude, found.longitude) == pytest.approx(SEOUL, abs=1e-5)


async def test_a_clock_without_a_zone_is_the_persons(copies: Copies) -> None:
    found = await copies.of(phone_jpeg(offset=""))
    assert found.taken_at == datetime(1987, 5, 10, 14, 30)
    assert found.taken_in(ZoneInfo("Asia/Seoul")) == datetime(1987, 5, 10, 4, 30, tzinfo=UTC), "summer time of 1987"


@pytest.mark.parametrize(
    "name",
    ["a place that is none", "EXIF that bites its tail", "EXIF of two gigabytes", "EXIF that is noise", "grey"],
)
async def test_what_cannot_be_meant_is_not_known(name: str, copies: Copies) -> None:
    found = await copies.of(TAKEN_AS_THEY_ARE[name]())
    assert (found.latitude, found.longitude) == (None, None)


async def test_a_moment_that_is_none(copies: Copies) -> None:
    found = await copies.of(TAKEN_AS_THEY_ARE["a moment that is none"]())
    assert found.taken_at is None
