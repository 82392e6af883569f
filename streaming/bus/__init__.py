"""The bus: Redis Streams between gateways and nodes.

The only part of `streaming` that does I/O. See `Bus` for the whole, and

    turns      the gateway's side of a turn           writer     the one writer of a fenced stream
    claims     the node's side of turns               follower   one blocking read over many streams
    desk       claiming at one server                 server     one Redis server and its connections
    leases     what a node holds there                link       one connection shared by everybody
    journal    a session's journal and its owner      entries    how a message stands in a stream
    sessions   which gateway owns which session       seal       encryption of what crosses the network
    control    what every gateway must hear           waking     ending a blocked read
    names      every key                              limits     every number
    scripts    what is looked at and changed at once  faults     Redis's errors as ours
    values     small values that several share        forgetting what somebody left is gone
    notices    what a person's devices are told       errands    what is asked of nodes beside the turns
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b

from streaming.bus import names
from streaming.bus.claims import Claims
from streaming.bus.control import Control
from streaming.bus.entries import Entry
from streaming.bus.errands import Errands
from streaming.bus.follower import Follower
from streaming.bus.journal import Journal
from streaming.bus.leases import NOBODY, ClaimedTurn
from streaming.bus.limits import Limits
from streaming.bus.notices import NoticeStreams
from streaming.bus.seal import ANY_ID, Sealer
from streaming.bus.server import Address, Server
from streaming.bus.sessions import Sessions
from streaming.bus.turns import OpenTurn, Turns
from streaming.bus.values import Values
from streaming.bus.writer import StreamWriter
from streaming.errors import BusError, BusUnavailable

__all__ = [
    "Bus",
    "ClaimedTurn",
    "Claims",
    "Entry",
    "Errands",
    "Follower",
    "Journal",
    "Limits",
    "NoticeStreams",
    "OpenTurn",
    "StreamWriter",
    "Turns",
    "Values",
]


class Bus:
    """One process's part in the bus, over a list of Redis servers; a session lives on one of them.

    `on_replaced(session)` is called when a newer session of the same person was announced anywhere, `on_moved(session)`
    when another gateway announced this very session, `on_revoked(user, login)` when a person's tokens were revoked
    (those of one login, or with an empty `login` all); set them before announcing or listening.
    """

    def __init__(self, servers: Sequence[Server], name: str) -> None:
        self._servers = list(servers)
        self._name = name
        self._sessions: dict[str, Sessions] = {}
        self._controls: dict[str, Control] = {}
        self.on_replaced: Callable[[str], None] = _nobody
        self.on_moved: Callable[[str], None] = _nobody
        self.on_revoked: Callable[[str, str], None] = _nobody

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        urls: Sequence[str],
        *,
        name: str,
        key: str | None = None,
        lease_ms: int | None = None,
        limits: Limits | None = None,
    ) -> AsyncIterator[Bus]:
        """The bus for as long as the block runs.

        `urls`: redis://, rediss:// or unix://, spelled alike in every process, since sessions are spread by them.
        `name`: this process's, for logs and lists. `key`: base64 of 32 bytes, needed unless every server is on this
        machine. Servers that are away are waited for in the background. Raises BusError for a URL or key that must
        not be used and for a server that evicts keys.
        """
        numbers = limits or Limits()
        if lease_ms is not None:
            numbers = replace(numbers, lease_ms=lease_ms)
        sealer = Sealer.from_base64(key)
        addresses = [Address(url) for url in urls]
        if not addresses:
            raise BusError("the bus needs at least one Redis URL")
        if len({address.name for address in addresses}) < len(addresses):
            raise BusError("a Redis server is named twice")
        for address in addresses:
            if not address.local and not sealer.sealing:
                raise BusError(f"{address.name} is not on this machine: set BUS_KEY (base64 of 32 random bytes)")
        servers = [Server(address, name=name, sealer=sealer, limits=numbers) for address in addresses]
        bus = cls(servers, name)
        try:
            for server in servers:
                await server.examined()
            yield bus
        finally:
            await bus._close()

    async def _close(self) -> None:
        for claims in ("claims", "errand_claims"):
            if claims in self.__dict__:
                await getattr(self, claims).close()
        for server in self._servers:
            await server.close()
        for server in self._servers:
            if server.crash is not None:
                raise server.crash

    @property
    def servers(self) -> Sequence[Server]:
        return self._servers

    # --- parts -------------------------------------------------------------------------------------------------------

    def server_for(self, session: str) -> Server:
        """Where the session lives: the server with the highest hash of (server, session), so that a server added or
        removed moves only its own share."""
        return max(self._servers, key=lambda server: _weight(server.name, session))

    def turns(self, session: str) -> Turns:
        """A gateway's turns of `session`."""
        return Turns(self.server_for(names.session_id(session)), session)

    @cached_property
    def claims(self) -> Claims:
        """A node's claims, over all servers."""
        return Claims(self._servers)

    @cached_property
    def errand_claims(self) -> Claims:
        """A node's claims of errands, over all servers."""
        return Claims(self._servers, names.ERRANDS)

    @cached_property
    def errands(self) -> Errands:
        """What this process asks of the nodes."""
        return Errands(self.server_for)

    def sessions_on(self, server: Server) -> Sessions:
        if server.name not in self._sessions:
            self._sessions[server.name] = Sessions(server)
        return self._sessions[server.name]

    # --- ownership of sessions ---------------------------------------------------------------------------------------

    async def renew_sessions(self) -> list[str]:
        """Renew all sessions this gateway owns; returns those that are its own no more. To be called several times
        within the idle time after which others look for orphans."""
        return [session for sessions in self._sessions.values() for session in await sessions.renew()]

    async def orphans(self, min_idle_ms: int) -> list[str]:
        """Sessions of gateways that died, to be owned and finalised by the caller; see `Sessions.orphans`."""
        return [session for server in self._servers for session in await self.sessions_on(server).orphans(min_idle_ms)]

    # --- control -----------------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Hear what is announced, even before this gateway has a session of its own."""
        for server in self._servers:
            await self._control(server).listen()

    async def announce_session(self, user: str, session: str, gateway: str) -> None:
        """`session` is the person's only one from now on, and `gateway` has it: whoever has an older one hears
        `on_replaced`, whoever had this one `on_moved`."""
        await self._control(self.server_for(user)).announce(user, names.session_id(session), gateway)

    def forget_session(self, session: str) -> None:
        """The session has ended here: a newer one replaces nothing."""
        for control in self._controls.values():
            control.forget(session)

    async def announce_revocation(self, user: str, login: str = "") -> None:
        """Every gateway hears `on_revoked(user, login)`."""
        await self._control(self.server_for(user)).revoke(user, login)

    def _control(self, server: Server) -> Control:
        if server.name not in self._controls:
            self._controls[server.name] = Control(
                server,
                on_replaced=lambda session: self.on_replaced(session),
                on_moved=lambda session: self.on_moved(session),
                on_revoked=lambda user, login: self.on_revoked(user, login),
            )
        return self._controls[server.name]

    # --- values taken once -------------------------------------------------------------------------------------------

    async def put_once(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """Keep `value` for one taker, for so long."""
        server = self.server_for(key)
        name = names.once(key)
        await server.main.ask("SET", name, server.sealer.seal(name, ANY_ID, value), "EX", ttl_seconds)

    async def take_once(self, key: str) -> bytes | None:
        """The value, to the first who asks; None ever after. A reply that is lost has taken it (BusUnavailable)."""
        server = self.server_for(key)
        name = names.once(key)
        sealed = await server.main.ask("GETDEL", name)
        return None if sealed is None else server.sealer.unseal(name, ANY_ID, bytes(sealed))

    @cached_property
    def values(self) -> Values:
        """Small values that several processes share for a while."""
        return Values(self.server_for, self._servers)

    @cached_property
    def notices(self) -> NoticeStreams:
        """What a person's devices are told."""
        return NoticeStreams(self.server_for)

    async def reading(self, stream: str, group: str) -> int:
        """How many consumers of a group on the first server were seen within one blocking read."""
        return await _reading(self._servers[0], stream, group)

    # --- health ------------------------------------------------------------------------------------------------------

    async def ping(self) -> dict[str, bool]:
        """By server (its URL without credentials): does it answer?"""
        return {server.name: await _answers(server) for server in self._servers}

    async def warm_nodes(self) -> int:
        """How many nodes claim turns, at the server that has the fewest: a warm node claims from all of them.

        A node that was killed counts for as long as a blocking read might have lasted.
        """
        return min([await _claiming(server) for server in self._servers])


async def _claiming(server: Server) -> int:
    """A node without a free slot is seen by its renewals."""
    return await _reading(server, names.OFFERS, names.NODES)


async def _reading(server: Server, stream: str, group: str) -> int:
    """Consumers seen within one blocking read."""
    try:
        consumers = await server.main.ask("XINFO", "CONSUMERS", stream, group)
    except BusError:  # Nobody has come yet: no stream, no group.
        return 0
    facts = [dict(zip(row[::2], row[1::2], strict=True)) for row in consumers]
    seen_ms = server.limits.block_ms + 1000 * server.limits.reply_seconds
    return sum(int(each[b"idle"]) < seen_ms and each[b"name"] != NOBODY.encode() for each in facts)


async def _answers(server: Server) -> bool:
    try:
        return bool(await server.main.ask("PING", patience=server.limits.ping_seconds))
    except (BusError, BusUnavailable):
        return False


def _weight(server: str, session: str) -> bytes:
    return blake2b(f"{server}\n{session}".encode(), digest_size=8).digest()


def _nobody(*_: str) -> None:
    """Nobody has asked to hear."""
