"""What a node would run with, as it says it to whoever asks (`python -m gpu_node --explain`, for `silvertalk doctor`).

Crosses a process boundary as JSON, so that the doctor never imports the node. No secret is in it.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Choice(msgspec.Struct, frozen=True):
    """One setting that the profile is about: what holds here, who says so, and why the profile has it."""

    name: str
    value: str
    source: Literal["profile", "environment"]
    why: str


class ModelWanted(msgspec.Struct, frozen=True):
    """A model some engine will ask for. `needs`: patterns of a whole folder; `wheels`: (distribution, file in it)."""

    purpose: str
    name: str
    licence: str
    needs: tuple[str, ...]
    wheels: tuple[tuple[str, str], ...]
    hub: str | None
    mend: str


class Plan(msgspec.Struct, frozen=True):
    """A node's plan. `cuda`: what of it runs on a GPU; `licence_accepted`: XTTS'; `end_of_turn`: what hears whether
    somebody has finished, `off`, or `absent` where its model is not here. Folders are absolute."""

    profile: str
    about: str
    mode: Literal["embedded", "local", "cloud"]
    choices: tuple[Choice, ...]
    cuda: tuple[Literal["ears", "voice"], ...]
    compute_type: str
    voices: tuple[str, ...]
    licence_accepted: bool
    models: tuple[ModelWanted, ...]
    models_root: str | None
    cache_dir: str
    offline: bool
    slots: int
    end_of_turn: str = "off"
