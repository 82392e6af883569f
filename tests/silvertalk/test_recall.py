"""Which memories come to mind with which words."""

from hypothesis import given
from hypothesis import strategies as st

from silvertalk.recall import Fact, Known, relevant

FACTS = [
    Fact("name", "손주 이름은 민준이다.", "family", 5),
    Fact("wedding", "열아홉에 부산으로 시집오셨다.", "family", 5),
    Fact("sea", "통영 바다에서 조개를 주우셨다.", "travel", 3),
    Fact("kimchi", "김장을 백 포기씩 하셨다.", "food", 2),
    Fact("mill", "방직 공장에서 일하셨다.", "other", 3),
]


def ids(facts: list[Fact]) -> list[str]:
    return [fact.id for fact in facts]


def test_what_the_words_are_about_comes_first() -> None:
    assert ids(relevant(FACTS, "부산으로 시집온 얘기 해 줄까?")) == ["wedding"]
    assert ids(relevant(FACTS, "바다에서 뭘 주웠더라?"))[0] == "sea"
    assert ids(relevant(FACTS, "민준이 기억나?")) == ["name"]
    assert relevant(FACTS, "오늘 날씨 어때?") == relevant(FACTS, "") == relevant([], "민준이") == []


def test_what_matters_is_in_mind_and_what_is_talked_about_before_it() -> None:
    assert ids(Known(FACTS).recalled("", 2)) == ["name", "wedding"]
    assert ids(Known(FACTS).recalled("김장할 때가 됐네", 2))[0] == "kimchi"
    assert ids(Known(FACTS).recalled("방직 공장 다닐 때 말이야", 1)) == ["mill"]


def test_of_two_that_say_otherwise_both_come_to_mind() -> None:
    other = Fact("name2", "손주 이름은 민수다.", "family", 1, differs_from="name")
    assert ids(Known([*FACTS, other]).recalled("", 3)) == ["name", "name2", "wedding"]
    assert ids(Known([*FACTS, other]).recalled("민수가 왔어", 2)) == ["name2", "name"]


def test_a_misheard_ending_does_not_hide_a_memory() -> None:
    assert ids(Known(FACTS).recalled("통영 바닷가에 조개 주으러", 1)) == ["sea"]


@given(st.lists(st.text(max_size=60), max_size=8), st.text(max_size=60), st.integers(0, 5))
def test_any_words_rank_any_facts(texts: list[str], words: str, limit: int) -> None:
    facts = [Fact(str(at), text, importance=at % 5 + 1) for at, text in enumerate(texts)]
    assert len(Known(facts).ranking(words)) == len(facts)
    found = Known(facts).recalled(words, limit)
    assert len(found) == min(limit, len(facts)) == len(set(ids(found)))
    assert set(relevant(facts, words)) <= set(facts)
