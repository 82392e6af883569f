"""What is asked of a node: an LLM's reply, one begun in a pause, or fixed words that need none."""

from __future__ import annotations

import msgspec
import pytest

from silvertalk.asking import Asking
from silvertalk.habits import Habits
from silvertalk.heard import SpokenSentence
from silvertalk.history import History, Inform, as_a_stranger
from silvertalk.house_phrases import clarification, distress_answer, nothing_to_repeat
from silvertalk.turn import Turn
from silvertalk.wishes import ASKS_LEAVE, Wish
from streaming.messages import ConfirmReply, ReplyContext, StartReply, TurnOpened, TurnRecord

SAID = "바닷가에 다녀오셨군요."


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def turn_of(number: int, text: str | None = None) -> Turn:
    opened = TurnOpened(session="s", turn=number, language="ko", reply_rate=24_000, text=text)
    return Turn(session="s", user="u", number=number, language="ko", opened=opened)


class Talk:
    """One conversation's asking, its habits and its history, in which something was said before."""

    def __init__(self, *, per_minute: int = 4, said: str = SAID, wish: str = "", inform: Inform | None = None) -> None:
        self.habits, self.clock = Habits(), Clock()
        self.history = History(5, language="ko", local_time=str, inform=inform or as_a_stranger)
        if wish:
            asked = TurnRecord(session="s", user="u", turn=1, language="ko", outcome="answered")
            self.history.add([msgspec.structs.replace(asked, reply=said, heard=said, source=ASKS_LEAVE, wish=wish)])
        elif said:
            earlier = turn_of(1)
            earlier.transcript, earlier.reply.source = "어제 바닷가에 갔어요", "llm"
            earlier.reply.sentences.append(SpokenSentence(said, 0, 100))
            self.history.add([earlier])
        self.turn = turn_of(2)
        self.history.add([self.turn])
        self.asking = Asking(
            self.history,
            self.habits,
            language="ko",
            speculations_per_minute=per_minute,
            clarify_below=-1.0,
            clock=self.clock,
        )

    def understands(self, text: str, *, confidence: float = -0.2, voice: bool = False) -> StartReply:
        """A reply was asked for, these words came; returns what is asked of the node last."""
        self.asking.ask(self.turn, 16_000)
        self.asking.consider(self.turn, text, confidence=confidence, voice=voice)
        if self.turn.say[0]:
            self.asking.say_instead(self.turn)
        return self.last_asked

    @property
    def last_asked(self) -> StartReply:
        return [message for message in self.turn.sent_up if isinstance(message, StartReply)][-1]


async def test_a_story_is_answered_by_the_llm() -> None:
    start = Talk().understands("어제는 손주랑 시장에 다녀왔어요")
    assert (start.attempt, start.say) == (1, "")


async def test_a_call_for_help_is_answered_by_nobody_else() -> None:
    talk = Talk()
    start = talk.understands("살려줘")
    assert (start.attempt, start.say, start.say_as) == (2, distress_answer("emergency", "ko"), "distress")
    assert talk.turn.distress == "emergency"
    assert not talk.turn.is_current(1), "what the LLM was writing is stale"


async def test_who_types_was_not_misheard() -> None:
    heard, typed = Talk(), Talk()
    heard.understands("수미 안 쉬져")
    assert heard.turn.distress == "emergency"
    typed.turn = turn_of(2, "수미 안 쉬져")
    typed.understands("수미 안 쉬져")
    assert typed.turn.distress == ""
    typed.understands("숨이 안 쉬어져")
    assert typed.turn.distress == "emergency"


async def test_an_open_question_is_no_bar_to_a_call_for_help() -> None:
    """A yes to it, however it sounds, is one; other words count as they always do."""
    asked = Wish(tool="add_event", arguments={}, question=SAID)
    for text, kind in (
        ("네, 적어 주세요", ""),
        ("응, 지워 줘", ""),
        ("수미 안 쉬져", "emergency"),
        ("네, 살려 줘", "emergency"),
    ):
        talk = Talk(wish=asked.encoded())
        assert talk.history.wish_before(talk.turn) == asked
        talk.understands(text)
        assert talk.turn.distress == kind


async def test_what_was_said_is_said_again_and_a_repetition_is_not_repeated() -> None:
    talk = Talk()
    start = talk.understands("다시 말해줘")
    assert start.say_as == "repeat" and start.say.endswith(SAID)
    talk.turn.reply.source = "repeat"
    talk.turn.reply.sentences.append(SpokenSentence(start.say, 0, 100))
    talk.turn = turn_of(3)
    talk.history.add([talk.turn])
    assert talk.understands("뭐라고?").say == start.say
    assert Talk(said="").understands("다시 말해줘").say == nothing_to_repeat("ko")


@pytest.mark.parametrize(("request_", "kind"), [("천천히 말해줘", "slower"), ("크게 말해줘", "louder")])
async def test_how_it_speaks_changes_at_once_and_stays(request_: str, kind: str) -> None:
    talk = Talk()
    start = talk.understands(request_)
    assert start.say_as == kind and start.say.endswith(SAID)
    assert (start.context.speech_rate < 1.0, start.context.loudness > 1.0) == (kind == "slower", kind == "louder")
    assert (talk.habits.speech_rate, talk.habits.loudness) == (start.context.speech_rate, start.context.loudness)
    assert talk.habits.changed


