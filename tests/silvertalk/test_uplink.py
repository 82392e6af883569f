import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from silvertalk.uplink import KEPT_MESSAGES, SAMPLES_PER_MESSAGE, Pressed, Uplink
from streaming.protocol import Cancel, ClientMessage, Commit, Problem, ServerEvent, Text, TurnEnded

KEPT = 100


def samples(first: int, count: int) -> bytes:
    """Every sample is its own place, so that what is doubled or missing shows."""
    return np.arange(first, first + count, dtype="<i2").tobytes()


def places(pcm: bytes) -> list[int]:
    return [int(place) for place in np.frombuffer(pcm, "<i2")]


def speak(uplink: Uplink, count: int) -> None:
    uplink.speak(samples(uplink.captured_samples, count))


def everything(uplink: Uplink) -> list[bytes | ClientMessage]:
    taken: list[bytes | ClientMessage] = []
    while (one := uplink.take()) is not None:
        taken.append(one)
    return taken


def heard(uplink: Uplink) -> list[int]:
    return [place for one in everything(uplink) if isinstance(one, bytes) for place in places(one)]


def test_audio_goes_out_once_in_messages_of_the_protocols_size() -> None:
    uplink = Uplink()
    speak(uplink, 2 * SAMPLES_PER_MESSAGE + 1)
    sizes = [len(one) // 2 for one in everything(uplink) if isinstance(one, bytes)]
    assert sizes == [SAMPLES_PER_MESSAGE, SAMPLES_PER_MESSAGE, 1]
    assert uplink.take() is None and uplink.empty
    assert uplink.next_number == 2 * SAMPLES_PER_MESSAGE + 1


def test_what_was_not_received_is_sent_again() -> None:
    uplink = Uplink(kept_samples=KEPT)
    speak(uplink, 50)
    assert heard(uplink) == list(range(50))
    speak(uplink, 10)
    uplink.go_on(30)
    assert heard(uplink) == list(range(30, 60))
    assert (uplink.next_number, uplink.received_samples) == (60, 30)


def test_what_is_lost_for_good_leaves_no_gap_in_the_numbers() -> None:
    uplink = Uplink(kept_samples=KEPT)
    speak(uplink, 50)
    everything(uplink)
    speak(uplink, 200)
    assert uplink.next_number == 250
    uplink.go_on(40)
    assert heard(uplink) == list(range(150, 250))
    assert uplink.next_number == 140
    assert [uplink.captured_at(number) for number in (0, 39, 40, 139)] == [0, 39, 150, 249]


def test_a_gateway_that_claims_more_than_was_captured_numbers_what_comes() -> None:
    uplink = Uplink(kept_samples=KEPT)
    speak(uplink, 10)
    uplink.go_on(15)
    assert heard(uplink) == []
    speak(uplink, 5)
    assert heard(uplink) == list(range(10, 15))
    assert uplink.next_number == 20


def test_another_session_hears_what_the_old_one_never_acknowledged() -> None:
    uplink = Uplink(kept_samples=KEPT)
    speak(uplink, 80)
    everything(uplink)
    uplink.acknowledge(60)
    uplink.begin_again(0)
    assert heard(uplink) == list(range(60, 80))
    assert uplink.next_number == 20
    assert [uplink.captured_at(number) for number in (0, 19)] == [60, 79]


def test_what_is_pressed_keeps_its_place_among_the_samples() -> None:
    uplink = Uplink(kept_samples=KEPT)
    speak(uplink, 10)
    uplink.say(Commit())
    speak(uplink, 10)
    uplink.say(Text(text="네"))
    assert everything(uplink) == [samples(0, 10), Commit(), samples(10, 10), Text(text="네")]


def test_a_commit_comes_again_unless_a_later_sample_was_received() -> None:
    for received, expected in [
        (9, [samples(9, 1), Commit(), samples(10, 10)]),
        (10, [Commit(), samples(10, 10)]),
        (11, [samples(11, 9)]),
    ]:
        uplink = Uplink(kept_samples=KEPT)
        speak(uplink, 10)
        uplink.say(Commit())
        speak(uplink, 10)
        everything(uplink)
        uplink.go_on(received)
        assert everything(uplink) == expected


def test_what_was_answered_is_not_said_again() -> None:
    cases: list[tuple[Pressed, ServerEvent]] = [
        (Text(text="네"), TurnEnded(turn=1, end_sample=0, wait_ms=0, reason="typed")),
        (Commit(), TurnEnded(turn=1, end_sample=0, wait_ms=0, reason="commit")),
        (Commit(), Problem(code="wrong_order", retryable=False, message_ko="", message_en="")),
    ]
    for message, answer in cases:
        uplink = Uplink()
        uplink.say(message)
        everything(uplink)
        uplink.take_in(TurnEnded(turn=1, end_sample=0, wait_ms=0, reason="silence"))
        uplink.go_on(0)
        assert everything(uplink) == [message]
        uplink.take_in(answer)
        uplink.go_on(0)
        assert everything(uplink) == []


def test_a_cancel_is_said_once_and_never_to_another_session() -> None:
    uplink = Uplink()
    uplink.say(Cancel())
    assert everything(uplink) == [Cancel()]
    uplink.go_on(0)
    assert everything(uplink) == []
    uplink.say(Cancel())
    uplink.say(Text(text="네"))
    uplink.begin_again(0)
    assert everything(uplink) == [Text(text="네")]


def test_the_oldest_of_too_many_messages_goes() -> None:
    uplink = Uplink()
    for number in range(KEPT_MESSAGES + 1):
        uplink.say(Text(text=str(number)))
    assert everything(uplink) == [Text(text=str(number)) for number in range(1, KEPT_MESSAGES + 1)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("speak"), st.integers(1, KEPT)),
        st.tuples(st.just("send"), st.integers(1, 3)),
        st.tuples(st.just("cut"), st.integers(0, 50)),
        st.tuples(st.just("away"), st.integers(0, 3 * KEPT)),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_gateway_gets_every_sample_once_but_those_that_an_absence_outgrew(steps: list[tuple[str, int]]) -> None:
    """A gateway loses an end of what was sent at every cut, and counts what it has. Its count is its numbering."""
    uplink = Uplink(kept_samples=KEPT)
    received: list[int] = []
    lost: set[int] = set()
    for what, amount in [*steps, ("send", 10**6)]:
        match what:
            case "speak" if uplink.room_for(amount):
                speak(uplink, amount)
            case "send":
                for _ in range(amount):
                    if not isinstance(message := uplink.take(), bytes):
                        break
                    received += places(message)
            case "cut" | "away":
                if what == "cut":
                    # No more can be lost on the way than is still kept, as with ten seconds and a living connection.
                    del received[len(received) - min(amount, len(received), _recent(uplink, received)) :]
                else:
                    speak(uplink, amount)
                first_kept = max(uplink.captured_samples - KEPT, 0)
                lost |= set(range(received[-1] + 1 if received else 0, first_kept))
                uplink.go_on(len(received))
    assert received == [place for place in range(uplink.captured_samples) if place not in lost]
    assert [uplink.captured_at(number) for number in range(len(received))] == received
    assert uplink.next_number == len(received)


def _recent(uplink: Uplink, received: list[int]) -> int:
    """How many of the last received ones are still kept."""
    return sum(place >= uplink.captured_samples - KEPT for place in received[-KEPT:])
