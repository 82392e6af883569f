"""The telling: one guest, three photos, four spoken turns, what is remembered of them, and the film.

Everything is done as the app does it: REST, the notices' stream, the voice socket. Nothing is asked twice in the hope
that it has changed: each wait is for an event.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import soundfile
from PIL import Image

from silvertalk.login import Guest, log_in_as_guest
from story.script import FORM_OF_ADDRESS, PET_VOICE, PHOTOS, TURNS, Said, Shown
from streaming.audio import MICROPHONE_RATE
from streaming.protocol import FinalTranscript, PhotoShown, ReplyEnded, SpokenText, TurnCommitted
from tests.caller import Caller, calling

ANSWER_SECONDS = 90.0
"""A node on two slow cores takes its time."""
FILM_SECONDS = 900.0
Tell = Callable[[str, float], None]
"""`tell(what, progress)`: what goes on now, and how much of the film is made (0 to 1)."""


async def say_recording(caller: Caller, said: Said) -> None:
    await caller.say(_pcm(said))


@dataclass(frozen=True)
class Plot:
    """How it is told: what is shown and said in it, and what film is made of it. `say`: how a turn is said."""

    photos: tuple[Shown, ...] = PHOTOS
    turns: tuple[Said, ...] = TURNS
    say: Callable[[Caller, Said], Awaitable[None]] = say_recording
    video_type: str = "slideshow"
    own_voice: bool = False


class Heard(NamedTuple):
    """One turn as it went: what was understood, what was answered. The first is the puppy's own."""

    understood: str
    answered: str


@dataclass
class Told:
    """What came of the story."""

    turns: list[Heard] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """Photos that were shown during the talk, by name."""
    memories: list[str] = field(default_factory=list)
    summary: str = ""
    video: dict[str, Any] = field(default_factory=dict)
    """As `GET /videos/{id}` gives it."""
    stages: list[str] = field(default_factory=list)
    film: Path = Path()
    thumbnail: Path = Path()

    @property
    def narration(self) -> list[str]:
        """The sentences of the film, in their order."""
        return [sentence["text"] for sentence in self.video["story"]]


class StoryFailed(Exception):
    """The product did not do what the story needs; what it said."""


