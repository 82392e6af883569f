"""Which photo a conversation is about now, and how another takes its place: asked for, or when the moment has come.

One `Showing` a conversation. What it shows belongs to the conversation from then on (`session_photos`), is told the
client (`photo.shown`, in the journal), and is what the replies that follow know of. Where the database is away there is
nothing to show, and the talk goes on.

복실이 has a sense of the moment of its own: after several turns about one photo, when a silence has become long, it
shows a related one in place of the gentle prompt. So few times, and never after words of distress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from silvertalk.about_person import Acquaintance, photo_line
from silvertalk.album import Album, Shown, Wanted
from silvertalk.errors import SilverTalkError
from silvertalk.greetings import conversation_greeting
from silvertalk.models import Photo
from silvertalk.outbox import Outbox
from silvertalk.photo_words import next_words, shown_words
from silvertalk.treatment import Treatment
from silvertalk.turn import Turn
from streaming.logs import logger
from streaming.messages import Language, TurnRecord
from streaming.protocol import PhotoShown

log = logger("showing")

SHOW_SECONDS = 2.0
"""How long anybody waits for a photo; the talk goes on without."""
TURNS_BEFORE_NEXT = 4
"""So many turns about one photo make a story; before, a silence is somebody remembering."""
MOMENTS_AT_MOST = 3
"""So often in a conversation 복실이 moves on by itself."""
OPENING, MOVED_ON = "opening", "next_photo"
"""What a turn's reply is called in which 복실이 speaks of a photo unasked: its `source`."""

Found = TypeVar("Found")


