"""A session as the gateway that owns it keeps it: journal, outbox, turns, microphone. Sockets come and go.

One task runs it from its first entry in the journal to its last. A client that loses its connection leaves everything
as it is: the person goes on where they were when they come back, to this gateway or to another, which then takes the
session over by a later epoch (`silvertalk.taking_over`). Three things end it here:

    end         good-bye, a newer session of the same person, a revocation, nobody came back: closed and recorded
    hand_over   this gateway is going away: left as it is, for whichever gateway the client comes to
    fenced      another gateway has it: nothing more of it is written here
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from silvertalk import metrics
from silvertalk.about_person import Acquaintance, Acquaintances
from silvertalk.album import Album
from silvertalk.asking import Asking
from silvertalk.attendance import Attendance
from silvertalk.backoff import Backoff
from silvertalk.committer import Committer, SessionEnd
from silvertalk.errors import SilverTalkError, TokenExpired, translated
from silvertalk.habits import HabitKeeper, Habits
from silvertalk.history import History
from silvertalk.listening import VadService
from silvertalk.microphone import Microphone
from silvertalk.notice_feeds import Feeds
from silvertalk.obliging import Obliging
from silvertalk.outbox import Outbox
from silvertalk.quiet import Quiet
from silvertalk.recollection import Position
from silvertalk.retelling import retell
from silvertalk.session import Session
from silvertalk.settings import Settings
from silvertalk.showing import Showing
from silvertalk.turn import Turn
from silvertalk.turn_life import TurnLife
from silvertalk.turns_in_hand import SessionParts
from silvertalk.unwritten import Unwritten
from silvertalk.voice_keeping import VoiceKeeper
from silvertalk.voice_tools import Means, VoiceTools
from streaming.audio import MICROPHONE_RATE
from streaming.bus import Bus, Journal
from streaming.errors import BusError, Fenced
from streaming.logs import logger
from streaming.messages import Language, SessionEnded, SessionOpened
from streaming.protocol import NoticeTold, Ready, Resume, Resync, encode_event

log = logger("session")

MAX_SESSION_SECONDS = 6 * 3600.0
"""After this a conversation ends at its next quiet moment, and the client comes back with a new ticket."""
AHEAD_SECONDS = 4
"""Reply audio that may come at once: nodes speak 3 s ahead of the player. A client that is well never has more
waiting."""
TRIM_EVERY_TURNS = 8
"""The journal keeps as many turns as a reply knows of, and up to so many more: a trimming costs two commands."""
HABITS_SECONDS = 1.0
"""How long a conversation waits for what is known of the person; without, it begins as with a stranger."""
LAST_EVENTS_SECONDS = 5.0
"""How long the end of a conversation waits for the journal, which may be out of reach."""

End = Literal["", "ended", "handed_over", "fenced"]


@dataclass(frozen=True)
class Parts:
    """What every session of a gateway works with; `name` is the gateway's among the owners of sessions."""

    settings: Settings
    bus: Bus
    vad: VadService
    committer: Committer
    habits: HabitKeeper
    acquaintances: Acquaintances
    name: str
    feeds: Feeds | None = None
    voices: VoiceKeeper | None = None
    album: Album | None = None
    means: Means | None = None


@dataclass(frozen=True)
class Beginning:
    """Where a session starts on this gateway: at nothing, or where an earlier gateway's journal ends."""

    session: str
    user: str
    language: Language
    push_to_talk: bool
    habits: Habits
    acquaintance: Acquaintance
    last_event: int = 0
    epochs: set[int] = field(default_factory=set)
    """Known from the journal."""
    committed: set[int] = field(default_factory=set)
    """Turns of which the journal says that the database has them."""
    microphone_sample: int = 0
    utterance_sample: int | None = None
    """First sample of the utterance that was open, if one was."""
    photo: str = ""
    """What an earlier gateway showed."""


