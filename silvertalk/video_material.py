"""What a memory video is made of: the talk as far as it may be told, and the photos as far as they may be shown.

Read anew whenever the job begins: what was deleted, forgotten or not agreed to any more is not there the next time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk.consents import has_agreed
from silvertalk.models import Photo, Session, SessionPhoto, Turn, Video
from silvertalk.narration import Pictured, Talk, Told, tellable
from silvertalk.seeing import seen_of
from silvertalk.settings import Settings
from silvertalk.story import Sentence, Story, StorySlide
from silvertalk.treatment import Treatment, treatment_of
from streaming.messages import Language

MAX_SLIDES = 60
MAX_TURNS = 200

_photos: Table = Photo.__table__  # type: ignore[assignment]
_turns: Table = Turn.__table__  # type: ignore[assignment]
_session_photos: Table = SessionPhoto.__table__  # type: ignore[assignment]
_sessions: Table = Session.__table__  # type: ignore[assignment]


@dataclass(frozen=True)
class Material:
    """All that a film may show and tell."""

    talk: Talk
    pictures: dict[str, str] = field(default_factory=dict)
    """The shared pictures' keys by the photos' ids, in the film's order."""
    voices: dict[int, str] = field(default_factory=dict)
    """The keys of recordings that may be heard, by their turns' numbers."""
    awaited: bool = False
    """A photo is still being prepared."""
    outside: bool = False
    """A service outside may be shown what it is about."""

    def still_true(self, story: Story) -> Story:
        """The story without what is not there any more, or may not be told any more."""
        told = {one.number for one in tellable(self.talk.told, self.talk.language)}

        def stays(sentence: Sentence) -> bool:
            return set(sentence.turns) <= told and (not sentence.own_voice or sentence.turns[0] in self.voices)

        slides = tuple(
            StorySlide(photo=slide.photo, clip=slide.clip, sentences=tuple(filter(stays, slide.sentences)))
            for slide in story.slides
            if slide.photo in self.pictures
        )
        return Story(
            language=story.language, source=story.source, title=story.title, subtitle=story.subtitle, slides=slides
        )


async def material_of(connection: AsyncConnection, settings: Settings, video: Video) -> Material:
    """What there is for this video now."""
    user, session = video.user_id, video.session_id
    treatment = await treatment_of(connection, user, settings.time_zone)
    found = (await connection.execute(select(_sessions).where(_sessions.c.id == session))).one()
    language: Language = "en" if found.language == "en" else "ko"
    photos = await _photos_of(connection, user, session)
    shown = [photo for photo in photos if photo.status == "ready" and photo.shared_key][:MAX_SLIDES]
    may_hear = video.own_voice and await has_agreed(connection, user, "keep_voice")
    told, voices = await _told(connection, user, session, may_hear=may_hear)
    outside = settings.outside_services_allowed or await has_agreed(connection, user, "outside_services")
    talk = Talk(
        language=language,
        told=told,
        pictured=tuple(_pictured(photo, treatment.zone, language) for photo in shown),
        address=" ".join(treatment.form_of_address.split()),
        subtitle=_subtitle(shown, found.started_at, treatment, language),
    )
    return Material(
        talk=talk,
        pictures={photo.id: photo.shared_key for photo in shown},
        voices=voices,
        awaited=any(photo.status == "processing" for photo in photos),
        outside=outside,
    )


async def _photos_of(connection: AsyncConnection, user: str, session: str) -> list[Photo]:
    """The conversation's photos, in its order."""
    asked = (
        select(_photos)
        .join(_session_photos, _session_photos.c.photo_id == _photos.c.id)
        .where(_session_photos.c.session_id == session, _photos.c.user_id == user)
        .order_by(_session_photos.c.display_order, _session_photos.c.id)
    )
    return [Photo(**row._mapping) for row in await connection.execute(asked)]


async def _told(
    connection: AsyncConnection, user: str, session: str, *, may_hear: bool
) -> tuple[tuple[Told, ...], dict[int, str]]:
    """What the person said, but for what was said in distress and what is to be forgotten."""
    asked = (
        select(_turns.c.number, _turns.c.transcript, _turns.c.photo_id, _turns.c.voice_key)
        .where(
            _turns.c.session_id == session,
            _turns.c.user_id == user,
            _turns.c.transcript != "",
            _turns.c.distress == "",
            _turns.c.forgotten.is_(False),
        )
        .order_by(_turns.c.number)
        .limit(MAX_TURNS)
    )
    rows = (await connection.execute(asked)).all()
    voices = {row.number: row.voice_key for row in rows if row.voice_key and may_hear}
    return tuple(Told(row.number, row.transcript, row.photo_id, row.number in voices) for row in rows), voices


# --- what is known of a photo ----------------------------------------------------------------------------------------


def _pictured(photo: Photo, zone: ZoneInfo, language: Language) -> Pictured:
    seen = seen_of(photo.analysis)
    looked = "" if seen is None or not seen.was_looked_at else (seen.scene_en if language == "en" else seen.line())
    return Pictured(photo.id, _taken(photo, zone, language), looked)


def _taken(photo: Photo, zone: ZoneInfo, language: Language) -> str:
    """When and where: "1998년 5월 3일에 부산에서", "on 3 May 1998 in Busan"."""
    place = " ".join(photo.location_name.split())
    words = []
    if photo.taken_at is not None:
        day = photo.taken_at.astimezone(zone)
        words.append(_day(day, language) + "에" if language == "ko" else f"on {_day(day, language)}")
    if place:
        words.append(f"{place}에서" if language == "ko" else f"in {place}")
    return " ".join(words)


def _day(day: datetime, language: Language) -> str:
    if language == "ko":
        return f"{day.year}년 {day.month}월 {day.day}일"
    return f"{day.day} {day:%B} {day.year}"


def _subtitle(photos: list[Photo], talked_at: datetime, treatment: Treatment, language: Language) -> str:
    """Of the first photo that says when it was taken, the year and the place; else the day of the talk."""
    for photo in photos:
        place = " ".join(photo.location_name.split())
        if photo.taken_at is not None and place:
            year = photo.taken_at.astimezone(treatment.zone).year
            return f"{year}년, {place}에서" if language == "ko" else f"{place}, {year}"
    return _day(talked_at.astimezone(treatment.zone), language)
