"""Whether a written sentence says what was said; whether two tell the same, or otherwise."""

import pytest

from silvertalk.grounding import differs, is_about, is_denied, is_grounded, is_same_telling, is_told_in


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("손주 이름은 민준이다.", "우리 손주 이름이 민준이야"),
        ("열아홉에 부산으로 시집오셨다.", "내가 열아홉에 부산으로 시집왔어"),
        ("통영에서 태어나셨다.", "나는 통영에서 태어났지"),
        ("아들이 셋이다.", "아들만 셋이지 뭐"),
        ("바다에서 조개를 주우셨다.", "바다에서 조개를 주웠어"),
        ("부산에 산다.", "부산에서 살아요"),
        ("영도다리에서 남편을 만나셨다.", "영도다리에서 우리 남편을 만났지요"),
        ("딸이 학교에 안 갔다.", "딸이 학교에 안 갔어"),
        ("The grandson is called Minjun.", "My grandson is called Minjun."),
        ("Worked in a cotton mill.", "I worked in a cotton mill."),
    ],
)
def test_what_was_said_is_grounded(fact: str, said: str) -> None:
    assert is_grounded(fact, said)


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ("스무 살에 부산으로 시집오셨다.", "내가 열아홉에 부산으로 시집왔어"),  # another number
        ("19살에 시집오셨다.", "스무 살에 시집왔어"),
        ("남편이 돌아가셨다.", "남편이 그때 전쟁에서 돌아왔어"),  # another verb of the same beginning
        ("딸이 학교에 안 갔다.", "딸이 학교에 갔어"),  # the opposite
        ("딸이 학교에 갔다.", "딸이 학교에 못 갔어"),
        ("부산역에서 만나셨다.", "부산에서 만났어"),  # a narrower place
        ("며느리가 부산에서 왔다.", "딸이 부산에서 왔어"),  # another person
        ("손주 이름은 민서다.", "손주 이름은 민준이야"),  # another name
        ("손주는 착하다.", "손주가 왔어"),  # something more
        ("", "손주가 왔어"),
        ("The grandson is called Minho.", "My grandson is called Minjun."),
        ("He did not come home.", "He came home."),
    ],
)
def test_what_was_not_said_is_not(fact: str, said: str) -> None:
    assert not is_grounded(fact, said)


@pytest.mark.parametrize(
    ("one", "other", "same", "otherwise"),
    [
        ("고향은 통영이다.", "“내 고향은 통영이야”", True, False),
        ("손주 이름은 민준이다.", "이름이 민준이에요, 우리 손주는", True, False),
        ("손주 이름은 민준이다.", "손주 이름은 민수다.", False, True),
        ("아들이 둘이다.", "아들이 셋이다.", False, True),
        ("고향은 통영이다.", "고향은 부산이야.", False, True),
        ("딸은 결혼했다", "딸은 결혼 안 했다", False, True),
        ("손주 이름은 민준이다.", "딸 이름은 영희다.", False, False),
        ("고향은 통영이다.", "며느리 고향은 강릉이다.", False, False),
        ("통영에서 조개를 주웠다", "부산에서 장사를 했다", False, False),
        ("아들이 셋이다", "딸이 둘이다", False, False),
        ("My hometown is Busan.", "My hometown was Busan", True, False),
        ("I had two sons.", "I had three sons.", False, True),
    ],
)
def test_the_same_and_otherwise(one: str, other: str, same: bool, otherwise: bool) -> None:
    assert is_same_telling(one, other) == is_same_telling(other, one) == same
    assert differs(one, other) == differs(other, one) == otherwise


def test_what_a_text_is_about() -> None:
    assert is_about("우리 손주 민준이가 왔어요", "민준이") and not is_about("우리 손주가 왔어요", "민준이")
    assert is_about("남편이 배를 탔어", "남편 배") and not is_about("남편이 왔어", "남편 배")
    assert not is_about("남편이 왔어", "") and not is_about("남편이 왔어", "그거")


def test_a_text_tells_a_fact_among_other_things() -> None:
    said = "그때 내가 열아홉에 부산으로 시집왔는데 시어머니가 참 무서웠어"
    assert is_told_in("열아홉에 부산으로 시집오셨다", said)
    assert not is_told_in("스물에 부산으로 시집오셨다", said)


def test_denials() -> None:
    assert all(
        map(is_denied, ["안 갔어", "못 갔어", "가지 않았어", "딸이 없어", "아니었어", "I never went", "didn't go"])
    )
    assert not any(map(is_denied, ["안동에 갔어", "못을 박았어", "안방에서 잤어", "I went", "I know him"]))
