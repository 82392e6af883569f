"""Keys, and what may not become part of one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.bus import names

SESSION = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    "session",
    ["", SESSION[:-1], SESSION + "0", SESSION.upper(), SESSION[:-1] + "*", SESSION + "\n", SESSION[:-1] + "٣"],
)
def test_only_32_hex_characters_are_a_session(session: str) -> None:
    for key in (names.journal, names.owner):
        with pytest.raises(ValueError, match="session"):
            key(session)
    with pytest.raises(ValueError, match="session"):
        names.up(session, 1)


@pytest.mark.parametrize("turn", [0, -1, 2**31, True, 1.0, "1"])
def test_only_an_integer_from_one_is_a_turn(turn: int) -> None:
    for key in (names.up, names.down, names.lease):
        with pytest.raises(ValueError, match="turn"):
            key(SESSION, turn)


@settings(deadline=None)
@given(st.text())
def test_no_text_leaves_its_place_in_a_key(text: str) -> None:
    for key in (names.once, names.wake):
        try:
            made = key(text)
        except ValueError:
            continue
        assert made.startswith(names.PREFIX) and made.isascii() and made.isprintable()
        assert not set(made) & set("*?[]{}\\ '\"")


def test_keys_are_distinct() -> None:
    made = [key(SESSION, 1) for key in (names.up, names.down, names.lease)]
    made += [names.journal(SESSION), names.owner(SESSION), names.once(SESSION), names.wake(SESSION)]
    made += [names.OFFERS, names.SESSIONS, names.CONTROL]
    assert len(set(made)) == len(made)
    assert all(each.startswith("silvertalk:") for each in made)
