"""One Redis server as this process sees it: its address, its connections, what runs on them.

Three connections at most: one for everything that is written or asked, one blocked in the read of followed streams, one
blocked in the group read of a node's claims; the last two are dialled when first needed. The server is examined on
every connection: one that may evict keys would drop living turns, and is refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.exceptions import ResponseError

from streaming.bus import names
from streaming.bus.faults import checked
from streaming.bus.follower import Follower
from streaming.bus.limits import Limits
from streaming.bus.link import Command, Link, Reply
from streaming.bus.seal import Sealer
from streaming.bus.waking import Bell
from streaming.errors import BusError, BusUnavailable
from streaming.logs import logger

log = logger("bus.server")

Result = TypeVar("Result")

_URL_OPTIONS = frozenset({"db", "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"})
_REQUIRED = frozenset({"required", "cert_required"})


class Address:
    """A Redis URL, read once. `name` is the URL without its credentials: fit for logs, and what sessions are spread by,
    so it has to be spelled alike in every process. Raises BusError for a URL that cannot or must not be used."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            options: dict[str, Any] = dict(parse_url(url))
            self.name = self._name(url)
        except ValueError as error:
            raise BusError(f"not a Redis URL (redis://, rediss:// or unix://): {error}") from None
        self._connection: type[AbstractConnection] = options.pop("connection_class", Connection)
        self.local = parts.scheme == "unix" or _is_loopback(parts.hostname or "localhost")
        given = {item.partition("=")[0] for item in parts.query.split("&") if item}
        unknown = sorted(given - _URL_OPTIONS)
        if unknown:
            raise BusError(f"{self.name}: the bus takes no option {', '.join(unknown)} in its URL")
        if self._connection is SSLConnection:
            if str(options.pop("ssl_cert_reqs", "required")).lower() not in _REQUIRED:
                raise BusError(
                    f"{self.name}: ssl_cert_reqs must be 'required', or the certificate is not checked at all"
                )
            options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        self._options = options

    @staticmethod
    def _name(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return f"unix://{unquote(parts.path)}"
        return f"{parts.scheme}://{parts.hostname or 'localhost'}:{parts.port or 6379}{parts.path.rstrip('/')}"

    def dial(self, client_name: str, connect_seconds: float) -> AbstractConnection:
        """A connection, not yet connected: without retries, without a socket timeout, RESP2."""
        return self._connection(
            **self._options,
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=connect_seconds,
            client_name=client_name,
        )


class Server:
    """The connections to one server and the tasks that run on them. `name` is this process's name on the bus."""

    def __init__(self, address: Address, *, name: str, sealer: Sealer, limits: Limits) -> None:
        self.name = address.name
        self.process = names.label(f"{name}.{secrets.token_hex(4)}")
        self.sealer = sealer
        self.limits = limits
        self._address = address
        self._client_name = names.label(f"silvertalk.{name}")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._promised: set[asyncio.Task[Any]] = set()
        self._links: list[Link] = []
        self.crash: BaseException | None = None
        self.main = self._link("main", limits.reply_seconds, greet=self._examine)
        self._follower: Follower | None = None

    # --- connections -------------------------------------------------------------------------------------------------

    def _link(self, purpose: str, reply_seconds: float, *, greet: Any = None) -> Link:
        limits = self.limits

        def dial() -> AbstractConnection:
            return self._address.dial(self._client_name, limits.connect_seconds)

        name = f"bus {self.name} {purpose}"
        link = Link(dial, name=name, limits=limits, reply_seconds=reply_seconds, greet=greet)
        self._links.append(link)
        self.spawn(link.run(), name)
        return link

    def blocking_link(self, purpose: str) -> Link:
        """A connection of its own for a blocking read; its replies may take the whole block."""
        return self._link(purpose, self.limits.block_ms / 1000 + self.limits.reply_seconds)

    @property
    def follower(self) -> Follower:
        if self._follower is None:
            bell = Bell(names.wake(f"{self.process}.follow"), self.main, self.limits)
            reading = self.blocking_link("following")
            self._follower = Follower(reading, self.main, bell=bell, sealer=self.sealer, limits=self.limits)
            self.spawn(self._follower.run(), f"bus {self.name} follower")
        return self._follower

    def unfollow(self, key: str) -> None:
        """As `Follower.unfollow`, where anything was ever followed."""
        if self._follower is not None:
            self._follower.unfollow(key)

    async def _examine(self, connection: AbstractConnection) -> None:
        """Refuse a server that would evict keys; where neither INFO nor CONFIG may be asked, believe the best."""
        policy = ""
        for command in (("INFO", "memory"), ("CONFIG", "GET", "maxmemory-policy")):
            await connection.send_command(*command, check_health=False)
            try:
                reply = await connection.read_response()
            except ResponseError:
                continue
            text = b"\n".join(reply) if isinstance(reply, list) else bytes(reply)
            _, _, after = text.partition(b"maxmemory_policy:" if command[0] == "INFO" else b"maxmemory-policy\n")
            policy = after.split(b"\r")[0].split(b"\n")[0].decode("ascii", "replace")
            if policy:
                break
        if policy and policy != "noeviction":
            raise BusError(
                f"{self.name} evicts keys when memory is short (maxmemory-policy {policy}): set it to noeviction"
            )

    # --- tasks -------------------------------------------------------------------------------------------------------

    def spawn(self, work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
        """Run `work` as a task of this server's, ended with it; an exception nobody took is kept in `crash`."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def see_through(
        self, work: Coroutine[Any, Any, Result], name: str, *, undo: Callable[[Result], None] | None = None
    ) -> Result:
        """The result of `work`, which is done to its end though the caller be cancelled; then `undo` gets the result.

        Raises BusUnavailable where the bus is closed meanwhile.
        """
        task = self._promise(work, name)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise BusUnavailable(f"the bus was closed during: {name}") from None
            if undo is not None:
                task.add_done_callback(lambda done: _undo(done, undo))
            raise

    def promise(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Do `work` to its end, with nobody waiting for it."""
        self._promise(work, name)

    def _promise(self, work: Coroutine[Any, Any, Result], name: str) -> asyncio.Task[Result]:
        task = self.spawn(work, name)
        self._promised.add(task)
        task.add_done_callback(self._promised.discard)
        return task

    async def insist(self, *commands: Command) -> list[Reply]:
        """Run `commands`, each of which may be run twice, as often as it takes until Redis has answered them all;
        returns the replies, or nothing where Redis refused one of them."""
        while True:
            try:
                return [checked(reply) for reply in await self.main.call(*commands)]
            except BusUnavailable:
                await asyncio.sleep(self.limits.retry_seconds)
                await self.main.up.wait()
            except BusError as error:
                log.warning("redis_refused", server=self.name, exc_info=error)
                return []

    async def examined(self) -> None:
        """Wait for the first attempt to connect; raises BusError where the server was found unfit for the bus. A server
        that cannot be reached is not examined now, but before anything is asked of it."""
        try:
            async with asyncio.timeout(self.limits.patience_seconds):
                await self.main.tried.wait()
        except TimeoutError:
            return
        if self.main.refusal is not None:
            raise self.main.refusal

    async def is_back(self) -> bool:
        """There is a connection, or there is one again before patience ends."""
        try:
            async with asyncio.timeout(self.limits.patience_seconds):
                await self.main.up.wait()
        except TimeoutError:
            return False
        return True

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, BusError):
            self.crash = self.crash or error
            log.error("task_crashed", name=task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Finish what was promised, for as long as one would wait at the door, then end all tasks and connections."""
        if self._promised and self.main.up.is_set():
            await asyncio.wait(self._promised, timeout=self.limits.patience_seconds)
        for link in self._links:
            link.close()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _undo(done: asyncio.Task[Result], undo: Callable[[Result], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        undo(done.result())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
