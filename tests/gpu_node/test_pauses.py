"""The signs of a pause, tidied."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_node.pauses import SIGNS, tidied


@pytest.mark.parametrize(
    ("written", "tidy"),
    [
        ("정말요?!", "정말요?"),
        ("와...", "와…"),
        ("하나 ,둘", "하나, 둘"),
        ("끝.,", "끝."),
        ("…그래서,", "그래서"),
        ("  a   b ", "a b"),
        ("...", ""),
        ("", ""),
    ],
)
def test_examples(written: str, tidy: str) -> None:
    assert tidied(written) == tidy


@given(st.text(st.sampled_from("가a .,!?…"), max_size=20))
def test_tidy_text_is_tidy(text: str) -> None:
    tidy = tidied(text)
    assert tidied(tidy) == tidy
    assert re.fullmatch(rf"(?:[가a]+(?: [가a]+)*[{SIGNS}]?(?: |$))*", tidy)
    assert re.sub(rf"[{SIGNS} ]", "", tidy) == re.sub(rf"[{SIGNS} ]", "", text)
