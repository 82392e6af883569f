"""What a reply's context tells of the conversation so far."""

from silvertalk.history import History
from streaming.messages import ReplyContext, TurnRecord
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
