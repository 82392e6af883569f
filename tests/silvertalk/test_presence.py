"""Whether anything comes from a client, by any clock."""

from silvertalk.presence import SILENT_SECONDS, Presence


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nobody_is_away_who_was_never_heard() -> None:
    """They may only ever type, with a player that says nothing."""
    clock = Clock()
    presence = Presence(clock)
    assert presence.is_away
    presence.came()
    clock.now += 3600
    assert not presence.is_away and not presence.acknowledges
    presence.left()
    assert presence.is_away


def test_who_was_heard_and_falls_silent_is_away_until_heard_again() -> None:
    clock = Clock()
    presence = Presence(clock)
    presence.came()
    assert not presence.heard()
    clock.now += SILENT_SECONDS
    assert not presence.is_away
    clock.now += 0.1
    assert presence.is_away
    assert presence.heard(acknowledging=True), "it had been silent"
    assert not presence.is_away and presence.acknowledges
    assert not presence.heard()
    assert presence.acknowledges, "once is enough"


def test_who_comes_back_is_away_until_something_comes() -> None:
    """The radio that lost the connection may be dead again at once."""
    clock = Clock()
    presence = Presence(clock)
    presence.came()
    presence.heard()
    presence.left()
    clock.now += 10
    presence.came()
    assert presence.is_away
    presence.heard()
    assert not presence.is_away
