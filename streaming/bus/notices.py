"""What a person's devices are told: a short stream of their own, on the server that their id hashes to.

Redis chooses the ids, so later ones are greater, also after it lost everything. The stream keeps what a device may have
missed, up to a bound and for a day; who was away for longer is told so. What an entry says is the caller's: bytes,
sealed like everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from streaming.bus import entries, names
from streaming.bus.entries import RawEntry
from streaming.bus.faults import checked
from streaming.bus.link import Command
from streaming.bus.seal import ANY_ID
from streaming.bus.server import Server
from streaming.errors import MessageError

NOTHING_YET = "0-0"
"""The id before every notice."""


class Told(NamedTuple):
    """One notice as it stands in the stream."""

    id: str
    data: bytes


class NoticeStreams:
    """All methods that ask raise BusUnavailable, or BusFull, while that server cannot be asked."""

    def __init__(self, server_for: Callable[[str], Server]) -> None:
        self._server_for = server_for
        self._mark = entries.new_mark()

    async def publish(self, user: str, notices: Sequence[bytes]) -> None:
        """Add these, in order. A lost reply may have added them."""
        server, key = self._server_for(user), names.notices(user)
        limits = server.limits
        commands: list[Command] = [
            ("XADD", key, "MAXLEN", limits.notice_entries, "*", self._mark, server.sealer.seal(key, ANY_ID, data))
            for data in notices
        ]
        for reply in await server.main.call(*commands, ("PEXPIRE", key, limits.notice_ttl_ms)):
            checked(reply)

    async def top(self, user: str) -> str:
        """The id of the newest notice; `NOTHING_YET` where there is none."""
        found = await self._server_for(user).main.ask("XREVRANGE", names.notices(user), "+", "-", "COUNT", 1)
        return entries.entry_id(found[0]) if found else NOTHING_YET

    async def after(self, user: str, last: str) -> list[Told] | None:
        """What came after the notice `last`, oldest first. None where `last` is not known (any more), so that nobody
        knows what came after it. Raises ValueError for what is no id."""
        term, sequence = entries.parse_id(last)
        if not (0 <= term < 2**63 and 0 <= sequence < 2**63):
            raise ValueError(f"not an id: {last[:64]!r}")
        server, key = self._server_for(user), names.notices(user)
        since = f"{term}-{sequence}"
        known, found = await server.main.call(("XRANGE", key, since, since), ("XRANGE", key, f"({since}", "+"))
        raws = checked(found)
        if not checked(known) and not (since == NOTHING_YET and len(raws) < server.limits.notice_entries):
            return None
        return _read(server, key, raws)

    def follow(self, user: str, last: str, deliver: Callable[[Sequence[Told]], None]) -> None:
        """Give everything after `last` to `deliver` as it comes, on the loop. One follower a person and process."""
        server, key = self._server_for(user), names.notices(user)
        server.follower.follow_raw(key, lambda raws: deliver(_read(server, key, raws)), after=last, must_exist=False)

    def unfollow(self, user: str) -> None:
        self._server_for(user).unfollow(names.notices(user))

    async def forget(self, user: str) -> None:
        """Delete what the person was told."""
        await self._server_for(user).main.ask("DEL", names.notices(user))


def _read(server: Server, key: str, raws: Sequence[RawEntry]) -> list[Told]:
    """What can be read of these: a notice of another version of ours, or of another key, is left out."""
    read: list[Told] = []
    for raw in raws:
        try:
            read.append(Told(entries.entry_id(raw), server.sealer.unseal(key, ANY_ID, entries.payload(raw))))
        except MessageError:
            continue
    return read
