"""How a list is asked for and continued, on every route that gives one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Response

from silvertalk.paging import MAX_CURSOR_CHARACTERS, MAX_PAGE, Cursor, Page

NEXT_CURSOR = "X-Next-Cursor"
USUAL_PAGE = 50

Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="how many at most")]


def _after(
    cursor: Annotated[
        str | None, Query(max_length=MAX_CURSOR_CHARACTERS, description=f"from the last page's `{NEXT_CURSOR}`")
    ] = None,
) -> Cursor | None:
    """Raises RequestInvalid for what is no cursor of ours."""
    return None if cursor is None else Cursor.decode(cursor)


After = Annotated[Cursor | None, Depends(_after)]


def tell_next(response: Response, page: Page[Any]) -> None:
    """A bare list says in a header where its next page begins."""
    if page.next_cursor is not None:
        response.headers[NEXT_CURSOR] = page.next_cursor


CONTINUED: dict[str, Any] = {
    NEXT_CURSOR: {"description": "the next page's `cursor`; absent on the last", "schema": {"type": "string"}}
}
