"""Which reply is wanted, after whatever was said of it."""

from __future__ import annotations

import pytest

from gpu_node.asked import Asked, Command
from streaming.messages import CancelReply, ConfirmReply, ReplyContext, SpeechResumed, StartReply


def start(attempt: int, *, speculative: bool = False) -> StartReply:
    return StartReply(attempt=attempt, reply=1, end_sample=0, context=ReplyContext(), speculative=speculative)


def maybe(attempt: int) -> StartReply:
    return start(attempt, speculative=True)


def cancel(attempt: int) -> CancelReply:
    return CancelReply(attempt=attempt, reason="test")


def confirm(attempt: int) -> ConfirmReply:
    return ConfirmReply(attempt=attempt)


RESUMED = SpeechResumed(sample=1)


@pytest.mark.parametrize(
    ("commands", "wanted", "confirmed"),
    [
        ([], None, False),
        ([start(1)], 1, True),
        ([maybe(1)], 1, False),
        ([maybe(1), confirm(1)], 1, True),
        ([confirm(1), maybe(1)], 1, True),
        ([maybe(2), confirm(1)], 2, False),
        ([maybe(1), confirm(1), maybe(2)], 2, False),
        ([start(1), cancel(1)], None, True),
        ([cancel(1), start(1)], None, True),
        ([cancel(1), start(2)], 2, True),
        ([start(2), start(1)], 2, True),
        ([start(2), cancel(1)], 2, True),
        ([maybe(1), RESUMED], None, False),
        ([maybe(1), RESUMED, maybe(2)], 2, False),
        ([maybe(1), RESUMED, confirm(1)], None, True),
        ([maybe(1), confirm(1), RESUMED], 1, True),
        ([start(1), RESUMED], 1, True),
        ([RESUMED, maybe(1)], 1, False),
        ([maybe(1), RESUMED, maybe(2), cancel(2), start(3)], 3, True),
    ],
)
def test_only_what_holds_at_the_end_counts(commands: list[Command], wanted: int | None, confirmed: bool) -> None:
    asked = Asked()
    for command in commands:
        asked.take(command)
    assert (asked.reply.attempt if asked.reply else None, asked.is_confirmed) == (wanted, confirmed)
