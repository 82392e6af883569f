"""The node's settings, and what the catalogue makes of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from gpu_node.engines.catalogue import build_engines, llm_chain, turn_end, voices
from gpu_node.engines.scripted import ScriptedLlm, ScriptedStt, ScriptedTts
from gpu_node.engines.specification import EngineSpec, parse_engines, parse_voices
from gpu_node.errors import BadSettings, NodeError, WeightsMissing
from gpu_node.settings import NodeSettings
from gpu_node.threads import EngineQueue
from gpu_node.weights import Weights

SCRIPTED = {
    "STT_ENGINE": "scripted:pass_ms=5",
    "TTS_ENGINE": "scripted:rtf=0.01,chunk_ms=100",
    "LLM_ENGINES": "scripted:first_token_ms=1,tokens_per_second=1000",
    "END_OF_TURN": "scripted:probability=0.9,ms=5",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets itself, and the little that a process needs."""
    for name in list(os.environ):
        if name.lower() in NodeSettings.model_fields or name.startswith("XDG_"):
            monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> NodeSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return NodeSettings.read()


def weights(tmp_path: Path) -> Weights:
    return Weights(models_root=None, cache=tmp_path, offline=True)


# --- settings --------------------------------------------------------------------------------------------------------


def test_nothing_needs_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert settings.deployment_mode == "embedded" and settings.offline
    assert settings.llm_engines == "reflective"
    assert settings.node_name.endswith(f"-{os.getpid()}")
    with pytest.raises(ValidationError):
        settings.node_slots = 2


def test_empty_variables_count_as_unset_and_modes_take_either_case(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, GEMINI_API_KEY="", LLM_ENGINES="", DEPLOYMENT_MODE="Local", NODE_NAME="")
    assert settings.deployment_mode == "local" and not settings.offline
    assert settings.llm_engines == "reflective" and settings.node_name


def test_a_key_makes_gemini_the_first_choice_and_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, GEMINI_API_KEY="my-secret-key", BUS_URLS="redis://:my-secret-key@host:6379")
    assert settings.llm_engines == "gemini,reflective"
    assert "my-secret-key" not in repr(settings)


def test_what_is_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        GEMINI_API_KEY="k",
        LLM_ENGINES="reflective",
        OFFLINE="false",
        BUS_URLS=" redis://a:1/0 , unix:///run/valkey.sock ",
        PARTIALS="no",
        gemini_thinking_level="UNSET",
    )
    assert (settings.llm_engines, settings.offline, settings.partials) == ("reflective", False, False)
    assert settings.bus_urls == ("redis://a:1/0", "unix:///run/valkey.sock")
    assert settings.gemini_thinking_level == "unset"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DEPLOYMENT_MODE": "moon"}, "DEPLOYMENT_MODE"),
        ({"NODE_SLOTS": "0"}, "NODE_SLOTS"),
        ({"NODE_NAME": "a*b\n"}, "NODE_NAME takes up to 64 letters"),
        ({"BUS_URLS": "http://host"}, "BUS_URLS takes redis://"),
        ({"BUS_URLS": ","}, "BUS_URLS names no server"),
        ({"BUS_URLS": "rediss://h?ssl_cert_reqs=none"}, "BUS_URLS must check certificates"),
        ({"DEPLOYMENT_MODE": "cloud", "BUS_URLS": "redis://h", "BUS_KEY": "k"}, "takes rediss:// addresses"),
        ({"DEPLOYMENT_MODE": "cloud", "BUS_URLS": "rediss://h"}, "needs BUS_KEY"),
        ({"GEMINI_BASE_URL": "ftp://host"}, "GEMINI_BASE_URL takes an http"),
        ({"GEMINI_API_VERSION": "v2"}, "GEMINI_API_VERSION"),
        ({"LLM_ENGINES": "gemini"}, "LLM_ENGINES names gemini, which needs GEMINI_API_KEY"),
        ({"LLM_ENGINES": "openai", "OPENAI_BASE_URL": "http://h/v1"}, "needs OPENAI_BASE_URL and OPENAI_MODEL"),
        ({"LLM_ENGINES": "llama"}, "needs LLAMA_MODEL"),
        ({"LLM_ENGINES": "first_token_ms=3"}, "LLM_ENGINES has 'first_token_ms=3' where"),
        ({"TTS_ENGINE": "ko=kokoro"}, "TTS_ENGINE names no engine for en"),
    ],
)
def test_a_bad_value_gives_one_sentence(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadSettings) as caught:
        read(monkeypatch, **environment)
    assert isinstance(caught.value, NodeError) and sentence in str(caught.value)
    assert "\n" not in str(caught.value) and str(caught.value).count("validation error") == 0