async def known_of(parts: Parts, user: str, session: str) -> tuple[Habits, Acquaintance]:
    """What a conversation begins with: how the person talks, and who they are. Never fails, and takes a second."""
    habits, acquaintance = await asyncio.gather(
        parts.habits.load(user, HABITS_SECONDS), parts.acquaintances.load(user, session)
    )
    return habits, acquaintance


class OwnedSession:
    """One session of this gateway's. `start` it, let clients come (`attendance`), and wait for `over`."""

    def __init__(self, parts: Parts, journal: Journal, beginning: Beginning) -> None:
        settings = parts.settings
        self.id = beginning.session
        self.user = beginning.user
        self.language: Language = beginning.language
        self.login = ""
        """The login whose ticket last opened it; empty where nobody has come yet."""
        self.reason: SilverTalkError | None = None
        """Why it ended, if the client is to be told."""
        self.ending = asyncio.Event()
        """It goes on here no longer; nothing may be asked of it any more."""
        self.over = asyncio.Event()
        """Everything of it has been seen to, as far as this gateway goes."""
        self._parts = parts
        self._journal = journal
        self._epochs = beginning.epochs | {journal.epoch}
        self._ending: End = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self.outbox = Outbox(
            journal,
            send_seconds=settings.send_timeout_seconds,
            limit_bytes=max(settings.send_backlog_kib * 1024, AHEAD_SECONDS * settings.reply_rate * 2),
            on_socket_lost=lambda socket, error: self.attendance.lose(socket, error),
            own_again=self._own_again,
            last_event=beginning.last_event,
        )
        self.unwritten = Unwritten(
            parts.committer, beginning.committed, lambda record: self.session.turns.committed(record)
        )
        """Turns on their way to the database."""
        self.life = TurnLife(
            parts.bus.turns(self.id), self.outbox, settings, commit=self.unwritten.submit, keep_voice=self._keep_voice
        )
        self._habits = beginning.habits
        self.acquaintance = beginning.acquaintance
        """What is known of the person."""
        self.showing = Showing(
            parts.album,
            self.acquaintance,
            self.outbox,
            user=self.user,
            session=self.id,
            language=self.language,
            current=beginning.photo,
        )
        """Which photo it is about."""
        self._refreshing: asyncio.Task[None] | None = None
        self._stale = False
        """A turn has settled since what is known of the person was read last."""
        self.session = self._conversation(beginning)
        self.microphone = Microphone(
            parts.vad,
            settings,
            self.session,
            language=self.language,
            habits=self._habits,
            push_to_talk=beginning.push_to_talk,
            first_sample=beginning.microphone_sample,
            utterance_sample=beginning.utterance_sample,
        )
        self.session.listen_with(self.microphone)
        self.attendance = Attendance(
            self.session,
            self.outbox,
            first=self._first,
            resume_seconds=settings.resume_seconds,
            on_stayed_away=lambda: self.end(None),
        )
        """Its client."""

    def _conversation(self, beginning: Beginning) -> Session:
        settings, clock = self._parts.settings, asyncio.get_running_loop().time
        history = History(
            settings.history_turns,
            language=self.language,
            local_time=self.acquaintance.local_time,
            inform=self.acquaintance.inform,
            forgotten=lambda: self.acquaintance.forgotten,
        )
        asking = Asking(
            history,
            self._habits,
            language=self.language,
            speculations_per_minute=settings.speculations_per_minute,
            clarify_below=settings.clarify_below,
            clock=clock,
        )
        tools = None
        if self._parts.means is not None:
            tools = VoiceTools(
                self._parts.means,
                self.acquaintance,
                self.showing,
                user=self.user,
                session=self.id,
                language=self.language,
            )
        obliging = Obliging(tools, history, language=self.language, spawn=self.life.see_to)
        asking.tools = obliging.names
        prompt_seconds = 0 if beginning.push_to_talk else settings.silence_prompt_seconds
        parts = SessionParts(
            session=self.id,
            user=self.user,
            language=self.language,
            outbox=self.outbox,
            life=self.life,
            reply_rate=settings.reply_rate,
            history=history,
            habits=self._habits,
            asking=asking,
            quiet=Quiet(prompt_seconds * MICROPHONE_RATE),
            showing=self.showing,
            obliging=obliging,
            on_fenced=self.fenced,
            on_settled=self._on_settled,
        )
        return Session(
            parts,
            believes_voice=beginning.push_to_talk or settings.barge_in == "voice",
            hears_echo=settings.echo_by_sound,
            max_speech_samples=settings.max_utterance_seconds * MICROPHONE_RATE,
            clock=clock,
        )

    # --- its life ----------------------------------------------------------------------------------------------------

    def start(self, restore: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let it run. `restore` is awaited first, once turns may live."""
        self.attendance.wait()
        self._spawn(self._run(restore), "session")
        self._spawn(self._outstay(), "outstay")
        if self._parts.feeds is not None:
            self._spawn(self._tell_notices(self._parts.feeds), "notices")

    def end(self, reason: SilverTalkError | None) -> None:
        """The conversation is over: what was said is recorded, and nobody resumes it."""
        self._finish("ended", reason)

    def hand_over(self) -> None:
        """Let go of the session as it is; its client comes back to another gateway."""
        self._finish("handed_over", None)

    def fenced(self) -> None:
        """Another gateway owns the session: what it writes counts, and nothing of ours."""
        if self._ending != "fenced":
            log.info("session_moved", session=self.id)
            self._ending = "fenced"
            self.life.let_go()
            self.ending.set()

    def _finish(self, how: End, reason: SilverTalkError | None) -> None:
        if not self._ending:
            self._ending, self.reason = how, reason
            self.ending.set()

    async def _run(self, restore: Callable[[], Awaitable[None]] | None) -> None:
        metrics.SESSIONS.inc()
        recorded = False
        sending = self._spawn(self._send(), "outbox")
        try:
            async with self.life:
                if restore is not None:
                    await restore()
                self._spawn(self._show_first(), "showing")
                await self.ending.wait()
                self.microphone.close()
                if self._ending == "ended":
                    self.session.end()
                else:
                    self.life.let_go()
            if self._ending == "ended":
                self.outbox.record(SessionEnded(reason=self.reason.code if self.reason else "bye"))
                if self.session.turns.begun:
                    await self._parts.committer.submit(SessionEnd(self.id, datetime.now(UTC)))
            self.outbox.end()
            await asyncio.wait([sending], timeout=LAST_EVENTS_SECONDS)
            # If not, it is left for whoever looks for orphans: this gateway may not live until the database is back.
            recorded = self._ending == "ended" and await self.unwritten.none_left(LAST_EVENTS_SECONDS)
            if recorded:
                await self.showing.settle()
        finally:
            metrics.SESSIONS.dec()
            self._parts.habits.save(self.user, self._habits)
            self.ending.set()
            self.attendance.close()
            for task in self._tasks - {asyncio.current_task()}:
                task.cancel("the session is over")
            self._parts.bus.forget_session(self.id)
            with suppress(TimeoutError):  # the bus sees to it once Redis is back
                async with asyncio.timeout(LAST_EVENTS_SECONDS):
                    await self._journal.close(ended=recorded)
            log.info("session_closed", session=self.id, reason=self._ending)
            self.over.set()

    async def _show_first(self) -> None:
        """A conversation that was opened with a photo: 복실이 speaks first, once there is somebody to hear it."""
        if self.session.turns.begun:
            await self.acquaintance.refresh()  # of another gateway's conversation it knows how it began
            return
        if (shown := await self.showing.begin()) is None:
            return
        await self.attendance.welcomed.wait()
        if not self.ending.is_set():
            self.session.open_with(shown)

    async def _send(self) -> None:
        """Empty the outbox; without its journal a session cannot go on."""
        try:
            await self.outbox.run()
        except Fenced:
            self.fenced()
        except Exception as error:
            log.error("journal_failed", session=self.id, exc_info=error)
            self.end(translated(error))

    async def _own_again(self) -> tuple[Journal, SessionOpened]:
        """Redis has lost the journal: another one, of a later epoch, goes on from here."""
        lost = self._journal
        log.warning("journal_lost", session=self.id, epoch=lost.epoch)
        lost.let_go()
        self._journal = await Journal.own(self._parts.bus, self.id, gateway=self._parts.name, above=lost.epoch)
        self._epochs.add(self._journal.epoch)
        return self._journal, self.opened()

    def _on_settled(self, turn: int) -> None:
        """What was learned is kept, and what has changed read; from time to time the journal lets go of old turns."""
        self._parts.habits.save(self.user, self._habits)
        self._stale = True
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self._spawn(self._refresh(), "refresh")
        before = self.session.turns.first_remembered_event
        if turn % TRIM_EVERY_TURNS == 0 and before:
            self.outbox.record(self.opened(), after=lambda: self._trim(before))

    async def _refresh(self) -> None:
        """Once more where another turn settled meanwhile: what it changed was perhaps read too early."""
        while self._stale:
            self._stale = False
            await self.acquaintance.refresh()
            await self.showing.settle()

    def _trim(self, before: int) -> None:
        self._spawn(self._let_go_of(before), "trim")

    async def _let_go_of(self, before: int) -> None:
        with suppress(BusError):  # the next time will do
            await self._journal.trim(before)

    def opened(self) -> SessionOpened:
        """What stands first in each of its journals."""
        return SessionOpened(
            user=self.user,
            language=self.language,
            reply_rate=self._parts.settings.reply_rate,
            received_samples=self.microphone.received_samples,
            photo=self.showing.current,
        )

    def _keep_voice(self, turn: Turn) -> None:
        if self._parts.voices is not None and self.acquaintance.about.keeps_voice:
            self._parts.voices.take(turn)

    async def _tell_notices(self, feeds: Feeds) -> None:
        """What happens to the person's things meanwhile, to the client that is here; it is no part of the talk, and
        what nobody is here for is to be had from the stream of notices."""
        backoff = Backoff(first=1.0, limit=30.0)
        while True:
            try:
                feed = await feeds.open(self.user, counted=False)
            except BusError:
                await asyncio.sleep(backoff.next())
                continue
            async with feed:
                while (item := await feed.next()) is not None:
                    self.outbox.tell(NoticeTold(kind=item.kind, id=item.id, data=item.data), journaled=False)
            if feed.ended == "draining":
                return

    async def _outstay(self) -> None:
        await asyncio.sleep(MAX_SESSION_SECONDS)
        await self.session.turns.settled.wait()
        self.end(TokenExpired())

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{name}:{self.id[:8]}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def is_over_for_good(self) -> bool:
        """Its end was a good-bye, or whatever `reason` says; the client need not come back."""
        return self._ending == "ended"

    # --- clients -----------------------------------------------------------------------------------------------------

    def knows(self, position: Position) -> bool:
        """Whether a client can have been told so much."""
        epoch, event = position
        return epoch in self._epochs and event <= self.outbox.last_event

    async def _first(self, resume: Resume | None, resync: str) -> AsyncIterator[tuple[str, bytes]]:
        """What a client is told before anything else."""
        ready = Ready(
            session=self.id,
            language=self.language,
            input_rate=MICROPHONE_RATE,
            output_rate=self._parts.settings.reply_rate,
            microphone_sample=self.microphone.received_samples,
            resumed=resume is not None,
            resume_seconds=self._parts.settings.resume_seconds,
            patience=self.session.patience,
            epoch=resume.epoch if resume is not None else self._journal.epoch,
            event=resume.last_event if resume is not None else self.outbox.last_event,
        )
        if resync:
            yield encode_event(Resync(reason=resync, epoch=ready.epoch, event=ready.event)).decode(), b""
        yield encode_event(ready).decode(), b""
        if resume is not None:
            entries = await self._journal.read()
            async for retold in retell(entries, resume, self._parts.bus.turns(self.id)):
                yield retold.text, retold.audio
