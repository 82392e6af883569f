"""The person's own voice, kept where they agreed to that.

A turn's audio is in the gateway's memory until the turn closes. It is taken from there by reference, compressed on a
thread and put into the media store after the turn is committed; the turn's row then names it. Nobody waits for any of
this, and none of it is promised: where there is no room, or the store stays away, the recording is lost and the talk
goes on. The consent is asked for again in the transaction that names the recording: of who took it back meanwhile
nothing stays.
"""

from __future__ import annotations

import asyncio
import io
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from sqlalchemy import Table, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from silvertalk import audit
from silvertalk.backoff import Backoff
from silvertalk.consents import has_agreed
from silvertalk.conversations import sessions, turns, voice_prefix
from silvertalk.database import Database, refuse_erased
from silvertalk.errors import AccountErased, DatabaseAway, DatabaseRefused, MediaAway, NotFound
from silvertalk.media.store import MediaStore, user_prefix
from silvertalk.metrics import VOICES
from silvertalk.models import Consent
from silvertalk.turn import Turn
from streaming.audio import MICROPHONE_RATE
from streaming.logs import logger
from streaming.messages import AudioBatch, TurnRecord

log = logger("voice")

_consents: Table = Consent.__table__  # type: ignore[assignment]

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Half an hour of speech, of all sessions. At the bound what comes next is not kept."""
UNCOMMITTED_SECONDS = 900.0
"""A turn that is not committed so long after it closed (the database is away, or refused it) is not waited for."""
MAX_GAP_SAMPLES = MICROPHONE_RATE // 2
"""A pause that was not sent is as long as this at most in the recording."""
TRIES = 5
"""Within about a minute; then the store or the database is away for longer than a recording waits."""
CLOSING_SECONDS = 3.0
"""What is ready to be put when the process ends may take so long."""
CONTENT_TYPE = "audio/flac"


@dataclass
class _Voice:
    """The recording of one turn, on its way."""

    user: str
    session: str
    turn: int
    batches: Sequence[AudioBatch]
    size_bytes: int
    taken_at: float
    tries: Backoff = field(default_factory=lambda: Backoff(first=1.0, limit=20.0))

    @property
    def key(self) -> str:
        return f"{voice_prefix(self.user, self.session)}{self.turn}.flac"


class VoiceKeeper:
    """Keeps recordings; one a process. `async with` it: it owns the task "voices"."""

    def __init__(self, database: Database, media: MediaStore, *, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._database = database
        self._media = media
        self._max_bytes = max_bytes
        self._held_bytes = 0
        # Both bounded by what they hold together: see `take`.
        self._closed: OrderedDict[tuple[str, int], _Voice] = OrderedDict()
        self._committed: asyncio.Queue[_Voice] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="voices")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        emptied = asyncio.create_task(self._committed.join(), name="voices-emptied")
        await asyncio.wait([task, emptied], timeout=CLOSING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for one in (task, emptied):
            one.cancel("voices closed")
        await asyncio.wait([task, emptied])
        if self._held_bytes:
            log.warning("voices_lost", bytes=self._held_bytes)

    def take(self, turn: Turn) -> None:
        """The turn closes, and its person agreed when it began. Costs no time and copies nothing."""
        batches = [message for message in turn.sent_up if isinstance(message, AudioBatch)]
        size = sum(len(batch.pcm) for batch in batches)
        self._let_go_of_old()
        if not size:
            return
        if self._held_bytes + size > self._max_bytes:
            VOICES.labels("no_room").inc()
            return
        now = asyncio.get_running_loop().time()
        voice = _Voice(turn.user, turn.session, turn.number, batches, size, now)
        self._let_go(self._closed.pop((turn.session, turn.number), None), "lost")
        self._closed[turn.session, turn.number] = voice
        self._held_bytes += size

    def committed(self, record: TurnRecord) -> None:
        """The turn has its row: its recording may follow."""
        voice = self._closed.pop((record.session, record.turn), None)
        if voice is not None:
            self._committed.put_nowait(voice)

    def _let_go_of_old(self) -> None:
        before = asyncio.get_running_loop().time() - UNCOMMITTED_SECONDS
        while self._closed and next(iter(self._closed.values())).taken_at < before:
            self._let_go(self._closed.popitem(last=False)[1], "lost")

    def _let_go(self, voice: _Voice | None, outcome: str) -> None:
        if voice is not None:
            self._held_bytes -= voice.size_bytes
            VOICES.labels(outcome).inc()

    async def _run(self) -> None:
        while True:
            voice = await self._committed.get()
            outcome = "lost"
            try:
                outcome = await self._keep(voice)
            except Exception:  # a mistake of ours must not stop those behind it
                log.error("voice_broke", session=voice.session, turn=voice.turn, exc_info=True)
            finally:
                self._let_go(voice, outcome)
                self._committed.task_done()

    async def _keep(self, voice: _Voice) -> str:
        """What became of it: "kept", "not_agreed", "gone" (the turn was deleted), "lost"."""
        data = b""
        for _ in range(TRIES):
            try:
                if not data and not await self._agreed(voice):
                    return "not_agreed"
                data = data or await asyncio.to_thread(flac, voice.batches)
                await self._media.put(voice.key, data, CONTENT_TYPE)
                outcome = await self._name(voice)
                if outcome != "kept":
                    await self._media.delete(voice.key)
                return outcome
            except (MediaAway, DatabaseAway) as error:
                log.info("voice_waits", session=voice.session, turn=voice.turn, error=type(error).__name__)
                await asyncio.sleep(voice.tries.next())
            except DatabaseRefused:
                break
        if data:  # it may lie in the store, and no row names it
            with suppress(MediaAway):
                await self._media.delete(voice.key)
        return "lost"

    async def _agreed(self, voice: _Voice) -> bool:
        async with self._database.transaction() as connection:
            return await has_agreed(connection, voice.user, "keep_voice")

    async def _name(self, voice: _Voice) -> str:
        """Write the recording's key into the turn's row, if that is still right."""
        there = exists().where(sessions.c.id == turns.c.session_id, sessions.c.deleted_at.is_(None))
        named = (
            update(turns)
            .where(
                turns.c.session_id == voice.session,
                turns.c.number == voice.turn,
                turns.c.user_id == voice.user,
                there,
            )
            .values(voice_key=voice.key)
        )
        try:
            async with self._database.transaction() as connection:
                await refuse_erased(connection, voice.user)
                if not await has_agreed(connection, voice.user, "keep_voice"):
                    return "not_agreed"
                return "kept" if (await connection.execute(named)).rowcount == 1 else "gone"
        except AccountErased:
            return "gone"


def flac(batches: Sequence[AudioBatch]) -> bytes:
    """The recording, 16 kHz mono, with the pauses that were not sent, shortened."""
    parts: list[bytes] = []
    end = batches[0].first_sample
    for batch in batches:
        gap = min(max(batch.first_sample - end, 0), MAX_GAP_SAMPLES)
        parts += [bytes(2 * gap), batch.pcm]
        end = batch.first_sample + len(batch.pcm) // 2
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(b"".join(parts), np.int16), MICROPHONE_RATE, format="FLAC")
    return file.getvalue()


async def kept_voice(database: Database, user: str, session: str, number: int) -> str:
    """The key of a turn's recording, which somebody is about to hear: it is noted. Raises NotFound, also where they
    took back that it is kept and it could not be deleted yet."""
    asked = (
        select(turns.c.voice_key)
        .join(sessions, sessions.c.id == turns.c.session_id)
        .where(
            turns.c.session_id == session,
            turns.c.number == number,
            turns.c.user_id == user,
            sessions.c.deleted_at.is_(None),
        )
    )
    async with database.transaction() as connection:
        key = (await connection.execute(asked)).scalar_one_or_none()
        if not key or not await has_agreed(connection, user, "keep_voice"):
            raise NotFound
        await audit.note(connection, user, "voice_link_given", f"{session}/{number}"[:64])
    return str(key)


async def forget_voices(database: Database, media: MediaStore, user: str) -> int:
    """All recordings of somebody who does not agree any more go; how many there were. Raises MediaAway, DatabaseAway:
    asked again, it goes on. To be asked once the decision is written, so that none comes behind."""
    gone = await media.delete_below(f"{user_prefix(user)}voice/")
    async with database.transaction() as connection:
        await refuse_erased(connection, user)
        if not await has_agreed(connection, user, "keep_voice"):
            await _forget_keys(connection, user)
    return gone


async def finish_forgetting(database: Database, media: MediaStore, at_most: int) -> int:
    """Delete the recordings of those who took their consent back while the media store was away, of `at_most` people;
    how many there were. Raises MediaAway, DatabaseAway."""
    kept = exists().where(turns.c.user_id == _consents.c.user_id, turns.c.voice_key != "")
    left = select(_consents.c.user_id).where(_consents.c.name == "keep_voice", _consents.c.granted.is_(False), kept)
    async with database.transaction() as connection:
        users = (await connection.execute(left.limit(at_most))).scalars().all()
    gone = 0
    for user in users:
        with suppress(AccountErased):  # all that is theirs goes with that
            gone += await forget_voices(database, media, user)
    return gone


async def _forget_keys(connection: AsyncConnection, user: str) -> None:
    await connection.execute(update(turns).where(turns.c.user_id == user, turns.c.voice_key != "").values(voice_key=""))
