"""A closed turn, as the gateway would write it."""

from typing import Any

import msgspec

from streaming.messages import TurnRecord

SESSION = "2c9e0d1e-5a67-4b0d-8b54-3a5b1a0c9f10"
USER = "5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10"
START_MS = 1_790_000_000_000


def record(turn: int = 1, **changes: Any) -> TurnRecord:
    good = TurnRecord(
        session=SESSION,
        user=USER,
        turn=turn,
        language="ko",
        outcome="answered",
        transcript="옛날 사진을 보고 있어요.",
        reply="멍! 어떤 사진이에요? 누구랑 찍으셨어요?",
        heard="멍! 어떤 사진이에요?",
        interrupted=True,
        merges=2,
        distress="despair",
        source="reflective",
        started_at_ms=START_MS + turn * 10_000,
        closed_at_ms=START_MS + turn * 10_000 + 5_000,
        speech_samples=48_000,
        timings_ms={"wait": 700.5},
    )
    return msgspec.structs.replace(good, **changes)
