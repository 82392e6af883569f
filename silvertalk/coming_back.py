"""Coming back after a connection was lost: what may be come back from, how long to wait, when to give up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from silvertalk.backoff import Backoff
from silvertalk.login import ClientError, Disconnected, Refused

Line = TypeVar("Line")

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0
AT_ONCE_SECONDS = 0.2
"""A gateway that is being shut down lets all its clients go in one instant; they need not all arrive in one."""
GOOD_BYE = 1000
RETRYABLE_STATUS = frozenset({408, 429})
RETRYABLE_CLOSE = frozenset({4408, 4429})


def new_waits() -> Backoff:
    """The waits before the tries of one absence; kept over several absences as long as nothing came between them."""
    return Backoff(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)


def may_come_back(error: ClientError) -> bool:
    """Whether trying again is right: not after a good-bye, nor where the server has said that it is of no use."""
    match error:
        case Disconnected():
            return _may_after(error.close_code)
        case Refused(retryable=True):
            return True
        case Refused(status=int(status)):
            return status >= 500 or status in RETRYABLE_STATUS
        case Refused(close_code=int(code)):
            return _may_after(code)
        case Refused():
            return error.code == "handshake_refused"  # No answer in HTTP at all: cut in the midst of the handshake.
    return True  # Unreachable: nobody has said anything.


def _may_after(close_code: int) -> bool:
    return close_code != GOOD_BYE and (not 4400 <= close_code <= 4499 or close_code in RETRYABLE_CLOSE)


async def come_back(
    dial: Callable[[], Awaitable[Line]], lost: Disconnected, *, waits: Backoff, seconds: float, at_once: bool
) -> Line:
    """Wait and `dial` until it succeeds; raises Refused where that is final, `lost` after `seconds` in vain.

    `at_once`: the gateway has asked for it; only the first try is early.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    wait = random.uniform(0.0, AT_ONCE_SECONDS) if at_once else waits.next()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.sleep(wait)
                return await dial()
        except TimeoutError:
            raise lost from None
        except ClientError as error:
            if not may_come_back(error):
                raise
        wait = waits.next()
