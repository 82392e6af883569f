"""What of somebody's words is remembered without a model, and what never is."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.tellings import MEMORABLE, sentences, tellings
from streaming.messages import Language

SET: dict[Language, Any] = json.loads((Path(__file__).parent / "tellings.json").read_text())
REMEMBERED = [(language, *pair) for language in SET for pair in SET[language]["remembered"]]
NOT_REMEMBERED = [(language, text) for language in SET for text in SET[language]["not_remembered"]]


@pytest.mark.parametrize(("language", "text", "category"), REMEMBERED)
def test_what_tells_of_a_life_is_remembered_as_it_was_said(language: Language, text: str, category: str) -> None:
    found = [telling for telling in tellings(text, language) if telling.importance >= MEMORABLE]
    assert [telling.category for telling in found] == [category]
    assert found[0].text in text


@pytest.mark.parametrize(("language", "text"), NOT_REMEMBERED)
def test_what_does_not_is_not(language: Language, text: str) -> None:
    assert [telling for telling in tellings(text, language) if telling.importance >= MEMORABLE] == []


def test_who_corrects_themselves_said_the_second_thing() -> None:
    (telling,) = tellings("열아홉에 시집왔어. 아니야, 스물에 시집왔어.", "ko")
    assert telling.text == "스물에 시집왔어."


def test_sentences_without_signs_between_them() -> None:
    spoken = "저는 통영에서 태어났어요 아버지는 배를 타셨어요 집은 바닷가였지요"
    assert len(sentences(spoken)) == 3 and len(tellings(spoken, "ko")) >= 2


@given(st.text(max_size=300))
def test_whatever_is_said_only_its_own_sentences_are_kept(text: str) -> None:
    for language in ("ko", "en"):
        line = " ".join(text.split())
        assert all(telling.text in line for telling in tellings(text, "ko" if language == "ko" else "en"))
