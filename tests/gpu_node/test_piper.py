"""Piper, where the optional extra is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from gpu_node.engines.piper import Piper
from gpu_node.errors import UnsupportedLanguage, WeightsMissing
from gpu_node.phrase_audio import PEAK
from gpu_node.weights import Weights


@pytest.fixture(scope="module")
def piper(tmp_path_factory: pytest.TempPathFactory) -> Piper:
    if importlib.util.find_spec("piper") is None:
        pytest.skip("the piper extra is not installed")
    return Piper(Weights(models_root=None, cache=tmp_path_factory.mktemp("weights"), offline=True))


def test_each_sentence_comes_by_itself(piper: Piper) -> None:
    speech = list(piper.synthesize("Hello there. How are you today?", language="en", voice="", speed=0.9))
    assert len(speech) == 2
    for sentence in speech:
        assert sentence.dtype == np.float32
        assert np.max(np.abs(sentence)) == pytest.approx(PEAK, rel=0.01)
        assert 0.5 < len(sentence) / piper.sample_rate < 4


def test_text_without_a_word_is_silence(piper: Piper) -> None:
    assert list(piper.synthesize("…", language="en", voice="", speed=1.0)) == []


def test_korean_is_refused(piper: Piper) -> None:
    with pytest.raises(UnsupportedLanguage):
        list(piper.synthesize("안녕하세요", language="ko", voice="", speed=1.0))


def test_without_the_extra_it_says_what_to_install(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "piper", None)  # what Python itself keeps for a module known to be absent
    weights = Weights(models_root=None, cache=tmp_path_factory.mktemp("weights"), offline=True)
    with pytest.raises(WeightsMissing, match="install the `piper` extra"):
        Piper(weights)


def test_the_module_is_imported_without_the_gpl_engine() -> None:
    code = "import sys, gpu_node.engines.piper; print('piper' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
