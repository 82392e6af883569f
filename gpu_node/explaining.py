"""`python -m gpu_node --explain`: what a node would run with here, as JSON, without loading any of it.

For `silvertalk doctor`, which belongs to the other end and asks in a process of its own. No secret is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from gpu_node.engines.specification import parse_engines, parse_voices
from gpu_node.profiles import PROFILES
from gpu_node.settings import NodeSettings
from gpu_node.weights import MODELS, Model

VOICE_MODELS: Mapping[str, tuple[str, ...]] = {
    "kokoro": ("kokoro", "english-dictionary"),
    "piper": ("piper-en",),
}
"""Which models an engine that has no setting for them takes."""


class Chosen(msgspec.Struct, frozen=True):
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


class Explanation(msgspec.Struct, frozen=True):
    """A node's plan. `cuda`: what of it runs on a GPU; `licence_accepted`: XTTS'. Folders are absolute."""

    profile: str
    about: str
    mode: str
    choices: tuple[Chosen, ...]
    cuda: tuple[Literal["ears", "voice"], ...]
    compute_type: str
    voices: tuple[str, ...]
    licence_accepted: bool
    models: tuple[ModelWanted, ...]
    models_root: str | None
    cache_dir: str
    offline: bool
    slots: int


def explain(settings: NodeSettings, environment: Mapping[str, str]) -> Explanation:
    """What `settings` mean; `environment` tells which of them a person set."""
    profile = PROFILES[settings.node_profile]
    given = {name.lower() for name, value in environment.items() if value}
    voices = tuple(sorted({spec.name for spec in parse_voices(settings.tts_engine).values()}))
    return Explanation(
        profile=settings.node_profile,
        about=profile.about,
        mode=settings.deployment_mode,
        choices=tuple(
            Chosen(
                name=name.upper(),
                value=str(getattr(settings, name)),
                source="environment" if name in given else "profile",
                why=choice.why,
            )
            for name, choice in profile.choices.items()
        ),
        cuda=tuple(_on_cuda(settings, voices)),
        compute_type=settings.stt_compute_type,
        voices=voices,
        licence_accepted=settings.coqui_tos_agreed,
        models=tuple(_models(settings, voices)),
        models_root=str(settings.models_root) if settings.models_root else None,
        cache_dir=str(settings.cache_dir),
        offline=settings.offline,
        slots=settings.node_slots,
    )


def _on_cuda(settings: NodeSettings, voices: tuple[str, ...]) -> Iterator[Literal["ears", "voice"]]:
    if _ear(settings) == "whisper" and settings.stt_device == "cuda":
        yield "ears"
    if "xtts" in voices and settings.tts_device == "cuda":
        yield "voice"


def _ear(settings: NodeSettings) -> str:
    return parse_engines(settings.stt_engine)[0].name


def _models(settings: NodeSettings, voices: tuple[str, ...]) -> Iterator[ModelWanted]:
    if _ear(settings) == "whisper":
        yield _wanted("speech recognition", settings.stt_model)
    for voice in voices:
        if voice == "xtts":
            yield _wanted("voice", settings.xtts_model, like="xtts-v2")
        for name in VOICE_MODELS.get(voice, ()):
            yield _wanted("pronunciation" if name == "english-dictionary" else "voice", name)
    if any(spec.name == "llama" for spec in parse_engines(settings.llm_engines)):
        if not settings.llama_model.endswith(".gguf"):
            yield _wanted("language model", settings.llama_model)


def _wanted(purpose: str, name: str, *, like: str = "") -> ModelWanted:
    model = MODELS.get(name) or MODELS.get(like) or Model(licence="as the folder says", needs=())
    wheels = {part: None for file in model.wheel_files for part in file.parts}
    return ModelWanted(
        purpose=purpose,
        name=name,
        licence=model.licence,
        needs=model.needs,
        wheels=tuple(wheels),
        hub=model.hub,
        mend=model.mend,
    )
