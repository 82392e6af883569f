"""The floor: who may speak. One table, held by the gateway that owns the session.

Rules
-----
1. Nobody is cut off: while the user has the floor (USER, PAUSED) no reply is released.
2. A pause decides nothing. From PAUSED the user goes on (USER), or the endpoint is reached (THINKING).
3. Between the endpoint and the first sound of the reply (THINKING) the user may still go on: it is the same utterance,
   the reply that was being made is thrown away by its attempt number. A reply that no voice goes on with (to what was
   typed, unasked, or to a call for help) is made while the voice is listened to: with its words the voice takes the
   floor, and if the reply begins first, 4 holds. What nobody has asked for does not begin until the voice proves empty.
4. While the puppy speaks (SPEAKING) a voice makes the floor CONTESTED: the reply goes on, softly, until it is known
   what was said. Words to the puppy take the floor (BARGED_IN), and the gateway must flush the player and cancel the
   node in the same tick; an echo, a "네" or a cough does not (YIELDED). Whoever was heard first has the floor when the
   reply is over meanwhile.
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
    CONTESTED = "contested"


class Move(Enum):
    """What happened."""

    SPEECH_STARTED = "speech_started"
    SPEECH_PAUSED = "speech_paused"
    SPEECH_RESUMED = "speech_resumed"
    TYPED = "typed"
    ENDPOINT = "endpoint"
    PROMPTED = "prompted"
    REPLY_RELEASED = "reply_released"
    REPLY_FINISHED = "reply_finished"
    REPLY_EMPTY = "reply_empty"
    BARGED_IN = "barged_in"
    YIELDED = "yielded"
    CANCELLED = "cancelled"


TABLE: dict[tuple[Floor, Move], Floor] = {
    (Floor.OPEN, Move.SPEECH_STARTED): Floor.USER,
    (Floor.OPEN, Move.TYPED): Floor.THINKING,
    (Floor.OPEN, Move.PROMPTED): Floor.THINKING,
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
    (Floor.SPEAKING, Move.SPEECH_STARTED): Floor.CONTESTED,
    (Floor.SPEAKING, Move.BARGED_IN): Floor.USER,
    (Floor.SPEAKING, Move.TYPED): Floor.THINKING,
    (Floor.SPEAKING, Move.REPLY_FINISHED): Floor.OPEN,
    (Floor.SPEAKING, Move.CANCELLED): Floor.OPEN,
    (Floor.CONTESTED, Move.BARGED_IN): Floor.USER,
    (Floor.CONTESTED, Move.YIELDED): Floor.SPEAKING,
    (Floor.CONTESTED, Move.REPLY_FINISHED): Floor.USER,
    (Floor.CONTESTED, Move.TYPED): Floor.THINKING,
    (Floor.CONTESTED, Move.CANCELLED): Floor.OPEN,
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