async def tell_story(url: str, out: Path, tell: Tell, plot: Plot) -> Told:
    """Tell it to the product at `url`; the film lies in `out`, which exists, afterwards. Raises StoryFailed."""
    guest = await log_in_as_guest(url)
    headers = {"Authorization": f"Bearer {guest.access_token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0) as app, _notices(app) as notices:
        consents = {"memories": True, "keep_voice": plot.own_voice, "outside_services": True}
        await _asked(
            app, "PATCH", "/users/me", {"form_of_address": FORM_OF_ADDRESS, "voice": PET_VOICE, "consents": consents}
        )
        tell("사진을 올려요", 0.0)
        photos = [await _upload(app, notices, photo.path, photo.location_name) for photo in plot.photos]
        told = Told()
        session = await _talk(url, app, guest, photos, plot, told, tell)
        tell("기억해 두어요", 0.0)
        await _asked(app, "PATCH", f"/chat/sessions/{session}/finish")
        await notices.until("memory", state="added")  # they are written, and told of, together
        told.memories = [one["fact"] for one in await _asked(app, "GET", "/memories/")]
        await _film(app, notices, session, out, plot, told, tell)
        return told


# --- its parts -------------------------------------------------------------------------------------------------------


async def _upload(app: httpx.AsyncClient, notices: _Notices, path: Path, place: str) -> str:
    """The photo's id, once it may be shown and was looked at."""
    data = await asyncio.to_thread(path.read_bytes)
    wanted = {
        "filename": path.name,
        "content_type": "image/jpeg",
        "size": len(data),
        "local_uri": f"story://{path.name}",
    }
    form = await _asked(app, "POST", "/photos/presign", wanted | {"location_name": place})
    sent = await app.post(form["url"], data=form["fields"], files={"file": (path.name, data, "image/jpeg")})
    if sent.status_code not in (201, 204):
        raise StoryFailed(f"the media store took no photo: {sent.status_code} {sent.text[:200]}")
    photo = str(form["photo_id"])
    await _asked(app, "POST", f"/photos/{photo}/complete")
    state = await notices.until("photo", photo_id=photo, status=("ready", "refused"))
    if state["status"] != "ready":
        raise StoryFailed(f"{path.name} was refused: {state}")
    await notices.until("job", kind="look", subject_id=photo, status="done")
    return photo


async def _talk(
    url: str, app: httpx.AsyncClient, guest: Guest, photos: list[str], plot: Plot, told: Told, tell: Tell
) -> str:
    """The conversation: the puppy begins, the turns are said, and it answers each."""
    session = str((await _asked(app, "POST", "/chat/sessions", {"photo_id": photos[0]}))["session_id"])
    for photo in photos[1:]:
        await _asked(app, "POST", f"/chat/sessions/{session}/photos", params={"photo_id": photo})
    async with calling(url, guest=guest, session=session, patience_seconds=ANSWER_SECONDS) as caller:
        tell("복실이가 먼저 말을 건네요", 0.0)
        told.turns.append(await _answered(caller, 0))
        for said in plot.turns:
            tell(f"“{said.words}”", 0.0)
            before = _last_turn(caller)
            await plot.say(caller, said)
            told.turns.append(await _answered(caller, before))
        names = dict(zip(photos, (photo.name for photo in plot.photos), strict=True))
        told.shown = [names[event.photo] for event in caller.all(PhotoShown)]
    return session


def _last_turn(caller: Caller) -> int:
    return max((event.turn for event in caller.all(ReplyEnded)), default=0)


async def _answered(caller: Caller, before: int) -> Heard:
    """The first turn after `before` that was answered, played to its end and kept."""
    await caller.until(lambda: any(event.turn > before for event in caller.all(TurnCommitted)))
    turn = min(event.turn for event in caller.all(TurnCommitted) if event.turn > before)
    await caller.client.played_out()
    # Who goes on after a pause is understood anew, and answered anew: the last of both counts.
    understood = [event.text for event in caller.all(FinalTranscript, turn=turn)][-1:]
    spoken = caller.all(SpokenText, turn=turn)
    last = max((event.reply for event in spoken), default=0)
    answered = [event.text for event in spoken if event.reply == last]
    return Heard("".join(understood), " ".join(answered))


def _pcm(said: Said) -> bytes:
    samples, rate = soundfile.read(said.path, dtype="int16")
    if rate != MICROPHONE_RATE or samples.ndim != 1:
        raise StoryFailed(f"{said.path.name} is not mono at {MICROPHONE_RATE} Hz")
    pcm: bytes = samples.tobytes()
    return pcm


async def _film(
    app: httpx.AsyncClient, notices: _Notices, session: str, out: Path, plot: Plot, told: Told, tell: Tell
) -> None:
    asked = await _asked(app, "POST", "/videos/generate", {"session_id": session, "video_type": plot.video_type})
    video = str(asked["video_id"])

    def on_progress(data: dict[str, Any]) -> None:
        if data.get("kind") == "video":
            if data["stage"] and data["stage"] not in told.stages:
                told.stages.append(data["stage"])
            stage = f" ({data['stage']})" if data["stage"] else ""
            tell(f"영상을 만들어요{stage}", float(data["progress"]))

    notices.watch = on_progress
    ended = await notices.until("video", FILM_SECONDS, id=video, status=("completed", "failed", "cancelled"))
    told.video = await _asked(app, "GET", f"/videos/{video}")
    if ended["status"] != "completed":
        raise StoryFailed(f"there is no film: {told.video}")
    told.film, told.thumbnail = out / "story.mp4", out / "story.jpg"
    for path, link in ((told.film, "video_url"), (told.thumbnail, "thumbnail_url")):
        fetched = await app.get(told.video[link])
        if fetched.status_code != 200:
            raise StoryFailed(f"{link} answers {fetched.status_code}")
        path.write_bytes(fetched.content)
    Image.open(io.BytesIO(told.thumbnail.read_bytes())).verify()


async def _asked(
    app: httpx.AsyncClient,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    params: dict[str, str] | None = None,
) -> Any:
    answer = await app.request(method, path, json=body, params=params)
    if answer.status_code >= 400:
        raise StoryFailed(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
    return answer.json() if answer.content else None


# --- what is told meanwhile ------------------------------------------------------------------------------------------


class _Notices:
    """What came over `/v1/me/events`, from the first moment on."""

    def __init__(self) -> None:
        self._came: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Condition()
        self.opened = asyncio.Event()
        self.watch: Callable[[dict[str, Any]], None] = lambda data: None

    async def read(self, app: httpx.AsyncClient) -> None:
        kind = ""
        async with app.stream("GET", "/v1/me/events", timeout=None) as stream:
            self.opened.set()
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind:
                    await self._take(kind, json.loads(value))
                    kind = ""

    async def _take(self, kind: str, data: dict[str, Any]) -> None:
        self.watch(data)
        async with self._news:
            self._came.append((kind, data))
            self._news.notify_all()

    async def until(self, kind: str, seconds: float = ANSWER_SECONDS, /, **fields: Any) -> dict[str, Any]:
        """The first of this kind with these values, whether it came already or comes now; a tuple: one of these."""

        def fits(data: dict[str, Any]) -> bool:
            return all(data.get(name) in (v if isinstance(v, tuple) else (v,)) for name, v in fields.items())

        def found() -> dict[str, Any] | None:
            return next((data for came, data in self._came if came == kind and fits(data)), None)

        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise StoryFailed(
                f"no notice {kind} with {fields} within {seconds:.0f} s; came: {self._came[-8:]}"
            ) from None
        data = found()
        assert data is not None
        return data


@asynccontextmanager
async def _notices(app: httpx.AsyncClient) -> AsyncIterator[_Notices]:
    notices = _Notices()
    reading = asyncio.create_task(notices.read(app), name="story: notices")
    try:
        await notices.opened.wait()
        yield notices
    finally:
        reading.cancel()
        await asyncio.wait([reading])
