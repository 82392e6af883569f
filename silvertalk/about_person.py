"""What 복실이 knows of the person it talks with: from their own data, for the context of each reply.

A conversation begins with what could be read within a second; without the database it begins as with a stranger. What
changes meanwhile (a photo is added, an event of today, a memory corrected) is known from the next turn on: it is read
anew at each turn's end. All of it is other people's text, so each part is one line of a bounded length; that it is no
instruction is for the node to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import calendars, memories
from silvertalk.calendars import Event
from silvertalk.consents import has_agreed
from silvertalk.conversations import GONE, photos, sessions, turns
from silvertalk.database import Database
from silvertalk.errors import DatabaseAway
from silvertalk.greetings import clock_words
from silvertalk.models import Photo
from silvertalk.recall import Fact, Known
from silvertalk.seeing import seen_of
from silvertalk.summaries import fitting
from silvertalk.treatment import Treatment, treatment_of, zone_named
from streaming.logs import logger
from streaming.messages import Language, ReplyContext, Utterance

log = logger("about_person")

LOAD_SECONDS = 1.0
"""How long a conversation waits for what is known of the person."""
EARLIER_TURNS = 4
EARLIER_HOURS = 12
"""Turns of earlier conversations that are still in the air: what was said long ago is in a summary, or a memory."""
MEMORIES = 20
EVENTS = 8
UTTERANCE_CHARACTERS = 300
FACT_CHARACTERS = 200
NAME_CHARACTERS = 40
PHOTO_CHARACTERS = 600
SUMMARY_CHARACTERS = 1500
UNSEEN = "사진에 무엇이 보이는지는 모름"
"""So that an LLM does not make out that it sees the photo."""


@dataclass(frozen=True)
class AboutPerson:
    """What was known when it was last read; of a stranger, what holds for everybody."""

    treatment: Treatment = field(default_factory=Treatment)
    events: tuple[Event, ...] = ()
    photo: str = ""
    photo_id: str = ""
    """What the conversation is about now: in one line, and by its id; empty where it is about none."""
    earlier: tuple[Utterance, ...] = ()
    """What was said last in conversations before this one; as `summary` and `memories`, of those alone who agreed to be
    remembered."""
    summary: str = ""
    told: str = ""
    """The summary of this conversation, as far as there is one."""
    memories: Known = field(default_factory=lambda: Known(()))
    forgotten: frozenset[int] = frozenset()
    """Turns of this conversation that they want forgotten."""
    keeps_voice: bool = False
    """They agreed to their voice being kept."""
    outside_services: bool = False
    """Services outside the operator's own machines may be shown what they say and what is known of them."""
    known: bool = False
    """It was read; otherwise nobody could tell."""


class Acquaintances:
    """Where conversations learn of their people. `default_zone`: of those whose own is unknown. `outside_allowed`: the
    operator answers for outside services, and nobody is asked."""

    def __init__(self, database: Database, *, default_zone: str, outside_allowed: bool = False) -> None:
        self._database = database
        self._default_zone = default_zone
        self._outside_allowed = outside_allowed

    async def load(self, user: str, session: str, seconds: float = LOAD_SECONDS) -> Acquaintance:
        """What a conversation knows of its person, within so many seconds. Never fails."""
        acquaintance = Acquaintance(
            self._database, user, session, default_zone=self._default_zone, outside_allowed=self._outside_allowed
        )
        await acquaintance.load(seconds)
        return acquaintance


