import asyncio
import gc
import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog

from streaming import logs

CANARIES = (
    "홍길동",
    "900101-1234567",
    "010-1234-5678",
    "카나리아가 울어요",
    "eyJhbGciOiJIUzI1NiJ9.canary",
    "ticket-canary",
)


@contextmanager
def configured(level: str = "debug", *, json: bool = True) -> Iterator[Callable[[], str]]:
    """Logging as a process sets it up, into memory; what was set up before comes back afterwards."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, root_level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(level=level, json=json, stream=stream)
    try:
        yield stream.getvalue
    finally:
        root.handlers[:] = handlers
        root.setLevel(root_level)
        logging.getLogger("uvicorn.access").disabled = False
        structlog.configure(**before)


@pytest.fixture(params=[True, False], ids=["json", "console"])
def lines(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    with configured(json=request.param) as written:
        yield written


def secretive(text: str) -> None:
    raise ValueError(f"cannot store {text}")


def test_what_happened_and_to_which_ids_is_there(lines: Callable[[], str]) -> None:
    logs.logger("session").info("turn_committed", session="s-1", turn=7, outcome="answered", elapsed_ms=1.5)
    written = lines()
    for expected in ("turn_committed", "s-1", "7", "answered", "1.5", "silvertalk.session", "info"):
        assert expected in written


def test_in_json_a_line_is_an_object() -> None:
    with configured() as written:
        logs.logger("session").warning("node_lost", turn=3, transcript="카나리아가 울어요")
        line = json.loads(written())
    assert (line["event"], line["turn"], line["dropped"], line["level"]) == ("node_lost", 3, "transcript", "warning")


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_gets_out(lines: Callable[[], str], canary: str) -> None:
    log = logs.logger("session")
    log.info("turn_committed", transcript=canary, reply_text=canary, ticket=canary, token=canary, nickname=canary)
    log.info(f"the user said {canary}", turn=1)
    log.info("turn_committed", session={"id": canary}, turn=[canary], code=canary.encode())
    structlog.contextvars.bind_contextvars(authorization=canary)
    log.info("turn_committed")
    structlog.contextvars.clear_contextvars()
    try:
        secretive(canary)
    except ValueError:
        log.exception("turn_broke", turn=1)
        logging.getLogger("sqlalchemy.pool").exception("Exception for %s", canary)
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: %s", canary)
    logging.getLogger("uvicorn.error").warning("Invalid request: %s", canary)
    logging.getLogger("uvicorn.access").info('"GET /?token=%s"', canary)
    logging.getLogger("some.library").warning(f"cannot parse {canary}")
    logging.getLogger("some.library").warning("cannot parse", extra={"session": canary}, stack_info=True)
    written = lines()
    assert canary not in written
    assert json.dumps(canary)[1:-1] not in written, "nor as JSON writes it"
    assert "turn_committed" in written


def test_an_exception_leaves_its_type_and_place(lines: Callable[[], str]) -> None:
    try:
        try:
            secretive("홍길동")
        except ValueError as error:
            raise RuntimeError("홍길동") from error
    except RuntimeError:
        logs.logger("session").exception("turn_broke")
    written = lines()
    assert "RuntimeError < ValueError" in written
    assert "test_logs.py:" in written
    assert "cannot store" not in written


def test_an_abandoned_task_says_only_its_kind_of_error(lines: Callable[[], str]) -> None:
    async def abandon() -> None:
        task = asyncio.create_task(asyncio.to_thread(secretive, "카나리아가 울어요"))
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(abandon())
    written = lines()
    assert "Task exception was never retrieved" in written
    assert "ValueError" in written
    assert "카나리아" not in written


def test_long_text_is_cut(lines: Callable[[], str]) -> None:
    logs.logger("session").info("refused", code="x" * 5_000)
    assert len(lines()) < 1_000


def test_the_level_holds() -> None:
    with configured("warning") as written:
        logs.logger("session").info("turn_committed")
        logs.logger("session").warning("node_lost")
        assert "turn_committed" not in written()
        assert "node_lost" in written()


def test_no_field_is_made_for_words_or_secrets() -> None:
    personal = (
        "text",
        "transcript",
        "ticket",
        "token",
        "secret",
        "nickname",
        "phone",
        "url",
        "detail",
        "message",
        "query",
    )
    assert not logs.FIELDS & set(personal)
