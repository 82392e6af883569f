"""What a reply's context tells of the conversation so far."""

from typing import Any

from silvertalk.history import History
from silvertalk.turn import Turn
from silvertalk.wishes import ASKS_LEAVE, WISH_SECONDS, Wish
from streaming.messages import ReplyContext, TurnOpened, TurnRecord
from tests.silvertalk.records import record


def said(number: int, transcript: str, heard: str) -> TurnRecord:
    return record(number, transcript=transcript, heard=heard, interrupted=False)


def history(words: list[str], forgotten: set[int]) -> History:
    def inform(context: ReplyContext, turns_left: int, being_said: str) -> ReplyContext:
        words.append(being_said)
        return context

    made = History(3, language="ko", local_time=str, inform=inform, forgotten=lambda: forgotten)
    made.add([said(1, "손주 이름은 민준이야.", "민준이군요."), said(2, "고향은 통영이에요.", "바다가 좋지요?")])
    return made


def test_what_is_to_be_forgotten_is_left_out_from_then_on() -> None:
    forgotten: set[int] = set()
    talk = history([], forgotten)
    assert "민준" in repr(talk.context_before(None))
    forgotten.add(1)
    texts = [line.text for line in talk.context_before(None).history]
    assert texts == ["고향은 통영이에요.", "바다가 좋지요?"]


def test_memories_come_to_mind_by_the_last_exchange() -> None:
    words: list[str] = []
    history(words, set()).context_before(None)
    assert words == ["고향은 통영이에요. 바다가 좋지요? "]


QUESTION = "내일 병원 가기라고 적어 드릴까요?"
WISH = Wish(tool="add_event", arguments={"title": "병원 가기"}, question=QUESTION)


def asked(later: float = 0.0, **changes: Any) -> Wish | None:
    """What a yes so many seconds after it is to, with an earlier gateway's record of the turn that asked."""
    now = [1000.0]
    usual = {"reply": QUESTION, "heard": QUESTION, "interrupted": False, "source": ASKS_LEAVE, "wish": WISH.encoded()}
    talk = History(3, language="ko", local_time=str, clock=lambda: now[0])
    talk.add([record(1, **{**usual, **changes})])
    now[0] += later
    opened = TurnOpened(session="s", turn=2, language="ko", reply_rate=24_000)
    return talk.wish_before(Turn(session="s", user="u", number=2, language="ko", opened=opened))


def test_a_yes_counts_for_a_while_also_with_another_gateway() -> None:
    assert asked() == asked(WISH_SECONDS - 1) == WISH
    assert asked(WISH_SECONDS + 1) is None


def test_a_yes_is_to_a_question_that_was_asked() -> None:
    before = "그러셨군요. 병원에 가신다니 걱정이 되네요. 요즘 날이 많이 춥지요. "
    assert asked(source="gemini", reply="그러셨군요.", heard="그러셨군요.") is None, "it never came to it"
    assert asked(reply=before + QUESTION, heard=before, interrupted=True) is None
    assert asked(reply=before + QUESTION, heard=before + QUESTION[:-3], interrupted=True) == WISH
