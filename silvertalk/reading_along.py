"""One typed turn, read along as events by somebody without a socket; and the client that such readers stand in for.

Where a conversation has no client, all who read it along share one stand-in: it has played each sentence as it is
sent, so that what counts as heard is what was shown. It is there for as long as anybody reads, steps back when a client
comes, and forward again when that client goes.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import msgspec

from silvertalk.errors import FloorTaken, SilverTalkError
from silvertalk.outbox import Socket
from silvertalk.owned_session import OwnedSession
from silvertalk.socket_problems import problem_told
from streaming.errors import ProtocolError
from streaming.messages import FILLER
from streaming.protocol import (
    Distress,
    Event,
    FinalTranscript,
    Flush,
    PhotoShown,
    Problem,
    Reconnect,
    ReplyEnded,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
    encode_event,
)

MAX_WAITING_EVENTS = 256
"""Several turns' worth. A reader who is so far behind has left, and is waited for no more; the turn goes on."""
READING_SECONDS = 120.0
"""Longer than a turn without audio takes from its text to its commit, a change of nodes included."""
COMMIT_SECONDS = 30.0
"""How long a reader waits for the database once the reply is complete."""

SHOWN = (TurnEnded, FinalTranscript, Distress, PhotoShown, SpokenText, ReplyEnded, Flush, TurnCommitted)


class Shown(NamedTuple):
    """One event as the wire protocol has it: its `type`, and its JSON."""

    type: str
    data: str


class Reader:
    """Reads one turn along."""

    def __init__(self, owned: OwnedSession, login: str) -> None:
        """`login`: the one whose token asked."""
        self.user = owned.user
        self.login = login
        self._owned = owned
        self._turn = 0
        self._waiting: asyncio.Queue[Shown | None] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._ends = asyncio.get_running_loop().time() + READING_SECONDS
        self._complete = False
        self._ended = asyncio.Event()
        self._stop_listening = owned.outbox.listen(self._hear)

    def read(self, text: str) -> None:
        """Say the text. Raises FloorTaken."""
        owned = self._owned
        try:
            owned.session.typed(text, owned.microphone.received_samples)
        except ProtocolError as error:
            raise FloorTaken(error.detail) from None
        self._turn = owned.session.turns.number_in_hand
        opening = {"session_id": owned.id, "turn": self._turn}
        self._waiting.put_nowait(Shown("session", msgspec.json.encode(opening).decode()))

    async def over(self) -> None:
        """Until the turn is committed, or nothing more will come."""
        waiting = [
            asyncio.create_task(event.wait(), name=f"reader:{self._owned.id[:8]}")
            for event in (self._ended, self._owned.over)
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        reason = self._owned.reason
        if not self._ended.is_set() and reason is not None:
            self._tell(reason)

    def refuse(self, reason: SilverTalkError) -> None:
        """Nothing more is shown but why; the turn goes on. Of what waits to be read, all is dropped."""
        if self._ended.is_set():
            return
        self._stop_listening()
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._tell(reason)
        self._waiting.put_nowait(None)

    def leave(self) -> None:
        """Let go of the conversation, and of whoever reads."""
        self._stop_listening()
        self._ended.set()
        if self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def next(self) -> Shown | None:
        """Which turn it is, then what is told of it, in order, until its commit; None when there will be no more."""
        if self._complete:
            return None
        try:
            async with asyncio.timeout_at(self._ends):
                item = await self._waiting.get()
        except TimeoutError:
            item = None
        self._complete = item is None or item.type == "turn.committed"
        if item is not None and item.type == "reply.done":
            self._ends = min(self._ends, asyncio.get_running_loop().time() + COMMIT_SECONDS)
        return item

    def _hear(self, event: Event, data: str) -> None:
        turn = getattr(event, "turn", None)
        if isinstance(event, SpokenText) and event.source == FILLER:
            return  # a sound for whoever waits in silence; a reader sees that the answer is being made
        if isinstance(event, SHOWN) and turn == self._turn:
            self._show(event, data)
            if isinstance(event, TurnCommitted):
                self._ended.set()
        elif isinstance(event, Reconnect) or (isinstance(event, Problem) and turn in (None, self._turn)):
            self._show(event, data)

    def _tell(self, reason: SilverTalkError) -> None:
        problem = problem_told(reason)
        self._show(problem, encode_event(problem).decode())

    def _show(self, event: Event, data: str) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait(Shown(str(event.__struct_config__.tag), data))


class StandIn:
    """The client of a conversation that has none, for all who read it along. A socket with nobody behind it."""

    def __init__(self, owned: OwnedSession) -> None:
        self.readers = 0
        self._owned = owned
        self._is_here = False
        # Of each turn that is not over, how far it was told, and whether that was a flush: few at a time.
        self._told: dict[int, tuple[int, bool]] = {}
        self._stop_listening = owned.outbox.listen(self._hear)
        owned.attendance.when_left(self._come_soon)

    def join(self) -> None:
        """One more reads."""
        self.readers += 1
        self._come()

    def leave(self) -> None:
        """One less does; with the last of them it goes."""
        self.readers -= 1
        if not self.readers:
            self._stop_listening()
            self._owned.attendance.when_left(None)
            self._is_here = False
            self._owned.attendance.detach(self)

    def _come_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._come)

    def _come(self) -> None:
        if self.readers and not (self._owned.attendance.has_client or self._owned.ending.is_set()):
            self._is_here = True
            self._owned.attendance.attach(self, self._lost, None)

    def _lost(self, socket: Socket, error: Exception) -> None:
        """A client has come, and is the one that plays and is waited for."""
        self._is_here = False

    def _hear(self, event: Event, data: str) -> None:
        if isinstance(event, SpokenAudio):
            self._told[event.turn] = event.first_sample + event.samples, False
        elif isinstance(event, Flush):
            self._told[event.turn] = event.upto_sample, True
        elif isinstance(event, TurnCommitted):
            self._told.pop(event.turn, None)
        if self._is_here:  # also of what a client that has gone was told, and did not say that it played
            for turn, (upto, flushed) in self._told.items():
                self._owned.session.played(turn, upto, flushed=flushed)

    async def send_text(self, data: str) -> None:
        return

    async def send_bytes(self, data: bytes) -> None:
        return
