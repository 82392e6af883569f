"""What 복실이 says of its own accord keeps to the rules that any reply is held to."""

import re

import pytest

from gpu_node.register import Rule, check, split
from silvertalk import house_phrases
from silvertalk.distress import Kind
from streaming.messages import Language

LANGUAGES: tuple[Language, ...] = ("ko", "en")
KINDS: tuple[Kind, ...] = ("emergency", "despair")

# A reply is two or three sentences with one question that keeps the talk going. A phrase may be one sentence, and none
# asks a person in distress, one who asked for something else, or one who is silent, to answer.
EXCEPT = {Rule.SENTENCES, Rule.QUESTION}


def phrases(language: Language) -> list[str]:
    acknowledgements = (
        house_phrases.slower_ack,
        house_phrases.faster_ack,
        house_phrases.louder_ack,
        house_phrases.softer_ack,
    )
    return [
        *(house_phrases.distress_answer(kind, language) for kind in KINDS),
        house_phrases.repeat_preface(language),
        house_phrases.nothing_to_repeat(language),
        *(said(language, at_limit=limit) for said in acknowledgements for limit in (False, True)),
        *(house_phrases.clarification(language, number) for number in range(3)),
        *(house_phrases.silence_prompt(language, number) for number in range(3)),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_may_be_said_to_an_older_person(language: Language) -> None:
    for phrase in phrases(language):
        assert [fault for fault in check(phrase, language) if fault.rule not in EXCEPT] == [], phrase
        assert len(split(phrase)) <= 3, phrase
        assert phrase.count("?") <= 1, phrase


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_phrases_are_alike(language: Language) -> None:
    assert len(set(phrases(language))) == len(phrases(language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_help_names_the_number_and_somebody_near_and_promises_nothing(kind: Kind, language: Language) -> None:
    answer = house_phrases.distress_answer(kind, language)
    numbers = {
        "ko": {"emergency": "일일구", "despair": "일공구"},
        "en": {"emergency": "one one nine", "despair": "one zero nine"},
    }
    assert numbers[language][kind] in answer
    assert re.search("가까" if language == "ko" else "near|close", answer)
    assert not re.search(r"불렀|전화했|전화할게|부를게|I (?:have )?called|I will call|약을|medicine|\?", answer)
    first = split(answer)[0]
    assert numbers[language][kind] not in first, "the person is heard before they are told anything"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_is_not_said_alike_twice_in_a_row(language: Language) -> None:
    for said in (house_phrases.clarification, house_phrases.silence_prompt):
        assert all(said(language, number) != said(language, number + 1) for number in range(6))
