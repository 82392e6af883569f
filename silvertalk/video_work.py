"""The job "video": a conversation's photos and words become a film.

    gathering   what may be shown and told, read anew          silvertalk.video_material
    writing     what is said, kept in the row at once          silvertalk.narration
    animating   slides that move, where that was asked for     silvertalk.video_clips
    speaking    sentence by sentence                           silvertalk.video_voices
    rendering   the film, in the job's own folder              silvertalk.film
    storing     film and still into the media store, then the row, in one transaction with a last look at what it shows

Killed anywhere it begins anew, and tells the same story: what was written stands in the row. The row names its job, so
whatever an older job still does changes nothing. A video that was cancelled or deleted meanwhile, also with its
conversation or its person, is found out within a second; what was put for it is taken away by whoever put it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.consents import has_agreed
from silvertalk.database import is_erased, refuse_erased
from silvertalk.errors import AccountErased, DatabaseAway, JobFailed, MediaTooLarge, SilverTalkError
from silvertalk.film import Film, FilmFailed, Rendered, Slide, Spoken, render_film
from silvertalk.generations import worker_generations
from silvertalk.job_kinds import JobPostponed, Report, WorkParts
from silvertalk.jobs import TRIES, JobRow, jobs
from silvertalk.models import Photo, Session, SessionPhoto, Video
from silvertalk.narration import Answer, write_story
from silvertalk.remembering import are_forgotten
from silvertalk.scratch import scratch_folder, scratch_of
from silvertalk.story import Story, story_of
from silvertalk.video_clips import LOOK_SECONDS, Clips, begun_in, discard
from silvertalk.video_material import Material, material_of
from silvertalk.video_voices import Voices
from silvertalk.videos import UNDER_WAY, video_prefix, videos
from streaming.errors import ErrandError
from streaming.logs import logger
from streaming.messages import ErrandOpened

log = logger("video")

STAGES = {
    "gathering": 0.02,
    "writing": 0.05,
    "animating": 0.1,
    "speaking": 0.2,
    "rendering": 0.45,
    "storing": 0.96,
}
"""Where each begins, of the whole."""
LOOK_AGAIN_SECONDS = 1.0
"""How often the row is asked whether the video is still wanted."""
PHOTO_SECONDS = 10.0
"""A photo is still being prepared: so much later it is there."""
ASK_SECONDS = 90.0
WORDS_AWAITED = timedelta(minutes=10)
"""From when the film was asked for, while a model that writes its words is asked too often: a quota of the minute is
back by then, and nobody waits in a conversation. After that the person's own words are told."""
MAX_PICTURE_BYTES = 32 * 1024 * 1024
FOR_GOOD = frozenset({"no_pictures", "too_many_slides", "equipment_missing"})
"""Why a film fails that no further try makes."""

_photos: Table = Photo.__table__  # type: ignore[assignment]
_session_photos: Table = SessionPhoto.__table__  # type: ignore[assignment]
_sessions: Table = Session.__table__  # type: ignore[assignment]


class _Unwanted(Exception):
    """The video was cancelled or deleted, or another job makes it now."""


class _Changed(Exception):
    """What the film shows or lets hear may not be shown or heard any more."""


async def make_video(parts: WorkParts, job: JobRow, report: Report) -> dict[str, Any]:
    """The job's work: `job.subject_id` is the video's. Raises JobPostponed, JobFailed, and what is AWAY."""
    making = _Making(parts, job, report)
    try:
        return await making.run()
    except _Unwanted:
        await making.leave_nothing()
        return {"status": "unwanted"}
    except AccountErased:
        await making.leave_nothing()
        raise
    except _Changed as change:
        await making.begin_anew()
        raise JobPostponed(1) from change