class Acquaintance:
    """One conversation's knowledge of its person; `refresh` reads it anew."""

    def __init__(
        self, database: Database, user: str, session: str, *, default_zone: str, outside_allowed: bool
    ) -> None:
        self.about = AboutPerson(Treatment(zone=zone_named(default_zone)), outside_services=outside_allowed)
        self._database = database
        self._user = user
        self._session = session
        self._default_zone = default_zone
        self._outside_allowed = outside_allowed
        self._photo_id = ""

    def follow(self, photo: str) -> None:
        """Another photo than the one it was begun with is before the person: `refresh` finds out about that one."""
        self._photo_id = photo

    def show(self, photo: str, line: str) -> None:
        """This photo is before the person from now on, of which so much is known."""
        self._photo_id = photo
        self.about = replace(self.about, photo=line, photo_id=photo)

    async def load(self, seconds: float) -> None:
        """Within so many seconds, the time for the database to be there included. Never fails."""
        try:
            async with asyncio.timeout(seconds):
                await self._database.wait_ready()
                self.about = await self._read()
        except Exception as error:  # a conversation with a stranger is better than none
            log.warning("person_not_loaded", session=self._session, error=type(error).__name__)

    async def refresh(self, seconds: float = LOAD_SECONDS) -> None:
        """As it is now; what cannot be read within so many seconds stays as it was. Never fails."""
        try:
            async with asyncio.timeout(seconds):
                followed, read = self._photo_id, await self._read()
        except (DatabaseAway, TimeoutError):
            return  # the next turn's end is soon enough
        except Exception:
            log.warning("person_not_refreshed", session=self._session, exc_info=True)
        else:
            if self._photo_id != followed:  # another one was shown meanwhile
                read = replace(read, photo=self.about.photo, photo_id=self.about.photo_id)
            self.about = read

    def local_time(self) -> str:
        """The person's own clock: ISO 8601 with offset, to the minute."""
        return self.about.treatment.now().isoformat(timespec="minutes")

    @property
    def forgotten(self) -> frozenset[int]:
        """Turns of this conversation that nothing draws on any more."""
        return self.about.forgotten

    def inform(self, context: ReplyContext, turns_left: int, words: str = "") -> ReplyContext:
        """The context with what is known of the person. `turns_left`: how many earlier turns there is room for;
        `words`: what is being said, by which memories come to mind."""
        about = self.about
        treatment = about.treatment
        earlier = about.earlier[-2 * turns_left :] if turns_left > 0 else ()
        today = treatment.now().date()
        return msgspec.structs.replace(
            context,
            history=(*earlier, *context.history),
            form_of_address=_line(treatment.form_of_address, NAME_CHARACTERS),
            pet_name=_line(treatment.pet_name, NAME_CHARACTERS) or context.pet_name,
            barks=treatment.barks,
            voice=treatment.voice,
            outside_services=about.outside_services,
            summary=_summary_line(about, words, context.language),
            memories=_memory_lines(about.memories.recalled(words, MEMORIES), treatment, context.language),
            photo=about.photo,
            events_today=tuple(
                _event_line(event, treatment, context.language)
                for event in about.events
                if event.days[0] <= today <= event.days[1]  # midnight may have passed since it was read
            ),
        )

    async def _read(self) -> AboutPerson:
        async with self._database.transaction() as connection:
            treatment = await treatment_of(connection, self._user, self._default_zone)
            today = treatment.now().date()
            remembers = await has_agreed(connection, self._user, "memories")
            photo_id, photo = await self._photo(connection, treatment)
            return AboutPerson(
                treatment=treatment,
                events=tuple(await calendars.of_day(connection, self._user, treatment.zone, today, EVENTS)),
                photo=photo,
                photo_id=photo_id,
                earlier=await self._earlier(connection) if remembers else (),
                summary=await self._summary(connection) if remembers else "",
                told=await self._told(connection) if remembers else "",
                memories=self._known(await memories.known(connection, self._user) if remembers else ()),
                forgotten=await self._forgotten(connection),
                keeps_voice=await has_agreed(connection, self._user, "keep_voice"),
                outside_services=self._outside_allowed or await has_agreed(connection, self._user, "outside_services"),
                known=True,
            )

    async def _photo(self, connection: AsyncConnection, treatment: Treatment) -> tuple[str, str]:
        """The photo that the conversation is about now: its id, and what is known of it in one line."""
        asked = select(photos).where(photos.c.user_id == self._user, photos.c.status.not_in(GONE))
        if self._photo_id:
            asked = asked.where(photos.c.id == self._photo_id)
        else:
            asked = asked.join(sessions, sessions.c.photo_id == photos.c.id)
            asked = asked.where(sessions.c.id == self._session, sessions.c.user_id == self._user)
        row = (await connection.execute(asked)).one_or_none()
        return ("", "") if row is None else (row.id, photo_line(Photo(**row._mapping), treatment.zone))

    async def _earlier(self, connection: AsyncConnection) -> tuple[Utterance, ...]:
        asked = (
            select(turns.c.transcript, turns.c.heard, turns.c.interrupted)
            .where(
                turns.c.user_id == self._user,
                turns.c.session_id != self._session,
                turns.c.forgotten.is_(False),
                turns.c.closed_at > datetime.now(UTC) - timedelta(hours=EARLIER_HOURS),
            )
            .order_by(turns.c.closed_at.desc(), turns.c.id.desc())
            .limit(EARLIER_TURNS)
        )
        said: list[Utterance] = []
        for row in reversed((await connection.execute(asked)).all()):
            if row.transcript:
                said.append(Utterance(role="user", text=_line(row.transcript, UTTERANCE_CHARACTERS)))
            if row.heard:
                heard = _line(row.heard, UTTERANCE_CHARACTERS)
                said.append(Utterance(role="assistant", text=heard, interrupted=row.interrupted))
        return tuple(said)

    async def _summary(self, connection: AsyncConnection) -> str:
        """Of the last conversation before this one that has one."""
        asked = (
            select(sessions.c.summary)
            .where(sessions.c.user_id == self._user, sessions.c.id != self._session, sessions.c.summary != "")
            .order_by(sessions.c.started_at.desc(), sessions.c.id.desc())
            .limit(1)
        )
        return str((await connection.execute(asked)).scalar_one_or_none() or "")

    def _known(self, facts: Sequence[Fact]) -> Known:
        """What was known already stays as it is: to look through some hundred facts takes some milliseconds."""
        before = self.about.memories
        return before if before.facts == tuple(facts) else Known(facts)

    async def _told(self, connection: AsyncConnection) -> str:
        mine = (sessions.c.id == self._session, sessions.c.user_id == self._user)
        return str((await connection.execute(select(sessions.c.summary).where(*mine))).scalar_one_or_none() or "")

    async def _forgotten(self, connection: AsyncConnection) -> frozenset[int]:
        asked = select(turns.c.number).where(
            turns.c.user_id == self._user, turns.c.session_id == self._session, turns.c.forgotten.is_(True)
        )
        return frozenset((await connection.execute(asked)).scalars())


