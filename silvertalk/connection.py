"""One socket of a session: what is read from it, and how it ends.

Sockets come and go, the session stays (`silvertalk.owned_session`). A ticket is good for as long as the socket lives:
access tokens live half an hour, and nobody is cut off in the middle of a story because of that.
"""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket

from silvertalk.errors import SilverTalkError, translated
from silvertalk.outbox import Socket
from silvertalk.owned_session import OwnedSession
from silvertalk.reader import Reader
from silvertalk.socket_problems import fault_told
from streaming.errors import StreamingError
from streaming.protocol import Resume


class Connection:
    """One socket, from `ready` to the end of it or of its session."""

    def __init__(self, socket: WebSocket, owned: OwnedSession) -> None:
        self._socket = socket
        self._owned = owned
        outbox = owned.outbox
        self._reader = Reader(
            socket,
            owned.session,
            owned.microphone,
            tell=lambda event: outbox.tell(event, journaled=False),
            tell_fault=lambda error: outbox.tell(fault_told(error), journaled=False),
        )
        self._reading: asyncio.Task[bool] | None = None
        self._lost = asyncio.Event()
        self._reason: SilverTalkError | None = None

    async def serve(self, resume: Resume | None, resync: str) -> SilverTalkError | None:
        """Until either ends; returns what the client is to be told, if anything. Raises ProtocolError for a client's
        grave fault. A session whose client has only gone away waits for it."""
        owned = self._owned
        owned.attendance.attach(self._socket, self._on_lost, resume, resync)
        name = owned.id[:8]
        reading = self._reading = asyncio.create_task(self._reader.run(), name=f"read:{name}")
        waiting = [
            asyncio.create_task(self._lost.wait(), name=f"lost:{name}"),
            asyncio.create_task(owned.ending.wait(), name=f"ending:{name}"),
        ]
        try:
            await asyncio.wait([reading, *waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, *waiting):
                task.cancel()
            await asyncio.wait([reading, *waiting])
            if not (self._said_bye(reading) or owned.ending.is_set()):
                owned.attendance.detach(self._socket)
        if self._said_bye(reading):
            owned.end(None)
        elif not reading.cancelled() and (error := reading.exception()) is not None:
            if not isinstance(error, SilverTalkError | StreamingError):
                owned.end(None)  # our own mistake: what it left half done is nothing to come back to
            raise error
        if owned.ending.is_set():
            await owned.over.wait()  # what there is still to say, it says over this socket
            return owned.reason
        return self._reason

    @staticmethod
    def _said_bye(reading: asyncio.Task[bool]) -> bool:
        return not reading.cancelled() and reading.exception() is None and reading.result()

    def _on_lost(self, socket: Socket, error: Exception) -> None:
        if isinstance(error, SilverTalkError | StreamingError):  # otherwise the socket's own: it is gone
            self._reason = translated(error)
        if self._reading is not None:
            self._reading.cancel("another client may have been told already what was heard")
        self._lost.set()
