"""What a turn has to wait for: the bus, a node, the player, the end of its record.

One named task a turn, from its opening to its commit:

    open on the bus -> watch (nobody claims it? its node fell silent?) until it is over or its reply was sent
    -> wait for the playing to end -> close: the journal's `Closed`, the database, the streams' short remaining life
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from silvertalk import metrics
from silvertalk.errors import BusAway, NoNode, SilverTalkError, TurnLost
from silvertalk.outbox import Outbox
from silvertalk.settings import Settings
from silvertalk.turn import Turn
from streaming.bus import Turns
from streaming.errors import BusError, BusUnavailable
from streaming.logs import logger
from streaming.messages import AnyMessage, Closed, TurnRecord

log = logger("turn")

FLUSH_SECONDS = 0.3
"""How long an interrupted turn waits for the player to say where it stopped; its last acknowledgement serves otherwise."""
PLAYBACK_GRACE_SECONDS = 1.5
"""A player that acknowledges nothing is believed to have finished so long after its audio's length."""
MERGE_SECONDS = 1.5
"""A turn closes no earlier than this after its reply began."""
JOURNAL_SECONDS = 5.0
"""How long a closed turn waits for its place in the journal before it goes to the database without."""
UNCLAIMED_SECONDS = 15.0
"""A turn that no node has claimed so long after its endpoint is given up; the person was told much sooner."""
ANSWER_SECONDS = 45.0
"""A reply that has not begun so long after the endpoint will not: longer than any engine's own deadline."""


class Conversation(Protocol):
    """The part of a session that a turn's life reports to."""

    def on_down(self, turn: Turn, entries: list[tuple[str, AnyMessage]]) -> None: ...

    def fail(self, turn: Turn, error: SilverTalkError) -> None: ...

    def tell_problem(self, error: SilverTalkError, turn: int | None = None) -> None: ...

    def playback_finished(self, turn: Turn) -> None: ...

    def settle(self, turn: int) -> None: ...


class TurnLife:
    """Runs the turns of one session. `async with` it: leaving waits until every turn has been closed."""

    def __init__(
        self,
        turns: Turns,
        outbox: Outbox,
        settings: Settings,
        *,
        epoch: int,
        commit: Callable[[TurnRecord], Awaitable[None]],
    ) -> None:
        self._turns = turns
        self._outbox = outbox
        self._settings = settings
        self._epoch = epoch
        self._commit = commit
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> TurnLife:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Whatever ended the conversation is raised by the caller's block; the turns close all the same.
        await self._group.__aexit__(None, None, None)

    def open(self, turn: Turn, conversation: Conversation) -> None:
        """Let the turn live."""
        name = f"turn:{turn.session[:8]}:{turn.number}"
        self._group.create_task(self._live(turn, conversation), name=name)

    async def _live(self, turn: Turn, conversation: Conversation) -> None:
        try:
            await self._open(turn, conversation)
            await self._watch(turn, conversation)
        except BusError as error:
            log.warning("turn_without_bus", turn=turn.number, error=str(error))
            conversation.fail(turn, BusAway(str(error)))
        await self._close(turn, conversation)

    async def _open(self, turn: Turn, conversation: Conversation) -> None:
        handle = await self._turns.open(
            turn.opened,
            epoch=self._epoch,
            deliver=lambda entries: conversation.on_down(turn, list(entries)),
            on_lost=lambda error: conversation.fail(turn, TurnLost(str(error))),
        )
        turn.on_bus(handle)

    async def _watch(self, turn: Turn, conversation: Conversation) -> None:
        """Until the turn is over: see that somebody has it, that whoever has it lives, and that the playing ends."""
        assert turn.handle is not None, "watched before it was opened"
        told = False
        while not turn.over:
            if turn.playback_is_over:
                conversation.playback_finished(turn)
                return
            if await self._moved(turn):
                continue
            if self._playback_left(turn) is not None:
                turn.play_to(turn.sent_samples)
            elif self._waited_too_long(turn):
                conversation.fail(turn, TurnLost("no reply") if turn.claimed_by else NoNode())
            elif not turn.claimed_by and await turn.handle.unclaimed():
                if not told:
                    conversation.tell_problem(NoNode(), turn.number)
                told = True
            else:
                await turn.handle.hint_reclaim()

    async def _moved(self, turn: Turn) -> bool:
        """Whether something happened before it was time to look after the turn."""
        patience = self._settings.lease_ms if turn.claimed_by else self._settings.turn_claim_ms
        try:
            async with asyncio.timeout(self._playback_left(turn) or patience / 1000):
                await turn.moved.wait()
        except TimeoutError:
            return False
        turn.moved.clear()
        return True

    def _playback_left(self, turn: Turn) -> float | None:
        """Seconds until the player must have finished; None while the reply is not complete."""
        if not turn.reply_complete or turn.first_audio_at is None:
            return None
        end = turn.first_audio_at + turn.sent_samples / self._settings.reply_rate + PLAYBACK_GRACE_SECONDS
        return max(0.01, end - asyncio.get_running_loop().time())

    def _waited_too_long(self, turn: Turn) -> bool:
        asked = turn.asked_at
        if asked is None or turn.first_audio_at is not None:
            return False
        limit = ANSWER_SECONDS if turn.claimed_by else UNCLAIMED_SECONDS
        return asyncio.get_running_loop().time() - asked > limit

    async def _close(self, turn: Turn, conversation: Conversation) -> None:
        """The record, as soon as it is known what was heard."""
        loop = asyncio.get_running_loop()
        if turn.interrupted and turn.sent_samples:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await turn.flushed.wait()
            except TimeoutError:
                log.info("playhead_unknown", turn=turn.number)
        elif turn.first_audio_at is not None:
            await asyncio.sleep(max(0.0, turn.first_audio_at + MERGE_SECONDS - loop.time()))
        record = turn.record()
        journaled = asyncio.Event()
        self._outbox.record(Closed(record=record), after=journaled.set)
        with suppress(TimeoutError):  # the journal is out of reach: the database is the better witness anyway
            async with asyncio.timeout(JOURNAL_SECONDS):
                await journaled.wait()
        if record.outcome != "nothing_heard":  # a noise that nobody said anything in is not worth a row
            await self._commit(record)
        else:
            conversation.settle(turn.number)
        metrics.TURNS.labels(record.outcome, record.language).inc()
        if turn.handle is not None:
            try:
                await turn.handle.close(turn.outcome)
            except BusUnavailable as error:
                log.warning("turn_not_closed_on_bus", turn=turn.number, error=str(error))
