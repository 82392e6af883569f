"""Keeps a voice process alive, and hands out what it says. The node's side of `gpu_node.xtts.frames`.

One thread owns the process: it starts it, reads its answers, buries it and starts the next. Whoever takes an
utterance's chunks waits in short steps, and looks meanwhile whether the process still makes progress:

    starting --Prepared--> ready --death--> (a pause that grows) --> starting
       |                     |
       |                     '--nothing said for `stall_seconds` though asked--> killed: a death
       '--Refused--> given up for good: the model cannot be loaded

A death fails the utterances in hand, no later ones. After `MAX_DEATHS` within a minute the next start waits until that
minute is over, and what is asked for meanwhile is refused at once.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from gpu_node.engines import Samples
from gpu_node.errors import EngineError, WeightsMissing
from gpu_node.xtts import frames
from streaming.logs import logger
from streaming.messages import Language

log = logger("voice")

COMMAND = (sys.executable, "-m", "gpu_node.xtts")
START_SECONDS = 600.0
"""Two gigabytes of weights from a cold network disk, and torch's own import."""
END_SECONDS = 5.0
STEP_SECONDS = 0.05
"""How long one step waits for a chunk: the process works meanwhile, so the engine's thread is free for others."""
MAX_WAITING = 64
"""Utterances in the process, each at most 2.7 MB of samples. A turn has one at a time, so that many mean a leak."""
MAX_DEATHS = 3
DEATHS_SECONDS = 60.0
PAUSES_SECONDS = (0.0, 2.0)
"""Before the start that follows the first and the second death within `DEATHS_SECONDS`."""
TAIL_LINES = 12
RELAYED_LINES = 500
"""Log lines of one process that reach the node's log; a library that warns at every step is cut off there."""

NOTHING: Samples = np.zeros(0, dtype=np.float32)

_WITHHELD = re.compile(r"BUS_\w+|NOTIFY_SOCKET|\w*(KEY|TOKEN|SECRET|PASSWORD)\w*")
"""Variables of the node's that a process full of other people's code has no use for."""
_LEVELS = {"debug", "info", "warning", "error"}


@dataclass(slots=True)
class _Utterance:
    """One that somebody is taking."""

    chunks: deque[Samples] = field(default_factory=deque)
    over: bool = False
    failure: EngineError | None = None


