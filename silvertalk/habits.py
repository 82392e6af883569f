"""How one person talks and wants to be talked to: learned in conversation, kept from one to the next.

A conversation begins with the habits as they were kept and changes its own copy. What is kept of it are the *changes*:
what was observed, in order, and what was asked for. They are applied to the row as it then is, in one transaction.
So what the person set over REST meanwhile stays set, what they had forgotten stays forgotten, and a conversation that
could not read the row, since the database was away, adds what it learned to it afterwards instead of writing over it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from silvertalk.backoff import Backoff
from silvertalk.database import Database
from silvertalk.errors import AccountErased, DatabaseAway
from silvertalk.models import Habit
from silvertalk.pause_profile import MAX_UNKEPT, Observation, PauseProfile
from silvertalk.standing_task import StandingTask
from streaming.logs import logger

log = logger("habits")

SPEECH_RATES = (0.7, 0.8, 0.9, 1.0, 1.15)
"""The steps of "천천히 말해줘": each is heard as another pace, and who asks three times has what slowing can give
(drawled synthetic words are understood worse: Roring 2007)."""
LOUDNESSES = (1.0, 1.3, 1.6, 2.0, 2.5)
"""The steps of "크게 말해줘", factors of amplitude: about 2 dB each, the least that is plainly heard as louder. Nothing
is softer than the voice comes: a telephone has its own volume for that."""
MIN_SPEECH_RATE, MAX_SPEECH_RATE = SPEECH_RATES[0], SPEECH_RATES[-1]
MIN_LOUDNESS, MAX_LOUDNESS = LOUDNESSES[0], LOUDNESSES[-1]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be changed of somebody's habits; None leaves as it is."""

    observations: tuple[Observation, ...] = ()
    patience: float | None = None
    speech_rate: float | None = None
    loudness: float | None = None

    def __bool__(self) -> bool:
        return self != Changes()

    def then(self, later: Changes) -> Changes:
        """These and, after them, those."""
        return Changes(
            (self.observations + later.observations)[-MAX_UNKEPT:],
            self.patience if later.patience is None else later.patience,
            self.speech_rate if later.speech_rate is None else later.speech_rate,
            self.loudness if later.loudness is None else later.loudness,
        )


class Habits:
    """One person's habits, as a conversation has them in hand."""

    def __init__(self, profile: PauseProfile | None = None, *, speech_rate: float = 1.0, loudness: float = 1.0) -> None:
        self.profile = PauseProfile() if profile is None else profile
        self._speech_rate = self._loudness = 1.0
        self.speech_rate, self.loudness = speech_rate, loudness
        self._kept = self._asked_for()

    @property
    def speech_rate(self) -> float:
        """How fast 복실이 speaks: 1 is the voice's own pace."""
        return self._speech_rate

    @speech_rate.setter
    def speech_rate(self, factor: float) -> None:
        self._speech_rate = _within(factor, MIN_SPEECH_RATE, MAX_SPEECH_RATE, otherwise=self._speech_rate)

    @property
    def loudness(self) -> float:
        """How many times as loud as the voice comes."""
        return self._loudness

    @loudness.setter
    def loudness(self, factor: float) -> None:
        self._loudness = _within(factor, MIN_LOUDNESS, MAX_LOUDNESS, otherwise=self._loudness)

    # A step each; False where there is none left in that direction.

    def slower(self) -> bool:
        before, self.speech_rate = self._speech_rate, _below(SPEECH_RATES, self._speech_rate)
        return self._speech_rate != before

    def faster(self) -> bool:
        before, self.speech_rate = self._speech_rate, _above(SPEECH_RATES, self._speech_rate)
        return self._speech_rate != before

    def louder(self) -> bool:
        before, self.loudness = self._loudness, _above(LOUDNESSES, self._loudness)
        return self._loudness != before

    def softer(self) -> bool:
        before, self.loudness = self._loudness, _below(LOUDNESSES, self._loudness)
        return self._loudness != before

    @property
    def changed(self) -> bool:
        """Whether there is anything to keep."""
        return self.profile.has_unkept or self._asked_for() != self._kept

    def take_changes(self) -> Changes:
        """What has changed since this was last asked."""
        now, before = self._asked_for(), self._kept
        self._kept = now
        asked = (new if new != old else None for new, old in zip(now, before, strict=True))
        return Changes(self.profile.take_unkept(), *asked)

    def apply(self, changes: Changes) -> None:
        """Make these changes. They count as kept."""
        for observation in changes.observations:
            self.profile.observe(observation)
        if changes.patience is not None:
            self.profile.patience = changes.patience
        if changes.speech_rate is not None:
            self.speech_rate = changes.speech_rate
        if changes.loudness is not None:
            self.loudness = changes.loudness
        self.take_changes()

    def _asked_for(self) -> tuple[float, float, float]:
        return self.profile.patience, self._speech_rate, self._loudness


