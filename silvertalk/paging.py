"""Pages of a list that may change while somebody leafs through it: each ends with a cursor, from which the next begins.

A cursor is where the last row stands in the order (a moment, then the id, so that rows of one moment are not lost), not
how many rows came before: what is added or deleted meanwhile moves nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, and_, or_

from silvertalk.errors import RequestInvalid

MAX_PAGE = 100
MAX_CURSOR_CHARACTERS = 200

Row = TypeVar("Row")


class Page(NamedTuple, Generic[Row]):
    """Rows in order, and the cursor of the next page; None on the last."""

    rows: Sequence[Row]
    next_cursor: str | None


class Cursor(NamedTuple):
    """Where a page begins: after this row."""

    at: datetime
    id: str

    def encode(self) -> str:
        text = f"{self.at.isoformat()} {self.id}"
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Raises RequestInvalid for what is no cursor of ours."""
        try:
            if len(text) > MAX_CURSOR_CHARACTERS:
                raise ValueError
            moment, _, row = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
            at = datetime.fromisoformat(moment)
            at.astimezone(UTC)  # OverflowError at the ends of time, here rather than on its way to the database
            if at.tzinfo is None or not row or "\x00" in row:
                raise ValueError
        except (ValueError, binascii.Error, OverflowError):
            raise RequestInvalid(fields=(("query.cursor", "not a cursor of this list"),)) from None
        return cls(at, row)

    def before(self, at: Any, row_id: Any) -> ColumnElement[bool]:
        """The rows that follow it where the newest come first; both are columns."""
        return or_(at < self.at, and_(at == self.at, row_id < self.id))


def page_of(rows: Sequence[Row], limit: int, cursor: Callable[[Row], Cursor]) -> Page[Row]:
    """A page of `limit` rows out of as many and one more, which only tells that there is more."""
    kept = rows[:limit]
    return Page(kept, cursor(kept[-1]).encode() if len(rows) > limit else None)
