"""Multipart bodies (RFC 7578) as they come in, a piece at a time: nothing of a file is kept here.

Starlette's own parser keeps files of a megabyte in memory and larger ones wherever temporary files lie, which in a
container is memory again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from silvertalk.errors import RequestInvalid

SLICE_BYTES = 64 * 1024
"""Parsed at a stretch; others have their turn in between, however much came at once."""
MAX_PARTS = 32
MAX_PART_HEADERS = 8
MAX_PART_HEADER_BYTES = 4096


class Part(NamedTuple):
    """A part begins. `filename` is empty for a field; whatever it says, it is the client's."""

    name: str
    filename: str
    content_type: str


class Piece(NamedTuple):
    """A piece of the part that began last."""

    data: bytes


class End(NamedTuple):
    """The part that began last is whole."""


Event = Part | Piece | End


async def read_multipart(content_type: str, body: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The parts of a body in their order. Raises RequestInvalid for what is not multipart, or ends in its middle."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise _not_multipart()
    events = _Events()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": events.begin,
            "on_header_field": events.header_name,
            "on_header_value": events.header_value,
            "on_header_end": events.header_end,
            "on_headers_finished": events.headers_end,
            "on_part_data": events.piece,
            "on_part_end": events.end,
            "on_end": events.all,
        },
    )
    try:
        async for chunk in body:
            for start in range(0, len(chunk), SLICE_BYTES):
                if start:
                    await asyncio.sleep(0)
                parser.write(chunk[start : start + SLICE_BYTES])
                for event in events.taken():
                    yield event
        parser.finalize()
    except FormParserError:
        raise _not_multipart() from None
    if not events.whole:
        raise _not_multipart()


class _Events:
    """What the parser has found in the slice it was given; bounded by that slice. Bytes that follow each other are one
    piece, as the parser breaks them wherever a boundary might have begun."""

    def __init__(self) -> None:
        self.whole = False
        self._found: list[Event] = []
        self._data = bytearray()
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._header_count = 0
        self._header_bytes = 0
        self._name = bytearray()
        self._value = bytearray()

    def taken(self) -> list[Event]:
        self._gather()
        found, self._found = self._found, []
        return found

    def begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _not_multipart()
        self._headers, self._header_count, self._header_bytes = {}, 0, 0

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def header_end(self) -> None:
        self._header_count += 1
        if self._header_count > MAX_PART_HEADERS:
            raise _not_multipart()
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise _not_multipart()
        self._found.append(
            Part(
                name.decode("utf-8", "replace"),
                options.get(b"filename", b"").decode("utf-8", "replace"),
                self._headers.get(b"content-type", b"").decode("ascii", "replace").strip().lower(),
            )
        )

    def piece(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def end(self) -> None:
        self._gather()
        self._found.append(End())

    def all(self) -> None:
        self.whole = True

    def _gather(self) -> None:
        if self._data:
            self._found.append(Piece(bytes(self._data)))
            self._data.clear()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_PART_HEADER_BYTES:
            raise _not_multipart()


def _not_multipart() -> RequestInvalid:
    return RequestInvalid(fields=(("body", "not a whole multipart/form-data body"),))
