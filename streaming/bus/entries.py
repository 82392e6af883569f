"""How a message stands in a stream entry, and how ids are read.

An entry has one field: its name is the mark of the writer that wrote it, its value the message's bytes (sealed, on a
bus outside the machine). Redis stores a field name that repeats from entry to entry only once, so the mark costs
nothing; it tells a writer whose reply was lost whether the entry at the top of the stream is its own. An empty value
is a marker: it takes an id and says nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from streaming.bus.seal import ANY_ID, Sealer
from streaming.errors import MessageError
from streaming.messages import AnyMessage, decode

RawEntry = Sequence[Any]
"""What Redis replies for an entry: `[id, [field, value, ...]]`, in bytes."""

Entry = tuple[str, AnyMessage]

Id = tuple[int, int]
"""(term, sequence)"""


def new_mark() -> str:
    return secrets.token_urlsafe(6)


def parse_id(text: str) -> Id:
    """'7-12' -> (7, 12); raises ValueError."""
    term, _, sequence = text.partition("-")
    return int(term), int(sequence)


def entry_id(raw: RawEntry) -> str:
    return bytes(raw[0]).decode("ascii")


def mark_of(raw: RawEntry) -> str:
    fields = raw[1]
    return bytes(fields[0]).decode("latin-1") if fields else ""


def payload(raw: RawEntry) -> bytes:
    """The entry's bytes as stored; empty for a marker."""
    fields = raw[1]
    return bytes(fields[1]) if fields else b""


def read(key: str, raws: Sequence[RawEntry], sealer: Sealer) -> list[Entry]:
    """The messages of `raws` in order, markers left out; raises MessageError at the first that cannot be read."""
    found: list[Entry] = []
    for raw in raws:
        sealed = payload(raw)
        if not sealed:
            continue
        at = entry_id(raw)
        try:
            found.append((at, decode(sealer.unseal(key, at, sealed))))
        except MessageError as error:
            raise MessageError(f"{key} {at}: {error}") from error
    return found


def read_any_id(key: str, raw: RawEntry, sealer: Sealer) -> AnyMessage:
    """The message of an entry whose id Redis chose; raises MessageError."""
    return decode(sealer.unseal(key, ANY_ID, payload(raw)))
