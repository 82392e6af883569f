"""People with known pauses talk to a profile; what it believes of them is compared with what they are."""

import json
import math
import random
from collections.abc import Iterator
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from silvertalk import pause_profile
from silvertalk.pause_profile import (
    CLIP,
    EVERYBODY,
    LONGEST_MS,
    MAX_CAUTION,
    MAX_UNKEPT,
    MEDIAN_MS,
    SIGMA,
    TARGET,
    Observation,
    PauseProfile,
)
from streaming.audio import ms_to_samples, samples_to_ms
from streaming.endpointing import Endpointing, Pauses
from streaming.protocol import MAX_PATIENCE, MIN_PATIENCE

anything = st.one_of(
    st.builds(
        Observation,
        st.sampled_from(["inner_pause", "false_end", "turn_ended"]),
        st.one_of(st.floats(), st.floats(0, 10_000)),
    ),
    st.integers(-100_000, 100_000),
)
"""An observation, or a day."""

json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def told(events: list[Observation | int]) -> PauseProfile:
    profile = PauseProfile()
    for event in events:
        if isinstance(event, int):
            profile.on_day(event)
        else:
            profile.observe(event)
    return profile


def drawn(median_ms: float, sigma: float, seed: int = 1) -> Iterator[float]:
    """One person's pauses, without end."""
    dice = random.Random(seed)
    while True:
        yield dice.lognormvariate(math.log(median_ms), sigma)


def within_bounds(pauses: Pauses) -> bool:
    return (
        MEDIAN_MS[0] - 1e-6 <= pauses.median_ms <= MEDIAN_MS[1] + 1e-6
        and SIGMA[0] <= pauses.sigma <= SIGMA[1]
        and MIN_PATIENCE <= pauses.patience <= MAX_PATIENCE
    )


def acquainted(median_ms: float = 900, *, days: int = 10) -> tuple[PauseProfile, Iterator[float]]:
    """A profile that knows somebody for so many days, of forty pauses each, up to day 1000."""
    profile, pauses = PauseProfile(), drawn(median_ms, 0.6)
    talk_for_days(profile, pauses, range(1001 - days, 1001))
    return profile, pauses


def talk_for_days(profile: PauseProfile, pauses: Iterator[float], days: range) -> None:
    for day in days:
        profile.on_day(day)
        for _ in range(40):
            profile.inner_pause(next(pauses))
            profile.turn_ended()


# --- what it believes ------------------------------------------------------------------------------------------------


def test_who_nothing_is_known_of_is_as_everybody() -> None:
    pauses = PauseProfile().pauses()
    assert pauses.median_ms == pytest.approx(EVERYBODY.median_ms)
    assert pauses.sigma == pytest.approx(EVERYBODY.sigma)
    assert pauses.patience == 1


def test_the_first_pauses_move_little() -> None:
    profile = PauseProfile()
    for _ in range(5):
        profile.inner_pause(EVERYBODY.median_ms * 2)
    assert 1 < profile.pauses().median_ms / EVERYBODY.median_ms < 1.25


