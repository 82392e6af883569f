"""Which engine a name stands for. Only those named are imported: each brings a library of its own.

The tables hold `module:class`; what a class is given comes from the settings, in one function for each kind of engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from gpu_node.engines import LanguageModel, Looker, SpeechToText, TextToSpeech, TurnEnd
from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.house_voice import HouseVoice
from gpu_node.engines.specification import EngineSpec, parse_engines, parse_voices
from gpu_node.engines.upstream import Deadlines
from gpu_node.errors import BadSettings, WeightsMissing
from gpu_node.pipeline import Engines
from gpu_node.settings import NodeSettings
from gpu_node.threads import EngineQueue
from gpu_node.turn_ending import TurnEndModel
from gpu_node.weights import Weights
from streaming.logs import logger
from streaming.messages import Language

log = logger("catalogue")

LANGUAGE_MODELS = {
    "gemini": "gpu_node.engines.gemini:GeminiLlm",
    "openai": "gpu_node.engines.openai_compatible:OpenAiCompatibleLlm",
    "llama": "gpu_node.engines.llama:LlamaLlm",
    "reflective": "gpu_node.engines.reflective:ReflectiveListener",
    "scripted": "gpu_node.engines.scripted:ScriptedLlm",
}
EARS = {
    "whisper": "gpu_node.engines.whisper:WhisperEngine",
    "scripted": "gpu_node.engines.scripted:ScriptedStt",
}
VOICES = {
    "kokoro": "gpu_node.engines.kokoro:Kokoro",
    "piper": "gpu_node.engines.piper:Piper",
    "xtts": "gpu_node.engines.xtts:Xtts",
    "scripted": "gpu_node.engines.scripted:ScriptedTts",
}
TURN_ENDS = {
    "smart-turn": "gpu_node.engines.smart_turn:SmartTurn",
    "scripted": "gpu_node.engines.scripted:ScriptedTurnEnd",
}


def build_engines(settings: NodeSettings, queue: EngineQueue, beside: EngineQueue) -> Engines:
    """Everything a node works with, on `queue`; what is evidence only works on the thread `beside` it. Raises
    BadSettings, WeightsMissing, EngineError; blocks while models are loaded."""
    weights = Weights(models_root=settings.models_root, cache=settings.cache_dir, offline=settings.offline)
    turn_ends = turn_end(settings, weights)
    llm = llm_chain(settings.llm_engines, settings, weights)
    if llm.outside:
        log.warning("every_llm_is_outside", engines=llm.name)  # whoever did not agree to that gets no reply
    return Engines(
        stt=speech_to_text(settings, weights),
        llm=llm,
        tts=voices(settings, weights),
        queue=queue,
        partial_samples=settings.partial_interval_ms * 16 if settings.partials else None,
        turn_end=TurnEndModel(turn_ends, beside) if turn_ends is not None else None,
        filler_seconds=settings.filler_after_ms / 1000,
        looker=next((cast(Looker, engine) for engine in llm.engines if hasattr(engine, "look")), None),
    )


def llm_chain(text: str, settings: NodeSettings, weights: Weights) -> FallbackChain:
    """The language models that `text` names, such as `gemini,reflective`, in that order."""
    return FallbackChain([_language_model(spec, settings, weights) for spec in parse_engines(text)])


def speech_to_text(settings: NodeSettings, weights: Weights) -> SpeechToText:
    """The ear that STT_ENGINE names."""
    spec = parse_engines(settings.stt_engine)[0]
    constructor = _load("STT_ENGINE", EARS, spec)
    ear: SpeechToText
    if spec.name == "scripted":
        ear = _scripted("STT_ENGINE", constructor, spec, "pass_ms", "words_per_second", "abort_seconds", "warm_up_ms")
    else:
        _no_parameters("STT_ENGINE", spec)
        ear = constructor(
            weights.folder(settings.stt_model),
            device=settings.stt_device,
            compute_type=settings.stt_compute_type,
            threads=settings.stt_threads,
        )
    return ear


def turn_end(settings: NodeSettings, weights: Weights) -> TurnEnd | None:
    """The acoustic model that END_OF_TURN names; None for `off`, and where it is not to be had: it is evidence, without
    which a turn is as good."""
    spec = parse_engines(settings.end_of_turn)[0]
    if spec.name == "off":
        return None
    constructor = _load("END_OF_TURN", TURN_ENDS, spec)
    model: TurnEnd
    if spec.name == "scripted":
        model = _scripted("END_OF_TURN", constructor, spec, "probability", "ms")
        return model
    _no_parameters("END_OF_TURN", spec)
    try:
        model = constructor(weights)
    except (WeightsMissing, ImportError, OSError) as error:
        log.warning("turn_end_model_absent", engine=spec.name, error=str(error))
        return None
    return model


def voices(settings: NodeSettings, weights: Weights) -> dict[Language, TextToSpeech]:
    """The voice of each language; languages that share an engine share the object, and with it the model."""
    made: list[tuple[EngineSpec, TextToSpeech]] = []
    chosen: dict[Language, TextToSpeech] = {}
    for language, spec in parse_voices(settings.tts_engine).items():
        engine = next((engine for known, engine in made if known == spec), None)
        if engine is None:
            engine = _voice(spec, settings, weights)
            made.append((spec, engine))
        if language not in engine.languages:
            raise BadSettings(f"TTS_ENGINE gives {language} to {spec.name}, which does not speak it.")
        chosen[language] = engine
    return chosen


def _voice(spec: EngineSpec, settings: NodeSettings, weights: Weights) -> TextToSpeech:
    constructor = _load("TTS_ENGINE", VOICES, spec)
    engine: TextToSpeech
    if spec.name == "scripted":
        engine = _scripted("TTS_ENGINE", constructor, spec, "rtf", "chunk_ms", "ms_per_character")
    else:
        _no_parameters("TTS_ENGINE", spec)
        more = _xtts(settings) if spec.name == "xtts" else {}
        engine = constructor(weights, threads=settings.tts_threads, **more)
    return HouseVoice(engine, settings.tts_voice) if settings.tts_voice else engine


def _xtts(settings: NodeSettings) -> dict[str, Any]:
    return {
        "model": settings.xtts_model,
        "licence_accepted": settings.coqui_tos_agreed,
        # Also given here, beside the HouseVoice: it must be there, and its latents ready, before anybody is answered.
        "voice": settings.tts_voice,
        "cache": settings.cache_dir,
        "device": settings.tts_device,
        "chunk_tokens": settings.xtts_chunk_tokens,
        "stall_seconds": settings.engine_stall_ms / 1000,
        "log_level": settings.log_level,
    }


def _language_model(spec: EngineSpec, settings: NodeSettings, weights: Weights) -> LanguageModel:
    constructor = _load("LLM_ENGINES", LANGUAGE_MODELS, spec)
    model: LanguageModel
    if spec.name == "scripted":
        model = _scripted("LLM_ENGINES", constructor, spec, "first_token_ms", "tokens_per_second")
    else:
        _no_parameters("LLM_ENGINES", spec)
        arguments = _ARGUMENTS.get(spec.name)
        model = constructor(**arguments(settings, weights)) if arguments else constructor()
    return model


def _gemini(settings: NodeSettings, _: Weights) -> dict[str, Any]:
    level = settings.gemini_thinking_level
    return {
        "api_key": _secret(settings.gemini_api_key),
        "model": settings.gemini_model,
        "api_version": settings.gemini_api_version,
        "thinking_level": None if level == "unset" else level,
        "base_url": settings.gemini_base_url,
        "deadlines": _deadlines(settings),
    }


def _openai(settings: NodeSettings, _: Weights) -> dict[str, Any]:
    return {
        "base_url": settings.openai_base_url,
        "model": settings.openai_model,
        "api_key": _secret(settings.openai_api_key),
        "deadlines": _deadlines(settings),
    }


def _llama(settings: NodeSettings, weights: Weights) -> dict[str, Any]:
    named = settings.llama_model
    return {
        "path": Path(named) if named.endswith(".gguf") else weights.file(named),
        "threads": settings.llama_threads,
        "deadlines": _deadlines(settings),
    }


_ARGUMENTS: dict[str, Callable[[NodeSettings, Weights], dict[str, Any]]] = {
    "gemini": _gemini,
    "openai": _openai,
    "llama": _llama,
}


def _deadlines(settings: NodeSettings) -> Deadlines:
    return Deadlines(settings.llm_first_token_ms / 1000, settings.llm_next_token_ms / 1000)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _load(setting: str, table: dict[str, str], spec: EngineSpec) -> Any:
    """The class that `spec` names, its module imported now."""
    if spec.name not in table:
        raise BadSettings(f"{setting} names {spec.name}, which is not one of {', '.join(sorted(table))}.")
    module, _, attribute = table[spec.name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise BadSettings(f"{setting} names {spec.name}, which cannot be loaded here: {error}.") from error


def _scripted(setting: str, constructor: Any, spec: EngineSpec, *known: str) -> Any:
    try:
        return constructor(**spec.numbers(*known))
    except ValueError as error:
        raise BadSettings(f"{setting}: {error}.") from error


def _no_parameters(setting: str, spec: EngineSpec) -> None:
    if spec.parameters:
        raise BadSettings(f"{setting}: {spec.name} takes no parameters; its settings have variables of their own.")
