"""A film is rendered and looked at; and whatever goes wrong, or is cancelled or killed, leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from silvertalk.film import Film, FilmFailed, Rendered, Slide, Spoken, render_film
from silvertalk.film.encoding import TRUE_PEAK_DBTP, Probed, measured, probe
from silvertalk.film.equipment import FFMPEG_VARIABLE, equipment
from silvertalk.film.framing import HEIGHT, WIDTH
from silvertalk.film.lettering import OWN_WHITE
from tests import processes
from tests.silvertalk.film import scenes
from tests.silvertalk.media.pictures import saved

Pixels = npt.NDArray[np.int16]


async def nobody_asks(stage: str, progress: float) -> None:
    """A report that nobody reads."""


class Finished:
    """A film that was rendered, and what it is to be compared with."""

    def __init__(self, rendered: Rendered, told: list[tuple[str, float]]) -> None:
        self.rendered, self.told = rendered, told
        self.ffmpeg = equipment().ffmpeg

    def frame(self, seconds: float) -> Pixels:
        """The frame that is seen then, RGB at half its size."""
        command = [str(self.ffmpeg), "-v", "error", "-ss", f"{seconds:.3f}", "-i", str(self.rendered.path)]
        command += ["-frames:v", "1", "-vf", "scale=540:960", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]
        data = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        return np.frombuffer(data, np.uint8).reshape(960, 540, 3).astype(np.int16)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One film for all that is asked of it: rendering is what takes long. Its timeline, in seconds:

    title to 3, melting to 4; a photo, words from 4.0 to 6.0 and from 6.5 to 8.0; melting from 8.3 to 9.3; a clip
    """
    folder = tmp_path_factory.mktemp("film")
    broken = folder / "broken.jpg"
    broken.write_bytes(saved(scenes.scene(400, 300), "JPEG")[:900])
    unsound = folder / "unsound.wav"
    unsound.write_bytes(b"no sound at all")
    film = Film(
        "1987년 여름, 속초",
        "순자 님의 이야기",
        (
            Slide(
                scenes.photo(folder / "lying.jpg", 1600, 1200),
                (
                    Spoken(
                        "그날 바다가 참 파랬어요.", scenes.sentence(folder / "one.wav", 2.0, rate=44_100, channels=2)
                    ),
                    Spoken("막내를 업고 갔지.", scenes.sentence(folder / "two.flac", 1.5, seed=3), own_voice=True),
                ),
            ),
            Slide(broken, (Spoken("이 사진은 볼 수 없어요.", None),)),
            Slide(
                scenes.photo(folder / "standing.jpg", 900, 1200, seed=2),
                (Spoken("도시락도 먹었어요.", unsound),),
                clip=clip(folder / "clip.mp4", 2.0),
            ),
        ),
    )
    told: list[tuple[str, float]] = []

    async def report(stage: str, progress: float) -> None:
        told.append((stage, progress))

    out = folder / "out"
    out.mkdir()
    return Finished(asyncio.run(render_film(film, out, report)), told)


def clip(path: Path, seconds: float) -> Path:
    """What a service that sets photos in motion might send: another size, another rate, a sound of its own."""
    lavfi = ["-f", "lavfi", "-i", f"testsrc2=size=640x480:rate=24:duration={seconds}"]
    sound = ["-f", "lavfi", "-i", f"sine=duration={seconds}"]
    subprocess.run([str(equipment().ffmpeg), "-v", "error", *lavfi, *sound, "-y", str(path)], check=True)
    return path


def difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one - other).mean())


# --- what was made ---------------------------------------------------------------------------------------------------


def test_its_streams_are_what_every_phone_plays(finished: Finished) -> None:
    rendered = finished.rendered
    found = probe(finished.ffmpeg, rendered.path)
    assert found == Probed(found.seconds, "h264", (WIDTH, HEIGHT), 30.0, "yuv420p", "aac", 48_000, "stereo")
    assert found.seconds == pytest.approx(rendered.duration_seconds, abs=0.1)
    data = rendered.path.read_bytes()
    assert len(data) == rendered.size_bytes
    assert data.index(b"moov") < data.index(b"mdat"), "it plays while it loads"


def test_it_is_as_loud_as_films_are(finished: Finished) -> None:
    loudness, peak = measured(finished.ffmpeg, finished.rendered.path)
    assert loudness == pytest.approx(-16, abs=1)
    assert peak <= TRUE_PEAK_DBTP


def test_what_cannot_be_read_is_left_out_and_told(finished: Finished) -> None:
    assert finished.rendered.left_out == (1,)
    assert finished.rendered.silent == 1
    assert finished.rendered.still == 0


