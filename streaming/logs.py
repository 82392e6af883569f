"""Logs that can be shown to anyone: what happened and to which ids, never what was said, by whom, or with which secret.

Three walls, so that a careless line costs a field and not a secret:

1. An event is a name (`turn_committed`), not a sentence: whatever else stands there is replaced.
2. Fields are on an allow-list, and their values are numbers, truths or short text; other fields leave only their names,
   under `dropped`.
3. An exception is its type and its frames; its text stays out, since drivers and parsers quote what they choked on.

Lines of other libraries pass through the same walls: their template is kept where they are known, their arguments
never.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

FIELDS = frozenset(
    {
        # what and where
        *("event", "level", "timestamp", "logger", "error", "frames", "dropped", "version", "mode", "pid", "exit_code"),
        *("signal", "process", "service", "part", "host", "port", "path", "method", "status", "request_id", "name"),
        # whose: random ids only
        *("session", "user", "turn", "number", "epoch", "entry", "lease", "attempt", "reply", "sentence", "node"),
        *("delivery", "server", "kind", "job", "errand", "generation"),
        # how it went
        *("code", "reason", "outcome", "state", "language", "source", "engine", "guard", "retryable", "interrupted"),
        *("close_code", "fault", "field"),
        # how much
        *("count", "size", "limit", "backlog", "sessions", "turns", "attempts", "samples", "sample", "bytes"),
        *("ms", "seconds", "wait_ms", "delay_ms", "latency_ms", "elapsed_ms", "timeout_seconds", "speech_ms"),
    }
)
"""Every field that may be logged. A field that could hold a person's words, name, number or secret never joins it."""

TEXT_CHARACTERS = 120
KNOWN_LOGGERS = ("uvicorn.error", "alembic.runtime.migration", "asyncio")
"""Loggers whose templates (their first line, arguments left out) are their own words and worth reading."""

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_EVENT = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)


def configure(*, level: str = "info", json: bool = False, stream: TextIO | None = None) -> None:
    """Set up logging for this process: JSON lines for machines, aligned text for a terminal."""
    renderer: Processor = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, _foreign],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):  # uvicorn brings handlers of its own
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("uvicorn.error", "alembic"):  # their progress is for their own operators; their trouble is ours
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn.access").disabled = True  # it writes query strings
    _configure_structlog(level)


def logger(name: str) -> FilteringBoundLogger:
    """A logger of ours: `log.info("turn_committed", session=…, turn=…)`."""
    return cast(FilteringBoundLogger, structlog.get_logger(f"silvertalk.{name}"))


def _walled(_logger: object, _method: str, fields: EventDict) -> EventDict:
    """The three walls, for our own lines."""
    name = str(fields.pop("event", ""))
    error = _exception(fields.pop("exc_info", None))
    fields.pop("stack_info", None)
    kept = _allowed(fields)
    kept["event"] = name if _EVENT.fullmatch(name) else "unnamed"
    return kept | _described(error) if error is not None else kept


def _foreign(_logger: object, _method: str, fields: EventDict) -> EventDict:
    """The three walls, for a library's line."""
    record: logging.LogRecord = fields["_record"]
    error = record.exc_info[1] if record.exc_info else None
    template = str(record.msg).partition("\n")[0] if record.name.startswith(KNOWN_LOGGERS) else "foreign"
    kept = _allowed({key: fields[key] for key in ("level", "timestamp") if key in fields})
    kept |= {"event": template[:TEXT_CHARACTERS], "logger": record.name[:TEXT_CHARACTERS]}
    kept |= {key: fields[key] for key in ("_record", "_from_structlog") if key in fields}
    record.exc_info = record.exc_text = record.stack_info = None
    return kept | _described(error) if error is not None else kept


def _allowed(fields: MutableMapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for key, value in fields.items():
        if key not in FIELDS or not isinstance(value, (bool, int, float, str, type(None))):
            dropped.append(key[:TEXT_CHARACTERS])
        elif isinstance(value, str):
            kept[key] = value[:TEXT_CHARACTERS]
        else:
            kept[key] = value
    if dropped:
        kept["dropped"] = ",".join(sorted(dropped))
    return kept


def _exception(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return cast("BaseException | None", given[1])
    return sys.exc_info()[1] if given else None


def _described(error: BaseException) -> dict[str, str]:
    """Type and frames, the innermost last; of the causes only their types."""
    frames = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    names = [type(error).__name__]
    cause = error.__cause__ or error.__context__
    while cause is not None and len(names) < 5:
        names.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return {"error": " < ".join(names), "frames": " > ".join(frames[-8:])}


def _configure_structlog(level: str) -> None:
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.stdlib.add_logger_name,
            _walled,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        cache_logger_on_first_use=False,
    )


_configure_structlog("info")  # the walls stand from the first line on, also in a process that never calls `configure`
