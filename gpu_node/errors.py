"""The exceptions of this package.

NodeError
├── BadSettings           the environment holds a value that cannot be
├── WeightsMissing        a model's files are nowhere to be found, or are not what they should be
├── UnsupportedLanguage   an engine was asked for a language it does not speak
├── ErrandRefused         an errand that this node cannot do, or nobody; `reason` is what its asker is told
└── EngineError           an engine broke while working
    └── LlmError          `before_first_token` says whether another engine may still be tried
        ├── LlmRateLimited     429; `retry_after_seconds` where the server said so
        ├── LlmUnavailable     5xx, a refused connection, a time-out
        ├── LlmBlocked         the service refused the prompt or stopped the answer for its content
        ├── LlmMisconfigured   wrong key, wrong model name: never retried, and reported loudly
        └── LlmInterrupted     the stream broke after its first token
"""

from __future__ import annotations

from typing import Literal


class NodeError(Exception):
    """Root of the package's exceptions; `code` is stable."""

    code = "node_error"


class BadSettings(NodeError):
    """One sentence for each value that cannot be."""

    code = "bad_settings"


class WeightsMissing(NodeError):
    code = "weights_missing"


class UnsupportedLanguage(NodeError):
    code = "unsupported_language"


class ErrandRefused(NodeError):
    code = "errand_refused"

    def __init__(
        self,
        reason: Literal["unable", "bad_errand", "too_large"],
        detail: str,
        *,
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class EngineError(NodeError):
    code = "engine_failed"


class LlmError(EngineError):
    code = "llm_failed"

    def __init__(self, detail: str, *, before_first_token: bool = True) -> None:
        super().__init__(detail)
        self.before_first_token = before_first_token


class LlmRateLimited(LlmError):
    code = "llm_rate_limited"

    def __init__(
        self, detail: str, *, retry_after_seconds: float | None = None, before_first_token: bool = True
    ) -> None:
        super().__init__(detail, before_first_token=before_first_token)
        self.retry_after_seconds = retry_after_seconds


class LlmUnavailable(LlmError):
    code = "llm_unavailable"


class LlmBlocked(LlmError):
    code = "llm_blocked"


class LlmMisconfigured(LlmError):
    code = "llm_misconfigured"


class LlmInterrupted(LlmError):
    code = "llm_interrupted"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, before_first_token=False)
