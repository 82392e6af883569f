"""`python -m tests.conversations [PART OF A NAME …]`: live these cases and print all that happened. For writing one."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.conversations.bench import Verdict, run_cases
from tests.conversations.case import all_cases


def main(parts: list[str]) -> int:
    cases = [case for file, case in all_cases() if not parts or any(part in f"{file} {case.name}" for part in parts)]
    with tempfile.TemporaryDirectory() as folder:
        verdicts = asyncio.run(run_cases(cases, Path(folder), at_once=8))
    failed = 0
    for name, verdict in verdicts.items():
        failed += not isinstance(verdict, Verdict) or bool(verdict.failures)
        print(verdict if isinstance(verdict, Verdict) else f"\n{name}\n{verdict!r}")
    print(f"\n{len(verdicts)} cases, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
