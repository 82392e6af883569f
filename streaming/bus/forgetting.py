"""Forgetting: what somebody left on the servers is gone before its time, since they asked for that.

Names of sessions are random, so who had one is asked of its journal. Looking walks all keys of ours (SCAN, which holds
nobody up); it is done once for a person who leaves for good.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from streaming.bus import entries, names
from streaming.bus.faults import checked
from streaming.bus.journal import Journal
from streaming.bus.server import Server
from streaming.errors import MessageError
from streaming.messages import SessionOpened

if TYPE_CHECKING:
    from streaming.bus import Bus

_COUNT = 1_000
_AT_ONCE = 256
"""Commands in one round trip, so that a long list does not hold up people who talk."""
_OF_A_TURN = ("up", "down", "lease")
FORGETTER = "forgetter"


async def sessions_of(bus: Bus, user: str) -> set[str]:
    """The sessions of this person whose journals are still here. Raises BusUnavailable."""
    found: set[str] = set()
    for server in bus.servers:
        journals = [key async for key in _keys(server, "journal")]
        for at in range(0, len(journals), _AT_ONCE):
            page = journals[at : at + _AT_ONCE]
            replies = await server.main.call(*(("XRANGE", key, "-", "+", "COUNT", 3) for key in page))
            for key, reply in zip(page, replies, strict=True):
                if not isinstance(reply, RedisError) and _whose(server, key, reply) == user:
                    found.add(key.rpartition(":")[2])
    return found


async def forget_sessions(bus: Bus, sessions: Collection[str]) -> int:
    """Delete what is left of these sessions; how many keys there were. Raises BusUnavailable.

    Of a journal the mark of a new owner stays for its short life: with it Redis refuses whatever the gateway that had
    the session still writes, which so learns that it is over.
    """
    theirs = {session for session in sessions if _can_have_keys(session)}
    for session in theirs:
        server = bus.server_for(session)
        if await server.main.ask("EXISTS", names.journal(session)):
            await _fence(bus, server, session)
    gone = len(theirs)
    for server in bus.servers:
        for kind in _OF_A_TURN:
            keys = [key async for key in _keys(server, kind) if key.split(":")[2] in theirs]
            gone += await _delete(server, keys)
    return gone


async def forget_values(bus: Bus, prefixes: Sequence[str]) -> int:
    """Delete the values (`bus.values`) whose keys begin so; how many there were. Raises BusUnavailable."""
    wanted = tuple(names.value(prefix) for prefix in prefixes)
    return sum(
        [
            await _delete(server, [key async for key in _keys(server, "value") if key.startswith(wanted)])
            for server in bus.servers
        ]
    )


async def value_keys(bus: Bus, prefix: str) -> AsyncIterator[str]:
    """The keys of the values that begin so, in no order; one may come twice. Raises BusUnavailable."""
    wanted, root = names.value(prefix), len(names.value(prefix)) - len(prefix)
    for server in bus.servers:
        async for key in _keys(server, "value"):
            if key.startswith(wanted):
                yield key[root:]


async def _fence(bus: Bus, server: Server, session: str) -> None:
    """Empty the journal, then own it: what it says need not be readable, and its last id outlasts its entries."""
    key = names.journal(session)
    top = await server.main.ask("XREVRANGE", key, "+", "-", "COUNT", 1)
    epoch = entries.parse_id(entries.entry_id(top[0]))[0] if top else 0
    await server.main.ask("XTRIM", key, "MAXLEN", 0)
    journal = await Journal.own(bus, session, gateway=FORGETTER, above=epoch)
    for reply in await server.main.call(
        ("XTRIM", key, "MINID", f"{journal.epoch}-0"), ("PEXPIRE", key, server.limits.closed_ttl_ms)
    ):
        checked(reply)
    await journal.close()


async def _keys(server: Server, kind: str) -> AsyncIterator[str]:
    cursor = b"0"
    while True:
        cursor, page = await server.main.ask("SCAN", cursor, "MATCH", f"{names.PREFIX}{kind}:*", "COUNT", _COUNT)
        for key in page:
            yield bytes(key).decode("ascii", "replace")
        if bytes(cursor) == b"0":
            return


async def _delete(server: Server, keys: Sequence[str]) -> int:
    gone = 0
    for at in range(0, len(keys), _AT_ONCE):
        gone += int(await server.main.ask("UNLINK", *keys[at : at + _AT_ONCE]))
    return gone


def _can_have_keys(session: str) -> bool:
    """A row from elsewhere may have an id of another shape."""
    try:
        return bool(names.session_id(session))
    except ValueError:
        return False


def _whose(server: Server, key: str, raws: Sequence[entries.RawEntry]) -> str:
    """The person of a journal; "" where its beginning does not say."""
    try:
        for _, message in entries.read(key, raws, server.sealer):
            if isinstance(message, SessionOpened):
                return message.user
    except MessageError:
        pass  # of another version of ours
    return ""
