"""Every key the bus touches, named in one place.

Ids come from outside (a client sends back its session id), so they are checked here, before they become part of a key:
a session is 32 lower-case hex characters, a turn an integer from 1. All keys carry `PREFIX`, so that one Redis can be
shared with background jobs, and an ACL can name them (`~silvertalk:*`).
"""

from __future__ import annotations

import re

PREFIX = "silvertalk:"

OFFERS = f"{PREFIX}offers"
"""Stream: turns that want a node, and hints that a lease has run out. Read by the group `NODES`."""

ERRANDS = f"{PREFIX}errands"
"""Stream: errands that want a node, offered as turns are, beside them. Read by the group `NODES`."""

SESSIONS = f"{PREFIX}sessions"
"""Stream: one entry a living session, pending with the gateway that owns it. Group `GATEWAYS`."""

CONTROL = f"{PREFIX}control"
"""Stream: what every gateway hears (a newer session of a person, a revocation)."""

NODES = "nodes"
GATEWAYS = "gateways"

NEVER_EXPIRE = frozenset({OFFERS, ERRANDS, SESSIONS})
"""The only keys without a time to live: they hold a consumer group, and their entries are deleted one by one."""

MAX_TURN = 2**31 - 1
_SESSION = re.compile(r"[0-9a-f]{32}")
_ONCE = re.compile(r"[A-Za-z0-9_.@:-]{1,128}")
_LABEL = re.compile(r"[A-Za-z0-9_.@-]{1,128}")


def session_id(value: str) -> str:
    """`value`, if it is a session id; raises ValueError otherwise."""
    if not _SESSION.fullmatch(value):
        raise ValueError(f"not a session id (32 hex characters): {value[:64]!r}")
    return value


def turn_number(value: int) -> int:
    """`value`, if it is a turn number; raises ValueError otherwise."""
    if type(value) is not int or not 1 <= value <= MAX_TURN:
        raise ValueError(f"not a turn number: {value!r}")
    return value


def label(value: str) -> str:
    """`value`, if it may stand in a key or name a consumer; raises ValueError otherwise."""
    if not _LABEL.fullmatch(value):
        raise ValueError(f"not a name of 1-128 letters, digits and _ . @ -: {value[:64]!r}")
    return value


def up(session: str, turn: int) -> str:
    return f"{PREFIX}up:{session_id(session)}:{turn_number(turn)}"


def down(session: str, turn: int) -> str:
    return f"{PREFIX}down:{session_id(session)}:{turn_number(turn)}"


def lease(session: str, turn: int) -> str:
    """Counter: the number of the turn's latest lease."""
    return f"{PREFIX}lease:{session_id(session)}:{turn_number(turn)}"


def journal(session: str) -> str:
    return f"{PREFIX}journal:{session_id(session)}"


def owner(session: str) -> str:
    """String: the id of the session's entry in `SESSIONS`."""
    return f"{PREFIX}owner:{session_id(session)}"


def once(key: str) -> str:
    """String: a value that can be taken one time."""
    if not _ONCE.fullmatch(key):
        raise ValueError(f"not a key of 1-128 letters, digits and _ . @ : -: {key[:64]!r}")
    return f"{PREFIX}once:{key}"


def value(key: str) -> str:
    """String: a value that several processes share for a while."""
    if not _ONCE.fullmatch(key):
        raise ValueError(f"not a key of 1-128 letters, digits and _ . @ : -: {key[:64]!r}")
    return f"{PREFIX}value:{key}"


def notices(user: str) -> str:
    """Stream: what happened to a person's things."""
    return f"{PREFIX}notices:{label(user)}"


def wake(process: str) -> str:
    """Stream: an entry here ends a blocked read of `process`."""
    return f"{PREFIX}wake:{label(process)}"
