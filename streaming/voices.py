"""What voices are called, whichever engine speaks: a person chooses one of these names, and only an engine knows what
it has for it.

An engine that has nothing under a name speaks in its house's voice. Which voices stand for the names is said by each:
Kokoro in `gpu_node.engines.kokoro`, XTTS by the recordings in its folder.
"""

from __future__ import annotations

from typing import Literal, get_args

VoiceName = Literal["warm_female", "soft_male", "bright_female"]

VOICE_NAMES: tuple[VoiceName, ...] = get_args(VoiceName)
"""The first is the one that is taken where somebody has to be chosen and nobody was."""
