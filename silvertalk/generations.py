"""Generations: pictures and films that a model at Replicate makes for somebody.

Begun and answered at once; Replicate tells by webhooks how they go on, and what it has made is brought into our own
store (`generation_steps`). Where no webhook came in time Replicate is asked, once: at that moment by the process that
began it, or later by whoever asks how far it is.

Nothing here needs the database: who asks is in their token, the rest in Redis. Only what somebody agreed to is asked of
it, and believed for an hour after, so that a database that is away stops nobody who was just here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from silvertalk.consents import has_agreed
from silvertalk.database import Database
from silvertalk.errors import ConsentMissing, DatabaseAway, MediaAway, NotFound, SilverTalkError
from silvertalk.generation_quotas import GenerationQuotas
from silvertalk.generation_records import Generation, Kind, new_generation_id
from silvertalk.generation_steps import GenerationSteps
from silvertalk.jobs import Jobs
from silvertalk.media.store import MediaStore, user_prefix
from silvertalk.services.replicate import Prediction, Replicate
from silvertalk.settings import Settings
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import logger

if TYPE_CHECKING:
    from silvertalk.job_kinds import WorkParts

log = logger("generations")

CLIP_SECONDS = 660
"""After so long a clip is finished, one way or the other, as soon as `of` is asked about it. A job that waits for one
is woken before (`Jobs.wake`), where its webhook comes."""
CONSENT_SECONDS = 2.0
"""Longest wait for the database; then what it last said is believed."""


class Generations:
    """All generations, as one process sees them; `async with` it."""

    def __init__(
        self,
        settings: Settings,
        *,
        bus: Bus,
        database: Database,
        media: MediaStore,
        jobs: Jobs,
        replicate: Replicate,
    ) -> None:
        self._settings = settings
        self._database = database
        self._replicate = replicate
        self._steps = GenerationSteps(
            settings, bus=bus, media=media, jobs=jobs, replicate=replicate, check_consent=self._check_consent
        )
        self.records, self.outputs = self._steps.records, self._steps.outputs
        self._quotas = GenerationQuotas(bus, self.records, settings)

    async def __aenter__(self) -> Self:
        await self._steps.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._steps.__aexit__(kind, error, trace)

    # --- beginning ---------------------------------------------------------------------------------------------------
    # All of these raise GenerateNotConfigured, ConsentMissing, QuotaReached, ReplicateAway (`retry_after_seconds`),
    # ReplicateRefused, MediaAway, DatabaseAway and BusError: nothing was begun then.

    async def begin_images(self, user: str, prompt: str, *, aspect_ratio: str, num_outputs: int) -> Generation:
        """Pictures of a text."""
        new = self._new(user, "image", prompt, aspect_ratio=aspect_ratio, num_outputs=num_outputs)
        return await self._begin_counted(new, num_outputs)

    async def begin_film(self, user: str, prompt: str, key: str, *, aspect_ratio: str, loop: bool) -> Generation:
        """A film of a picture of theirs, by its key in our store."""
        new = self._new(user, "video", prompt, aspect_ratio=aspect_ratio, loop=loop, source=_own(user, key))
        return await self._begin_counted(new, 0)

    async def begin_film_of(
        self, user: str, prompt: str, picture: bytes, *, aspect_ratio: str, loop: bool
    ) -> Generation:
        """A film of a picture that was sent along. Raises PictureRefused and MediaTooLarge, too."""
        self._replicate.check_configured()
        new = self._new(user, "video", prompt, aspect_ratio=aspect_ratio, loop=loop)
        jpeg = await self.outputs.squared(picture)
        return await self._begin_counted(new, 0, jpeg)

    async def begin_both(
        self, user: str, image_prompt: str, video_prompt: str, *, aspect_ratio: str, loop: bool
    ) -> Generation:
        """A picture of a text, then a film of the picture."""
        new = self._new(user, "full", image_prompt, video_prompt=video_prompt, aspect_ratio=aspect_ratio, loop=loop)
        return await self._begin_counted(new, 1)

    async def begin_clip(
        self, user: str, picture_key: str, prompt: str, *, job: str, aspect_ratio: str = "9:16"
    ) -> str:
        """Have a film of five seconds made of the picture at `picture_key` (of this person's); returns the generation's
        id at once. The same job, picture and prompt again is the same generation, so a job that begins anew asks for no
        second one. When it is finished the gateway calls `jobs.wake(job)`.
        """
        new = self._new(user, "clip", prompt, aspect_ratio=aspect_ratio, source=_own(user, picture_key), job=job)
        purpose = f"{job}\n{picture_key}\n{prompt}"
        begun = await self.records.claim(new, purpose)
        if begun is not None:
            if await self.records.of(user, begun) is not None:
                return begun
            new = msgspec.structs.replace(new, id=begun)  # whoever claimed it was killed before it was begun
        try:
            return (await self._begin_counted(new, 0)).id
        except BaseException:
            with suppress(BusError):  # forgotten within a day; the job goes without this clip
                await self.records.give_up_claim(user, purpose)
            raise

    def _new(self, user: str, kind: Kind, prompt: str, **more: Any) -> Generation:
        return Generation(id=new_generation_id(), user=user, kind=kind, prompt=prompt, **more)

    async def _begin_counted(self, new: Generation, pictures: int, jpeg: bytes | None = None) -> Generation:
        self._replicate.check_configured()
        await self._check_consent(new.user)
        async with self._quotas.counted(new.user, new.kind, pictures):
            if jpeg is not None:
                new = msgspec.structs.replace(new, source=await self.outputs.keep_source(new, jpeg))
            try:
                await self.records.add(new)
                return await self._steps.begin(new)
            except BaseException:
                with suppress(BusError):
                    await self.records.remove(new)
                if jpeg is not None:
                    with suppress(MediaAway):
                        await self.outputs.drop(new)
                raise

    async def _check_consent(self, user: str) -> None:
        """Raises ConsentMissing; DatabaseAway where nobody knows."""
        if self._settings.outside_services_allowed:
            return
        try:
            async with asyncio.timeout(CONSENT_SECONDS), self._database.transaction() as connection:
                agreed: bool | None = await has_agreed(connection, user, "outside_services")
        except (DatabaseAway, TimeoutError):
            agreed = await self.records.remembered_consent(user)
            if agreed is None:
                raise DatabaseAway("nobody knows what they agreed to") from None
        else:
            await self.records.remember_consent(user, bool(agreed))
        if not agreed:
            raise ConsentMissing

    async def consent_changed(self, user: str) -> None:
        """What was last said of their consent is not true any more. Never fails: where Redis is away it knows so for an
        hour at most, and only as long as the database is away, too."""
        with suppress(BusError):
            await self.records.forget_consent(user)

    # --- following ---------------------------------------------------------------------------------------------------

    async def hear(self, generation: Generation, told: Prediction) -> Generation:
        """What Replicate says in a webhook; how far the generation is then. Raises BusError."""
        return await self._steps.hear(generation, told)

    async def of(self, user: str, generation: str) -> Generation:
        """How far it is: `finished`, `status` ("succeeded" or not), `keys` (what was made, in our store),
        `error_code`. Raises NotFound for what is none of this person's or has expired, BusError.

        Where its webhook is overdue Replicate is asked, once, and what it has made is brought in before this returns.
        """
        found = await self.records.of(user, generation)
        if found is None:
            raise NotFound
        if found.finished or await self.records.is_waited_for(found):
            return found
        await self._steps.look(found)
        return await self.records.of(user, generation) or found

    # --- ending ------------------------------------------------------------------------------------------------------

    async def cancel(self, user: str, generation: str) -> Generation:
        """End it; what is over stays as it is. Raises NotFound, ReplicateAway, ReplicateRefused, BusError."""
        found = await self.of(user, generation)
        if found.finished:
            return found
        if found.prediction:
            await self._replicate.cancel(found.prediction)
        ended = await self._steps.finish(found, "canceled")
        if ended.status == "canceled":
            await self.records.change(ended, lambda now: msgspec.structs.replace(now, keys=()))
            with suppress(MediaAway):
                await self.outputs.drop(ended)
        return ended

    async def discard(self, user: str, generation: str) -> None:
        """It is not wanted any more: canceled where it still runs, deleted with all that was made of it. Raises
        BusError, MediaAway."""
        found = await self.records.of(user, generation)
        if found is None:
            return
        if not found.finished and found.prediction:
            with suppress(SilverTalkError):  # it ends by itself, and nobody wants it
                await self._replicate.cancel(found.prediction)
        await self.records.remove(found)
        await self.outputs.drop(found)


def _own(user: str, key: str) -> str:
    """The key, if what lies there is this person's. Raises NotFound."""
    if not key.startswith(user_prefix(user)):
        raise NotFound
    return key


@asynccontextmanager
async def worker_generations(parts: WorkParts) -> AsyncIterator[Generations]:
    """For a job: `async with worker_generations(parts) as generations`."""
    async with AsyncExitStack() as stack:
        replicate = await stack.enter_async_context(Replicate(parts.settings))
        yield await stack.enter_async_context(
            Generations(
                parts.settings,
                bus=parts.bus,
                database=parts.database,
                media=parts.media,
                jobs=parts.jobs,
                replicate=replicate,
            )
        )
