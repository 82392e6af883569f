"""A conversation that a video can be made of: photos in the store, turns in the database, a voice that was kept."""

from __future__ import annotations

import io
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from sqlalchemy import update

from silvertalk.consents import decide
from silvertalk.conversations import add_photo, finish, turns, voice_prefix
from silvertalk.database import Database
from silvertalk.job_kinds import WorkParts
from silvertalk.jobs import Jobs
from silvertalk.media.store import MediaStore, open_media, user_prefix
from silvertalk.models import Video
from silvertalk.notices import Notices
from silvertalk.people import ensure_person, users
from silvertalk.photos import shared_key
from silvertalk.revocations import Revocations
from silvertalk.settings import Settings
from silvertalk.videos import videos
from streaming.bus import Bus
from tests.silvertalk.api import things
from tests.silvertalk.records import record

ME = "5b2b8f0e-5f0c-4d7a-9d61-0f1f7f3c2a10"
SAID = (
    "이건 1987년에 통영 바닷가에서 찍은 거예요. 민준이랑 조개를 캤지요.",
    "어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었어요.",
)
AT = datetime(1987, 8, 3, 3, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """What was told, and where it lies."""

    user: str
    session: str
    photos: tuple[str, ...]


@asynccontextmanager
async def parts_at(bus_url: str, folder: Path, **settings: Any) -> AsyncIterator[WorkParts]:
    """A worker's parts; `settings` besides."""
    chosen = Settings.model_validate({"data_dir": folder, "bus_urls": bus_url, **settings})
    async with (
        Bus.open([bus_url], name="worker") as bus,
        Database(chosen.database) as database,
        open_media(chosen) as media,
        Revocations(bus, database) as revocations,
    ):
        await database.wait_ready()
        yield WorkParts(
            settings=chosen,
            bus=bus,
            database=database,
            media=media,
            jobs=Jobs(database),
            notices=Notices(bus, database),
            revocations=revocations,
        )


async def told(
    database: Database,
    media: MediaStore,
    *,
    user: str = ME,
    said: Sequence[str] = SAID,
    photos: int = 1,
    recorded: Sequence[int] = (),
    address: str = "할머니",
    finished: bool = True,
    language: Any = "ko",
) -> Told:
    """A conversation in which this was said, the n-th turn over the n-th photo; `recorded` turns have their voice kept,
    with consent."""
    session = uuid.uuid4().hex
    async with database.transaction() as connection:
        await ensure_person(database, connection, user)
        named = update(users).where(users.c.id == user)
        await connection.execute(named.values(form_of_address=address, time_zone="Asia/Seoul"))
        if recorded:
            await decide(database, connection, user, {"keep_voice": True})
    names = [await _photo(database, media, user, number) for number in range(photos)]
    for number, text in enumerate(said, start=1):
        photo = names[min(number, len(names)) - 1] if names else ""
        turn = record(number, session=session, user=user, transcript=text, distress="", photo=photo, language=language)
        await database.commit_turn(turn)
    for photo in names:
        await add_photo(database, user, session, photo)
    for number in recorded:
        key = f"{voice_prefix(user, session)}{number}.flac"
        await media.put(key, voice(), "audio/flac")
        async with database.transaction() as connection:
            named = update(turns).where(turns.c.session_id == session, turns.c.number == number)
            await connection.execute(named.values(voice_key=key))
    if finished:
        await finish(database, user, session)
    return Told(user, session, tuple(names))


async def _photo(database: Database, media: MediaStore, user: str, number: int) -> str:
    name = str(uuid.uuid4())
    key = shared_key(user, name)
    await media.put(key, picture(number), "image/jpeg")
    return await things.photo(
        database, user, id=name, shared_key=key, taken_at=AT, location_name="통영", content_type="image/jpeg"
    )


def picture(number: int = 0) -> bytes:
    """A small JPEG, each a little different."""
    file = io.BytesIO()
    Image.new("RGB", (320, 240), (60 + 40 * number % 180, 120, 160)).save(file, "JPEG")
    return file.getvalue()


def voice(seconds: float = 1.5, silence: float = 1.0, rate: int = 16_000) -> bytes:
    """A FLAC of something like a voice, quiet, with silence around it."""
    at = np.arange(int(seconds * rate)) / rate
    spoken = 0.05 * np.sin(2 * np.pi * 180 * at) * (1 + 0.5 * np.sin(2 * np.pi * 4 * at))
    room = np.random.default_rng(1).normal(0, 0.0003, int(silence * rate))
    file = io.BytesIO()
    soundfile.write(file, np.concatenate([room, spoken, room]), rate, format="FLAC")
    return file.getvalue()


async def video_row(database: Database, video: str) -> Video | None:
    async with database.transaction() as connection:
        row = (await connection.execute(videos.select().where(videos.c.id == video))).one_or_none()
    return None if row is None else Video(**row._mapping)


async def left_of(media: MediaStore, user: str) -> list[str]:
    """What lies in the store of somebody's videos."""
    return sorted(await media.some_below(f"{user_prefix(user)}videos/"))
