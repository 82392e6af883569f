"""What was answered to whom, kept for a day: so that a request that is sent twice is carried out once.

A place in Redis for each person's key, sealed like everything there. It holds a mark while the request is carried out,
then its answer. The names of the places are keyed hashes, so that nobody can be read out of them, and begin alike for
one person, so that all of theirs can be deleted.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from silvertalk.errors import AnswerNotKept, KeyReused, StillAnswering
from silvertalk.keys import derived_key
from streaming.bus import Bus
from streaming.errors import BusError
from streaming.logs import logger

log = logger("kept_answers")

KEPT_SECONDS = 24 * 3600
MARK_SECONDS = 180
"""A request whose process died is asked anew after this; no request takes as long."""


class Kept(msgspec.Struct, frozen=True):
    """What stands in Redis for a key."""

    request: bytes
    """SHA-256 of the request."""
    state: Literal["begun", "done", "not_kept"]
    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


class Known(NamedTuple):
    """The request at hand."""

    name: str
    """Of its place in Redis."""
    request: bytes


class Answers:
    """The kept answers of all gateways."""

    def __init__(self, bus: Bus, secret: bytes) -> None:
        self._values = bus.values
        self._key = derived_key(secret, "idempotency")

    def known(self, user: str, key: str, request: bytes) -> Known:
        return Known(f"{self.prefix(user)}{sha256(key.encode()).hexdigest()[:32]}", request)

    def prefix(self, user: str) -> str:
        """What the names of all of one person's answers begin with."""
        return f"answer:{hmac.digest(self._key, user.encode(), sha256).hex()[:32]}:"

    async def begin(self, known: Known) -> Kept | None:
        """None: carry it out. Otherwise what is kept of it.

        Raises KeyReused, StillAnswering, AnswerNotKept, BusError.
        """
        mark = msgspec.msgpack.encode(Kept(known.request, "begun"))
        for _ in range(2):  # what is found may be gone before it is read
            if await self._values.put_new(known.name, mark, MARK_SECONDS):
                return None
            if (found := await self._values.get(known.name)) is not None:
                return self._usable(known, msgspec.msgpack.decode(found, type=Kept))
        raise StillAnswering

    def _usable(self, known: Known, kept: Kept) -> Kept:
        if not hmac.compare_digest(kept.request, known.request):
            raise KeyReused
        if kept.state == "begun":
            raise StillAnswering
        if kept.state == "not_kept":
            raise AnswerNotKept
        return kept

    async def keep(self, known: Known, kept: Kept) -> None:
        """In place of the mark: where that is gone, since everything of the person's was deleted meanwhile, nothing is
        kept. Never fails: an answer that cannot be kept is given all the same."""
        try:
            await self._values.put_known(known.name, msgspec.msgpack.encode(kept), KEPT_SECONDS)
        except BusError:
            log.warning("answer_not_kept")

    async def forget(self, known: Known) -> None:
        with suppress(BusError):  # the mark is gone by itself, a little later
            await self._values.remove(known.name)
