import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.errors import GuestRefused
from silvertalk.guests import GuestIds
from silvertalk.tokens import is_user_id

SECRET = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
GUESTS = GuestIds(SECRET)


def test_a_guest_id_is_taken_back_and_stands_for_the_same_user() -> None:
    guest_id = GUESTS.new()
    user = GUESTS.user_of(guest_id)
    assert is_user_id(user)
    assert GuestIds(SECRET).user_of(guest_id) == user
    assert GUESTS.new() != guest_id


@given(st.text())
def test_any_text_is_no_guest_id(text: str) -> None:
    with pytest.raises(GuestRefused):
        GUESTS.user_of(text)


def test_neither_part_can_be_changed() -> None:
    user, _, code = GUESTS.new().partition(".")
    for forged in (
        user,
        f"{user}.",
        f"{user}.{code[:-1]}",
        f"{user}.{code}=",
        f"{uuid.uuid4()}.{code}",
        f"{user.upper()}.{code}",
    ):
        with pytest.raises(GuestRefused):
            GUESTS.user_of(forged)
    with pytest.raises(GuestRefused):
        GuestIds(SECRET + b"!").user_of(f"{user}.{code}")
