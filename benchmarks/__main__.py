"""`python -m benchmarks`: all of them, one after another.

`SILVERTALK_RECORDINGS` names the folder of recordings (with its manifest) for those that need real speech; without it
they are left out, and said so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ALWAYS = (
    "benchmarks.bus",
    "benchmarks.commands",
    "benchmarks.microphones",
    "benchmarks.failover",
    "benchmarks.coming_back",
    "benchmarks.distress",
    "benchmarks.film",
    "benchmarks.overlap",
    "benchmarks.recall",
    "benchmarks.persona",
)
WITH_RECORDINGS = (
    "benchmarks.vad",
    "benchmarks.turns",
    "benchmarks.transcription",
    "benchmarks.tts_round_trip",
    "benchmarks.talking",
)
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "audio"


def main() -> int:
    folder = Path(os.environ.get("SILVERTALK_RECORDINGS", BESIDE))
    present = (folder / "manifest.jsonl").is_file()
    if not present:
        print(f"left out, since SILVERTALK_RECORDINGS names no folder with a manifest: {', '.join(WITH_RECORDINGS)}")
    failed = []
    for module in (*ALWAYS, *(WITH_RECORDINGS if present else ())):
        print(f"\n== {module}", flush=True)
        arguments = ["--recordings", str(folder)] if module == "benchmarks.talking" else []
        if subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode:
            failed.append(module)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
