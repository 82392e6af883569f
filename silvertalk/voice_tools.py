"""What is done for somebody who asks for it while they talk: their calendar, their photos, what they told.

All of it under the conversation's own identity, whatever was asked for by whom: neither an LLM nor the person's words
can name anybody else's. What only reads is done at once. What writes becomes a `Wish`, which is asked about and carried
out (`carry_out`) once the person has said yes. Nothing here ever fails: what cannot be done is said.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import calendars, memories, remembering, spoken_answers, spoken_answers_english
from silvertalk.about_person import Acquaintance, photo_line
from silvertalk.album import Shown
from silvertalk.calendars import Days, Event, EventGiven
from silvertalk.columns import clean
from silvertalk.database import Database
from silvertalk.errors import SilverTalkError
from silvertalk.jobs import Jobs
from silvertalk.notices import Notices
from silvertalk.recall import relevant
from silvertalk.showing import Showing
from silvertalk.spoken_dates import Span
from silvertalk.wishes import Wish
from streaming.logs import logger
from streaming.messages import Language
from streaming.text import normalized
from streaming.tools import MAX_RESULT_CHARACTERS, TOOLS

log = logger("voice_tools")

READ_SECONDS = 2.0
"""Somebody waits for the answer: what takes longer cannot be looked up just now."""
WRITE_SECONDS = 3.0
AFTERWARDS_SECONDS = 1.0
"""For what a worker does as well, where Redis is slow: somebody waits for the answer."""
REMINDER_DAYS = 30
"""The calendar knows no repetition: a daily event is written once for each of so many days, and asked for again."""
LOOKED_AT = 50
TOLD_AT_MOST = 10
TITLE_CHARACTERS = 60
_ALIKE = {
    "병원": (
        "의원",
        "내과",
        "외과",
        "치과",
        "안과",
        "한의원",
        "진료",
        "검진",
        "이비인후과",
        "피부과",
        "물리치료",
        "보건소",
    ),
    "약": ("혈압약", "당뇨약", "복용"),
    "생일": ("생신",),
    "doctor": ("hospital", "clinic", "dentist", "check-up", "checkup"),
    "hospital": ("doctor", "clinic"),
}
"""What a calendar may call it."""


@dataclass(frozen=True)
class Means:
    """What tools are carried out with; one a gateway."""

    database: Database
    notices: Notices
    jobs: Jobs


@dataclass(frozen=True)
class Found:
    """What came of a tool: `result` for an LLM; `say`, where nobody asks one. `wish`: what `say` asks leave for;
    `shown`: a photo to be shown as soon as the answer is heard."""

    result: Mapping[str, Any]
    say: str
    wish: Wish | None = None
    shown: Shown | None = None

    def encoded(self) -> str:
        """The result as JSON, of a bounded length."""
        text = json.dumps(self.result, ensure_ascii=False)
        return text if len(text) <= MAX_RESULT_CHARACTERS else json.dumps({"error": "too much to tell: ask for less"})


@dataclass(frozen=True)
class Done:
    """What came of a wish: what is said. `was_done`: so it is, now or already."""

    say: str
    was_done: bool


class CannotBeAsked(ValueError):
    """The arguments make no sense; `say` is what the person is told of it."""

    def __init__(self, detail: str, say: str = "") -> None:
        super().__init__(detail)
        self.say = say


Arguments = Mapping[str, object]


class VoiceTools:
    """Of one conversation."""

    def __init__(
        self,
        means: Means,
        acquaintance: Acquaintance,
        showing: Showing,
        *,
        user: str,
        session: str,
        language: Language,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._means = means
        self._acquaintance = acquaintance
        self._showing = showing
        self._user = user
        self._session = session
        self._words: ModuleType = spoken_answers if language == "ko" else spoken_answers_english
        self._read_seconds = read_seconds
        self._tools: dict[str, Callable[[Arguments], Awaitable[Found]]] = {
            "find_events": self._find_events,
            "find_photos": self._find_photos,
            "show_photo": self._show_photo,
            "find_memories": self._find_memories,
            "add_event": self._add_event,
            "add_reminder": self._add_reminder,
            "forget_memory": self._forget_memory,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Tools that an LLM may be told of: memories only of those who agreed to be remembered."""
        remembers = bool(self._acquaintance.about.memories)
        return tuple(name for name in self._tools if name != "find_memories" or remembers)

    def now(self) -> datetime:
        """On the person's own clock."""
        return self._acquaintance.about.treatment.now()

    async def answer(self, name: str, arguments: Arguments) -> Found:
        """What came of a tool, or why nothing did. What writes is only asked about."""
        tool = self._tools.get(name)
        if tool is None:
            return Found({"error": "there is no such tool"}, self._words.NOT_UNDERSTOOD)
        try:
            async with asyncio.timeout(self._read_seconds):
                return await tool(arguments)
        except CannotBeAsked as error:
            return Found({"error": str(error)}, error.say or self._words.NOT_UNDERSTOOD)
        except (SilverTalkError, TimeoutError) as error:
            log.info("tool_unable", tool=name, session=self._session, error=type(error).__name__)
        except Exception:
            log.error("tool_broke", tool=name, session=self._session, exc_info=True)
        return Found(
            {"error": "it cannot be looked up just now: say so, and that it may be asked again"}, self._away(name)
        )

    async def carry_out(self, wish: Wish) -> Done:
        """The person has said yes. It may be tried again: what was written is not written twice."""
        try:
            return await (self._forget(wish) if wish.tool == "forget_memory" else self._write(wish))
        except (SilverTalkError, TimeoutError) as error:
            log.warning("wish_not_granted", tool=wish.tool, session=self._session, error=type(error).__name__)
        except Exception:
            log.error("wish_broke", tool=wish.tool, session=self._session, exc_info=True)
        return Done(self._away(wish.tool), False)

    def declined(self, wish: Wish) -> str:
        """The person has said no."""
        return str(self._words.DECLINED.get(wish.tool, self._words.NOT_UNDERSTOOD))

    def dropped(self, wish: Wish) -> str:
        """They have said something else."""
        return str(self._words.DROPPED.get(wish.tool, self._words.NOT_UNDERSTOOD))

    def clock(self) -> str:
        return str(self._words.clock_told(self.now()))

    def own_words(self, words: str) -> str:
        """`words`: what they said last; empty where that is nothing."""
        return str(self._words.own_words_told(words) if words else self._words.NO_OWN_WORDS)

    def _away(self, tool: str) -> str:
        if tool == "forget_memory":
            return str(self._words.NOT_FORGOTTEN)
        writes = tool in TOOLS and TOOLS[tool].writes
        return str(self._words.NOT_WRITTEN if writes else self._words.AWAY)

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _find_events(self, arguments: Arguments) -> Found:
        zone, today = self._acquaintance.about.treatment.zone, self.now().date()
        first = _day(arguments, "first_day") or today
        span = Span(first, max(first, _day(arguments, "last_day") or first))
        words = _text(arguments, "words")
        async with self._means.database.transaction() as connection:
            found = await calendars.between(connection, self._user, zone, Days(*span), LOOKED_AT)
        meant = [event for event in found if _is_about(event, words)] if words else found
        tell = self._words.other_events_told if words and found and not meant else self._words.events_told
        say = tell(found if tell is self._words.other_events_told else meant, span, words, today, zone)
        return Found({"events": [_event_result(event, zone) for event in meant[:TOLD_AT_MOST]]}, str(say))

    async def _find_photos(self, arguments: Arguments) -> Found:
        found = await self._showing.find(**self._wanted(arguments))
        zone = self._acquaintance.about.treatment.zone
        results = [{"photo": photo.id, "known": photo_line(photo, zone)} for photo in found]
        return Found({"photos": results}, self._words.NO_SUCH_PHOTO)

    async def _show_photo(self, arguments: Arguments) -> Found:
        named, wanted = _text(arguments, "photo"), self._wanted(arguments)
        is_wanted = any(wanted.values())
        if named:
            shown = await self._showing.show(named)
        elif is_wanted:
            others = [photo for photo in await self._showing.find(**wanted) if photo.id != self._showing.current]
            shown = await self._showing.show(others[0].id) if others else None
        else:
            shown = await self._showing.next()
        if shown is None:
            nothing = self._words.NO_SUCH_PHOTO if named or is_wanted else self._words.NO_MORE_PHOTOS
            return Found({"error": "there is no such photo, or no other one"}, nothing)
        zone = self._acquaintance.about.treatment.zone
        result = {"shown": photo_line(shown.photo, zone), "note": "the person sees it as you begin to speak"}
        return Found(result, shown.words, shown=shown)

    async def _find_memories(self, arguments: Arguments) -> Found:
        words = _text(arguments, "words")
        if not words:
            raise CannotBeAsked("words is missing")
        async with self._means.database.transaction() as connection:
            facts = await memories.recallable(connection, self._user)
        found = await asyncio.to_thread(relevant, facts, words, TOLD_AT_MOST)  # 50 ms of 500: others are talking
        results = [{"fact": fact.text, "told": fact.at.date().isoformat() if fact.at else ""} for fact in found]
        told = [fact.text for fact in found]
        return Found({"memories": results}, self._words.memories_told(told) if told else self._words.NOTHING_KNOWN)

    def _wanted(self, arguments: Arguments) -> dict[str, Any]:
        return {
            "begins": _day(arguments, "first_day"),
            "ends": _day(arguments, "last_day") or _day(arguments, "first_day"),
            "place": _text(arguments, "place"),
            "person": _text(arguments, "person"),
        }

    # --- asking leave ------------------------------------------------------------------------------------------------

    async def _add_event(self, arguments: Arguments) -> Found:
        today = self.now().date()
        title, place = _text(arguments, "title"), _text(arguments, "place")
        day, at = _day(arguments, "day"), _time(arguments, "time")
        if not title:
            raise CannotBeAsked("title is missing")
        if day is None:
            raise CannotBeAsked("day is missing: ask for it", self._words.WHICH_DAY)
        if day < today:
            raise CannotBeAsked("that day is over: ask which day is meant", self._words.DAY_IS_OVER)
        question = self._words.asks_to_add_event(title, day, at, place, today)
        kept = {"title": title, "place": place, "day": day.isoformat(), "time": f"{at:%H:%M}" if at else ""}
        return self._asks("add_event", kept, str(question))

    async def _add_reminder(self, arguments: Arguments) -> Found:
        title, at = _text(arguments, "what"), _time(arguments, "time")
        if not title:
            raise CannotBeAsked("what is missing")
        if at is None:
            raise CannotBeAsked("time is missing: ask for it", self._words.WHAT_TIME)
        now = self.now()
        first = now.date() + timedelta(days=at <= now.time())
        span = Span(first, first + timedelta(days=REMINDER_DAYS - 1))
        question = self._words.asks_to_add_reminder(title, at, span, now.date())
        kept = {"what": title, "time": f"{at:%H:%M}", "first_day": first.isoformat()}
        return self._asks("add_reminder", kept, str(question))

    async def _forget_memory(self, arguments: Arguments) -> Found:
        words, turn = _text(arguments, "words"), _text(arguments, "turn")
        if not words and not turn:
            return Found({"error": "words is missing"}, self._words.NOTHING_TO_FORGET)
        if not words:
            return self._asks("forget_memory", {"turn": turn}, self._words.FORGET_THAT)
        async with self._means.database.transaction() as connection:
            facts = await memories.about(connection, self._user, words)
        told = [fact.text for fact in facts]
        question = self._words.asks_to_forget(told) if told else self._words.asks_to_forget_words(words)
        return self._asks("forget_memory", {"words": words}, str(question))

    def _asks(self, tool: str, arguments: dict[str, str], question: str) -> Found:
        result = {"asked": "the person is being asked for leave"}
        return Found(result, question, wish=Wish(tool=tool, arguments=arguments, question=question))

    # --- carrying out ------------------------------------------------------------------------------------------------

    async def _write(self, wish: Wish) -> Done:
        zone, today = self._acquaintance.about.treatment.zone, self.now().date()
        events = _events_of(wish)
        named = {wish.id_for(self._user, self._session, number): event for number, event in enumerate(events)}
        async with asyncio.timeout(WRITE_SECONDS), self._means.database.transaction() as connection:
            await calendars.add_once(self._means.database, connection, self._user, named, zone)
            first = next(iter(named))
            await self._means.notices.record(
                connection, self._user, "reminder", {"event_id": first, "events": len(named)}
            )
        await self._afterwards(self._means.notices.publish(self._user))
        asked = wish.arguments
        first_day, at = events[0].starts.date(), _time(asked, "time")
        if wish.tool == "add_reminder" and at is not None:
            span = Span(first_day, events[-1].starts.date())
            return Done(str(self._words.reminder_added(asked["what"], at, span, today)), True)
        return Done(str(self._words.event_added(asked["title"], first_day, at, asked.get("place", ""), today)), True)

    async def _forget(self, wish: Wish) -> Done:
        words, turn = wish.arguments.get("words", ""), wish.arguments.get("turn", "")
        turns = [(self._session, int(turn))] if turn.isdecimal() else []
        async with asyncio.timeout(WRITE_SECONDS), self._means.database.transaction() as connection:
            forgotten = await memories.forget_about(connection, self._user, words=words, turns=turns)
            asked = await self._ask_anew(connection, forgotten.sessions)
        await self._afterwards(self._acquaintance.refresh(), *(self._means.jobs.start(job) for job in asked))
        if turns and not set(turns) <= set(forgotten.turns):
            return Done(str(self._words.NOT_FORGOTTEN), False)  # that turn is not in the database yet
        nothing = not (forgotten.memories or forgotten.turns)
        return Done(str(self._words.NOTHING_TO_FORGET if nothing else self._words.FORGOTTEN), True)

    async def _afterwards(self, *work: Awaitable[None]) -> None:
        """What follows from something that is written: however long it takes, nobody is told that it is not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AFTERWARDS_SECONDS):
                await asyncio.gather(*work)

    async def _ask_anew(self, connection: AsyncConnection, sessions: Sequence[str]) -> list[str]:
        return await remembering.ask_for_summaries(connection, self._means.jobs, self._user, sessions)


# --- arguments -------------------------------------------------------------------------------------------------------


def arguments_of(encoded: str) -> dict[str, object]:
    """An LLM's arguments; raises ValueError where they are no JSON object."""
    try:
        arguments = json.loads(encoded)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(arguments, dict):
        raise ValueError("arguments that are no object")
    return arguments


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    line = " ".join(clean(value).split()) if isinstance(value, str) else ""
    return line[:TITLE_CHARACTERS].strip()


