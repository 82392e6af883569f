"""The frames of a film, one after another: two slides are in memory at most, the words over them and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from silvertalk.film.canvases import canvas_of, title_canvas
from silvertalk.film.encoding import EncodingFailed, clip_frames_command, clip_to_film, first_picture
from silvertalk.film.equipment import Equipment
from silvertalk.film.framing import CANVAS_HEIGHT, CANVAS_WIDTH, HEIGHT, WIDTH, Layout, lay
from silvertalk.film.lettering import SUBTITLE_SIZE, Letters, subtitle, subtitle_pages
from silvertalk.film.planes import Planes, Stamp, dark, melted, planes_from, planes_of, put, seen_through
from silvertalk.film.timing import CROSSFADE, FRAME_RATE, Shot, Timeline, shared_out

if TYPE_CHECKING:
    from silvertalk.film.studio import Plan

FADE_FRAMES = 5
"""In which a subtitle comes and goes."""
LINGERS_SECONDS = 0.35
"""A subtitle stays so much longer than its sound, where nothing follows."""
_TITLE = Layout((CANVAS_WIDTH, CANVAS_HEIGHT), (0, 0, CANVAS_WIDTH, CANVAS_HEIGHT), 0)


class Scene(Protocol):
    """What is filmed in one shot. `canvas` is asked for once a frame, in order."""

    layout: Layout

    def canvas(self) -> Planes: ...

    def close(self) -> None: ...


class Still:
    """A photo, or the title."""

    def __init__(self, canvas: Image.Image, layout: Layout) -> None:
        self.layout = layout
        self._canvas = planes_of(canvas)

    def canvas(self) -> Planes:
        return self._canvas

    def close(self) -> None:
        """Nothing is held."""


class Moving:
    """A clip in a photo's place, its file gone when it has been shown. Where it is shorter than the slide its last
    picture stays."""

    def __init__(self, ffmpeg: Path, clip: Path, canvas: Image.Image, layout: Layout) -> None:
        self.layout = layout
        self._canvas = planes_of(canvas)
        self._left, self._top, width, height = layout.picture
        self._size = (width, height)
        self._bytes = width * height * 3 // 2
        command = clip_frames_command(ffmpeg, clip)
        self._clip = clip
        self._player = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def canvas(self) -> Planes:
        assert self._player.stdout is not None, "a pipe"
        data = self._player.stdout.read(self._bytes)
        if len(data) == self._bytes:
            left, top = self._left, self._top
            picture = planes_from(data, self._size)
            self._canvas.y.paste(picture.y, (left, top))
            self._canvas.cb.paste(picture.cb, (left // 2, top // 2))
            self._canvas.cr.paste(picture.cr, (left // 2, top // 2))
        return self._canvas

    def close(self) -> None:
        self._player.kill()
        assert self._player.stdout is not None, "a pipe"
        self._player.stdout.close()
        self._player.wait()
        self._clip.unlink(missing_ok=True)


class _Page:
    """A subtitle's page: from frame `begins` to `ends`."""

    def __init__(self, begins: int, ends: int, text: str, own_voice: bool) -> None:
        self.begins, self.ends, self.text, self.own_voice = begins, ends, text, own_voice

    def opacity(self, number: int) -> float:
        return min(1.0, (number - self.begins + 1) / FADE_FRAMES, (self.ends - number) / FADE_FRAMES)