def test_several_mistakes_are_told_at_once_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings) as caught:
        read(monkeypatch, NODE_SLOTS="my-secret", LEASE_MS="1", DEPLOYMENT_MODE="my-secret")
    text = str(caught.value)
    assert all(name in text for name in ("NODE_SLOTS", "LEASE_MS", "DEPLOYMENT_MODE"))
    assert "my-secret" not in text and "OFFLINE" not in text


def test_a_machine_without_a_home_still_has_a_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read(monkeypatch, HOME="/nonexistent").cache_dir.parent.is_dir()
    monkeypatch.delenv("HOME")
    assert read(monkeypatch).cache_dir.parent.is_dir()
    assert read(monkeypatch, HOME=str(tmp_path)).cache_dir == tmp_path / ".cache" / "silvertalk"
    assert read(monkeypatch, XDG_CACHE_HOME="/x").cache_dir == Path("/x/silvertalk")
    assert read(monkeypatch, CACHE_DIR="/y").cache_dir == Path("/y")


# --- how engines are named -------------------------------------------------------------------------------------------


def test_parameters_belong_to_the_engine_before_them() -> None:
    assert parse_engines("Gemini, scripted:first_token_ms=150, tokens_per_second=40 ,reflective") == (
        EngineSpec("gemini"),
        EngineSpec("scripted", {"first_token_ms": "150", "tokens_per_second": "40"}),
        EngineSpec("reflective"),
    )


def test_a_voice_for_each_language() -> None:
    kokoro, piper = EngineSpec("kokoro"), EngineSpec("piper")
    scripted = EngineSpec("scripted", {"rtf": "0.1", "chunk_ms": "200"})
    assert parse_voices("kokoro") == {"ko": kokoro, "en": kokoro}
    assert parse_voices("ko=kokoro, en=piper") == {"ko": kokoro, "en": piper}
    assert parse_voices("ko=scripted:rtf=0.1,chunk_ms=200,en=piper") == {"ko": scripted, "en": piper}


@pytest.mark.parametrize("text", ["", " , ", "=", "a b", "scripted:", "scripted:=3", "gemini,x=1", "1234"])
def test_what_names_no_engine_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_engines(text)


@pytest.mark.parametrize("text", ["", "kokoro,piper", "ko=", "en=piper"])
def test_what_names_no_voice_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_voices(text)


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_engines_are_built_as_the_settings_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = read(monkeypatch, **SCRIPTED, CACHE_DIR=str(tmp_path), PARTIAL_INTERVAL_MS="250")
    engines = build_engines(settings, EngineQueue("test"), EngineQueue("beside"))
    assert isinstance(engines.stt, ScriptedStt) and isinstance(engines.tts["ko"], ScriptedTts)
    assert engines.tts["ko"] is engines.tts["en"]
    assert engines.llm.name == "scripted" and engines.partial_samples == 4_000
    assert engines.turn_end is not None and engines.turn_end.name == "scripted" and engines.filler_seconds == 1.0
    no_captions = build_engines(read(monkeypatch, **SCRIPTED, PARTIALS="0"), EngineQueue("test"), EngineQueue("beside"))
    assert no_captions.partial_samples is None


def test_the_evidence_of_the_sound_is_there_unless_it_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert (model := turn_end(read(monkeypatch), weights(tmp_path))) is not None
    assert model.name.startswith("smart-turn")
    assert turn_end(read(monkeypatch, END_OF_TURN="off"), weights(tmp_path)) is None
    (tmp_path / "smart-turn").mkdir()
    without = Weights(models_root=tmp_path, cache=tmp_path, offline=True)
    assert turn_end(read(monkeypatch, END_OF_TURN="smart-turn"), without) is None
    assert caplog.text.count("turn_end_model_absent") == 1


