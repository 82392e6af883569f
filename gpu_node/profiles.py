"""Profiles: one word for a kind of machine, and the defaults of a node's settings that follow from it.

A profile is data. It changes defaults and nothing else: whatever the environment says wins, and no code asks for a
profile's name. `silvertalk doctor --profile NAME` shows what one sets and why, and whether this machine can do it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting's value in a profile, and the reason as a person reads it."""

    value: str | int
    why: str


@dataclass(frozen=True, slots=True)
class Profile:
    """`about` says for which machine; `choices` are by the name of the setting's field."""

    about: str
    choices: Mapping[str, Choice] = field(default_factory=dict)


DEFAULT_PROFILE = "cpu"

PROFILES: Mapping[str, Profile] = {
    "cpu": Profile("a machine without a GPU, from two cores on: the settings' own defaults"),
    "gpu": Profile(
        "one NVIDIA GPU with 8 GB or more: large Whisper and the XTTS voice on it",
        {
            "stt_model": Choice(
                "whisper-large-v3-turbo", "large Whisper's encoder with 4 decoder layers in place of 32"
            ),
            "stt_device": Choice("cuda", "large Whisper keeps up with speech on a GPU only"),
            "stt_compute_type": Choice("float16", "the precision that the weights are stored in; half of float32"),
            "partial_interval_ms": Choice(300, "a pass is short there, so that captions may come within 400 ms"),
            "tts_engine": Choice("xtts", "one model speaks Korean and English; its weights are non-commercial"),
            "tts_device": Choice("cuda", "without a GPU the node says so and ends, rather than speak too slowly"),
            "node_slots": Choice(
                8, "most of a turn is listening: one voice at RTF 0.25 keeps four replies going at once"
            ),
        },
    ),
}


class ProfileDefaults(PydanticBaseSettingsSource):
    """The chosen profile's values, as a source of settings below all others; an unknown name brings none."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        choice = self._choices().get(field_name)
        return (choice.value if choice else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: choice.value for name, choice in self._choices().items()}

    def _choices(self) -> Mapping[str, Choice]:
        name = profile_name(self.current_state.get("node_profile") or DEFAULT_PROFILE)
        return PROFILES[name].choices if name in PROFILES else {}


def profile_name(value: object) -> str:
    """A profile's name however it was typed."""
    return str(value).strip().lower()