async def give_up_video(parts: WorkParts, connection: AsyncConnection, job: JobRow) -> None:
    """The job is a dead letter: the video has failed, for the job's reason, and may be asked for anew."""
    code = (await connection.execute(select(jobs.c.error_code).where(jobs.c.id == job.id))).scalar_one_or_none() or ""
    failed = (
        update(videos)
        .where(videos.c.id == job.subject_id, videos.c.user_id == job.user_id, videos.c.job_id == job.id)
        .where(videos.c.status.in_(UNDER_WAY))
        .values(status="failed", error_code=code)
        .returning(videos.c.session_id)
    )
    session = (await connection.execute(failed)).scalar_one_or_none()
    if session is not None:
        told = {"id": job.subject_id, "session_id": session, "status": "failed", "error_code": code}
        await parts.notices.record(connection, job.user_id, "video", told)


class _Making:
    """One run of the job."""

    def __init__(self, parts: WorkParts, job: JobRow, report: Report) -> None:
        self._parts = parts
        self._job = job
        self._report = report
        self._looked_at = asyncio.get_running_loop().time()
        self._clips: Clips | None = None
        self._begun = set(job.result.get("clips", ()))
        """Generations that an earlier run, or an earlier job of this video, has begun."""
        self._video = job.subject_id
        self._prefix = video_prefix(job.user_id, job.subject_id)
        self._own = f"{self._prefix}{job.id}/"
        """Where this job puts what it makes: never over what another has put."""

    async def run(self) -> dict[str, Any]:
        async with AsyncExitStack() as stack:
            video = await self._begin()
            await self._tell("gathering")
            material = await self._gathered(video)
            await self._tell("writing")
            story = await self._written(video, material)
            if video.video_type == "ai_animated":
                generations = await stack.enter_async_context(worker_generations(self._parts))
                self._clips = Clips(self._parts, self._job, generations, material.pictures)
                story = await self._animated(story)
            folder = await stack.enter_async_context(scratch_folder(scratch_of(self._parts.settings), "video"))
            film = await self._spoken(video, material, story, folder)
            rendered = await self._rendered(film, folder)
            return await self._stored(story, rendered)

    # --- the row -----------------------------------------------------------------------------------------------------

    def _mine(self) -> Any:
        return (
            update(videos)
            .where(videos.c.id == self._video, videos.c.user_id == self._job.user_id)
            .where(videos.c.job_id == self._job.id, videos.c.status.in_(UNDER_WAY))
        )

    async def _change(self, **values: Any) -> Any:
        """The row, changed. Raises _Unwanted, AccountErased."""
        async with self._parts.database.transaction() as connection:
            await refuse_erased(connection, self._job.user_id)
            row = (await connection.execute(self._mine().values(values).returning(videos))).one_or_none()
        if row is None:
            raise _Unwanted
        return row

    async def _begin(self) -> Video:
        row = await self._change(status="processing", error_code="")
        return Video(**row._mapping)

    async def begin_anew(self) -> None:
        """The story is to be told anew, of what there is then."""
        with suppress(_Unwanted):
            await self._change(story=None)

    async def _tell(self, stage: str, share: float = 0.0) -> None:
        """Say how far it is: `share` of this stage. Raises _Unwanted."""
        names = list(STAGES)
        begin = STAGES[stage]
        end = next((STAGES[name] for name in names[names.index(stage) + 1 :]), 1.0)
        await self._report(stage, begin + (end - begin) * min(max(share, 0.0), 1.0))
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_AGAIN_SECONDS:
            self._looked_at = now
            with suppress(DatabaseAway):  # the next look tells, or the end
                await self._check_wanted()

    async def _check_wanted(self) -> None:
        """Raises _Unwanted, AccountErased."""
        asked = select(videos.c.status).where(
            videos.c.id == self._video, videos.c.user_id == self._job.user_id, videos.c.job_id == self._job.id
        )
        async with self._parts.database.transaction() as connection:
            status = (await connection.execute(asked)).scalar_one_or_none()
            erased = await is_erased(connection, self._job.user_id)
        if erased:
            raise AccountErased
        if status not in UNDER_WAY:
            raise _Unwanted

    # --- what is told ------------------------------------------------------------------------------------------------

    async def _gathered(self, video: Video) -> Material:
        async with self._parts.database.transaction() as connection:
            material = await material_of(connection, self._parts.settings, video)
        if material.awaited:
            raise JobPostponed(PHOTO_SECONDS)
        if not material.pictures:
            raise JobFailed("nothing_to_show")
        return material

    async def _written(self, video: Video, material: Material) -> Story:
        """The story that was written already, as far as it still holds, or a new one."""
        if (kept := story_of(video.story)) is not None:
            story = material.still_true(kept)
            return story if story.slides else await self._keep(await self._new_story(material))
        return await self._keep(await self._new_story(material))

    async def _new_story(self, material: Material) -> Story:
        async def ask(instructions: str, text: str) -> Answer | None:
            wanted = ErrandOpened(
                errand="",
                kind="ask",
                language=material.talk.language,
                text=text,
                instructions=instructions,
                outside_services=material.outside,
            )
            try:
                result = await self._parts.bus.errands.ask(wanted, within=ASK_SECONDS)
            except ErrandError as error:
                self._wait_for_words(error)
                log.info("narration_not_written", reason=error.reason)
                return None
            return Answer(result.text, result.source)

        return await write_story(material.talk, ask)

    def _wait_for_words(self, error: ErrandError) -> None:
        """Raises JobPostponed where a model will write them soon enough."""
        wait = error.retry_after_seconds
        waited = self._job.updated_at - self._job.created_at  # both of the database's clock
        if wait > 0 and waited + timedelta(seconds=wait) <= WORDS_AWAITED:
            log.info("narration_awaited", seconds=round(wait, 1))
            raise JobPostponed(wait)

    async def _keep(self, story: Story) -> Story:
        await self._change(story=story.as_kept(), title=story.title)
        return story

    # --- what is seen and heard --------------------------------------------------------------------------------------

    async def _animated(self, story: Story) -> Story:
        """With the clips that there are; raises JobPostponed while one is being made."""
        assert self._clips is not None
        await self._tell("animating")

        async def keep(begun: Story) -> None:
            await self._note_clips({*self._begun, *(generation for _, generation in begun_in(begun))})
            await self._keep(begun)

        story = await self._clips.begin(story, keep)
        if unfinished := await self._clips.unfinished(story):
            await self._tell("animating", 1 - unfinished / len(story.slides))
            raise JobPostponed(LOOK_SECONDS)
        return story

    async def _note_clips(self, begun: set[str]) -> None:
        """Into the job's own row, which outlives the video's: whoever deletes that knows nothing of clips."""
        self._begun = begun
        async with self._parts.database.transaction() as connection:
            await self._parts.jobs.change(connection, self._job, result={"clips": sorted(begun)})

    async def _discard_clips(self) -> None:
        """None that was ever begun for this video is wanted any more."""
        if self._begun:
            async with worker_generations(self._parts) as generations:
                await discard(generations, self._job.user_id, sorted(self._begun))

    async def _spoken(self, video: Video, material: Material, story: Story, folder: Path) -> Film:
        """The film's slides, each with its picture and its sentences in files."""
        await self._tell("speaking")
        voices = Voices(self._parts, story, material.voices, video.voice_id, folder)
        sounds: list[Spoken] = []
        count = max(len(story.sentences), 1)
        async for spoken in voices.spoken():
            sounds.append(spoken)
            await self._tell("speaking", len(sounds) / count)
        clips = {} if self._clips is None else await self._clips.fetched(story, folder)
        slides, said = [], iter(sounds)
        for number, slide in enumerate(story.slides):
            sentences = tuple(next(said) for _ in slide.sentences)
            picture = await self._fetched(material.pictures[slide.photo], folder / f"picture-{number:03}.jpg")
            if picture is not None:
                slides.append(Slide(picture, sentences, clips.get(slide.photo)))
        if not slides:
            raise JobFailed("nothing_to_show")
        return Film(story.title, story.subtitle, tuple(slides), story.language)

    async def _fetched(self, key: str, path: Path) -> Path | None:
        """None where it is gone: the photo was deleted a moment ago."""
        try:
            data = await self._parts.media.read(key, MAX_PICTURE_BYTES)
        except (KeyError, MediaTooLarge):
            return None
        await asyncio.to_thread(path.write_bytes, data)
        return path

    async def _rendered(self, film: Film, folder: Path) -> Rendered:
        await self._tell("rendering")

        async def report(_: str, progress: float) -> None:
            await self._tell("rendering", progress)

        made = folder / "film"
        made.mkdir()
        try:
            return await render_film(film, made, report)
        except FilmFailed as error:
            if error.code in FOR_GOOD or self._job.attempts >= TRIES:
                raise JobFailed(f"film_{error.code}") from error
            raise

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _stored(self, story: Story, rendered: Rendered) -> dict[str, Any]:
        """Into the store, then into the row; it takes away what earlier jobs have put."""
        await self._tell("storing")
        await self._check_wanted()
        film, still = f"{self._own}film.mp4", f"{self._own}still.jpg"
        await self._parts.media.put(film, rendered.path, "video/mp4")
        await self._parts.media.put(still, rendered.thumbnail, "image/jpeg")
        made = {
            "status": "completed",
            "object_key": film,
            "thumbnail_key": still,
            "duration_seconds": rendered.duration_seconds,
            "completed_at": datetime.now(UTC),
            "seen_at": None,
            "own_voice": story.has_own_voice,
        }
        await self._complete(story, made)
        await self._parts.notices.publish(self._job.user_id)
        await self._discard_clips()
        await self._take_away(keep=self._own)
        return {"status": "completed", "seconds": round(rendered.duration_seconds, 2), "source": story.source}

    async def _complete(self, story: Story, made: dict[str, Any]) -> None:
        """Raises _Unwanted, _Changed, AccountErased; nothing is written then."""
        user = self._job.user_id
        async with self._parts.database.transaction() as connection:
            await refuse_erased(connection, user)
            await self._hold_conversation(connection)
            row = (await connection.execute(self._mine().values(made).returning(videos.c.session_id))).one_or_none()
            if row is None:
                raise _Unwanted
            if not await self._may_be_shown(connection, row.session_id, [slide.photo for slide in story.slides]):
                raise _Changed
            if await are_forgotten(
                connection, row.session_id, {turn for said in story.sentences for turn in said.turns}
            ):
                raise _Changed
            if story.has_own_voice and not await has_agreed(connection, user, "keep_voice"):
                raise _Changed
            told = {"id": self._video, "session_id": row.session_id, "status": "completed", "error_code": ""}
            await self._parts.notices.record(connection, user, "video", told)

    async def _may_be_shown(self, connection: AsyncConnection, session: str, shown: Iterable[str]) -> bool:
        """Whether all these photos are still there, and the conversation's."""
        wanted = set(shown)
        asked = (
            select(func.count())
            .select_from(_photos.join(_session_photos, _session_photos.c.photo_id == _photos.c.id))
            .where(_session_photos.c.session_id == session, _photos.c.user_id == self._job.user_id)
            .where(_photos.c.id.in_(wanted), _photos.c.status == "ready")
        )
        return (await connection.execute(asked)).scalar_one() == len(wanted)

    async def _hold_conversation(self, connection: AsyncConnection) -> None:
        """Its row first, as everybody does: who deletes the conversation or has some of it forgotten is waited for."""
        its = select(videos.c.session_id).where(videos.c.id == self._video).scalar_subquery()
        held = update(_sessions).where(_sessions.c.id == its, _sessions.c.user_id == self._job.user_id)
        await connection.execute(held.values(turn_count=_sessions.c.turn_count))

    async def leave_nothing(self) -> None:
        """What this job has put goes; where the video is gone altogether, all that lies there. Raises MediaAway."""
        await self._discard_clips()
        there = select(videos.c.id).where(videos.c.id == self._video, videos.c.user_id == self._job.user_id)
        async with self._parts.database.transaction() as connection:
            gone = (await connection.execute(there)).first() is None
        await self._parts.media.delete_below(self._prefix if gone else self._own)

    async def _take_away(self, *, keep: str) -> None:
        """What earlier jobs have put below this video. Never fails: it goes with the video at the latest."""
        try:
            left = [key for key in await self._parts.media.some_below(self._prefix) if not key.startswith(keep)]
            if left:
                await self._parts.media.delete(*left)
        except SilverTalkError as error:
            log.info("video_leftovers", code=error.code)