class VoiceKeeper:
    """Starts the process when it is first needed. Every method may be called from any thread."""

    def __init__(
        self,
        prepare: frames.Prepare,
        *,
        stall_seconds: float,
        start_seconds: float = START_SECONDS,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`stall_seconds`: without a word of a process that has something to say, it hangs and is killed. `command`
        gets the number of its socket as last argument."""
        self._prepare = prepare
        self._stall_seconds = stall_seconds
        self._start_seconds = start_seconds
        self._command = tuple(command)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._process: _Process | None = None
        self._prepared: frames.Prepared | None = None
        self._closing = False
        self._down = ""
        """Why nothing can be asked for now."""
        self._refused: frames.Refused | None = None
        self._last_death = ""
        self._heard = 0.0
        """When the process last said something, or was last given something while it had nothing to do."""
        self._numbers = itertools.count(1)
        self._pending: set[int] = set()
        """Utterances the process has not finished, those that nobody waits for any more included."""
        self._taken: dict[int, _Utterance] = {}
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    @property
    def pid(self) -> int | None:
        """Of the process that lives now."""
        process = self._process
        return process.pid if process is not None else None

    def start(self) -> frames.Prepared:
        """Have the process started and wait until the model is loaded.

        Raises WeightsMissing, EngineError: a voice that dies while it is first loaded is not waited for again.
        """
        with self._changed:
            while (prepared := self._ready()) is None:
                if self._last_death:
                    raise EngineError(f"the voice's process {self._last_death}")
                self._changed.wait(STEP_SECONDS)
            return prepared

    def speak(self, text: str, *, language: Language, voice: str, speed: float) -> Generator[Samples]:
        """The utterance's chunks; an empty one wherever none came within `STEP_SECONDS`. Closing it cancels it.

        Raises EngineError when the process dies over it, cannot say it, or is not to be had.
        """
        while True:
            with self._changed:
                if self._ready() is not None:
                    number, utterance = self._begin(text, language, voice, speed)
                    break
                self._changed.wait(STEP_SECONDS)
            yield NOTHING
        try:
            while (chunk := self._take(utterance)) is not None:
                yield chunk
        finally:
            self._let_go(number)

    def close(self) -> None:
        """End the process and wait for that."""
        with self._changed:
            self._closing = True
            self._down = "the voice's process is closed"
            if self._process is not None:
                self._process.hang_up()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    # --- asking ------------------------------------------------------------------------------------------------------

    def _ready(self) -> frames.Prepared | None:
        """What it said when it was ready, None while it is starting. Raises where it will not be soon."""
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._keep, name="voice-keeper", daemon=True)
            self._thread.start()
        if self._refused is not None:
            raise (WeightsMissing if self._refused.weights_missing else EngineError)(self._refused.detail)
        if self._down:
            raise EngineError(self._down)
        if self._prepared is None:
            self._watch()
        return self._prepared

    def _begin(self, text: str, language: Language, voice: str, speed: float) -> tuple[int, _Utterance]:
        if len(self._pending) >= MAX_WAITING:
            raise EngineError(f"the voice's process has {MAX_WAITING} utterances waiting")
        number = next(self._numbers)
        utterance = self._taken[number] = _Utterance()
        if not self._pending:
            self._heard = time.monotonic()
        self._pending.add(number)
        self._send(frames.Speak(number, text, language, voice, speed))
        return number, utterance

    def _take(self, utterance: _Utterance) -> Samples | None:
        """The next chunk, `NOTHING` where none came in this step, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: utterance.chunks or utterance.over, STEP_SECONDS)
            if utterance.chunks:
                return utterance.chunks.popleft()
            if utterance.failure is not None:
                raise utterance.failure
            if utterance.over:
                return None
            self._watch()
            return NOTHING

    def _let_go(self, number: int) -> None:
        """Nobody takes it any more; what still comes of it is dropped by its number."""
        with self._changed:
            if not self._taken.pop(number).over:
                self._send(frames.Cancel(number))

    def _send(self, request: frames.Request) -> None:
        # What it is told is small, and its reading thread always reads: this does not block. If it is dead, the
        # keeper's thread is about to find out, and fails what was asked.
        if self._process is not None:
            with suppress(OSError):
                self._process.link.sendall(frames.pack(request))

    def _watch(self) -> None:
        """Kill a process that says nothing though it should; its death is then like any other."""
        if self._process is None:
            return
        allowed = self._start_seconds if self._prepared is None else self._stall_seconds
        waited = time.monotonic() - self._heard
        if waited > allowed and (self._prepared is None or self._pending):
            log.error("voice_stuck", seconds=round(waited, 1))
            self._process.kill(f"was killed: nothing came of it for {waited:.0f} s")

    # --- the keeper's thread -----------------------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._closing:
            try:
                death = self._live()
            except OSError as error:
                death = f"could not be started: {error}"
            pause = self._bury(death)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, pause)
                if not self._closing:
                    self._down = ""

    def _live(self) -> str:
        """One process from its start to its end. Returns how it ended."""
        process = _Process(self._command)
        with self._changed:
            self._process = process
            self._heard = time.monotonic()
            if self._closing:
                process.hang_up()
            self._send(self._prepare)
        try:
            with process.link.makefile("rb") as stream:
                while (frame := frames.read(stream, frames.answers)) is not None:
                    with self._changed:
                        self._receive(process, *frame)
                        self._changed.notify_all()
        except (OSError, EngineError, ValueError) as error:  # ValueError: half a sample
            process.kill(f"was killed: {error}")
        death = process.ended()
        # What a library wrote before any text was spoken can be shown; later it may quote what people said.
        return death if process.loaded else " | ".join([death, *process.tail])

    def _receive(self, process: _Process, answer: frames.Answer, payload: bytes) -> None:
        now = time.monotonic()
        match answer:
            case frames.Prepared():
                self._prepared = answer
                process.loaded = True
                log.info("voice_loaded", engine=answer.device, seconds=round(now - self._heard, 1))
            case frames.Refused():
                self._closing = True
                self._refused = answer
            case frames.Chunk(id=number):
                if (utterance := self._taken.get(number)) is not None:
                    utterance.chunks.append(np.frombuffer(payload, dtype="<f4").astype(np.float32, copy=False))
            case frames.Spoken(id=number):
                self._finish(number, None)
            case frames.Failed(id=number, detail=detail, broken=broken):
                self._finish(number, EngineError(f"the voice failed: {detail}"))
                if broken:
                    self._prepared = None  # its end is near: what is asked for now waits for the next one
        self._heard = now

    def _finish(self, number: int, failure: EngineError | None) -> None:
        self._pending.discard(number)
        if (utterance := self._taken.get(number)) is not None:
            utterance.over = True
            utterance.failure = failure

    def _bury(self, death: str) -> float:
        """Fail what was in hand. Returns the pause before the next start, seconds."""
        with self._changed:
            self._process = None
            self._prepared = None
            self._last_death = death
            for number in list(self._pending):
                self._finish(number, EngineError(f"the voice's process {death}"))
            pause = 0.0
            if not self._closing:
                pause = self._pause()
                log.error("voice_died", reason=death[:120], count=len(self._deaths), delay_ms=int(pause * 1000))
                if len(self._deaths) == MAX_DEATHS and pause > max(PAUSES_SECONDS):
                    self._down = f"the voice's process {death}, as it often did; it will be started again"
            self._changed.notify_all()
            return pause

    def _pause(self) -> float:
        now = time.monotonic()
        self._deaths.append(now)
        recent = [death for death in self._deaths if now - death < DEATHS_SECONDS]
        return PAUSES_SECONDS[len(recent) - 1] if len(recent) < MAX_DEATHS else recent[0] + DEATHS_SECONDS - now


