"""Redis's error replies as this package's errors.

What is said of memory is BusFull; what passes by itself (a disk that is full, a replica not yet promoted, a busy
script) is BusUnavailable; the rest is a mistake of ours or of the installation, a plain BusError.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)

from streaming.errors import BusError, BusFull, BusUnavailable

_PASSING = (ReadOnlyError, MasterDownError, ClusterDownError, TryAgainError)
_PASSING_CODES = ("MISCONF", "BUSY ", "NOREPLICAS", "LOADING")


def fault(error: RedisError) -> BusError:
    """The exception that says in our vocabulary what `error` says in Redis's."""
    text = str(error)
    if isinstance(error, OutOfMemoryError) or text.startswith("OOM "):
        return BusFull(f"Redis is at its memory limit: {text}")
    if text.startswith("max ") or text.startswith("ERR max "):
        # Hosted Redis's own bounds: request size, record size, requests, connections.
        return BusFull(f"Redis refuses more: {text}")
    if isinstance(error, _PASSING) or text.startswith(_PASSING_CODES):
        return BusUnavailable(f"Redis refuses work for now: {text}")
    return BusError(f"Redis refused: {text}")


def checked(reply: Any) -> Any:
    """`reply`, unless it is an error: then that error is raised as ours."""
    if isinstance(reply, RedisError):
        raise fault(reply)
    return reply


def is_too_low(error: RedisError) -> bool:
    """An XADD was refused because the stream already has this id or a higher one."""
    return "equal or smaller than the target stream top item" in str(error)


def is_no_group(error: RedisError) -> bool:
    return str(error).startswith("NOGROUP")
