"""The floor: who may speak. One table, held by the gateway that owns the session.

Rules
-----
1. Nobody is cut off: while the user has the floor (USER, PAUSED) no reply is released.
2. A pause decides nothing. From PAUSED the user goes on (USER), or the endpoint is reached (THINKING).
3. Between the endpoint and the first sound of the reply (THINKING) the user may still go on: it is the same utterance,
   the reply that was being made is thrown away by its attempt number.
4. While the puppy speaks (SPEAKING) the user may always take the floor back: that is a barge-in, and the gateway must
   flush the player and cancel the node in the same tick.
5. A reply can come to nothing (noise, a failure): the floor opens again without a sound.
6. Whatever happens, CANCELLED (a button, a lost connection, the end of the session) opens the floor.
7. A move that the table does not have is our own mistake: it raises IllegalMove and changes nothing.
"""

from __future__ import annotations

from enum import Enum

from streaming.errors import IllegalMove


class Floor(Enum):
    """Who holds the floor."""

    OPEN = "open"
    USER = "user"
    PAUSED = "paused"
    THINKING = "thinking"
    SPEAKING = "speaking"


class Move(Enum):
    """What happened."""

    SPEECH_STARTED = "speech_started"
    SPEECH_PAUSED = "speech_paused"
    SPEECH_RESUMED = "speech_resumed"
    TYPED = "typed"
    ENDPOINT = "endpoint"
    REPLY_RELEASED = "reply_released"
    REPLY_FINISHED = "reply_finished"
    REPLY_EMPTY = "reply_empty"
    CANCELLED = "cancelled"


TABLE: dict[tuple[Floor, Move], Floor] = {
    (Floor.OPEN, Move.SPEECH_STARTED): Floor.USER,
    (Floor.OPEN, Move.TYPED): Floor.THINKING,
    (Floor.OPEN, Move.CANCELLED): Floor.OPEN,
    (Floor.USER, Move.SPEECH_PAUSED): Floor.PAUSED,
    (Floor.USER, Move.ENDPOINT): Floor.THINKING,
    (Floor.USER, Move.CANCELLED): Floor.OPEN,
    (Floor.PAUSED, Move.SPEECH_RESUMED): Floor.USER,
    (Floor.PAUSED, Move.ENDPOINT): Floor.THINKING,
    (Floor.PAUSED, Move.CANCELLED): Floor.OPEN,
    (Floor.THINKING, Move.SPEECH_STARTED): Floor.USER,
    (Floor.THINKING, Move.REPLY_RELEASED): Floor.SPEAKING,
    (Floor.THINKING, Move.REPLY_EMPTY): Floor.OPEN,
    (Floor.THINKING, Move.CANCELLED): Floor.OPEN,
    (Floor.SPEAKING, Move.SPEECH_STARTED): Floor.USER,
    (Floor.SPEAKING, Move.TYPED): Floor.THINKING,
    (Floor.SPEAKING, Move.REPLY_FINISHED): Floor.OPEN,
    (Floor.SPEAKING, Move.CANCELLED): Floor.OPEN,
}


def after(state: Floor, move: Move) -> Floor:
    """The state after `move`; raises IllegalMove where the table has none."""
    try:
        return TABLE[state, move]
    except KeyError:
        raise IllegalMove(f"{move.value} while the floor is {state.value}") from None


def allows(state: Floor, move: Move) -> bool:
    """Whether the table has this move: for input that may come at a wrong time, such as a button."""
    return (state, move) in TABLE
