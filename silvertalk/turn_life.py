"""What a turn has to wait for: the bus, a node, the player, the end of its record.

One named task a turn, from its opening to its commit:

    open on the bus -> watch (nobody claims it? its node fell silent?) until it is over or its reply was sent
    -> wait for the playing to end -> close: the journal's `Closed`, the database, the streams' short remaining life
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from silvertalk import metrics
from silvertalk.errors import BusAway, NoNode, SilverTalkError, TurnLost, translated
from silvertalk.outbox import Outbox
from silvertalk.presence import Presence
from silvertalk.settings import Settings
from silvertalk.turn import MERGE_SECONDS, Turn
from streaming.bus import Turns
from streaming.errors import BusError, BusUnavailable, Fenced, StreamGone, StreamingError
from streaming.logs import logger
from streaming.messages import AnyMessage, Closed, Interrupted, TurnRecord
from streaming.protocol import Flush

log = logger("turn")

Done = TypeVar("Done")

FLUSH_SECONDS = 0.3
"""How long an interrupted turn waits for the player to say where it stopped; its last acknowledgement serves
otherwise."""
PLAYBACK_GRACE_SECONDS = 1.5
"""A player that acknowledges nothing is believed to have finished so long after its audio's length."""
STOPPED_SECONDS = 10.0
"""One that has said where it is, and says nothing more, is given so long: what it was sent may still be on its way.
Then it is stopped, and asked where it was."""
LAST_ACKNOWLEDGEMENT_SECONDS = 0.5
"""What is left of a reply when a player says for the last time but one where it is. Not all say it once more."""
JOURNAL_SECONDS = 5.0
"""How long a closed turn waits for its place in the journal before it goes to the database without."""
BUS_CLOSE_SECONDS = 2.0
CONTEST_SECONDS = 5.0
"""How long a reply that was played to its end waits to know whether a voice goes on with its turn. Then whoever speaks
has the floor, in a turn of their own: a node that can say nothing of the voice must not hold up the conversation."""
OPEN_AGAIN_SECONDS = 0.2
"""Between two attempts to offer a turn; the bus has waited for its connection before it says no."""
UNCLAIMED_SECONDS = 15.0
"""A turn that no node has claimed so long after its endpoint is given up; the person was told much sooner."""
LEASE_MARGIN_SECONDS = 0.01
"""A lease has run out when it is over, not at its last millisecond."""
ANSWER_SECONDS = 45.0
"""A reply of which nothing comes for so long will not come: longer than any engine's own deadline."""


class Conversation(Protocol):
    """The part of a session that a turn's life reports to."""

    @property
    def presence(self) -> Presence:
        """Whether there is a client: while there is none, nothing is being played."""
        ...

    def fenced(self) -> None:
        """Another gateway has the session now."""
        ...

    def on_down(self, turn: Turn, entries: list[tuple[str, AnyMessage]]) -> None: ...

    def fail(self, turn: Turn, error: SilverTalkError) -> None: ...

    def tell_problem(self, error: SilverTalkError, turn: int | None = None) -> None: ...

    def playback_finished(self, turn: Turn) -> None: ...

    def settle(self, turn: int) -> None: ...


@dataclass(slots=True)
class _Watched:
    """What the watch over one turn remembers."""

    looked_at: float = 0.0
    told: bool = False
    """The person knows that nobody has the turn."""
    lease_left: float = 0.0
    """Seconds the node's lease had left at the last look."""
    missed: int = 0
    """Looks in a row that found its lease run out."""


