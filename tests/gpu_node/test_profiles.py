"""Profiles: named defaults, what wins over them, and what a node says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_node.__main__ import main
from gpu_node.engines.specification import parse_voices
from gpu_node.engines.whisper import _whisper_model_class
from gpu_node.errors import BadSettings
from gpu_node.explaining import explain
from gpu_node.profiles import PROFILES
from gpu_node.settings import NodeSettings
from gpu_node.weights import MODELS


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in NodeSettings.model_fields:
            monkeypatch.delenv(name)


def changed_by(profile: str) -> dict[str, object]:
    """The settings that differ from those without a profile."""
    plain, chosen = NodeSettings.read(), NodeSettings.read(profile)
    return {
        name: getattr(chosen, name)
        for name in NodeSettings.model_fields
        if getattr(chosen, name) != getattr(plain, name) and name != "node_profile"
    }


def test_cpu_is_what_the_defaults_are() -> None:
    assert NodeSettings.read().node_profile == "cpu"
    assert changed_by("cpu") == {}


def test_gpu_hears_and_speaks_on_the_gpu() -> None:
    assert changed_by("gpu") == {name: choice.value for name, choice in PROFILES["gpu"].choices.items()}
    settings = NodeSettings.read("gpu")
    assert (settings.stt_model, settings.stt_device, settings.stt_compute_type) == (
        "whisper-large-v3-turbo",
        "cuda",
        "float16",
    )
    assert settings.node_slots > 1
    voices = parse_voices(settings.tts_engine)
    assert voices["ko"] == voices["en"] and voices["ko"].name == "xtts"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_choice_is_a_setting_has_a_reason_and_changes_something(profile: str) -> None:
    assert PROFILES[profile].about
    for name, choice in PROFILES[profile].choices.items():
        assert choice.why and choice.value != NodeSettings.model_fields[name].default, name
    assert PROFILES[profile].choices.keys() <= NodeSettings.model_fields.keys()


def test_the_hub_has_large_whisper_under_the_name_that_faster_whisper_knows() -> None:
    _whisper_model_class()  # brings faster_whisper in without PyAV
    from faster_whisper import utils

    assert MODELS["whisper-large-v3-turbo"].hub == utils._MODELS["large-v3-turbo"]


def test_the_environment_wins_over_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_PROFILE", " GPU ")
    monkeypatch.setenv("NODE_SLOTS", "3")
    monkeypatch.setenv("TTS_ENGINE", "")
    settings = NodeSettings.read()
    assert (settings.node_profile, settings.node_slots, settings.tts_engine) == ("gpu", 3, "xtts")
    assert NodeSettings.read("cpu").stt_device == "cpu", "what is said in the command comes before NODE_PROFILE"


def test_an_unknown_profile_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_PROFILE", "moon")
    with pytest.raises(BadSettings, match=r"NODE_PROFILE takes cpu or gpu\."):
        NodeSettings.read()


# --- the command -----------------------------------------------------------------------------------------------------


def test_help_names_the_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"{name} " in said and profile.about in said for name, profile in PROFILES.items())


def test_the_command_refuses_an_unknown_profile(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--profile", "moon"])
    assert ended.value.code == 2 and "'cpu', 'gpu'" in capsys.readouterr().err


def test_a_node_explains_itself_and_loads_no_engine(tmp_path: Path) -> None:
    script = (
        "import sys; from gpu_node.__main__ import main; code = main(['--explain', '--profile', 'Gpu']);"
        "heavy = {'torch', 'TTS', 'ctranslate2', 'faster_whisper', 'onnxruntime', 'xllamacpp', 'httpx'};"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    secrets = {"BUS_URLS": "redis://:my-secret@host:6379", "BUS_KEY": "my-secret", "GEMINI_API_KEY": "my-secret"}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | secrets | {"MODELS_ROOT": str(tmp_path), "STT_MODEL": "whisper-small"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said, ended = ran.stdout.splitlines()
    assert ended == "0 []" and "my-secret" not in said
    plan = json.loads(said)
    assert plan["profile"] == "gpu" and set(plan["cuda"]) == {"ears", "voice"} and plan["voices"] == ["xtts"]
    model = next(choice for choice in plan["choices"] if choice["name"] == "STT_MODEL")
    assert (model["value"], model["source"]) == ("whisper-small", "environment")
    assert {choice["source"] for choice in plan["choices"] if choice is not model} == {"profile"}
    assert [(each["name"], "model.pth" in each["needs"]) for each in plan["models"]] == [
        ("whisper-small", False),
        ("xtts-v2", True),
    ]


def test_models_are_those_that_the_engines_will_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_ENGINE", "ko=kokoro,en=piper")
    monkeypatch.setenv("LLAMA_MODEL", "smollm2")
    monkeypatch.setenv("LLM_ENGINES", "llama,reflective")
    plan = explain(NodeSettings.read(), os.environ)
    assert [model.name for model in plan.models] == [
        "whisper-base",
        "kokoro",
        "english-dictionary",
        "piper-en",
        "smollm2",
    ]
    assert plan.cuda == () and plan.choices == ()
    assert ("misaki", "misaki/data/us_gold.json") in plan.models[2].wheels
    monkeypatch.setenv("STT_ENGINE", "scripted:pass_ms=5")
    monkeypatch.setenv("TTS_ENGINE", "scripted")
    monkeypatch.setenv("LLM_ENGINES", "reflective")
    assert explain(NodeSettings.read("gpu"), os.environ).models == ()
    monkeypatch.setenv("TTS_ENGINE", "xtts")
    monkeypatch.setenv("XTTS_MODEL", "grandmother")
    [own] = explain(NodeSettings.read(), os.environ).models
    assert own.name == "grandmother" and "model.pth" in own.needs


def test_what_hears_the_end_of_a_turn_is_told_and_whether_it_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CACHE_DIR", str(tmp_path / "cache"))
    for chosen, told in (("", "smart-turn"), ("off", "off"), ("scripted:ms=1", "scripted")):
        monkeypatch.setenv("END_OF_TURN", chosen)
        assert explain(NodeSettings.read(), os.environ).end_of_turn == told
    (tmp_path / "smart-turn").mkdir()
    monkeypatch.setenv("END_OF_TURN", "smart-turn")
    monkeypatch.setenv("MODELS_ROOT", str(tmp_path))
    assert explain(NodeSettings.read(), os.environ).end_of_turn == "absent"
