"""When an utterance has ended: the wait that is chosen at a pause, and the decision."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.audio import ms_to_samples
from streaming.endings import Ending
from streaming.endpointing import RULE, EndpointDecision, Endpointing, Pauses, Wait, wait_for

FINAL, OPEN, HELD = "그래서 집에 갔어요.", "바다", "그래서 집에 갔는데"

probabilities = st.floats(0, 1)
endings = st.none() | st.sampled_from(Ending)
persons = st.builds(Pauses, st.floats(100, 3000), st.floats(0, 1.5), st.floats(0.5, 3))


# --- a plain timer ---------------------------------------------------------------------------------------------------


def test_silence_ends_an_utterance_once_when_the_wait_is_over() -> None:
    endpointing = Endpointing(fixed_wait_ms=700)
    assert endpointing.due_sample() is None
    assert endpointing.decide(1_000_000) is None
    endpointing.on_pause(16_000)
    assert endpointing.due_sample() == 27_200
    assert endpointing.decide(27_199) is None
    assert endpointing.decide(27_360) == EndpointDecision(16_000, 710, "silence", Wait(700, "fixed"))
    assert endpointing.decide(40_000) is None
    assert endpointing.due_sample() is None
    assert endpointing.waiting is None


def test_going_on_puts_the_end_off() -> None:
    endpointing = Endpointing(fixed_wait_ms=700)
    endpointing.on_pause(16_000)
    endpointing.on_resume()
    assert endpointing.due_sample() is None
    assert endpointing.decide(100_000) is None
    endpointing.on_pause(100_000)
    assert endpointing.decide(111_200) == EndpointDecision(100_000, 700, "silence", Wait(700, "fixed"))


def test_a_commit_ends_at_once() -> None:
    endpointing = Endpointing(fixed_wait_ms=700)
    assert endpointing.commit(8_000) == EndpointDecision(end_sample=8_000, wait_ms=0, reason="commit")
    endpointing.on_pause(16_000)
    assert endpointing.commit(17_600) == EndpointDecision(16_000, 100, "commit", Wait(700, "fixed"))
    assert endpointing.decide(100_000) is None


def test_a_limit_ends_in_the_midst_of_speech() -> None:
    endpointing = Endpointing()
    assert endpointing.limit(480_000) == EndpointDecision(end_sample=480_000, wait_ms=0, reason="limit")


def test_no_evidence_moves_a_timer() -> None:
    endpointing = Endpointing(fixed_wait_ms=700, pauses=lambda: Pauses(patience=3))
    endpointing.on_pause(16_000)
    endpointing.on_sound(16_000, 0.001)
    endpointing.on_words(16_000, HELD)
    assert endpointing.waiting == Wait(700, "fixed")


# --- a wait of evidence ----------------------------------------------------------------------------------------------


def test_each_kind_of_evidence_is_named() -> None:
    endpointing = Endpointing()
    endpointing.on_pause(16_000)
    alone = endpointing.waiting
    assert alone is not None and alone.because == "pauses" and alone.ending == "" and alone.end_probability is None
    assert endpointing.on_sound(17_536, 0.9)
    sound = endpointing.waiting
    assert sound is not None and sound.because == "sound" and sound.end_probability == 0.9
    assert endpointing.on_words(17_536, FINAL)
    both = endpointing.waiting
    assert both is not None and both.because == "both" and both.ending == "closes" and both.end_probability == 0.9
    assert both.wait_ms < sound.wait_ms < alone.wait_ms
    endpointing.on_pause(16_000)
    endpointing.on_words(16_000, HELD)
    words = endpointing.waiting
    assert words is not None and words.because == "words" and words.wait_ms > alone.wait_ms


def test_how_the_voice_faded_is_known_with_the_pause() -> None:
    waits = []
    for faded in (0.2, None, 0.8):
        endpointing = Endpointing()
        endpointing.on_pause(16_000, faded)
        wait = endpointing.waiting
        assert wait is not None and wait.faded == faded
        assert wait.because == ("pauses" if faded is None else "fading")
        waits.append(wait.wait_ms)
    assert waits == sorted(waits, reverse=True) and len(set(waits)) == 3
    assert endpointing.on_sound(17_536, 0.9)
    beside = endpointing.waiting
    assert beside is not None and (beside.because, beside.faded) == ("sound", 0.8)
    endpointing.on_resume()
    endpointing.on_pause(32_000)
    assert endpointing.waiting == wait_for(Pauses(), None, None), "it spoke of the pause before"


def test_beside_words_the_fading_counts_for_less() -> None:
    def moved(ending: Ending | None) -> float:
        # Without bounds, and with one pause's law, the wait is a measure of the odds.
        rule = replace(RULE, min_ms=0, max_ms=1e9, words=dict.fromkeys(Ending, 0.0))
        faded, not_faded = (wait_for(Pauses(600, 0.6), ending, None, score, rule).wait_ms for score in (0.7, 0.3))
        return not_faded - faded

    assert 0 < moved(Ending.OPEN) < moved(None)


def test_the_decision_says_why() -> None:
    endpointing = Endpointing()
    endpointing.on_pause(16_000)
    endpointing.on_sound(17_536, 0.97)
    endpointing.on_words(17_536, FINAL)
    chosen, due = endpointing.waiting, endpointing.due_sample()
    assert chosen is not None and due == 16_000 + ms_to_samples(chosen.wait_ms)
    assert endpointing.decide(due - 1) is None
    decision = endpointing.decide(due)
    assert decision is not None and decision.wait is chosen
    assert decision.wait_ms == pytest.approx(chosen.wait_ms, abs=0.1)


def test_english_is_read_by_english_endings() -> None:
    waits = []
    for text in ("and then I went home because", "yes, thank you"):
        endpointing = Endpointing(language="en")
        endpointing.on_pause(16_000)
        endpointing.on_words(16_000, text)
        waits.append(endpointing.waiting)
    held, closed = waits
    assert held is not None and closed is not None
    assert (held.ending, closed.ending) == ("holds", "closes")
    assert held.wait_ms > closed.wait_ms


def test_stale_evidence_changes_nothing() -> None:
    endpointing = Endpointing()
    assert not endpointing.on_sound(16_000, 0.9), "nobody has paused"
    endpointing.on_pause(16_000)
    endpointing.on_resume()
    assert not endpointing.on_words(16_000, FINAL), "they went on"
    endpointing.on_pause(32_000)
    before = endpointing.waiting
    assert not endpointing.on_sound(31_999, 0.99)
    assert not endpointing.on_words(17_536, FINAL)
    assert endpointing.waiting is before
    endpointing.decide(10**6)
    assert not endpointing.on_sound(33_536, 0.99), "it was decided already"


def test_evidence_of_one_pause_is_forgotten_at_the_next() -> None:
    endpointing = Endpointing()
    endpointing.on_pause(16_000)
    endpointing.on_sound(16_000, 0.99)
    endpointing.on_words(16_000, FINAL)
    endpointing.on_resume()
    endpointing.on_pause(32_000)
    assert endpointing.waiting == wait_for(Pauses(), None, None)


@pytest.mark.parametrize("probability", [math.nan, math.inf, -0.1, 1.1])
def test_a_score_that_is_none_is_no_evidence(probability: float) -> None:
    endpointing = Endpointing()
    endpointing.on_pause(16_000)
    assert not endpointing.on_sound(16_000, probability)
    assert endpointing.waiting == wait_for(Pauses(), None, None)


def test_no_words_are_no_evidence() -> None:
    endpointing = Endpointing()
    endpointing.on_pause(16_000)
    assert not endpointing.on_words(16_000, "  ")
    assert endpointing.waiting == wait_for(Pauses(), None, None)


def test_what_is_known_of_the_person_is_asked_at_each_pause() -> None:
    known = [Pauses(400, 0.5), Pauses(1400, 0.5)]
    endpointing = Endpointing(pauses=lambda: known.pop(0))
    waits = []
    for end in (16_000, 32_000):
        endpointing.on_pause(end)
        assert endpointing.waiting is not None
        waits.append(endpointing.waiting.wait_ms)
        endpointing.on_resume()
    assert waits[0] < waits[1]


def test_the_wait_is_the_posterior_solved_for_silence() -> None:
    """At the wait that is chosen the end is exactly as probable as was asked."""
    pauses, probability = Pauses(600, 0.6), 0.4
    faded = 0.7
    wait = wait_for(pauses, Ending.OPEN, probability, faded)
    assert RULE.min_ms < wait.wait_ms < RULE.max_ms
    without = replace(RULE, prior=0.5, words=dict.fromkeys(Ending, 0.0), sound_weight=0.0)
    odds = RULE.prior / (1 - RULE.prior) * math.exp(RULE.words[Ending.OPEN])
    odds *= (probability / (1 - probability)) ** (RULE.sound_weight * RULE.sound_beside_words)
    odds *= (faded / (1 - faded)) ** (RULE.fading_weight * RULE.fading_beside_words)
    z = math.log(wait.wait_ms / pauses.median_ms) / pauses.sigma
    longer = math.erfc(z / math.sqrt(2)) / 2
    assert odds / (odds + longer) == pytest.approx(RULE.certainty)
    # And where nothing speaks for either, it is the pause that this share of the person's pauses does not reach.
    neutral = wait_for(Pauses(600, 0.6), None, None, rule=replace(without, certainty=0.9))
    z = math.log(neutral.wait_ms / 600) / 0.6
    assert math.erfc(z / math.sqrt(2)) / 2 == pytest.approx(1 / 9)


# --- properties ------------------------------------------------------------------------------------------------------


@given(persons, endings, st.none() | probabilities, st.none() | probabilities)
def test_every_wait_has_its_bounds(
    person: Pauses, ending: Ending | None, probability: float | None, faded: float | None
) -> None:
    wait_ms = wait_for(person, ending, probability, faded).wait_ms
    assert RULE.min_ms <= wait_ms <= max(RULE.min_ms, RULE.max_ms * person.patience)


@given(persons, endings, probabilities, probabilities)
def test_a_more_final_sound_never_lengthens_the_wait(
    person: Pauses, ending: Ending | None, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert wait_for(person, ending, more).wait_ms <= wait_for(person, ending, less).wait_ms


@given(persons, endings, st.none() | probabilities, probabilities, probabilities)
def test_a_voice_that_faded_more_never_lengthens_the_wait(
    person: Pauses, ending: Ending | None, probability: float | None, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    waits = [wait_for(person, ending, probability, faded).wait_ms for faded in (less, more)]
    assert waits[1] <= waits[0]


@given(persons, st.none() | probabilities)
def test_a_more_final_ending_never_lengthens_the_wait(person: Pauses, probability: float | None) -> None:
    by_finality = (Ending.FILLER, Ending.HOLDS, Ending.OPEN, Ending.TRAILS, Ending.CLOSES, Ending.ASKS)
    assert set(by_finality) == set(Ending)
    waits = [wait_for(person, ending, probability).wait_ms for ending in by_finality]
    assert waits == sorted(waits, reverse=True)


@given(persons, endings, st.none() | probabilities, st.floats(0.5, 3))
def test_more_patience_never_shortens_the_wait(
    person: Pauses, ending: Ending | None, probability: float | None, patience: float
) -> None:
    less, more = sorted((person.patience, patience))
    waits = [wait_for(replace(person, patience=p), ending, probability).wait_ms for p in (less, more)]
    assert waits[0] <= waits[1]


@given(persons, endings, st.none() | probabilities, st.floats(1, 3))
def test_longer_pauses_never_shorten_the_wait(
    person: Pauses, ending: Ending | None, probability: float | None, factor: float
) -> None:
    slower = replace(person, median_ms=person.median_ms * factor)
    assert wait_for(person, ending, probability).wait_ms <= wait_for(slower, ending, probability).wait_ms


calls = st.one_of(
    st.tuples(st.just("pause"), st.integers(0, 32_000)),
    st.tuples(st.just("resume"), st.just(0)),
    st.tuples(st.just("sound"), st.integers(-20_000, 20_000)),
    st.tuples(st.just("words"), st.integers(-20_000, 20_000)),
    st.tuples(st.just("silence"), st.integers(0, 64_000)),
)


@given(st.lists(calls, max_size=30), probabilities, st.sampled_from([FINAL, OPEN, HELD, "", "그…"]))
def test_nothing_is_decided_in_speech_and_everything_once(
    calls: list[tuple[str, int]], probability: float, text: str
) -> None:
    endpointing = Endpointing()
    paused, now, end = False, 0, 0
    for what, samples in calls:
        if what == "pause" and not paused:
            now += samples
            paused, end = True, now
            endpointing.on_pause(end)
        elif what == "resume" and paused:
            paused = False
            endpointing.on_resume()
        elif what in ("sound", "words"):
            upto = now + samples
            taken = (
                endpointing.on_sound(upto, probability)
                if what == "sound"
                else bool(text) and endpointing.on_words(upto, text)
            )
            assert taken == (paused and upto >= end and (what == "sound" or bool(text)))
        elif what == "silence":
            now += samples
        decision = endpointing.decide(now)
        if decision is not None:
            assert paused and decision.end_sample == end and decision.wait is not None
            assert decision.wait_ms >= RULE.min_ms
            paused = False
        assert (endpointing.waiting is not None) == (endpointing.due_sample() is not None) == paused


@given(st.integers(0, 10**9), st.integers(0, 5_000), st.lists(st.integers(0, 200_000), min_size=1))
def test_it_is_decided_at_the_first_sample_that_is_due(end: int, wait_ms: int, heard: list[int]) -> None:
    """Only samples heard count: however long nothing arrives, nobody is cut off."""
    endpointing = Endpointing(fixed_wait_ms=wait_ms)
    endpointing.on_pause(end)
    decisions = [decision for more in sorted(heard) if (decision := endpointing.decide(end + more))]
    due = [more for more in sorted(heard) if more >= wait_ms * 16]
    wait = Wait(wait_ms, "fixed")
    assert decisions == [EndpointDecision(end, due[0] / 16, "silence", wait)] if due else decisions == []