_LAST_TIME: dict[Language, str] = {"ko": "지난번:", "en": "Last time:"}
_THIS_TIME: dict[Language, str] = {"ko": "이번:", "en": "This time:"}
_OTHERWISE: dict[Language, str] = {"ko": "다르게도 말씀하셨다", "en": "they also said otherwise"}


def _summary_line(about: AboutPerson, words: str, language: Language) -> str:
    """Of this conversation and of the last one, in one line; where there is not room for both, this one first."""
    this = _line(fitting(about.told, words, SUMMARY_CHARACTERS), SUMMARY_CHARACTERS)
    room = SUMMARY_CHARACTERS - len(this)
    last = _line(fitting(about.summary, words, room), room) if room > 0 else ""
    if not this:
        return last
    return " ".join(filter(None, [last and f"{_LAST_TIME[language]} {last}", f"{_THIS_TIME[language]} {this}"]))


def _memory_lines(facts: Sequence[Fact], treatment: Treatment, language: Language) -> tuple[str, ...]:
    """Each with the day it was told; of two that say otherwise both say so."""
    differing = {fact.differs_from for fact in facts} | {fact.id for fact in facts if fact.differs_from}
    lines = []
    for fact in facts:
        day = "" if fact.at is None else fact.at.astimezone(treatment.zone).date().isoformat()
        notes = [day, _OTHERWISE[language] if fact.id in differing else ""]
        note = ", ".join(filter(None, notes))
        lines.append(_line(fact.text, FACT_CHARACTERS) + (f" ({note})" if note else ""))
    return tuple(lines)


def _event_line(event: Event, treatment: Treatment, language: Language) -> str:
    title = _line(event.title, FACT_CHARACTERS)
    place = _line(event.location, FACT_CHARACTERS)
    begins = event.starts_at.astimezone(treatment.zone)
    at = "" if event.is_all_day else clock_words(begins) if language == "ko" else begins.strftime("%I:%M %p")
    return " ".join(filter(None, [at, title, f"({place})" if place else ""]))


def photo_line(photo: Photo, zone: ZoneInfo) -> str:
    """What is known of a photo: when and where it was taken, what is seen on it, or that nobody has looked."""
    seen = seen_of(photo.analysis)
    taken = "" if photo.taken_at is None else photo.taken_at.astimezone(zone).date().isoformat()
    parts = [taken, photo.location_name, seen.line() if seen is not None else ""]
    if seen is None or not seen.was_looked_at:
        parts.append(UNSEEN)
    return _line("; ".join(filter(None, parts)), PHOTO_CHARACTERS)


def _line(text: str, limit: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
