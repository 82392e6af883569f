"""Which bytes of an object a request wants: one range of them, or all (RFC 9110, section 14). Pure."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


class Extent(NamedTuple):
    """From `start` to before `end`, of an object of `size` bytes; `status` is the answer's."""

    status: HTTPStatus
    start: int
    end: int
    size: int

    @property
    def headers(self) -> dict[str, str]:
        told = {"Accept-Ranges": "bytes", "Content-Length": str(self.end - self.start)}
        if self.status is HTTPStatus.PARTIAL_CONTENT:
            told["Content-Range"] = f"bytes {self.start}-{self.end - 1}/{self.size}"
        elif self.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            told["Content-Range"] = f"bytes */{self.size}"
        return told


def extent_of(asked: str, size: int) -> Extent:
    """What the Range header `asked` says of an object of `size` bytes. Several ranges at once get the whole, as the RFC
    allows."""
    whole = Extent(HTTPStatus.OK, 0, size, size)
    match = _RANGE.fullmatch(asked)
    if match is None or match.groups() == ("", ""):
        return whole
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if first and last and int(last) < start:
        return whole  # not a range at all
    if start >= size or start >= end:
        return Extent(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, 0, size)
    return Extent(HTTPStatus.PARTIAL_CONTENT, start, end, size)
