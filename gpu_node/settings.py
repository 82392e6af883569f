"""Every setting of a node, read once from the environment into one frozen object.

Names stand without a prefix, in either case (`STT_ENGINE`, `GEMINI_API_KEY`); an empty variable counts as unset.
"""

from __future__ import annotations

import os
import re
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from gpu_node.engines.specification import parse_engines, parse_voices
from gpu_node.errors import BadSettings
from gpu_node.profiles import DEFAULT_PROFILE, PROFILES, ProfileDefaults, profile_name

Mode = Literal["embedded", "local", "cloud"]
TextList = Annotated[tuple[str, ...], NoDecode]
"""Comma-separated in the environment."""

_NODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNFIT_FOR_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def _node_name() -> str:
    """Host and process: unique among living nodes, and says where to look."""
    host = _UNFIT_FOR_A_NAME.sub("-", socket.gethostname()).strip("-._")[:48] or "node"
    return f"{host}-{os.getpid()}"


def _cache_dir() -> Path:
    """The XDG cache folder; where there is no home to speak of, a folder of this user's among the temporary files."""
    if configured := os.environ.get("XDG_CACHE_HOME"):
        return Path(configured) / "silvertalk"
    home = os.environ.get("HOME")
    if home and Path(home) != Path("/") and os.access(home, os.W_OK):
        return Path(home) / ".cache" / "silvertalk"
    return Path(tempfile.gettempdir()) / f"silvertalk-{os.getuid()}"


def _llm_engines(known: dict[str, Any]) -> str:
    key: SecretStr | None = known.get("gemini_api_key")
    return "gemini,reflective" if key is not None and key.get_secret_value() else "reflective"


