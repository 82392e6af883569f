"""What the client of a voice socket is told of an error: the event `error`, for the person and for the developer."""

from __future__ import annotations

from silvertalk.errors import RequestError, SilverTalkError
from streaming.errors import ProtocolError
from streaming.protocol import Problem

FAULT_MESSAGES_KO: dict[str, str] = {
    "message_too_large": "보내신 내용이 너무 커요.",
    "audio_too_fast": "소리가 너무 빨리 들어와요. 다시 연결해 주세요.",
    "text_too_long": "글이 너무 길어요. 조금 줄여 주세요.",
    "too_many_turns": "조금만 천천히 보내 주세요.",
    "not_hello": "연결을 확인하지 못했어요. 다시 연결해 주세요.",
    "hello_timeout": "연결이 늦어졌어요. 다시 연결해 주세요.",
    "too_many_faults": "연결에 문제가 있어요. 다시 연결해 주세요.",
}
"""For the faults of `streaming.protocol.FAULTS` that mean something to a person; for the others the general words."""


def problem_told(error: SilverTalkError, turn: int | None = None) -> Problem:
    """What went wrong on our side, or is refused: with a turn, or with the whole conversation."""
    return Problem(
        code=error.code,
        retryable=error.retryable,
        message_ko=error.message_ko,
        message_en=error.message_en,
        turn=turn,
    )


def fault_told(error: ProtocolError) -> Problem:
    """What the client did wrong."""
    message_ko = FAULT_MESSAGES_KO.get(error.code, RequestError.message_ko)
    return Problem(code=error.code, retryable=False, message_ko=message_ko, message_en=error.detail[:200])