def test_its_length_follows_from_its_words(finished: Finished) -> None:
    """The title, a slide with two sentences, one with a sentence to be read, the ending; less two crossfades."""
    lying, standing = 1.0 + 2.0 + 0.5 + 1.5 + 0.3 + 1.0, max(4.0, 1.0 + 2.0 + 0.3 + 1.0) + 2.0
    assert finished.rendered.duration_seconds == pytest.approx(4 + lying + standing - 2, abs=0.1)


def test_the_progress_grows_to_the_end(finished: Finished) -> None:
    stages = list(dict.fromkeys(stage for stage, _ in finished.told))
    assert stages == ["pictures", "sound", "film", "checking"]
    progress = [each for _, each in finished.told]
    assert progress == sorted(progress) and 0 <= progress[0] and 0.95 < progress[-1] <= 1
    assert len(progress) > 20


def test_pictures_melt_into_each_other(finished: Finished) -> None:
    """In the middle of a crossfade a frame is the mean of what was and what comes."""
    before, middle, after = (finished.frame(seconds) for seconds in (2.98, 3.5, 4.0))
    assert difference(before, after) > 10
    assert difference(middle, (before + after) // 2) < 0.25 * difference(before, after)


def test_the_picture_grows(finished: Finished) -> None:
    """The print's white border: it comes nearer to the frame's edge all the time that the slide is seen."""
    edges = []
    for seconds in (4.2, 5.2, 6.2, 7.2, 8.2):
        row = finished.frame(seconds)[430].sum(axis=1)
        edges.append(int(np.argmax(row > 640)))
    assert edges == sorted(edges, reverse=True) and len(set(edges)) == 5, edges
    assert edges[0] - edges[-1] >= 10


def test_words_stand_there_while_they_sound(finished: Finished) -> None:
    """Under the photo, white while somebody is told of, warmer where it is the person's own voice; gone between."""

    def letters(seconds: float) -> Pixels:
        lower = finished.frame(seconds)[700:850]
        bright: Pixels = lower[lower.min(axis=2) > 175]
        return bright

    shown, own = letters(5.0), letters(7.4)
    assert len(shown) > 800 and len(own) > 500
    assert len(letters(6.42)) == 0 and len(letters(8.6)) == 0
    assert np.ptp(np.median(shown, axis=0)) < 10
    assert np.median(own, axis=0)[0] - np.median(own, axis=0)[2] > (OWN_WHITE[0] - OWN_WHITE[2]) / 2
    outlined = finished.frame(5.0)[700:850]
    assert (outlined.max(axis=2) < 45).sum() > 800, "dark around the letters"


def test_a_clip_moves_in_its_photos_place_and_stays_when_it_is_over(finished: Finished) -> None:
    begins = finished.rendered.duration_seconds - 6.3
    moving = [finished.frame(begins + seconds)[300:600] for seconds in (1.0, 1.4, 1.8)]
    still = [finished.frame(begins + seconds)[300:600] for seconds in (3.0, 3.1)]
    assert min(difference(moving[0], moving[1]), difference(moving[1], moving[2])) > 3 * difference(*still)


def test_it_ends_in_the_dark(finished: Finished) -> None:
    assert finished.frame(finished.rendered.duration_seconds - 0.04).mean() < 12


def test_the_thumbnail_is_640_wide_and_shows_the_title(finished: Finished) -> None:
    with Image.open(finished.rendered.thumbnail) as image:
        assert image.format == "JPEG" and image.size == (640, 1137)
        lower = np.asarray(image.convert("RGB"), np.int16)[700:860]
    assert (lower.min(axis=2) > 220).sum() > 1500


def test_nothing_but_the_film_and_its_picture_is_left(finished: Finished) -> None:
    folder = finished.rendered.path.parent
    assert sorted(path.name for path in folder.iterdir()) == ["film.mp4", "thumbnail.jpg"]


# --- what goes wrong -------------------------------------------------------------------------------------------------


async def fails(film: Film, folder: Path) -> str:
    with pytest.raises(FilmFailed) as caught:
        await render_film(film, folder, nobody_asks)
    return caught.value.code


async def test_a_film_without_a_picture_that_can_be_read(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff nothing more")
    assert await fails(Film("", "", (Slide(broken), Slide(tmp_path / "missing.jpg"))), out) == "no_pictures"
    assert await fails(Film("", "", ()), out) == "no_pictures"
    assert await fails(Film("", "", (Slide(broken),) * 201), out) == "too_many_slides"
    assert list(out.iterdir()) == []


async def test_a_machine_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FFMPEG_VARIABLE, str(tmp_path / "ffmpeg"))
    assert await fails(Film("", "", (Slide(tmp_path / "a.jpg"),)), tmp_path) == "equipment_missing"


def pretended(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


async def test_an_ffmpeg_that_fails_is_told_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, out = scenes.photo(tmp_path / "a.jpg", 64, 48), tmp_path / "out"
    out.mkdir()
    real = equipment().ffmpeg
    # The sound is made; the film is not.
    script = 'case "$*" in *rawvideo*) echo "av_interleaved_write_frame(): No space left on device" >&2; exit 1;; esac'
    monkeypatch.setenv(FFMPEG_VARIABLE, str(pretended(tmp_path / "ffmpeg", f'{script}\nexec "{real}" "$@"')))
    assert await fails(Film("제목", "", (Slide(picture),)), out) == "no_room"
    monkeypatch.setenv(FFMPEG_VARIABLE, str(pretended(tmp_path / "ffmpeg", "exit 1")))
    assert await fails(Film("제목", "", (Slide(picture),)), out) == "broken"
    assert list(out.iterdir()) == []


@asynccontextmanager
async def begun(tmp_path: Path) -> AsyncIterator[tuple[asyncio.Task[Rendered], Path, asyncio.Event]]:
    """A long film whose frames are being made."""
    out, filming = tmp_path / "out", asyncio.Event()
    out.mkdir()

    async def report(stage: str, progress: float) -> None:
        if stage == "film":
            filming.set()

    slides = tuple(Slide(scenes.photo(tmp_path / "a.jpg", 640, 480)) for _ in range(10))
    task = asyncio.create_task(render_film(Film("긴 영화", "", slides), out, report))
    waiting = asyncio.create_task(filming.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert filming.is_set(), task
    yield task, out, filming
    task.cancel()
    await asyncio.wait((task,))


def working(folder: Path) -> list[int]:
    """Living processes that were told of this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        if str(folder) in processes.command_of(int(path.name)):
            found.append(int(path.name))
    return found


async def test_a_cancelled_film_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    async with begun(tmp_path) as (task, out, _):
        assert len(working(out)) == 2, "the child and its FFmpeg"
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        assert list(out.iterdir()) == []
        await processes.until_gone(working(out))


@pytest.mark.parametrize("whom", ["studio", "ffmpeg"])
async def test_a_killed_child_is_an_error(tmp_path: Path, whom: str) -> None:
    def is_it(pid: int) -> bool:
        return ("silvertalk.film.studio" in processes.command_of(pid)) is (whom == "studio")

    async with begun(tmp_path) as (task, out, _):
        [pid] = filter(is_it, working(out))
        os.kill(pid, signal.SIGKILL)
        await asyncio.wait((task,))
        error = task.exception()
        assert isinstance(error, FilmFailed)
        assert error.code == ("out_of_memory" if whom == "studio" else "broken")
        assert list(out.iterdir()) == []
        await processes.until_gone(working(out))


async def test_what_a_report_raises_ends_the_film(tmp_path: Path) -> None:
    async def refuses(stage: str, progress: float) -> None:
        if stage == "sound":
            raise LookupError

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(LookupError):
        await render_film(Film("", "", (Slide(scenes.photo(tmp_path / "a.jpg", 64, 48)),)), out, refuses)
    assert list(out.iterdir()) == []
    await processes.until_gone(working(out))


async def test_it_ends_with_its_worker(tmp_path: Path) -> None:
    """Killed with SIGKILL, a worker can do nothing any more; its children end themselves."""
    out = tmp_path / "out"
    out.mkdir()
    picture = scenes.photo(tmp_path / "a.jpg", 640, 480)
    async with processes.started("tests.silvertalk.film.render_one", str(picture), str(out)) as worker:
        await worker.printed("film 0.1")
        children = [pid for pid in working(out) if pid != worker.pid]
        assert len(children) == 2
        worker.signal(signal.SIGKILL)
        await worker.ended()
        await processes.until_gone(children)


# --- clips from outside ----------------------------------------------------------------------------------------------


def playlist(path: Path, target: Path) -> Path:
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n")
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: playlist(folder / "clip.mp4", clip(folder / "secret.mp4", 1.0)),
        lambda folder: scenes.sentence(folder / "clip.wav", 1.0),
        lambda folder: folder / "missing.mp4",
    ],
    ids=["playlist", "sound", "missing"],
)
def test_what_is_no_clip_is_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    from silvertalk.film.encoding import EncodingFailed, first_picture

    with pytest.raises(EncodingFailed):
        first_picture(equipment().ffmpeg, make(tmp_path), tmp_path / "first.png")
    assert not (tmp_path / "first.png").exists()
