"""A GGUF model in this process, through xllamacpp (llama.cpp's own server as a library).

One request at a time: llama.cpp uses every thread it is given, and two replies at once would both be too slow to listen
to. The call blocks, so it has a thread of its own; its words come back through a hand-over that holds a few dozen, and
`True` from its callback stops it at the next token.

What cannot be stopped is the reading of the prompt, since the callback is first called after it. It is short all the
same: the server keeps what it read last, and a conversation only adds to its prompt. `warm_up` reads the instructions.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import threading
from collections import deque
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xllamacpp

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.upstream import Deadlines
from gpu_node.errors import LlmError, LlmInterrupted, LlmUnavailable, WeightsMissing
from gpu_node.persona import conversation, greeting, system_prompt
from streaming.messages import Language

MAX_TOKENS = 200
MAX_ASKED_TOKENS = 1000
"""Of an errand's answer."""
CONTEXT_TOKENS = 4096
"""Instructions, facts and a dozen exchanges in Korean, for a tokenizer that knows Hangul."""
HANDOVER_PIECES = 32
"""Pieces written and not yet taken; beyond it the model waits for its reader."""


class LlamaLlm:
    """`name` is `llama`. The model is loaded by `warm_up`, or by the first reply."""

    name = "llama"

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 1,
        context_tokens: int = CONTEXT_TOKENS,
        max_tokens: int = MAX_TOKENS,
        temperature: float = 0.7,
        deadlines: Deadlines | None = None,
        warm_up_language: Language = "ko",
    ) -> None:
        """`threads` must not exceed the cores that are really free: llama.cpp's threads spin while they wait.

        With one of two cores busy, two threads took 20 s for what one did in 0.3 s.
        """
        if not path.is_file():
            raise WeightsMissing(f"{path} is not a file; LLAMA_MODEL takes a GGUF")
        self.outside = False
        self._path = path
        self._threads = threads
        self._context_tokens = context_tokens
        self._sampling = {"max_tokens": max_tokens, "temperature": temperature}
        self._deadlines = deadlines or Deadlines(first_seconds=10.0, next_seconds=5.0)
        self._warm_up_language = warm_up_language
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="llama")
        self._turn = asyncio.Lock()
        self._server: Any = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._handovers: set[_Handover] = set()

    async def warm_up(self) -> None:
        """Loads the model and reads the instructions, which stay in its cache."""
        body = _body(greeting(self._warm_up_language)) | {"max_tokens": 1}
        loop = asyncio.get_running_loop()
        async with self._turn:
            handover = _Handover(loop)
            await loop.run_in_executor(self._thread, self._complete, body, handover)
            if handover.failure is not None:
                raise handover.failure

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        """The reply, a token at a time; waits for a reply that is still being written or stopped."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadlines.first_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise LlmUnavailable(f"llama was busy for {self._deadlines.first_seconds:.1f} s") from None
        handover = _Handover(loop)
        work = loop.run_in_executor(self._thread, self._complete, _body(request) | self._limits(request), handover)
        # The next request waits until the call has returned, but who cancels this one does not.
        work.add_done_callback(lambda _: self._finish(handover))
        self._handovers.add(handover)
        allowed, waited_for = self._deadlines.first_seconds, "first"
        try:
            while True:
                try:
                    async with asyncio.timeout(allowed):
                        text = await handover.take()
                except TimeoutError:
                    raise LlmUnavailable(f"llama wrote no {waited_for} token for {allowed:.1f} s") from None
                if text is None:
                    if waited_for == "first":
                        raise LlmUnavailable("llama answered nothing")
                    return
                yield Token(text, self.name)
                allowed, waited_for = self._deadlines.next_seconds, "next"
        except LlmError as error:
            if waited_for == "next":
                raise LlmInterrupted(str(error)) from error
            raise
        finally:
            handover.stop()

    async def aclose(self) -> None:
        """Stops the reply being written and frees the model."""
        for handover in self._handovers:
            handover.stop()
        async with self._turn:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._unload)
        self._thread.shutdown()

    def _limits(self, request: ReplyRequest) -> dict[str, Any]:
        return self._sampling | ({"max_tokens": MAX_ASKED_TOKENS} if request.instructions else {})

    def _finish(self, handover: _Handover) -> None:
        self._handovers.discard(handover)
        handover.end()
        self._turn.release()

    # --- on the model's thread ---------------------------------------------------------------------------------------

    def _complete(self, body: dict[str, Any], handover: _Handover) -> None:
        """One whole call; what goes wrong is left in the hand-over."""
        try:
            if self._server is None:
                self._load()
            self._server.handle_chat_completions(body, handover.put)
        except Exception as error:  # xllamacpp raises RuntimeError for all its troubles
            handover.failure = LlmUnavailable(f"llama failed: {error}")

    def _load(self) -> None:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(self._path)
        parameters.n_ctx = self._context_tokens
        parameters.n_parallel = 1
        parameters.n_gpu_layers = 0
        parameters.verbosity = -1
        for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
            cpu.n_threads = self._threads
        # The library also opens its HTTP interface, by default on a TCP port for all users of the machine. Nobody needs
        # it: it gets a socket in a folder of our own, a key that is told to no one, and none of its extra pages.
        folder = tempfile.TemporaryDirectory(prefix="silvertalk-llama-")
        parameters.hostnames = [f"{folder.name}/http.sock"]
        parameters.api_keys = [secrets.token_hex()]
        parameters.ui = False
        parameters.endpoint_slots = False
        parameters.n_threads_http = 1
        try:
            self._server = xllamacpp.Server(parameters)
        except Exception:
            folder.cleanup()
            raise
        self._folder = folder

    def _unload(self) -> None:
        self._server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


class _Handover:
    """Words from the model's thread to one reader on the event loop, at most `HANDOVER_PIECES` of them at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stopped = False
        self.failure: LlmError | None = None
        self._loop = loop
        self._room = threading.Semaphore(HANDOVER_PIECES)
        self._pieces: deque[str] = deque()
        self._ended = False
        self._changed = asyncio.Event()

    # on the model's thread

    def put(self, chunk: dict[str, Any]) -> bool:
        """xllamacpp's callback; True asks it to stop."""
        if self.stopped:
            return True
        if error := chunk.get("error"):
            self.failure = LlmError(f"llama refused: {error.get('message', error)}")
            return True
        text = "".join(choice.get("delta", {}).get("content") or "" for choice in chunk.get("choices", ()))
        if not text:
            return False
        self._room.acquire()  # `stop` makes room too
        if self.stopped:
            return True
        try:
            self._loop.call_soon_threadsafe(self._add, text)
        except RuntimeError:  # the loop is closed: nobody listens any more
            return True
        return False

    # on the event loop

    async def take(self) -> str | None:
        """The next words; None at the end. Raises what went wrong."""
        while not self._pieces and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if self._pieces:
            self._room.release()
            return self._pieces.popleft()
        if self.failure is not None:
            raise self.failure
        return None

    def stop(self) -> None:
        self.stopped = True
        self._room.release()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._changed.set()


def _body(request: ReplyRequest) -> dict[str, Any]:
    messages = [{"role": "system", "content": request.instructions or system_prompt(request.context)}]
    messages += [{"role": role, "content": text} for role, text in conversation(request)]
    return {"messages": messages, "stream": True, "cache_prompt": True}
