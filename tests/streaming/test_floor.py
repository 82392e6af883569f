"""The floor's table against its rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import IllegalMove
from streaming.floor import TABLE, Floor, Move, after, allows

USERS_OWN = {Floor.USER, Floor.PAUSED}


def test_an_ordinary_turn() -> None:
    state = Floor.OPEN
    for move, expected in [
        (Move.SPEECH_STARTED, Floor.USER),
        (Move.SPEECH_PAUSED, Floor.PAUSED),
        (Move.SPEECH_RESUMED, Floor.USER),
        (Move.SPEECH_PAUSED, Floor.PAUSED),
        (Move.ENDPOINT, Floor.THINKING),
        (Move.REPLY_RELEASED, Floor.SPEAKING),
        (Move.REPLY_FINISHED, Floor.OPEN),
    ]:
        state = after(state, move)
        assert state is expected


@pytest.mark.parametrize("state", [state for state in Floor if state in USERS_OWN])
def test_no_reply_is_released_while_the_user_has_the_floor(state: Floor) -> None:
    with pytest.raises(IllegalMove):
        after(state, Move.REPLY_RELEASED)


@pytest.mark.parametrize("state", [Floor.OPEN, Floor.THINKING])
def test_the_user_can_always_take_the_floor(state: Floor) -> None:
    assert after(state, Move.SPEECH_STARTED) is Floor.USER


def test_a_voice_while_the_puppy_speaks_is_listened_to_before_it_has_the_floor() -> None:
    contested = after(Floor.SPEAKING, Move.SPEECH_STARTED)
    assert contested is Floor.CONTESTED
    assert after(contested, Move.BARGED_IN) is Floor.USER
    assert after(contested, Move.YIELDED) is Floor.SPEAKING
    assert after(contested, Move.REPLY_FINISHED) is Floor.USER


@pytest.mark.parametrize("state", [Floor.SPEAKING, Floor.CONTESTED])
def test_words_or_a_button_take_the_floor_from_the_puppy(state: Floor) -> None:
    assert after(state, Move.BARGED_IN) is Floor.USER
    assert after(state, Move.TYPED) is Floor.THINKING


def test_the_puppy_speaks_up_only_where_nobody_has_the_floor() -> None:
    assert after(Floor.OPEN, Move.PROMPTED) is Floor.THINKING
    for state in set(Floor) - {Floor.OPEN}:
        assert not allows(state, Move.PROMPTED)


@pytest.mark.parametrize("state", list(Floor))
def test_cancelling_always_opens_the_floor(state: Floor) -> None:
    assert after(state, Move.CANCELLED) is Floor.OPEN


def test_only_the_endpoint_leads_from_speech_to_thinking() -> None:
    into = {move for (state, move), target in TABLE.items() if target is Floor.THINKING and state in USERS_OWN}
    assert into == {Move.ENDPOINT}


@given(st.sampled_from(Floor), st.lists(st.sampled_from(Move), max_size=40))
def test_any_sequence_moves_by_the_table_or_raises_and_stays(state: Floor, moves: list[Move]) -> None:
    for move in moves:
        if allows(state, move):
            state = after(state, move)
            assert state in Floor
        else:
            with pytest.raises(IllegalMove):
                after(state, move)
    assert after(state, Move.CANCELLED) is Floor.OPEN
