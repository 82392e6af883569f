"""Code that might never end, run where it can be stopped: in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

SECONDS = 20.0
"""A hundred times what it takes; what doubles with every word would take longer than the universe has stood."""


def each_done(module: str, call: str, texts: Sequence[str]) -> list[str]:
    """What `call`, an expression over `text` in the names of `module`, makes of each of `texts`, as `str` has it.

    The test fails, and names the text, where it takes so long that the process has to be ended.
    """
    program = (
        f"import json, sys\nimport {module} as module\n"
        "for text in json.load(sys.stdin):\n"
        f"    print(eval({call!r}, vars(module), {{'text': text}}), flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    with process:
        try:
            told, _ = process.communicate(json.dumps(list(texts)), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            told, _ = process.communicate()
            pytest.fail(f"no end of it: {call} for {texts[len(told.splitlines())]!r}")
    assert process.returncode == 0
    return told.splitlines()