async def test_every_language_model_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = read(
        monkeypatch,
        GEMINI_API_KEY="k",
        OPENAI_BASE_URL="http://127.0.0.1:9/v1",
        OPENAI_MODEL="m",
        LLAMA_MODEL="smollm2",
        LLM_ENGINES="gemini,openai,llama,scripted:first_token_ms=1,reflective",
    )
    chain = llm_chain(settings.llm_engines, settings, weights(tmp_path))
    assert chain.name == "gemini,openai,llama,scripted,reflective"
    await chain.aclose()


def test_the_house_voice_is_for_those_who_chose_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    heard: list[str] = []

    class Recording(ScriptedTts):
        def synthesize(self, text: str, *, language: str, voice: str, speed: float):  # type: ignore[no-untyped-def]
            heard.append(voice)
            return super().synthesize(text, language="ko", voice=voice, speed=speed)

    monkeypatch.setattr("gpu_node.engines.scripted.ScriptedTts", Recording)
    voice = voices(read(monkeypatch, **SCRIPTED, TTS_VOICE="jm_kumo"), weights(tmp_path))["ko"]
    for chosen in ("", "jf_alpha"):
        list(voice.synthesize("네", language="ko", voice=chosen, speed=1.0))
    assert heard == ["jm_kumo", "jf_alpha"]
    assert (voice.name, voice.sample_rate) == ("scripted", 24_000)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"STT_ENGINE": "ear"}, "STT_ENGINE names ear, which is not one of scripted, whisper."),
        ({"TTS_ENGINE": "mouth"}, "TTS_ENGINE names mouth"),
        ({"LLM_ENGINES": "brain"}, "LLM_ENGINES names brain"),
        ({"LLM_ENGINES": "reflective:speed=3"}, "reflective takes no parameters"),
        ({"LLM_ENGINES": "scripted:speed=3"}, "scripted has no parameter 'speed'"),
        ({"LLM_ENGINES": "scripted:first_token_ms=soon"}, "scripted:first_token_ms takes a number"),
        ({"LLM_ENGINES": "scripted:tokens_per_second=0"}, "above 0"),
        ({"STT_ENGINE": "scripted:pass_ms=-1"}, "takes a number of 0 or more"),
        ({"END_OF_TURN": "ear"}, "END_OF_TURN names ear, which is not one of scripted, smart-turn."),
        ({"END_OF_TURN": "smart-turn:threads=2"}, "smart-turn takes no parameters"),
        ({"END_OF_TURN": "scripted:probability=2"}, "scripted:probability takes a number from 0 to 1"),
    ],
)
def test_engines_that_cannot_be_built_are_told_in_a_sentence(
    environment: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = read(monkeypatch, **(SCRIPTED | environment))
    with pytest.raises(BadSettings) as caught:
        build_engines(settings, EngineQueue("test"), EngineQueue("beside"))
    assert sentence in str(caught.value)


def test_a_model_that_is_nowhere_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = read(monkeypatch, LLM_ENGINES="llama", LLAMA_MODEL=str(tmp_path / "absent.gguf"))
    with pytest.raises(WeightsMissing):
        llm_chain(settings.llm_engines, settings, weights(tmp_path))


def test_only_what_is_named_is_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = (
        "import sys; from gpu_node.settings import NodeSettings; from gpu_node.engines.catalogue import build_engines;"
        "from gpu_node.threads import EngineQueue as Queue;"
        "build_engines(NodeSettings.read(), Queue('x'), Queue('y'));"
        "heavy = ('google.genai', 'xllamacpp', 'httpx', 'faster_whisper', 'onnxruntime');"
        "print([module for module in heavy if module in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | SCRIPTED,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.strip() == "[]"


def test_scripted_models_take_their_pace_from_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chain = llm_chain(SCRIPTED["LLM_ENGINES"], read(monkeypatch), weights(tmp_path))
    [engine] = chain._engines
    assert isinstance(engine, ScriptedLlm)
    assert (engine._first_token_seconds, engine._token_seconds) == (0.001, 0.001)
