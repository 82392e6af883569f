"""Cursors: what comes back from a client is ours or nothing."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.errors import RequestInvalid
from silvertalk.paging import Cursor

ROW = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@given(st.datetimes(timezones=st.just(UTC)), ROW)
def test_a_cursor_comes_back_as_it_went(at: datetime, row: str) -> None:
    assert Cursor.decode(Cursor(at, row).encode()) == Cursor(at, row)


@given(st.one_of(st.text(max_size=80), st.text(max_size=80).map(lambda text: encoded(text))))
def test_anything_else_is_a_bad_request(text: str) -> None:
    try:
        cursor = Cursor.decode(text)
    except RequestInvalid:
        return
    assert cursor.at.astimezone(UTC)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-01-01T00:00:00"])
def test_a_moment_that_no_database_takes_is_refused_at_the_door(moment: str) -> None:
    with pytest.raises(RequestInvalid):
        Cursor.decode(encoded(f"{moment} row"))
