"""English words as sounds: from the dictionary, taken apart, spelled out, or guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_node.english_pronunciation import EnglishPronunciation, guess, load
from gpu_node.weights import Weights


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> EnglishPronunciation:
    cache: Path = tmp_path_factory.mktemp("weights")
    return load(Weights(models_root=None, cache=cache, offline=True).folder("english-dictionary"))


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("hello", "həlˈO"),
        ("Hello", "həlˈO"),
        ("Monday", "mˈʌndˌA"),
        ("monday", "mˈʌndˌA"),
        ("don't", "dˈOnt"),
        ("dogs", "dˈɔɡz"),
        ("cats", "kˈæts"),
        ("peaches", "pˈiʧᵻz"),
        ("puppy's", "pˈʌpiz"),
        ("ladies", "lˈAdiz"),
        ("wagged", "wˈæɡd"),
        ("barked", "bˈɑɹkt"),
        ("hurried", "hˈɜɹid"),
        ("stopping", "stˈɑpɪŋ"),
        ("KBS", "kˌAbˌiˈɛs"),
    ],
)
def test_a_word(english: EnglishPronunciation, word: str, sounds: str) -> None:
    assert english.word(word) == sounds


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("the apple", "ði ˈæpᵊl"),
        ("the dog", "ðə dˈɔɡ"),
        ("a pear", "ɐ pˈɛɹ"),
        ("I want to eat.", "ˌI wˈɑnt tʊ ˈit."),
        ("to go", "tə ɡˌO"),
        ("we live here", "wi lˈɪv hˈɪɹ"),
        ("a live show", "ɐ lˈIv ʃˈO"),
        ("I have read it", "ˌI hæv ɹˈɛd ɪt"),
        ("he used to swim", "hi jˈust tə swˈɪm"),
        ("Oh, better!", "ˈO, bˈɛTəɹ!"),
    ],
)
def test_a_word_in_its_place(english: EnglishPronunciation, text: str, sounds: str) -> None:
    assert english.phonemes(text) == sounds


@pytest.mark.parametrize(
    ("word", "sounds"), [("boksil", "bˈOksɪl"), ("kimmy", "kˈɪmi"), ("shing", "ʃˈɪŋ"), ("hmm", "hm"), ("", "")]
)
def test_a_guess(word: str, sounds: str) -> None:
    assert guess(word) == sounds