def _day(arguments: Arguments, name: str) -> date | None:
    text = _text(arguments, name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise CannotBeAsked(f"{name} is no day: YYYY-MM-DD") from None
    if not calendars.FIRST_YEAR <= day.year < calendars.LAST_YEAR:
        raise CannotBeAsked(f"{name}: years {calendars.FIRST_YEAR} to {calendars.LAST_YEAR}")
    return day


def _time(arguments: Arguments, name: str) -> time | None:
    text = _text(arguments, name)
    try:
        return time.fromisoformat(text[:5]).replace(tzinfo=None) if text else None
    except ValueError:
        raise CannotBeAsked(f"{name} is no time: HH:MM") from None


def _events_of(wish: Wish) -> list[EventGiven]:
    """What a wish writes. Its days and times are on the person's own clock."""
    asked = wish.arguments
    at = _time(asked, "time")
    if wish.tool == "add_event":
        starts = datetime.combine(date.fromisoformat(asked["day"]), at or time())
        return [EventGiven(asked["title"], starts, location=asked.get("place", ""), is_all_day=at is None)]
    first = datetime.combine(date.fromisoformat(asked["first_day"]), at or time())
    return [EventGiven(asked["what"], first + timedelta(days=number)) for number in range(REMINDER_DAYS)]


def _is_about(event: Event, words: str) -> bool:
    known = normalized(f"{event.title} {event.location}").replace(" ", "")
    asked = normalized(words).replace(" ", "")
    return any(word in known for word in (asked, *_ALIKE.get(asked, ())))


def _event_result(event: Event, zone: ZoneInfo) -> dict[str, str]:
    at = "all day" if event.is_all_day else f"{event.starts_at.astimezone(zone):%H:%M}"
    day = event.days[0] if event.is_all_day else event.starts_at.astimezone(zone).date()
    return {"title": event.title[:200], "day": day.isoformat(), "time": at, "place": event.location[:100]}
