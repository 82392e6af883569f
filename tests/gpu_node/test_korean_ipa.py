"""Korean sounds in Kokoro's signs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.hangul import FIRST, LAST, pronounce
from gpu_node.korean_ipa import CODAS, ONSETS, VOWELS, ipa
from gpu_node.weights import Weights


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    cache: Path = tmp_path_factory.mktemp("weights")
    folder = Weights(models_root=None, cache=cache, offline=True).folder("kokoro")
    return frozenset(json.loads((folder / "vocab.json").read_text(encoding="utf-8"))["vocab"])


def test_every_sign_is_one_that_the_model_knows(vocabulary: frozenset[str]) -> None:
    every_block = "".join(map(chr, range(FIRST, LAST + 1)))
    assert set(ipa(pronounce(every_block))) <= vocabulary


def test_the_tables_hold_every_sound() -> None:
    assert (len(ONSETS), len(VOWELS), len(CODAS)) == (19, 21, 8)


def test_lax_consonants_are_voiced_between_voiced_sounds_only() -> None:
    assert ipa("가가")[0] == ONSETS["ㄱ"]
    assert ipa("가가") == f"{ONSETS['ㄱ']}aɡa"
    assert ipa("온 가")[-2:] == "ɡa"  # a space does not end the voice
    assert ipa("온, 가")[-2:] == f"{ONSETS['ㄱ']}a"[-2:]  # a pause does
    assert ipa("각가").endswith(f"{ONSETS['ㄱ']}a")


def test_doubled_l_is_a_lateral_and_a_single_one_a_tap() -> None:
    assert ipa("달라").endswith("la")
    assert ipa("나라") == "naɾa"


def test_s_is_palatal_before_i_and_y() -> None:
    assert ipa("나시") == "naɕi"
    assert "ɕ" in ipa("씨")
    assert "ɕ" not in ipa("사싸새소")


def test_a_word_starts_high_on_a_tense_aspirated_or_hissing_sound() -> None:
    assert ipa("차") == "ʨʰˈa"
    assert ipa("효자") == "hjˈoʥa"
    assert "ˈ" not in ipa("자차")
    assert ipa("내 차").count("ˈ") == 1


@given(st.text(st.integers(FIRST, LAST).map(chr) | st.sampled_from(" ,.?!"), max_size=20))
def test_every_block_sounds_and_pauses_stay(text: str) -> None:
    spoken = ipa(pronounce(text))
    assert [sign for sign in spoken if sign in ",.?!"] == [sign for sign in text if sign in ",.?!"]
    assert len(spoken) >= len(text)
