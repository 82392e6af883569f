"""`python -m gpu_node --explain`: what a node would run with here, as JSON, without loading any of it.

For `silvertalk doctor`, which belongs to the other end and asks in a process of its own. No secret is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from gpu_node.engines.specification import parse_engines, parse_voices
from gpu_node.errors import WeightsMissing
from gpu_node.profiles import PROFILES
from gpu_node.settings import NodeSettings
from gpu_node.weights import MODELS, Model, Weights
from streaming.plan import Choice, ModelWanted, Plan

VOICE_MODELS: Mapping[str, tuple[str, ...]] = {
    "kokoro": ("kokoro", "english-dictionary"),
    "piper": ("piper-en",),
}
"""Which models an engine that has no setting for them takes."""


def explain(settings: NodeSettings, environment: Mapping[str, str]) -> Plan:
    """What `settings` mean; `environment` tells which of them a person set."""
    profile = PROFILES[settings.node_profile]
    given = {name.lower() for name, value in environment.items() if value}
    voices = tuple(sorted({spec.name for spec in parse_voices(settings.tts_engine).values()}))
    return Plan(
        profile=settings.node_profile,
        about=profile.about,
        mode=settings.deployment_mode,
        choices=tuple(
            Choice(
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
        end_of_turn=_end_of_turn(settings),
    )


def _on_cuda(settings: NodeSettings, voices: tuple[str, ...]) -> Iterator[Literal["ears", "voice"]]:
    if _ear(settings) == "whisper" and settings.stt_device == "cuda":
        yield "ears"
    if "xtts" in voices and settings.tts_device == "cuda":
        yield "voice"


def _end_of_turn(settings: NodeSettings) -> str:
    """The model that END_OF_TURN names; `absent` where its file is not here: a node does without it."""
    name = parse_engines(settings.end_of_turn)[0].name
    if name != "smart-turn":
        return name
    weights = Weights(models_root=settings.models_root, cache=settings.cache_dir, offline=True)
    try:
        weights.file(name)
    except (WeightsMissing, OSError):
        return "absent"
    return name


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
