"""One turn's counting: what was said, by whom it was begun, what a later reply or node starts from."""

from __future__ import annotations

import asyncio

import msgspec

from silvertalk.history import History
from silvertalk.turn import HELP, MERGE_SECONDS, Turn
from streaming.messages import FILLER, ReplyAudio, ReplyText, TurnOpened, TurnRecord

RATE = 24_000


def turn_of(number: int, text: str | None = None) -> Turn:
    opened = TurnOpened(session="s", turn=number, language="ko", reply_rate=RATE, text=text)
    return Turn(session="s", user="u", number=number, language="ko", opened=opened, attempt=1)


def say(turn: Turn, text: str, seconds: float, source: str = "llm") -> None:
    """A sentence was released and sent with all of its sound."""
    turn.reply.text_was_sent(
        turn.reply.add_sentence(ReplyText(attempt=1, reply=1, sentence=0, text=text, source=source))
    )
    pcm = bytes(2 * int(seconds * RATE))
    _, first_sample = turn.reply.place_audio(ReplyAudio(attempt=1, reply=1, sentence=0, first_sample=0, pcm=pcm))
    turn.audio_was_sent(first_sample, len(pcm) // 2)


async def test_another_node_does_not_say_again_what_followed_a_filler() -> None:
    turn = turn_of(1)
    say(turn, "음, 잠시만요.", 1, FILLER)
    say(turn, "그때는 누구와 함께 계셨어요?", 4)
    turn.ask_again(turn.opened.context)
    assert turn.sent_up[-1].released == "그때는 누구와 함께 계셨어요?"  # type: ignore[union-attr]
    assert (turn.reply.text, turn.reply.filled) == ("그때는 누구와 함께 계셨어요?", True)


async def test_the_pace_of_a_reply_is_not_that_of_one_that_was_taken_back() -> None:
    turn = turn_of(1)
    say(turn, "그러셨군요.", 10)
    turn.take_back()
    say(turn, "정말 좋으셨겠어요.", 2)
    say(turn, "그때는 누구와 함께 계셨어요?", 4)
    turn.ask_again(turn.opened.context)
    assert turn.sent_up[-1].released == "정말 좋으셨겠어요. 그때는 누구와 함께 계셨어요?"  # type: ignore[union-attr]


async def test_a_reply_that_is_taken_back_counts_for_nothing_and_the_next_counts_on() -> None:
    turn = turn_of(1)
    say(turn, "그러셨군요.", 1)
    turn.reply.play_to(RATE // 2)
    before = turn.take_back()
    assert (before.upto_sample, before.sequences, before.sentences) == (RATE, 1, 1)
    assert (turn.reply.text, turn.reply.heard, turn.reply.has_begun, turn.reply.number) == ("", "", False, 2)
    say(turn, "아, 시장에 가셨군요.", 2)
    turn.reply.all_was_sent()
    turn.reply.play_to(3 * RATE)
    assert (turn.reply.heard, turn.reply.last_sentence, turn.merges) == ("아, 시장에 가셨군요.", 1, 1)
    late = turn_of(1).reply.add_sentence(ReplyText(attempt=1, reply=1, sentence=0, text="그러셨군요.", source="llm"))
    turn.reply.text_was_sent(late)
    turn.audio_was_sent(0, RATE)
    assert (turn.reply.text, turn.reply.sent_samples) == ("아, 시장에 가셨군요.", 3 * RATE), (
        "also what was just being sent"
    )


async def test_a_filler_begins_no_reply() -> None:
    turn = turn_of(1)
    say(turn, "음, 잠시만요.", 1, FILLER)
    now = asyncio.get_running_loop().time()
    assert turn.merge_left(now + 60) == MERGE_SECONDS
    say(turn, "그러셨군요.", 1)
    assert turn.merge_left(now + 60) < 0


async def test_who_goes_on_as_a_reply_begins_after_a_filler_has_all_the_time() -> None:
    """The clock begins with the first word, also where that waits for the filler to be played."""
    turn = turn_of(1)
    say(turn, "음, 잠시만요.", 1, FILLER)
    say(turn, "그러셨군요.", 1)
    begun = asyncio.get_running_loop().time() + 1
    assert MERGE_SECONDS - 0.5 < turn.merge_left(begun) <= MERGE_SECONDS, "and not a second less, for the filler"


async def test_a_gap_is_played_by_nobody() -> None:
    """The player has run dry, and plays from when something comes again."""
    turn, clock = turn_of(1), asyncio.get_running_loop().time
    say(turn, "음, 잠시만요.", 1, FILLER)
    turn.reply.plays_until -= 60  # it came a minute ago
    say(turn, "그러셨군요.", 3)
    assert turn.reply.plays_until >= clock() + 2.9
    assert turn.reply.playing_at(clock() + 0.5) < 2 * RATE < turn.reply.playing_at(clock() + 1.5) <= 4 * RATE
    assert turn.reply.playing_at(clock() + 60) == 4 * RATE


async def test_a_player_knows_best_where_it_is() -> None:
    turn, clock = turn_of(1), asyncio.get_running_loop().time
    say(turn, "그러셨군요.", 3)
    turn.reply.plays_until -= 60
    turn.reply.play_to(RATE)
    assert clock() + 1.9 < turn.reply.plays_until <= clock() + 2
    turn.reply.plays_until -= 60
    turn.reply.play_to(RATE)
    assert turn.reply.plays_until < clock(), "it has said nothing new"


async def test_a_reply_that_is_not_over_was_not_heard_to_its_end() -> None:
    turn = turn_of(1)
    say(turn, "그때는 누구와 함께 계셨어요?", 4)
    turn.reply.play_to(4 * RATE)
    assert turn.reply.heard == "그때는 누구와 함께"
    turn.reply.all_was_sent(whole=False)
    assert turn.reply.heard == "그때는 누구와 함께", "its node died in the midst of it"
    turn.reply.all_was_sent()
    assert turn.reply.heard == "그때는 누구와 함께 계셨어요?"


async def test_who_comes_back_to_another_gateway_has_no_more_time_to_go_on() -> None:
    turn = turn_of(1)
    say(turn, "그러셨군요.", 4)
    turn.reply.play_to(2 * RATE)
    assert turn.merge_left(asyncio.get_running_loop().time()) < 0


async def test_the_next_reply_knows_what_was_asked_unasked_and_nothing_of_coughs() -> None:
    history = History(3, language="ko", local_time=str)
    prompt, now = turn_of(1, text=""), turn_of(3)
    say(prompt, "지금 뭐 하고 계세요?", 1, "prompt")
    prompt.reply.all_was_sent()
    prompt.reply.play_to(RATE)
    cough = turn_of(2)
    history.add([prompt, cough])
    history.forget(cough)
    history.add([now])
    assert [(line.role, line.text) for line in history.context_before(now).history] == [
        ("assistant", "지금 뭐 하고 계세요?")
    ]
    assert not history.was_left_behind


async def test_what_was_said_last_is_known_of_records_too() -> None:
    history = History(3, language="ko", local_time=str)
    told = TurnRecord(
        session="s", user="u", turn=1, language="ko", outcome="answered", reply="그러셨군요.", source="llm"
    )
    again = msgspec.structs.replace(told, turn=2, reply="다시 그러셨군요.", source="repeat")
    history.add([told, again])
    assert history.last_reply == "그러셨군요."


async def test_nothing_is_learned_of_a_cough_after_the_end() -> None:
    turn = turn_of(1)
    turn.false_ends = [(900.0, "시장에 갔어요."), (700.0, "")]
    turn.transcript = "시장에 갔어요"
    assert turn.false_ends_ms() == [700.0], "of the first nothing more was said; of the second nobody knows"
    turn.transcript = "시장에 갔어요, 생선을 샀어요."
    assert turn.false_ends_ms() == [900.0, 700.0]


async def test_nothing_is_taken_back_of_what_helps() -> None:
    turn = turn_of(1)
    turn.say = ("지금 바로 일일구에 전화하세요.", HELP)
    say(turn, "지금 바로 일일구에 전화하세요.", 4, HELP)
    assert turn.gives_help and not turn.may_go_on
    assert turn.merge_left(asyncio.get_running_loop().time()) == 0.0
