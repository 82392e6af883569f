"""Slides that move: each photo's film of a few seconds, made by a model outside (`silvertalk.generations`).

Whatever goes wrong with one, its slide is a photo that moves slowly, as all others are. Which generation belongs to
which slide stands in the story, so that a job that begins anew goes on waiting for the same ones. A job that waits
takes no worker's place: it is postponed, and woken when a webhook says that one is there.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import msgspec

from silvertalk.errors import (
    ConsentMissing,
    GenerateNotConfigured,
    MediaTooLarge,
    NotFound,
    QuotaReached,
    ReplicateAway,
    ReplicateRefused,
    SilverTalkError,
)
from silvertalk.generations import Generations
from silvertalk.job_kinds import JobPostponed, WorkParts
from silvertalk.jobs import JobRow
from silvertalk.story import Story, StorySlide
from streaming.errors import StreamingError
from streaming.logs import logger

log = logger("video")

MAX_CLIPS = 12
"""Of one film: each costs money."""
LOOK_SECONDS = 60.0
"""How often a job that waits looks for itself: a webhook may be lost, or come before the job waits."""
AWAY_PATIENCE = 10
"""So many seconds of a job's life, times sixty, Replicate is waited for before its slides stay photos."""
MAX_CLIP_BYTES = 64 * 1024 * 1024
NONE = "-"
"""In the place of a generation's id: there is none, and will be none."""
PROMPT = (
    "Bring this family photograph gently to life: the people breathe, blink and smile softly, light and leaves move a "
    "little. Slow, steady camera. Keep every face, the clothes and the background exactly as they are."
)
"""The same for every photo: nothing that was said leaves the house with the picture."""

Keep = Callable[[Story], Coroutine[Any, Any, None]]


class Clips:
    """The clips of one story."""

    def __init__(self, parts: WorkParts, job: JobRow, generations: Generations, pictures: dict[str, str]) -> None:
        self._parts = parts
        self._job = job
        self._generations = generations
        self._pictures = pictures

    async def begin(self, story: Story, keep: Keep) -> Story:
        """Have each slide's clip begun; `keep` is called as soon as one is. Returns the story with them."""
        for place, slide in enumerate(story.slides[:MAX_CLIPS]):
            if slide.clip:
                continue
            begun = msgspec.structs.replace(slide, clip=await self._begun(slide))
            slides = (*story.slides[:place], begun, *story.slides[place + 1 :])
            story = msgspec.structs.replace(story, slides=slides)
            await keep(story)
        return story

    async def _begun(self, slide: StorySlide) -> str:
        picture = self._pictures[slide.photo]
        try:
            return await self._generations.begin_clip(self._job.user_id, picture, PROMPT, job=self._job.id)
        except ReplicateAway as error:
            if (self._job.updated_at - self._job.created_at).total_seconds() < AWAY_PATIENCE * 60:
                raise JobPostponed(max(error.retry_after_seconds, 1)) from error
            log.info("clip_not_begun", code=error.code)
        except (ConsentMissing, GenerateNotConfigured, NotFound, QuotaReached, ReplicateRefused) as error:
            log.info("clip_not_begun", code=error.code)
        return NONE

    async def unfinished(self, story: Story) -> int:
        """How many are still being made."""
        count = 0
        for _, generation in begun_in(story):
            try:
                count += not (await self._generations.of(self._job.user_id, generation)).finished
            except NotFound:
                continue
        return count

    async def fetched(self, story: Story, folder: Path) -> dict[str, Path]:
        """The clips that were made, by their photos, each in a file."""
        files: dict[str, Path] = {}
        for photo, generation in begun_in(story):
            try:
                made = await self._generations.of(self._job.user_id, generation)
                if made.status != "succeeded" or not made.keys:
                    log.info("clip_not_made", status=made.status, code=made.error_code)
                    continue
                data = await self._parts.media.read(made.keys[0], MAX_CLIP_BYTES)
            except (KeyError, MediaTooLarge, NotFound) as error:
                log.info("clip_not_made", reason=type(error).__name__)
                continue
            files[photo] = folder / f"clip-{len(files):03}.mp4"
            files[photo].write_bytes(data)
        return files


def begun_in(story: Story) -> list[tuple[str, str]]:
    """The photos whose clips were begun, each with its generation."""
    return [(slide.photo, slide.clip) for slide in story.slides if slide.clip and slide.clip != NONE]


async def discard(generations: Generations, user: str, those: Iterable[str]) -> None:
    """None of these is wanted any more. Never fails: what stays is deleted when its time is over."""
    for generation in those:
        try:
            await generations.discard(user, generation)
        except (StreamingError, SilverTalkError) as error:
            log.info("clip_left", reason=type(error).__name__)