async def test_who_asks_and_goes_on_has_asked_once() -> None:
    talk = Talk()
    first = talk.understands("천천히 말해줘")
    rate = talk.habits.speech_rate
    talk.turn.go_on()
    again = talk.understands("천천히 말해줘, 부탁해요")
    assert (again.say, again.say_as, talk.habits.speech_rate) == (first.say, "slower", rate)
    talk.turn.go_on()
    assert talk.understands("천천히 말해줘, 부탁해요. 그때 우리가").say == ""
    talk.turn.go_on()
    assert talk.understands("천천히 말해줘. 아니, 제발").say_as == "slower"
    assert talk.habits.speech_rate == rate
    talk.turn = turn_of(3)
    talk.history.add([talk.turn])
    talk.understands("더 천천히 말해줘")
    assert talk.habits.speech_rate < rate, "in another turn it is another request"


async def test_who_goes_on_with_another_request_is_obeyed() -> None:
    talk = Talk()
    talk.understands("천천히 말해줘")
    talk.turn.go_on()
    assert talk.understands("다시 말해줘, 크게").say_as == "louder"
    assert talk.habits.loudness > 1.0


async def test_what_was_hardly_understood_is_asked_about_but_never_twice_in_a_row() -> None:
    talk = Talk()
    first = talk.understands("그 무슨 산에", confidence=-1.4)
    assert (first.say, first.say_as) == (clarification("ko", 1), "clarification")
    talk.turn = turn_of(3)
    assert talk.understands("그 무슨 산에", confidence=-1.4).say == "", "the second time it does what it can"
    talk.turn = turn_of(4)
    assert talk.understands("그 무슨 산에", confidence=-1.4).say_as == "clarification"


async def test_a_voice_that_nobody_understood_is_asked_and_a_noise_is_not() -> None:
    assert Talk().understands("", voice=True).say_as == "clarification"
    assert Talk().understands("", voice=False).say == ""


async def test_a_reply_begun_in_a_pause_is_confirmed_or_missed_and_there_is_a_limit() -> None:
    talk = Talk(per_minute=4)
    assert talk.asking.speculate(talk.turn, 8_000)
    assert talk.last_asked.speculative and talk.turn.speculative
    talk.turn.confirm()
    assert isinstance(talk.turn.sent_up[-1], ConfirmReply) and not talk.turn.speculative
    talk.turn.cancel_reply("went_on")
    assert talk.turn.missed == set(), "a reply that was confirmed was no miss"
    assert talk.asking.speculate(talk.turn, 9_000)
    talk.turn.cancel_reply("went_on")
    assert talk.turn.missed == {2}
    assert not talk.asking.speculate(talk.turn, 10_000), "half a minute's worth at once"
    talk.clock.now = 30.0
    assert talk.asking.speculate(talk.turn, 11_000)


@pytest.mark.parametrize(("per_minute", "at_once"), [(0, 0), (1, 1), (2, 1), (4, 2), (20, 10)])
async def test_half_of_what_a_minute_allows_may_come_at_once_and_one_at_least(per_minute: int, at_once: int) -> None:
    talk = Talk(per_minute=per_minute)
    assert [talk.asking.speculate(talk.turn, 8_000) for _ in range(at_once + 1)] == [True] * at_once + [False]
    talk.clock.now = 59.9
    again = [talk.asking.speculate(talk.turn, 9_000) for _ in range(per_minute)].count(True)
    assert at_once + again <= per_minute


async def test_a_filler_is_never_said_in_two_turns_running() -> None:
    talk = Talk()
    talk.asking.ask(talk.turn, 16_000)
    assert talk.last_asked.may_fill
    talk.turn.reply.filled, talk.turn.reply.released_samples = True, 100
    talk.asking.ended(talk.turn)
    talk.turn = turn_of(3)
    talk.asking.ask(talk.turn, 32_000)
    assert not talk.last_asked.may_fill
    talk.turn.reply.released_samples = 100
    talk.asking.ended(talk.turn)
    talk.turn = turn_of(4)
    talk.asking.ask(talk.turn, 48_000)
    assert talk.last_asked.may_fill


@pytest.mark.parametrize("agreed", [False, True])
async def test_whatever_is_asked_of_a_node_says_whether_outside_services_may_see_it(agreed: bool) -> None:
    def inform(context: ReplyContext, turns_left: int, words: str) -> ReplyContext:
        return msgspec.structs.replace(context, outside_services=True)

    talk = Talk(inform=inform if agreed else None)
    assert talk.asking.context_now.outside_services is agreed
    assert talk.asking.speculate(talk.turn, 16_000)
    assert talk.last_asked.context.outside_services is agreed
    talk.asking.ask(talk.turn, 32_000)
    assert talk.last_asked.context.outside_services is agreed
    talk.asking.again(talk.turn)
    assert talk.last_asked.context.outside_services is agreed