class _Process:
    """One process and the thread that reads its standard error. `tail`: the last lines of it that are no log lines."""

    def __init__(self, command: Sequence[str]) -> None:
        self.link, theirs = socket.socketpair()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.loaded = False
        self._killed = ""
        environment = {name: value for name, value in os.environ.items() if not _WITHHELD.fullmatch(name)}
        try:
            self._popen = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError:
            self.link.close()
            raise
        finally:
            theirs.close()
        self._relay = threading.Thread(target=self._read_errors, name="voice-errors", daemon=True)
        self._relay.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def hang_up(self) -> None:
        with suppress(OSError):
            self.link.shutdown(socket.SHUT_RDWR)

    def kill(self, reason: str) -> None:
        self._killed = self._killed or reason
        self._popen.kill()

    def ended(self) -> str:
        """Wait for its end, which is near, and say how it was."""
        self.hang_up()
        try:
            status = self._popen.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            status = self._popen.wait()
        self._relay.join()
        self.link.close()
        if self._killed:
            return self._killed
        return f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"

    def _read_errors(self) -> None:
        assert self._popen.stderr is not None
        relayed = 0
        with self._popen.stderr as lines:
            for raw in iter(lambda: lines.readline(8192), b""):
                line = raw.decode(errors="replace").rstrip()
                if (fields := _log_line(line)) is None:
                    self.tail.append(line[:300])
                elif relayed < RELAYED_LINES:
                    relayed += 1
                    level = str(fields.pop("level", "info"))
                    getattr(log, level if level in _LEVELS else "info")(str(fields.pop("event", "")), **fields)


def _log_line(line: str) -> dict[str, object] | None:
    """A line that `streaming.logs` wrote, so one that may be shown to anyone; it passes the same walls again here."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or "event" not in fields:
        return None
    fields.pop("timestamp", None)
    fields["name"] = fields.pop("logger", "")  # whose line it was; the one it becomes is ours
    return fields
