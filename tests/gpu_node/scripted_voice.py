"""A voice process without a model, for tests of all around it: the real loop (`gpu_node.xtts.server`) over a script.

Each sample it speaks tells which chunk of which utterance it is, and the texts are commands:

    say N        N chunks, numbered from 0
    slowly N     the same, 20 ms each
    die, hang    kills itself, or never says anything again, after the first chunk
    break, spoil raises, or makes samples that are not numbers, after the first chunk
    lost         an error after which nothing works any more
    made         how many chunks were made before this utterance
    spoken       the voice's and the language's length, and the speed
    (others)     one chunk
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import warnings
from collections.abc import Generator
from pathlib import Path

import numpy as np

from gpu_node.engines import Samples
from gpu_node.errors import EngineError, WeightsMissing
from gpu_node.xtts import frames
from gpu_node.xtts.server import serve

CHUNK_SAMPLES = 480


class Broken(Exception):
    """The device is gone."""


class ScriptedSpeaker:
    """How it is loaded is a command too: the house's voice."""

    def __init__(self, prepare: frames.Prepare) -> None:
        match prepare.voice:
            case "missing":
                raise WeightsMissing("model.pth is not there. To mend it: put it there.")
            case "crash":
                print("libsomething.so: cannot open shared object file", file=sys.stderr, flush=True)
                os.abort()
            case "never":
                time.sleep(3600)
            case "noisy":
                print("a library's own line", file=sys.stderr)
                logging.getLogger("library").warning("said %s", "비밀")
                warnings.warn("old", DeprecationWarning, stacklevel=1)
            case "once":  # loads the first time only
                marker = Path(prepare.cache) / "loaded"
                if marker.exists():
                    os.kill(os.getpid(), signal.SIGKILL)
                marker.touch()
        self._made = 0
        self.prepared = frames.Prepared(24_000, "script", prepare.voice or "house", ("house", "guest"))

    def speak(self, request: frames.Speak) -> Generator[Samples]:
        command, _, rest = request.text.strip(" .").partition(" ")
        count = int(rest) if rest.isdecimal() else 1
        if command == "made":
            yield np.array([self._made], dtype=np.float32)
            return
        if command == "spoken":
            yield np.array([len(request.voice), len(request.language), request.speed], dtype=np.float32)
            return
        for number in range(count):
            if command == "slowly":
                time.sleep(0.02)
            self._made += 1
            yield np.full(CHUNK_SAMPLES, number, dtype=np.float32)
        match command:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
            case "break":
                raise EngineError(f"cannot say {request.text}")
            case "spoil":
                yield np.array([np.nan], dtype=np.float32)
            case "lost":
                raise Broken

    def is_broken_by(self, error: Exception) -> bool:
        return isinstance(error, Broken)


if __name__ == "__main__":
    sys.exit(serve(ScriptedSpeaker))