class Showing:
    """What one conversation shows."""

    def __init__(
        self,
        album: Album | None,
        acquaintance: Acquaintance,
        outbox: Outbox,
        *,
        user: str,
        session: str,
        language: Language,
        current: str = "",
    ) -> None:
        """`current`: what an earlier gateway showed; otherwise it is the photo that the conversation was begun with.
        Without an `album` there is nothing to show."""
        self.current = current or acquaintance.about.photo_id
        """Id of the photo that is talked about; empty where there is none."""
        self._album = album
        self._acquaintance = acquaintance
        self._outbox = outbox
        self._user = user
        self._session = session
        self._language: Language = language
        self._told: set[str] = {current} if current else set()
        self._turns_about = 0
        """Turns in which the person told of the present one."""
        self._moments = 0
        self._is_calm = True
        self._prepared: Shown | None = None
        self.is_choosing = False
        """It will be known in a moment, `SHOW_SECONDS` at most, what could follow."""
        self._unkept: list[str] = []
        """Shown, and not known to be the conversation's yet."""
        acquaintance.follow(self.current)

    def take_up(self, records: Sequence[TurnRecord]) -> None:
        """Go on with a conversation of an earlier gateway's."""
        self._unkept = [self.current] if self.current else []
        self._told |= {record.photo for record in records if record.photo}
        self._turns_about = sum(record.photo == self.current and bool(record.transcript) for record in records)
        self._moments = sum(record.source == MOVED_ON for record in records)

    # --- choosing ----------------------------------------------------------------------------------------------------

    async def begin(self) -> Shown | None:
        """The photo that the conversation was opened with, and what 복실이 says first. None where there is none, or
        nobody can say. Nobody waits for a look at it, but one is asked for. Never fails."""
        if self._album is None or not self.current:
            return None
        found = await self._bounded(self._album.of(self._user, self._session, self.current, self._treatment))
        if found is None:
            return None
        await self._bounded(self._album.have_looked_at(found.photo))
        now = self._treatment.now()
        return replace(found, words=conversation_greeting(self._treatment, now, found.facts, self._language))

    async def next(self) -> Shown | None:
        """The photo after the present one: of the conversation's own, then from around it, then any that was not shown.
        It is not shown before it is told (`tell`). None where there is none, or nobody can say. Never fails."""
        return self._with_words(await self._after(related=False))

    async def show(self, photo: str) -> Shown | None:
        """This photo of the person's, by our id; None where it is not theirs, or gone. To be told, as `next`."""
        if self._album is None:
            return None
        return self._with_words(await self._bounded(self._album.of(self._user, self._session, photo, self._treatment)))

    async def find(
        self, *, begins: date | None = None, ends: date | None = None, place: str = "", person: str = "", limit: int = 5
    ) -> list[Photo]:
        """Photos of theirs, the newest first, by what is given: taken on days `begins` to `ends` (on their own clock,
        both included), at a place, with somebody on it. Empty where there are none, or nobody can say. Never fails."""
        if self._album is None:
            return []
        wanted = Wanted(begins, ends, place, person)
        return await self._bounded(self._album.find(self._user, wanted, self._treatment, limit)) or []

    # --- showing -----------------------------------------------------------------------------------------------------

    def tell(self, shown: Shown, turn: Turn) -> None:
        """Show it from now on: the client is told within `turn`, and the replies asked for after this know of it. To be
        called for what the person has finished saying only: nothing takes it back.

        The turn stays one about the photo that was before the person as they spoke, if there was one.
        """
        photo = shown.photo
        if not turn.photo or turn.opened.text == "":
            turn.photo = photo.id
        if photo.id != self.current:
            self._turns_about = 0
        self.current = photo.id
        self._prepared = None
        self._told.add(photo.id)
        self._unkept.append(photo.id)
        self._acquaintance.show(photo.id, photo_line(photo, self._treatment.zone))
        self._outbox.tell(_event(shown, turn.number))

    def tell_only(self, shown: Shown, turn: int) -> None:
        """The client is told what the conversation is about; whoever spoke meanwhile goes on."""
        self._told.add(shown.photo.id)
        self._outbox.tell(_event(shown, turn))

    def answered(self, turn: Turn) -> bool:
        """The person has told something, and was answered. Returns whether it is time to `choose`."""
        self._is_calm = not turn.distress
        if self.current and turn.photo == self.current:
            self._turns_about += 1
        self.is_choosing = self._is_due
        return self._is_due

    async def choose(self) -> None:
        """Find out what could follow. At once, and not when the turn is in the database: that may take as long as
        silences last. Never fails."""
        self._prepared = await self._after(related=True)
        self.is_choosing = False

    def moment(self) -> Shown | None:
        """It has been silent for long: the photo to move on to, with what is said then; None where that is not due."""
        shown, self._prepared = self._prepared, None
        if shown is None or not self._is_due or shown.photo.id == self.current:
            return None
        self._moments += 1
        return replace(shown, words=next_words(shown.facts, self._treatment.zone, self._language))

    async def settle(self) -> None:
        """A turn is in the database: keep with the conversation what was shown. Never fails."""
        unkept, self._unkept = self._unkept, []
        for photo in unkept:
            if self._album is not None:
                kept = await self._bounded(self._album.keep(self._user, self._session, photo))
                if not kept:
                    self._unkept.append(photo)

    @property
    def _is_due(self) -> bool:
        enough = self._turns_about >= TURNS_BEFORE_NEXT and self._moments < MOMENTS_AT_MOST
        return enough and self._is_calm and bool(self.current)

    @property
    def _treatment(self) -> Treatment:
        return self._acquaintance.about.treatment

    async def _after(self, *, related: bool) -> Shown | None:
        if self._album is None:
            return None
        return await self._bounded(
            self._album.after(
                self._user, self._session, self.current, self._told | {self.current}, self._treatment, related=related
            )
        )

    def _with_words(self, shown: Shown | None) -> Shown | None:
        if shown is None:
            return None
        return replace(shown, words=shown_words(shown.facts, self._treatment.zone, self._language))

    async def _bounded(self, work: Awaitable[Found]) -> Found | None:
        try:
            async with asyncio.timeout(SHOW_SECONDS):
                return await work
        except (SilverTalkError, TimeoutError) as error:
            log.info("nothing_to_show", session=self._session, error=type(error).__name__)
        except Exception:  # a photo's oddity is no reason to fall silent
            log.error("showing_broke", session=self._session, exc_info=True)
        return None


def _event(shown: Shown, turn: int) -> PhotoShown:
    return PhotoShown(
        turn=turn,
        photo=shown.photo.id,
        url=shown.url,
        local_uri=shown.photo.local_uri or "",
        position=shown.position,
        count=shown.count,
    )