@pytest.mark.parametrize("slower", [0.6, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("sigma", [0.5, 0.8])
def test_a_hundred_pauses_make_somebody_known(slower: float, sigma: float) -> None:
    median_ms = min(EVERYBODY.median_ms * slower, MEDIAN_MS[1])
    profile, pauses = PauseProfile(), drawn(median_ms, sigma)
    for day in (1, 2):
        profile.on_day(day)
        for _ in range(50):
            profile.inner_pause(next(pauses))
    # Everybody's 20 pauses among 120 hold back a sixth of the way, and a hundred draws have an error of their own.
    assert abs(math.log(profile.pauses().median_ms / median_ms)) < 0.3
    assert profile.pauses().sigma == pytest.approx(sigma, abs=0.2)


def test_one_absence_does_not_count() -> None:
    profile, _ = acquainted()
    before = profile.pauses()
    profile.inner_pause(9_000)
    assert profile.pauses() == before
    assert LONGEST_MS < 9_000


def test_an_outlier_counts_no_more_than_its_bound() -> None:
    far, at_the_bound = PauseProfile(), PauseProfile()
    far.inner_pause(5_900)
    at_the_bound.inner_pause(EVERYBODY.median_ms * math.exp(CLIP * EVERYBODY.sigma))
    assert far.pauses().median_ms == pytest.approx(at_the_bound.pauses().median_ms)


def test_clipping_takes_nothing_from_the_variance_of_a_normal() -> None:
    normal, steps = NormalDist(), 100_000
    squares = (min(normal.inv_cdf((i + 0.5) / steps) ** 2, CLIP**2) for i in range(steps))
    assert pause_profile._CLIPPED_SQUARE == pytest.approx(sum(squares) / steps, abs=1e-4)


@pytest.mark.parametrize("silent", [0.0, 0.5])
@pytest.mark.parametrize("wait_ms", [800, 1200])
def test_pauses_that_outlast_the_wait_are_not_left_out(wait_ms: float, silent: float) -> None:
    """Who sees only the pauses shorter than the wait believes them to be short, and waits less and less.

    `silent`: how many of those who were cut off say no more.
    """
    dice = random.Random(2)
    whole, half = PauseProfile(), PauseProfile()
    pauses = drawn(1000, 0.6)
    for day in range(1, 5):
        whole.on_day(day)
        half.on_day(day)
        for _ in range(50):
            pause = next(pauses)
            if pause < wait_ms:
                whole.inner_pause(pause)
                half.inner_pause(pause)
            elif dice.random() >= silent:
                whole.false_end(pause)
    assert half.pauses().median_ms < 800
    assert whole.pauses().median_ms == pytest.approx(1000, rel=0.2)


# --- how far it may be moved -----------------------------------------------------------------------------------------


@given(st.lists(anything, max_size=200))
def test_it_stays_within_its_bounds_whatever_it_is_told(events: list[Observation | int]) -> None:
    profile = told(events)
    assert within_bounds(profile.pauses())
    assert 1 <= profile.caution <= MAX_CAUTION + 1e-9


@pytest.mark.parametrize("seen", [Observation("inner_pause", 100), Observation("inner_pause", 6_000)])
def test_it_stays_within_its_bounds_however_long_it_goes_on(seen: Observation) -> None:
    profile = PauseProfile()
    for day in range(100):
        profile.on_day(day)
        for _ in range(100):
            profile.observe(seen)
    assert within_bounds(profile.pauses())


@pytest.mark.parametrize(
    "noise", [Observation("inner_pause", 130), Observation("inner_pause", 5_000), Observation("false_end", 3_000)]
)
def test_a_bad_day_moves_it_a_little_and_is_forgotten(noise: Observation) -> None:
    profile, pauses = acquainted()
    before = profile.pauses()
    profile.on_day(1001)
    for _ in range(300):
        profile.observe(noise)
    assert abs(math.log(profile.pauses().median_ms / before.median_ms)) < math.log(1.25)
    assert profile.pauses().patience <= MAX_CAUTION
    talk_for_days(profile, pauses, range(1002, 1016))
    assert profile.pauses().median_ms == pytest.approx(before.median_ms, rel=0.08)
    assert profile.pauses().patience < 1.05


def test_who_has_changed_is_followed() -> None:
    profile, _ = acquainted(500)
    talk_for_days(profile, drawn(1100, 0.6), range(1001, 1016))
    assert profile.pauses().median_ms > 850


def test_who_stays_away_becomes_a_stranger_by_halves() -> None:
    profile, _ = acquainted(1200)
    known = profile.observed
    profile.on_day(1000 + 31)  # the first of these days closes the last of those
    assert profile.observed == pytest.approx(known / 2, rel=0.1)
    profile.on_day(1000 + 1000)
    assert profile.pauses().median_ms == pytest.approx(EVERYBODY.median_ms, rel=0.01)


def test_a_clock_that_was_wrong_costs_no_more_than_the_days_it_made_up() -> None:
    profile, _ = acquainted(1200, days=3)
    known = profile.pauses()
    profile.on_day(999)
    assert profile.pauses() == known, "another host is still in yesterday"
    profile.on_day(10**6)
    profile.on_day(1001)
    for _ in range(10):
        profile.inner_pause(1200)
    at_once = profile.observed
    profile.on_day(1031)
    assert profile.observed < at_once, "days pass again"


# --- caution ---------------------------------------------------------------------------------------------------------


def test_caution_rises_with_each_false_end_and_wears_off() -> None:
    profile = PauseProfile()
    profile.false_end(1500)
    raised = profile.caution
    assert 1.05 < raised < 1.2
    for _ in range(round(1 / TARGET)):
        profile.turn_ended()
    assert profile.caution == pytest.approx(1, abs=0.005)


def test_caution_multiplies_the_patience_set_by_hand() -> None:
    profile = PauseProfile(patience=2.0)
    for _ in range(100):
        profile.false_end(1500)
    assert profile.caution == pytest.approx(MAX_CAUTION)
    assert profile.pauses().patience == pytest.approx(min(2 * MAX_CAUTION, MAX_PATIENCE))
    assert profile.patience == 2


@pytest.mark.parametrize(
    ("asked", "given"), [(0.1, MIN_PATIENCE), (99, MAX_PATIENCE), (1.7, 1.7), (math.nan, 1), (math.inf, 1)]
)
def test_patience_keeps_within_the_protocols_range(asked: float, given: float) -> None:
    assert PauseProfile(patience=asked).patience == given


# --- kept ------------------------------------------------------------------------------------------------------------


@given(st.lists(anything, max_size=50), st.floats(MIN_PATIENCE, MAX_PATIENCE))
def test_it_is_the_same_after_it_was_kept(events: list[Observation | int], patience: float) -> None:
    profile = told(events)
    profile.patience = patience
    again = PauseProfile.from_dict(json.loads(json.dumps(profile.to_dict(), allow_nan=False)))
    assert again.pauses() == profile.pauses()
    assert again.to_dict() == profile.to_dict()


@given(json_value)
def test_what_cannot_be_read_is_a_fresh_profile(kept: object) -> None:
    assert PauseProfile.from_dict(kept).observed == 0


@given(st.data())
def test_what_was_tampered_with_is_still_within_bounds(data: st.DataObject) -> None:
    kept = acquainted(days=1)[0].to_dict()
    kept[data.draw(st.sampled_from(sorted(kept)))] = data.draw(
        json_value | st.lists(st.floats(), min_size=3, max_size=3)
    )
    profile = PauseProfile.from_dict(kept)
    profile.on_day(2000)
    profile.false_end(1500)
    assert within_bounds(profile.pauses())


def test_another_version_is_fresh_but_as_patient() -> None:
    kept = acquainted()[0].to_dict() | {"version": 99, "patience": 2.5}
    profile = PauseProfile.from_dict(kept)
    assert (profile.observed, profile.patience) == (0, 2.5)


@given(st.lists(anything, max_size=50))
def test_what_was_observed_teaches_another_the_same(events: list[Observation | int]) -> None:
    events = [event for event in events if isinstance(event, Observation)]
    first, second = told(events), PauseProfile()
    for seen in first.take_unkept():
        second.observe(seen)
    assert second.to_dict() == first.to_dict()
    assert not first.has_unkept
    assert first.take_unkept() == ()


def test_what_nobody_keeps_is_bounded() -> None:
    profile = PauseProfile()
    for _ in range(MAX_UNKEPT + 100):
        profile.turn_ended()
    assert len(profile.take_unkept()) == MAX_UNKEPT


# --- with the real endpoint ------------------------------------------------------------------------------------------


class Talk:
    """Somebody talks, two pauses a turn, with nothing to go by but their pauses: how often are they cut off, and how
    long do they wait? Where they were cut off they go on, or say no more (every second time)."""

    def __init__(self, profile: PauseProfile, *, learns: bool) -> None:
        self._profile = profile
        self._endpointing = Endpointing(pauses=profile.pauses if learns else Pauses)
        self.turns = self.false_ends = 0
        self.waited_ms = 0.0

    def wait_ms(self) -> float:
        self._endpointing.on_pause(ms_to_samples(10_000))
        due = self._endpointing.due_sample()
        assert due is not None
        self._endpointing.on_resume()
        return samples_to_ms(due) - 10_000

    def turn(self, pauses: Iterator[float]) -> None:
        self.turns += 1
        for _ in range(2):
            pause, wait = next(pauses), self.wait_ms()
            if pause < wait:
                self._profile.inner_pause(pause)
                continue
            self.false_ends += 1
            if self.false_ends % 2:
                self._profile.turn_ended()  # as far as anybody can tell
                return
            self._profile.false_end(pause)
        self.waited_ms += self.wait_ms()
        self._profile.turn_ended()


def after_a_week(median_ms: float, sigma: float, *, learns: bool) -> Talk:
    """How they talk in the second week."""
    profile, pauses = PauseProfile(), drawn(median_ms, sigma)
    talk = Talk(profile, learns=learns)
    for day in range(14):
        profile.on_day(day)
        if day == 7:
            talk = Talk(profile, learns=learns)
        for _ in range(40):
            talk.turn(pauses)
    return talk


def test_a_slow_speaker_is_cut_off_less_than_by_everybodys_pauses() -> None:
    learned, fixed = (after_a_week(EVERYBODY.median_ms * 2.4, 0.6, learns=learns) for learns in (True, False))
    assert fixed.false_ends > 0.1 * fixed.turns
    assert learned.false_ends < fixed.false_ends / 3


def test_a_quick_speaker_waits_less_than_by_everybodys_pauses() -> None:
    learned, fixed = (after_a_week(EVERYBODY.median_ms / 2.3, 0.5, learns=learns) for learns in (True, False))
    assert learned.waited_ms / learned.turns < 0.75 * fixed.waited_ms / fixed.turns
    assert learned.false_ends < 0.06 * learned.turns
