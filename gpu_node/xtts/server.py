"""The voice process's loop: one utterance after another, cancelled between chunks. It knows no torch.

A thread reads what the node says while the main thread works, so that a `Cancel` is known at the next chunk, and an end
of the connection (the node closed it, or was killed) ends this process at once, whatever the model is doing.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol

import numpy as np

from gpu_node.engines import Samples
from gpu_node.errors import NodeError, WeightsMissing
from gpu_node.xtts import frames
from streaming.logs import configure, logger

log = logger("voice")


class Speaker(Protocol):
    """A loaded model. `speak` is a generator; it is closed, not drained, when its utterance was cancelled."""

    prepared: frames.Prepared

    def speak(self, request: frames.Speak) -> Generator[Samples]: ...

    def is_broken_by(self, error: Exception) -> bool:
        """Whether nothing will succeed after this error, so that only a new process helps."""
        ...


def serve(load: Callable[[frames.Prepare], Speaker]) -> int:
    """Speak for the node whose socket's number is this program's last argument; returns the exit status."""
    # A node told to stop drains, and needs its voice for that; the process ends with the connection instead.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=int(sys.argv[-1]))
    inbox = _Inbox(link)
    prepare = inbox.prepare()
    configure(level=prepare.log_level, json=True)
    logging.captureWarnings(True)
    try:
        speaker = load(prepare)
    except Exception as error:
        log.error("voice_not_loaded", exc_info=error)
        detail = str(error) if isinstance(error, NodeError) else f"{type(error).__name__}: {error}"
        _tell(link, frames.Refused(detail[:2000], weights_missing=isinstance(error, WeightsMissing)))
        return 1
    _tell(link, speaker.prepared)
    while _say(inbox.next(), speaker, link, inbox):
        pass
    return 1


def _say(request: frames.Speak, speaker: Speaker, link: socket.socket, inbox: _Inbox) -> bool:
    """One utterance to its end, or to the first chunk after its cancellation. False: there cannot be another."""
    try:
        if not inbox.is_cancelled(request.id):
            # Closed where it stands: the model's clean-up runs now, and not whenever garbage is collected.
            with closing(speaker.speak(request)) as chunks:
                for chunk in chunks:
                    if inbox.is_cancelled(request.id):
                        break
                    samples = np.ascontiguousarray(chunk, dtype=np.float32)
                    if not np.isfinite(samples).all():
                        raise FloatingPointError("samples that are not numbers")
                    _tell(link, frames.Chunk(request.id), samples.tobytes())
        _tell(link, frames.Spoken(request.id))
        return True
    except Exception as error:
        log.error("utterance_failed", language=request.language, size=len(request.text), exc_info=error)
        broken = speaker.is_broken_by(error)
        _tell(link, frames.Failed(request.id, type(error).__name__, broken))
        return not broken
    finally:
        inbox.done()


def _tell(link: socket.socket, answer: frames.Answer, payload: bytes = b"") -> None:
    try:
        link.sendall(frames.pack(answer, payload))
    except OSError:
        os._exit(0)  # the node is gone


class _Inbox:
    """What the node asked for, in order. Bounded by the node: see `gpu_node.xtts.keeper.MAX_WAITING`."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._changed = threading.Condition()
        self._prepare: frames.Prepare | None = None
        self._waiting: deque[frames.Speak] = deque()
        self._speaking: int | None = None
        self._cancelled: set[int] = set()
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def prepare(self) -> frames.Prepare:
        with self._changed:
            while self._prepare is None:
                self._changed.wait()
            return self._prepare

    def next(self) -> frames.Speak:
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            request = self._waiting.popleft()
            self._speaking = request.id
            return request

    def is_cancelled(self, number: int) -> bool:
        return number in self._cancelled

    def done(self) -> None:
        with self._changed:
            if self._speaking is not None:
                self._cancelled.discard(self._speaking)
            self._speaking = None

    def _read(self) -> None:
        status = 0
        try:
            with self._link.makefile("rb") as stream:
                while (frame := frames.read(stream, frames.requests)) is not None:
                    with self._changed:
                        self._take(frame[0])
                        self._changed.notify()
        except Exception as error:
            log.error("connection_broke", exc_info=error)
            status = 1
        # Not sys.exit: the main thread may be inside a kernel for seconds, and nobody listens any more.
        os._exit(status)

    def _take(self, request: frames.Request) -> None:
        match request:
            case frames.Prepare():
                self._prepare = request
            case frames.Speak():
                self._waiting.append(request)
            case frames.Cancel(id=number):
                # Only what is still to be said is remembered: one cancelled too late leaves nothing behind.
                if number == self._speaking or any(waiting.id == number for waiting in self._waiting):
                    self._cancelled.add(number)
