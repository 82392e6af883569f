"""What 복실이 says of a photo that nobody has said anything of yet: two or three short sentences, one question.

Composed by rule, so that nothing is claimed that is not known: what somebody looked at is told as seen; otherwise only
when and where it was taken, and what the calendar has for that day. No language model is asked while a person waits.
All of it is polite, and fit to be read as well as heard. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from silvertalk.seeing import Seen
from streaming.messages import Language

PLACE_CHARACTERS = 40
NAMED_AT_MOST = 2
"""Of the people or things on it: a list is no sentence."""


@dataclass(frozen=True)
class PhotoFacts:
    """What may be said of a photo; None and empty where nobody knows. `occasion`: what the calendar has for the day
    it was taken."""

    taken_at: datetime | None = None
    location_name: str = ""
    seen: Seen | None = None
    occasion: str = ""


def opening_words(hello: str, address: str, photo: PhotoFacts, zone: ZoneInfo, language: Language) -> str:
    """Said first in a conversation about a photo. `hello` is left out where there is enough to tell of the photo."""
    told = _told(photo, zone, language)
    if len(told) < 2:
        told = [hello, *told]
    sentences = " ".join([*told, question_about(photo, language)])
    return f"{address}, {sentences}" if address else sentences


def next_words(photo: PhotoFacts, zone: ZoneInfo, language: Language) -> str:
    """Said as another photo is shown because the moment has come."""
    lead = "이번에는 다른 사진을 보여 드릴게요." if language == "ko" else "Let me show you another photo."
    told = _told(photo, zone, language)
    looked = photo.seen is not None and photo.seen.was_looked_at
    return " ".join([lead, told[-1] if looked else told[0], question_about(photo, language)])


def shown_words(photo: PhotoFacts, zone: ZoneInfo, language: Language) -> str:
    """Said of a photo that was asked for: what is told of it, and the question."""
    return " ".join([*_told(photo, zone, language), question_about(photo, language)])


def question_about(photo: PhotoFacts, language: Language) -> str:
    """The one question: the one that came with what was seen, where there is one."""
    seen = photo.seen
    if language == "en":
        if seen is not None and seen.question_en:
            return seen.question_en
        return "Would you tell me about that day?"
    if seen is not None and seen.question:
        return seen.question
    if photo.taken_at is None and not photo.location_name.strip() and not _what(seen):
        return "어떤 날이었는지 들려주시겠어요?"
    return "그날 이야기를 들려주시겠어요?"


def taken_words(taken_at: datetime | None, location_name: str, zone: ZoneInfo) -> str:
    """When and where a photo was taken, as far as known: "1998년 5월 3일에 부산에서"."""
    words = []
    if taken_at is not None:
        day = taken_at.astimezone(zone)
        words.append(f"{day.year}년 {day.month}월 {day.day}일에")
    if location_name.strip():
        words.append(f"{short(location_name)}에서")
    return " ".join(words)


def _told(photo: PhotoFacts, zone: ZoneInfo, language: Language) -> list[str]:
    """What is known of it, two sentences at most."""
    if language == "en":
        return [*filter(None, (_taken_en(photo, zone), _seen_en(photo.seen)))] or ["I would love to hear about it."]
    return [*filter(None, (_taken(photo, zone), _what(photo.seen) or _noted(photo.occasion)))] or [
        "고르신 사진 이야기를 듣고 싶어요."
    ]


def _taken(photo: PhotoFacts, zone: ZoneInfo) -> str:
    seen = photo.seen
    known = taken_words(photo.taken_at, photo.location_name, zone)
    if seen is None or not seen.was_looked_at:
        return f"{known} 찍은 사진이네요." if known else ""
    if photo.location_name.strip() or not seen.place:
        return f"{known} 찍은 사진이네요." if known else ""
    season = seen.season if photo.taken_at is None else ""
    return " ".join(filter(None, (known, season, f"{seen.place}에서 찍은 사진이네요.")))


def _what(seen: Seen | None) -> str:
    """Who is on it, or else what; empty where nobody has looked, or there is nothing to name."""
    if seen is None or not seen.was_looked_at:
        return ""
    if seen.people:
        are = "계시네요" if seen.shows_elders else "있네요"
        return f"사진 속에 {_subject(seen.people)} {are}."
    if seen.objects:
        return f"사진 속에 {_subject(seen.objects)} 보이네요."
    return f"{seen.occasion} 날 같아요." if seen.occasion else ""


def _noted(occasion: str) -> str:
    """What the calendar says is no sight: it is told as what it is."""
    words = short(occasion)
    return f"그날 달력에는 {words}{'이라고' if _closes(words) else '라고'} 적혀 있어요." if words else ""


def _taken_en(photo: PhotoFacts, zone: ZoneInfo) -> str:
    place = short(photo.location_name)
    where = f" in {place}" if place and place.isascii() else ""  # an English voice reads no Hangul
    when = "" if photo.taken_at is None else f" in {photo.taken_at.astimezone(zone):%B %Y}"
    return f"This photo was taken{when}{where}." if when or where else ""


def _seen_en(seen: Seen | None) -> str:
    return f"I can see {seen.scene_en}." if seen is not None and seen.scene_en else ""


def _subject(things: Sequence[str]) -> str:
    """ "할머니 한 분과 아이 두 명이"."""
    named = things[:NAMED_AT_MOST]
    joined = "".join(f"{one}{'과' if _closes(one) else '와'} " for one in named[:-1]) + named[-1]
    return f"{joined}{'이' if _closes(joined) else '가'}"


def _closes(word: str) -> bool:
    """Whether the last syllable ends with a consonant; what is no Hangul counts as one that does not."""
    last = word[-1:]
    return "가" <= last <= "힣" and (ord(last) - ord("가")) % 28 != 0


def short(text: str, limit: int = PLACE_CHARACTERS) -> str:
    """Other people's text, on one line and of a length to be read aloud."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