class NodeSettings(BaseSettings):
    """The settings of one node. Build it with `NodeSettings.read()`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, validate_default=True
    )

    # where it stands
    node_profile: str = Field(
        default=DEFAULT_PROFILE, description="`cpu` or `gpu`: defaults that suit such a machine; what is set wins"
    )
    deployment_mode: Mode = Field(default="embedded", description="`embedded`, `local` or `cloud`")
    node_name: str = Field(default_factory=_node_name, description="name on the bus; host and process id by default")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )

    # the bus
    bus_urls: TextList = Field(
        default=("redis://127.0.0.1:6379/0",),
        repr=False,
        description="Redis servers, comma-separated `redis://`, `rediss://` or `unix://`",
    )
    bus_key: SecretStr | None = Field(default=None, description="key that encrypts audio on the bus")
    node_slots: int = Field(default=4, ge=1, le=256, description="turns served at the same time")
    lease_ms: int = Field(
        default=2_000, ge=500, le=120_000, description="a turn without progress for this long is lost"
    )
    engine_stall_ms: int = Field(
        default=10_000,
        ge=1_000,
        le=600_000,
        description="an engine's step longer than this is a hang: no lease renewed",
    )
    drain_seconds: float = Field(default=25.0, ge=0, le=600, description="time for turns in flight after SIGTERM")

    # weights
    models_root: Path | None = Field(default=None, description="folder with models of one's own, looked into first")
    cache_dir: Path = Field(default_factory=_cache_dir, description="folder for what is assembled or fetched")
    offline: bool = Field(
        default_factory=lambda known: known.get("deployment_mode") == "embedded",
        description="never ask a model hub; unset: true in `embedded` mode only",
    )

    # hearing
    stt_engine: str = Field(default="whisper", description="`whisper` or `scripted`")
    stt_model: str = Field(default="whisper-base", min_length=1, description="the model's name among the weights")
    stt_device: Literal["cpu", "cuda", "auto"] = Field(default="cpu", description="where it runs")
    stt_compute_type: Literal[
        "int8", "int8_float16", "int8_float32", "int8_bfloat16", "float16", "bfloat16", "float32"
    ] = Field(default="int8", description="CTranslate2's arithmetic")
    partials: bool = Field(default=True, description="captions while the person speaks")
    partial_interval_ms: int = Field(
        default=700, ge=100, le=10_000, description="new audio that makes another caption worth its pass"
    )
    stt_threads: int = Field(
        default=1, ge=1, le=256, description="CPU threads of a pass; base's decoder gains nothing from a second"
    )
    tts_threads: int = Field(default=2, ge=1, le=256, description="CPU threads of one step of the voice")
    end_of_turn: str = Field(
        default="smart-turn", description="what hears whether somebody has finished: `smart-turn`, `scripted` or `off`"
    )

    # speaking
    tts_engine: str = Field(default="kokoro", description="one engine, or one a language: `ko=kokoro,en=piper`")
    tts_voice: str = Field(
        default="", max_length=200, description="voice where the person chose none; empty: the engine's"
    )
    tts_device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where XTTS runs; the other voices are made for the CPU"
    )
    xtts_model: str = Field(
        default="xtts-v2", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="its folder in `MODELS_ROOT`"
    )
    xtts_chunk_tokens: int = Field(
        default=10, ge=4, le=100, description="audio tokens of a chunk, 46 ms each: the first is what one waits for"
    )
    coqui_tos_agreed: bool = Field(
        default=False, description="`1`: the non-commercial licence of XTTS's weights is agreed to"
    )

    filler_after_ms: int = Field(
        default=1_000,
        ge=0,
        le=10_000,
        description="silence after the endpoint that a filler breaks; 0: none does",
    )

    # answering
    node_speculations_per_minute: int = Field(
        default=60,
        ge=0,
        le=10_000,
        description="replies begun in a pause, which may not be the end; 0: none",
    )
    gemini_api_key: SecretStr | None = Field(default=None, description="with it the reply is Gemini's")
    gemini_model: str = Field(
        default="gemini-3.5-flash-lite", pattern=r"^[A-Za-z0-9._/-]+$", description="model name; they retire yearly"
    )
    gemini_api_version: Literal["v1", "v1beta", "v1alpha"] = Field(default="v1", description="version of Gemini's API")
    gemini_thinking_level: Literal["minimal", "low", "medium", "high", "unset"] = Field(
        default="minimal", description="thinking before the first word; `unset` for models that do not know it"
    )
    gemini_base_url: str = Field(
        default="https://generativelanguage.googleapis.com", description="address of Gemini or of a stand-in"
    )
    openai_base_url: str = Field(default="", description="an OpenAI-compatible server, such as http://host:8000/v1")
    openai_api_key: SecretStr | None = Field(default=None, description="its key, where it wants one")
    openai_model: str = Field(default="", description="the name it knows its model by")
    llama_model: str = Field(default="", description="a GGUF file, or a model's name among the weights (`smollm2`)")
    llama_threads: int = Field(
        default=1, ge=1, le=256, description="its CPU threads; no more than cores that are really free"
    )
    llm_first_token_ms: int = Field(
        default=3_000, ge=100, le=120_000, description="a server that has not begun by then is given up"
    )
    llm_next_token_ms: int = Field(
        default=5_000, ge=100, le=120_000, description="longest pause in the midst of a reply"
    )
    llm_engines: str = Field(
        default_factory=_llm_engines,
        description="language models in order of preference; unset: `gemini,reflective` with a key, else `reflective`",
    )

    # --- reading -----------------------------------------------------------------------------------------------------

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment, then the profile that one of them names; no files."""
        return init_settings, env_settings, ProfileDefaults(settings_cls)

    @classmethod
    def read(cls, profile: str | None = None) -> Self:
        """The settings of this process's environment; raises BadSettings, one sentence for each mistake.

        `profile` comes before `NODE_PROFILE`.
        """
        try:
            return cls() if profile is None else cls(node_profile=profile)
        except ValidationError as error:
            sentences = [
                _sentence(problem["loc"], problem["msg"])
                for problem in error.errors()
                if problem["type"] != "default_factory_not_called"  # follows from another mistake
            ]
            raise BadSettings(" ".join(sentences)) from None

    @field_validator("deployment_mode", "log_level", "stt_device", "tts_device", "gemini_thinking_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("bus_urls", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("node_profile")
    @classmethod
    def _known_profile(cls, value: str) -> str:
        name = profile_name(value)
        if name not in PROFILES:
            raise ValueError(f"takes {' or '.join(PROFILES)}")
        return name

    @field_validator("node_name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not _NODE_NAME.fullmatch(value):
            raise ValueError("takes up to 64 letters, digits, dots, dashes and underscores")
        return value

    @field_validator("bus_urls")
    @classmethod
    def _redis(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no server")
        for url in value:
            if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
                raise ValueError("takes redis://, rediss:// and unix:// addresses")
            if parse_qs(urlsplit(url).query).get("ssl_cert_reqs", ["required"]) != ["required"]:
                raise ValueError("must check certificates: leave ssl_cert_reqs out")
        return value

    @field_validator("gemini_base_url", "openai_base_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("takes an http:// or https:// address")
        return value

    @field_validator("models_root", "cache_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.absolute() if value is not None else None

    @field_validator("llm_engines", "stt_engine", "end_of_turn")
    @classmethod
    def _engines(cls, value: str) -> str:
        parse_engines(value)
        return value

    @field_validator("tts_engine")
    @classmethod
    def _voices(cls, value: str) -> str:
        parse_voices(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.deployment_mode == "cloud":
            if any(not url.startswith("rediss://") for url in self.bus_urls):
                raise ValueError("DEPLOYMENT_MODE=cloud takes rediss:// addresses in BUS_URLS only")
            if self.bus_key is None:
                raise ValueError("DEPLOYMENT_MODE=cloud needs BUS_KEY, since its bus is outside the machine")
        named = {spec.name for spec in parse_engines(self.llm_engines)}
        needs = {
            "gemini": (self.gemini_api_key is not None, "GEMINI_API_KEY"),
            "openai": (bool(self.openai_base_url and self.openai_model), "OPENAI_BASE_URL and OPENAI_MODEL"),
            "llama": (bool(self.llama_model), "LLAMA_MODEL"),
        }
        for engine, (given, names) in needs.items():
            if engine in named and not given:
                raise ValueError(f"LLM_ENGINES names {engine}, which needs {names}")
        return self


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    """One mistake in one sentence, and never the value: it may be a secret."""
    text = message.removeprefix("Value error, ").rstrip(".")
    if not place:
        return f"{text}."
    verb = "" if text.startswith(("takes", "has", "names", "must", "is ")) else ": "
    return f"{str(place[0]).upper()}{verb or ' '}{text}."