def today() -> int:
    """The day that profiles are told. By UTC: in Korea it turns at nine in the morning."""
    return int(time.time() // 86_400)


def habits_of(row: Habit | None, day: int) -> Habits:
    """The habits in a row, whatever it holds; everybody's where there is none."""
    if row is None:
        habits = Habits()
    else:
        profile = PauseProfile.from_dict(row.pauses)
        habits = Habits(profile, speech_rate=row.speech_rate, loudness=row.loudness)
    habits.profile.on_day(day)
    return habits


def applying(changes: Changes, day: int) -> Callable[[Habit], dict[str, Any]]:
    """What `Database.change_habits` needs to make these changes."""

    def change(row: Habit) -> dict[str, Any]:
        habits = habits_of(row, day)
        habits.apply(changes)
        return {"pauses": habits.profile.to_dict(), "speech_rate": habits.speech_rate, "loudness": habits.loudness}

    return change


class HabitKeeper:
    """Reads and writes habits. Owns the task "habit-keeper", which `async with` starts; leaving waits until everything
    is written, for at most `close_seconds`.

    This is learning and no record: what cannot be written is logged, and lost. What was written although the database's
    answer was lost is written again, so that its pauses count twice.
    """

    def __init__(
        self, database: Database, *, limit: int = 2000, close_seconds: float = 3.0, day: Callable[[], int] = today
    ) -> None:
        self._database = database
        self._close_seconds = close_seconds
        self._day = day
        # By person; later changes join those that wait. At the limit, which only a database that is away leads to,
        # those that have waited longest are lost. A person's take 100 KiB at most (MAX_UNKEPT), mostly 1 KiB.
        self._waiting: dict[str, Changes] = {}
        self._limit = limit
        self._in_hand: tuple[str, Changes] | None = None
        self._wake = asyncio.Event()
        self._written = asyncio.Condition()
        self._task = StandingTask(self._run, "habit-keeper")

    async def __aenter__(self) -> Self:
        self._task.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._database.ready:
                async with asyncio.timeout(self._close_seconds), self._written:
                    await self._written.wait_for(lambda: not self.backlog)
        except TimeoutError:
            pass
        finally:
            await self._task.stop()
            if self.backlog:
                log.warning("habits_lost", count=self.backlog, reason="closed")

    @property
    def backlog(self) -> int:
        """People whose changes wait to be written, those being written included."""
        return len(self._waiting) + (self._in_hand is not None)

    async def load(self, user: str, seconds: float) -> Habits:
        """A person's habits, within so many seconds; everybody's where the database does not tell them. Never fails.

        The database is waited for, since what is not known now is not known for the whole conversation; so is what an
        earlier conversation with this gateway left to be written, which counts also where it cannot be.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._database.wait_ready()
                async with self._written:
                    await self._written.wait_for(lambda: not self._pending(user))
                row = await self._database.habits(user)
            return habits_of(row, self._day())
        except Exception as error:  # a conversation without habits is better than none
            log.warning("habits_not_loaded", user=user, error=type(error).__name__)
        habits = habits_of(None, self._day())
        habits.apply(self._pending(user))
        return habits

    def save(self, user: str, habits: Habits) -> None:
        """Have what changed of these habits written; returns at once."""
        changes = habits.take_changes()
        if not changes:
            return
        self._waiting[user] = self._waiting.get(user, Changes()).then(changes)
        self._keep_to_limit()
        self._wake.set()

    async def _run(self) -> None:
        backoff = Backoff()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                if await self._write(next(iter(self._waiting))):
                    backoff.reset()
                else:
                    await asyncio.sleep(backoff.next())  # it may answer pings and still take no rows: a full disk
                    await self._database.wait_ready()

    async def _write(self, user: str) -> bool:
        """False when the database is away: the changes wait on, before later ones."""
        changes = self._waiting.pop(user)
        self._in_hand = user, changes
        try:
            await self._database.change_habits(user, applying(changes, self._day()))
        except DatabaseAway:
            self._in_hand = None
            self._waiting[user] = changes.then(self._waiting.get(user, Changes()))
            self._keep_to_limit()
            return False
        except AccountErased:
            pass  # what was learned of somebody who has left is theirs, and gone
        except Exception:  # refused, or a mistake of ours: nobody else's must wait for it
            log.error("habits_lost", user=user, exc_info=True)
        self._in_hand = None
        async with self._written:
            self._written.notify_all()
        return True

    def _pending(self, user: str) -> Changes:
        """A person's changes that are not known to be written."""
        in_hand = self._in_hand[1] if self._in_hand is not None and self._in_hand[0] == user else Changes()
        return in_hand.then(self._waiting.get(user, Changes()))

    def _keep_to_limit(self) -> None:
        while len(self._waiting) > self._limit:
            user = next(iter(self._waiting))
            del self._waiting[user]
            log.warning("habits_lost", user=user, reason="backlog full")


def _within(factor: float, least: float, most: float, *, otherwise: float) -> float:
    return otherwise if math.isnan(factor) else min(max(factor, least), most)


def _below(steps: tuple[float, ...], value: float) -> float:
    return max((step for step in steps if step < value), default=steps[0])


def _above(steps: tuple[float, ...], value: float) -> float:
    return min((step for step in steps if step > value), default=steps[-1])
