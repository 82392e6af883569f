"""Real speech, where it is at hand: a folder with a manifest beside the checkout, or `SILVERTALK_RECORDINGS`."""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Kind = Literal["ko", "en", "noise"]


@dataclass(frozen=True)
class Recording:
    """One WAV (16 kHz mono PCM16). `asr_cer`: what faster-whisper base, int8, greedy, made of it."""

    path: Path
    kind: Kind
    seconds: float
    transcript: str
    asr_cer: float | None


def folder() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "audio"
    return Path(os.environ.get("SILVERTALK_RECORDINGS", beside))


@cache
def recordings(kind: Kind) -> tuple[Recording, ...]:
    """All recordings of one kind, in the manifest's order; empty where there is no manifest."""
    manifest = folder() / "manifest.jsonl"
    if not manifest.is_file():
        return ()
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    return tuple(
        Recording(
            path=folder() / row["file"],
            kind=kind,
            seconds=row.get("seconds") or 0.0,
            transcript=row.get("transcript") or "",
            asr_cer=(row.get("asr_check") or {}).get("cer"),
        )
        for row in rows
        if row["file"].startswith(f"{kind}/")
    )
