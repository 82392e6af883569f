"""A long silence calls for one gentle word, and then for patience."""

from silvertalk.quiet import Quiet


def test_a_silence_after_an_answer_calls_once() -> None:
    quiet = Quiet(1000)
    quiet.answered()
    quiet.begin(500)
    assert not quiet.calls_for_prompt(1499)
    assert quiet.calls_for_prompt(1500)
    assert not quiet.calls_for_prompt(9000), "then it waits"
    quiet.begin(9000)
    assert not quiet.calls_for_prompt(99_000), "also after its own word was heard"
    assert quiet.prompts == 1


def test_who_has_said_something_since_may_be_asked_again() -> None:
    quiet = Quiet(1000)
    for conversation in range(2):
        quiet.answered()
        quiet.begin(0)
        assert quiet.calls_for_prompt(1000), conversation
    assert quiet.prompts == 2


def test_nobody_is_asked_before_they_have_spoken_nor_while_they_do() -> None:
    quiet = Quiet(1000)
    quiet.begin(0)
    assert not quiet.calls_for_prompt(5000)
    quiet.answered()
    quiet.end()
    assert not quiet.calls_for_prompt(5000)


def test_it_can_be_turned_off() -> None:
    quiet = Quiet(0)
    quiet.answered()
    quiet.begin(0)
    assert not quiet.calls_for_prompt(10**9)
