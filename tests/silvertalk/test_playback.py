from hypothesis import given
from hypothesis import strategies as st

from silvertalk.playback import REMEMBERED_TURNS, VirtualPlayer
from streaming.protocol import Playhead


def test_plays_in_real_time_and_stops_where_the_audio_ends() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 500, now=10.0)
    player.advance(10.2)
    assert (player.playhead(1), player.playing) == (200, 1)
    assert player.seconds_left == 0.3
    player.advance(11.0)
    assert (player.playhead(1), player.playing, player.seconds_left) == (500, None, 0.0)


def test_running_dry_costs_time_and_no_samples() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 100, now=0.0)
    player.add(1, 100, 100, now=5.0)
    player.advance(5.05)
    assert player.playhead(1) == 150


def test_a_flush_keeps_the_playhead_and_drops_the_rest() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 1000, now=0.0)
    player.flush(1, 1000, 0.4)
    player.advance(9.0)
    assert (player.playhead(1), player.playing) == (400, None)


def test_after_a_flush_another_reply_to_the_turn_is_played_from_where_it_begins() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 1000, now=0.0)
    player.flush(1, 1200, 0.4)  # 200 samples were sent, and have not come
    assert player.has(1, 1000, 200)
    assert player.add(1, 600, 600, now=1.0) == 600
    assert player.playing is None
    assert player.add(1, 1100, 600, now=2.0) == 100
    player.advance(2.1)
    assert (player.playhead(1), player.seconds_left) == (1300, 0.4)


def test_a_flush_is_of_one_turn() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 100, now=0.0)
    player.add(2, 0, 100, now=0.0)
    player.flush(1, 100, 0.05)
    player.advance(0.1)
    assert (player.playhead(1), player.playhead(2)) == (50, 50)


def test_the_next_turn_waits_for_the_one_before() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 100, now=0.0)
    player.add(2, 0, 100, now=0.0)
    player.advance(0.15)
    assert (player.playhead(1), player.playhead(2), player.playing) == (100, 50, 2)


def test_playheads_of_long_ago_are_forgotten() -> None:
    player = VirtualPlayer(1000)
    for turn in range(REMEMBERED_TURNS + 1):
        player.add(turn, 0, 1, now=float(turn))
    player.advance(1000.0)
    assert (player.playhead(0), player.playhead(1)) == (0, 1)


def test_what_came_before_is_not_played_again() -> None:
    player = VirtualPlayer(1000)
    assert not player.has(1, 0, 100)
    assert player.add(1, 0, 100, now=0.0) == 0
    assert player.has(1, 0, 100) and player.has(1, 40, 20) and not player.has(1, 40, 61)
    assert player.add(1, 50, 100, now=0.0) == 50
    assert player.add(1, 0, 150, now=0.0) == 150
    player.advance(1.0)
    assert (player.playhead(1), player.has(2, 0, 1)) == (150, False)


def test_what_was_flushed_has_come_all_the_same() -> None:
    player = VirtualPlayer(1000)
    player.add(1, 0, 100, now=0.0)
    player.flush(1, 100, 0.05)
    assert player.has(1, 50, 50)
    assert player.playhead(1) == 50


def test_the_last_playhead_is_that_of_what_was_played_last() -> None:
    player = VirtualPlayer(1000)
    assert player.last_playhead is None
    player.add(1, 0, 100, now=0.0)
    player.add(2, 0, 100, now=0.0)
    player.advance(0.1)
    assert player.last_playhead == Playhead(turn=1, samples=100)
    player.advance(0.15)
    assert player.last_playhead == Playhead(turn=2, samples=50)


@given(st.lists(st.floats(0.0, 0.3), max_size=30), st.integers(1, 3000))
def test_how_often_one_looks_changes_nothing(steps: list[float], samples: int) -> None:
    watched, left_alone = VirtualPlayer(16_000), VirtualPlayer(16_000)
    for player in (watched, left_alone):
        player.add(1, 0, samples, now=0.0)
    now = 0.0
    for step in steps:
        now += step
        watched.advance(now)
    left_alone.advance(now)
    assert abs(watched.playhead(1) - left_alone.playhead(1)) <= 1
    assert watched.playhead(1) <= samples