class Footage:
    """`still`: how many clips could not be shown, so far. Frames are asked for in order."""

    def __init__(self, plan: Plan, times: Timeline, tools: Equipment) -> None:
        self.still = 0
        self._plan, self._times, self._tools = plan, times, tools
        self._letters = Letters(tools.bold, SUBTITLE_SIZE)
        self._pages = self._paged()
        self._page: _Page | None = None
        self._stamp: Stamp | None = None
        self._scenes: dict[Shot, Scene] = {}
        self._first = 0

    def __enter__(self) -> Footage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for scene in self._scenes.values():
            scene.close()
        self._scenes.clear()

    def frame(self, number: int) -> Planes:
        shots = self._times.shots
        while shots[self._first].ends <= number:
            self._scenes.pop(shots[self._first]).close()
            self._first += 1
        shot = shots[self._first]
        frame = self._filmed(shot, number)
        if self._first + 1 < len(shots) and (following := shots[self._first + 1]).begins <= number:
            share = (number - following.begins + 1) / (CROSSFADE + 1)
            frame = melted(frame, self._filmed(following, number), share)
        self._put_words(frame, number)
        left = self._times.frames - number
        return melted(frame, dark(), 1 - left / FRAME_RATE) if left < FRAME_RATE else frame

    def thumbnail(self, path: Path, width: int, quality: int) -> None:
        """The title, as it is at first."""
        canvas = self._title()
        canvas.resize((width, width * HEIGHT // WIDTH), Image.Resampling.LANCZOS).save(
            path, format="JPEG", quality=quality
        )

    def _filmed(self, shot: Shot, number: int) -> Planes:
        if shot not in self._scenes:
            self._scenes[shot] = self._scene(shot)
        scene = self._scenes[shot]
        return seen_through(scene.canvas(), scene.layout.window((number - shot.begins) / (shot.frames - 1)))

    def _scene(self, shot: Shot) -> Scene:
        if shot.slide < 0:
            return Still(self._title(), _TITLE)
        slide = self._plan.slides[shot.slide]
        if slide.clip is not None:
            try:
                return self._moving(Path(slide.clip), shot)
            except EncodingFailed:
                self.still += 1
        with Image.open(slide.picture) as picture:
            layout = lay(picture.width, picture.height, shot.frames / FRAME_RATE, shot.slide)
            return Still(canvas_of(picture.convert("RGB"), layout), layout)

    def _moving(self, clip: Path, shot: Shot) -> Moving:
        """Raises EncodingFailed."""
        folder, seconds = Path(self._plan.folder), shot.frames / FRAME_RATE
        plain, first = folder / f"clip-{shot.slide}.mkv", folder / f"clip-{shot.slide}.png"
        first_picture(self._tools.ffmpeg, clip, first)
        with Image.open(first) as picture:
            layout = lay(picture.width, picture.height, seconds, shot.slide)
            clip_to_film(self._tools.ffmpeg, clip, plain, layout.picture[2:], seconds)
            return Moving(self._tools.ffmpeg, plain, canvas_of(picture.convert("RGB"), layout), layout)

    def _title(self) -> Image.Image:
        fonts = (self._tools.extra_bold, self._tools.bold)
        with Image.open(self._plan.slides[0].picture) as picture:
            return title_canvas(picture.convert("RGB"), self._plan.title, self._plan.subtitle, fonts)

    def _paged(self) -> list[_Page]:
        paged: list[_Page] = []
        for words in self._times.words:
            sentence = self._plan.slides[words.slide].sentences[words.sentence]
            texts = subtitle_pages(sentence.text, self._letters, own_voice=sentence.own_voice)
            for text, (begins, ends) in zip(texts, shared_out(words.begins, words.seconds, texts), strict=True):
                paged.append(_Page(round(begins * FRAME_RATE), round(ends * FRAME_RATE), text, sentence.own_voice))
            if texts:
                paged[-1].ends += round(LINGERS_SECONDS * FRAME_RATE)
        return paged

    def _put_words(self, frame: Planes, number: int) -> None:
        while self._pages and self._pages[0].ends <= number:
            self._pages.pop(0)
        if not self._pages or self._pages[0].begins > number:
            return
        page = self._pages[0]
        if page is not self._page or self._stamp is None:
            self._page, self._stamp = page, subtitle(page.text, self._letters, own_voice=page.own_voice)
        put(self._stamp, frame, page.opacity(number))
