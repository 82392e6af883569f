"""Several language models as one: the first that begins to speak answers.

An engine that fails before its first token costs the listener a moment, and the next one is asked. After the first
token there is no going back: two voices in one sentence would be worse than a sentence cut short. An engine that has
just said it will not work (a quota, a wrong key, no answer at all) is left alone for a while, so that the next turns do
not wait for it again. What a person did not agree to show to outside services is shown to none, whoever else fails.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog

from gpu_node.engines import LanguageModel, ReplyRequest, Token
from gpu_node.errors import LlmError, LlmInterrupted, LlmMisconfigured, LlmRateLimited, LlmUnavailable

log = structlog.get_logger(__name__)

REST_SECONDS: Mapping[type[LlmError], float] = {
    LlmRateLimited: 30.0,  # where the server does not say; a quota per minute is back by then, half of the time
    LlmMisconfigured: 60.0,  # somebody has to mend it, and the log says so once a minute until they do
    LlmUnavailable: 5.0,  # shorter than a turn usually is: only replies asked for at the same time are spared the wait
}
LONGEST_REST_SECONDS = 600.0
"""Whatever a server asks for: a quota of the day may also be raised by hand meanwhile."""


class FallbackChain:
    """A `LanguageModel` made of others, in order of preference. `name` lists them; each Token says who wrote it."""

    def __init__(
        self, engines: Sequence[LanguageModel], *, rest_seconds: Mapping[type[LlmError], float] = REST_SECONDS
    ) -> None:
        if not engines:
            raise ValueError("a chain needs an engine")
        self.name = ",".join(engine.name for engine in engines)
        self.outside = all(engine.outside for engine in engines)
        self._engines = tuple(engines)
        self._rest_seconds = rest_seconds
        self._rests_until: dict[int, float] = {}
        self._asked_too_often: set[int] = set()
        """Of those that rest."""

    @property
    def engines(self) -> tuple[LanguageModel, ...]:
        return self._engines

    def throttled_seconds(self, *, outside: bool) -> float:
        """How much longer the first of the engines rests that were asked too often; 0 where none does. Whoever can wait
        is answered then. `outside`: such as are outside may be asked."""
        now = time.monotonic()
        fit = [id(engine) for engine in self._engines if outside or not engine.outside]
        rests = [self._rests_until[engine] - now for engine in fit if engine in self._asked_too_often]
        return min((rest for rest in rests if rest > 0), default=0.0)

    async def warm_up(self) -> None:
        """Warms every engine; raises what the last one said only when none of them is ready."""
        failure: Exception | None = None
        ready = 0
        for engine in self._engines:
            try:
                await engine.warm_up()
                ready += 1
            except Exception as error:  # an engine's own fault must not keep the others from answering
                failure = error
                self._note(engine, error, during="warm_up")
        if failure is not None and not ready:
            raise failure

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        """Raises LlmInterrupted after the first token, before it what the last engine said."""
        failure: Exception = LlmUnavailable("every engine here is outside, which was not agreed to")
        for engine in self._awake(outside=request.context.outside_services):
            started = False
            try:
                async with _closed_at_the_end(engine.stream(request)) as tokens:
                    async for token in tokens:
                        started = True
                        yield token
                if started:
                    return
                raise LlmUnavailable(f"{engine.name} answered nothing")
            except Exception as error:  # LlmErrors, and an engine's own fault: the person is answered all the same
                self._note(engine, error, during="reply")
                if started:
                    raise LlmInterrupted(f"{engine.name}: {error}") from error
                failure = error
        raise failure

    async def aclose(self) -> None:
        for engine in self._engines:
            await engine.aclose()

    def _awake(self, *, outside: bool) -> list[LanguageModel]:
        """Those that do not rest, or all of them: a resting engine is still better than silence. `outside`: such as are
        outside may be asked."""
        now = time.monotonic()
        fit = [engine for engine in self._engines if outside or not engine.outside]
        return [engine for engine in fit if self._rests_until.get(id(engine), 0.0) <= now] or fit

    def _note(self, engine: LanguageModel, error: Exception, *, during: str) -> None:
        """Says what failed, loudly where a person must act, and lets the engine rest."""
        rest = self._rest(error)
        if rest:
            self._rests_until[id(engine)] = time.monotonic() + rest
            throttled = isinstance(error, LlmRateLimited)
            (self._asked_too_often.add if throttled else self._asked_too_often.discard)(id(engine))
        details = {"engine": engine.name, "during": during, "detail": str(error), "rest_seconds": rest}
        if isinstance(error, LlmMisconfigured):
            log.error("llm_failed", code=error.code, **details)
        elif isinstance(error, LlmError):
            log.warning("llm_failed", code=error.code, **details)
        else:
            log.error("llm_failed", code="engine_failed", exc_info=error, **details)

    def _rest(self, error: Exception) -> float:
        asked = error.retry_after_seconds if isinstance(error, LlmRateLimited) else None
        if asked is not None:
            return min(asked, LONGEST_REST_SECONDS)
        return next((rest for kind, rest in self._rest_seconds.items() if isinstance(error, kind)), 0.0)


@asynccontextmanager
async def _closed_at_the_end(tokens: AsyncIterator[Token]) -> AsyncIterator[AsyncIterator[Token]]:
    """`contextlib.aclosing` for a stream that need not be a generator."""
    try:
        yield tokens
    finally:
        if isinstance(tokens, AsyncGenerator):
            await tokens.aclose()
