"""The checks of conduct: what a reply may not do in its conversation, found in what does it and in nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.persona_set import Conversation, Faulty, Turn, conversations, faults_of, faulty
from gpu_node.conduct import Conduct, check_conduct
from gpu_node.engines import ReplyRequest
from gpu_node.register import Rule
from streaming.messages import ReplyContext, Utterance

CONVERSATIONS = conversations()
FAULTY = faulty()


def broken(reply: str, said: str = "오늘 산책을 다녀왔어", **context: Any) -> set[Conduct]:
    return {fault.rule for fault in check_conduct(reply, ReplyRequest(said, ReplyContext(**context)))}


def heard(*lines: str) -> tuple[Utterance, ...]:
    return tuple(Utterance(role="assistant" if at % 2 else "user", text=line) for at, line in enumerate(lines))


@pytest.mark.parametrize("row", FAULTY, ids=lambda row: f"{row.rule}-{row.reply[:12]}")
def test_every_faulty_reply_is_found_out(row: Faulty) -> None:
    assert row.rule in {rule for rule, _ in faults_of(row.reply, row.request)}


def test_every_rule_has_a_reply_that_breaks_it() -> None:
    assert {row.rule for row in FAULTY} == {*Conduct, *Rule}


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.name)
def test_no_good_reply_is_taken_for_a_faulty_one(conversation: Conversation) -> None:
    history = conversation.context.history
    for turn in conversation.turns:
        request = ReplyRequest(turn.said, _with(conversation.context, history))
        assert faults_of(turn.good, request, turn) == ()
        history += heard(turn.said, turn.good)


def _with(context: ReplyContext, history: tuple[Utterance, ...]) -> ReplyContext:
    fields = {name: getattr(context, name) for name in context.__struct_fields__}
    return ReplyContext(**fields | {"history": history})


# --- what is known may be said ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"memories": ("남편과 해운대에 다녀왔다",)}, "바다가 생각나"),
        ({"summary": "남편과 해운대에 간 이야기를 했다"}, "바다가 생각나"),
        ({"photo": "해운대; 남편"}, "바다가 생각나"),
        ({"history": heard("남편하고 해운대에 갔지", "그러셨군요.")}, "바다가 생각나"),
        ({}, "영감하고 해운대에 갔지"),
    ],
)
def test_who_and_where_may_be_named_by_whom_it_was_told(context: dict[str, Any], said: str) -> None:
    reply = "해운대가 그리우시군요. 남편분과 무엇을 하셨어요?"
    assert Conduct.INVENTED not in broken(reply, said, **context)
    assert Conduct.INVENTED in broken(reply, "바다가 생각나")


def test_what_only_the_puppy_said_before_is_no_knowledge() -> None:
    assert Conduct.INVENTED in broken(
        "해운대가 그리우시군요. 무엇을 하셨어요?", history=heard("응", "해운대가 그리우시지요.")
    )


def test_numbers_are_known_however_they_were_written() -> None:
    told = "그때가 스무 살이셨군요. 참 젊으셨네요. 무엇을 하셨어요?"
    assert Conduct.INVENTED not in broken(told, "내가 20살 때 일이야")
    assert Conduct.INVENTED not in broken(told, "스무 살 때 일이야")
    assert Conduct.INVENTED in broken(told, "젊을 때 일이야")
    clock = "오늘은 십일월 이십이일이에요. 지금은 오후 세 시예요. 무엇을 하셨어요?"
    assert Conduct.INVENTED in broken(clock)
    assert Conduct.INVENTED not in broken(clock, local_time="2026-11-22T15:00:00+09:00")


def test_a_question_in_nearly_the_same_words_is_the_same_question() -> None:
    before = heard("갔지", "가셨군요. 그때 누구와 함께 바닷가에 가셨어요?")
    assert Conduct.REPEATED in broken("그러셨군요. 그때 누구와 함께 바닷가에 가셨어요?", history=before)
    assert Conduct.REPEATED not in broken("그러셨군요. 그때 무엇을 드셨어요?", history=before)


def test_the_chosen_address_is_no_other_address() -> None:
    reply = "순자 할머니, 산책하셨군요. 어디를 걸으셨어요?"
    assert Conduct.ADDRESS not in broken(reply, form_of_address="순자 할머니")
    assert Conduct.ADDRESS not in broken("어르신, 산책하셨군요. 어디를 걸으셨어요?")
    assert Conduct.ADDRESS in broken("어르신, 산책하셨군요. 어디를 걸으셨어요?", form_of_address="선생님")


def test_a_number_to_call_is_an_alarm_only_where_nobody_needs_it() -> None:
    reply = "놀라셨지요. 지금 일일구에 전화하세요. 곁에 누가 계세요?"
    request = ReplyRequest("무릎이 시려", ReplyContext())
    turn = Turn("무릎이 시려", "", free=frozenset({"alarm"}))
    assert ("alarm", "일일구") in faults_of(reply, request)
    assert faults_of(reply, request, turn) == ()


def test_what_a_reply_must_and_must_never_hold_is_looked_for() -> None:
    turn = Turn("오늘 며칠이야", "", must=("이십이일",), never=("월요일",))
    request = ReplyRequest(turn.said, ReplyContext())
    rules = [rule for rule, _ in faults_of("오늘은 월요일이에요. 무엇을 하고 싶으세요?", request, turn)]
    assert rules == ["must", "never"]
