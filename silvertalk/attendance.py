"""Who is at the other end of a session: one client at most, which comes and goes.

Who comes is told what it missed, and everything from then on. Who has gone is waited for, as long as a client may take
to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from silvertalk.errors import SessionReplaced
from silvertalk.outbox import Arrival, Outbox, Socket
from silvertalk.session import Session
from streaming.protocol import Resume

SocketLost = Callable[[Socket, Exception], None]
First = Callable[[Resume | None, str], AsyncIterator[tuple[str, bytes]]]
"""What a client is told before anything else: one that goes on from somewhere, or why another could not."""


class Attendance:
    """Of one session. A socket that the outbox loses is to be told to `lose`."""

    def __init__(
        self,
        session: Session,
        outbox: Outbox,
        *,
        first: First,
        resume_seconds: float,
        on_stayed_away: Callable[[], None],
    ) -> None:
        """`resume_seconds`: who has not come back by then is waited for no more, and `on_stayed_away` called."""
        self._session = session
        self._outbox = outbox
        self._first = first
        self._resume_seconds = resume_seconds
        self._on_stayed_away = on_stayed_away
        self.welcomed = asyncio.Event()
        """A client has come, and was told what it missed."""
        self.away_since = asyncio.get_running_loop().time()
        """When the last client left; on the loop's clock."""
        self._socket: Socket | None = None
        self._lost: SocketLost = _nobody
        self._on_left: Callable[[], None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def has_client(self) -> bool:
        """A client is here, or is being told what it missed."""
        return self._socket is not None

    def attach(self, socket: Socket, lost: SocketLost, resume: Resume | None, resync: str = "") -> None:
        """A client has come: anew (`resync` says why, where it wanted to go on with another session) or `resume`d.

        `lost(socket, error)` is called where it takes nothing, or where a newer client takes its place.
        """
        if self._socket is not None:
            self.lose(self._socket, SessionReplaced())
        self._socket, self._lost = socket, lost
        self.close()

        def arrived() -> None:
            self._session.returned(resume.playhead if resume is not None else None)
            self.welcomed.set()

        self._outbox.attach(Arrival(socket, lambda: self._first(resume, resync), arrived))

    def detach(self, socket: Socket) -> None:
        """This client is gone; nothing happens where another has taken its place."""
        if self._socket is not socket:
            return
        self._socket = None
        self._outbox.detach(socket)
        self._session.left()
        self.wait()
        if self._on_left is not None:
            self._on_left()

    def lose(self, socket: Socket, error: Exception) -> None:
        """Nothing more can be sent to this client; it is told why."""
        lost = self._lost
        self.detach(socket)
        lost(socket, error)

    def when_left(self, tell: Callable[[], None] | None) -> None:
        """Have `tell` called whenever a client has gone; it must not attach another at once, for one may be coming."""
        self._on_left = tell

    def wait(self) -> None:
        """Nobody is here: wait as long as a client may take to come back."""
        loop = asyncio.get_running_loop()
        self.away_since = loop.time()
        self.close()
        self._deadline = loop.call_later(self._resume_seconds, self._on_stayed_away)

    def close(self) -> None:
        """Nobody is waited for any more."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _nobody(socket: Socket, error: Exception) -> None:
    """Who is told of a lost socket before there was one."""
