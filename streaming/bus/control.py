"""What every gateway must hear: a person's newer session, a revocation.

One short stream, read by all gateways, so that all agree on the order: of two sessions that one person opened at the
same time, the one announced later lives. A gateway compares only what comes back to it through the stream, its own
announcements included, and so never depends on a clock or on which reply came first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from streaming.bus import entries, names
from streaming.bus.entries import RawEntry
from streaming.bus.faults import checked
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server
from streaming.errors import MessageError
from streaming.logs import logger

log = logger("bus.control")


class SessionAnnounced(msgspec.Struct, frozen=True, tag=True):
    user: str
    session: str
    gateway: str


class UserRevoked(msgspec.Struct, frozen=True, tag=True):
    user: str
    login: str = ""
    """Of one login alone; empty for all of the person's."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SessionAnnounced | UserRevoked)


class _Live:
    __slots__ = ("gateway", "heard", "session")

    def __init__(self, session: str, gateway: str) -> None:
        self.session = session
        self.gateway = gateway
        self.heard = False
        """Our own announcement has come back: whatever follows it is newer."""


class Control:
    """The control stream of one server. `on_replaced(session)`, `on_moved(session)` and `on_revoked(user, login)`
    are called on the loop."""

    def __init__(
        self,
        server: Server,
        *,
        on_replaced: Callable[[str], None],
        on_moved: Callable[[str], None],
        on_revoked: Callable[[str, str], None],
    ) -> None:
        self._server = server
        self._on_replaced = on_replaced
        self._on_moved = on_moved
        self._on_revoked = on_revoked
        self._mark = entries.new_mark()
        # Bounded by the sessions a gateway admits.
        self._live: dict[str, _Live] = {}
        self._following = False

    async def listen(self) -> None:
        """Hear everything that is announced from now on. Raises BusUnavailable."""
        if self._following:
            return
        top = await self._server.main.ask("XREVRANGE", names.CONTROL, "+", "-", "COUNT", 1)
        if not self._following:
            self._following = True
            after = entries.entry_id(top[0]) if top else "0-0"
            self._server.follower.follow_raw(names.CONTROL, self._hear, after=after, must_exist=False)

    async def announce(self, user: str, session: str, gateway: str) -> None:
        """`session`, here, is the person's only one from now on."""
        await self.listen()
        self._live[user] = _Live(session, gateway)
        await self._say(SessionAnnounced(user, session, gateway))

    async def revoke(self, user: str, login: str) -> None:
        """The person's tokens are worth nothing any more; those of one `login` alone, where it is named."""
        await self._say(UserRevoked(user, login))

    def forget(self, session: str) -> None:
        """The session is over here."""
        for user in [user for user, live in self._live.items() if live.session == session]:
            del self._live[user]

    async def _say(self, message: SessionAnnounced | UserRevoked) -> None:
        limits = self._server.limits
        sealed = self._server.sealer.seal(names.CONTROL, ANY_ID, _encoder.encode(message))
        replies = await self._server.main.call(
            ("XADD", names.CONTROL, "MAXLEN", "~", limits.control_entries, "*", self._mark, sealed),
            ("PEXPIRE", names.CONTROL, limits.control_ttl_ms),
        )
        for reply in replies:
            checked(reply)

    def _hear(self, raws: Sequence[RawEntry]) -> None:
        for raw in raws:
            try:
                opened = self._server.sealer.unseal(names.CONTROL, ANY_ID, entries.payload(raw))
                message = _decoder.decode(opened)
            except (MessageError, msgspec.MsgspecError) as error:
                log.error("unreadable_control_message", exc_info=error)
                continue
            if isinstance(message, UserRevoked):
                self._on_revoked(message.user, message.login)
            else:
                self._announced(message)

    def _announced(self, message: SessionAnnounced) -> None:
        live = self._live.get(message.user)
        if live is None:
            return
        if (live.session, live.gateway) == (message.session, message.gateway):
            live.heard = True
        elif live.heard:
            del self._live[message.user]
            gone = self._on_moved if live.session == message.session else self._on_replaced
            gone(live.session)