class TurnLife:
    """Runs the turns of one session. `async with` it: leaving waits until every turn has been closed."""

    def __init__(
        self,
        turns: Turns,
        outbox: Outbox,
        settings: Settings,
        *,
        commit: Callable[[TurnRecord], Awaitable[None]],
        keep_voice: Callable[[Turn], None] | None = None,
    ) -> None:
        """`keep_voice` is given each turn that is about to be committed, its audio still there."""
        self._turns = turns
        self._outbox = outbox
        self._settings = settings
        self._commit = commit
        self._keep_voice = keep_voice
        self._group = asyncio.TaskGroup()
        # Bounded by the turns whose records wait for the database.
        self._living: dict[asyncio.Task[None], Turn] = {}

    async def __aenter__(self) -> TurnLife:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Whatever ended the conversation is raised by the caller's block; the turns close all the same.
        await self._group.__aexit__(None, None, None)

    def open(self, turn: Turn, conversation: Conversation) -> None:
        """Let the turn live; one with a handle was opened by an earlier gateway, and goes on."""
        name = f"turn:{turn.session[:8]}:{turn.number}"
        task = self._group.create_task(self._live(turn, conversation), name=name)
        self._living[task] = turn
        task.add_done_callback(self._living.pop)

    def see_to(self, work: Coroutine[Any, Any, Done], name: str) -> asyncio.Task[Done]:
        """Something of bounded length that is done before the session is let go, whatever becomes of its turn."""
        return self._group.create_task(work, name=name)

    def let_go(self) -> None:
        """Another gateway has the session: its turns are neither closed nor recorded here."""
        for task, turn in self._living.items():
            task.cancel("the session has another owner")
            if turn.handle is not None:
                turn.handle.let_go()

    async def _live(self, turn: Turn, conversation: Conversation) -> None:
        if turn.handle is not None:
            turn.handle.hear(lambda entries: conversation.on_down(turn, list(entries)), turn.lose)
            await self._watch(turn, conversation)
        elif await self._open(turn, conversation):
            await self._watch(turn, conversation)
        await self._close(turn, conversation)

    async def _open(self, turn: Turn, conversation: Conversation) -> bool:
        """Offer the turn. While Redis is away the person may go on: what they say is kept, and follows."""
        told = False
        while not turn.over:
            try:
                handle = await self._turns.open(
                    turn.opened,
                    epoch=self._outbox.epoch,
                    deliver=lambda entries: conversation.on_down(turn, list(entries)),
                    on_lost=turn.lose,
                )
            except BusUnavailable as error:
                if not told:
                    log.warning("turn_waits_for_bus", turn=turn.number, error=str(error))
                    conversation.tell_problem(BusAway(str(error)), turn.number)
                told = True
                if self._waited_too_long(turn):
                    conversation.fail(turn, BusAway(str(error)))
                await asyncio.sleep(OPEN_AGAIN_SECONDS)
            except Fenced:
                conversation.fenced()
                await asyncio.Event().wait()  # until `let_go`
            except BusError as error:
                conversation.fail(turn, translated(error))
            else:
                turn.on_bus(handle)
                return True
        return False

    async def _watch(self, turn: Turn, conversation: Conversation) -> None:
        """Until the turn is over: see that somebody has it, that whoever has it lives, and that the playing ends."""
        watched = _Watched()
        while not turn.over:
            away = conversation.presence.is_away
            left = self._playback_left(turn, conversation.presence) if not away else None
            if turn.reply.playback_is_over:
                await self._play_out(turn, conversation)
            elif left is not None and left <= 0:
                self._stop_waiting(turn, conversation.presence)
            elif self._waited_too_long(turn):
                conversation.fail(turn, TurnLost("no reply") if turn.claimed_by else NoNode())
            elif turn.lost is not None:
                await self._mend(turn, conversation, turn.lost)
            elif left is not None:
                await _moved(turn, left)
            elif away and not turn.awaits_node:
                await _moved(turn, None)  # all of the reply is made, and waits for somebody to hear it
            elif (look := self._next_look(turn, watched)) > 0:
                await _moved(turn, look)
            else:
                watched.looked_at = asyncio.get_running_loop().time()
                await self._look_after(turn, conversation, watched)

    async def _play_out(self, turn: Turn, conversation: Conversation) -> None:
        """The reply was played to its end; for a little longer the person may go on with the turn it answered."""
        merge_left = turn.merge_left(asyncio.get_running_loop().time())
        if turn.contested:
            await _moved(turn, CONTEST_SECONDS)
            if turn.contested and turn.reply.playback_is_over and not turn.over:
                conversation.playback_finished(turn)
        elif merge_left > 0:
            await _moved(turn, merge_left)
        else:
            conversation.playback_finished(turn)

    async def _mend(self, turn: Turn, conversation: Conversation, lost: StreamingError) -> None:
        """The bus has lost the turn: where it was Redis that lost it, it is offered again with all its audio."""
        assert turn.handle is not None, "lost before it was opened"
        log.warning("turn_lost", turn=turn.number, reason=lost.code)
        if isinstance(lost, Fenced):
            conversation.fenced()
            await asyncio.Event().wait()  # until `let_go`
        if isinstance(lost, StreamGone) and turn.awaits_node:
            try:
                await turn.handle.reoffer()
            except BusUnavailable:
                await asyncio.sleep(OPEN_AGAIN_SECONDS)
            except BusError as error:
                turn.lost = error
            else:
                turn.on_bus(turn.handle)
            return
        conversation.fail(turn, translated(lost))
        if not turn.over:  # the reply is with the client, and only the playing is waited for
            turn.lost = None

    async def _look_after(self, turn: Turn, conversation: Conversation, watched: _Watched) -> None:
        """Nothing has come for a while: tell the nodes, and the person, once, when nobody has the turn."""
        assert turn.handle is not None, "watched before it was opened"
        watched.lease_left = self._settings.lease_ms / 1000
        try:
            nobody = not turn.claimed_by and await turn.handle.unclaimed()
            if not nobody:  # somebody took it, who may have died before saying so
                ran_out = await turn.handle.hint_reclaim()
                watched.missed = watched.missed + 1 if ran_out else 0
                if not ran_out:
                    watched.lease_left = turn.handle.lease_left
                nobody = watched.missed > 1
        except BusUnavailable as error:
            log.warning("turn_unwatched", turn=turn.number, error=str(error))
            return
        except BusError as error:
            turn.lose(error)
            return
        if nobody and not watched.told:
            watched.told = True
            conversation.tell_problem(NoNode(), turn.number)

    def _next_look(self, turn: Turn, watched: _Watched) -> float:
        """Seconds until it is time to look after a turn of which nothing comes.

        For one that a node has, that is when its lease may have run out. A node renews every third of it, so two
        thirds are left at the least when something comes; from the first look on it is known exactly.
        """
        now = asyncio.get_running_loop().time()
        if not turn.claimed_by:
            return max(turn.came_at, watched.looked_at) + self._settings.turn_claim_ms / 1000 - now
        if watched.looked_at > turn.came_at:
            return watched.looked_at + watched.lease_left + LEASE_MARGIN_SECONDS - now
        return turn.came_at + self._settings.lease_ms * 2 / 3000 - now

    def _playback_left(self, turn: Turn, presence: Presence) -> float | None:
        """Seconds until the player must have finished; None while the reply is not complete."""
        reply = turn.reply
        if not reply.complete or reply.first_audio_at is None:
            return None
        grace = STOPPED_SECONDS if self._is_behind(turn, presence) else PLAYBACK_GRACE_SECONDS
        return reply.plays_until + grace - asyncio.get_running_loop().time()

    @staticmethod
    def _is_behind(turn: Turn, presence: Presence) -> bool:
        """The player says where it is, and has not said that it has come to the end."""
        left = turn.reply.sent_samples - turn.reply.played_samples
        return presence.acknowledges and left > LAST_ACKNOWLEDGEMENT_SECONDS * turn.reply.rate

    def _stop_waiting(self, turn: Turn, presence: Presence) -> None:
        """The player says nothing more, though something comes from its client."""
        if not self._is_behind(turn, presence):
            turn.reply.play_to(turn.reply.sent_samples)
            return
        turn.interrupted = True  # it will say where it was
        turn.reply.stop()
        sent = turn.reply.sent_samples
        record = Interrupted(turn=turn.number, attempt=turn.attempt, sent_samples=sent, reason="unplayed")
        self._outbox.record(record, Flush(turn=turn.number, upto_sample=turn.reply.released_samples))
        metrics.INTERRUPTED.labels("unplayed").inc()

    def _waited_too_long(self, turn: Turn) -> bool:
        """Nothing of the reply that was asked for has come, and nothing that came is still being played. Nobody waits
        for one that is made in a pause, however long the person may be away in it."""
        if not turn.awaits_reply or turn.speculative:
            return False
        limit = ANSWER_SECONDS if turn.claimed_by else UNCLAIMED_SECONDS
        since = max(turn.progress_at, turn.reply.plays_until)
        return asyncio.get_running_loop().time() - since > limit

    async def _close(self, turn: Turn, conversation: Conversation) -> None:
        """The record, as soon as it is known what was heard."""
        loop = asyncio.get_running_loop()
        if turn.interrupted and turn.reply.sent_samples:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await turn.flushed.wait()
            except TimeoutError:
                log.info("playhead_unknown", turn=turn.number)
        elif turn.reply.first_audio_at is not None:
            await asyncio.sleep(max(0.0, turn.reply.first_audio_at + MERGE_SECONDS - loop.time()))
        record = turn.record()
        journaled = asyncio.Event()
        self._outbox.record(Closed(record=record), after=journaled.set)
        try:
            async with asyncio.timeout(JOURNAL_SECONDS):
                await journaled.wait()
        except TimeoutError:  # out of reach, perhaps from here alone: whoever goes on with the turn knows it better
            record = msgspec.structs.replace(record, witness="gateway")
        if record.outcome != "nothing_heard":  # a noise that nobody said anything in is not worth a row
            if self._keep_voice is not None:
                self._keep_voice(turn)
            await self._commit(record)
        else:
            conversation.settle(turn.number)
        metrics.TURNS.labels(record.outcome, record.language).inc()
        if turn.handle is not None:
            try:
                async with asyncio.timeout(BUS_CLOSE_SECONDS):  # the bus sees to it, also when nobody waits any more
                    await turn.handle.close(turn.outcome)
            except (BusError, TimeoutError) as error:
                log.warning("turn_not_closed_on_bus", turn=turn.number, error=str(error))
        turn.free()


async def _moved(turn: Turn, seconds: float | None) -> None:
    """Wait until something happens to the turn, so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await turn.moved.wait()
    turn.moved.clear()
