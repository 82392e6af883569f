"""A generation's way from step to step: begun at Replicate, told of by webhooks, brought in, over.

Webhooks come late, twice, in another order or never, to any gateway. So a record only ever moves on, by one change at a
time, and what was made is brought in by whoever has the generation in hand. Where no webhook came in time Replicate is
asked, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

import msgspec

from silvertalk import metrics
from silvertalk.errors import MediaAway, ReplicateAway, SilverTalkError
from silvertalk.generation_outputs import GenerationOutputs
from silvertalk.generation_records import Generation, GenerationRecords, Status
from silvertalk.generation_requests import cancel_seconds, model_input, model_of, wait_seconds, webhook_of
from silvertalk.jobs import Jobs
from silvertalk.keys import signing_secret
from silvertalk.media.store import MediaStore
from silvertalk.scratch import scratch_of
from silvertalk.services.replicate import ENDED, OutputRefused, Prediction, Replicate, Unheard
from silvertalk.settings import Settings
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import logger

log = logger("generations")

LINK_SECONDS = 3_600
"""Replicate may begin late; a link of ours is good for as long as it keeps what it was given."""
HAND_SECONDS = 300
"""Bringing in four pictures or a film takes less; whoever died with it had it in hand for so long."""
BRING_IN_SECONDS = 280
MAX_LOOKS = 3
"""So often Replicate is asked in vain; then a generation has failed."""
LOOK_AGAIN_SECONDS = 60
TELL_SECONDS = 1.0
FINISH_SECONDS = 10.0
"""What a process that goes away waits for what it is bringing in; another finds what it leaves."""


class GenerationSteps:
    """Those of one process; `async with` it: it owns the tasks that bring in what was made, and the timers."""

    def __init__(
        self,
        settings: Settings,
        *,
        bus: Bus,
        media: MediaStore,
        jobs: Jobs,
        replicate: Replicate,
        check_consent: Callable[[str], Awaitable[None]],
    ) -> None:
        """`check_consent` raises a SilverTalkError unless this person agrees now: a further step is another look."""
        self._settings = settings
        self._check_consent = check_consent
        self._notices = bus.notices
        self._media = media
        self._jobs = jobs
        self._replicate = replicate
        self.records = GenerationRecords(bus, signing_secret(settings), days=settings.generated_days)
        self.outputs = GenerationOutputs(media, replicate, scratch_of(settings))
        # Bounded by what was begun and told of, which the quotas bound; each bears a time-out of its own.
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for timer in self._timers.values():
            timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_SECONDS)
        left = list(self._tasks)
        for task in left:
            task.cancel("generations closed")
        if left:
            await asyncio.wait(left)

    # --- a step begins -----------------------------------------------------------------------------------------------

    async def begin(self, generation: Generation) -> Generation:
        """Begin the step at hand. What Replicate did not say it has begun, its webhook may still tell of."""
        source = await self._media.link(generation.source, seconds=LINK_SECONDS) if generation.source else ""
        await self.records.wait(generation, wait_seconds(generation))
        self._look_later(generation, wait_seconds(generation))
        try:
            prediction = await self._replicate.begin(
                model_of(generation, self._settings),
                model_input(generation, source, self._settings),
                webhook_of(self.records.token(generation), self._settings),
                cancel_after=cancel_seconds(generation),
            )
        except Unheard:
            log.warning("generation_unheard", generation=generation.id)
            return generation
        log.info("generation_begun", generation=generation.id, kind=generation.making)
        return await self.hear(generation, prediction)

    # --- hearing -----------------------------------------------------------------------------------------------------

    async def hear(self, generation: Generation, told: Prediction) -> Generation:
        """What Replicate says of a generation's prediction, by whichever way; how far the generation is then. What it
        has made is brought in by a task. Raises BusError."""
        if generation.finished or told.id in generation.past or generation.prediction not in ("", told.id):
            return generation

        def moved_on(now: Generation) -> Generation | None:
            if now.finished or told.id in now.past or now.prediction not in ("", told.id):
                return None
            begun = now.status == "starting" and told.status in ("processing", "succeeded")
            if now.prediction and not begun:
                return None
            return msgspec.structs.replace(now, prediction=told.id, status="processing" if begun else now.status)

        changed = await self.records.change(generation, moved_on)
        if changed is not None and changed.status != generation.status:
            await self._tell(changed)
        now = changed or await self.records.of(generation.user, generation.id)
        if now is None or now.finished or now.prediction != told.id or told.status not in ENDED:
            return now or generation
        if told.status == "succeeded":
            await self.records.wait_no_more(now)  # from now on it is for whoever asks, should nobody bring it in
            self._own_task(self._bring_in(now, told), f"bring-in:{now.id}")
            return now
        return await self.finish(now, told.status, error_code=_why(told))

    async def _bring_in(self, generation: Generation, told: Prediction) -> None:
        """Fetch what was made, if nobody else has it in hand."""
        if not await self.records.take(generation, HAND_SECONDS):
            return
        try:
            still = await self._is_at(generation)
            going_on = await self._brought_in(generation, told) if still else None
        finally:
            with suppress(BusError):
                await self.records.let_go(generation)
        if going_on is not None:
            await self._begin_next(going_on)

    async def _is_at(self, generation: Generation) -> bool:
        """Whether it is still at this step, and nobody has brought it on before we had it in hand."""
        now = await self.records.of(generation.user, generation.id)
        return now is not None and not now.finished and now.prediction == generation.prediction

    async def _brought_in(self, generation: Generation, told: Prediction) -> Generation | None:
        """The generation where it goes on with a further step, to be begun once it is let go."""
        if not told.outputs:
            await self.finish(generation, "failed", error_code="output_gone")
            return None
        try:
            async with asyncio.timeout(BRING_IN_SECONDS):
                keys = await self.outputs.bring_in(generation, told.outputs)
        except OutputRefused as error:
            log.warning("output_refused", generation=generation.id, code=error.code)
            await self.finish(generation, "failed", error_code=error.code)
            return None
        except (ReplicateAway, MediaAway, TimeoutError) as error:
            log.warning("output_not_brought_in", generation=generation.id, error=type(error).__name__)
            await self._wait_again(generation)
            return None
        if generation.kind == "full" and generation.making == "image":
            return await self._going_on(generation, keys[0])
        await self.finish(generation, "succeeded", keys=(*generation.keys, *keys))
        return None

    async def _going_on(self, generation: Generation, key: str) -> Generation | None:
        """The picture of both is there: the film is next."""

        def next_step(now: Generation) -> Generation | None:
            if now.finished or now.prediction != generation.prediction:
                return None
            past = (*now.past, now.prediction)
            return msgspec.structs.replace(now, source=key, keys=(key,), prediction="", past=past, status="processing")

        going_on = await self.records.change(generation, next_step)
        if going_on is None:
            await self._drop_unwanted(generation)
        else:
            await self._tell(going_on)
        return going_on

    async def _begin_next(self, generation: Generation) -> None:
        try:
            await self._check_consent(generation.user)
            await self.begin(generation)
        except SilverTalkError as error:
            await self.finish(generation, "failed", error_code=error.code)

    async def finish(
        self, generation: Generation, status: Status, *, keys: tuple[str, ...] = (), error_code: str = ""
    ) -> Generation:
        """It is over, once; what was brought in for one that was over already goes."""

        def over(now: Generation) -> Generation | None:
            if now.finished:
                return None
            return msgspec.structs.replace(now, status=status, keys=keys or now.keys, error_code=error_code)

        finished = await self.records.change(generation, over)
        if finished is None:
            await self._drop_unwanted(generation)
            return await self.records.of(generation.user, generation.id) or generation
        metrics.GENERATIONS.labels(generation.kind, status).inc()
        log.info("generation_finished", generation=generation.id, status=status, code=error_code)
        self._forget_timer(generation)
        await self._tell(finished)
        if finished.job:
            with suppress(SilverTalkError):  # the job looks by itself, later
                await self._jobs.wake(finished.job)
        return finished

    async def _drop_unwanted(self, generation: Generation) -> None:
        """What was made lies there though nobody wants it: it was canceled meanwhile, or its person is deleted."""
        now = await self.records.of(generation.user, generation.id)
        if now is None or not now.keys:
            with suppress(MediaAway):  # it goes with everything of the person's at the latest
                await self.outputs.drop(generation)

    async def _tell(self, generation: Generation) -> None:
        """All devices of the person; what is lost on the way is asked for. Never fails."""
        notice = {"kind": "generation", "data": told_of(generation)}
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self._notices.publish(generation.user, [msgspec.json.encode(notice)])
                if generation.finished and await self.records.of(generation.user, generation.id) is None:
                    await self._notices.forget(generation.user)  # deleted meanwhile, with all that was theirs
        except (BusError, TimeoutError) as error:
            log.info("generation_not_told", error=type(error).__name__)

    # --- where no webhook came ---------------------------------------------------------------------------------------

    def _look_later(self, generation: Generation, seconds: int) -> None:
        self._forget_timer(generation)
        loop = asyncio.get_running_loop()
        late = seconds + 1  # by our clock, which may be ahead of Redis's
        self._timers[generation.id] = loop.call_later(late, partial(self._look_soon, generation))

    def _look_soon(self, generation: Generation) -> None:
        self._timers.pop(generation.id, None)
        self._own_task(self._look_once(generation), f"look:{generation.id}")

    async def _look_once(self, generation: Generation) -> None:
        now = await self.records.of(generation.user, generation.id)
        if now is not None and not now.finished and not await self.records.is_waited_for(now):
            await self.look(now)

    def _forget_timer(self, generation: Generation) -> None:
        if (timer := self._timers.pop(generation.id, None)) is not None:
            timer.cancel()

    async def look(self, generation: Generation) -> None:
        """No webhook is believed in any more: ask Replicate, if nobody else has it in hand. Raises BusError."""
        if not await self.records.take(generation, HAND_SECONDS):
            return
        try:
            going_on = await self._look(generation) if await self._is_at(generation) else None
        finally:
            with suppress(BusError):
                await self.records.let_go(generation)
        if going_on is not None:
            await self._begin_next(going_on)

    async def _look(self, generation: Generation) -> Generation | None:
        """One question to Replicate, in the place of a webhook. What still runs then is ended: its time is over."""
        if not generation.prediction:
            await self.finish(generation, "failed", error_code=ReplicateAway.code)
            return None
        try:
            told = await self._replicate.prediction(generation.prediction)
            if told.status not in ENDED:
                await self._replicate.cancel(generation.prediction)
        except ReplicateAway:
            await self._wait_again(generation)
            return None
        except SilverTalkError as error:
            await self.finish(generation, "failed", error_code=error.code)
            return None
        log.info("generation_looked_at", generation=generation.id, status=told.status)
        if told.status == "succeeded":
            return await self._brought_in(generation, told)
        if told.status in ENDED:
            await self.finish(generation, told.status, error_code=_why(told))
        else:
            await self.finish(generation, "failed", error_code="too_long")
        return None

    async def _wait_again(self, generation: Generation) -> None:
        """It did not work now; it may a little later, a few times."""

        def looked(now: Generation) -> Generation | None:
            return None if now.finished else msgspec.structs.replace(now, looks=now.looks + 1)

        now = await self.records.change(generation, looked)
        if now is None:
            await self._drop_unwanted(generation)
        elif now.looks >= MAX_LOOKS:
            await self.finish(now, "failed", error_code=ReplicateAway.code)
        else:
            await self.records.wait(now, LOOK_AGAIN_SECONDS)
            self._look_later(now, LOOK_AGAIN_SECONDS)

    # --- tasks -------------------------------------------------------------------------------------------------------

    def _own_task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # What it left is found by whoever asks next.
            log.error("generation_task_failed", name=task.get_name(), exc_info=error)


def told_of(generation: Generation) -> dict[str, Any]:
    """What a notice says."""
    return {
        "generation_id": generation.id,
        "kind": generation.kind,
        "making": generation.making,
        "status": generation.status,
        "error_code": generation.error_code,
    }


def _why(told: Prediction) -> str:
    """Replicate's reason as a word of ours; its own text may quote what was asked."""
    if told.status != "failed":
        return ""
    return "not_allowed" if "nsfw" in told.error.lower() else "model_failed"
