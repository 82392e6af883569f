"""Which gateway owns which session, as the consumer group of the sessions stream knows it.

A session is one entry, pending with the process that owns it. Owners renew all of theirs in one call; an entry that
nobody renewed belongs to a gateway that died, and another takes it to finalise the session from its journal. Nothing
is ever read from this group with XREADGROUP: an entry is put into its owner's hands as it is made.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.exceptions import RedisError

from streaming.bus import entries, names, scripts
from streaming.bus.faults import checked, fault, is_no_group
from streaming.bus.link import Command
from streaming.bus.server import Server

_RENEW_AT_ONCE = 256
"""Ids in one script call, so that a gateway full of sessions does not hold Redis up for milliseconds."""

_LOOK_COUNT = 64


class Sessions:
    """The sessions of one server that this process owns."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._consumer = server.process
        # Bounded by the sessions a gateway admits.
        self._held: dict[str, str] = {}
        self._holders: dict[str, object] = {}
        self._touch_at: dict[str, float] = {}

    # --- owning ------------------------------------------------------------------------------------------------------

    async def entry_of(self, session: str) -> str:
        """The id of the session's entry; "" if it has none."""
        value = await self._server.main.ask("GET", names.owner(session))
        return bytes(value).decode().partition(" ")[0] if value else ""

    async def adopt(self, session: str) -> str:
        """Make an entry for the session, pending with us from the start; returns its id."""
        made = await self._server.main.ask(
            "EVAL", scripts.ADOPT, 1, names.SESSIONS, names.GATEWAYS, self._consumer, "session", session
        )
        return bytes(made).decode()

    async def take(self, entry_id: str) -> bool:
        """Move an entry to us, whoever holds it; False if it exists no more."""
        reply = await self._ask_raw(
            ("XCLAIM", names.SESSIONS, names.GATEWAYS, self._consumer, 0, entry_id, "FORCE", "JUSTID")
        )
        return not (isinstance(reply, RedisError) and is_no_group(reply)) and bool(checked(reply))

    def hold(self, session: str, entry_id: str, holder: object) -> None:
        """The session is ours from now on: it is renewed until its `holder` says `let_go` or `release`.

        A later holder may be of this process too: what an earlier one lets go of is not the session any more.
        """
        self._held[session] = entry_id
        self._holders[session] = holder
        self._touch_at[session] = self._now() + self._server.limits.journal_ttl_ms / 4000

    def let_go(self, session: str, holder: object) -> None:
        """Renew no more: if nobody else takes the session, it becomes an orphan."""
        if self._holders.get(session) is holder:
            self._forget(session)

    def _forget(self, session: str) -> None:
        self._held.pop(session, None)
        self._holders.pop(session, None)
        self._touch_at.pop(session, None)

    async def release(self, session: str, holder: object) -> None:
        """The session is over: delete its entry, if it is still ours."""
        entry_id = self._held.get(session) if self._holders.get(session) is holder else None
        self.let_go(session, holder)
        if entry_id is not None:
            await self._server.insist(
                (
                    "EVAL", scripts.RELEASE, 2, names.SESSIONS, names.owner(session),
                    names.GATEWAYS, self._consumer, entry_id,
                )
            )  # fmt: skip

    # --- living and dead ---------------------------------------------------------------------------------------------

    async def renew(self) -> list[str]:
        """Say that we live; returns the sessions that are ours no more (taken over, or lost with Redis).

        Also prolongs the life of journals nobody has written to for a while.
        """
        held = list(self._held.items())
        kept: set[str] = set()
        for at in range(0, len(held), _RENEW_AT_ONCE):
            ids = [entry_id for _, entry_id in held[at : at + _RENEW_AT_ONCE]]
            reply = await self._ask_raw(
                ("EVAL", scripts.RENEW, 1, names.SESSIONS, names.GATEWAYS, self._consumer, *ids)
            )
            if isinstance(reply, RedisError):
                if not is_no_group(reply):
                    raise fault(reply)
                reply = []
            kept.update(bytes(entry_id).decode() for entry_id in reply)
        await self._touch([session for session, entry_id in held if entry_id in kept])
        lost = [session for session, entry_id in held if entry_id not in kept and self._held.get(session) == entry_id]
        for session in lost:
            self._forget(session)
        return lost

    async def orphans(self, min_idle_ms: int) -> list[str]:
        """Sessions nobody has renewed for so long, now ours to finalise: own their journal, write what is missing,
        close.

        Two gateways never get the same one at the same time.
        """
        pending = await self._ask_raw(
            ("XPENDING", names.SESSIONS, names.GATEWAYS, "IDLE", min_idle_ms, "-", "+", _LOOK_COUNT)
        )
        if isinstance(pending, RedisError):
            if is_no_group(pending):
                return []
            raise fault(pending)
        found: list[str] = []
        for raw_id, _, _, _ in pending:
            claimed = await self._server.main.ask(
                "XCLAIM", names.SESSIONS, names.GATEWAYS, self._consumer, min_idle_ms, raw_id
            )
            for raw in claimed:
                if raw is not None and (session := await self._orphan(raw)):
                    found.append(session)
        return found

    async def _orphan(self, raw: entries.RawEntry) -> str:
        """The session of a claimed entry, or "" for an entry left behind by a take-over that went wrong."""
        entry_id = entries.entry_id(raw)
        session = names.session_id(entries.payload(raw).decode("ascii", "replace"))
        if await self.entry_of(session) in ("", entry_id):
            return session
        await self._server.insist(
            ("EVAL", scripts.RELEASE, 1, names.SESSIONS, names.GATEWAYS, self._consumer, entry_id)
        )
        return ""

    # --- commands ----------------------------------------------------------------------------------------------------

    async def _touch(self, sessions: list[str]) -> None:
        now = self._now()
        ttl = self._server.limits.journal_ttl_ms
        due = [session for session in sessions if self._touch_at.get(session, now + 1) <= now]
        if not due:
            return
        for reply in await self._server.main.call(
            *(("PEXPIRE", key(session), ttl) for session in due for key in (names.journal, names.owner))
        ):
            checked(reply)
        self._touch_at.update((session, now + ttl / 4000) for session in due if session in self._held)

    async def _ask_raw(self, command: Command) -> Any:
        return (await self._server.main.call(command))[0]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
